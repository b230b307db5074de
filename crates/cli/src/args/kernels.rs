//! `noam kernels`: whether the CUDA kernels are right, and what they cost.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::DeviceName;

/// The arguments of `noam kernels`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, after_help = EXAMPLES)]
pub struct KernelsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: KernelsCommand,
}

const EXAMPLES: &str = "\
Examples:
  noam kernels check
  noam kernels check --device emulated --filter layer_norm
  noam kernels bench --device cuda:1 --output bench.md

The cases are in this program, with operands that are the same each time: every kernel launch
that training and decoding make, in f32, bf16 and f16 (matrix products in tf32 too), named
operation/shape/type.";

/// What `noam kernels` does.
#[derive(Debug, Subcommand)]
pub enum KernelsCommand {
    /// Compare every kernel's results with the processor's
    Check(KernelsCheckArgs),
    /// Time every kernel on a GPU
    Bench(KernelsBenchArgs),
    /// Count what every kernel does, on the emulated device
    #[cfg(feature = "emulator")]
    Report(KernelsReportArgs),
}

/// What all commands of `noam kernels` take.
#[derive(Debug, Args)]
pub struct CasesArgs {
    /// The file for the report, Markdown [default: standard output]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
    /// Only cases whose name (operation/shape/type) contains this
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
}

/// The arguments of `noam kernels check`.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct KernelsCheckArgs {
    /// Where the kernels run: cuda, cuda:N (the device of that number) or emulated
    #[arg(long, value_name = "D", default_value = "cuda")]
    pub device: DeviceName,
    /// Which cases, and where what is said of them goes.
    #[command(flatten)]
    pub cases: CasesArgs,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  noam kernels check
  noam kernels check --device cuda:1 --output check.md
  noam kernels check --device emulated --filter attention_causal

Every case runs twice, which must give the same bits. Results in f32 must have the processor's
bits; so must those of bf16 and f16 that are f32 inside and rounded once; others must be within a
bound that follows from their roundings. Shapes are awkward ones (single values, odd sizes,
sentences without a token) and, on a GPU, those of the base model. On the emulated device, where
they are smaller, its checks of memory, races and barriers are on; what they find fails a case.

Exit code: 0 if every case passes, 1 if one fails.";

/// The arguments of `noam kernels bench`.
#[derive(Debug, Args)]
#[command(after_help = BENCH_EXAMPLES)]
pub struct KernelsBenchArgs {
    /// Where the kernels run: cuda or cuda:N (the device of that number)
    #[arg(long, value_name = "D", default_value = "cuda")]
    pub device: DeviceName,
    /// Which cases, and where what is said of them goes.
    #[command(flatten)]
    pub cases: CasesArgs,
    /// Launches of each case that are timed
    #[arg(long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub samples: u32,
}

const BENCH_EXAMPLES: &str = "\
Examples:
  noam kernels bench
  noam kernels bench --filter layer_norm --samples 100
  noam kernels bench --device cuda:1 --output bench.md

Shapes are those of the base model. A launch is timed by the device's own clock, alone and with
cold caches: more memory than the second-level cache holds is written before each. Beside the
times stand the least bytes that the operation has to move, a second, as a share of what a copy
moves on this device; and its floating-point operations a second, as a share of our own fastest
product of large matrices. Both are measured in the same run.";

/// The arguments of `noam kernels report`.
#[cfg(feature = "emulator")]
#[derive(Debug, Args)]
#[command(after_help = REPORT_EXAMPLES)]
pub struct KernelsReportArgs {
    /// Which cases, and where what is said of them goes.
    #[command(flatten)]
    pub cases: CasesArgs,
}

#[cfg(feature = "emulator")]
const REPORT_EXAMPLES: &str = "\
Examples:
  noam kernels report
  noam kernels report --output kernels.md
  noam kernels report --filter adam

Needs no GPU: an A100-like device in software counts instructions, memory traffic, bank conflicts,
products on tensor cores and atomics, launch by launch. The numbers are the same on every machine.";
