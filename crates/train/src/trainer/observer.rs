//! Who watches a run.

use crate::run::{StepRecord, ValidRecord};
use std::path::Path;
use std::time::Duration;

/// Told what happens in a run, as it happens. Everything has a default that does nothing; `()` watches nothing.
pub trait Observer: Send {
    /// An update was made.
    fn on_step(&mut self, record: &StepRecord) {
        let _ = record;
    }

    /// A validation begins.
    fn on_valid_start(&mut self, step: u64) {
        let _ = step;
    }

    /// A validation was made.
    fn on_valid(&mut self, record: &ValidRecord) {
        let _ = record;
    }

    /// A checkpoint was saved.
    fn on_checkpoint(&mut self, step: u64, path: &Path) {
        let _ = (step, path);
    }

    /// Something else that the user should know, in words.
    fn on_message(&mut self, message: &str) {
        let _ = message;
    }
}

impl Observer for () {}

/// Where the time of a run went. What is missing to the total is the loop itself and writing metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Putting batches together.
    pub batches: Duration,
    /// Forward and backward passes.
    pub passes: Duration,
    /// Gradient norm, clipping, Adam, and the feedback rule.
    pub updates: Duration,
    /// Validations, and the choice of weights at the end.
    pub validations: Duration,
    /// Checkpoints.
    pub checkpoints: Duration,
    /// All of [`Trainer::run`](super::Trainer::run).
    pub total: Duration,
}
