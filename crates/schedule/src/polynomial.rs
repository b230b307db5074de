//! A power of the way left.

use crate::decay::Span;
use crate::error;
use crate::math::{Double, power};
use crate::{Error, Schedule, Step};

/// Polynomial: from `start` to `end` in `steps` updates along a power of what is left, and `end` from then on.
///
/// `rate(n) = end + (start - end) * ((steps - (n - 1)) / steps)^power` while `n - 1 < steps`.
///
/// Any finite power greater than 0 is accepted, whole or not.
///
/// # Order of operations
/// The power is computed from the exact fraction and correctly rounded (see the crate page, "The same bits everywhere");
/// then `end + (start - end) * that`. `start` itself at `n = 1`.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | Keras `PolynomialDecay(cycle=False)` | counter `t` from 0 | `t = n - 1`; no `cycle` |
/// | Hugging Face `get_polynomial_decay_schedule_with_warmup(W, total, lr_end, power)` | `t` from 0: the first update has rate 0 | [`Warmup`](crate::Warmup) of `W` in front of this with `steps = total - W`, `t = n` |
/// | PyTorch `PolynomialLR(total_iters, power)` | to 0 | `end = 0`, `t = n - 1` |
/// | optax `polynomial_schedule` | `t` from 0 | `t = n - 1`; its `transition_begin` is a [`Then`](crate::Then) after a constant |
/// | fairseq `polynomial_decay` | `t` from 0 | as Hugging Face, `end = end_learning_rate` |
/// | tensor2tensor | none | |
///
/// # Example
/// ```
/// use noam_schedule::{Polynomial, Schedule, Step};
/// let square = Polynomial::new(1e-3, 0.0, 1000, 2.0)?;
/// assert_eq!(square.rate(Step::FIRST), 1e-3);
/// assert_eq!(square.rate(Step::new(501)?), 2.5e-4);
/// assert_eq!(square.rate(Step::new(2000)?), 0.0);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Polynomial {
    span: Span,
    power: f64,
}

impl Polynomial {
    /// The decay from `start` to `end` in `steps` updates along the `power` of what is left.
    ///
    /// # Errors
    /// [`Error::Value`] unless `start` and `end` are finite and at least 0 and `power` is finite and greater than 0;
    /// [`Error::Zero`] if `steps` is 0.
    pub fn new(start: f64, end: f64, steps: u64, power: f64) -> Result<Self, Error> {
        let span = Span::new("polynomial", start, end, steps)?;
        let power = error::positive("polynomial", "power", power, "1 is a straight line, 2 a usual choice")?;
        Ok(Self { span, power })
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

    /// The exponent.
    pub fn power(&self) -> f64 {
        self.power
    }
}

impl Schedule for Polynomial {
    fn rate(&self, step: Step) -> f64 {
        let steps = self.span.steps;
        self.span.rate(step.elapsed(), |elapsed| power(Double::ratio(steps - elapsed, steps), self.power.into()))
    }
}
