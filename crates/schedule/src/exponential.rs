//! The same factor every so many updates.

use crate::error::{self, Error};
use crate::math::{Double, power};
use crate::{Schedule, Step};

/// Exponential: falls by the factor `decay_rate` every `steps` updates, continuously or in stairs.
///
/// `rate(n) = start * decay_rate^((n - 1) / steps)`, the exponent rounded down if it is a staircase.
///
/// # Order of operations
/// The power is computed from the exact fraction and correctly rounded (see the crate page, "The same bits everywhere"),
/// then `start * that`. A product that is updated once a step, as PyTorch's, gathers one rounding error an update instead.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | Keras `ExponentialDecay(initial, decay_steps, decay_rate, staircase)` | counter `t` from 0 | `t = n - 1` |
/// | PyTorch `ExponentialLR(gamma)` | every epoch or step | `steps = 1`, `t = n - 1` |
/// | PyTorch `StepLR(step_size, gamma)` | stairs | `steps = step_size`, a staircase |
/// | optax `exponential_decay` | `t` from 0 | `t = n - 1`; its `end_value` is a [`Floor`](crate::Floor) |
/// | tensor2tensor `exp` | a factor, counted from the end of the warm-up (which is exponential there) | [`Then`](crate::Then) after another warm-up |
/// | Hugging Face, fairseq | none | |
///
/// # Example
/// ```
/// use noam_schedule::{Exponential, Schedule, Step};
/// let smooth = Exponential::new(1e-3, 0.5, 1000)?;
/// assert_eq!(smooth.rate(Step::new(501)?), 7.071067811865476e-4);
/// assert_eq!(smooth.rate(Step::new(1001)?), 5e-4);
/// let stairs = Exponential::staircase(1e-3, 0.5, 1000)?;
/// assert_eq!(stairs.rate(Step::new(1000)?), 1e-3);
/// assert_eq!(stairs.rate(Step::new(1001)?), 5e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exponential {
    start: f64,
    decay_rate: f64,
    steps: u64,
    staircase: bool,
}

impl Exponential {
    /// The continuous decay: `decay_rate` once every `steps` updates, a fraction of it in between.
    ///
    /// # Errors
    /// [`Error::Value`] unless `start` is finite and at least 0 and `decay_rate` lies in (0, 1]; [`Error::Zero`] if `steps`
    /// is 0.
    pub fn new(start: f64, decay_rate: f64, steps: u64) -> Result<Self, Error> {
        let hint = "0.96 every few thousand updates is a usual choice, 1 keeps the rate";
        Ok(Self {
            start: error::rate("exponential", "start", start)?,
            decay_rate: error::fraction("exponential", "decay_rate", decay_rate, hint)?,
            steps: error::count("exponential", "steps", steps, "1 applies the factor at every update")?,
            staircase: false,
        })
    }

    /// The same in stairs: the rate keeps its value for `steps` updates.
    ///
    /// # Errors
    /// As [`Exponential::new`].
    pub fn staircase(start: f64, decay_rate: f64, steps: u64) -> Result<Self, Error> {
        Ok(Self { staircase: true, ..Self::new(start, decay_rate, steps)? })
    }

    /// The rate of the first update.
    pub fn start(&self) -> f64 {
        self.start
    }

    /// The factor.
    pub fn decay_rate(&self) -> f64 {
        self.decay_rate
    }

    /// The updates in which the factor applies once.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether the rate falls in stairs.
    pub fn is_staircase(&self) -> bool {
        self.staircase
    }
}

impl Schedule for Exponential {
    fn rate(&self, step: Step) -> f64 {
        let elapsed = step.elapsed();
        let exponent =
            if self.staircase { Double::integer(elapsed / self.steps) } else { Double::ratio(elapsed, self.steps) };
        self.start * power(self.decay_rate.into(), exponent)
    }
}
