//! Generic addresses of what is no device memory: each space has a window, its base plus a byte offset.

/// Where generic addresses of shared memory begin.
pub const SHARED: u64 = 0x0002_0000_0000_0000;
/// Where generic addresses of local memory begin.
pub const LOCAL: u64 = 0x0002_0100_0000_0000;
/// Where generic addresses of the kernel's parameters begin.
pub const PARAM: u64 = 0x0002_0200_0000_0000;

/// The size of each window.
const SIZE: u64 = LOCAL - SHARED;

/// Whether an address is one of shared memory.
#[inline(always)]
pub fn is_shared(address: u64) -> bool {
    address.wrapping_sub(SHARED) < SIZE
}

/// Whether an address is one of local memory.
#[inline(always)]
pub fn is_local(address: u64) -> bool {
    address.wrapping_sub(LOCAL) < SIZE
}

/// Whether an address is one of the kernel's parameters.
#[inline(always)]
pub fn is_param(address: u64) -> bool {
    address.wrapping_sub(PARAM) < SIZE
}

/// The base of the window that an address is in.
pub(super) fn base(address: u64) -> Option<u64> {
    [SHARED, LOCAL, PARAM].into_iter().find(|&base| address.wrapping_sub(base) < SIZE)
}
