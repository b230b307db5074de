//! The L2 norm of the gradients, and the factor that clips them.
//!
//! ```text
//! norm = sqrt( sum_i grads[i]^2 )             clip = min(1, max_norm / norm)
//! ```
//!
//! Clipping by the global norm: Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063. PyTorch's `clip_grad_norm_` divides
//! by norm + 1e-6 instead, which shrinks by up to a millionth part more at norm 1.
//!
//! # Arithmetic
//! f64 throughout. The square of an f32 is exact in f64, so whether a multiply-add is fused does not matter. Blocks
//! of [`BLOCK`] elements: in each, 32 lanes from zero (lane l adds elements l, l + 32, ... of the block, ascending),
//! then a butterfly 16, 8, 4, 2, 1. The block sums are added ascending, from zero; then one square root.
//!
//! f64 costs nothing where memory is the limit, and buys that **the norm is finite if and only if every gradient
//! is**: 2^64 squares of the largest f32 do not overflow. It needs no other check for NaN and infinities; a NaN among
//! the gradients gives NaN, infinities alone give infinity.
//!
//! Least traffic: 4 bytes an element.

mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(test)]
mod tests;

use crate::Error;

const OP: &str = "grad_norm";

/// Elements a block, the unit of the order of addition.
pub const BLOCK: usize = 4096;

/// The L2 norm of `grads`, any length; 0 for none. To first order the relative error is at most
/// `(134 + ceil(n / 4096)) 2^-54`: 1e-12 for 60 million elements.
///
/// # Example
/// ```
/// use noam_kernels::grad_norm::{clip_factor, grad_norm};
/// let norm = grad_norm(&[3.0, -4.0]);
/// assert_eq!(norm, 5.0);
/// assert_eq!(clip_factor(norm, 1.0)?, 0.2);
/// assert!(!grad_norm(&[1.0, f32::INFINITY]).is_finite());
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn grad_norm(grads: &[f32]) -> f64 {
    cpu::sum_of_squares(grads).sqrt()
}

/// What gradients of L2 norm `norm` are multiplied by so that their norm does not exceed `max_norm`: `max_norm /
/// norm` in f64, rounded to f32, or exactly 1 where that is not below 1. 0 if `norm` is infinite, NaN if it is NaN;
/// such gradients are not to be used at all.
///
/// An infinite `max_norm` never clips. After an average over k, `norm` is that of the averages: the norm divided by
/// k.
///
/// # Errors
/// [`Error::Scalar`] if `max_norm` is not greater than 0.
pub fn clip_factor(norm: f64, max_norm: f64) -> Result<f32, Error> {
    check_max_norm(max_norm)?;
    Ok(if norm.is_nan() {
        f32::NAN
    } else if norm.is_infinite() {
        0.0 // also where the limit is infinite and the quotient would be NaN
    } else {
        (max_norm / norm).min(1.0) as f32
    })
}

fn check_max_norm(max_norm: f64) -> Result<(), Error> {
    if max_norm.is_nan() || max_norm <= 0.0 {
        let limit = "greater than 0; 1 is a usual choice, infinity never clips";
        return Err(Error::Scalar { op: OP, what: "max_norm", got: max_norm, limit });
    }
    Ok(())
}
