//! Half waves of the cosine, one after another.

use crate::decay::Span;
use crate::error;
use crate::math::{Double, half_cosine, power};
use crate::{Error, Schedule, Step};

/// Cosine with restarts: half a wave from `start` to `end` in `steps` updates, then again, each cycle `t_mul` times as long
/// and `m_mul` times as high as the one before.
///
/// In cycle `i`, from 0, of length `steps * t_mul^i`, with `e` updates of it done:
/// `rate = end + (start - end) * m_mul^i * (1 + cos(pi * e / length)) / 2`.
///
/// Loshchilov & Hutter (2017), "SGDR", [arXiv:1608.03983](https://arxiv.org/abs/1608.03983), equation 5; `m_mul` is Keras's
/// addition. `t_mul` is a whole number, so that every restart falls on an update. `rate` never is `end` itself unless the
/// cycle has shrunk to nothing: the update that would have it is the restart.
///
/// # Order of operations
/// The power and the half wave are correctly rounded (see the crate page, "The same bits everywhere"); then
/// `end + (start - end) * (power * wave)`.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | Keras `CosineDecayRestarts(initial, first_decay_steps, t_mul, m_mul, alpha)` | counter `t` from 0 | `end = alpha * initial`, `t = n - 1`; a fractional `t_mul` has no counterpart |
/// | PyTorch `CosineAnnealingWarmRestarts(T_0, T_mult, eta_min)` | `t` from 0 | `m_mul = 1`, `t = n - 1` |
/// | Hugging Face `get_cosine_with_hard_restarts_schedule_with_warmup(W, total, cycles)` | `t` from 0: the first update has rate 0; 0 after `total` | [`Warmup`](crate::Warmup) of `W` in front of this with `steps = (total - W) / cycles`, if that is whole, `t = n`, for `t < total` |
/// | optax `sgdr_schedule` | a list of cycles | the same where they follow a rule, else [`Then`](crate::Then) |
/// | fairseq `cosine` (`t_mult`, `lr_shrink`) | shrinks both ends | `Warmup` in front, with `end = 0` |
/// | tensor2tensor | none | |
///
/// # Example
/// ```
/// use noam_schedule::{CosineRestarts, Schedule, Step};
/// let schedule = CosineRestarts::new(1e-3, 0.0, 1000, 2, 0.5)?;
/// assert_eq!(schedule.rate(Step::FIRST), 1e-3);
/// assert_eq!(schedule.rate(Step::new(501)?), 5e-4);
/// assert_eq!(schedule.rate(Step::new(1001)?), 5e-4);
/// assert_eq!(schedule.rate(Step::new(2001)?), 2.5e-4);
/// assert_eq!(schedule.rate(Step::new(3001)?), 2.5e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CosineRestarts {
    span: Span,
    t_mul: u64,
    m_mul: f64,
}

impl CosineRestarts {
    /// Cycles from `start` to `end`, the first of `steps` updates; `t_mul` and `m_mul` of 1 make all alike.
    ///
    /// # Errors
    /// [`Error::Value`] unless `start` and `end` are finite and at least 0, `start` is at least `end`, and `m_mul` lies in
    /// (0, 1]; [`Error::Zero`] if `steps` or `t_mul` is 0.
    pub fn new(start: f64, end: f64, steps: u64, t_mul: u64, m_mul: f64) -> Result<Self, Error> {
        const OF: &str = "cosine_restarts";
        let span = Span::new(OF, start, end, steps)?;
        if span.end > span.start {
            let hint = "each cycle falls; swap `start` and `end`";
            return Err(Error::Value { of: OF, name: "end", value: end, want: "at most `start`", hint });
        }
        let t_mul =
            error::count(OF, "t_mul", t_mul, "1 makes every cycle as long as the first, 2 twice the one before")?;
        let m_mul = error::fraction(OF, "m_mul", m_mul, "1 makes every cycle as high as the first")?;
        Ok(Self { span, t_mul, m_mul })
    }

    /// The rate of the first update.
    pub fn start(&self) -> f64 {
        self.span.start
    }

    /// The rate that every cycle falls towards.
    pub fn end(&self) -> f64 {
        self.span.end
    }

    /// The updates of the first cycle.
    pub fn steps(&self) -> u64 {
        self.span.steps
    }

    /// How many times as long as the one before a cycle is.
    pub fn t_mul(&self) -> u64 {
        self.t_mul
    }

    /// How many times as high as the one before a cycle is.
    pub fn m_mul(&self) -> f64 {
        self.m_mul
    }

    /// The cycle, from 0, the updates done in it, and its length.
    fn cycle(&self, mut elapsed: u64) -> (u64, u64, u64) {
        let mut length = self.span.steps;
        if self.t_mul == 1 {
            return (elapsed / length, elapsed % length, length);
        }
        // At most 64 times, as the length at least doubles.
        let mut cycle = 0;
        while elapsed >= length {
            elapsed -= length;
            length = length.saturating_mul(self.t_mul);
            cycle += 1;
        }
        (cycle, elapsed, length)
    }
}

impl Schedule for CosineRestarts {
    fn rate(&self, step: Step) -> f64 {
        let (cycle, elapsed, length) = self.cycle(step.elapsed());
        if cycle == 0 && elapsed == 0 {
            return self.span.start;
        }
        let height = power(self.m_mul.into(), Double::integer(cycle));
        self.span.at(height * half_cosine(elapsed, length))
    }
}
