//! What the checks find, and where: the vocabulary of reports.

use std::fmt;

/// A thread of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Thread {
    /// The block's index in the grid (x, y, z).
    pub block: [u32; 3],
    /// The thread's index in the block (x, y, z).
    pub thread: [u32; 3],
}

/// A check that can be switched on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// Bounds, alignment, use after free: compute-sanitizer's memcheck.
    Memory,
    /// Reading what nothing wrote: initcheck, for shared and local memory too.
    Initialization,
    /// Two threads at one place without an order between them: racecheck, for global memory too.
    Race,
    /// Misuse of barriers and of lane masks: synccheck.
    Synchronization,
    /// Memory not freed at the end of its context.
    Leak,
}

/// Which checks are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Checks {
    /// [`Check::Memory`]. An access outside of every allocation ends a kernel in any case; with this check on it is
    /// described, and the gaps between allocations are watched too.
    pub memory: bool,
    /// [`Check::Initialization`].
    pub initialization: bool,
    /// [`Check::Race`].
    pub race: bool,
    /// [`Check::Synchronization`].
    pub synchronization: bool,
    /// [`Check::Leak`].
    pub leak: bool,
}

impl Checks {
    /// Every check on.
    pub const ALL: Self = Self { memory: true, initialization: true, race: true, synchronization: true, leak: true };
    /// Every check off.
    pub const NONE: Self =
        Self { memory: false, initialization: false, race: false, synchronization: false, leak: false };
}

/// What exactly was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Each is what `describe` says.
pub enum Kind {
    OutOfBounds,
    Misaligned,
    UseAfterFree,
    ReadOnlyWrite,
    UninitializedRead,
    SharedRace,
    GlobalRace,
    AsyncCopyNotWaited,
    DivergentBarrier,
    BarrierMismatch,
    InvalidMask,
    Hang,
    Leak,
    StackOverflow,
    Trap,
    Assertion,
    StepBudget,
    InvalidOperand,
}

impl Kind {
    /// The check it belongs to; `None` for what is always an error.
    pub fn check(self) -> Option<Check> {
        Some(match self {
            Self::OutOfBounds | Self::Misaligned | Self::UseAfterFree | Self::ReadOnlyWrite => Check::Memory,
            Self::UninitializedRead => Check::Initialization,
            Self::SharedRace | Self::GlobalRace | Self::AsyncCopyNotWaited => Check::Race,
            Self::DivergentBarrier | Self::BarrierMismatch | Self::InvalidMask => Check::Synchronization,
            Self::Leak => Check::Leak,
            Self::Hang
            | Self::StackOverflow
            | Self::Trap
            | Self::Assertion
            | Self::StepBudget
            | Self::InvalidOperand => {
                return None;
            }
        })
    }

    /// A few words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::OutOfBounds => "access out of bounds",
            Self::Misaligned => "misaligned access",
            Self::UseAfterFree => "use after free",
            Self::ReadOnlyWrite => "write to memory that can only be read",
            Self::UninitializedRead => "read of memory that nothing wrote",
            Self::SharedRace => "race in shared memory",
            Self::GlobalRace => "race between blocks in global memory",
            Self::AsyncCopyNotWaited => "access to bytes of an asynchronous copy not waited for",
            Self::DivergentBarrier => "barrier reached by a part of a warp",
            Self::BarrierMismatch => "threads meet at different barriers",
            Self::InvalidMask => "lane mask does not fit the lanes that execute",
            Self::Hang => "hang: no thread of the block can go on",
            Self::Leak => "memory not freed",
            Self::StackOverflow => "stack overflow",
            Self::Trap => "trap instruction",
            Self::Assertion => "assertion failed",
            Self::StepBudget => "step budget used up",
            Self::InvalidOperand => "operand the instruction does not allow",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe())
    }
}

/// One finding as the engine meets it: places as program counters, to be resolved by the program's line table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// The instruction, as an index into the program's code.
    pub pc: u32,
    /// The thread.
    pub thread: Thread,
    /// The other side of a race, or of a barrier: instruction and thread.
    pub other: Option<(u32, Thread)>,
    /// The address, as the program computed it, and the bytes accessed.
    pub address: Option<(u64, u32)>,
    /// More in words: the allocation, how far outside, who waits where.
    pub detail: String,
}
