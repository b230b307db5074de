//! Batches of examples of similar length, and their order, which is a function of the seed and the epoch alone.
//!
//! A batch is padded to its longest source `S` and longest target `T`, and holds as many examples as fit
//! `B * max(S, T) <= max_tokens`. An epoch is planned in three steps: sort the examples by length, with equal lengths in
//! random order; cut the sequence into batches; shuffle the batches. Nothing is carried from one epoch to the next, so a
//! [`Position`] is all that a resumed run needs.
//!
//! ```
//! use noam_train::batch::{Batch, Batches, Example, Options, Position};
//!
//! let examples = [(3, 4), (9, 8), (4, 4)].map(|(s, t)| Example { src: vec![7; s], tgt: vec![8; t] });
//! let batches = Batches::new(&examples, &Options { max_tokens: 16, ..Options::default() })?;
//! let mut stream = batches.stream(Position::default())?;
//! let mut batch = Batch::default();
//! batch.fill(&examples, stream.next_batch(), batches.multiple());
//! assert_eq!(batch.tgt_in.len(), batch.b * batch.t);
//! assert_eq!(stream.position(), Position { epoch: 0, index: 1 });
//! # Ok::<(), noam_train::batch::Error>(())
//! ```

mod error;
mod fill;
mod plan;
mod rng;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use fill::{Batch, Example};
pub use plan::{Batches, Epoch, Options, Position, Stream};
