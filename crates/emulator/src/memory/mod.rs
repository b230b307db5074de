//! Memory: what the driver allocates, and what a running block sees of it.
//!
//! [`Memory`] is a device's memory: allocations with virtual addresses, host memory that the device can reach, copies
//! between them. A launch takes a [`Map`] of it, an immutable list of what is there, and every OS thread that runs
//! blocks makes a [`BlockMemory`] of the map: it turns the addresses of a warp's 32 lanes into pointers, refuses those
//! that lie outside of everything, and tells the checks and counters what is accessed.
//!
//! Each allocation has a bit a byte that says whether anything ever wrote it. Copies from the host always keep these
//! bits; kernels read and keep them when [`Checks::initialization`](crate::finding::Checks::initialization) is on.
//! What the host can write by itself (pinned, managed, registered memory) counts as written.
//!
//! Nothing here is cleared for a kernel's comfort: device memory is zero when it is new, but shared and local memory
//! hold [`GARBAGE`] when a block begins, which is NaN in every floating-point format and -1 in every integer, so that
//! a kernel that reads what it never wrote is likely to be noticed without any check.

mod access;
mod allocation;
mod banks;
mod block;
mod count;
mod counters;
mod describe;
mod error;
mod findings;
mod frames;
mod heap;
mod local;
mod map;
mod observe;
mod order;
mod races;
mod region;
mod request;
mod sectors;
mod slow;
mod span;
mod touched;
mod transfer;
pub mod window;
mod written;
mod zeroed;

#[cfg(test)]
mod tests;

pub use access::{Element, atomic_update16, atomic_update32, atomic_update64, copy_unit, load, store};
pub use allocation::{AllocationInfo, AllocationKind};
pub use block::{BlockMemory, Config, GARBAGE};
pub use counters::{Accesses, MemoryCounters};
pub use error::{AllocateError, FreeError, MemoryError, RegisterError};
pub use findings::{Findings, Found};
pub use heap::Memory;
pub use map::Map;
pub use request::{Op, Request, Sharing, Space};
pub use window::{LOCAL, PARAM, SHARED};
