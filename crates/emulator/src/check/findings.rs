//! Races found, each pair of instructions once.

use std::collections::HashSet;

use super::launch::RaceLaunch;
use crate::{
    finding::{Finding, Kind, Thread},
    lanes::LANES,
};

/// Findings that are kept.
const KEPT: usize = 1000;

/// One side of a race.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side {
    pub block: u32,
    pub pc: u32,
    pub warp: u32,
    pub lane: u32,
}

impl Side {
    fn thread(&self, launch: &RaceLaunch) -> Thread {
        let split = |linear: u64, [x, y, _]: [u32; 3]| {
            let (x, y) = (u64::from(x.max(1)), u64::from(y.max(1)));
            [(linear % x) as u32, (linear / x % y) as u32, (linear / x / y) as u32]
        };
        let linear = u64::from(self.warp) * LANES as u64 + u64::from(self.lane);
        Thread { block: split(u64::from(self.block), launch.grid), thread: split(linear, launch.threads) }
    }
}

/// What a checker found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    seen: HashSet<(Kind, u32, u32)>,
    list: Vec<Finding>,
}

impl Findings {
    /// Notes that `new` met `old` at an address, unless the same two instructions did already.
    #[cold]
    #[inline(never)]
    pub fn note(&mut self, launch: &RaceLaunch, kind: Kind, new: Side, old: Side, address: (u64, u32)) {
        if self.seen.len() >= KEPT || !self.seen.insert((kind, new.pc, old.pc)) {
            return;
        }
        let words = match kind {
            Kind::AsyncCopyNotWaited => "the copy's thread has not waited for it".to_owned(),
            _ if new.block != old.block => "nothing orders the two blocks' accesses".to_owned(),
            _ if new.warp == old.warp && new.lane == old.lane => String::new(),
            _ if new.warp == old.warp => "nothing orders the two lanes of one warp".to_owned(),
            _ => "no barrier orders the two accesses".to_owned(),
        };
        self.list.push(Finding {
            kind,
            pc: new.pc,
            thread: new.thread(launch),
            other: Some((old.pc, old.thread(launch))),
            address: Some(address),
            detail: words,
        });
    }

    pub fn take(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.list)
    }
}
