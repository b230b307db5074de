//! Zeroed memory that the machine gives page by page as it is touched, or refuses without ending the process.

use std::{
    alloc::{Layout, alloc_zeroed, dealloc},
    ptr::NonNull,
    sync::atomic::AtomicU64,
};

/// Alignment of every block: what `calloc` gives, which hands out untouched pages. More would be asked of
/// `posix_memalign` and cleared by hand.
const ALIGN: usize = 16;

/// An owned block of memory, zero at first. It is read and written through its pointer only.
#[derive(Debug)]
pub(super) struct Zeroed {
    pointer: NonNull<u8>,
    layout: Layout,
}

impl Zeroed {
    /// At least one byte; `None` where the machine does not have them.
    pub(super) fn new(bytes: u64) -> Option<Self> {
        let layout = Layout::from_size_align(usize::try_from(bytes).ok()?.max(ALIGN), ALIGN).ok()?;
        // SAFETY: the layout's size is not zero.
        let pointer = NonNull::new(unsafe { alloc_zeroed(layout) })?;
        Some(Self { pointer, layout })
    }

    pub(super) fn pointer(&self) -> *mut u8 {
        self.pointer.as_ptr()
    }

    /// The block as 64-bit atomics.
    pub(super) fn words(&self) -> &[AtomicU64] {
        // SAFETY: the block is aligned to 16, holds that many whole words, all initialized since it was zeroed, and
        // lives as long as `self`. Users that look at a block as words do so everywhere, so every access is atomic.
        unsafe { std::slice::from_raw_parts(self.pointer().cast::<AtomicU64>(), self.layout.size() / 8) }
    }
}

impl Drop for Zeroed {
    fn drop(&mut self) {
        // SAFETY: `new` allocated this pointer with this layout, and nothing else frees it.
        unsafe { dealloc(self.pointer(), self.layout) }
    }
}

// SAFETY: a block has one owner, and allocations may be freed by another thread than made them.
unsafe impl Send for Zeroed {}
// SAFETY: through a shared reference one gets a pointer, whose use is another `unsafe`, and a slice of atomics.
unsafe impl Sync for Zeroed {}
