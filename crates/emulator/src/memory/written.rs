//! A bit a byte: whether anything wrote it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::zeroed::Zeroed;

/// The bits of a range of bytes, none set at first.
///
/// All accesses are relaxed: a bit is set before the byte's new value is stored, by the same thread, so whatever makes
/// the value visible in order makes the bit visible too.
#[derive(Debug)]
pub(super) struct Written {
    bits: Zeroed,
}

/// The words that `start..start + bytes` touches: each one's index, and which of its bits.
#[inline(always)]
fn words(start: u64, bytes: u64) -> impl Iterator<Item = (usize, u64)> {
    let end = start + bytes;
    let mut at = start;
    std::iter::from_fn(move || {
        if at >= end {
            return None;
        }
        let (word, first) = (at / 64, at % 64);
        let count = (64 - first).min(end - at);
        at += count;
        Some((word as usize, (u64::MAX >> (64 - count)) << first))
    })
}

impl Written {
    /// `None` where the machine does not have the memory.
    pub(super) fn new(bytes: u64) -> Option<Self> {
        Some(Self { bits: Zeroed::new(bytes.div_ceil(64).checked_mul(8)?)? })
    }

    #[inline(always)]
    fn word(&self, index: usize) -> &AtomicU64 {
        &self.bits.words()[index]
    }

    /// Marks a range, which other threads may be doing too.
    #[inline]
    pub(super) fn mark(&self, start: u64, bytes: u64) {
        for (index, mask) in words(start, bytes) {
            let word = self.word(index);
            // Most small stores hit what is already marked; a plain load leaves the cache line shared.
            if mask == u64::MAX {
                word.store(mask, Relaxed);
            } else if word.load(Relaxed) & mask != mask {
                word.fetch_or(mask, Relaxed);
            }
        }
    }

    /// Marks a range of bits that only this thread uses.
    #[inline]
    pub(super) fn mark_alone(&self, start: u64, bytes: u64) {
        for (index, mask) in words(start, bytes) {
            let word = self.word(index);
            word.store(word.load(Relaxed) | mask, Relaxed);
        }
    }

    /// Clears the first `bytes`, rounded up to whole words.
    pub(super) fn clear(&self, bytes: u64) {
        for word in &self.bits.words()[..bytes.div_ceil(64) as usize] {
            word.store(0, Relaxed);
        }
    }

    /// The first byte of a range that nothing wrote.
    #[inline]
    pub(super) fn missing(&self, start: u64, bytes: u64) -> Option<u64> {
        words(start, bytes).find_map(|(index, mask)| {
            let missing = mask & !self.word(index).load(Relaxed);
            (missing != 0).then(|| index as u64 * 64 + u64::from(missing.trailing_zeros()))
        })
    }

    /// Whether nothing wrote some byte of an aligned access of at most 64 bytes, a power of two: of one word.
    #[inline]
    pub(super) fn is_missing(&self, start: u64, bytes: u64) -> bool {
        let mask = (u64::MAX >> (64 - bytes)) << (start % 64);
        self.word((start / 64) as usize).load(Relaxed) & mask != mask
    }

    /// Up to 64 bits from `start`, in the low bits.
    fn get(&self, start: u64, count: u64) -> u64 {
        let (index, shift) = ((start / 64) as usize, start % 64);
        let mut bits = self.word(index).load(Relaxed) >> shift;
        if shift + count > 64 {
            bits |= self.word(index + 1).load(Relaxed) << (64 - shift);
        }
        bits & (u64::MAX >> (64 - count))
    }

    /// Makes `to..to + bytes` as `from..from + bytes` of `source` is, which may be this one: a move, as of the bytes.
    pub(super) fn copy(&self, to: u64, source: &Self, from: u64, bytes: u64) {
        let put = |at: u64| {
            let count = (bytes - at).min(64);
            let bits = source.get(from + at, count);
            let mut done = 0;
            for (index, mask) in words(to + at, count) {
                let word = self.word(index);
                let new = (bits >> done) << mask.trailing_zeros() & mask;
                if mask == u64::MAX {
                    word.store(new, Relaxed);
                } else {
                    word.fetch_or(new, Relaxed);
                    word.fetch_and(new | !mask, Relaxed);
                }
                done += u64::from(mask.count_ones());
            }
        };
        let pieces = bytes.div_ceil(64);
        if to > from {
            (0..pieces).rev().for_each(|piece| put(piece * 64));
        } else {
            (0..pieces).for_each(|piece| put(piece * 64));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits, one by one.
    fn list(written: &Written, bytes: u64) -> Vec<bool> {
        (0..bytes).map(|at| written.missing(at, 1).is_none()).collect()
    }

    #[test]
    fn marks_exactly_the_range() {
        for (start, bytes) in [(0, 1), (63, 1), (63, 2), (0, 64), (1, 64), (5, 200), (64, 128), (130, 0)] {
            for alone in [false, true] {
                let written = Written::new(300).unwrap();
                if alone {
                    written.mark_alone(start, bytes)
                } else {
                    written.mark(start, bytes)
                };
                let expected: Vec<bool> = (0..300).map(|at| at >= start && at < start + bytes).collect();
                assert_eq!(list(&written, 300), expected, "{start} {bytes}");
            }
        }
    }

    #[test]
    fn finds_the_first_gap() {
        let written = Written::new(1000).unwrap();
        written.mark(100, 800);
        assert_eq!(written.missing(100, 800), None);
        assert_eq!(written.missing(99, 10), Some(99));
        assert_eq!(written.missing(700, 300), Some(900));
        assert_eq!(written.missing(990, 4), Some(990));
        written.clear(1000);
        assert_eq!(written.missing(100, 800), Some(100));
    }

    #[test]
    fn copies_bits_as_bytes_are_moved() {
        // A pattern of which no shift is itself.
        let pattern = |at: u64| at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62 == 0;
        for (to, from, bytes) in
            [(0, 0, 64), (3, 70, 130), (70, 3, 190), (10, 12, 300), (12, 10, 300), (64, 0, 256), (5, 5, 1)]
        {
            let (one, other) = (Written::new(400).unwrap(), Written::new(400).unwrap());
            (0..400).filter(|&at| pattern(at)).for_each(|at| one.mark(at, 1));
            (0..400).step_by(3).for_each(|at| other.mark(at, 1));
            let mut expected = list(&other, 400);
            for at in 0..bytes {
                expected[(to + at) as usize] = pattern(from + at);
            }
            other.copy(to, &one, from, bytes);
            assert_eq!(list(&other, 400), expected, "{to} {from} {bytes}");
            // Within one.
            let mut expected = list(&one, 400);
            expected.copy_within(from as usize..(from + bytes) as usize, to as usize);
            one.copy(to, &one, from, bytes);
            assert_eq!(list(&one, 400), expected, "{to} {from} {bytes} within one");
        }
    }
}
