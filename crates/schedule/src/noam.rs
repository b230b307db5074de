//! The schedule of "Attention Is All You Need".

use crate::error::{self, Error};
use crate::math::sqrt;
use crate::{Schedule, Step};

/// Noam: a linear rise for `warmup` updates, then a fall with the inverse square root of the step.
///
/// `rate(n) = factor * d_model^-0.5 * min(n^-0.5, n * warmup^-1.5)`
///
/// Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), equation 3. The peak, at `n == warmup`, is
/// `factor / sqrt(d_model * warmup)`.
///
/// # Order of operations
/// Each operation is rounded to nearest on its own, so the bits are part of the contract:
/// `factor * ((1 / sqrt(d_model)) * min(1 / sqrt(n), n * (1 / (warmup * sqrt(warmup)))))`.
/// Counts above 2^53 are first rounded to the nearest `f64`.
///
/// # Namesakes
/// | library | there | here |
/// | --- | --- | --- |
/// | tensor2tensor, `learning_rate_decay_scheme="noam"` with Adam | `10 * learning_rate * ...` (5000 * 0.002), global step + 1 | `factor = 10 * learning_rate`, same step |
/// | tensor2tensor, `constant*linear_warmup*rsqrt_decay*rsqrt_hidden_size` | global step `t` from 0 (the first update has rate 0) | `factor = learning_rate_constant`, `t = n` |
/// | TensorFlow's tutorial (`CustomSchedule`) | `step` is the optimizer's count from 0, so its first rate is 0 | factor 1, `step = n` |
/// | AllenNLP `NoamLR` | `lr * factor * ...`, steps from 1 | `factor = lr * factor` |
/// | OpenNMT-py `decay_method: noam` | `learning_rate` multiplies | `factor = learning_rate` |
/// | ESPnet `NoamLR` | `lr * model_size^-0.5 * ...` | `factor = lr` |
/// | ESPnet `WarmupLR`, fairseq and Hugging Face `inverse_sqrt` | the peak rate is given | [`InverseSqrt`](crate::InverseSqrt), or `factor = peak * sqrt(d_model * warmup)` |
/// | Keras, PyTorch, optax | none of this name | a function of the step there; their counters start at 0, so pass `t + 1` |
///
/// # Example
/// ```
/// use noam_schedule::{Noam, Schedule, Step};
/// let noam = Noam::new(512, 4000, 1.0)?;
/// assert_eq!(noam.rate(Step::FIRST), 1.7469281074217108e-7);
/// assert_eq!(noam.rate(Step::new(4000)?), 6.987712429686842e-4);
/// assert_eq!(noam.rate(Step::new(100_000)?), 1.3975424859373684e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noam {
    d_model: u64,
    warmup: u64,
    factor: f64,
}

impl Noam {
    /// The schedule for a model of width `d_model`, a warm-up of `warmup` updates, and a scale of `factor` (1 in the paper).
    ///
    /// # Errors
    /// [`Error::Zero`] if `d_model` or `warmup` is 0, [`Error::Value`] unless `factor` is finite and greater than 0.
    pub fn new(d_model: u64, warmup: u64, factor: f64) -> Result<Self, Error> {
        Ok(Self {
            d_model: error::count(
                "noam",
                "d_model",
                d_model,
                "it is the model's width, 512 in the paper's base model",
            )?,
            warmup: error::count("noam", "warmup", warmup, "4000 is the usual choice")?,
            factor: error::positive("noam", "factor", factor, "1 gives the paper's schedule")?,
        })
    }

    /// The model's width.
    pub fn d_model(&self) -> u64 {
        self.d_model
    }

    /// The updates until the peak.
    pub fn warmup(&self) -> u64 {
        self.warmup
    }

    /// The scale.
    pub fn factor(&self) -> f64 {
        self.factor
    }
}

impl Schedule for Noam {
    fn rate(&self, step: Step) -> f64 {
        let (n, warmup) = (step.get() as f64, self.warmup as f64);
        let width = 1.0 / sqrt(self.d_model as f64);
        let fall = 1.0 / sqrt(n);
        let rise = n * (1.0 / (warmup * sqrt(warmup)));
        self.factor * (width * if rise < fall { rise } else { fall })
    }
}
