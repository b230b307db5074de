//! What can be wrong with a request for a score.

/// Why there is no score.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Not one reference for each hypothesis.
    #[error("bleu: {hyps} hypotheses but {refs} references; give one reference for each hypothesis")]
    Counts {
        /// Hypotheses.
        hyps: usize,
        /// References.
        refs: usize,
    },
    /// Nothing to score.
    #[error("bleu: no sentence to score; give at least one hypothesis and its reference")]
    Empty,
    /// The value for smoothing makes no sense.
    #[error("bleu: floor is {value}, must be finite and greater than 0; 0.1 is the usual choice")]
    Floor {
        /// The value.
        value: f64,
    },
}
