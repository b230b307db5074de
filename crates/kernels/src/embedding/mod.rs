//! Token embedding: look up, scale, add positions, drop out.
//!
//! ```text
//! y[b,t,:]    = factor[n,:] * (scale * table[tokens[b,t],:] + positions[offset + t,:])       t < lengths[b]
//! y[b,t,:]    = 0                                                                           t >= lengths[b]
//! dtable[v,:] += sum over n with tokens[n] = v and t < lengths[b] of scale * factor[n,:] * dy[n,:]
//! ```
//!
//! with n = b*T + t. Vaswani et al. 2017, [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), sections 3.4 (scale is
//! sqrt(C), C = d_model), 3.5 (positions, see [`positions`]) and 5.4 (dropout on the sum). A token beyond its
//! sentence's length is padding: it is not looked up (so any id may stand there), gives zeros, and gets no gradient.
//!
//! # Arithmetic
//! Every operation below is one IEEE 754 f32 operation, rounded once; `fma` is fused.
//! - `y = factor * fma(table, scale, position)`; the factor of `y[n,c]` is that of row n, column c of a plain tensor
//!   ([`crate::dropout`]), 1 without dropout.
//! - `dtable[v,c] = fma(factor * dy[n,c], scale, dtable[v,c])`, one chain over the ascending n whose token is v,
//!   starting from the value that is there.
//!
//! A table row that no token names is not touched. Results do not depend on the number of threads: a row of the table
//! belongs to one task, and no float is added atomically.

mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod positions;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

pub use positions::{MAX_POSITIONS, positions};

use crate::{
    Error,
    dropout::Dropout,
    error::{check_len, product},
};

const OP: &str = "embedding";
const BACKWARD_OP: &str = "embedding backward";

/// Sizes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// Sentences.
    pub b: usize,
    /// Positions of each, padding included.
    pub t: usize,
    /// Channels.
    pub c: usize,
}

/// A batch of sentences.
#[derive(Clone, Copy, Debug)]
pub struct Tokens<'a> {
    /// Token ids, (B, T): rows of the table, anything beyond a sentence's length.
    pub ids: &'a [u32],
    /// The tokens of each sentence, (B), at most T.
    pub lengths: &'a [u32],
}

/// What a token's embedding is made from.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// The embedding matrix, (V, C).
    pub table: &'a [f32],
    /// The position table, (P, C) with P >= `offset` + T.
    pub positions: &'a [f32],
    /// The position of t = 0: 0 in training, the number of tokens before in incremental decoding.
    pub offset: usize,
    /// What table values are multiplied by: sqrt(C) in the paper, 1 for none.
    pub scale: f32,
}

/// Values of scratch that [`backward`] needs for `n` = B*T tokens and a table of `v` rows.
pub fn scratch_len(n: usize, v: usize) -> usize {
    n.saturating_add(v)
}

/// Embeds a batch into `y`.
///
/// # Shapes
/// As in [`Tokens`] and [`Tables`]; `y`: `(B, T, C)`. B and T may be 0. V and P follow from the tables' lengths.
///
/// # Errors
/// [`Error::Size`] if C is 0, a length is more than T, or B*T does not fit in 32 bits; [`Error::Length`] names the
/// first buffer of the wrong length; [`Error::Scalar`] for a `scale` that is NaN or infinite; [`Error::Index`] for a
/// token (within its sentence) that the table lacks, or if T positions from `offset` on are more than `positions` has.
/// On error `y` is untouched.
///
/// # Example
/// ```
/// use noam_kernels::{dropout::Dropout, embedding::{self, Dims, Tables, Tokens}};
/// let tables = Tables { table: &[1.0, 2.0, 3.0, 4.0], positions: &[0.0, 1.0, 0.5, 0.5], offset: 0, scale: 10.0 };
/// let tokens = Tokens { ids: &[1, 0], lengths: &[1] };
/// let mut y = [9.0; 4];
/// embedding::forward(Dims { b: 1, t: 2, c: 2 }, tokens, tables, Dropout::NONE, &mut y)?;
/// assert_eq!(y, [30.0, 41.0, 0.0, 0.0]);
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn forward(
    dims: Dims,
    tokens: Tokens<'_>,
    tables: Tables<'_>,
    dropout: Dropout,
    y: &mut [f32],
) -> Result<(), Error> {
    let Tables { table, positions, offset, scale } = tables;
    check_forward(dims, tokens, table.len(), positions.len(), offset, scale, y.len())?;
    cpu::forward(dims, tokens, tables, dropout, y);
    Ok(())
}

/// Adds the gradient of the table to `dtable`.
///
/// `scale` and `dropout` are forward's. `dtable` is added to, so gradients accumulate, over batches and over the uses
/// of a shared table.
///
/// # Shapes
/// `dy`: `(B, T, C)`; `dtable`: `(V, C)`; `scratch` holds at least [`scratch_len`] values, whatever they are.
///
/// # Errors
/// As [`forward`], positions aside, and [`Error::Length`] for a `scratch` that is too short. On error nothing is
/// written.
pub fn backward(
    dims: Dims,
    tokens: Tokens<'_>,
    dy: &[f32],
    scale: f32,
    dropout: Dropout,
    dtable: &mut [f32],
    scratch: &mut [u32],
) -> Result<(), Error> {
    check_backward(dims, tokens, dy.len(), scale, dtable.len())?;
    let want = scratch_len(tokens.ids.len(), dtable.len() / dims.c);
    if scratch.len() < want {
        let (op, shape) = (BACKWARD_OP, "(B * T + V) or more");
        return Err(Error::Length { op, arg: "scratch", shape, got: scratch.len(), want });
    }
    cpu::backward(dims, tokens, dy, scale, dropout, dtable, scratch);
    Ok(())
}

/// Checks forward's arguments, buffers by their lengths.
fn check_forward(
    dims: Dims,
    tokens: Tokens<'_>,
    table: usize,
    positions: usize,
    offset: usize,
    scale: f32,
    y: usize,
) -> Result<(), Error> {
    let elements = check(OP, dims, tokens, table, scale)?;
    check_len(OP, "y", "(B, T, C)", y, elements)?;
    let rows = positions / dims.c;
    check_len(OP, "positions", "(P, C)", positions, rows * dims.c)?;
    let end = offset.saturating_add(dims.t);
    if elements > 0 && end > rows {
        return Err(Error::Index { op: OP, arg: "positions", at: dims.t - 1, got: end - 1, limit: rows });
    }
    Ok(())
}

/// Checks backward's arguments, buffers by their lengths, scratch aside.
fn check_backward(dims: Dims, tokens: Tokens<'_>, dy: usize, scale: f32, dtable: usize) -> Result<(), Error> {
    let elements = check(BACKWARD_OP, dims, tokens, dtable, scale)?;
    check_len(BACKWARD_OP, "dy", "(B, T, C)", dy, elements)
}

/// Checks what forward and backward share; returns B*T*C.
fn check(op: &'static str, dims: Dims, tokens: Tokens<'_>, table_len: usize, scale: f32) -> Result<usize, Error> {
    let Dims { b, t, c } = dims;
    if c == 0 {
        return Err(Error::Size { op, what: "C", got: c, limit: "at least 1" });
    }
    let elements = product(op, "B * T * C", &[b, t, c])?;
    // Rows are a 32-bit word of the dropout's counter, and backward sorts them as such.
    if u32::try_from(b * t).is_err() {
        return Err(Error::Size { op, what: "B * T", got: b * t, limit: "less than 2^32" });
    }
    check_len(op, "ids", "(B, T)", tokens.ids.len(), b * t)?;
    check_len(op, "lengths", "(B)", tokens.lengths.len(), b)?;
    let v = table_len / c;
    check_len(op, "table", "(V, C)", table_len, v * c)?;
    if !scale.is_finite() {
        let limit = "finite; the square root of C is the usual choice";
        return Err(Error::Scalar { op, what: "scale", got: f64::from(scale), limit });
    }
    for (sentence, &length) in tokens.lengths.iter().enumerate() {
        let length = length as usize;
        if length > t {
            return Err(Error::Size { op, what: "a sentence's length", got: length, limit: "at most T" });
        }
        let start = sentence * t;
        for (at, &id) in tokens.ids.iter().enumerate().skip(start).take(length) {
            if id as usize >= v {
                return Err(Error::Index { op, arg: "ids", at, got: id as usize, limit: v });
            }
        }
    }
    Ok(elements)
}
