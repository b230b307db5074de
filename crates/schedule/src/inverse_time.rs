//! One over the time.

use crate::error::{self, Error};
use crate::{Schedule, Step};

/// Inverse time: divided by a number that grows in proportion to the updates, continuously or in stairs.
///
/// `rate(n) = start / (1 + decay_rate * (n - 1) / steps)`, the quotient `(n - 1) / steps` rounded down if it is a staircase.
///
/// With `decay_rate` and `steps` of 1 this is `start / n`, the steps of Robbins and Monro (1951), "A Stochastic
/// Approximation Method".
///
/// # Order of operations
/// `start / (1 + decay_rate * ((n - 1) / steps))`.
///
/// # Namesakes
/// Keras: `InverseTimeDecay(initial, decay_steps, decay_rate, staircase)`, its counter `t = n - 1`; the old `decay` argument
/// of Keras optimizers is this with `steps = 1`. PyTorch, optax, Hugging Face, fairseq, tensor2tensor: none.
///
/// # Example
/// ```
/// use noam_schedule::{InverseTime, Schedule, Step};
/// let schedule = InverseTime::new(1e-3, 1.0, 1000)?;
/// assert_eq!(schedule.rate(Step::FIRST), 1e-3);
/// assert_eq!(schedule.rate(Step::new(1001)?), 5e-4);
/// assert_eq!(schedule.rate(Step::new(3001)?), 2.5e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseTime {
    start: f64,
    decay_rate: f64,
    steps: u64,
    staircase: bool,
}

impl InverseTime {
    /// The continuous decay.
    ///
    /// # Errors
    /// [`Error::Value`] unless `start` is finite and at least 0 and `decay_rate` is finite and greater than 0;
    /// [`Error::Zero`] if `steps` is 0.
    pub fn new(start: f64, decay_rate: f64, steps: u64) -> Result<Self, Error> {
        let hint = "1 halves the rate after `steps` updates";
        Ok(Self {
            start: error::rate("inverse_time", "start", start)?,
            decay_rate: error::positive("inverse_time", "decay_rate", decay_rate, hint)?,
            steps: error::count("inverse_time", "steps", steps, "1 makes `decay_rate` count for every update")?,
            staircase: false,
        })
    }

    /// The same in stairs: the rate keeps its value for `steps` updates.
    ///
    /// # Errors
    /// As [`InverseTime::new`].
    pub fn staircase(start: f64, decay_rate: f64, steps: u64) -> Result<Self, Error> {
        Ok(Self { staircase: true, ..Self::new(start, decay_rate, steps)? })
    }

    /// The rate of the first update.
    pub fn start(&self) -> f64 {
        self.start
    }

    /// How much the divisor grows in `steps` updates.
    pub fn decay_rate(&self) -> f64 {
        self.decay_rate
    }

    /// The updates in which the divisor grows by `decay_rate`.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Whether the rate falls in stairs.
    pub fn is_staircase(&self) -> bool {
        self.staircase
    }
}

impl Schedule for InverseTime {
    fn rate(&self, step: Step) -> f64 {
        let elapsed = step.elapsed();
        let periods = if self.staircase { (elapsed / self.steps) as f64 } else { elapsed as f64 / self.steps as f64 };
        // An overflowing divisor is infinite, and the rate then 0.
        self.start / (1.0 + self.decay_rate * periods)
    }
}
