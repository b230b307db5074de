//! A rate that is learned by gradient descent on itself.

use super::finite;
use crate::error::{self, Error};

const OF: &str = "hypergradient";

/// How the rate moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Form {
    /// By a sum: `rate + step_size * dot`. The paper's plain rule; `step_size` has the scale of the problem in it.
    #[default]
    Additive,
    /// By a product: `rate * (1 + step_size * cosine)`, with the cosine of the angle between the gradient and the direction.
    /// The paper's scale-free rule; `step_size` is the most that the rate changes by in one update, such as 0.02.
    Multiplicative,
}

/// The parameters of [`Hypergradient`].
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct HypergradientConfig {
    /// How the rate moves. Default [`Form::Additive`].
    pub form: Form,
    /// The rate of the rate, the paper's beta: greater than 0, and less than 1 if multiplicative. Default 1e-7, of the order
    /// that the paper takes for Adam.
    pub step_size: f64,
    /// The least rate, at least 0. Default 0.
    pub min_rate: f64,
    /// The greatest rate. Default 1.
    pub max_rate: f64,
}

impl Default for HypergradientConfig {
    fn default() -> Self {
        Self { form: Form::Additive, step_size: 1e-7, min_rate: 0.0, max_rate: 1.0 }
    }
}

impl HypergradientConfig {
    fn check(self) -> Result<Self, Error> {
        let hint = "1e-7 is a usual choice for the additive form with Adam, 0.02 for the multiplicative one";
        error::positive(OF, "step_size", self.step_size, hint)?;
        if self.form == Form::Multiplicative && self.step_size >= 1.0 {
            let want = "less than 1 in the multiplicative form";
            return Err(Error::Value { of: OF, name: "step_size", value: self.step_size, want, hint });
        }
        error::rate(OF, "min_rate", self.min_rate)?;
        error::rate(OF, "max_rate", self.max_rate)?;
        Ok(self)
    }
}

/// What the optimizer knows before it applies an update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// The dot product, over all parameters, of the gradient now and the direction of the previous update: what the rate was
    /// multiplied with and *subtracted*. For plain descent that is the previous gradient; for Adam
    /// `m / (sqrt(v) + eps)`, both bias-corrected, without the rate.
    pub dot: f64,
    /// The L2 norm of the gradient now. Only the multiplicative form reads it.
    pub gradient_norm: f64,
    /// The L2 norm of that direction. Only the multiplicative form reads it.
    pub direction_norm: f64,
}

/// Hypergradient descent: the rate follows its own gradient, kept within bounds.
///
/// The loss after an update `x - rate * direction` has the derivative `-gradient . direction` in the rate; so, before each
/// update but the first, `rate += step_size * gradient . direction`. Where successive steps agree the rate grows, where they
/// turn back it falls.
///
/// Baydin et al. (2018), "Online Learning Rate Adaptation with Hypergradient Descent",
/// [arXiv:1703.04782](https://arxiv.org/abs/1703.04782): SGD-HD and Adam-HD are this rule with the direction that each
/// optimizer steps along.
///
/// The learned rate replaces a schedule: it is the rate of the next update, and starts from wherever it is told to, such as
/// a schedule's rate at that step. (To learn a factor on a schedule instead, start at 1, and pass the directions and
/// their norm times the schedule's rate of that update.)
///
/// # Order of operations
/// Additive: `rate + step_size * dot`. Multiplicative: `rate * (1 + step_size * cosine)`,
/// `cosine = (dot / gradient_norm) / direction_norm` clamped to [-1, 1], 0 if a norm is 0. Then clamped to
/// [`min_rate`, `max_rate`].
///
/// # Namesakes
/// optax, PyTorch, Keras, Hugging Face, fairseq and tensor2tensor have none of their own; the authors' implementation is the
/// additive form. optax `contrib.dadapt_adamw` and `contrib.prodigy` have the same aim with other rules.
///
/// # Example
/// ```
/// use noam_schedule::feedback::{Hypergradient, HypergradientConfig, Signal};
/// let config = HypergradientConfig { step_size: 1e-3, ..HypergradientConfig::default() };
/// let mut learned = Hypergradient::new(0.25, config)?;
/// let agree = Signal { dot: 50.0, gradient_norm: 10.0, direction_norm: 8.0 };
/// assert_eq!(learned.observe(agree)?, 0.3);
/// assert_eq!(learned.observe(Signal { dot: -1e9, ..agree })?, 0.0);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "State", into = "State"))]
pub struct Hypergradient {
    config: HypergradientConfig,
    rate: f64,
}

impl Hypergradient {
    /// A rule that starts at `rate`.
    ///
    /// # Errors
    /// [`Error::Value`] for the first parameter that is out of its range, [`Error::Bounds`] if `rate` is not within
    /// `min_rate` and `max_rate`.
    pub fn new(rate: f64, config: HypergradientConfig) -> Result<Self, Error> {
        let config = config.check()?;
        let rate = error::rate(OF, "rate", rate)?;
        let (min, max) = (config.min_rate, config.max_rate);
        if rate < min || rate > max {
            return Err(Error::Bounds { of: OF, name: "rate", value: rate, min, max });
        }
        Ok(Self { config, rate })
    }

    /// Takes what is known before an update, and returns the rate for it. Not for the first update: it has no direction
    /// before it.
    ///
    /// # Errors
    /// [`Error::Value`] if a number that the form reads is not finite, or a norm is negative; nothing has changed then.
    pub fn observe(&mut self, signal: Signal) -> Result<f64, Error> {
        let step_size = self.config.step_size;
        let dot = finite(OF, "dot", signal.dot)?;
        let moved = match self.config.form {
            Form::Additive => self.rate + step_size * dot,
            Form::Multiplicative => self.rate * (1.0 + step_size * cosine(dot, signal)?),
        };
        self.rate = moved.max(self.config.min_rate).min(self.config.max_rate);
        Ok(self.rate)
    }

    /// The rate now.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The parameters.
    pub fn config(&self) -> &HypergradientConfig {
        &self.config
    }
}

/// The cosine of the angle between gradient and direction; 0 if either is 0.
fn cosine(dot: f64, signal: Signal) -> Result<f64, Error> {
    let norm = |name, value| {
        let value = finite(OF, name, value)?;
        if value >= 0.0 {
            Ok(value)
        } else {
            let hint = "a norm is the root of a sum of squares";
            Err(Error::Value { of: OF, name, value, want: "at least 0", hint })
        }
    };
    let (gradient, direction) =
        (norm("gradient_norm", signal.gradient_norm)?, norm("direction_norm", signal.direction_norm)?);
    if gradient == 0.0 || direction == 0.0 {
        return Ok(0.0);
    }
    // Two divisions: the product of the norms could overflow or vanish.
    Ok((dot / gradient / direction).clamp(-1.0, 1.0))
}

/// What is stored of a [`Hypergradient`].
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    config: HypergradientConfig,
    rate: super::exact::Exact,
}

#[cfg(feature = "serde")]
impl From<Hypergradient> for State {
    fn from(rule: Hypergradient) -> Self {
        Self { config: rule.config, rate: super::exact::Exact(rule.rate) }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<State> for Hypergradient {
    type Error = Error;

    fn try_from(state: State) -> Result<Self, Error> {
        Self::new(state.rate.0, state.config)
    }
}
