//! Adam over one flat parameter buffer, the owner of the count of updates.
//!
//! Algorithm 1 of Kingma & Ba 2015, "Adam: a method for stochastic optimization" (arXiv:1412.6980), with the
//! decoupled weight decay of Loshchilov & Hutter 2019 (arXiv:1711.05101) as an option. Update t = 1, 2, ... of
//! parameter i:
//!
//! ```text
//! g = scale * grads[i]
//! m = beta1 m + (1 - beta1) g                 v = beta2 v + (1 - beta2) g^2
//! params[i] -= rate(t) * ( m / (1 - beta1^t) / ( sqrt(v / (1 - beta2^t)) + epsilon ) + weight_decay * params[i] )
//! ```
//!
//! Epsilon stands beside the corrected root, as in Algorithm 1, PyTorch and optax. Keras adds it to sqrt(v) before
//! the correction (the paper's "epsilon hat", section 2): its epsilon e at step t is e / sqrt(1 - beta2^t) here.
//!
//! # The count and the rate
//! [`Adam`] counts the updates that have changed parameters, and reads the schedule at that count plus one.
//! Accumulating gradients, resuming, or skipping an update whose gradients are not finite moves neither the count nor
//! the schedule, and the rate in [`Outcome::Applied`] is the one that this update used.
//!
//! # Arithmetic
//! What depends on the step alone is f64, rounded to f32 once: see [`Scalars`]. Per element, in f32, every operation
//! rounded as IEEE 754 says, `fma` being a fused multiply-add and everything else separate:
//!
//! ```text
//! g  = scale * grads[i]
//! m' = flush( fma(w1, g - m, m) )             w1 = 1 - beta1
//! v' = flush( fma(w2, fma(g, g, -v), v) )     w2 = 1 - beta2
//! d  = fma( sqrt(v'), root_correction, epsilon )
//! u  = fma( decay, params[i], step_size * (m' / d) )
//! params[i] = params[i] - u
//! ```
//!
//! `flush(x)` is (plus) zero where |x| < 2^-126, else x, NaN included: a moment that decays after its gradients have
//! ended reaches zero instead of staying subnormal for good, where many processors compute several times slower.
//! Means written as `m + w (g - m)` keep what a constant gradient should give: w is 1 - beta rounded once, whereas a
//! rounded beta near 1 would be out by 2^-25 / (1 - beta).
//!
//! Elements are independent, so threads and blocks cannot change a bit. Least traffic: 28 bytes a parameter (32 with
//! [`Gradients::Clear`]).

mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(test)]
mod reference;
mod scalars;
#[cfg(test)]
mod tests;

use crate::{Error, error::check_len};
use noam_schedule::{Schedule, Step};

pub use scalars::{Config, EPSILON_MIN, Scalars};

const OP: &str = "adam";

/// What becomes of the gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gradients {
    /// They stay as they are.
    #[default]
    Keep,
    /// They are zero afterwards, ready to be added to, whether or not the update was skipped. In the same pass over
    /// memory this costs 4 bytes of traffic a parameter.
    Clear,
}

/// What the update needs to know of the gradients beyond their values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GradScale {
    /// The L2 norm of all the gradients, as [`grad_norm`](crate::grad_norm::grad_norm) returns it or times any
    /// positive number: only whether it is finite is asked.
    pub norm: f64,
    /// The factor for every gradient, finite and not negative: averaging times
    /// [`clip_factor`](crate::grad_norm::clip_factor), or 1.
    pub scale: f32,
    /// What becomes of the gradients.
    pub after: Gradients,
}

/// The buffers of an update, each of one value a parameter in the same order.
#[derive(Debug)]
pub struct State<'a> {
    /// The parameters.
    pub params: &'a mut [f32],
    /// Their gradients; written only with [`Gradients::Clear`].
    pub grads: &'a mut [f32],
    /// First moments, zero before the first update.
    pub m: &'a mut [f32],
    /// Second moments, zero before the first update.
    pub v: &'a mut [f32],
}

/// What an update did.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use = "a skipped update, or one that left NaN behind, should be reported"]
pub enum Outcome {
    /// The parameters and moments have changed.
    Applied {
        /// The number of this update, from 1.
        step: Step,
        /// The rate that it used.
        rate: f64,
        /// Whether every parameter and moment is finite now. If not, something other than the gradients was at fault
        /// (a damaged moment or parameter, or a gradient beyond 1e19), and these weights should not be saved.
        finite: bool,
    },
    /// The norm was not finite: parameters, moments and the count are as they were.
    Skipped {
        /// The norm.
        norm: f64,
    },
}

/// The optimiser: its constants and the count of updates. The moments are the caller's, in [`State`].
///
/// # Example
/// ```
/// use noam_kernels::adam::{Adam, Config, GradScale, Gradients, Outcome, State};
/// use noam_schedule::Noam;
///
/// let noam = Noam::new(512, 4000, 1.0)?;
/// let mut adam = Adam::new(Config::default())?;
/// let (mut params, mut grads, mut m, mut v) = ([1.0], [3.0], [0.0], [0.0]);
/// let state = State { params: &mut params, grads: &mut grads, m: &mut m, v: &mut v };
/// let gradient = GradScale { norm: 3.0, scale: 1.0, after: Gradients::Clear };
/// match adam.update(&noam, gradient, state)? {
///     Outcome::Applied { step, rate, finite } => println!("update {step} at {rate}, finite: {finite}"),
///     Outcome::Skipped { norm } => println!("skipped: the gradients' norm is {norm}"),
/// }
/// assert_eq!(adam.updates(), 1);
/// assert!((params[0] - (1.0 - 1.75e-7)).abs() < 1e-7); // the first step has the size of the rate
/// assert_eq!(grads, [0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Adam {
    config: Config,
    updates: u64,
}

impl Adam {
    /// Before the first update.
    ///
    /// # Errors
    /// Those of [`Config::check`].
    pub fn new(config: Config) -> Result<Self, Error> {
        Self::resume(config, 0)
    }

    /// After `updates` updates, as [`Adam::updates`] gave them. The next one is number `updates + 1`.
    ///
    /// # Errors
    /// Those of [`Config::check`].
    pub fn resume(config: Config, updates: u64) -> Result<Self, Error> {
        config.check()?;
        Ok(Adam { config, updates })
    }

    /// How many updates have been applied.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The constants.
    pub fn config(&self) -> Config {
        self.config
    }

    /// One update: number [`updates`](Adam::updates)` + 1`, at the schedule's rate for that step.
    ///
    /// If `gradient.norm` is not finite the update is skipped, and neither the count nor the schedule advances.
    ///
    /// # Errors
    /// [`Error::Length`] if the buffers differ in length; [`Error::Scalar`] if the scale is negative or not finite,
    /// or the schedule's rate is (see [`Config::scalars`]); [`Error::Size`] after 2^64 - 1 updates. On error nothing
    /// has changed.
    pub fn update<S: Schedule + ?Sized>(
        &mut self,
        schedule: &S,
        gradient: GradScale,
        state: State<'_>,
    ) -> Result<Outcome, Error> {
        let n = state.params.len();
        for (arg, got) in [("grads", state.grads.len()), ("m", state.m.len()), ("v", state.v.len())] {
            check_len(OP, arg, "(params.len())", got, n)?;
        }
        let GradScale { norm, scale, after } = gradient;
        if !norm.is_finite() {
            if after == Gradients::Clear {
                cpu::clear(state.grads);
            }
            return Ok(Outcome::Skipped { norm });
        }
        if !(scale.is_finite() && scale >= 0.0) {
            return Err(Error::Scalar {
                op: OP,
                what: "the gradient's scale",
                got: f64::from(scale),
                limit: "finite and not negative; 1 leaves the gradients as they are",
            });
        }
        let step = self.updates.checked_add(1).and_then(|n| Step::new(n).ok()).ok_or(Error::Size {
            op: OP,
            what: "the count of updates",
            got: usize::MAX,
            limit: "less than 2^64 - 1; was it read from a damaged file?",
        })?;
        let scalars = self.config.scalars(schedule, step)?;
        let finite = match after {
            Gradients::Keep => cpu::update::<false>(state, &scalars, scale),
            Gradients::Clear => cpu::update::<true>(state, &scalars, scale),
        };
        self.updates = step.get();
        Ok(Outcome::Applied { step, rate: scalars.rate, finite })
    }
}
