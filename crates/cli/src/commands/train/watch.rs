//! What a user sees of a run while it goes on.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use noam_train::Observer;
use noam_train::run::{StepRecord, ValidRecord};

use super::is_set;
use crate::pictures::{Curves, Viewer};
use crate::progress::{Progress, Status};

/// The part of a step's speed that enters the speed shown: batches differ, and so do steps.
const NEWEST: f64 = 0.05;

/// Shows steps, validations and checkpoints, and keeps the pictures up to date.
pub(super) struct Watch<'a> {
    pub(super) progress: Progress,
    pub(super) curves: Curves,
    pub(super) viewer: Viewer,
    stop: &'a AtomicBool,
    stopping: bool,
    tokens_per_s: Option<f64>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(progress: Progress, curves: Curves, viewer: Viewer, stop: &'a AtomicBool) -> Self {
        Self { progress, curves, viewer, stop, stopping: false, tokens_per_s: None }
    }

    /// A picture that cannot be drawn now is no reason to end a run.
    fn try_to(&self, what: &str, result: anyhow::Result<()>) {
        if let Err(error) = result {
            self.progress.message(&format!("note: {what} cannot be written: {error:#}"));
        }
    }
}

impl Observer for Watch<'_> {
    fn on_step(&mut self, record: &StepRecord) {
        let speed = self.tokens_per_s.map_or(record.tokens_per_s, |old| old + NEWEST * (record.tokens_per_s - old));
        self.tokens_per_s = Some(speed);
        self.curves.step(record);
        let status = Status { step: record.step, loss: record.loss.0, rate: record.rate, tokens_per_s: speed };
        self.progress.update(&status);
        if is_set(self.stop) && !self.stopping {
            self.stopping = true;
            self.progress.message(&format!("stopping after step {}", record.step));
        }
    }

    fn on_valid(&mut self, record: &ValidRecord) {
        let mut text =
            format!("validation at step {}: loss {:.4}, perplexity {:.2}", record.step, record.loss.0, record.ppl.0);
        if let Some(bleu) = record.bleu {
            text.push_str(&format!(", BLEU {:.2}", bleu.0));
        }
        if record.best {
            text.push_str(", the best so far");
        }
        self.progress.message(&text);
        self.curves.validation(record);
        self.try_to("loss.svg or rate.svg", self.curves.write());
    }

    fn on_checkpoint(&mut self, step: u64, path: &Path) {
        self.progress.message(&format!("checkpoint {}", path.display()));
        if !is_set(self.stop) {
            self.try_to("attention.svg", self.viewer.draw_checkpoint(step));
        }
    }

    fn on_message(&mut self, message: &str) {
        self.progress.message(message);
    }
}
