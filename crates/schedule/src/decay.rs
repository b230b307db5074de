//! What the decays from one rate to another share.

use crate::error::{self, DECAY_HINT, Error};

/// From `start`, at the first update, to `end`, `steps` updates later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) steps: u64,
}

impl Span {
    pub(crate) fn new(of: &'static str, start: f64, end: f64, steps: u64) -> Result<Self, Error> {
        Ok(Self {
            start: error::rate(of, "start", start)?,
            end: error::rate(of, "end", end)?,
            steps: error::count(of, "steps", steps, DECAY_HINT)?,
        })
    }

    /// The rate after `elapsed` updates, when `share(elapsed)`, from 1 down to 0, is left of the way:
    /// `end + (start - end) * share`. Both ends are exact, and `share` is asked only strictly between them.
    pub(crate) fn rate(&self, elapsed: u64, share: impl FnOnce(u64) -> f64) -> f64 {
        match elapsed {
            0 => self.start,
            elapsed if elapsed >= self.steps => self.end,
            elapsed => self.at(share(elapsed)),
        }
    }

    pub(crate) fn at(&self, share: f64) -> f64 {
        self.end + (self.start - self.end) * share
    }
}
