//! `noam devices`: what there is to compute on.

use clap::Args;

/// The arguments of `noam devices`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DevicesArgs {
    /// Write one JSON object on a line
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  noam devices
  noam devices --json

Where there is no CUDA device it says why. NOAM_ISA limits the processor's instructions;
NOAM_EMULATOR_DEVICE and other variables change the emulated device: noam help emulator export.";
