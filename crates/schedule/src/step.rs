//! The number of a parameter update.

use core::fmt;
use core::num::NonZeroU64;

use crate::Error;

/// The number of a parameter update: the first is 1, and there is no step 0.
///
/// A step counts updates, nothing else: micro-batches that are accumulated into one update are one step, a batch whose
/// update was skipped has none, and a resumed run goes on from the last one. Whoever applies the update owns the count.
///
/// # Example
/// ```
/// use noam_schedule::Step;
/// assert_eq!(Step::FIRST.get(), 1);
/// assert_eq!(Step::new(4000)?.next().get(), 4001);
/// assert!(Step::new(0).is_err());
/// # Ok::<(), noam_schedule::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(try_from = "u64", into = "u64"))]
pub struct Step(NonZeroU64);

impl Step {
    /// The first update.
    pub const FIRST: Self = Self(NonZeroU64::MIN);
    /// The last that can be counted; at a million updates a second it is 584,000 years away.
    pub const LAST: Self = Self(NonZeroU64::MAX);

    /// The `n`-th update.
    ///
    /// # Errors
    /// [`Error::StepZero`] if `n` is 0.
    pub const fn new(n: u64) -> Result<Self, Error> {
        match NonZeroU64::new(n) {
            Some(n) => Ok(Self(n)),
            None => Err(Error::StepZero),
        }
    }

    /// The number, at least 1.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The update after this one. Saturating: [`Step::LAST`] is followed by itself.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The updates made before this one: 0 at the first. This is the counter `t` of libraries that count from 0.
    pub const fn elapsed(self) -> u64 {
        self.get() - 1
    }

    /// This step's number when the counting starts anew at `start`, which itself becomes 1; `None` before it.
    pub const fn since(self, start: Self) -> Option<Self> {
        match self.get().checked_sub(start.elapsed()) {
            Some(n) => match NonZeroU64::new(n) {
                Some(n) => Some(Self(n)),
                None => None,
            },
            None => None,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<NonZeroU64> for Step {
    fn from(n: NonZeroU64) -> Self {
        Self(n)
    }
}

impl TryFrom<u64> for Step {
    type Error = Error;
    fn try_from(n: u64) -> Result<Self, Error> {
        Self::new(n)
    }
}

impl From<Step> for u64 {
    fn from(step: Step) -> Self {
        step.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_one_and_saturates() {
        assert_eq!(Step::new(0), Err(Error::StepZero));
        assert_eq!(Step::FIRST.next().get(), 2);
        assert_eq!(Step::FIRST.elapsed(), 0);
        assert_eq!(Step::LAST.next(), Step::LAST);
        assert_eq!(Step::LAST.elapsed(), u64::MAX - 1);
    }

    #[test]
    fn counting_anew_starts_at_one() {
        let step = |n| Step::new(n).unwrap();
        assert_eq!(step(10).since(step(10)), Some(Step::FIRST));
        assert_eq!(step(12).since(step(10)), Some(step(3)));
        assert_eq!(step(9).since(step(10)), None);
        assert_eq!(Step::LAST.since(Step::FIRST), Some(Step::LAST));
        assert_eq!(Step::FIRST.since(Step::LAST), None);
    }
}
