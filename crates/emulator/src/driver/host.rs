//! The program's own memory, as its calls name it: the one place where the driver follows the program's pointers.

use crate::memory::{Memory, RegisterError};

/// A pointer of the program's. Whoever made it has vouched for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostPointer(usize);

impl HostPointer {
    /// Takes a pointer from the program.
    ///
    /// # Safety
    /// For as long as an operation with this pointer can run, the bytes that the operation names must be valid for
    /// what it does: reads where it is a source, writes where it is a target; and where it is to be registered, for
    /// what [`Memory::register`] asks.
    pub unsafe fn new(pointer: *const u8) -> Self {
        Self(pointer.expose_provenance())
    }

    /// Its address.
    pub fn address(self) -> u64 {
        self.0 as u64
    }

    /// The pointer some bytes further.
    pub fn offset(self, bytes: u64) -> Self {
        Self(self.0.wrapping_add(bytes as usize))
    }

    /// The bytes from here on, for an operation that reads them.
    pub(super) fn source(&self, bytes: usize) -> &[u8] {
        if bytes == 0 {
            return &[];
        }
        // SAFETY: whoever made `self` has vouched for reads of what an operation names as its source, which these
        // bytes are. Nobody writes them during the operation, or the program has a race of its own.
        unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(self.0), bytes) }
    }

    /// The bytes from here on, for an operation that writes them.
    pub(super) fn target(&mut self, bytes: usize) -> &mut [u8] {
        if bytes == 0 {
            return &mut [];
        }
        // SAFETY: whoever made `self` has vouched for writes to what an operation names as its target. Bytes that
        // were never written are bytes of the program all the same: they were valid for writes before it called, and
        // are overwritten, not read. Nobody else uses them during the operation.
        unsafe { std::slice::from_raw_parts_mut(std::ptr::with_exposed_provenance_mut(self.0), bytes) }
    }

    /// Moves bytes within the program's memory; the ranges may overlap.
    pub(super) fn copy_from(self, source: Self, bytes: usize) {
        // SAFETY: as in `source` and `target`.
        unsafe {
            std::ptr::copy(
                std::ptr::with_exposed_provenance::<u8>(source.0),
                std::ptr::with_exposed_provenance_mut(self.0),
                bytes,
            );
        }
    }

    /// Lets the device reach the program's memory from here on.
    pub(super) fn register(self, memory: &Memory, bytes: u64) -> Result<u64, RegisterError> {
        // SAFETY: whoever made `self` has vouched for what `register` asks.
        unsafe { memory.register(std::ptr::with_exposed_provenance_mut(self.0), bytes) }
    }
}
