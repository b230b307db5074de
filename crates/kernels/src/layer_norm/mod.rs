//! Layer normalization, alone or fused with the residual addition and dropout in front of it.
//!
//! ```text
//! s[n,c]  = x[n,c] + factor[n,c] * sub[n,c]                      residual_forward; plain forward has s = x
//! mean[n] = sum_c s[n,c] / C
//! rstd[n] = 1 / sqrt(sum_c (s[n,c] - mean[n])^2 / C + eps)       biased variance, eps inside the root
//! y[n,c]  = (s[n,c] - mean[n]) * rstd[n] * gamma[c] + beta[c]
//! ```
//!
//! Ba, Kiros and Hinton 2016, "Layer normalization", [arXiv:1607.06450](https://arxiv.org/abs/1607.06450), eqs. 3-4;
//! eps is not in the paper. The residual form is `LayerNorm(x + Dropout(Sublayer(x)))` of Vaswani et al. 2017, sections
//! 3.1 and 5.4. Same as `torch.nn.LayerNorm(C)` with `eps` 1e-5.
//!
//! # Backward
//! With x^ = (s - mean) * rstd and g = dy * gamma:
//!
//! ```text
//! ds[n,c]    = rstd[n] * (g[n,c] - sum_c g[n,c] / C - x^[n,c] * sum_c (g[n,c] * x^[n,c]) / C)
//! dsub[n,c]  = factor[n,c] * ds[n,c]
//! dgamma[c] += sum_n dy[n,c] * x^[n,c]
//! dbeta[c]  += sum_n dy[n,c]
//! ```
//!
//! Saved for it: `s` (as `sum`), `mean` and `rstd`; x^ and the dropout factors are made again.
//!
//! # Arithmetic
//! Every operation below is one IEEE 754 f32 operation, rounded once; `fma` is fused, nothing else is. "Lane sum" is
//! the order of [`crate::lanes`]: 32 lanes from zero, then a butterfly.
//! - `s = fma(factor, sub, x)`; without dropout the factor is 1, which is `x + sub`.
//! - `mean = lane_sum(s) / C`; then `d = s - mean` and `var = lane_sum(d * d) / C`, a lane's step being
//!   `fma(d, d, lane)`. Two passes: E\[s^2\] - E\[s\]^2 loses every digit once |mean| is large beside the deviation.
//! - `rstd = 1 / sqrt(var + eps)`, a division and a square root.
//! - `y = fma(d * rstd, gamma, beta)`.
//! - Backward: `x^ = (s - mean) * rstd`, `g = dy * gamma`, `a = lane_sum(g) / C`,
//!   `b = lane_sum(g * x^) / C` with lane steps `fma(g, x^, lane)`; `t = fma(x^, -b, g - a)`; then `ds = rstd * t`
//!   ([`Write::Set`]) or `ds = fma(rstd, t, ds)` ([`Write::Add`]); `dsub = factor * ds` of the value just written.
//! - dgamma and dbeta: rows go in chunks of [`CHUNK`] = 32, and these in blocks of [`BLOCK`] = 32 chunks, the last ones
//!   shorter. A chunk's partial sums start from zero and take its rows in ascending order, `fma(dy, x^, partial)` and
//!   `partial + dy`; a block's start from zero and take its chunks' in ascending order; then each column adds the
//!   blocks' in ascending order to the value that was there.
//!
//! So a row's result depends on that row alone, and no result on the number of threads. A constant row gives
//! `beta`, up to the rounding of its mean times rstd, which is 1 / sqrt(eps) there. A NaN or an infinity in a row makes
//! that row of `y` NaN.

#[cfg(any(test, feature = "cuda"))]
pub(crate) mod bounds;
mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use crate::{
    Error,
    dropout::Dropout,
    error::{check_len, product},
};

const OP: &str = "layer_norm";
pub(crate) const RESIDUAL_OP: &str = "layer_norm (residual)";
const BACKWARD_OP: &str = "layer_norm backward";
const RESIDUAL_BACKWARD_OP: &str = "layer_norm (residual) backward";

/// Rows whose contributions to dgamma and dbeta are added up before they meet the others.
pub const CHUNK: usize = 32;

/// Chunks that are added up before they meet the others.
pub const BLOCK: usize = 32;

/// The learned scale and shift, (C) each.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// The scale.
    pub gamma: &'a [f32],
    /// The shift.
    pub beta: &'a [f32],
}

/// What forward writes.
#[derive(Debug)]
pub struct Output<'a> {
    /// The normalized rows, (N, C).
    pub y: &'a mut [f32],
    /// The mean of each row, (N); backward reads it.
    pub mean: &'a mut [f32],
    /// One over the deviation of each row, (N); backward reads it.
    pub rstd: &'a mut [f32],
}

/// What backward reads.
#[derive(Clone, Copy, Debug)]
pub struct Backward<'a> {
    /// The gradient of `y`, (N, C).
    pub dy: &'a [f32],
    /// What forward normalized, (N, C): its `x`, or `sum` as [`residual_forward`] left it.
    pub sum: &'a [f32],
    /// Forward's mean, (N).
    pub mean: &'a [f32],
    /// Forward's rstd, (N).
    pub rstd: &'a [f32],
    /// Forward's scale, (C).
    pub gamma: &'a [f32],
}

/// What backward writes.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// The gradient of `sum`, (N, C): set or added to, as [`Write`] says.
    pub dsum: &'a mut [f32],
    /// The gradient of `gamma`, (C): always added to.
    pub dgamma: &'a mut [f32],
    /// The gradient of `beta`, (C): always added to.
    pub dbeta: &'a mut [f32],
}

/// Whether `dsum` is written or added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Overwrite: post-norm, where the normalized sum has no other reader.
    Set,
    /// Add to what is there: pre-norm, where the sum also goes on along the residual stream.
    Add,
}

/// Values of scratch that [`backward`] and [`residual_backward`] need for `n` rows of `c`: the chunks' partial sums.
pub fn scratch_len(n: usize, c: usize) -> usize {
    n.div_ceil(CHUNK).saturating_mul(2).saturating_mul(c)
}

/// Normalizes every row of `x`, then scales and shifts it. The arithmetic is fixed in the [module's](self) text.
///
/// # Shapes
/// `x` and `out.y`: `(N, C)`, row-major; N may be 0. `gamma`, `beta`: `(C)`. `out.mean`, `out.rstd`: `(N)`, kept for
/// [`backward`].
///
/// # Errors
/// [`Error::Size`] if C is 0 or N does not fit in 32 bits; [`Error::Length`] names the first buffer whose length
/// disagrees with N or C; [`Error::Scalar`] if `eps` is not finite and positive. On error `out` is untouched.
///
/// # Example
/// ```
/// use noam_kernels::layer_norm::{self, Affine, Output};
/// let (mut y, mut mean, mut rstd) = ([0.0; 4], [0.0; 1], [0.0; 1]);
/// let affine = Affine { gamma: &[1.0; 4], beta: &[0.0; 4] };
/// let out = Output { y: &mut y, mean: &mut mean, rstd: &mut rstd };
/// layer_norm::forward(&[1.0, 2.0, 3.0, 4.0], affine, 1e-5, out)?;
/// assert_eq!(mean, [2.5]);
/// assert!((y[3] - 1.341_635).abs() < 1e-5);
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn forward(x: &[f32], affine: Affine<'_>, eps: f32, out: Output<'_>) -> Result<(), Error> {
    check_forward(OP, forward_lens(x, affine, &out), eps)?;
    cpu::forward(x, affine, eps, out);
    Ok(())
}

/// Adds the sublayer's output, through dropout, to `x`, and normalizes the sum.
///
/// # Shapes
/// `x`: `(N, C)`. `sum`: `(N, C)`, on entry the sublayer's output `sub`, on return `x + factor * sub`, kept for
/// [`residual_backward`] (and, in pre-norm, the residual stream that goes on). The rest as in [`forward`]. The dropout
/// factor of `sum[n,c]` is that of row `n`, column `c` of a plain tensor ([`crate::dropout`]).
///
/// # Errors
/// As [`forward`]; on error `sum` and `out` are untouched.
///
/// # Example
/// ```
/// use noam_kernels::{dropout::Dropout, layer_norm::{self, Affine, Output}};
/// let (mut y, mut mean, mut rstd) = ([0.0; 2], [0.0; 1], [0.0; 1]);
/// let mut sum = [1.0, 2.0];
/// let affine = Affine { gamma: &[1.0; 2], beta: &[0.5; 2] };
/// let out = Output { y: &mut y, mean: &mut mean, rstd: &mut rstd };
/// layer_norm::residual_forward(&[10.0, 30.0], &mut sum, Dropout::NONE, affine, 1e-5, out)?;
/// assert_eq!((sum, mean), ([11.0, 32.0], [21.5]));
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn residual_forward(
    x: &[f32],
    sum: &mut [f32],
    dropout: Dropout,
    affine: Affine<'_>,
    eps: f32,
    out: Output<'_>,
) -> Result<(), Error> {
    check_forward(RESIDUAL_OP, forward_lens(x, affine, &out), eps)?;
    check_len(RESIDUAL_OP, "sum", "(N, C)", sum.len(), x.len())?;
    cpu::residual_forward(x, sum, dropout, affine, eps, out);
    Ok(())
}

/// Turns the gradient of `y` into those of the normalized sum, of `gamma` and of `beta`.
///
/// # Shapes
/// As in [`Backward`] and [`Gradients`]; `scratch` holds at least [`scratch_len`] values, whatever they are.
/// `dgamma` and `dbeta` are added to, so that gradients accumulate over batches; zero them before the first.
///
/// # Errors
/// [`Error::Size`] if C is 0 or N does not fit in 32 bits; [`Error::Length`] names the first buffer of the wrong
/// length, or a `scratch` that is too short. On error nothing is written.
pub fn backward(input: Backward<'_>, write: Write, out: Gradients<'_>, scratch: &mut [f32]) -> Result<(), Error> {
    check_backward(BACKWARD_OP, backward_lens(input, &out, scratch))?;
    cpu::backward(input, write, out, scratch);
    Ok(())
}

/// [`backward`], and on through the dropout: `dsub = factor * dsum`, with `dsum` as it stands when written (after the
/// addition, under [`Write::Add`]). The gradient of `x` is `dsum` itself.
///
/// `dropout` is that of [`residual_forward`]. When it is [`Dropout::NONE`], `dsub` is a copy of `dsum`; [`backward`]
/// with `dsum` read in both places saves the copy.
///
/// # Errors
/// As [`backward`]; `dsub` is `(N, C)`.
pub fn residual_backward(
    input: Backward<'_>,
    dropout: Dropout,
    write: Write,
    out: Gradients<'_>,
    dsub: &mut [f32],
    scratch: &mut [f32],
) -> Result<(), Error> {
    check_backward(RESIDUAL_BACKWARD_OP, backward_lens(input, &out, scratch))?;
    check_len(RESIDUAL_BACKWARD_OP, "dsub", "(N, C)", dsub.len(), input.sum.len())?;
    cpu::residual_backward(input, dropout, write, out, dsub, scratch);
    Ok(())
}

/// The number of columns, checked; and of rows, from `rows`, the length of an (N) buffer.
fn dims(op: &'static str, rows: usize, c: usize) -> Result<usize, Error> {
    if c == 0 {
        return Err(Error::Size { op, what: "C", got: c, limit: "at least 1" });
    }
    // Rows are a 32-bit word of the dropout's counter.
    if u32::try_from(rows).is_err() {
        return Err(Error::Size { op, what: "N", got: rows, limit: "less than 2^32" });
    }
    product(op, "N * C", &[rows, c])
}

/// What forward's buffers hold.
struct ForwardLens {
    x: usize,
    gamma: usize,
    beta: usize,
    y: usize,
    mean: usize,
    rstd: usize,
}

fn forward_lens(x: &[f32], affine: Affine<'_>, out: &Output<'_>) -> ForwardLens {
    ForwardLens {
        x: x.len(),
        gamma: affine.gamma.len(),
        beta: affine.beta.len(),
        y: out.y.len(),
        mean: out.mean.len(),
        rstd: out.rstd.len(),
    }
}

fn check_forward(op: &'static str, len: ForwardLens, eps: f32) -> Result<(), Error> {
    let (n, c) = (len.mean, len.gamma);
    let elements = dims(op, n, c)?;
    check_len(op, "x", "(N, C)", len.x, elements)?;
    check_len(op, "beta", "(C)", len.beta, c)?;
    check_len(op, "y", "(N, C)", len.y, elements)?;
    check_len(op, "rstd", "(N)", len.rstd, n)?;
    if !(eps.is_finite() && eps > 0.0) {
        let limit = "finite and greater than 0; 1e-5 is the usual choice";
        return Err(Error::Scalar { op, what: "eps", got: f64::from(eps), limit });
    }
    Ok(())
}

/// What backward's buffers hold.
struct BackwardLens {
    dy: usize,
    sum: usize,
    mean: usize,
    rstd: usize,
    gamma: usize,
    dsum: usize,
    dgamma: usize,
    dbeta: usize,
    scratch: usize,
}

fn backward_lens(input: Backward<'_>, out: &Gradients<'_>, scratch: &[f32]) -> BackwardLens {
    BackwardLens {
        dy: input.dy.len(),
        sum: input.sum.len(),
        mean: input.mean.len(),
        rstd: input.rstd.len(),
        gamma: input.gamma.len(),
        dsum: out.dsum.len(),
        dgamma: out.dgamma.len(),
        dbeta: out.dbeta.len(),
        scratch: scratch.len(),
    }
}

fn check_backward(op: &'static str, len: BackwardLens) -> Result<(), Error> {
    let (n, c) = (len.mean, len.gamma);
    let elements = dims(op, n, c)?;
    check_len(op, "dy", "(N, C)", len.dy, elements)?;
    check_len(op, "sum", "(N, C)", len.sum, elements)?;
    check_len(op, "rstd", "(N)", len.rstd, n)?;
    check_len(op, "dsum", "(N, C)", len.dsum, elements)?;
    check_len(op, "dgamma", "(C)", len.dgamma, c)?;
    check_len(op, "dbeta", "(C)", len.dbeta, c)?;
    let want = scratch_len(n, c);
    if len.scratch < want {
        let shape = "(ceil(N / 32), 2, C) or more";
        return Err(Error::Length { op, arg: "scratch", shape, got: len.scratch, want });
    }
    Ok(())
}
