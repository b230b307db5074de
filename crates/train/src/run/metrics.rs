//! metrics.jsonl: one JSON object a line, in the order things happened.
//!
//! Numbers that are not finite are written as the strings "NaN", "inf" and "-inf", never left out. Lines are handed to the
//! system in groups and forced onto the disk before each checkpoint, so that the lines up to a checkpoint are there whenever
//! it is. Resuming from a checkpoint cuts off what came after it: a run that was killed and resumed has the step and
//! validation lines of one that was not, but for times.

use crate::storage::{self, Storage};
use crate::{Error, stop};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// Most bytes of metrics that are read: some four million steps.
const LIMIT: u64 = 1 << 30;

/// Lines are handed to the system at least this often.
const FLUSH_EVERY: Duration = Duration::from_millis(500);

/// A number that may be NaN or infinite, which JSON does not have: those are strings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            serializer.serialize_f64(self.0)
        } else {
            serializer.serialize_str(&self.0.to_string())
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Form {
            Number(f64),
            Text(String),
        }
        match Form::deserialize(deserializer)? {
            Form::Number(value) => Ok(Number(value)),
            Form::Text(text) => text.parse().map(Number).map_err(serde::de::Error::custom),
        }
    }
}

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Record {
    /// An update.
    Step(StepRecord),
    /// A validation.
    Valid(ValidRecord),
    /// An update that was not made because the gradients' norm was not finite.
    Skipped {
        /// The step that was to be.
        step: u64,
        /// The loss, in nats a target token.
        loss: Number,
        /// The norm.
        grad_norm: Number,
    },
    /// The run was stopped because the loss, a parameter or a moment was not finite.
    Diverged {
        /// The step that was to be, or was made.
        step: u64,
        /// The loss, in nats a target token.
        loss: Number,
        /// The norm of the gradients, if it came to that.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        grad_norm: Option<Number>,
    },
    /// A checkpoint is about to be saved.
    Checkpoint {
        /// Its step.
        step: u64,
    },
    /// The run goes on in a new process.
    Resume {
        /// The step it starts from.
        step: u64,
    },
    /// The run has ended, with the score of the weights to use.
    End {
        /// The last step.
        step: u64,
        /// BLEU on the test set, or without one on the validation set.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        bleu: Option<Number>,
    },
}

/// An update.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Its number, from 1.
    pub step: u64,
    /// Label-smoothed cross-entropy in nats a target token, the mean over all batches of the update.
    pub loss: Number,
    /// The rate that the update used.
    pub rate: f64,
    /// L2 norm of the gradients before clipping.
    pub grad_norm: Number,
    /// Target tokens of the update.
    pub tokens: usize,
    /// Target tokens so far.
    pub total_tokens: u64,
    /// Target tokens a second in this update.
    pub tokens_per_s: f64,
    /// Seconds of training so far, those before a resume counted.
    pub seconds: f64,
    /// Passes over the training data begun, from 0.
    pub epoch: u64,
    /// The factor of the feedback rule, if there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub factor: Option<f64>,
}

/// A validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidRecord {
    /// The step after which.
    pub step: u64,
    /// Cross-entropy without label smoothing, in nats a token.
    pub loss: Number,
    /// The perplexity, `exp(loss)`.
    pub ppl: Number,
    /// BLEU of greedy translations of the first sentences, if any were asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bleu: Option<Number>,
    /// Whether this is the least loss so far.
    pub best: bool,
    /// Seconds that the validation took.
    pub seconds: f64,
}

impl Record {
    /// The step that the line belongs to.
    pub fn step(&self) -> u64 {
        match self {
            Record::Step(record) => record.step,
            Record::Valid(record) => record.step,
            Record::Skipped { step, .. }
            | Record::Diverged { step, .. }
            | Record::Checkpoint { step }
            | Record::Resume { step }
            | Record::End { step, .. } => *step,
        }
    }
}

/// A metrics file being written.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    pending: Vec<u8>,
    flushed: Instant,
}

impl Metrics {
    /// The metrics of a run folder, to be written on at the end.
    pub fn new(run: &Path) -> Self {
        Metrics { path: run.join(super::METRICS_FILE), pending: Vec::new(), flushed: Instant::now() }
    }

    /// Cuts off what came after the checkpoint of `step`; 0 cuts off everything. Lines that cannot be read are dropped from
    /// the first on.
    ///
    /// # Errors
    /// [`Error::Storage`]; [`Error::Stopped`] once `stop` is set, before anything is cut off.
    pub fn cut(&mut self, storage: &dyn Storage, step: u64, stop: &AtomicBool) -> Result<(), Error> {
        let known = storage::list_or_empty(storage, self.path.parent().unwrap_or(Path::new(".")))?;
        if !known.iter().any(|item| item.name == super::METRICS_FILE) {
            return Ok(());
        }
        let bytes = storage::read(storage, &self.path, LIMIT)?;
        let mut end = 0;
        let (mut at, mut kept) = (0, 0);
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            stop::check(stop)?;
            at += line.len();
            let Ok(record) = serde_json::from_slice::<Record>(line) else { break };
            if !line.ends_with(b"\n") || record.step() > step {
                break;
            }
            // A skipped attempt at the step after a checkpoint has that step's number, so it is cut off above.
            kept = at;
            if matches!(record, Record::Checkpoint { step: saved } if saved == step) {
                end = at;
            }
        }
        // Without the checkpoint's own line (a foreign file) everything up to the step stays.
        let end = if end == 0 && step > 0 { kept } else { end };
        if end < bytes.len() {
            storage::write_atomic(storage, &self.path, &bytes[..end])?;
        }
        Ok(())
    }

    /// Adds a line; it is handed to the system now or within half a second of further lines.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn write(&mut self, storage: &dyn Storage, record: &Record) -> Result<(), Error> {
        serde_json::to_writer(&mut self.pending, record).map_err(|error| Error::RunFile {
            path: self.path.clone(),
            problem: format!("a line cannot be written as JSON: {error}"),
        })?;
        self.pending.push(b'\n');
        if self.flushed.elapsed() >= FLUSH_EVERY { self.flush(storage, false) } else { Ok(()) }
    }

    /// Hands all lines to the system, and with `sync` returns only once they would survive a power cut.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn flush(&mut self, storage: &dyn Storage, sync: bool) -> Result<(), Error> {
        let mut file = storage::append(storage, &self.path)?;
        file.write(&self.pending)?;
        self.pending.clear();
        self.flushed = Instant::now();
        if sync {
            file.sync()?;
        }
        Ok(())
    }
}

/// Reads the metrics of a run folder, up to the first line that cannot be read: the last one may still be being written.
///
/// # Errors
/// [`Error::Storage`].
pub fn read_metrics(storage: &dyn Storage, run: &Path) -> Result<Vec<Record>, Error> {
    let bytes = storage::read(storage, &run.join(super::METRICS_FILE), LIMIT)?;
    let lines = bytes.split_inclusive(|&byte| byte == b'\n');
    Ok(lines.map_while(|line| serde_json::from_slice(line).ok()).collect())
}
