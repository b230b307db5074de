//! `noam bench`: the speed of a training step on this machine.

use std::io::Write;

use anyhow::{Context, Result};
use noam_model::Preset;
use noam_train::benchmark::{self, StepReport};

use crate::args::{BenchArgs, BenchCommand, BenchStepArgs};
use crate::output::write_to;
use crate::svg::readable;

/// Carries out `noam bench`.
///
/// # Errors
/// Threads that cannot be started; an error in writing.
pub fn run(args: &BenchArgs) -> Result<()> {
    match &args.command {
        BenchCommand::Step(args) => step(args),
    }
}

fn step(args: &BenchStepArgs) -> Result<()> {
    let preset: Preset = args.preset.parse()?;
    let threads = args.threads.map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.with_context(|| format!("cannot start {threads} threads; ask for fewer with --threads"))?;
    let report = pool.install(|| benchmark::step(preset, args.seconds))?;
    write_to(None, |out| {
        if args.json {
            serde_json::to_writer(&mut *out, &report)?;
            return Ok(writeln!(out)?);
        }
        table(out, preset, &report)
    })
}

fn table(out: &mut dyn Write, preset: Preset, report: &StepReport) -> Result<()> {
    let (sentences, positions) = benchmark::batch_shape(preset);
    let count = |n: f64| readable(n.round(), 20);
    writeln!(out, "a training step of {}: forward, backward, update", report.case)?;
    for (name, value) in [
        ("parameters", count(report.params as f64)),
        ("batch", format!("{sentences} sentences of {positions} tokens a side")),
        ("threads", report.threads.to_string()),
        ("median", format!("{:.2} ms of {} steps", report.median_s * 1e3, report.runs)),
        ("fastest", format!("{:.2} ms", report.min_s * 1e3)),
        ("speed", format!("{} tokens/s, source and target", count(report.tokens_per_s))),
        ("arithmetic", format!("{:.1} GFLOP/s in matrix products", report.gflops)),
    ] {
        writeln!(out, "  {name:<11} {value}")?;
    }
    if let Some(peak) = report.peak_rss_mb {
        writeln!(out, "  {:<11} {peak} MiB at most", "memory")?;
    }
    Ok(())
}
