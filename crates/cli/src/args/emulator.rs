//! `noam emulator`: the CUDA device in software, for other programs.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

/// The arguments of `noam emulator`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub struct EmulatorArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: EmulatorCommand,
}

const EXAMPLES: &str = "\
Examples:
  noam emulator export emulated
  noam emulator export /opt/emulated";

/// What `noam emulator` does.
#[derive(Debug, Subcommand)]
pub enum EmulatorCommand {
    /// Write the emulated driver, libcuda.so, for other programs to run on
    Export(ExportArgs),
}

/// The arguments of `noam emulator export`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_EXAMPLES)]
pub struct ExportArgs {
    /// The folder to write libcuda.so and libcuda.so.1 to; made if it is not there
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  noam emulator export emulated

Then, with any program that loads the CUDA driver and brings its kernels as PTX:
  LD_LIBRARY_PATH=$PWD/emulated NOAM_EMULATOR_CHECKS=all PROGRAM

The command prints this line for your folder, and the variables that say what is emulated and checked. Linux only.";
