//! What the operations' tests share: operands from seeds, the comparison of bits and of f32 with f64, values that other
//! libraries computed. References and contracts are each operation's own.

#[cfg(feature = "cuda")]
pub(crate) mod cuda;
mod everywhere;
mod golden;

pub(crate) use everywhere::everywhere;
pub(crate) use golden::Golden;

use crate::dropout::{Dropout, GROUP};

/// Half the spacing of f32 at 1: the relative error of one rounded operation.
pub(crate) const U: f64 = 1.0 / (1 << 24) as f64;

/// Words that are the same for the same seed.
pub(crate) fn words(len: usize, seed: u32) -> Vec<u32> {
    (0..len as u32).map(|i| crate::philox::block([i, seed, 0, 0], [17, 4])[0]).collect()
}

/// Values in about (-2, 2) around `shift`, the same for the same seed.
pub(crate) fn values(len: usize, seed: u32, shift: f32) -> Vec<f32> {
    words(len, seed).iter().map(|&w| shift + (w as f32 / u32::MAX as f32 - 0.5) * 4.0).collect()
}

/// Dropout's factors of `n` rows of `c` values.
pub(crate) fn factors(n: usize, c: usize, dropout: Dropout) -> Vec<f32> {
    let mut out = vec![0.0; n * c];
    for (row, out) in out.chunks_mut(c).enumerate() {
        for (g, out) in out.chunks_mut(GROUP).enumerate() {
            dropout.row_factors(row as u32, g * GROUP, out);
        }
    }
    out
}

pub(crate) fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

pub(crate) fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Bits, with one pattern for every NaN: which payload an operation leaves is not fixed.
#[cfg(feature = "cuda")]
pub(crate) fn bits_but_nan(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()
}
