//! What a model refuses, and how it says so.

use std::fmt;

/// What a number must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// This number and no other.
    Exactly(usize),
    /// This number or a greater one.
    AtLeast(usize),
    /// This number or a smaller one.
    AtMost(usize),
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::Exactly(limit) => write!(f, "{limit}"),
            Limit::AtLeast(limit) => write!(f, "at least {limit}"),
            Limit::AtMost(limit) => write!(f, "at most {limit}"),
        }
    }
}

/// Why a model could not be built or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field of the configuration that makes no model.
    #[error("configuration: {field} is {value}, must be {limit}")]
    Config {
        /// The field.
        field: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        limit: &'static str,
    },
    /// No preset of that name.
    #[error("no preset is named `{name}`; there are micro, tiny, small, base and big")]
    Preset {
        /// The name.
        name: String,
    },
    /// A batch whose arrays disagree with each other or with the model.
    #[error("batch: {what} is {got}, must be {limit}; {hint}")]
    Batch {
        /// Which array or size.
        what: &'static str,
        /// Its value.
        got: usize,
        /// What it must be.
        limit: Limit,
        /// The way out.
        hint: &'static str,
    },
    /// A flat parameter buffer of another model.
    #[error("{got} parameter values were given, this model has {want}; is it the same configuration?")]
    Parameters {
        /// Values given.
        got: usize,
        /// Values needed.
        want: usize,
    },
    /// An operation refused its arguments.
    #[error(transparent)]
    Kernel(#[from] noam_kernels::Error),
    /// Beam search cannot run with these settings.
    #[error("search: {what} is {got}, must be {limit}")]
    Search {
        /// Which setting.
        what: &'static str,
        /// Its value.
        got: f64,
        /// What it must be.
        limit: &'static str,
    },
}
