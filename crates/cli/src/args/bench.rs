//! `noam bench`: how fast this machine trains.

use clap::{Args, Subcommand};

use super::at_least_one;
use super::train::PRESETS;

/// The arguments of `noam bench`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub struct BenchArgs {
    /// What to measure.
    #[command(subcommand)]
    pub command: BenchCommand,
}

const EXAMPLES: &str = "\
Examples:
  noam bench step
  noam bench step --preset base --threads 2 --json";

/// What `noam bench` measures.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// A training step on made-up data: forward, backward and update
    Step(BenchStepArgs),
}

/// The arguments of `noam bench step`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BenchStepArgs {
    /// Size of the model
    #[arg(long, value_name = "P", default_value = "tiny", value_parser = PRESETS)]
    pub preset: String,
    /// Threads [default: all processors]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub threads: Option<u64>,
    /// Time steps for this long; at least five are timed
    #[arg(long, value_name = "S", default_value = "10", value_parser = seconds)]
    pub seconds: f64,
    /// Write one JSON object on a line
    #[arg(long)]
    pub json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("must be a number of seconds from 0 to 86400".to_owned()),
    }
}
