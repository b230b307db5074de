//! The 8-bit formats: e4m3 (bias 7, no infinity, NaN where all other bits are 1) and e5m2 (bias 15, IEEE-like).
//!
//! Conversions to them are to nearest even and always `.satfinite`: what lies beyond the largest number, infinity too,
//! becomes the largest number of that sign. NaN becomes 0x7f in both.

use super::{Round, f16, nan, narrow};

const E4M3_MAX: u32 = 0x7e;
const E5M2_MAX: u32 = 0x7b;
const E5M2_INFINITY: u8 = 0x7c;
const NAN: u8 = 0x7f;

#[inline(always)]
fn with_sign(magnitude: u32, x: f32) -> u8 {
    let sign = if x.is_sign_negative() { 0x80 } else { 0 };
    if x.is_nan() { NAN } else { magnitude as u8 | sign }
}

/// `cvt.rn.satfinite.e4m3x2.f32`, one element. An f16 or bf16 goes through f32, which is exact.
#[inline(always)]
pub fn e4m3_from_f32(x: f32) -> u8 {
    with_sign(narrow::magnitude::<3, 7>(x, Round::Nearest).min(E4M3_MAX), x)
}

/// `cvt.rn.satfinite.e5m2x2.f32`, one element. An f16 or bf16 goes through f32, which is exact.
#[inline(always)]
pub fn e5m2_from_f32(x: f32) -> u8 {
    with_sign(narrow::magnitude::<2, 15>(x, Round::Nearest).min(E5M2_MAX), x)
}

/// `.relu` of a conversion to either format: applied to the operand, which has the result's sign. −0 becomes +0.
#[inline(always)]
pub fn relu(x: f32) -> f32 {
    if x.is_sign_negative() && !x.is_nan() { 0.0 } else { x }
}

/// e4m3 to f32, exact.
#[inline(always)]
pub fn e4m3_to_f32(x: u8) -> f32 {
    let sign = u32::from(x & 0x80) << 24;
    let magnitude = u32::from(x & 0x7f) << 20;
    let normal = magnitude + (120 << 23);
    // As in f16: a subnormal under the hidden bit of 2^-6, which is then subtracted.
    let subnormal = (f32::from_bits(magnitude + (121 << 23)) - f32::from_bits(121 << 23)).to_bits();
    let bits = if x & 0x78 == 0 { subnormal } else { normal };
    f32::from_bits(if x & 0x7f == NAN { nan::F32.to_bits() } else { bits | sign })
}

/// e5m2 to f32, exact.
#[inline(always)]
pub fn e5m2_to_f32(x: u8) -> f32 {
    f16::to_f32(e5m2_to_f16(x))
}

/// `cvt.rn.f16x2.e4m3x2`, one element: exact.
#[inline(always)]
pub fn e4m3_to_f16(x: u8) -> u16 {
    f16::from_f32(e4m3_to_f32(x), Round::Nearest)
}

/// `cvt.rn.f16x2.e5m2x2`, one element: exact, as e5m2 is the upper half of an f16. NaN becomes [`nan::F16`].
#[inline(always)]
pub fn e5m2_to_f16(x: u8) -> u16 {
    if x & 0x7f > E5M2_INFINITY { nan::F16 } else { u16::from(x) << 8 }
}
