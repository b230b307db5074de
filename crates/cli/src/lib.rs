#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod args;
pub mod commands;
pub mod figures;
pub mod output;
pub mod pictures;
pub mod progress;
pub mod shell;
pub mod signals;
pub mod svg;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

/// A command line that cannot be carried out as written: exit code 2, where failed work has 1.
///
/// Most wrong command lines are found by the parser; this is for what is found later, such as a parameter that a
/// schedule refuses.
#[derive(Debug)]
pub struct Usage(pub String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Parses `args`, the program's name first, does the work, and reports errors on standard error.
///
/// Exit codes: 0 if all went well, 1 if the work failed, 2 if the command line was wrong. When whoever reads the output
/// stops reading (`noam ... | head`), the program ends quietly with 0.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(message) => {
            // Help goes to standard output, mistakes to standard error; a closed pipe leaves nobody to tell.
            let _ = message.print();
            return ExitCode::from(message.exit_code() as u8);
        }
    };
    let result = match cli.command {
        Command::Train(args) => commands::train::run(&args),
        Command::Translate(args) => commands::translate::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Attention(args) => commands::attention::run(&args),
        Command::Runs(args) => commands::runs::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Devices(args) => commands::devices::run(&args),
        #[cfg(feature = "cuda")]
        Command::Kernels(args) => commands::kernels::run(&args),
        #[cfg(feature = "emulator")]
        Command::Emulator(args) => commands::emulator::run(&args),
        Command::Schedule(args) => commands::schedule::run(args),
        Command::Data(args) => commands::data::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let of_json = || cause.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
        cause.downcast_ref::<io::Error>().map(io::Error::kind).or_else(of_json)
    };
    error.chain().any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

/// The error and its causes, outermost first, on standard error.
fn report(error: &anyhow::Error) {
    use std::io::Write;
    let mut text = format!("error: {error}\n");
    for cause in error.chain().skip(1) {
        text.push_str(&format!("  because: {cause}\n"));
    }
    if error.is::<Usage>() {
        text.push_str("\nFor more information, try '--help'.\n");
    }
    // Nobody is left to tell if standard error is closed.
    let _ = io::stderr().write_all(output::readable_lines(&text).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_broken_pipe_is_found_under_context() {
        let broken = Err::<(), _>(io::Error::from(io::ErrorKind::BrokenPipe)).context("while writing").unwrap_err();
        assert!(is_broken_pipe(&broken));
        let full = Err::<(), _>(io::Error::from(io::ErrorKind::StorageFull)).context("while writing").unwrap_err();
        assert!(!is_broken_pipe(&full));
    }
}
