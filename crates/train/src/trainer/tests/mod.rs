//! Whole runs, small ones: stopped, killed, damaged, resumed, and always the same bits.

mod disk;
mod ends;
mod faults;
mod resume;
mod stop;

pub(super) use faults::{Fault, Sweep};

use super::{Extension, Observer, Setup, State, Summary, Trainer};
use crate::config::{RunConfig, Training};
use crate::run::{METRICS_FILE, StepRecord};
use crate::translate::digest;
use crate::{Error, checkpoint};
use noam_model::Preset;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// A model of some thousand parameters on twenty sentences: ten updates of two batches go through two edges of epochs.
/// Dropout, clipping and smoothing are all on.
pub(super) fn tiny() -> RunConfig {
    let defaults = RunConfig::defaults(Preset::Micro, crate::config::DataKind::Embedded);
    RunConfig {
        model: noam_model::Config {
            vocab_size: 150,
            d_model: 16,
            n_heads: 2,
            d_ff: 24,
            encoder_layers: 1,
            decoder_layers: 1,
            max_len: 96,
            dropout: 0.1,
            attention_dropout: 0.1,
            activation_dropout: 0.1,
            ..defaults.model
        },
        schedule: noam_schedule::Noam::new(16, 4, 1.0).unwrap().into(),
        training: Training {
            max_steps: Some(10),
            batch_tokens: 150,
            accumulation: 2,
            seed: 3,
            valid_interval: 3,
            valid_bleu: 2,
            checkpoint_interval: 2,
            keep: 2,
            average: 2,
            ..Training::default()
        },
        data: crate::config::Data {
            train_sentences: 20,
            valid_sentences: 4,
            test_sentences: 4,
            max_len: 96,
            ..defaults.data
        },
        search: crate::config::Search { max_tokens: 12, ..defaults.search },
        ..defaults
    }
}

pub(super) fn setup(threads: usize) -> Setup<'static> {
    Setup { threads: Some(threads), ..Setup::default() }
}

/// Whether to try every case instead of some.
pub(super) fn full() -> bool {
    std::env::var_os("NOAM_FULL_TESTS").is_some()
}

/// Stops, or dies, after a step or when a validation begins.
pub(super) struct At<'a> {
    pub step: u64,
    pub in_validation: bool,
    pub dies: bool,
    pub stop: &'a AtomicBool,
}

impl At<'_> {
    fn act(&self) {
        assert!(!self.dies, "killed by the test");
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Observer for At<'_> {
    fn on_step(&mut self, record: &StepRecord) {
        if record.step == self.step && !self.in_validation {
            self.act();
        }
    }

    fn on_valid_start(&mut self, step: u64) {
        if step >= self.step && self.in_validation {
            self.act();
        }
    }
}

/// All that must be equal between two runs of one configuration.
#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    values: [String; 3],
    chosen: Option<String>,
    state: State,
    lines: Vec<String>,
}

pub(super) fn outcome(trainer: &Trainer<'_>) -> Outcome {
    let values = trainer.values().unwrap().map(|values| digest(&values));
    let state = State { elapsed_ms: 0, ..trainer.state().clone() };
    let chosen = trainer.manifest().result.as_ref().map(|result| format!("{} {}", result.model, result.model_sha256));
    Outcome { values, chosen, state, lines: lines(trainer.run_dir()) }
}

/// Steps, skipped updates and validations as they are logged, without times.
pub(super) fn lines(run: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(run.join(METRICS_FILE)).unwrap();
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        let object = value.as_object_mut().unwrap();
        if matches!(object["event"].as_str().unwrap(), "step" | "valid" | "skipped") {
            object.remove("seconds");
            object.remove("tokens_per_s");
            lines.push(value.to_string());
        }
    }
    lines
}

pub(super) fn never() -> AtomicBool {
    AtomicBool::new(false)
}

/// Starts a run and trains it to its end.
pub(super) fn train(config: &RunConfig, run: &Path, threads: usize) -> (Outcome, Summary) {
    let mut trainer = Trainer::start(config.clone(), run, setup(threads)).unwrap();
    let summary = trainer.run(&mut (), &never()).unwrap();
    (outcome(&trainer), summary)
}

pub(super) fn resume(run: &Path, threads: usize) -> Result<Trainer<'static>, Error> {
    Trainer::resume(run, Extension::default(), setup(threads))
}

/// The steps of the checkpoints in a run folder, every one of them loaded and found whole and finite.
pub(super) fn whole_checkpoints(trainer: &Trainer<'_>) -> Vec<u64> {
    let list = checkpoint::list(trainer.storage, &trainer.run).unwrap();
    let load = |(step, path): (u64, std::path::PathBuf)| {
        let loaded = checkpoint::load::<State>(trainer.storage, &path, &trainer.layout).unwrap();
        assert!([&loaded.params, &loaded.m, &loaded.v].into_iter().flatten().all(|value| value.is_finite()));
        step
    };
    list.into_iter().map(load).collect()
}
