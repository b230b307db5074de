//! `noam translate`, `noam evaluate` and `noam attention`: using what a run has learned.

use std::path::PathBuf;

use clap::{Args, ValueHint, value_parser};

use super::at_least_one;

/// How to translate; shared by several commands.
#[derive(Debug, Args)]
pub struct DecodingArgs {
    /// Hypotheses kept in the search; 1 is greedy [default: as the run's configuration says]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=1024))]
    pub beam: Option<u64>,
    /// The weights of the checkpoint of this step [default: the best]
    #[arg(long, value_name = "STEP", value_parser = at_least_one)]
    pub checkpoint: Option<u64>,
    /// Threads; the result does not depend on them [default: all processors]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<u64>,
}

/// The arguments of `noam translate`.
#[derive(Debug, Args)]
#[command(after_help = TRANSLATE_EXAMPLES)]
pub struct TranslateArgs {
    /// Run folder
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub run: PathBuf,
    /// Sentences [default: the lines of standard input]
    #[arg(value_name = "TEXT")]
    pub text: Vec<String>,
    /// How.
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Write a JSON object a line
    #[arg(long)]
    pub json: bool,
}

const TRANSLATE_EXAMPLES: &str = "\
Examples:
  noam translate runs/captions \"A dog runs.\"
  noam translate runs/captions --beam 4 < test.en > test.de
  noam translate runs/captions --json \"Two men talk.\"

A run that is still going on can be used: the weights are those of its best checkpoint so far.";

/// The arguments of `noam evaluate`.
#[derive(Debug, Args)]
#[command(after_help = EVALUATE_EXAMPLES)]
pub struct EvaluateArgs {
    /// Run folder
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub run: PathBuf,
    /// Source sentences, one a line; plain, gzip or zstd
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub src: PathBuf,
    /// Reference translations, line by line
    #[arg(long = "ref", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub reference: PathBuf,
    /// Write the translations to this file, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// How.
    #[command(flatten)]
    pub decoding: DecodingArgs,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

const EVALUATE_EXAMPLES: &str = "\
Examples:
  noam evaluate runs/captions --src test.en --ref test.de
  noam evaluate runs/captions --src test.en.gz --ref test.de.gz --beam 4 --out hypotheses.de --json

BLEU is computed as sacreBLEU does; the signature says how.";

/// The arguments of `noam attention`.
#[derive(Debug, Args)]
#[command(after_help = ATTENTION_EXAMPLES)]
pub struct AttentionArgs {
    /// Run folder
    #[arg(value_name = "RUN", value_hint = ValueHint::DirPath)]
    pub run: PathBuf,
    /// A sentence
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Picture to write
    #[arg(long, value_name = "FILE.svg", value_hint = ValueHint::FilePath)]
    pub out: PathBuf,
    /// A translation to look at [default: the model's own]
    #[arg(long, value_name = "TEXT")]
    pub target: Option<String>,
    /// The weights of the checkpoint of this step [default: the best]
    #[arg(long, value_name = "STEP", value_parser = at_least_one)]
    pub checkpoint: Option<u64>,
}

const ATTENTION_EXAMPLES: &str = "\
Examples:
  noam attention runs/captions \"A dog runs.\" --out attention.svg
  noam attention runs/captions \"A dog runs.\" --target \"Ein Hund rennt.\" --out forced.svg

Every head of every layer is a panel: the encoder on the source, the decoder on what it has written, and the decoder on \
the source. A row is a token that looks, a column one that is looked at. A subword that goes on within a word begins \
with a middle dot.";
