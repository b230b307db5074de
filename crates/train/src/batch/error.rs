//! What can be wrong with a plan of batches.

/// Why examples can't be put into batches.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is no example.
    #[error("batches: no example; check the data files")]
    NoExamples,
    /// Every example is longer than the limit.
    #[error(
        "batches: all {dropped} examples are longer than {max_len} tokens (the longest has {longest}); raise `max_len`, \
         or use a larger vocabulary"
    )]
    AllTooLong {
        /// How many there are.
        dropped: usize,
        /// [`Options::max_len`](super::Options::max_len).
        max_len: usize,
        /// Length of the longest, with its end token.
        longest: usize,
    },
    /// More examples than a plan can number.
    #[error("batches: {got} examples, the limit is {max}; use a part of the data")]
    TooMany {
        /// How many there are.
        got: usize,
        /// The limit.
        max: usize,
    },
    /// An option is zero.
    #[error("batches: `{name}` is 0, must be at least 1")]
    Zero {
        /// The option's name.
        name: &'static str,
    },
    /// A position beyond the end of its epoch.
    #[error(
        "batches: position {index} of epoch {epoch}, which has {batches} batches; the data or the batch size changed \
         since the position was saved: restore them, or start a new run"
    )]
    Position {
        /// The epoch.
        epoch: u64,
        /// The position in it.
        index: u64,
        /// Batches in that epoch.
        batches: usize,
    },
}
