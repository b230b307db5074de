//! The inverse square root of the step, given its peak.

use crate::error::{self, Error, WARMUP_HINT};
use crate::math::sqrt;
use crate::warmup::ramp;
use crate::{Schedule, Step};

/// Inverse square root: a linear rise from `initial` to `peak` in `warmup` updates, then a fall with the inverse square
/// root of the step.
///
/// `rate(n) = initial + (peak - initial) * n / warmup` for `n < warmup`, then `peak * sqrt(warmup / n)`.
///
/// The shape is that of [`Noam`](crate::Noam), Vaswani et al. (2017),
/// [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), with its peak as the parameter instead of the model's width.
///
/// # Order of operations
/// As written: `initial + (peak - initial) * (n / warmup)` and `peak * sqrt(warmup / n)`.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | Hugging Face `get_inverse_sqrt_schedule` (`timescale = num_warmup_steps`) | counter `t` from 0: the first update has rate 0 | `peak = lr`, `t = n` |
/// | fairseq `inverse_sqrt` | `t` from 0: the first update has `warmup_init_lr` | `peak = lr`, `warmup = warmup_updates`, `initial = warmup_init_lr`, `t = n` |
/// | ESPnet `WarmupLR` | steps from 1 | `peak = lr` |
/// | tensor2tensor `linear_warmup*rsqrt_decay` | `constant / sqrt(max(t, W))` | `peak = constant / sqrt(W)`, `t = n` |
/// | T5's "rsqrt", `1 / sqrt(max(t, W))` | no rise: constant until `W` | [`Then`](crate::Then) of a [`Constant`](crate::Constant) and this, counting on |
/// | Keras, PyTorch, optax | none of this name | a function of the step there; pass `t + 1` |
///
/// # Example
/// ```
/// use noam_schedule::{InverseSqrt, Schedule, Step};
/// let schedule = InverseSqrt::new(5e-4, 4000)?;
/// assert_eq!(schedule.rate(Step::new(1000)?), 1.25e-4);
/// assert_eq!(schedule.rate(Step::new(4000)?), 5e-4);
/// assert_eq!(schedule.rate(Step::new(16_000)?), 2.5e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InverseSqrt {
    peak: f64,
    warmup: u64,
    initial: f64,
}

impl InverseSqrt {
    /// The schedule that reaches `peak` at update `warmup`, rising from 0.
    ///
    /// # Errors
    /// [`Error::Value`] unless `peak` is finite and at least 0, [`Error::Zero`] if `warmup` is 0.
    pub fn new(peak: f64, warmup: u64) -> Result<Self, Error> {
        Ok(Self {
            peak: error::rate("inverse_sqrt", "peak", peak)?,
            warmup: error::count("inverse_sqrt", "warmup", warmup, WARMUP_HINT)?,
            initial: 0.0,
        })
    }

    /// The same with a rise that starts from `initial`, the rate that update 0 would have.
    ///
    /// # Errors
    /// [`Error::Value`] unless `initial` is finite and at least 0.
    pub fn with_initial(self, initial: f64) -> Result<Self, Error> {
        Ok(Self { initial: error::rate("inverse_sqrt", "warmup_initial", initial)?, ..self })
    }

    /// The rate at the end of the warm-up.
    pub fn peak(&self) -> f64 {
        self.peak
    }

    /// The updates until the peak.
    pub fn warmup(&self) -> u64 {
        self.warmup
    }

    /// Where the rise starts from.
    pub fn initial(&self) -> f64 {
        self.initial
    }
}

impl Schedule for InverseSqrt {
    fn rate(&self, step: Step) -> f64 {
        let n = step.get();
        if n < self.warmup {
            ramp(self.initial, self.peak, n, self.warmup)
        } else {
            self.peak * sqrt(self.warmup as f64 / n as f64)
        }
    }
}
