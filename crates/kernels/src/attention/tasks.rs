//! Heads as parallel tasks that write interleaved columns of shared buffers.

use rayon::prelude::*;
use std::{
    marker::PhantomData,
    sync::atomic::{AtomicUsize, Ordering},
};

/// A buffer of which several tasks write disjoint parts.
pub(super) struct Shared<'a> {
    data: *mut f32,
    len: usize,
    borrow: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable borrow of a slice of f32, which may be sent; shared, it hands out parts by `part` alone, whose
// caller vouches that no two overlap at a time.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(super) fn new(data: &'a mut [f32]) -> Self {
        Shared { data: data.as_mut_ptr(), len: data.len(), borrow: PhantomData }
    }

    /// The `len` values from `start` on. Panics if there are fewer.
    ///
    /// # Safety
    /// While the result lives, nothing else has a part that overlaps it.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // disjointness is the caller's promise
    pub(super) unsafe fn part(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(len <= self.len && start <= self.len - len);
        // SAFETY: within the slice that `new` borrowed mutably for 'a, and nobody else's meanwhile.
        unsafe { std::slice::from_raw_parts_mut(self.data.add(start), len) }
    }
}

/// Columns `offset ..` of the rows of a shared buffer.
#[derive(Clone, Copy)]
pub(super) struct SharedRows<'a> {
    pub data: &'a Shared<'a>,
    pub offset: usize,
    pub stride: usize,
}

impl SharedRows<'_> {
    /// `len` values of row `row` from `column` on.
    ///
    /// # Safety
    /// As [`Shared::part`].
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // as there
    pub(super) unsafe fn part(&self, row: usize, column: usize, len: usize) -> &mut [f32] {
        // SAFETY: the caller's promise.
        unsafe { self.data.part(self.offset + row * self.stride + column, len) }
    }
}

/// Work below which a second thread costs more than it saves, in multiply-adds.
const GRAIN: usize = 1 << 16;

/// Calls `each(task, scratch)` once for every task below `tasks`, in parallel on as many pieces of `scratch` as it holds:
/// a piece takes the next task that nobody has begun. `work` is what all tasks cost, in multiply-adds.
pub(super) fn run(
    tasks: usize,
    work: usize,
    scratch: &mut [f32],
    piece: usize,
    each: impl Fn(usize, &mut [f32]) + Sync,
) {
    let pieces = pieces(tasks, work, scratch.len(), piece);
    if pieces == 1 {
        return (0..tasks).for_each(|task| each(task, &mut scratch[..piece]));
    }
    let next = AtomicUsize::new(0);
    scratch[..pieces * piece].par_chunks_exact_mut(piece).with_max_len(1).for_each(|scratch| {
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                break;
            }
            each(task, scratch);
        }
    });
}

/// How many tasks run at a time.
pub(super) fn pieces(tasks: usize, work: usize, scratch: usize, piece: usize) -> usize {
    (scratch / piece).min(tasks).min(work / GRAIN).max(1)
}
