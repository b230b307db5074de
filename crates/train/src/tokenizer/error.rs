//! What can be wrong with a tokenizer.

use std::io;
use std::path::PathBuf;

use crate::Stopped;

/// Why a tokenizer could not be trained, loaded or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The vocabulary asked for is too small or too large.
    #[error("tokenizer: vocabulary size {got}, must be from {min} to {max}; 4000 to 32000 is usual")]
    VocabSize {
        /// The size asked for.
        got: usize,
        /// Least size.
        min: usize,
        /// Greatest size.
        max: usize,
    },
    /// There is nothing to learn subwords from.
    #[error("tokenizer: the training text holds no character; give it at least one line that is not blank")]
    NoText,
    /// A tokenizer file can't be read.
    #[error("tokenizer: cannot read {}; check the name and that you may read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A tokenizer file is larger than any real one.
    #[error("tokenizer: {got} bytes of JSON or more, the limit is {max}; this is not a tokenizer.json of noam's")]
    TooLarge {
        /// Size found.
        got: u64,
        /// The limit.
        max: u64,
    },
    /// A tokenizer file is not JSON.
    #[error("tokenizer: not valid JSON; the file is damaged: restore it, or train the tokenizer again")]
    Json {
        /// Where and why, as the parser says.
        source: serde_json::Error,
    },
    /// A tokenizer file is JSON, but not what this version writes.
    #[error(
        "tokenizer: `{field}` {problem}; only a tokenizer.json written by noam can be loaded: restore it, or train the \
         tokenizer again"
    )]
    Invalid {
        /// Where in the file.
        field: &'static str,
        /// What is wrong there.
        problem: String,
    },
    /// The subword library failed. Not known to happen for a tokenizer that was trained or loaded here.
    #[error("tokenizer: the subword library failed")]
    Library {
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Learning or encoding was told to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Error {
    pub(super) fn library(source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        Self::Library { source }
    }
}
