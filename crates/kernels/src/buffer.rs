//! Host memory for f32 values, aligned to a cache line (and to the widest register).

use std::ops::{Deref, DerefMut};

/// A cache line.
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A flat buffer of f32 values that begins on a 64-byte boundary. Dereferences to a slice.
#[derive(Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        // Zeroed by the allocator: pages that are never written take no memory.
        Buffer { lines: bytemuck::zeroed_vec(len.div_ceil(16)), len }
    }

    /// Makes the buffer hold at least `len` values; the new ones are zero. Allocates only to grow.
    pub fn grow(&mut self, len: usize) {
        if len > self.len {
            self.lines.resize(len.div_ceil(16), Line([0.0; 16]));
            self.len = len;
        }
    }
}

impl From<&[f32]> for Buffer {
    fn from(values: &[f32]) -> Self {
        let mut buffer = Buffer::zeros(values.len());
        buffer.copy_from_slice(values);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];
    #[inline]
    fn deref(&self) -> &[f32] {
        &bytemuck::cast_slice(&self.lines)[..self.len]
    }
}

impl DerefMut for Buffer {
    #[inline]
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut bytemuck::cast_slice_mut(&mut self.lines)[..self.len]
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buffer").field("len", &self.len).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_zeroed_and_keeps_values_when_it_grows() {
        let mut b = Buffer::zeros(5);
        assert_eq!(b.as_ptr() as usize % 64, 0);
        assert_eq!(&b[..], [0.0; 5]);
        b[4] = 3.0;
        b.grow(40);
        b.grow(7);
        assert_eq!((b.len(), b[4], b[39]), (40, 3.0, 0.0));
        assert_eq!(&Buffer::from(&[1.0, 2.0][..])[..], [1.0, 2.0]);
    }
}
