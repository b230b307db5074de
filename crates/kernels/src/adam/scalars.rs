//! What an update needs besides its buffers: the constants, and the numbers that depend on the step alone.

use super::OP;
use crate::Error;
use noam_schedule::{Schedule, Step};

/// The least epsilon, 2^-63 = 1.1e-19: the root of the smallest second moment that is not flushed to zero. Beside a
/// smaller epsilon, what is flushed would still have counted.
pub const EPSILON_MIN: f64 = 1.0 / (1u64 << 63) as f64;

/// Adam's constants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// Decay of the first moment, at least 0 and less than 1.
    pub beta1: f64,
    /// Decay of the second moment, at least 0 and less than 1.
    pub beta2: f64,
    /// Added to the root of the corrected second moment; finite and at least [`EPSILON_MIN`].
    pub epsilon: f64,
    /// Decoupled weight decay, multiplied by the rate; finite and not negative, 0 for none.
    pub weight_decay: f64,
}

impl Default for Config {
    /// Those of Vaswani et al. 2017, section 5.3: 0.9, 0.98, 1e-9, and no decay.
    fn default() -> Self {
        Config { beta1: 0.9, beta2: 0.98, epsilon: 1e-9, weight_decay: 0.0 }
    }
}

/// The numbers of one step, the same for every parameter: 32 bytes, with a layout that a table in device memory can
/// have.
///
/// Each is computed in f64 and rounded to f32 once. `beta^t` is a product in a fixed order: with `power = 1` and
/// `square = beta`, for the bits of t from the lowest, `power *= square` where the bit is set, then `square *=
/// square`.
#[derive(Clone, Copy, Debug, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct Scalars {
    /// The schedule's rate at this step.
    pub rate: f64,
    /// `rate / (1 - beta1^t)`.
    pub step_size: f32,
    /// `1 / sqrt(1 - beta2^t)`.
    pub root_correction: f32,
    /// `rate * weight_decay`.
    pub decay: f32,
    /// Epsilon.
    pub epsilon: f32,
    /// `1 - beta1`.
    pub w1: f32,
    /// `1 - beta2`.
    pub w2: f32,
}

impl Config {
    /// Checks the constants.
    ///
    /// # Errors
    /// [`Error::Scalar`] names the first one outside its range.
    pub fn check(&self) -> Result<(), Error> {
        let in_range =
            |ok: bool, what, got, limit| if ok { Ok(()) } else { Err(Error::Scalar { op: OP, what, got, limit }) };
        let unit = |beta: f64| (0.0..1.0).contains(&beta);
        in_range(unit(self.beta1), "beta1", self.beta1, "at least 0 and less than 1; 0.9 is the usual choice")?;
        in_range(
            unit(self.beta2),
            "beta2",
            self.beta2,
            "at least 0 and less than 1; 0.98 or 0.999 are the usual choices",
        )?;
        in_range(
            (self.epsilon as f32).is_finite() && self.epsilon >= EPSILON_MIN,
            "epsilon",
            self.epsilon,
            "finite in f32 and at least 1.1e-19 (2^-63); 1e-9 and 1e-8 are the usual choices",
        )?;
        in_range(
            self.weight_decay.is_finite() && self.weight_decay >= 0.0,
            "weight_decay",
            self.weight_decay,
            "finite and not negative; 0 for none, 0.01 is a usual choice",
        )
    }

    /// The numbers of update `step`: a pure function of the constants and the schedule, so a table of the next steps
    /// can be filled ahead of them.
    ///
    /// # Errors
    /// [`Error::Scalar`] if a constant is outside its range, or if the schedule's rate is negative, not finite, or so
    /// large that a scalar made from it would be infinite in f32.
    pub fn scalars<S: Schedule + ?Sized>(&self, schedule: &S, step: Step) -> Result<Scalars, Error> {
        self.check()?;
        let rate = schedule.rate(step);
        let scalars = Scalars {
            rate,
            step_size: (rate / (1.0 - power(self.beta1, step.get()))) as f32,
            root_correction: (1.0 / (1.0 - power(self.beta2, step.get())).sqrt()) as f32,
            decay: (rate * self.weight_decay) as f32,
            epsilon: self.epsilon as f32,
            w1: (1.0 - self.beta1) as f32,
            w2: (1.0 - self.beta2) as f32,
        };
        if rate >= 0.0 && scalars.step_size.is_finite() && scalars.decay.is_finite() {
            Ok(scalars)
        } else {
            let limit = "finite, not negative and within f32's range; check the schedule's parameters";
            Err(Error::Scalar { op: OP, what: "the schedule's rate", got: rate, limit })
        }
    }
}

/// `beta^t` in the order that [`Scalars`] states.
pub(super) fn power(beta: f64, mut t: u64) -> f64 {
    let (mut power, mut square) = (1.0, beta);
    while t > 0 {
        if t & 1 == 1 {
            power *= square;
        }
        square *= square;
        t >>= 1;
    }
    power
}
