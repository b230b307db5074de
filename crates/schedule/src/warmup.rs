//! A linear rise in front of any schedule.

use crate::error::{self, Error, WARMUP_HINT};
use crate::{Schedule, Step};

/// Warm-up: a linear rise from `initial` to the first rate of `inner` in `steps` updates; then `inner`.
///
/// `rate(n) = initial + (peak - initial) * n / steps` for `n < steps`, with `peak = inner.rate(1)`, and
/// `inner.rate(n - steps + 1)` from `n = steps` on.
///
/// So the first update never has rate 0, the peak is reached at update `steps` exactly (as with [`Noam`](crate::Noam)), and
/// `inner` counts from there. A warm-up of 1 changes nothing.
///
/// Linear warm-up is due to Goyal et al. (2017), [arXiv:1706.02677](https://arxiv.org/abs/1706.02677), section 2.2, and
/// Vaswani et al. (2017).
///
/// # Order of operations
/// `initial + (peak - initial) * (n / steps)`.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | Hugging Face `get_*_schedule_with_warmup` | counter `t` from 0: the first update has rate 0 | `t = n`: the same without that first update |
/// | Keras `CosineDecay(initial, warmup_target, warmup_steps)`, optax `warmup_*_schedule(init_value, ...)` | `t` from 0: the first update has the initial value | `initial`, `t = n` |
/// | fairseq `warmup_updates`, `warmup_init_lr` | `t` from 0 | `initial = warmup_init_lr`, `t = n` |
/// | PyTorch `LinearLR` in a `SequentialLR` | `t` from 0 | `initial = start_factor * lr`, `t = n` |
/// | tensor2tensor `linear_warmup` | a factor on a decay that does not restart its count | the same shape before the peak |
///
/// To repeat one of them exactly, its first update included, put a rising [`Linear`](crate::Linear) in front with
/// [`Then`](crate::Then).
///
/// # Example
/// ```
/// use noam_schedule::{Linear, Schedule, Step, Warmup};
/// let schedule = Warmup::new(100, Linear::new(1e-3, 0.0, 900)?)?;
/// assert_eq!(schedule.rate(Step::new(1)?), 1e-5);
/// assert_eq!(schedule.rate(Step::new(100)?), 1e-3);
/// assert_eq!(schedule.rate(Step::new(550)?), 5e-4);
/// assert_eq!(schedule.rate(Step::new(1000)?), 0.0);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warmup<S> {
    steps: u64,
    initial: f64,
    inner: S,
}

impl<S: Schedule> Warmup<S> {
    /// A rise from 0 in `steps` updates in front of `inner`.
    ///
    /// # Errors
    /// [`Error::Zero`] if `steps` is 0.
    pub fn new(steps: u64, inner: S) -> Result<Self, Error> {
        Ok(Self { steps: error::count("warm-up", "warmup", steps, WARMUP_HINT)?, initial: 0.0, inner })
    }

    /// A warm-up of 1 update, which changes nothing.
    pub(crate) fn none(inner: S) -> Self {
        Self { steps: 1, initial: 0.0, inner }
    }

    /// The same with a rise that starts from `initial`, the rate that update 0 would have.
    ///
    /// # Errors
    /// [`Error::Value`] unless `initial` is finite and at least 0.
    pub fn with_initial(self, initial: f64) -> Result<Self, Error> {
        Ok(Self { initial: error::rate("warm-up", "warmup_initial", initial)?, ..self })
    }

    /// The updates until the peak.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Where the rise starts from.
    pub fn initial(&self) -> f64 {
        self.initial
    }

    /// The schedule after the warm-up.
    pub fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: Schedule> Schedule for Warmup<S> {
    fn rate(&self, step: Step) -> f64 {
        match Step::new(step.get().saturating_sub(self.steps - 1)) {
            Ok(inner) => self.inner.rate(inner),
            Err(_) => ramp(self.initial, self.inner.rate(Step::FIRST), step.get(), self.steps),
        }
    }
}

/// The rise: `initial + (peak - initial) * (n / steps)`.
pub(crate) fn ramp(initial: f64, peak: f64, n: u64, steps: u64) -> f64 {
    initial + (peak - initial) * (n as f64 / steps as f64)
}
