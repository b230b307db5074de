//! The loop: batches, updates, validations, checkpoints, and going on after a stop.
//!
//! Everything is a function of the configuration, the data and the step: the order of the data of (seed, epoch), dropout of
//! (seed, step, place), the rate of the step and, with a feedback rule, of what was seen before. So a run that was stopped or
//! killed at any moment and resumed ends with the same bits as one that was not, on any number of threads.
//!
//! A run that is told to stop finishes its step, saves a checkpoint and comes back; a validation it is in is broken off and
//! made again after the resume. A loss, parameter or moment that is not finite ends the run with an error, and what it has
//! touched is never saved. An update whose gradients' norm is not finite is skipped: it has no step, and the next batch takes
//! its place; [`MAX_SKIPPED`] in a row end the run, not counting those by which a scale of the loss falls.
//!
//! # Full tests
//! `NOAM_FULL_TESTS=1 cargo test --release -p noam-train trainer` stops at every step instead of some.

mod finish;
mod observer;
mod open;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod validate;

pub use finish::Report;
pub use observer::{Observer, Profile};
pub use open::{Extension, Setup};
pub use state::{Best, Rule, State};

use crate::batch::{Batch, Batches};
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::run::{Manifest, Metrics, Record, RunResult};
use crate::storage::{Lock, Storage};
use crate::tokenizer::Tokenizer;
use crate::{Error, checkpoint};
use noam_kernels::device::{Cpu, Device, OpTime};
use noam_model::{Model, Training};
use rayon::ThreadPool;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Updates skipped in a row that end a run. In f16 those count that were skipped with the least scale of the loss.
pub const MAX_SKIPPED: u64 = 10;

/// How a call of [`Trainer::run`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// `max_steps` was reached.
    Steps,
    /// `max_minutes` was reached.
    Time,
    /// No new best validation for `patience` validations.
    Patience,
    /// It was told to stop. The run can be resumed.
    Stopped,
}

/// What a call of [`Trainer::run`] did.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How it ended.
    pub end: End,
    /// Updates so far.
    pub step: u64,
    /// Target tokens trained on so far.
    pub tokens: u64,
    /// Time of training so far, that before a resume counted.
    pub elapsed: Duration,
    /// The weights chosen; none if the run was stopped.
    pub result: Option<RunResult>,
    /// Where the time of this call went.
    pub profile: Profile,
}

/// A run in progress, on a device.
pub struct Trainer<'s, D: Device = Cpu> {
    storage: &'s dyn Storage,
    run: PathBuf,
    config: RunConfig,
    data: Dataset,
    training: Training<D>,
    layout: checkpoint::Layout,
    batches: Arc<Batches>,
    valid_batches: Batches,
    /// The batches of an update, and one more for validation; reused.
    micro: Vec<Batch>,
    /// Whether these are of the update to come.
    filled: bool,
    valid_batch: Batch,
    /// None only while it is at work.
    pool: Option<ThreadPool>,
    state: State,
    /// Copies of weights and moments, for checkpoints.
    buffers: [Vec<f32>; 3],
    /// The step of the newest checkpoint.
    saved: Option<u64>,
    /// Step and loss of the last validation of this process.
    last_valid: Option<(u64, f64)>,
    metrics: Metrics,
    manifest: Manifest,
    chosen: Option<Model<D>>,
    notes: Vec<String>,
    profile: Profile,
    clock: Clock,
    #[cfg(test)]
    fault: Option<tests::Fault>,
    #[cfg(test)]
    sweep: Option<tests::Sweep>,
    _lock: Lock,
}

/// Time of training: what was recorded, and what has passed since.
#[derive(Debug)]
struct Clock {
    before: Duration,
    since: Option<Instant>,
}

impl Clock {
    fn elapsed(&self) -> Duration {
        self.before + self.since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

impl<D: Device> fmt::Debug for Trainer<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trainer").field("run", &self.run).field("step", &self.step()).finish_non_exhaustive()
    }
}

impl<D: Device> Trainer<'_, D> {
    /// The run folder.
    pub fn run_dir(&self) -> &Path {
        &self.run
    }

    /// The configuration.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// The data.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.data.tokenizer
    }

    /// The manifest as it stands.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The model that the run has chosen, if it has ended, else the one in training.
    pub fn model(&self) -> &Model<D> {
        self.chosen.as_ref().unwrap_or(self.training.model())
    }

    /// Updates so far.
    pub fn step(&self) -> u64 {
        self.training.updates()
    }

    /// The state between updates.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Batches in the current epoch divided by the batches of an update: updates a pass over the data takes, nearly.
    pub fn steps_per_epoch(&self) -> u64 {
        (self.batches.epoch(self.state.position.epoch).len() / self.config.training.accumulation).max(1) as u64
    }

    /// What the user should know about the start: checkpoints refused, sentences dropped.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Trains until the run ends, or until `stop` is set: then the step is finished and a checkpoint is saved.
    ///
    /// When the run has ended, the weights to use are chosen: those of the best checkpoint, of the last, or the mean of the
    /// last [`average`](crate::config::Training::average), whichever validates best.
    ///
    /// # Errors
    /// [`Error::Diverged`], [`Error::Skipped`] and [`Error::Poisoned`] for numbers that are not finite; [`Error::Storage`] and
    /// [`Error::Checkpoint`] if something cannot be saved. The newest checkpoint stays usable in each case.
    pub fn run(&mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<Summary, Error> {
        let began = Instant::now();
        self.profile = Profile::default();
        self.clock.since = Some(began);
        let ended = self.in_pool(|trainer| trainer.run_inside(observer, stop));
        self.clock = Clock { before: self.clock.elapsed(), since: None };
        let flushed = self.metrics.flush(self.storage, true);
        let (end, result) = ended?;
        flushed?;
        self.profile.total = began.elapsed();
        Ok(Summary {
            end,
            step: self.step(),
            tokens: self.state.tokens,
            elapsed: self.clock.elapsed(),
            result,
            profile: self.profile,
        })
    }

    /// Runs `f` on the run's threads.
    fn in_pool<R: Send>(&mut self, f: impl FnOnce(&mut Self) -> R + Send) -> R {
        // The pool is not the closure's to borrow while it has the trainer; a trainer without one uses the ambient pool.
        let pool = self.pool.take();
        let result = match &pool {
            Some(pool) => pool.install(|| f(self)),
            None => f(self),
        };
        self.pool = pool;
        result
    }

    fn run_inside(
        &mut self,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<(End, Option<RunResult>), Error> {
        let batches = Arc::clone(&self.batches);
        let mut stream = batches.stream(self.state.position)?;
        self.filled = false;
        let stopped = || stop.load(Ordering::Relaxed);
        let end = loop {
            if stopped() || (self.validation_due() && !self.validate(observer, stop)?) {
                break End::Stopped;
            }
            if self.checkpoint_due() {
                self.save(observer)?;
            }
            if let Some(end) = self.ended() {
                break end;
            }
            self.step_once(&mut stream, observer)?;
        };
        if self.step() > 0 && self.saved != Some(self.step()) {
            self.save(observer)?;
        }
        if end == End::Stopped {
            return Ok((end, None));
        }
        match self.finish(observer, stop)? {
            Some(result) => Ok((end, Some(result))),
            None => Ok((End::Stopped, None)),
        }
    }

    fn ended(&self) -> Option<End> {
        let training = &self.config.training;
        if training.max_steps.is_some_and(|most| self.step() >= most) {
            Some(End::Steps)
        } else if training.patience > 0 && self.state.stale >= training.patience {
            Some(End::Patience)
        } else if training.max_minutes.is_some_and(|most| self.clock.elapsed().as_secs_f64() >= 60.0 * most) {
            Some(End::Time)
        } else {
            None
        }
    }

    fn validation_due(&self) -> bool {
        let step = self.step();
        step > 0 && step.is_multiple_of(self.config.training.valid_interval) && self.state.validated != step
    }

    fn checkpoint_due(&self) -> bool {
        let step = self.step();
        let due = step.is_multiple_of(self.config.training.checkpoint_interval) || self.is_best(step);
        step > 0 && due && self.saved != Some(step)
    }

    fn is_best(&self, step: u64) -> bool {
        self.state.best.is_some_and(|best| best.step == step)
    }

    /// Saves a checkpoint of the current step.
    fn save(&mut self, observer: &mut dyn Observer) -> Result<(), Error> {
        let began = Instant::now();
        let step = self.step();
        self.state.elapsed_ms = self.clock.elapsed().as_millis() as u64;
        self.state.loss_scale = self.training.loss_scale();
        let [params, m, v] = &mut self.buffers;
        self.training.model().read_values(params)?;
        self.training.read_moments(m, v)?;
        // The line goes first: metrics that reach up to a checkpoint are there whenever it is.
        self.metrics.write(self.storage, &Record::Checkpoint { step })?;
        self.metrics.flush(self.storage, true)?;
        let keep = checkpoint::Keep { last: 1, also: self.steps_to_keep() };
        let [params, m, v] = &self.buffers;
        let snapshot = checkpoint::Snapshot { step, layout: &self.layout, params, m, v, state: &self.state };
        let path = checkpoint::save(self.storage, &self.run, &snapshot, &keep)?;
        self.saved = Some(step);
        self.profile.checkpoints += began.elapsed();
        observer.on_checkpoint(step, &path);
        Ok(())
    }

    /// Checkpoints that stay beside the one of the current step: the best, and the last of those made at intervals. One that
    /// a stop has made is not among them, so that a run that was stopped keeps and averages what any other does.
    fn steps_to_keep(&self) -> Vec<u64> {
        let training = &self.config.training;
        let last = self.step() / training.checkpoint_interval;
        let count = training.keep.max(training.average) as u64;
        let scheduled = (0..count).filter_map(|i| last.checked_sub(i)).map(|n| n * training.checkpoint_interval);
        scheduled.chain(self.state.best.map(|best| best.step)).filter(|&step| step > 0).collect()
    }

    /// Where the time of training passes and updates has gone in this process, operation by operation.
    pub fn operations(&self) -> Vec<(&'static str, OpTime)> {
        self.training.model().device().profile()
    }

    /// The weights, first and second moments now, in the order of the model's layout.
    ///
    /// # Errors
    /// [`Error::Model`], which is not known to happen.
    pub fn values(&self) -> Result<[Vec<f32>; 3], Error> {
        let mut values = [(); 3].map(|()| vec![0.0; self.layout.len()]);
        let [params, m, v] = &mut values;
        self.training.model().read_values(params)?;
        self.training.read_moments(m, v)?;
        Ok(values)
    }
}

/// The most checkpoints of a run that exist at one time: those kept, the best, the newest and the one being written.
fn checkpoints_at_once(config: &RunConfig) -> u64 {
    config.training.keep.max(config.training.average) as u64 + 3
}
