//! A straight line between two rates.

use crate::decay::Span;
use crate::{Error, Schedule, Step};

/// Linear: from `start` at the first update in a straight line to `end`, `steps` updates later, and `end` from then on.
///
/// `rate(n) = end + (start - end) * (steps - (n - 1)) / steps` while `n - 1 < steps`.
///
/// `end` may be greater than `start`.
///
/// # Order of operations
/// `end + (start - end) * ((steps - (n - 1)) / steps)`, the inner difference an integer; `start` itself at `n = 1`.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | Keras `PolynomialDecay(power=1)` | counter `t` from 0 | `t = n - 1` |
/// | Hugging Face `get_linear_schedule_with_warmup(W, total)` | `t` from 0: the first update has rate 0 | [`Warmup`](crate::Warmup) of `W` in front of this with `steps = total - W`, `t = n` |
/// | PyTorch `LinearLR(start_factor, end_factor, total_iters)` | factors of the base rate | `start` and `end` are the products, `t = n - 1` |
/// | optax `linear_schedule(init_value, end_value, transition_steps)` | `t` from 0 | `t = n - 1` |
/// | fairseq `polynomial_decay` (power 1) | `t` from 0 | as Hugging Face |
/// | tensor2tensor | none | |
///
/// # Example
/// ```
/// use noam_schedule::{Linear, Schedule, Step};
/// let linear = Linear::new(1e-3, 0.0, 1000)?;
/// assert_eq!(linear.rate(Step::FIRST), 1e-3);
/// assert_eq!(linear.rate(Step::new(501)?), 5e-4);
/// assert_eq!(linear.rate(Step::new(1001)?), 0.0);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    span: Span,
}

impl Linear {
    /// The line from `start` to `end` in `steps` updates.
    ///
    /// # Errors
    /// [`Error::Value`] unless `start` and `end` are finite and at least 0, [`Error::Zero`] if `steps` is 0.
    pub fn new(start: f64, end: f64, steps: u64) -> Result<Self, Error> {
        Ok(Self { span: Span::new("linear", start, end, steps)? })
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

impl Schedule for Linear {
    fn rate(&self, step: Step) -> f64 {
        let steps = self.span.steps;
        self.span.rate(step.elapsed(), |elapsed| (steps - elapsed) as f64 / steps as f64)
    }
}
