//! The whole model through its public interface.

#[cfg(feature = "cuda")]
mod cuda;
mod decoding;
mod determinism;
mod gradients;
mod parity;
mod pictures;
#[cfg(feature = "cuda")]
mod precision;
mod reference;
mod refusals;
mod sentences;
mod updates;
