//! `noam train`: what to train, on what, for how long.

use std::path::PathBuf;

use clap::{Args, ValueHint, value_parser};
use noam_kernels::device::Precision;
use noam_train::corpus::Pair;

use super::{DeviceName, at_least_one, pair_parser};

/// The presets by name, from small to large.
pub(super) const PRESETS: [&str; 5] = ["micro", "tiny", "small", "base", "big"];

/// The arguments of `noam train`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TrainArgs {
    /// Size of the model and the settings that suit it [default: tiny]
    #[arg(long, value_name = "P", value_parser = PRESETS)]
    pub preset: Option<String>,
    /// Configuration; what it does not say comes from the preset
    #[arg(long, value_name = "FILE.toml", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Set one key of the configuration, such as `schedule.warmup=2000`; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Run folder, new or empty [default: a new one in runs/]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub run: Option<PathBuf>,
    /// Stop after this update
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..=i64::MAX as u64))]
    pub max_steps: Option<u64>,
    /// Stop after this time of training
    #[arg(long, value_name = "M", value_parser = minutes)]
    pub max_minutes: Option<f64>,
    /// Seed of the weights, the order of the data and the dropout
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
    /// Threads; the result does not depend on them [default: all processors]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<u64>,
    /// Where to train: cpu, cuda, cuda:N or emulated (a CUDA device in software: slow, and checked); in f32 the result is the same
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: DeviceName,
    /// What to store activations in: f32, or on a CUDA device bf16, f16, or tf32 (f32, multiplied as tf32) [default: f32, or as the run had it]
    #[arg(long, value_name = "P")]
    pub precision: Option<Precision>,
    /// Whose matrix products a CUDA device uses; to be said again when a run goes on
    #[cfg(feature = "cublaslt")]
    #[arg(long, value_enum, default_value_t)]
    pub products: super::Products,
    /// Go on from the newest checkpoint of --run, with its configuration; new limits, another device or precision may be given
    #[arg(long, requires = "run", conflicts_with_all = [
        "preset", "config", "settings", "seed", "pair", "train_src", "train_tgt", "valid_src", "valid_tgt", "test_src",
        "test_tgt", "train", "valid", "test",
    ])]
    pub resume: bool,
    /// Say at the end where the time went
    #[arg(long)]
    pub profile: bool,
    /// Write the result as one JSON object
    #[arg(long)]
    pub json: bool,
    /// What to train on; last, for its heading is that of all flags after it.
    #[command(flatten)]
    pub data: TrainData,
}

/// What to train on: the embedded corpus, two files a set, or one TSV file a set.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub struct TrainData {
    /// A language pair of the embedded corpus [default: en-de, if no file is given]
    #[arg(long, value_parser = pair_parser(), conflicts_with_all = ["train_src", "train"])]
    pub pair: Option<Pair>,
    /// Source sentences, one a line; plain, gzip or zstd
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires_all = ["train_tgt", "valid_src"], conflicts_with = "train")]
    pub train_src: Option<PathBuf>,
    /// Their translations, line by line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "train_src")]
    pub train_tgt: Option<PathBuf>,
    /// Source sentences to validate with
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires_all = ["train_src", "valid_tgt"])]
    pub valid_src: Option<PathBuf>,
    /// Their translations
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "valid_src")]
    pub valid_tgt: Option<PathBuf>,
    /// Source sentences for the score at the end [default: those of the validation]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires_all = ["train_src", "test_tgt"])]
    pub test_src: Option<PathBuf>,
    /// Their translations
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "test_src")]
    pub test_tgt: Option<PathBuf>,
    /// Source and translation in one file, a tab between them
    #[arg(long, value_name = "FILE.tsv", value_hint = ValueHint::FilePath, requires = "valid")]
    pub train: Option<PathBuf>,
    /// The same to validate with
    #[arg(long, value_name = "FILE.tsv", value_hint = ValueHint::FilePath, requires = "train")]
    pub valid: Option<PathBuf>,
    /// The same for the score at the end [default: that of the validation]
    #[arg(long, value_name = "FILE.tsv", value_hint = ValueHint::FilePath, requires = "train")]
    pub test: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  noam train
  noam train --preset small --pair en-zh --max-minutes 30
  noam train --train-src train.en.gz --train-tgt train.de.gz --valid-src val.en --valid-tgt val.de
  noam train --train train.tsv --valid valid.tsv --run runs/captions
  noam train --config mine.toml --seed 7 --set schedule.warmup=2000 --set model.dropout=0.3
  noam train --run runs/captions --resume
  noam train --run runs/captions --resume --max-steps 50000
  noam train --preset base --pair en-zh --device cuda --precision bf16

The configuration is made in layers: preset, --config, --set, flags.

A stop signal (Ctrl-C, SIGTERM, SIGHUP or a batch scheduler's SIGUSR1) finishes the step, saves a checkpoint and says how \
to go on; a second Ctrl-C leaves at once, and the last checkpoint stays.";

/// A time in minutes.
fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(minutes) if minutes.is_finite() && minutes > 0.0 => Ok(minutes),
        _ => Err("must be a number of minutes greater than 0".to_owned()),
    }
}
