//! Schedules made of schedules: one after another, scaled, clamped from below.

use crate::error::{self, Error};
use crate::{Schedule, Step};

/// How the second part of [`Then`] counts its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Count {
    /// Its first step is 1 again, as after PyTorch's `SequentialLR` milestones and optax's `join_schedules` boundaries.
    Restarts,
    /// It goes on with the number of the update, as if it had been there from the start.
    Continues,
}

/// One schedule, then another from a given step on.
///
/// `rate(n) = first.rate(n)` for `n < from`, then `second.rate(n - from + 1)` or `second.rate(n)`, as [`Count`] says.
///
/// # Namesakes
/// optax `join_schedules([first, second], [b])` and PyTorch `SequentialLR(milestones=[b])`: counters `t = n - 1`, so
/// `from = b + 1`, [`Count::Restarts`]. Keras, Hugging Face, fairseq and tensor2tensor have none.
///
/// # Example
/// ```
/// use noam_schedule::{Constant, Count, Linear, Schedule, Step, Then};
/// let schedule = Then::new(Constant::new(1e-3)?, Step::new(101)?, Linear::new(1e-3, 0.0, 10)?, Count::Restarts);
/// assert_eq!(schedule.rate(Step::new(100)?), 1e-3);
/// assert_eq!(schedule.rate(Step::new(101)?), 1e-3);
/// assert_eq!(schedule.rate(Step::new(106)?), 5e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Then<A, B> {
    first: A,
    from: Step,
    second: B,
    count: Count,
}

impl<A: Schedule, B: Schedule> Then<A, B> {
    /// `first` until the update before `from`, `second` from there on.
    pub fn new(first: A, from: Step, second: B, count: Count) -> Self {
        Self { first, from, second, count }
    }

    /// The schedule before `from`.
    pub fn first(&self) -> &A {
        &self.first
    }

    /// The first update of the second schedule.
    pub fn from(&self) -> Step {
        self.from
    }

    /// The schedule from `from` on.
    pub fn second(&self) -> &B {
        &self.second
    }

    /// How the second schedule counts.
    pub fn count(&self) -> Count {
        self.count
    }
}

impl<A: Schedule, B: Schedule> Schedule for Then<A, B> {
    fn rate(&self, step: Step) -> f64 {
        match (step.since(self.from), self.count) {
            (None, _) => self.first.rate(step),
            (Some(anew), Count::Restarts) => self.second.rate(anew),
            (Some(_), Count::Continues) => self.second.rate(step),
        }
    }
}

/// A schedule times a factor: `rate(n) = inner.rate(n) * factor`, at most the greatest finite `f64`.
///
/// # Example
/// ```
/// use noam_schedule::{Constant, Scaled, Schedule, Step};
/// assert_eq!(Scaled::new(Constant::new(1e-3)?, 0.5)?.rate(Step::FIRST), 5e-4);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaled<S> {
    inner: S,
    factor: f64,
}

impl<S: Schedule> Scaled<S> {
    /// `inner` times `factor`.
    ///
    /// # Errors
    /// [`Error::Value`] unless `factor` is finite and greater than 0.
    pub fn new(inner: S, factor: f64) -> Result<Self, Error> {
        Ok(Self { inner, factor: error::positive("scaled", "factor", factor, "1 changes nothing")? })
    }

    /// The schedule that is scaled.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The factor.
    pub fn factor(&self) -> f64 {
        self.factor
    }
}

impl<S: Schedule> Schedule for Scaled<S> {
    fn rate(&self, step: Step) -> f64 {
        (self.inner.rate(step) * self.factor).min(f64::MAX)
    }
}

/// A schedule that never falls below a rate: `rate(n) = max(inner.rate(n), floor)`.
///
/// It clamps every step, a warm-up's first ones too; to leave those alone put the warm-up in front of the floor:
/// `Warmup::new(w, Floor::new(inner, floor)?)`.
///
/// # Example
/// ```
/// use noam_schedule::{Floor, Linear, Schedule, Step};
/// let schedule = Floor::new(Linear::new(1e-3, 0.0, 1000)?, 1e-5)?;
/// assert_eq!(schedule.rate(Step::new(501)?), 5e-4);
/// assert_eq!(schedule.rate(Step::new(1001)?), 1e-5);
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Floor<S> {
    inner: S,
    floor: f64,
}

impl<S: Schedule> Floor<S> {
    /// `inner`, at least `floor`.
    ///
    /// # Errors
    /// [`Error::Value`] unless `floor` is finite and at least 0.
    pub fn new(inner: S, floor: f64) -> Result<Self, Error> {
        Ok(Self { inner, floor: error::rate("floor", "floor", floor)? })
    }

    /// The schedule that is clamped.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// The least rate.
    pub fn floor(&self) -> f64 {
        self.floor
    }
}

impl<S: Schedule> Schedule for Floor<S> {
    fn rate(&self, step: Step) -> f64 {
        self.inner.rate(step).max(self.floor)
    }
}
