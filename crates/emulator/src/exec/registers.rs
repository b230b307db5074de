//! A warp's registers: three files of rows, a frame a function that is being called.

use crate::{
    lanes::{ALL, LANES, Mask, Row},
    program::{Frame, Slot},
};

/// Where a frame begins in each file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Base {
    /// In words.
    pub words: u32,
    /// In longs.
    pub longs: u32,
    /// In predicates.
    pub predicates: u32,
    /// In local memory, bytes.
    pub local: u32,
}

impl Base {
    /// Where the frame above begins.
    pub fn above(self, frame: &Frame) -> Self {
        Self {
            words: self.words + frame.words,
            longs: self.longs + frame.longs,
            predicates: self.predicates + frame.predicates,
            local: self.local + frame.local_bytes.next_multiple_of(16),
        }
    }
}

/// A warp's registers.
#[derive(Debug, Default)]
pub struct Registers {
    words: Vec<Row<u32>>,
    longs: Vec<Row<u64>>,
    predicates: Vec<Mask>,
    /// The frame that slots refer to.
    pub base: Base,
}

impl Registers {
    /// Makes room for a frame at the present base.
    pub fn reserve(&mut self, frame: &Frame) {
        let top = self.base.above(frame);
        if self.words.len() < top.words as usize {
            self.words.resize(top.words as usize, Row::default());
        }
        if self.longs.len() < top.longs as usize {
            self.longs.resize(top.longs as usize, Row::default());
        }
        if self.predicates.len() < top.predicates as usize {
            self.predicates.resize(top.predicates as usize, 0);
        }
    }

    /// How many rows there are in all.
    pub fn rows(&self) -> usize {
        self.words.len() + self.longs.len()
    }

    /// A row of 32-bit values.
    #[inline(always)]
    pub fn word(&self, slot: Slot) -> &Row<u32> {
        &self.words[(self.base.words + slot.0) as usize]
    }

    /// A row of 64-bit values.
    #[inline(always)]
    pub fn long(&self, slot: Slot) -> &Row<u64> {
        &self.longs[(self.base.longs + slot.0) as usize]
    }

    /// A predicate of each lane.
    #[inline(always)]
    pub fn predicate(&self, slot: Slot) -> Mask {
        self.predicates[(self.base.predicates + slot.0) as usize]
    }

    /// Writes the lanes of `mask`.
    #[inline(always)]
    pub fn set_word(&mut self, slot: Slot, row: &Row<u32>, mask: Mask) {
        self.words[(self.base.words + slot.0) as usize].merge(row, mask);
    }

    /// Writes the lanes of `mask`.
    #[inline(always)]
    pub fn set_long(&mut self, slot: Slot, row: &Row<u64>, mask: Mask) {
        self.longs[(self.base.longs + slot.0) as usize].merge(row, mask);
    }

    /// Writes the lanes of `mask`.
    #[inline(always)]
    pub fn set_predicate(&mut self, slot: Slot, value: Mask, mask: Mask) {
        let old = &mut self.predicates[(self.base.predicates + slot.0) as usize];
        *old = (*old & !mask) | (value & mask);
    }

    /// Fills a frame's constants in the lanes of `mask`.
    pub fn fill_constants(&mut self, frame: &Frame, mask: Mask) {
        for &(slot, value) in &frame.word_constants {
            self.set_word(slot, &Row::splat(value), mask);
        }
        for &(slot, value) in &frame.long_constants {
            self.set_long(slot, &Row::splat(value), mask);
        }
        for &(slot, value) in &frame.predicate_constants {
            self.set_predicate(slot, if value { ALL } else { 0 }, mask);
        }
        self.set_long(Slot(0), &Row::splat(u64::from(self.base.local)), mask);
    }

    /// The value that all lanes of `mask` agree on, else the first lane that differs from the lowest.
    pub fn uniform_word(&self, slot: Slot, mask: Mask) -> Result<u32, usize> {
        let row = self.word(slot);
        let first = row.0[(mask.trailing_zeros() as usize).min(LANES - 1)];
        match crate::lanes::lanes(mask).find(|&lane| row.0[lane] != first) {
            None => Ok(first),
            Some(lane) => Err(lane),
        }
    }
}

/// A type that registers hold: how it is read from and written to the files.
pub trait Value: Copy + Default + 'static {
    /// The row in `slot`.
    fn get(registers: &Registers, slot: Slot) -> Row<Self>;
    /// Writes the lanes of `mask` of `slot`.
    fn set(registers: &mut Registers, slot: Slot, row: &Row<Self>, mask: Mask);
}

/// 16-bit values lie zero-extended in words, so a row is converted on the way.
macro_rules! value {
    ($($ty:ty: $get:ident, $set:ident, $raw:ty, $from:expr, $to:expr;)*) => {$(
        impl Value for $ty {
            #[inline(always)]
            fn get(registers: &Registers, slot: Slot) -> Row<Self> {
                let from: fn($raw) -> $ty = $from;
                let raw = registers.$get(slot);
                let mut row = Row::default();
                for lane in 0..LANES {
                    row.0[lane] = from(raw.0[lane]);
                }
                row
            }
            #[inline(always)]
            fn set(registers: &mut Registers, slot: Slot, row: &Row<Self>, mask: Mask) {
                let to: fn($ty) -> $raw = $to;
                let mut raw = Row::default();
                for lane in 0..LANES {
                    raw.0[lane] = to(row.0[lane]);
                }
                registers.$set(slot, &raw, mask);
            }
        }
    )*};
}

value! {
    u8: word, set_word, u32, |v| v as u8, u32::from;
    i8: word, set_word, u32, |v| v as i8, |v| u32::from(v as u8);
    u16: word, set_word, u32, |v| v as u16, u32::from;
    i16: word, set_word, u32, |v| v as i16, |v| u32::from(v as u16);
    u32: word, set_word, u32, |v| v, |v| v;
    i32: word, set_word, u32, |v| v as i32, |v| v as u32;
    f32: word, set_word, u32, f32::from_bits, f32::to_bits;
    u64: long, set_long, u64, |v| v, |v| v;
    i64: long, set_long, u64, |v| v as i64, |v| v as u64;
    f64: long, set_long, u64, f64::from_bits, f64::to_bits;
}
