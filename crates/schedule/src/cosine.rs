//! Half a wave of the cosine.

use crate::decay::Span;
use crate::math::half_cosine;
use crate::{Error, Schedule, Step};

/// Cosine: from `start` to `end` in `steps` updates along half a wave of the cosine, and `end` from then on.
///
/// `rate(n) = end + (start - end) * (1 + cos(pi * (n - 1) / steps)) / 2` while `n - 1 < steps`.
///
/// Loshchilov & Hutter (2017), [arXiv:1608.03983](https://arxiv.org/abs/1608.03983), equation 5, one run of it. `end` may be
/// greater than `start`.
///
/// # Order of operations
/// `(1 + cos(...)) / 2` is computed from the exact fraction and correctly rounded (see the crate page, "The same bits
/// everywhere"); then `end + (start - end) * that`. `start` itself at `n = 1`.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | Keras `CosineDecay(initial, decay_steps, alpha)` | counter `t` from 0 | `end = alpha * initial`, `t = n - 1` |
/// | Keras `CosineDecay` with `warmup_target`, `warmup_steps` | the first update has `initial` | [`Warmup`](crate::Warmup) from `initial` in front of this with `start = warmup_target`, `t = n` |
/// | Hugging Face `get_cosine_schedule_with_warmup(W, total)` (half a cycle) | `t` from 0: the first update has rate 0 | `Warmup` of `W` in front of this with `steps = total - W`, `t = n` |
/// | PyTorch `CosineAnnealingLR(T_max, eta_min)` | rises again after `T_max` | `end = eta_min`, `t = n - 1`; stays at `end` |
/// | optax `cosine_decay_schedule(init_value, decay_steps, alpha)` (exponent 1) | `t` from 0 | as Keras |
/// | optax `warmup_cosine_decay_schedule` | its `decay_steps` include the warm-up | `Warmup` in front of `steps = decay_steps - warmup_steps`, `t = n` |
/// | fairseq `cosine` | one period, `t` from 0 | `Warmup` of `warmup_updates` in front, `t = n` |
/// | tensor2tensor `cosine` | rises again | one period, `t = n - 1` |
///
/// # Example
/// ```
/// use noam_schedule::{Cosine, Schedule, Step};
/// let cosine = Cosine::new(1e-3, 1e-4, 1000)?;
/// assert_eq!(cosine.rate(Step::FIRST), 1e-3);
/// assert_eq!(cosine.rate(Step::new(501)?), 5.5e-4);
/// assert_eq!(cosine.rate(Step::new(1001)?), 1e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    span: Span,
}

impl Cosine {
    /// The half wave from `start` to `end` in `steps` updates.
    ///
    /// # Errors
    /// [`Error::Value`] unless `start` and `end` are finite and at least 0, [`Error::Zero`] if `steps` is 0.
    pub fn new(start: f64, end: f64, steps: u64) -> Result<Self, Error> {
        Ok(Self { span: Span::new("cosine", start, end, steps)? })
    }

    /// The rate of the first update.
    pub fn start(&self) -> f64 {
        self.span.start
    }

    /// The rate at the end and after it.
    pub fn end(&self) -> f64 {
        self.span.end
    }

    /// The updates from `start` to `end`.
    pub fn steps(&self) -> u64 {
        self.span.steps
    }
}

impl Schedule for Cosine {
    fn rate(&self, step: Step) -> f64 {
        self.span.rate(step.elapsed(), |elapsed| half_cosine(elapsed, self.span.steps))
    }
}
