//! One rate for ever.

use crate::error::{self, Error};
use crate::{Schedule, Step};

/// Constant: `rate(n) = rate`.
///
/// # Namesakes
/// Keras: a float as `learning_rate`. Hugging Face: `get_constant_schedule`; `get_constant_schedule_with_warmup` is a
/// [`Warmup`](crate::Warmup) in front of this one (its counter `t` from 0 is `n`). PyTorch: no scheduler; `ConstantLR` (a
/// factor for the first `total_iters` updates) is a [`Then`](crate::Then) of two. optax: `constant_schedule`. fairseq:
/// `fixed` without `force_anneal`. tensor2tensor: the factor `constant`.
///
/// # Example
/// ```
/// use noam_schedule::{Constant, Schedule, Step};
/// assert_eq!(Constant::new(3e-4)?.rate(Step::LAST), 3e-4);
/// assert!(Constant::new(f64::NAN).is_err());
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant {
    rate: f64,
}

impl Constant {
    /// The schedule that always gives `rate`.
    ///
    /// # Errors
    /// [`Error::Value`] unless `rate` is finite and at least 0.
    pub fn new(rate: f64) -> Result<Self, Error> {
        Ok(Self { rate: error::rate("constant", "rate", rate)? })
    }

    /// The rate.
    pub fn value(&self) -> f64 {
        self.rate
    }
}

impl Schedule for Constant {
    fn rate(&self, _: Step) -> f64 {
        self.rate
    }
}
