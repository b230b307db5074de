#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod advise;
mod compose;
mod constant;
mod cosine;
mod cosine_restarts;
mod decay;
mod error;
mod exponential;
pub mod feedback;
mod inverse_sqrt;
mod inverse_time;
mod linear;
mod list;
mod math;
mod noam;
mod piecewise;
mod polynomial;
mod spec;
mod step;
mod warmup;
mod wsd;

pub use advise::{Advice, Facts, Precision, Reason, Warning, advise};
pub use compose::{Count, Floor, Scaled, Then};
pub use constant::Constant;
pub use cosine::Cosine;
pub use cosine_restarts::CosineRestarts;
pub use error::Error;
pub use exponential::Exponential;
pub use inverse_sqrt::InverseSqrt;
pub use inverse_time::InverseTime;
pub use linear::Linear;
pub use list::{List, MAX_PIECES};
pub use noam::Noam;
pub use piecewise::Piecewise;
pub use polynomial::Polynomial;
pub use spec::{Fields, Kind, Parameter, Rule, Spec};
pub use step::Step;
pub use warmup::Warmup;
pub use wsd::{Shape, Wsd};

/// A learning rate for every parameter update.
///
/// An implementation is a pure function: the same step always gives the same bits. Its rates are finite and not negative at
/// every step up to [`Step::LAST`]; parameters for which that would not hold are refused when it is built.
///
/// # Example
/// ```
/// use noam_schedule::{Schedule, Step};
///
/// /// Half of the rate on every second update.
/// struct Limping(f64);
///
/// impl Schedule for Limping {
///     fn rate(&self, step: Step) -> f64 {
///         if step.get() % 2 == 0 { self.0 / 2.0 } else { self.0 }
///     }
/// }
/// assert_eq!(Limping(1e-3).rate(Step::new(2)?), 5e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
pub trait Schedule {
    /// The rate of the update with this number.
    fn rate(&self, step: Step) -> f64;
}

impl<S: Schedule + ?Sized> Schedule for &S {
    fn rate(&self, step: Step) -> f64 {
        (**self).rate(step)
    }
}
