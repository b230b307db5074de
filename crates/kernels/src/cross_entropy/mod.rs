//! Softmax cross-entropy with label smoothing, fused with its gradient; and log-softmax, which decoding needs.
//!
//! ```text
//! p[n,v]      = exp(logits[n,v]) / sum_w exp(logits[n,w])
//! q[n,v]      = (1 - eps) [v = target[n]] + eps / V
//! loss[n]     = -sum_v q[n,v] ln p[n,v]
//! dlogits[n,v] = (p[n,v] - q[n,v]) * grad_scale
//! ```
//!
//! Label smoothing after Szegedy et al. 2016, [arXiv:1512.00567](https://arxiv.org/abs/1512.00567), section 7: eps is
//! spread evenly over the whole vocabulary, the target included. It is what `torch.nn.functional.cross_entropy`
//! computes with `label_smoothing=eps`, `ignore_index` and `reduction='none'`; the gradient is that of `grad_scale *
//! sum(loss)`. (Vaswani et al. 2017, section 5.4, use eps = 0.1.)
//!
//! A row whose target is the `ignore` id has loss 0 and gradient 0, and its logits are not looked at.
//!
//! # Arithmetic
//! Every operation below is one IEEE 754 f32 operation, rounded once; `fma` is fused, nothing else is. "Lane sum" is
//! the order of [`crate::lanes`]; exp and ln are those of [`crate::math`]. For a row x with target t:
//! - `m = max_v x[v]`, NaN passed over; `z[v] = x[v] - m`; `e[v] = exp(z[v])`.
//! - `l = lane_sum(e)`, `zs = lane_sum(z)`, `log_l = ln(l)`.
//! - `nll = log_l - z[t]`.
//! - With `u = eps / V` and `c = 1 - eps`: `loss = fma(-u, zs, fma(-c, z[t], log_l))`; when eps is 0, `zs` is left out
//!   and `loss = nll`. m cancels because q sums to 1, so the size of the logits costs no digits.
//! - `a = grad_scale / l`, `k = u * grad_scale`; `dlogits[v] = fma(e[v], a, -k)`, and at the target
//!   `fma(e[t], a, -k) - c * grad_scale`.
//! - log-softmax: `z[v] - log_l`.
//! - 16-bit logits (on a CUDA device) are widened to f32, which is exact; their gradient is rounded to them once, at the
//!   end, and overflows to infinity. Losses and log-softmax are f32.
//!
//! A NaN anywhere in a row, a +infinity, or nothing but -infinity makes its loss and its whole gradient NaN. A logit of
//! -infinity is a probability of 0: harmless when eps is 0 and it is not the target, an infinite loss otherwise.

mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use crate::{
    Error,
    error::{check_len, product},
};

const FORWARD_BACKWARD: &str = "cross_entropy";
const EVALUATE: &str = "cross_entropy (evaluate)";
const LOG_SOFTMAX: &str = "log_softmax";

/// The target of a row that does not count, for callers without a padding id.
pub const IGNORE: u32 = u32::MAX;

/// What the rows are measured against.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// The class of each row, (N): below V, or `ignore`.
    pub ids: &'a [u32],
    /// The id whose rows do not count: [`IGNORE`], or the padding id.
    pub ignore: u32,
    /// Label smoothing eps, in [0, 1).
    pub smoothing: f32,
}

/// What [`evaluate`] writes, (N) each; 0 for rows that do not count.
#[derive(Debug)]
pub struct Scores<'a> {
    /// The smoothed loss, the same bits as [`forward_backward`]'s.
    pub loss: &'a mut [f32],
    /// The negative log-likelihood of the target, -ln p; `exp` of its mean is the perplexity.
    pub nll: &'a mut [f32],
    /// 1 where no logit exceeds the target's, else 0.
    pub hit: &'a mut [u32],
}

/// Replaces the logits by the gradient of `grad_scale` times the summed loss, and writes every row's loss.
///
/// # Shapes
/// `logits`: `(N, V)`, row-major, on return the gradient. `targets.ids` and `loss`: `(N)`. N may be 0.
/// `grad_scale` is one over the number of rows that count in the whole update (over all its batches, when gradients
/// accumulate), for the gradient of the mean; any other factor may be in it.
///
/// # Errors
/// [`Error::Size`] if `v` is 0; [`Error::Length`] names the buffer whose length disagrees with N or V;
/// [`Error::Scalar`] if the smoothing is not in [0, 1) or `grad_scale` is NaN or infinite; [`Error::Index`] for a
/// target that is neither below V nor the `ignore` id. On error nothing is written.
///
/// # Example
/// ```
/// use noam_kernels::cross_entropy::{self, IGNORE, Targets};
/// let mut logits = [2.0, 0.0, 0.0, 9.0, 9.0, 9.0];
/// let mut loss = [0.0; 2];
/// let targets = Targets { ids: &[0, IGNORE], ignore: IGNORE, smoothing: 0.0 };
/// cross_entropy::forward_backward(&mut logits, 3, targets, 1.0, &mut loss)?;
/// assert!((loss[0] - 0.239_545).abs() < 1e-6); // ln(e^2 + 2) - 2
/// assert!((logits[0] - (0.786_986 - 1.0)).abs() < 1e-6);
/// assert_eq!((loss[1], &logits[3..]), (0.0, &[0.0; 3][..]));
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn forward_backward(
    logits: &mut [f32],
    v: usize,
    targets: Targets<'_>,
    grad_scale: f32,
    loss: &mut [f32],
) -> Result<(), Error> {
    let op = FORWARD_BACKWARD;
    check(op, logits.len(), v, targets, loss.len())?;
    if !grad_scale.is_finite() {
        let limit = "finite; one over the number of target tokens is the usual choice";
        return Err(Error::Scalar { op, what: "grad_scale", got: f64::from(grad_scale), limit });
    }
    cpu::forward_backward(logits, v, targets, grad_scale, loss);
    Ok(())
}

/// The losses alone, for validation; `logits` stay as they are.
///
/// # Shapes
/// As [`forward_backward`]; those of `out` are in [`Scores`].
///
/// # Errors
/// As [`forward_backward`].
pub fn evaluate(logits: &[f32], v: usize, targets: Targets<'_>, out: Scores<'_>) -> Result<(), Error> {
    check_evaluate(logits.len(), v, targets, [out.loss.len(), out.nll.len(), out.hit.len()])?;
    cpu::evaluate(logits, v, targets, out);
    Ok(())
}

/// Replaces every row of `x`, `(N, V)`, by the logarithm of its softmax.
///
/// # Errors
/// [`Error::Size`] if `v` is 0; [`Error::Length`] if `x` is not whole rows. On error nothing is written.
///
/// # Example
/// ```
/// let mut x = [0.0, 0.0];
/// noam_kernels::cross_entropy::log_softmax_rows(&mut x, 2)?;
/// assert!((x[0] + std::f32::consts::LN_2).abs() < 1e-7);
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn log_softmax_rows(x: &mut [f32], v: usize) -> Result<(), Error> {
    check_rows(x.len(), v)?;
    cpu::log_softmax_rows(x, v);
    Ok(())
}

/// The sum of the rows' losses: f64, in ascending order of the rows, from zero.
pub fn total_loss(loss: &[f32]) -> f64 {
    loss.iter().fold(0.0, |total, &row| total + f64::from(row))
}

fn check_classes(op: &'static str, v: usize) -> Result<(), Error> {
    if v == 0 {
        return Err(Error::Size { op, what: "V", got: v, limit: "at least 1" });
    }
    Ok(())
}

/// Checks log-softmax's rows; returns N.
fn check_rows(x: usize, v: usize) -> Result<usize, Error> {
    check_classes(LOG_SOFTMAX, v)?;
    let n = x / v;
    check_len(LOG_SOFTMAX, "x", "(N, V)", x, n * v)?;
    Ok(n)
}

/// Checks evaluate's targets and the lengths of its buffers: logits; loss, nll and hit.
fn check_evaluate(logits: usize, v: usize, targets: Targets<'_>, [loss, nll, hit]: [usize; 3]) -> Result<(), Error> {
    check(EVALUATE, logits, v, targets, loss)?;
    check_len(EVALUATE, "nll", "(N)", nll, targets.ids.len())?;
    check_len(EVALUATE, "hit", "(N)", hit, targets.ids.len())
}

/// Checks the targets, and the lengths of logits and loss.
fn check(op: &'static str, logits: usize, v: usize, targets: Targets<'_>, loss: usize) -> Result<(), Error> {
    check_classes(op, v)?;
    let n = targets.ids.len();
    check_len(op, "logits", "(N, V)", logits, product(op, "N * V", &[n, v])?)?;
    check_len(op, "loss", "(N)", loss, n)?;
    if !(0.0..1.0).contains(&targets.smoothing) {
        let limit = "at least 0 and less than 1; 0.1 is the paper's choice";
        return Err(Error::Scalar { op, what: "smoothing", got: f64::from(targets.smoothing), limit });
    }
    for (at, &id) in targets.ids.iter().enumerate() {
        if id != targets.ignore && id as usize >= v {
            return Err(Error::Index { op, arg: "targets", at, got: id as usize, limit: v });
        }
    }
    Ok(())
}
