//! The approximate functions (`.approx` and `div.full`).
//!
//! All compute in f64 with polynomials of our own, or by the processor's correctly rounded division and root, and round
//! once at the end, so most results are the correctly rounded ones. None is what a GPU returns bit for bit; the ISA
//! promises only bounds. Errors in units in the last place (ulp) are against the exact value; the measured ones are
//! what the tests assert.
//!
//! | function | the ISA allows | ours, at most |
//! | --- | --- | --- |
//! | `ex2.approx.f32` | 2 ulp | 0.5001 ulp |
//! | `lg2.approx.f32` | 2^-22, absolute in (0.5, 2), else relative | 0.5001 ulp |
//! | `rcp.approx.f32` | 1 ulp | 0.5 ulp |
//! | `rsqrt.approx.f32` | 2^-22.9 relative | 2^-23 relative |
//! | `sqrt.approx.f32` | 2^-23 relative | 0.5 ulp |
//! | `div.approx.f32` | 2 ulp for `b` in [2^-126, 2^126] | 1.5 ulp there |
//! | `div.full.f32` | 2 ulp | 0.5 ulp |
//! | `sin`, `cos.approx.f32` | 2^-20.5 absolute in ±2π, 2^-14.7 in ±100π | 0.5 ulp and 2^-42 in ±100π |
//! | `tanh.approx.f32` | 2^-11 relative | 1 ulp |
//! | `rcp`, `rsqrt.approx.ftz.f64` | no bound stated | 0.5 ulp of 20 fraction bits, and a little |
//! | `rsqrt.approx.f64` | no bound stated | 1.5 ulp |
//!
//! f32 functions take and return subnormals; `.ftz` flushes operand and result around them.

mod exponential;
mod logarithm;
mod reciprocal;
mod trigonometric;

pub use exponential::{ex2, tanh};
pub use logarithm::lg2;
pub use reciprocal::{div_approx, div_full, rcp, rcp_ftz_f64, rsqrt, rsqrt_f64, rsqrt_ftz_f64, sqrt};
pub use trigonometric::{cos, sin};

/// Added to an f64 below 2^51 and subtracted again, this leaves the nearest integer, ties to even; in between, the low
/// bits of the sum are that integer in two's complement.
const INTEGER: f64 = 6_755_399_441_055_744.0;

/// A polynomial, lowest coefficient first.
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: &[f64; N]) -> f64 {
    let mut value = coefficients[N - 1];
    for i in (0..N - 1).rev() {
        value = value * x + coefficients[i];
    }
    value
}
