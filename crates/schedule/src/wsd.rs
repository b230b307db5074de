//! Warm-up, a plateau, and a decay at the end.

use crate::decay::Span;
use crate::error::{self, DECAY_HINT, Error, WARMUP_HINT};
use crate::math::{half_cosine, sqrt};
use crate::warmup::ramp;
use crate::{Schedule, Step};

/// How the rate falls in the last part of [`Wsd`]; `x` goes from 0 to 1 over it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Shape {
    /// `1 - x`.
    #[default]
    Linear,
    /// `(1 + cos(pi x)) / 2`, Hugging Face's default.
    Cosine,
    /// `1 - sqrt(x)`, the best of those tried by Hägele et al. (2024).
    OneMinusSqrt,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Self; 3] = [Self::Linear, Self::Cosine, Self::OneMinusSqrt];

    /// Its name in configurations: `linear`, `cosine` or `one_minus_sqrt`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Cosine => "cosine",
            Self::OneMinusSqrt => "one_minus_sqrt",
        }
    }

    /// The shape of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|shape| shape.name() == name)
    }

    /// What is left after `elapsed` of `steps` updates, from 1 to 0.
    fn share(self, elapsed: u64, steps: u64) -> f64 {
        match self {
            Self::Linear => (steps - elapsed) as f64 / steps as f64,
            Self::Cosine => half_cosine(elapsed, steps),
            Self::OneMinusSqrt => 1.0 - sqrt(elapsed as f64 / steps as f64),
        }
    }
}

impl core::fmt::Display for Shape {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(self.name())
    }
}

/// Warm-up, stable, decay: a linear rise to `peak` in `warmup` updates, `stable` updates at it, then a fall to `end` in
/// `steps` updates, and `end` from then on.
///
/// `rate(n) = initial + (peak - initial) * n / warmup` for `n < warmup`; `peak` for `warmup <= n <= warmup + stable`;
/// `end + (peak - end) * shape((n - warmup - stable) / steps)` after that, with [`Shape`].
///
/// Hu et al. (2024), "MiniCPM", [arXiv:2404.06395](https://arxiv.org/abs/2404.06395), section 4; the shapes of the decay are
/// compared by Hägele et al. (2024), [arXiv:2405.18392](https://arxiv.org/abs/2405.18392). The stable part can be made
/// longer later without changing any rate before its end.
///
/// # Order of operations
/// `initial + (peak - initial) * (n / warmup)`, and `end + (peak - end) * share` with `share`
/// `(steps - e) / steps`, `(1 + cos(pi * e / steps)) / 2` correctly rounded, or `1 - sqrt(e / steps)`, `e = n - warmup - stable`.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | Hugging Face `get_wsd_schedule(W, decay, stable, min_lr_ratio)` | counter `t` from 0; rises from `min_lr_ratio * lr` | [`Shape::Cosine`] (its default), `end` and `initial` `min_lr_ratio * lr`, `t = n` |
/// | optax `join_schedules` of three, PyTorch `SequentialLR` of three | counters from 0 | `t = n` |
/// | fairseq `tri_stage` | an exponential decay | [`Then`](crate::Then) with [`Exponential`](crate::Exponential) |
/// | Keras, tensor2tensor | none | |
///
/// # Example
/// ```
/// use noam_schedule::{Schedule, Shape, Step, Wsd};
/// let wsd = Wsd::new(1e-3, 100, 800, 100)?.with_shape(Shape::OneMinusSqrt);
/// assert_eq!(wsd.rate(Step::new(50)?), 5e-4);
/// assert_eq!(wsd.rate(Step::new(900)?), 1e-3);
/// assert_eq!(wsd.rate(Step::new(925)?), 5e-4);
/// assert_eq!(wsd.rate(Step::new(1000)?), 0.0);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wsd {
    initial: f64,
    warmup: u64,
    stable: u64,
    decay: Span,
    shape: Shape,
}

impl Wsd {
    /// A rise from 0 to `peak` in `warmup` updates, `stable` updates at it (0 is allowed), and a straight fall to 0 in `steps`.
    ///
    /// # Errors
    /// [`Error::Value`] unless `peak` is finite and at least 0, [`Error::Zero`] if `warmup` or `steps` is 0.
    pub fn new(peak: f64, warmup: u64, stable: u64, steps: u64) -> Result<Self, Error> {
        let start = error::rate("wsd", "peak", peak)?;
        let steps = error::count("wsd", "steps", steps, DECAY_HINT)?;
        Ok(Self {
            initial: 0.0,
            warmup: error::count("wsd", "warmup", warmup, WARMUP_HINT)?,
            stable,
            decay: Span { start, end: 0.0, steps },
            shape: Shape::default(),
        })
    }

    /// The same with a rise that starts from `initial`, the rate that update 0 would have.
    ///
    /// # Errors
    /// [`Error::Value`] unless `initial` is finite and at least 0.
    pub fn with_initial(self, initial: f64) -> Result<Self, Error> {
        Ok(Self { initial: error::rate("wsd", "warmup_initial", initial)?, ..self })
    }

    /// The same with a fall to `end`.
    ///
    /// # Errors
    /// [`Error::Value`] unless `end` is finite and at least 0.
    pub fn with_end(self, end: f64) -> Result<Self, Error> {
        Ok(Self { decay: Span { end: error::rate("wsd", "end", end)?, ..self.decay }, ..self })
    }

    /// The same with a fall of another shape.
    #[must_use]
    pub fn with_shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }

    /// The rate after the warm-up.
    pub fn peak(&self) -> f64 {
        self.decay.start
    }

    /// Where the rise starts from.
    pub fn initial(&self) -> f64 {
        self.initial
    }

    /// The rate at the end and after it.
    pub fn end(&self) -> f64 {
        self.decay.end
    }

    /// The updates until the peak.
    pub fn warmup(&self) -> u64 {
        self.warmup
    }

    /// The updates at the peak, after the one that reaches it.
    pub fn stable(&self) -> u64 {
        self.stable
    }

    /// The updates of the decay.
    pub fn steps(&self) -> u64 {
        self.decay.steps
    }

    /// The shape of the decay.
    pub fn shape(&self) -> Shape {
        self.shape
    }
}

impl Schedule for Wsd {
    fn rate(&self, step: Step) -> f64 {
        let n = step.get();
        if n < self.warmup {
            return ramp(self.initial, self.decay.start, n, self.warmup);
        }
        let elapsed = (n - self.warmup).saturating_sub(self.stable);
        self.decay.rate(elapsed, |elapsed| self.shape.share(elapsed, self.decay.steps))
    }
}
