//! What can go wrong in a run.

use noam_kernels::device::Precision;
use std::path::PathBuf;

/// Why a run could not be configured, started, continued or used. Errors of the parts come through unchanged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Text files.
    #[error(transparent)]
    Text(crate::text::Error),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(crate::tokenizer::Error),
    /// Batches.
    #[error(transparent)]
    Batch(#[from] crate::batch::Error),
    /// Scores.
    #[error(transparent)]
    Bleu(#[from] crate::bleu::Error),
    /// Files of the run folder.
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
    /// Checkpoints.
    #[error(transparent)]
    Checkpoint(#[from] crate::checkpoint::Error),
    /// A model whose parameters make no checkpoint.
    #[error(transparent)]
    Layout(#[from] crate::checkpoint::LayoutError),
    /// The model.
    #[error(transparent)]
    Model(#[from] noam_model::Error),
    /// The schedule or a feedback rule.
    #[error(transparent)]
    Schedule(#[from] noam_schedule::Error),
    /// An operation of the kernels.
    #[error(transparent)]
    Kernel(#[from] noam_kernels::Error),
    /// A configuration file that cannot be read as one.
    #[error("{}", of_file(path.as_deref(), message))]
    Toml {
        /// The file; none for settings of the command line.
        path: Option<PathBuf>,
        /// What the parser says, with line, column and the place marked.
        message: String,
    },
    /// A setting that is out of its range or does not go with another.
    #[error("configuration: {key} is {value}, must be {limit}")]
    Setting {
        /// The setting, as in `training.batch_tokens`.
        key: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        limit: &'static str,
    },
    /// The schedule's section of the configuration.
    #[error("configuration: [schedule]{}", at_line(path.as_deref(), *line))]
    ScheduleSection {
        /// The file that has the section, if one has.
        path: Option<PathBuf>,
        /// The line where the section begins there.
        line: Option<usize>,
        /// What is wrong.
        source: noam_schedule::Error,
    },
    /// A setting of the command line without `=`, or with an empty key.
    #[error("`{text}` is not a setting; write key=value, as in training.max_steps=1000")]
    Assignment {
        /// What was given.
        text: String,
    },
    /// Settings of the data that leave open what to train on.
    #[error("data: {problem}")]
    DataSettings {
        /// What is wrong, and the way out.
        problem: String,
    },
    /// A run folder that holds a run already.
    #[error("{} holds a run already; resume it with --resume, or choose another folder", path.display())]
    RunExists {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that holds no run.
    #[error("{} is not a run folder: it has no config.toml; give the folder that training wrote", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
    },
    /// A file of a run folder that does not hold what was written there.
    #[error("{} cannot be used: {problem}", path.display())]
    RunFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the way out.
        problem: String,
    },
    /// The data are not those the run was started with.
    #[error(
        "the data have changed since step {step}: their digest is {got}, and {want} was recorded; restore the files (or \
         tokenizer.json), or start a new run"
    )]
    DataChanged {
        /// The step of the checkpoint.
        step: u64,
        /// Digest of the data now.
        got: String,
        /// Digest in the checkpoint.
        want: String,
    },
    /// The configuration is not the one the run was started with.
    #[error(
        "config.toml has changed since step {step}: its digest is {got}, and {want} was recorded; only max_steps, \
         max_minutes, keep and [search] may change in a run: restore it, or start a new run"
    )]
    ConfigChanged {
        /// The step of the checkpoint.
        step: u64,
        /// Digest of the configuration now.
        got: String,
        /// Digest in the checkpoint.
        want: String,
    },
    /// The run computes in another precision than the device was opened with.
    #[error(
        "this run's precision is {want}, and the device was opened for {got}; the CPU computes in f32 only: train with \
         --device cuda, or with --precision f32"
    )]
    Precision {
        /// The device's.
        got: Precision,
        /// That of the configuration.
        want: Precision,
    },
    /// The loss was NaN or infinite. Nothing of the step is saved.
    #[error(
        "the loss of step {step} is {loss}: training has diverged, and nothing of this step was saved; resume from the last \
         checkpoint, or start again with a lower rate, a longer warm-up or clipping"
    )]
    Diverged {
        /// The step that was to be.
        step: u64,
        /// The loss.
        loss: f64,
    },
    /// Too many updates in a row had gradients that were not finite.
    #[error(
        "{count} updates in a row were skipped because the gradients' norm was not finite (the last: {norm}), the next step \
         would be {step}; nothing of this was saved: start again with a lower rate, a longer warm-up or clipping"
    )]
    Skipped {
        /// How many.
        count: u64,
        /// The last norm.
        norm: f64,
        /// The step that was to be.
        step: u64,
    },
    /// An update left NaN or infinity in a parameter or a moment.
    #[error(
        "after step {step} {what} is not finite although the gradients were: a value in memory was damaged or grew beyond \
         f32; nothing of this step was saved: resume from the last checkpoint"
    )]
    Poisoned {
        /// The step.
        step: u64,
        /// Which value, as in `value 3 of encoder.layers.0.fc1.weight (1st moment)`.
        what: String,
    },
    /// The pool of threads could not be made.
    #[error("cannot start {threads} threads; ask for fewer with --threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        source: rayon::ThreadPoolBuildError,
    },
    /// A sentence that the model has no positions for.
    #[error("line {line} has {tokens} tokens with its end, the model takes {limit}; split the sentence")]
    TooLong {
        /// Which line, from 1.
        line: usize,
        /// Its tokens and one end.
        tokens: usize,
        /// The model's positions.
        limit: usize,
    },
    /// There is nothing to train on, to validate with or to translate.
    #[error("{what}: no sentence; give at least one")]
    NoSentence {
        /// What is empty.
        what: &'static str,
    },
    /// The system has not as much memory as the work needs.
    #[error(
        "{what} takes about {mebibytes} MiB of memory, and the system does not give that much; raise its limit (`ulimit -v`), \
         or make the model, the batches or the data smaller"
    )]
    Memory {
        /// What needs it.
        what: &'static str,
        /// How much, estimated from above.
        mebibytes: u64,
    },
    /// Preparing a run was told to stop.
    #[error(transparent)]
    Stopped(#[from] crate::Stopped),
}

impl From<crate::text::Error> for Error {
    fn from(error: crate::text::Error) -> Self {
        match error {
            crate::text::Error::Stopped(stopped) => Error::Stopped(stopped),
            error => Error::Text(error),
        }
    }
}

impl From<crate::tokenizer::Error> for Error {
    fn from(error: crate::tokenizer::Error) -> Self {
        match error {
            crate::tokenizer::Error::Stopped(stopped) => Error::Stopped(stopped),
            error => Error::Tokenizer(error),
        }
    }
}

fn of_file(path: Option<&std::path::Path>, message: &str) -> String {
    match path {
        Some(path) => format!("{}: {message}", path.display()),
        None => format!("settings: {message}"),
    }
}

fn at_line(path: Option<&std::path::Path>, line: Option<usize>) -> String {
    match (path, line) {
        (Some(path), Some(line)) => format!(" (line {line} of {})", path.display()),
        _ => String::new(),
    }
}
