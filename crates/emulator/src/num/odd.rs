//! Rounding to odd: the way to round once although two formats are involved.
//!
//! A value that is inexact in the wide format is rounded to the neighbour whose last bit is 1. Nothing of the narrow
//! format, and no midpoint of it, then looks exact that is not, so rounding a second time, in any direction, gives what
//! one rounding of the exact value would have given, provided that the wide format has at least two more bits
//! (Boldo and Melquiond 2008, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd").

use super::Round;
use super::nan;

/// `a + b` in f64, rounded to odd. Infinities and NaNs are those of `a + b`; the sum must not overflow.
#[inline(always)]
pub(crate) fn sum64(a: f64, b: f64) -> f64 {
    let s = a + b;
    // Knuth's two-sum: error is a + b - s exactly, or a NaN where s is not finite.
    let b_part = s - a;
    let error = (a - (s - b_part)) + (b - b_part);
    let bits = s.to_bits();
    let even = bits & 1 == 0;
    // s is a nearest value and even: the odd neighbour on the other side of the exact sum is the one wanted.
    let outwards = (error > 0.0) == (s > 0.0);
    let inexact = (error > 0.0) | (error < 0.0);
    let step = if outwards { 1u64 } else { u64::MAX };
    f64::from_bits(if inexact & even { bits.wrapping_add(step) } else { bits })
}

/// `a + b` in f32, rounded to odd. Infinities and NaNs are those of `a + b`; the sum must not overflow.
#[inline(always)]
pub(crate) fn sum32(a: f32, b: f32) -> f32 {
    let s = a + b;
    let b_part = s - a;
    let error = (a - (s - b_part)) + (b - b_part);
    let bits = s.to_bits();
    let even = bits & 1 == 0;
    let outwards = (error > 0.0) == (s > 0.0);
    let inexact = (error > 0.0) | (error < 0.0);
    let step = if outwards { 1u32 } else { u32::MAX };
    f32::from_bits(if inexact & even { bits.wrapping_add(step) } else { bits })
}

/// `x` in f32, rounded to odd. A value beyond the largest f32 becomes the largest; infinities and NaNs stay.
#[inline(always)]
pub fn to_f32(x: f64) -> f32 {
    let near = x as f32;
    let back = f64::from(near);
    let bits = near.to_bits();
    let even = bits & 1 == 0;
    let outwards = back.abs() < x.abs();
    let inexact = (back > x) | (back < x);
    let step = if outwards { 1u32 } else { u32::MAX };
    f32::from_bits(if inexact & even { bits.wrapping_add(step) } else { bits })
}

/// `x` in f32, rounded as asked: what `cvt.{rn,rz,rm,rp}.f32.f64` does. NaN becomes the canonical NaN.
#[inline(always)]
pub fn round_to_f32(x: f64, round: Round) -> f32 {
    let near = x as f32;
    let bits = near.to_bits();
    let directed = if round.away(x.is_sign_negative()) {
        bits.wrapping_add(u32::from(f64::from(near.abs()) < x.abs()))
    } else {
        bits.wrapping_sub(u32::from(f64::from(near.abs()) > x.abs()))
    };
    nan::canonical32(if round == Round::Nearest { near } else { f32::from_bits(directed) })
}
