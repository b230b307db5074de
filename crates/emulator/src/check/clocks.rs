//! What one thread may know of the others: up to which of their clocks their accesses lie before its own.
//!
//! Each warp has a clock, and an access is stamped with the clock of its warp. The clock moves on when the warp gives
//! away knowledge of what it did, so "all of warp 3's accesses up to clock 7" is what can be known. Knowledge is kept
//! by warp, not by thread, with one exception that matters: a single thread may have released what it did itself
//! while the other lanes of its warp have not. Where that is still too coarse, more is taken as known than is true:
//! a race may be missed, never invented.

use super::tree::Foreign;
use crate::lanes::Mask;

/// What is known of one warp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// Up to this clock, all lanes.
    pub all: u32,
    /// Up to this clock, only `lanes`.
    pub some: u32,
    /// See `some`.
    pub lanes: Mask,
}

impl Known {
    /// All lanes up to a clock.
    pub fn all(clock: u32) -> Self {
        Self { all: clock, some: 0, lanes: 0 }
    }

    /// Some lanes up to a clock.
    pub fn some(clock: u32, lanes: Mask) -> Self {
        Self { all: 0, some: clock, lanes }
    }

    /// The lanes whose accesses at a clock are known.
    #[inline]
    pub fn lanes_at(&self, clock: u32) -> Mask {
        if clock <= self.all {
            Mask::MAX
        } else if clock <= self.some {
            self.lanes
        } else {
            0
        }
    }

    /// Without lanes that `all` says as much about.
    fn reduced(self) -> Self {
        if self.some <= self.all || self.lanes == 0 {
            Self::all(self.all)
        } else if self.lanes == Mask::MAX {
            Self::all(self.some)
        } else {
            self
        }
    }

    /// What either knows, or a little more.
    #[inline]
    pub fn join(&mut self, other: &Self) {
        if other.all >= self.some.max(self.all) && other.lanes == 0 {
            *self = *other;
            return;
        }
        let (old, all) = (*self, self.all.max(other.all));
        let lanes_of = |known: &Self| if known.some > all { known.lanes } else { 0 };
        *self = Self { all, some: old.some.max(other.some), lanes: lanes_of(&old) | lanes_of(other) }.reduced();
    }

    /// What both know, or a little more.
    pub fn meet(&self, other: &Self) -> Self {
        let all = self.all.min(other.all);
        let (mine, theirs) = (self.some.max(self.all), other.some.max(other.all));
        let parts = [
            (self.lanes & other.lanes, mine.min(theirs)),
            (self.lanes & !other.lanes, mine.min(other.all)),
            (other.lanes & !self.lanes, theirs.min(self.all)),
        ];
        let mut met = Self::all(all);
        for (lanes, clock) in parts {
            if lanes != 0 && clock > all {
                met.join(&Self::some(clock, lanes));
            }
        }
        met
    }

    /// Whether `other` says nothing that this does not.
    pub fn includes(&self, other: &Self) -> bool {
        other.all <= self.all && (other.lanes == 0 || other.lanes & !self.lanes_at(other.some) == 0)
    }
}

/// What is known of all warps of the own block, and of other blocks.
#[derive(Clone, Debug, Default)]
pub(super) struct Clocks {
    pub warps: Vec<Known>,
    pub foreign: Foreign,
}

impl Clocks {
    pub fn nothing(warps: usize) -> Self {
        Self { warps: vec![Known::default(); warps], foreign: Foreign::default() }
    }

    pub fn forget(&mut self) {
        self.warps.fill(Known::default());
        self.foreign = Foreign::default();
    }

    pub fn join(&mut self, other: &Self) {
        self.join_warps(&other.warps);
        self.foreign.join(&other.foreign);
    }

    fn join_warps(&mut self, other: &[Known]) {
        for (mine, theirs) in self.warps.iter_mut().zip(other) {
            mine.join(theirs);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By definition: the greatest clock at which a lane is known.
    fn clock_of(known: &Known, lane: u32) -> u32 {
        (0..40).rev().find(|&clock| known.lanes_at(clock) >> lane & 1 == 1).unwrap_or(0)
    }

    fn samples() -> Vec<Known> {
        let mut samples = Vec::new();
        for all in [0, 3, 7] {
            for some in [0, 2, 5, 9] {
                for lanes in [0, 1, 6, Mask::MAX] {
                    samples.push(Known { all, some, lanes }.reduced());
                }
            }
        }
        samples
    }

    #[test]
    fn joins_and_meets_never_know_less_than_is_true() {
        for a in samples() {
            for b in samples() {
                let mut joined = a;
                joined.join(&b);
                let met = a.meet(&b);
                for lane in [0, 1, 2, 3, 31] {
                    let (of_a, of_b) = (clock_of(&a, lane), clock_of(&b, lane));
                    assert!(clock_of(&joined, lane) >= of_a.max(of_b), "{a:?} {b:?} joined to {joined:?}");
                    assert!(clock_of(&met, lane) >= of_a.min(of_b), "{a:?} {b:?} met in {met:?}");
                }
                let truly = (0..32).all(|lane| clock_of(&a, lane) >= clock_of(&b, lane));
                assert_eq!(a.includes(&b), truly, "{a:?} includes {b:?}");
            }
        }
    }

    #[test]
    fn joins_and_meets_are_exact_where_only_one_side_speaks_of_lanes() {
        for a in samples() {
            for clock in [0, 2, 4, 8, 12] {
                let b = Known::all(clock);
                let mut joined = a;
                joined.join(&b);
                let met = a.meet(&b);
                for lane in [0, 1, 2, 3, 31] {
                    assert_eq!(clock_of(&joined, lane), clock_of(&a, lane).max(clock), "{a:?} {b:?} {joined:?}");
                    assert_eq!(clock_of(&met, lane), clock_of(&a, lane).min(clock), "{a:?} {b:?} {met:?}");
                }
            }
        }
    }
}
