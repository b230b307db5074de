//! The command line.
//!
//! Each command's arguments are a struct here and its work is a module of the same name in
//! [`commands`](crate::commands).

mod bench;
mod data;
mod device;
mod devices;
#[cfg(feature = "emulator")]
mod emulator;
#[cfg(feature = "cuda")]
mod kernels;
mod runs;
mod schedule;
mod train;
mod translate;

use clap::{Parser, Subcommand};

pub use bench::{BenchArgs, BenchCommand, BenchStepArgs};
pub use data::{DataArgs, DataCommand, EmbeddedArgs, GenerateArgs, InspectArgs, pair_parser};
pub use device::DeviceName;
#[cfg(feature = "cublaslt")]
pub use device::Products;
pub use devices::DevicesArgs;
#[cfg(feature = "emulator")]
pub use emulator::{EmulatorArgs, EmulatorCommand, ExportArgs};
#[cfg(feature = "emulator")]
pub use kernels::KernelsReportArgs;
#[cfg(feature = "cuda")]
pub use kernels::{KernelsArgs, KernelsBenchArgs, KernelsCheckArgs, KernelsCommand};
pub use runs::{CompareArgs, ListArgs, RunsArgs, RunsCommand};
pub use schedule::{AdviseArgs, Format, PrecisionName, RatesArgs, RatesOutput, ScheduleArgs, ScheduleCommand};
pub use train::{TrainArgs, TrainData};
pub use translate::{AttentionArgs, DecodingArgs, EvaluateArgs, TranslateArgs};

/// Train the Transformer of "Attention Is All You Need" with Adam and the Noam schedule.
#[derive(Debug, Parser)]
#[command(name = "noam", version, max_term_width = 100, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  noam train
  noam train --preset small --train train.tsv --valid valid.tsv --run runs/mine
  noam translate runs/mine \"A dog runs.\"
  noam schedule noam --d-model 512 --warmup 4000 --at 1,4000,100000
  noam data generate --pair en-de --count 5
  noam devices

Every command explains itself: noam help COMMAND";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a Transformer on parallel text, or on the embedded corpus
    Train(Box<TrainArgs>),
    /// Translate with a trained model
    Translate(TranslateArgs),
    /// Score a trained model on a test set
    Evaluate(EvaluateArgs),
    /// Draw what the heads of a trained model look at
    Attention(AttentionArgs),
    /// List or compare runs
    Runs(RunsArgs),
    /// Print or draw a learning-rate schedule, or get advice on the warm-up
    Schedule(ScheduleArgs),
    /// Make or examine parallel text
    Data(DataArgs),
    /// Measure the speed of training on this machine
    Bench(BenchArgs),
    /// List what there is to compute on: the processor, CUDA devices, the emulated device
    Devices(DevicesArgs),
    /// Check, time or count the CUDA kernels
    #[cfg(feature = "cuda")]
    Kernels(KernelsArgs),
    /// Let other programs run on the emulated CUDA device
    #[cfg(feature = "emulator")]
    Emulator(EmulatorArgs),
}

/// A count that may not be 0, such as a step.
fn at_least_one(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(error) => Err(format!("{error}; a whole number from 1 to {} is needed", u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_examples() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(examples.contains("Example"), "{path} has no examples");
            command.get_subcommands().for_each(|inner| check(inner, &path));
        }
        check(&Cli::command(), "");
    }

    #[test]
    fn the_examples_parse() {
        fn check(command: &clap::Command, count: &mut usize) {
            let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let lines = examples.lines().filter_map(|line| line.strip_prefix("  noam "));
            for line in lines {
                let end = [" | ", " > ", " < "].iter().filter_map(|end| line.find(end)).min().unwrap_or(line.len());
                // A quoted sentence is one word, as for a shell.
                let quoted = line[..end].split('"').enumerate();
                let words = quoted.flat_map(|(i, part)| match i % 2 {
                    0 => part.split_whitespace().collect(),
                    _ => vec![part],
                });
                Cli::try_parse_from(std::iter::once("noam").chain(words))
                    .unwrap_or_else(|error| panic!("noam {line}\n{error}"));
                *count += 1;
            }
            command.get_subcommands().for_each(|inner| check(inner, count));
        }
        let mut count = 0;
        check(&Cli::command(), &mut count);
        assert!(count > 30, "only {count} examples were found");
    }
}
