//! `noam data`: making and examining parallel text.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand, ValueHint};
use noam_train::corpus::{Pair, Split};

use super::at_least_one;

/// The arguments of `noam data`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub struct DataArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: DataCommand,
}

const EXAMPLES: &str = "\
Examples:
  noam data generate --pair en-de --count 5
  noam data inspect corpus.en.gz corpus.de.gz";

/// What `noam data` does.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Write sentences of the embedded corpus and their translations
    Generate(GenerateArgs),
    /// Count, measure and describe sentences: of files, or of the embedded corpus
    Inspect(InspectArgs),
}

/// Which sentences of the embedded corpus.
#[derive(Debug, Args)]
pub struct EmbeddedArgs {
    /// Source and target language
    #[arg(long, default_value = "en-de", value_parser = pair_parser())]
    pub pair: Pair,
    /// Which part of the corpus
    #[arg(long, default_value = "train", value_parser = split_parser())]
    pub split: Split,
    /// How many pairs
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub count: u64,
    /// Another seed gives other sentences of the same part
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
}

/// A [`Pair`] by name; help texts and error messages list the names.
pub fn pair_parser() -> impl TypedValueParser<Value = Pair> {
    PossibleValuesParser::new(["en-de", "de-en", "en-zh", "zh-en"]).try_map(|name| name.parse::<Pair>())
}

/// A [`Split`] by name.
fn split_parser() -> impl TypedValueParser<Value = Split> {
    PossibleValuesParser::new(["train", "valid", "test"]).map(|name| match name.as_str() {
        "valid" => Split::Valid,
        "test" => Split::Test,
        _ => Split::Train,
    })
}

/// The arguments of `noam data generate`.
#[derive(Debug, Args)]
#[command(after_help = GENERATE_EXAMPLES)]
pub struct GenerateArgs {
    /// Which sentences.
    #[command(flatten)]
    pub corpus: EmbeddedArgs,
    /// File for the source sentences, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "out_tgt")]
    pub out_src: Option<PathBuf>,
    /// File for their translations, one a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "out_src")]
    pub out_tgt: Option<PathBuf>,
    /// File for both, a tab between source and target [default: standard output]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with_all = ["out_src", "out_tgt"])]
    pub tsv: Option<PathBuf>,
}

const GENERATE_EXAMPLES: &str = "\
Examples:
  noam data generate --pair en-zh --split test --count 20
  noam data generate --count 100000 --out-src train.en --out-tgt train.de
  noam data generate --pair de-en --split valid --count 500 --seed 7 --tsv valid.tsv

The same arguments always give the same sentences. A file appears whole or not at all.";

/// The arguments of `noam data inspect`.
#[derive(Debug, Args)]
#[command(after_help = INSPECT_EXAMPLES)]
pub struct InspectArgs {
    /// A file of sentences, or two: line by line translations [default: the embedded corpus]
    #[arg(value_name = "FILE", num_args = 0..=2, value_hint = ValueHint::FilePath, conflicts_with = "tsv")]
    pub files: Vec<PathBuf>,
    /// A file with a tab between source and target
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub tsv: Option<PathBuf>,
    /// Which sentences, if no file is given.
    #[command(flatten)]
    pub corpus: EmbeddedArgs,
    /// Write one JSON object
    #[arg(long)]
    pub json: bool,
}

const INSPECT_EXAMPLES: &str = "\
Examples:
  noam data inspect train.en.gz train.de.gz
  noam data inspect --tsv pairs.tsv --json
  noam data inspect --pair en-zh --split test --count 10000

Files may be plain, gzip or zstd.";
