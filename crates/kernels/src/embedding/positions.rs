//! The sinusoidal position table.

use crate::{
    Error,
    error::product,
    math::{pow_f64, sin_cos_f64},
};

/// The most positions [`positions`] makes: beyond 2^20 radians its sines lose digits.
pub const MAX_POSITIONS: usize = 1 << 20;

/// The sinusoidal position table, `(max_len, C)`, as two halves: the sines, then the cosines.
///
/// With H = ceil(C / 2) and `angle(p, i) = p / 10000^(2i/C)`:
///
/// ```text
/// table[p, i]     = sin(angle(p, i))      i < H
/// table[p, H + i] = cos(angle(p, i))      i < C - H
/// ```
///
/// This is the table of Hugging Face's MarianMTModel. Vaswani et al. 2017, section 3.5, write the
/// same numbers interleaved, `PE[p, 2i] = sin(angle(p, i))` and `PE[p, 2i+1] = cos(angle(p, i))`: column 2i of the
/// paper is column i here, and column 2i + 1 is column H + i. A model cannot tell them apart before its first matrix is
/// learned; trained weights, however, belong to one of them.
///
/// Computed in f64 (a quotient of p and a software power, then software sine and cosine: the same bits on every
/// machine) and rounded once to f32.
///
/// # Errors
/// [`Error::Size`] if `c` is 0, `max_len` exceeds [`MAX_POSITIONS`], or the table would not fit in memory.
///
/// # Example
/// ```
/// let table = noam_kernels::embedding::positions(2, 4)?;
/// assert_eq!(table[..4], [0.0, 0.0, 1.0, 1.0]);
/// assert_eq!(table[4], 1f64.sin() as f32); // angle 1 / 10000^0
/// assert_eq!(table[7], 0.01f64.cos() as f32); // angle 1 / 10000^(2/4)
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn positions(max_len: usize, c: usize) -> Result<Vec<f32>, Error> {
    let op = "positions";
    if c == 0 {
        return Err(Error::Size { op, what: "C", got: c, limit: "at least 1" });
    }
    if max_len > MAX_POSITIONS {
        return Err(Error::Size { op, what: "max_len", got: max_len, limit: "at most 2^20" });
    }
    let mut table = vec![0.0; product(op, "max_len * C", &[max_len, c])?];
    let half = c.div_ceil(2);
    for i in 0..half {
        let wavelength = pow_f64(10_000.0, (2 * i) as f64 / c as f64);
        for (p, row) in table.chunks_exact_mut(c).enumerate() {
            let (sin, cos) = sin_cos_f64(p as f64 / wavelength);
            row[i] = sin as f32;
            if let Some(column) = row.get_mut(half + i) {
                *column = cos as f32;
            }
        }
    }
    Ok(table)
}
