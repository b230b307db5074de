//! A rate that falls when a metric stops improving.

use super::finite;
use crate::error::{self, Error};

const OF: &str = "plateau";

/// Which way a metric improves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Mode {
    /// Less is better: a loss.
    #[default]
    Min,
    /// More is better: BLEU, accuracy.
    Max,
}

/// How [`PlateauConfig::threshold`] counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Threshold {
    /// As a share of the best value: better than `best * (1 - threshold)`, or `best * (1 + threshold)` for [`Mode::Max`].
    #[default]
    Relative,
    /// As a difference: better than `best - threshold`, or `best + threshold` for [`Mode::Max`].
    Absolute,
}

/// The parameters of [`ReduceOnPlateau`]; the defaults are PyTorch's.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct PlateauConfig {
    /// Which way the metric improves. Default [`Mode::Min`].
    pub mode: Mode,
    /// What the rate is multiplied by, in (0, 1). Default 0.1.
    pub factor: f64,
    /// How many observations without improvement are let pass; the next one reduces the rate. Default 10.
    pub patience: u64,
    /// What improvement has to exceed, at least 0. Default 1e-4.
    pub threshold: f64,
    /// How the threshold counts. Default [`Threshold::Relative`].
    pub threshold_mode: Threshold,
    /// How many observations after a reduction are not counted as bad. Default 0.
    pub cooldown: u64,
    /// The least rate. Default 0.
    pub min_rate: f64,
    /// A reduction by no more than this is not made. Default 1e-8.
    pub eps: f64,
}

impl Default for PlateauConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            threshold_mode: Threshold::Relative,
            cooldown: 0,
            min_rate: 0.0,
            eps: 1e-8,
        }
    }
}

impl PlateauConfig {
    fn check(self) -> Result<Self, Error> {
        error::fraction(OF, "factor", self.factor, "0.1 or 0.5 are usual choices")?;
        if self.factor == 1.0 {
            let hint = "1 would never reduce; 0.1 or 0.5 are usual choices";
            return Err(Error::Value { of: OF, name: "factor", value: 1.0, want: "less than 1", hint });
        }
        error::rate(OF, "threshold", self.threshold)?;
        error::rate(OF, "min_rate", self.min_rate)?;
        error::rate(OF, "eps", self.eps)?;
        Ok(self)
    }
}

/// Reduce on plateau: the rate is multiplied by a factor whenever a metric has not improved for a while.
///
/// At every observation: a metric that is better than the best so far by more than the threshold becomes the best; any other
/// is a bad one. In cooldown none counts as bad. After more than `patience` bad ones in a row,
/// `rate = max(rate * factor, min_rate)`, and the cooldown starts.
///
/// The state is the rate itself, which replaces a schedule. Started at a rate of 1 it is a factor to multiply a schedule
/// with; leave `eps` at 0 then.
///
/// # Namesakes
/// PyTorch `ReduceLROnPlateau`: the same, bit for bit in f64. Keras `ReduceLROnPlateau`: its `patience` is one more
/// (it reduces at the `patience`-th bad observation), `min_delta` is an absolute threshold. optax
/// `contrib.reduce_on_plateau`: a factor, `patience` as Keras. fairseq `reduce_lr_on_plateau` wraps PyTorch's. Hugging Face
/// `get_reduce_on_plateau_schedule` wraps PyTorch's. tensor2tensor has none.
///
/// # Example
/// ```
/// use noam_schedule::feedback::{PlateauConfig, ReduceOnPlateau};
/// let config = PlateauConfig { factor: 0.5, patience: 1, ..PlateauConfig::default() };
/// let mut plateau = ReduceOnPlateau::new(1e-3, config)?;
/// assert_eq!(plateau.observe(4.0)?, 1e-3);
/// assert_eq!(plateau.observe(4.1)?, 1e-3);
/// assert_eq!(plateau.observe(4.2)?, 5e-4);
/// assert!(plateau.observe(f64::NAN).is_err());
/// assert_eq!(plateau.rate(), 5e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "State", into = "State"))]
pub struct ReduceOnPlateau {
    config: PlateauConfig,
    rate: f64,
    /// None before the first observation.
    best: Option<f64>,
    bad: u64,
    cooling: u64,
}

impl ReduceOnPlateau {
    /// A rule that starts at `rate` and has observed nothing.
    ///
    /// # Errors
    /// [`Error::Value`] for the first parameter that is out of its range.
    pub fn new(rate: f64, config: PlateauConfig) -> Result<Self, Error> {
        Ok(Self { config: config.check()?, rate: error::rate(OF, "rate", rate)?, best: None, bad: 0, cooling: 0 })
    }

    /// Takes one value of the metric and returns the rate from now on.
    ///
    /// # Errors
    /// [`Error::Value`] if the metric is not finite; nothing has changed then.
    pub fn observe(&mut self, metric: f64) -> Result<f64, Error> {
        let metric = finite(OF, "metric", metric)?;
        if self.improves(metric) {
            self.best = Some(metric);
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.cooling > 0 {
            self.cooling -= 1;
            self.bad = 0;
        }
        if self.bad > self.config.patience {
            self.reduce();
            self.cooling = self.config.cooldown;
            self.bad = 0;
        }
        Ok(self.rate)
    }

    fn improves(&self, metric: f64) -> bool {
        let Some(best) = self.best else { return true };
        let threshold = self.config.threshold;
        match (self.config.mode, self.config.threshold_mode) {
            (Mode::Min, Threshold::Relative) => metric < best * (1.0 - threshold),
            (Mode::Min, Threshold::Absolute) => metric < best - threshold,
            (Mode::Max, Threshold::Relative) => metric > best * (threshold + 1.0),
            (Mode::Max, Threshold::Absolute) => metric > best + threshold,
        }
    }

    fn reduce(&mut self) {
        let reduced = (self.rate * self.config.factor).max(self.config.min_rate);
        if self.rate - reduced > self.config.eps {
            self.rate = reduced;
        }
    }

    /// The rate now.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The best metric so far, `None` before the first.
    pub fn best(&self) -> Option<f64> {
        self.best
    }

    /// Bad observations in a row, at most the patience.
    pub fn bad(&self) -> u64 {
        self.bad
    }

    /// Observations until the end of the cooldown.
    pub fn cooling(&self) -> u64 {
        self.cooling
    }

    /// The parameters.
    pub fn config(&self) -> &PlateauConfig {
        &self.config
    }
}

/// What is stored of a [`ReduceOnPlateau`].
#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    config: PlateauConfig,
    rate: super::exact::Exact,
    best: Option<super::exact::Exact>,
    bad: u64,
    cooling: u64,
}

#[cfg(feature = "serde")]
impl From<ReduceOnPlateau> for State {
    fn from(rule: ReduceOnPlateau) -> Self {
        let ReduceOnPlateau { config, rate, best, bad, cooling } = rule;
        Self { config, rate: super::exact::Exact(rate), best: best.map(super::exact::Exact), bad, cooling }
    }
}

#[cfg(feature = "serde")]
impl TryFrom<State> for ReduceOnPlateau {
    type Error = Error;

    fn try_from(state: State) -> Result<Self, Error> {
        let at_most = |name, value: u64, limit: u64| {
            let (value, max) = (value as f64, limit as f64);
            if value <= max { Ok(()) } else { Err(Error::Bounds { of: OF, name, value, min: 0.0, max }) }
        };
        at_most("bad", state.bad, state.config.patience)?;
        at_most("cooling", state.cooling, state.config.cooldown)?;
        let new = Self::new(state.rate.0, state.config)?;
        Ok(Self { best: state.best.map(|best| best.0), bad: state.bad, cooling: state.cooling, ..new })
    }
}
