//! Moving data between registers and memory, by relaxed atomics.
//!
//! Blocks run on several OS threads and share global memory as a device's blocks do, so an access is atomic of its
//! size, and PTX programs that race get some value rather than undefined behaviour of ours. Where two threads access
//! the same bytes by different sizes at once (a race that PTX leaves undefined) Rust's memory model gives no value
//! either; the instructions that relaxed atomics become do, on all machines we compile for.

use std::{
    ptr::with_exposed_provenance_mut,
    sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering::Relaxed},
};

use crate::lanes::{ALL, LANES, Mask, Row, lanes};

/// The memory at a resolved pointer. What backs requests has exposed its provenance, since pointers are made by
/// arithmetic on vectors of integers.
#[inline(always)]
fn at(pointer: *mut u8, offset: usize) -> *mut u8 {
    with_exposed_provenance_mut(pointer.addr().wrapping_add(offset))
}

/// A value that memory holds.
pub trait Element: Copy + Default {
    /// Reads one.
    ///
    /// # Safety
    /// `pointer` must be valid for reads and aligned to the value's size, and all other accesses at the time atomic.
    unsafe fn read(pointer: *mut u8) -> Self;

    /// Writes one.
    ///
    /// # Safety
    /// `pointer` must be valid for writes and aligned to the value's size, and all other accesses at the time atomic.
    unsafe fn write(self, pointer: *mut u8);
}

macro_rules! element {
    ($($ty:ty: $atomic:ty, $from:expr, $to:expr;)*) => {$(
        impl Element for $ty {
            #[inline(always)]
            unsafe fn read(pointer: *mut u8) -> Self {
                // SAFETY: the caller gives a valid, aligned pointer to memory that is accessed atomically.
                let bits = unsafe { <$atomic>::from_ptr(pointer.cast()) }.load(Relaxed);
                ($from)(bits)
            }
            #[inline(always)]
            unsafe fn write(self, pointer: *mut u8) {
                // SAFETY: the caller gives a valid, aligned pointer to memory that is accessed atomically.
                unsafe { <$atomic>::from_ptr(pointer.cast()) }.store(($to)(self), Relaxed);
            }
        }
    )*};
}

element! {
    u8: AtomicU8, |v| v, |v| v;
    i8: AtomicU8, |v| v as i8, |v| v as u8;
    u16: AtomicU16, |v| v, |v| v;
    i16: AtomicU16, |v| v as i16, |v| v as u16;
    u32: AtomicU32, |v| v, |v| v;
    i32: AtomicU32, |v| v as i32, |v| v as u32;
    f32: AtomicU32, f32::from_bits, f32::to_bits;
    u64: AtomicU64, |v| v, |v| v;
    i64: AtomicU64, |v| v as i64, |v| v as u64;
    f64: AtomicU64, f64::from_bits, f64::to_bits;
}

/// Reads one value a lane, `offset` bytes after its pointer. Lanes outside of `mask` get zero.
///
/// # Safety
/// The pointers are what [`BlockMemory::resolve`](super::BlockMemory::resolve) gave for a request of at least `mask`'s
/// lanes since the block began, for no fewer bytes than `offset` plus the value's size, and `offset` is a multiple of
/// that size.
#[inline(always)]
pub unsafe fn load<T: Element>(pointers: &Row<*mut u8>, offset: usize, mask: Mask) -> Row<T> {
    let mut row = Row::default();
    if mask != 0 {
        for lane in 0..LANES {
            // SAFETY: the caller's promise is this lane's, or, outside of the request's mask, another's: the pointer is
            // valid for the request's bytes and aligned to them (a power of two), hence `offset` further on to the
            // value's size.
            row.0[lane] = unsafe { T::read(at(pointers.0[lane], offset)) };
        }
    }
    if mask != ALL {
        for lane in 0..LANES {
            row.0[lane] = if mask >> lane & 1 == 1 { row.0[lane] } else { T::default() };
        }
    }
    row
}

/// Writes one value a lane of `mask`, `offset` bytes after its pointer, the lowest lane first: where lanes write to one
/// place, the highest lane's value stays.
///
/// # Safety
/// As [`load`], and the request was one that writes.
#[inline(always)]
pub unsafe fn store<T: Element>(pointers: &Row<*mut u8>, offset: usize, mask: Mask, row: &Row<T>) {
    if mask == ALL {
        for lane in 0..LANES {
            // SAFETY: as in `load`; the request was for writing, so the memory is writable.
            unsafe { row.0[lane].write(at(pointers.0[lane], offset)) };
        }
    } else {
        for lane in lanes(mask) {
            // SAFETY: as above.
            unsafe { row.0[lane].write(at(pointers.0[lane], offset)) };
        }
    }
}

/// Copies 16 bytes from one place to another.
///
/// # Safety
/// Both pointers are among those that [`BlockMemory::resolve`](super::BlockMemory::resolve) gave for requests of 16
/// bytes since the block began, `to` for one that writes.
#[inline(always)]
pub unsafe fn copy_unit(to: *mut u8, from: *mut u8) {
    for half in [0, 8] {
        // SAFETY: the caller's pointers are valid for 16 bytes and aligned to them; all accesses are atomic.
        unsafe { u64::read(at(from, half)).write(at(to, half)) };
    }
}

macro_rules! atomic_update {
    ($($name:ident: $ty:ty, $atomic:ty;)*) => {$(
        /// Replaces a value by a function of it in one step; gives the old one. The function may be called again when
        /// another thread was faster.
        ///
        /// # Safety
        /// `pointer` is one of those that [`BlockMemory::resolve`](super::BlockMemory::resolve) gave for an atomic
        /// request of this size since the block began.
        #[inline(always)]
        pub unsafe fn $name(pointer: *mut u8, mut function: impl FnMut($ty) -> $ty) -> $ty {
            // SAFETY: the caller's pointer is valid for reads and writes, aligned to the request's bytes, and all
            // accesses of kernels and copies are atomic.
            let cell = unsafe { <$atomic>::from_ptr(at(pointer, 0).cast()) };
            let mut old = cell.load(Relaxed);
            loop {
                match cell.compare_exchange_weak(old, function(old), Relaxed, Relaxed) {
                    Ok(old) => return old,
                    Err(now) => old = now,
                }
            }
        }
    )*};
}

atomic_update! {
    atomic_update16: u16, AtomicU16;
    atomic_update32: u32, AtomicU32;
    atomic_update64: u64, AtomicU64;
}
