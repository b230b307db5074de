//! Starting a run, and going on with one.

use super::state::{Rule, State};
use super::{Clock, Profile, Trainer};
use crate::batch::{Batch, Batches, Options, Position};
use crate::config::RunConfig;
use crate::data::{self, Dataset};
use crate::run::{self, Manifest, Metrics, Record};
use crate::stop::NEVER;
use crate::storage::{self, Disk, Lock, Storage};
use crate::tokenizer::Tokenizer;
use crate::translate::{layout, refusals};
use crate::{Error, checkpoint, memory, threads};
use noam_kernels::device::{Cpu, Device, Precision};
use noam_model::{Model, Training};
use rayon::ThreadPool;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What a run works with, beside its configuration. None of it changes a bit of the result.
#[derive(Clone, Copy)]
pub struct Setup<'s> {
    /// Threads; none: as many as there are processors.
    pub threads: Option<usize>,
    /// The file system.
    pub storage: &'s dyn Storage,
    /// Once it is set, [`Trainer::start`] and [`Trainer::resume`] give up with [`Error::Stopped`]. [`Trainer::run`] has a flag of
    /// its own, usually the same.
    pub stop: &'s AtomicBool,
}

impl std::fmt::Debug for Setup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Default for Setup<'static> {
    fn default() -> Self {
        Setup { threads: None, storage: &Disk, stop: &NEVER }
    }
}

/// New limits for a run that goes on, or another precision; none: as before.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Extension {
    /// See [`max_steps`](crate::config::Training::max_steps).
    pub max_steps: Option<u64>,
    /// See [`max_minutes`](crate::config::Training::max_minutes).
    pub max_minutes: Option<f64>,
    /// See [`precision`](crate::config::Training::precision).
    pub precision: Option<Precision>,
}

/// What a checkpoint gives back.
type Saved = checkpoint::Loaded<State>;

impl<'s> Trainer<'s> {
    /// [`Trainer::start_on`] the CPU.
    ///
    /// # Errors
    /// Those.
    pub fn start(config: RunConfig, run: &Path, setup: Setup<'s>) -> Result<Self, Error> {
        Self::start_on(Cpu::new(), config, run, setup)
    }

    /// [`Trainer::resume_on`] the CPU.
    ///
    /// # Errors
    /// Those.
    pub fn resume(run: &Path, extension: Extension, setup: Setup<'s>) -> Result<Self, Error> {
        Self::resume_on(Cpu::new(), run, extension, setup)
    }
}

impl<'s, D: Device> Trainer<'s, D> {
    /// Starts a run on `device`, in a new or empty folder `run`: reads the data, learns the tokenizer, sees that there is room for the
    /// checkpoints, and writes down what is to be done. [`Trainer::run`] does it.
    ///
    /// # Errors
    /// [`Error::RunExists`]; [`Error::Precision`]; all that can be wrong with configuration, data, disk and memory; [`Error::Stopped`], while nothing is
    /// written yet.
    pub fn start_on(device: D, mut config: RunConfig, run: &Path, setup: Setup<'s>) -> Result<Self, Error> {
        config.validate()?;
        check_precision(&device, &config)?;
        if run::exists(setup.storage, run)? {
            return Err(Error::RunExists { path: run.to_path_buf() });
        }
        make_absolute(&mut config)?;
        let pool = threads(setup.threads)?;
        let data = pool.install(|| data::load(&config, None, setup.stop))?;
        storage::create_dirs(setup.storage, run)?;
        let lock = Lock::acquire(run)?;
        // Another process may have been faster; now that the folder is ours, nobody can be.
        if run::exists(setup.storage, run)? {
            return Err(Error::RunExists { path: run.to_path_buf() });
        }
        let tokenizer = data.tokenizer.to_json()?;
        let mut trainer = Self::open(device, config, run, setup, (pool, lock), data, None)?;
        storage::write_atomic(setup.storage, &run.join(run::TOKENIZER_FILE), tokenizer.as_bytes())?;
        run::write_config(setup.storage, run, &trainer.config)?;
        trainer.begin_session()?;
        Ok(trainer)
    }

    /// Goes on with the run in `run` from its newest checkpoint that is whole, or from the start if it has none yet. The device
    /// may be another than before: in f32 the bits are the same. So may the precision.
    ///
    /// # Errors
    /// [`Error::NotARun`]; [`Error::Precision`]; [`Error::DataChanged`] and [`Error::ConfigChanged`] if the checkpoint belongs to others; files
    /// that are missing or damaged; [`Error::Stopped`], the run being as it was.
    pub fn resume_on(device: D, run: &Path, extension: Extension, setup: Setup<'s>) -> Result<Self, Error> {
        let storage = setup.storage;
        let mut config = run::read_config(storage, run)?;
        let lock = Lock::acquire(run)?;
        checkpoint::clean(storage, run)?;
        let before = config.clone();
        config.training.max_steps = extension.max_steps.or(config.training.max_steps);
        config.training.max_minutes = extension.max_minutes.or(config.training.max_minutes);
        config.training.precision = extension.precision.unwrap_or(config.training.precision);
        config.validate()?;
        check_precision(&device, &config)?;
        let pool = threads(setup.threads)?;
        let tokenizer = Tokenizer::load(&run.join(run::TOKENIZER_FILE))?;
        let data = pool.install(|| data::load(&config, Some(tokenizer), setup.stop))?;
        let layout = layout(&model_config(&config, &data))?;
        let (saved, notes) = match checkpoint::load_latest::<State>(storage, run, &layout) {
            Ok(latest) => {
                let mut notes = refusals(&latest.refused);
                if !notes.is_empty() {
                    notes.push(format!("going on from {}", latest.path.display()));
                }
                (Some(latest.checkpoint), notes)
            }
            Err(checkpoint::Error::None { .. }) => {
                (None, vec!["no checkpoint yet: starting from the beginning".into()])
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(saved) = &saved {
            let (step, state) = (saved.step, &saved.state);
            if state.data != data.info.digest {
                return Err(Error::DataChanged { step, got: data.info.digest.clone(), want: state.data.clone() });
            }
            let digest = config.digest()?;
            if state.config != digest {
                return Err(Error::ConfigChanged { step, got: digest, want: state.config.clone() });
            }
        }
        let step = saved.as_ref().map_or(0, |saved| saved.step);
        let mut trainer = Self::open(device, config, run, setup, (pool, lock), data, saved)?;
        trainer.notes.extend(notes);
        match run::read_manifest(storage, run) {
            Ok(old) => {
                trainer.manifest.sessions = old.sessions;
                trainer.manifest.version = old.version;
                trainer.manifest.result = old.result;
            }
            // A run that was killed before it had one; any other fault of the file is worth stopping for.
            Err(Error::Storage(error)) if error.io_kind() == Some(std::io::ErrorKind::NotFound) => {}
            Err(error) => return Err(error),
        }
        trainer.metrics.cut(storage, step, setup.stop)?;
        if trainer.config != before {
            run::write_config(storage, run, &trainer.config)?;
        }
        trainer.metrics.write(storage, &Record::Resume { step })?;
        trainer.begin_session()?;
        Ok(trainer)
    }

    fn begin_session(&mut self) -> Result<(), Error> {
        let threads = self.pool.as_ref().map_or(1, ThreadPool::current_num_threads);
        self.manifest.begin_session(self.step(), threads, self.config.training.precision);
        self.manifest.write(self.storage, &self.run)
    }

    fn open(
        device: D,
        config: RunConfig,
        run: &Path,
        setup: Setup<'s>,
        (pool, lock): (ThreadPool, Lock),
        data: Dataset,
        saved: Option<Saved>,
    ) -> Result<Self, Error> {
        let storage = setup.storage;
        let model_config = model_config(&config, &data);
        let layout = layout(&model_config)?;
        let seed = config.training.seed;
        let batches = Batches::new(
            &data.train,
            &Options { max_tokens: config.training.batch_tokens, max_len: config.data.max_len, multiple: 1, seed },
        )?;
        let valid_options =
            Options { max_tokens: config.training.batch_tokens, max_len: model_config.max_len, multiple: 1, seed };
        let valid_batches = Batches::new(&data.valid.examples, &valid_options)?;
        let mut notes = Vec::new();
        for (what, dropped, limit) in [
            ("training pairs are longer than data.max_len", batches.dropped(), config.data.max_len),
            ("validation pairs are longer than the model's positions", valid_batches.dropped(), model_config.max_len),
        ] {
            if dropped > 0 {
                notes.push(format!("{dropped} {what} ({limit} tokens) and are left out"));
            }
        }

        memory::ask("this run", bytes(&config, &model_config, layout.len(), [&batches, &valid_batches]))?;
        let parameters = layout.len();
        let manifest = Manifest::new(&config, model_config.vocab_size, parameters, data.info.clone());
        let room = super::checkpoints_at_once(&config);
        let there = checkpoint::list(storage, run)?.len() as u64;
        checkpoint::reserve(storage, run, &layout, room.saturating_sub(there).max(1), setup.stop)?;

        let step = saved.as_ref().map(|saved| saved.step);
        let (training, state) = match saved {
            Some(Saved { step, params, m, v, state }) => {
                let model = Model::from_values(device, model_config, &params)?;
                let mut training = Training::resume(model, config.adam(), step, &m, &v)?;
                if let Some(scale) = state.loss_scale {
                    training.set_loss_scale(scale);
                }
                (training, state)
            }
            None => {
                let model = Model::new(device, model_config, seed)?;
                let state = State {
                    seed,
                    position: Position::default(),
                    tokens: 0,
                    elapsed_ms: 0,
                    skipped: 0,
                    validated: 0,
                    stale: 0,
                    best: None,
                    schedule: config.schedule,
                    feedback: config.training.feedback.map(Rule::new).transpose()?,
                    loss_scale: None,
                    data: data.info.digest.clone(),
                    config: config.digest()?,
                };
                (Training::new(model, config.adam())?, state)
            }
        };
        Ok(Trainer {
            storage,
            run: run.to_path_buf(),
            micro: vec![Batch::default(); config.training.accumulation],
            filled: false,
            valid_batch: Batch::default(),
            buffers: [(); 3].map(|()| vec![0.0; layout.len()]),
            clock: Clock { before: state.elapsed(), since: None },
            metrics: Metrics::new(run),
            pool: Some(pool),
            batches: Arc::new(batches),
            saved: step,
            last_valid: None,
            chosen: None,
            profile: Profile::default(),
            #[cfg(test)]
            fault: None,
            #[cfg(test)]
            sweep: None,
            _lock: lock,
            config,
            data,
            training,
            layout,
            valid_batches,
            state,
            manifest,
            notes,
        })
    }
}

/// That the device computes as the configuration says.
fn check_precision<D: Device>(device: &D, config: &RunConfig) -> Result<(), Error> {
    let (got, want) = (device.precision(), config.training.precision);
    if got == want { Ok(()) } else { Err(Error::Precision { got, want }) }
}

/// Bytes that a run takes, rather too many than too few: values of the model (in training, for checkpoints, and once more when
/// the weights are chosen), activations, batches.
fn bytes(config: &RunConfig, model: &noam_model::Config, parameters: usize, sets: [&Batches; 2]) -> u64 {
    const COPIES: u64 = 14;
    const TABLES: u64 = 5;
    let [source, target] = [0, 1].map(|side| sets.into_iter().map(|set| set.most_positions()[side]).max().unwrap_or(0));
    let activations = Training::<Cpu>::activations(model, source, target) as u64;
    let values = COPIES * parameters as u64 + TABLES * (model.max_len * model.d_model) as u64 + activations;
    let batch = (source + 2 * target + 64) as u64;
    4 * (values + batch * config.training.accumulation as u64)
}

/// The model with the vocabulary that the tokenizer has.
fn model_config(config: &RunConfig, data: &Dataset) -> noam_model::Config {
    noam_model::Config { vocab_size: data.tokenizer.vocab_size(), ..config.model.clone() }
}

/// So that a run can be resumed from anywhere.
fn make_absolute(config: &mut RunConfig) -> Result<(), Error> {
    let data = &mut config.data;
    let paths = [
        &mut data.train_src,
        &mut data.train_tgt,
        &mut data.valid_src,
        &mut data.valid_tgt,
        &mut data.test_src,
        &mut data.test_tgt,
        &mut data.train,
        &mut data.valid,
        &mut data.test,
    ];
    for path in paths.into_iter().flatten() {
        let open = |source| Error::Text(crate::text::Error::Open { path: path.clone(), source });
        *path = std::path::absolute(&*path).map_err(open)?;
    }
    Ok(())
}
