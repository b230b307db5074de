//! A warp's access to memory, as an instruction asks for it.

use crate::{
    check::Scope,
    lanes::{Mask, Row},
};

/// Which kind of address an instruction takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// Any: an address of device memory, of host memory the device can reach, or in a [`window`](super::window).
    Generic,
    /// Device memory, or host memory the device can reach.
    Global,
    /// An offset into the block's shared memory.
    Shared,
    /// An offset into the thread's local memory.
    Local,
    /// An address of device memory that can only be read.
    Const,
    /// An offset into the kernel's parameters, which can only be read.
    Param,
}

/// What an access does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// Reads.
    Load,
    /// Writes.
    Store,
    /// Reads and writes in one step.
    Atomic,
    /// Writes at some time before it is waited for: `cp.async` into shared memory.
    AsyncStore,
}

impl Op {
    /// Whether it reads.
    #[inline(always)]
    pub fn reads(self) -> bool {
        matches!(self, Self::Load | Self::Atomic)
    }

    /// Whether it writes.
    #[inline(always)]
    pub fn writes(self) -> bool {
        !matches!(self, Self::Load)
    }
}

/// A warp's access.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    /// What the addresses are.
    pub space: Space,
    /// What it does.
    pub op: Op,
    /// Bytes a lane: 1, 2, 4, 8, 16 or 32, nothing else. Addresses must be multiples of it.
    pub bytes: u32,
    /// Each lane's address; those of lanes outside of `mask` are ignored.
    pub addresses: &'r Row<u64>,
    /// The lanes that take part.
    pub mask: Mask,
    /// The instruction, as an index into the program's code.
    pub pc: u32,
    /// The warp within its block.
    pub warp: u32,
    /// Whether other threads may access the same bytes at the same time: volatile, relaxed, acquire, release. Atomics
    /// are in any case.
    pub strong: bool,
    /// Bytes of local memory in use by the frames from the kernel's to the one that runs. Local accesses past it are
    /// out of bounds.
    pub local_top: u32,
}

/// What an access is to other threads, for the race checks.
///
/// What a `.release` access orders is told by [`RaceChecker::fence`](crate::check::RaceChecker::fence) before it; an
/// acquiring one needs no more than to be strong.
#[derive(Clone, Copy)]
pub struct Sharing<'r> {
    /// Whom a strong access reaches.
    pub scope: Scope,
    /// Whether two lanes of a store put the same value. Without it stores of one instruction to one place are not
    /// judged.
    pub same: Option<&'r dyn Fn(usize, usize) -> bool>,
    /// Of an asynchronous store: the phase of a barrier in memory that it completes on, instead of its thread's
    /// waiting. See [`RaceChecker::shared_for_phase`](crate::check::RaceChecker::shared_for_phase).
    pub phase: Option<u64>,
}

impl Default for Sharing<'_> {
    /// All blocks, and no judgement of stores to one place.
    fn default() -> Self {
        Self { scope: Scope::Device, same: None, phase: None }
    }
}
