//! `noam runs`: finding and comparing runs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// The arguments of `noam runs`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub struct RunsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: RunsCommand,
}

const EXAMPLES: &str = "\
Examples:
  noam runs list
  noam runs compare runs/001-en-de-tiny runs/002-en-de-tiny";

/// What `noam runs` does.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// The runs in a folder, with their results
    List(ListArgs),
    /// What differs between two runs: settings, rates, data, results
    Compare(CompareArgs),
}

/// The arguments of `noam runs list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  noam runs list\n  noam runs list experiments --json")]
pub struct ListArgs {
    /// The folder that holds the run folders
    #[arg(value_name = "DIR", default_value = "runs", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// Write one JSON array
    #[arg(long)]
    pub json: bool,
}

/// The arguments of `noam runs compare`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  noam runs compare runs/mine runs/colleague\n\n\
    Rates are compared at round steps, at the end of each warm-up and at the last step.")]
pub struct CompareArgs {
    /// A run folder
    #[arg(value_name = "A", value_hint = ValueHint::DirPath)]
    pub a: PathBuf,
    /// Another
    #[arg(value_name = "B", value_hint = ValueHint::DirPath)]
    pub b: PathBuf,
    /// Write one JSON array
    #[arg(long)]
    pub json: bool,
}
