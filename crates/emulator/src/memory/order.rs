//! What synchronisation means for memory: the order that the race checks know of.

use super::block::BlockMemory;
use crate::{check::Scope, lanes::Mask};

/// Barriers are told when they are complete, so one name does for all.
const BARRIER: u32 = 0;

impl BlockMemory<'_> {
    /// An atomic access, whose pointers were resolved, is made. Until this is told, blocks of other threads of the
    /// machine may have to wait with theirs.
    #[inline]
    pub fn made(&mut self) {
        if let Some(races) = self.races() {
            races.made();
        }
    }

    /// A barrier of the block was completed: these lanes, by warp, had arrived, and of them these waited for it.
    ///
    /// What a lane did between an arrival without waiting and the barrier's completion counts as done before it.
    pub fn barrier(&mut self, arrived: &[(u32, Mask)], waited: &[(u32, Mask)]) {
        let Some(races) = self.races() else { return };
        for &(warp, lanes) in arrived {
            let waits = waited.iter().filter(|(other, _)| *other == warp).fold(0, |all, (_, mask)| all | mask);
            for (mask, waits) in [(lanes & !waits, false), (lanes & waits, true)] {
                if mask != 0 {
                    races.arrive(warp, mask, BARRIER, waits);
                }
            }
        }
        races.complete(BARRIER);
    }

    /// Lanes of a warp have met.
    pub fn warp_sync(&mut self, warp: u32, mask: Mask) {
        if let Some(races) = self.races() {
            races.sync_warp(warp, mask);
        }
    }

    /// Lanes have executed a fence, or are about to execute an access that releases.
    pub fn fence(&mut self, warp: u32, mask: Mask) {
        if let Some(races) = self.races() {
            races.fence(warp, mask, Scope::Device);
        }
    }

    /// Lanes close a group of asynchronous copies.
    pub fn async_commit(&mut self, warp: u32, mask: Mask) {
        if let Some(races) = self.races() {
            races.commit(warp, mask);
        }
    }

    /// Lanes wait until at most so many of their groups are pending; for all copies without a number.
    pub fn async_wait(&mut self, warp: u32, mask: Mask, groups: Option<u32>) {
        if let Some(races) = self.races() {
            match groups {
                Some(groups) => races.wait_group(warp, mask, groups),
                None => races.wait_all(warp, mask),
            }
        }
    }

    /// Lanes arrive at a barrier in memory: what they did is before what those do who wait for it.
    pub fn release_barrier(&mut self, warp: u32, mask: Mask, barrier: u64) {
        if let Some(races) = self.races() {
            races.release(warp, mask, barrier);
        }
    }

    /// Lanes have waited for a phase of a barrier in memory: what completes on it is there.
    pub fn acquire_barrier(&mut self, warp: u32, mask: Mask, barrier: u64, phase: u64) {
        if let Some(races) = self.races() {
            races.finish_phase(barrier, phase);
            races.acquire(warp, mask, barrier);
        }
    }

    /// What lanes have begun to copy completes on a phase of a barrier in memory.
    pub fn async_complete_on(&mut self, warp: u32, mask: Mask, phase: u64) {
        if let Some(races) = self.races() {
            races.join_phase(warp, mask, phase);
        }
    }

    /// Lanes end. To be told before barriers are looked at that no longer wait for them.
    pub fn end_lanes(&mut self, warp: u32, mask: Mask) {
        if let Some(races) = self.races() {
            races.end_lanes(warp, mask);
        }
    }
}
