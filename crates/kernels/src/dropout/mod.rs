//! Dropout: which elements stay, as a pure function of (seed, step, place, row, column).
//!
//! Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting": an element is zeroed with
//! probability p and multiplied by 1 / (1 - p) otherwise. No mask is stored; backward makes it again.
//!
//! **The number of an element.** One Philox block ([`crate::philox`]) has 128 bits: eight pieces of 16. Its key is the seed,
//! its counter is (row, lane number, place, step). In a plain tensor of rows, the element (row, col) takes the block with
//! lane number `col / 256 * 32 + col % 32` and its piece `col / 32 % 8`: a lane of a warp (or of a SIMD register) that walks
//! columns l, l + 32, l + 64, ... makes one block for eight elements. Piece k is the low (k even) or high (k odd) half of
//! word k / 2. Attention, whose rows are short, shares a block among eight query rows instead; its contract says how.
//!
//! An element stays when its piece is not below `threshold = round(p * 2^16)`, so that the probability is a multiple of
//! 2^-16; the scale is that probability's, 2^16 / (2^16 - threshold), and the expectation is exact.

#[cfg(feature = "cuda")]
pub mod cuda;

use crate::{Error, isa::multi_isa, lanes::LANES, philox};
use rayon::prelude::*;

const OP: &str = "dropout";

/// Columns that share one group of 32 blocks.
pub const GROUP: usize = 8 * LANES;

/// A dropout of one place in the model at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    threshold: u32,
    scale: f32,
    key: [u32; 2],
    step: u32,
    place: u32,
}

impl Dropout {
    /// No dropout: every element stays, unscaled.
    pub const NONE: Dropout = Dropout { threshold: 0, scale: 1.0, key: [0; 2], step: 0, place: 0 };

    /// Dropout with probability `p` in [0, 1), for the tensor numbered `place` at `step`.
    ///
    /// # Errors
    /// [`Error::Scalar`] if `p` is not in [0, 1) or rounds to 1 at a resolution of 2^-16.
    pub fn new(p: f32, seed: u64, step: u32, place: u32) -> Result<Self, Error> {
        let threshold = (p * 65536.0).round_ties_even();
        if !(0.0..65536.0).contains(&threshold) || p < 0.0 {
            return Err(Error::Scalar {
                op: OP,
                what: "p",
                got: f64::from(p),
                limit: "at least 0 and less than 1; 0.1 is the paper's choice",
            });
        }
        let key = [seed as u32, (seed >> 32) as u32];
        Ok(Dropout { threshold: threshold as u32, scale: 65536.0 / (65536.0 - threshold), key, step, place })
    }

    /// Whether this drops anything at all.
    #[inline(always)]
    pub fn is_active(&self) -> bool {
        self.threshold > 0
    }

    /// What a kept element is multiplied by: 1 / (1 - p).
    #[inline(always)]
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// What a kernel is told: threshold, scale, key, step, place.
    #[cfg(feature = "cuda")]
    pub(crate) fn words(&self) -> (u32, f32, [u32; 2], u32, u32) {
        (self.threshold, self.scale, self.key, self.step, self.place)
    }

    /// The factors (0 or [`Dropout::scale`]) of 32 consecutive lane numbers from `lane` on, for all eight pieces.
    ///
    /// `result[k][l]` belongs to piece `k` of the block with counter (`row`, `lane + l`, place, step).
    #[inline(always)]
    pub fn factors(&self, row: u32, lane: u32) -> [[f32; LANES]; 8] {
        let words = philox::blocks([row, lane, self.place, self.step], self.key);
        let mut factors = [[0.0; LANES]; 8];
        for w in 0..4 {
            for l in 0..LANES {
                let (low, high) = (words[w][l] & 0xffff, words[w][l] >> 16);
                factors[2 * w][l] = if low >= self.threshold { self.scale } else { 0.0 };
                factors[2 * w + 1][l] = if high >= self.threshold { self.scale } else { 0.0 };
            }
        }
        factors
    }

    /// The factors of columns `start ..` of a row of a plain tensor, `out.len() <= 256` of them; `start` is a multiple of
    /// [`GROUP`].
    #[inline(always)]
    pub fn row_factors(&self, row: u32, start: usize, out: &mut [f32]) {
        debug_assert!(start.is_multiple_of(GROUP) && out.len() <= GROUP);
        if !self.is_active() {
            out.fill(1.0);
            return;
        }
        let factors = self.factors(row, (start / 8) as u32);
        for (out, factors) in out.chunks_mut(LANES).zip(&factors) {
            out.copy_from_slice(&factors[..out.len()]);
        }
    }
}

multi_isa! {
    fn apply_row(x: &mut [f32], row: u32, dropout: Dropout) {
        let mut factors = [0.0; GROUP];
        for (g, x) in x.chunks_mut(GROUP).enumerate() {
            let factors = &mut factors[..x.len()];
            dropout.row_factors(row, g * GROUP, factors);
            for (x, f) in x.iter_mut().zip(factors) {
                *x *= *f;
            }
        }
    }
}

/// Multiplies every element of `x`, shape (N, C), by its factor, in place. Applied to a gradient, it is its own backward.
///
/// # Errors
/// [`Error::Size`] if `c` is 0, [`Error::Length`] if `x` is not whole rows.
pub fn apply(x: &mut [f32], c: usize, dropout: Dropout) -> Result<(), Error> {
    check(x.len(), c)?;
    if dropout.is_active() {
        x.par_chunks_mut(c).with_min_len(16).enumerate().for_each(|(row, x)| apply_row(x, row as u32, dropout));
    }
    Ok(())
}

/// The rows of `len` values with `c` columns.
fn check(len: usize, c: usize) -> Result<usize, Error> {
    if c == 0 {
        return Err(Error::Size { op: OP, what: "C", got: c, limit: "at least 1" });
    }
    crate::error::check_len(OP, "x", "(N, C)", len, len / c * c)?;
    Ok(len / c)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The contract, element by element.
    fn factor(d: &Dropout, row: usize, col: usize) -> f32 {
        let lane = (col / 256 * 32 + col % 32) as u32;
        let block = philox::block([row as u32, lane, d.place, d.step], d.key);
        let k = col / 32 % 8;
        let piece = if k.is_multiple_of(2) { block[k / 2] & 0xffff } else { block[k / 2] >> 16 };
        if piece >= d.threshold { d.scale } else { 0.0 }
    }

    #[test]
    fn follows_the_contract_at_every_width() {
        for c in [1, 31, 32, 33, 255, 256, 257, 700] {
            let d = Dropout::new(0.3, 0x1234_5678_9abc, 7, 11).unwrap();
            let mut x = vec![1.0; 3 * c];
            apply(&mut x, c, d).unwrap();
            for (i, &got) in x.iter().enumerate() {
                assert_eq!(got, factor(&d, i / c, i % c), "C {c}, element {i}");
            }
        }
    }

    #[test]
    fn keeps_the_stated_share_and_the_mean() {
        let d = Dropout::new(0.1, 42, 1, 0).unwrap();
        let n = 1 << 20;
        let mut x = vec![1.0f32; n];
        apply(&mut x, 1024, d).unwrap();
        let kept = x.iter().filter(|&&v| v != 0.0).count() as f64 / n as f64;
        // Standard deviation of the share: sqrt(0.09 / 2^20) = 2.9e-4; five of them.
        assert!((kept - 0.9).abs() < 1.5e-3, "{kept}");
        assert!((f64::from(d.scale()) * (1.0 - 6554.0 / 65536.0) - 1.0).abs() < 1e-7);
    }

    #[test]
    fn places_steps_and_seeds_differ() {
        let mask = |seed, step, place| {
            let mut x = vec![1.0; 4096];
            apply(&mut x, 64, Dropout::new(0.5, seed, step, place).unwrap()).unwrap();
            x
        };
        let base = mask(1, 1, 1);
        for other in [mask(2, 1, 1), mask(1, 2, 1), mask(1, 1, 2)] {
            let same = base.iter().zip(&other).filter(|(a, b)| a == b).count();
            // Independent fair coins: 2048 agreements, standard deviation 32; six of them.
            assert!((1856..=2240).contains(&same), "{same}");
        }
        assert_eq!(base, mask(1, 1, 1));
    }

    #[test]
    fn bad_input_is_refused() {
        for p in [-0.1, 1.0, 0.999_999_9, f32::NAN, f32::INFINITY] {
            assert!(Dropout::new(p, 0, 0, 0).is_err(), "{p}");
        }
        assert!(apply(&mut [0.0; 5], 2, Dropout::NONE).is_err());
        assert!(apply(&mut [], 0, Dropout::NONE).is_err());
    }
}
