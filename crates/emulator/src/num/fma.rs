//! Fused multiply-add to nearest: `a * b + c`, rounded once.
//!
//! [`fma32`] and [`fma64`] are `mul_add`: one instruction in a function that enables the `fma` target feature (or on a
//! machine that always has it, as every aarch64), and elsewhere a call of the platform's C library, which the standard
//! library promises to be correctly rounded. [`fma32_portable`] and [`fma64_portable`] give the same bits by `+`, `*`
//! and integers alone; `fma32_portable` vectorises on any machine, so it is the one to use in loops compiled without
//! the feature.

use super::odd::sum64;
use super::{Round, soft64};

/// `a * b + c` to nearest, by the hardware where the caller enables it. A NaN's bits are unspecified.
#[inline(always)]
pub fn fma32(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

/// `a * b + c` to nearest, by the hardware where the caller enables it. A NaN's bits are unspecified.
#[inline(always)]
pub fn fma64(a: f64, b: f64, c: f64) -> f64 {
    a.mul_add(b, c)
}

/// [`fma32`] without hardware for it. The product of two f32 is exact in f64, and so is its place in the range; the
/// sum is rounded to odd.
#[inline(always)]
pub fn fma32_portable(a: f32, b: f32, c: f32) -> f32 {
    sum64(f64::from(a) * f64::from(b), f64::from(c)) as f32
}

/// [`fma64`] without hardware for it, in integers.
#[inline]
pub fn fma64_portable(a: f64, b: f64, c: f64) -> f64 {
    soft64::fma(a, b, c, Round::Nearest)
}
