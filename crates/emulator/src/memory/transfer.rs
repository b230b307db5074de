//! The host's copies: between slices and memory that kernels may be accessing at the same time, hence by relaxed
//! atomics, eight bytes each where they are aligned.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// Splits `bytes` from `pointer` into the bytes before the first aligned word, the whole words, and the bytes after.
fn split(pointer: *mut u8, bytes: usize) -> (usize, usize) {
    let head = pointer.align_offset(8).min(bytes);
    (head, (bytes - head) / 8)
}

/// Copies from memory to a slice.
///
/// # Safety
/// `from` must be valid for reads of `to.len()` bytes, and all accesses to them at the time atomic.
pub(super) unsafe fn read(from: *mut u8, to: &mut [u8]) {
    let (head, words) = split(from, to.len());
    let (head, rest) = to.split_at_mut(head);
    let byte = |at: usize| {
        // SAFETY: `at` is less than the caller's length at every call below.
        unsafe { AtomicU8::from_ptr(from.add(at)) }.load(Relaxed)
    };
    for (at, to) in head.iter_mut().enumerate() {
        *to = byte(at);
    }
    let (body, tail) = rest.split_at_mut(words * 8);
    // SAFETY: `split` found this to be within the caller's range.
    let aligned = unsafe { from.add(head.len()) }.cast::<u64>();
    for (at, to) in body.chunks_exact_mut(8).enumerate() {
        // SAFETY: `split` made `aligned` a multiple of 8 with `words` whole words after it, and `at < words`.
        let word = unsafe { AtomicU64::from_ptr(aligned.add(at)) }.load(Relaxed);
        to.copy_from_slice(&word.to_ne_bytes());
    }
    let done = head.len() + body.len();
    for (at, to) in tail.iter_mut().enumerate() {
        *to = byte(done + at);
    }
}

/// Copies from a slice to memory.
///
/// # Safety
/// `to` must be valid for writes of `from.len()` bytes, and all accesses to them at the time atomic.
pub(super) unsafe fn write(to: *mut u8, from: &[u8]) {
    let (head, words) = split(to, from.len());
    let (head, rest) = from.split_at(head);
    let (body, tail) = rest.split_at(words * 8);
    let byte = |at: usize, value: u8| {
        // SAFETY: `at` is less than the caller's length at every call below.
        unsafe { AtomicU8::from_ptr(to.add(at)) }.store(value, Relaxed);
    };
    for (at, &from) in head.iter().enumerate() {
        byte(at, from);
    }
    // SAFETY: `split` found this to be within the caller's range.
    let aligned = unsafe { to.add(head.len()) }.cast::<u64>();
    for (at, from) in body.chunks_exact(8).enumerate() {
        let mut word = [0; 8];
        word.copy_from_slice(from);
        // SAFETY: `split` made `aligned` a multiple of 8 with `words` whole words after it, and `at < words`.
        unsafe { AtomicU64::from_ptr(aligned.add(at)) }.store(u64::from_ne_bytes(word), Relaxed);
    }
    let done = head.len() + body.len();
    for (at, &from) in tail.iter().enumerate() {
        byte(done + at, from);
    }
}

/// Moves bytes within memory; the ranges may overlap.
///
/// # Safety
/// `from` must be valid for reads and `to` for writes of `bytes` bytes, and all accesses to them at the time atomic.
pub(super) unsafe fn copy(to: *mut u8, from: *mut u8, bytes: usize) {
    let mut buffer = [0; 4096];
    let mut put = |start: usize, end: usize| {
        let piece = &mut buffer[..end - start];
        // SAFETY: `start..end` is within `0..bytes`, which the caller vouches for.
        unsafe { read(from.add(start), piece) };
        // SAFETY: as above.
        unsafe { write(to.add(start), piece) };
    };
    // From the side where the target cannot have overwritten what is still to be read.
    if to.addr() > from.addr() {
        let mut end = bytes;
        while end > 0 {
            let start = end.saturating_sub(4096);
            put(start, end);
            end = start;
        }
    } else {
        let mut start = 0;
        while start < bytes {
            let end = (start + 4096).min(bytes);
            put(start, end);
            start = end;
        }
    }
}
