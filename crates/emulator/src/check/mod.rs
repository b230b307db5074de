//! Races: accesses of two threads to one place that nothing orders.
//!
//! # What to call
//! - [`RaceLaunch::new`] for each launch; every OS thread that runs its blocks makes a [`RaceChecker`] of it.
//! - [`RaceShadow::new`] for each allocation of device memory, kept beside it for as long as it lives. What it
//!   remembers belongs to one launch: between launches everything is ordered.
//! - [`RaceChecker::begin_block`] before a block; [`RaceChecker::take_findings`] after it, or less often.
//! - At each access of a warp [`RaceChecker::shared`], [`RaceChecker::shared_async`] or [`RaceChecker::global`], with
//!   an [`Access`]; after an atomic one of global memory [`RaceChecker::made`].
//! - At synchronisation:
//!
//! | instruction                                   | call                                                            |
//! |-----------------------------------------------|-----------------------------------------------------------------|
//! | `bar.warp.sync`, once its lanes have met      | [`RaceChecker::sync_warp`]                                      |
//! | `bar`, `barrier`: each arrival                | [`RaceChecker::arrive`], then, when it is complete,             |
//! |                                               | [`RaceChecker::complete`]                                       |
//! | `membar`, `fence`                             | [`RaceChecker::fence`]                                          |
//! | lanes end                                     | [`RaceChecker::end_lanes`], before barriers are looked at       |
//! | `cp.async.commit_group`                       | [`RaceChecker::commit`]                                         |
//! | `cp.async.wait_group n`                       | [`RaceChecker::wait_group`]                                     |
//! | `cp.async.wait_all`                           | [`RaceChecker::wait_all`]                                       |
//! | `cp.async.mbarrier.arrive`                    | [`RaceChecker::join_phase`]                                     |
//! | `mbarrier` arrive                             | [`RaceChecker::release`]                                        |
//! | `mbarrier` wait that succeeded                | [`RaceChecker::finish_phase`], [`RaceChecker::acquire`]         |
//!
//! Atomics and strong loads and stores need no call besides their access: they pass on what PTX says they do.
//!
//! # What is a race
//! Two accesses to a byte by different threads, one of them a write, with no order between them; unless both are
//! strong (volatile, relaxed, acquire, release, atomic) and see each other (`.cta` does not reach another block).
//! Order comes from the program of each thread, from barriers, `bar.warp.sync`, and from a strong write, after a fence
//! or with `.release`, that a strong read sees. The fence may be that of the thread that did the work, before a
//! barrier, or that of the thread that writes the flag, after it; the one who reads the flag needs none. Lanes of a
//! warp are threads like others: lockstep orders nothing, nor do `shfl` and `vote`. The lanes of one store race if they
//! put different values in one place; stores of different instructions or warps race whatever they put.
//!
//! # What may be missed
//! Nothing that is ordered is ever reported. Not all that is unordered is:
//! - What happened, in the order it happened to run, is judged; not what might have happened.
//! - After a race at some place, others at the same place, until the next order is established, may go unreported; the
//!   other side of a report may then be a lane that came in the same access as the one that raced.
//! - What a lane learns from a flag counts as learnt by other lanes of its warp that read flags as well; part of a warp
//!   at a barrier, as all of it; a thread that ended, as arrived at every barrier since.
//! - Of accesses to global memory that have no order among them, two of a class (reads, strong reads, strong writes)
//!   are remembered of each place, of different blocks or warps if there are such. Where only launches and barriers
//!   order threads, that misses nothing. Once flags order blocks 16 are, as are 64 in shared memory when some threads
//!   of a block meet without others.
//! - When that happens, who read a word of shared memory before it is known by warp only.
//! - A place that was accessed both as a flag and weakly: a weak access after a flag's write is let pass where anyone
//!   ordered before it may have seen that write.

mod cells;
mod checker;
mod clocks;
mod copies;
mod findings;
mod global;
mod launch;
mod list;
mod order;
mod pieces;
mod record;
mod shared;
mod tree;

#[cfg(test)]
mod tests;

pub use checker::RaceChecker;
pub use global::RaceShadow;
pub use launch::RaceLaunch;

use crate::lanes::{Mask, Row};

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Reads and writes in one step; never weak.
    Atomic,
}

/// How an access orders others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Strength {
    /// An ordinary access, for a thread's own use.
    Weak,
    /// `.relaxed`, `.volatile`, `.mmio`, and atomics that say nothing else.
    Relaxed,
    /// `.acquire`.
    Acquire,
    /// `.release`.
    Release,
    /// `.acq_rel`.
    AcquireRelease,
}

/// Whom a fence or a strong access concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `.cta`: threads of the block.
    Block = 0,
    /// `.cluster`, `.gpu`, `.sys`: threads of all blocks.
    Device = 1,
}

/// A warp's access to memory.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// What it does.
    pub op: Op,
    /// How it orders others.
    pub strength: Strength,
    /// Whom that concerns.
    pub scope: Scope,
    /// The instruction.
    pub pc: u32,
    /// The warp within its block.
    pub warp: u32,
    /// The lanes that take part.
    pub mask: Mask,
    /// Bytes a lane.
    pub bytes: u32,
    /// Each lane's address; those of lanes outside of `mask` are ignored.
    pub addresses: &'a Row<u64>,
    /// The address where the allocation, or shared memory, begins. All lanes are in it.
    pub base: u64,
    /// Start and length, where the lanes of `mask` are neighbours and access one run of bytes in their order, or where
    /// they all access one place, whose length is `bytes`. It is looked for where it is not told.
    pub run: Option<(u64, u64)>,
}

impl<'a> Access<'a> {
    /// A weak access by no lane yet.
    pub fn weak(op: Op, pc: u32, warp: u32, addresses: &'a Row<u64>) -> Self {
        let (strength, scope) = (Strength::Weak, Scope::Device);
        Self { op, strength, scope, pc, warp, mask: 0, bytes: 0, addresses, base: 0, run: None }
    }

    fn is_strong(&self) -> bool {
        self.strength != Strength::Weak || self.op == Op::Atomic
    }

    fn releases(&self) -> bool {
        matches!(self.strength, Strength::Release | Strength::AcquireRelease)
    }

    fn reads(&self) -> bool {
        matches!(self.op, Op::Read | Op::Atomic)
    }

    fn writes(&self) -> bool {
        matches!(self.op, Op::Write | Op::Atomic)
    }
}
