//! Where the time of a run went: `--profile`.

use std::io::Write;
use std::time::Duration;

use anyhow::Result;
use noam_kernels::device::{Device, OpTime};
use noam_train::Trainer;
use noam_train::trainer::Profile;
use serde::Serialize;

/// A part of the run's time.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// How often, for what is counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<u64>,
    seconds: f64,
}

/// Phases of the loop, which add up to the whole, and operations, which make up most of passes, updates and validations.
#[derive(Debug, Serialize)]
pub(super) struct Times {
    steps: u64,
    seconds: f64,
    phases: Vec<Row>,
    operations: Vec<Row>,
}

impl Times {
    /// The times of a call of [`Trainer::run`] that made `steps` updates.
    pub(super) fn new<D: Device>(profile: &Profile, trainer: &Trainer<'_, D>, steps: u64) -> Self {
        let known = [
            ("forward and backward", profile.passes),
            ("update", profile.updates),
            ("validation", profile.validations),
            ("checkpoints", profile.checkpoints),
            ("batches", profile.batches),
        ];
        let sum: Duration = known.iter().map(|(_, time)| *time).sum();
        let rest = ("metrics, pictures and the loop", profile.total.saturating_sub(sum));
        let phase =
            |(name, time): (&str, Duration)| Row { name: name.to_owned(), calls: None, seconds: time.as_secs_f64() };
        let mut operations: Vec<Row> = operations(trainer);
        operations.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
        Self {
            steps,
            seconds: profile.total.as_secs_f64(),
            phases: known.into_iter().chain([rest]).map(phase).collect(),
            operations,
        }
    }

    /// Two tables for people.
    pub(super) fn write(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "where the time went: {:.1} s for {} steps", self.seconds, self.steps)?;
        for (title, rows) in [("phase", &self.phases), ("operation", &self.operations)] {
            if rows.is_empty() {
                continue;
            }
            writeln!(out, "\n  {title:<32} {:>10} {:>12} {:>9}", "calls", "ms a step", "per cent")?;
            for Row { name, calls, seconds } in rows {
                let calls = calls.map(|n| n.to_string()).unwrap_or_default();
                let each = seconds * 1000.0 / self.steps.max(1) as f64;
                let part = 100.0 * seconds / self.seconds.max(f64::MIN_POSITIVE);
                writeln!(out, "  {name:<32} {calls:>10} {each:>12.3} {part:>9.1}")?;
            }
        }
        Ok(())
    }
}

/// The operations of the model in training.
fn operations<D: Device>(trainer: &Trainer<'_, D>) -> Vec<Row> {
    let row = |(name, time): (&str, OpTime)| Row {
        name: name.to_owned(),
        calls: Some(time.calls),
        seconds: time.time.as_secs_f64(),
    };
    trainer.operations().into_iter().map(row).collect()
}
