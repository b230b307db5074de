//! Numbers as PTX computes them: formats, rounding, conversions, approximate functions, and the products of tensor
//! cores, as pure functions of scalars or of small matrices.
//!
//! A 16-bit or 8-bit float is its bits, in a `u16` or a `u8`; f32, tf32 and f64 are `f32`, `f32` and `f64`.
//!
//! The same inputs give the same bits on every machine: only operations that IEEE 754 rounds correctly (`+ - * /`,
//! square root, fused multiply-add) and integers are used, the processor's rounding mode is never changed, and a NaN's
//! bits are chosen here ([`nan`]), not by the processor. Functions are free of branches where that is cheap, so that a
//! loop over a warp's lanes becomes vector instructions. A [`Round`] or another enum is meant to be a constant at the
//! call, so that its `match` disappears.
//!
//! `.ftz` is composed by the caller: flush the operands, compute, flush the result (`single::flush`, `f16::flush`). So
//! are `.sat` (`saturate`) and `.relu` (`relu`), which come last. A result is subnormal if it is so after rounding.

pub mod approx;
pub mod bf16;
pub mod compare;
pub mod cvt;
pub mod double;
pub mod f16;
pub mod fma;
pub mod fp8;
pub mod minmax;
pub mod mma;
pub mod nan;
mod narrow;
pub mod odd;
pub mod single;
mod soft64;
pub mod tf32;

#[cfg(test)]
mod tests;

/// The rounding modifier of an arithmetic instruction or of a conversion to a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Round {
    /// `.rn`: to nearest, ties to even.
    Nearest,
    /// `.rz`: towards zero.
    Zero,
    /// `.rm`: towards minus infinity.
    Down,
    /// `.rp`: towards plus infinity.
    Up,
}

impl Round {
    /// Whether a value of this sign is rounded away from zero wherever it is inexact.
    #[inline(always)]
    pub(crate) fn away(self, negative: bool) -> bool {
        match self {
            Round::Nearest | Round::Zero => false,
            Round::Down => negative,
            Round::Up => !negative,
        }
    }
}
