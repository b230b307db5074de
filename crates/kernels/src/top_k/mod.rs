//! The k largest of each row with their places: what greedy and beam search ask of the logits.
//!
//! Descending by value; among equal values the lower index comes first, and 0 and -0 are equal. NaN ranks above every
//! number, so a row with a NaN has it in front instead of hiding it. Nothing is computed, only compared and copied:
//! the result is the same by any route. 16-bit scores (on a CUDA device) come out as the f32 that they are.
//!
//! k is meant to be small (twice the beam): a row costs one pass that mostly skips, and up to k moves for each
//! element that is among the k largest so far, about k ln(V / k) of them in random order.
//!
//! Least traffic: 4 N V bytes.

mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(test)]
mod tests;

use crate::{
    Error,
    error::{check_len, product},
};

const OP: &str = "top_k";

/// Where the results go.
#[derive(Debug)]
pub struct Output<'a> {
    /// The k largest values of each row, `(N, k)`, descending.
    pub values: &'a mut [f32],
    /// Their indices in the row, `(N, k)`.
    pub indices: &'a mut [u32],
}

/// The `k` largest of each row of `scores`.
///
/// # Shapes
/// `scores`: `(N, V)`, row-major. `out.values`, `out.indices`: `(N, k)`.
///
/// # Errors
/// [`Error::Size`] if `v` is 0 or not below 2^32, or `k` is 0 or more than `v`; [`Error::Length`] if `scores` is not
/// whole rows or an output has another shape. On error the outputs are untouched.
///
/// # Example
/// ```
/// use noam_kernels::top_k::{Output, top_k};
/// let (mut values, mut indices) = ([0.0; 4], [0; 4]);
/// let scores = [0.1, 0.7, 0.2, 0.7, /* next row */ -1.0, -4.0, -2.0, -3.0];
/// top_k(&scores, 4, 2, Output { values: &mut values, indices: &mut indices })?;
/// assert_eq!(values, [0.7, 0.7, -1.0, -2.0]);
/// assert_eq!(indices, [1, 3, 0, 2]);
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn top_k(scores: &[f32], v: usize, k: usize, out: Output<'_>) -> Result<(), Error> {
    check(scores.len(), v, k, out.values.len(), out.indices.len())?;
    cpu::top_k(scores, v, k, out);
    Ok(())
}

/// The index of the largest of each row of `scores`: the first of them, or the first NaN where there is one.
///
/// # Shapes
/// `scores`: `(N, V)`, row-major. `indices`: `(N)`.
///
/// # Errors
/// [`Error::Size`] if `v` is 0 or not below 2^32; [`Error::Length`] if `scores` is not whole rows or `indices` has
/// another length. On error `indices` is untouched.
///
/// # Example
/// ```
/// let mut indices = [0; 2];
/// noam_kernels::top_k::argmax(&[0.5, 3.0, 3.0, -1.0, -2.0, -3.0], 3, &mut indices)?;
/// assert_eq!(indices, [1, 0]);
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn argmax(scores: &[f32], v: usize, indices: &mut [u32]) -> Result<(), Error> {
    let n = rows(scores.len(), v)?;
    check_len(OP, "indices", "(N)", indices.len(), n)?;
    cpu::argmax(scores, v, indices);
    Ok(())
}

/// Checks k and the lengths of the buffers; returns N.
fn check(scores: usize, v: usize, k: usize, values: usize, indices: usize) -> Result<usize, Error> {
    let n = rows(scores, v)?;
    if k == 0 || k > v {
        return Err(Error::Size { op: OP, what: "k", got: k, limit: "at least 1 and at most V, the length of a row" });
    }
    let want = product(OP, "N * k", &[n, k])?;
    check_len(OP, "values", "(N, k)", values, want)?;
    check_len(OP, "indices", "(N, k)", indices, want)?;
    Ok(n)
}

/// The number of rows of so many scores.
fn rows(scores: usize, v: usize) -> Result<usize, Error> {
    if v == 0 || u32::try_from(v).is_err() {
        return Err(Error::Size { op: OP, what: "V", got: v, limit: "at least 1 and less than 2^32" });
    }
    let n = scores / v;
    check_len(OP, "scores", "(N, V)", scores, n * v)?;
    Ok(n)
}
