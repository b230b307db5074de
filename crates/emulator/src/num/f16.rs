//! f16 (IEEE 754 binary16: 5 exponent bits, 10 fraction bits), and the arithmetic of `.f16` and each half of `.f16x2`.
//!
//! Every f16 is exactly an f32, and a sum, difference or product of two, rounded to f32's 24 bits first, still rounds to
//! the right f16: 24 >= 2 * 11 + 2, and small results are exact (Figueroa 1995, "When is double rounding innocuous?").
//! The fused multiply-add is rounded to odd in f32 before it is narrowed. NaN results are [`nan::F16`].

use super::odd::{self, sum32};
use super::{Round, approx, nan, narrow};

const INFINITY: u16 = 0x7c00;
const MAX: u16 = 0x7bff;
const SIGN: u16 = 0x8000;

/// Whether the bits are a NaN's.
#[inline(always)]
pub fn is_nan(x: u16) -> bool {
    x & !SIGN > INFINITY
}

/// `cvt.f32.f16`: exact. NaN becomes [`nan::F32`].
#[inline(always)]
pub fn to_f32(x: u16) -> f32 {
    let sign = u32::from(x & SIGN) << 16;
    let magnitude = u32::from(x & !SIGN) << 13;
    // A normal number needs another bias. A subnormal is put under the hidden bit of 2^-14, which is then subtracted.
    let normal = magnitude + (112 << 23);
    let subnormal = (f32::from_bits(magnitude + (113 << 23)) - f32::from_bits(113 << 23)).to_bits();
    let finite = if x & INFINITY == 0 { subnormal } else { normal };
    let bits = if x & !SIGN >= INFINITY { 0x7f80_0000 } else { finite };
    f32::from_bits(if is_nan(x) { nan::F32.to_bits() } else { bits | sign })
}

/// `cvt.rnd.f16.f32`. Beyond the largest f16 lies infinity, where the mode rounds that way, else the largest f16.
#[inline(always)]
pub fn from_f32(x: f32, round: Round) -> u16 {
    let negative = x.is_sign_negative();
    let magnitude = narrow::magnitude::<10, 15>(x, round);
    let beyond = if round == Round::Nearest || round.away(negative) { INFINITY } else { MAX };
    let beyond = if x.is_infinite() { INFINITY } else { beyond };
    let magnitude = if magnitude >= u32::from(INFINITY) { beyond } else { magnitude as u16 };
    let sign = if negative { SIGN } else { 0 };
    if x.is_nan() { nan::F16 } else { magnitude | sign }
}

/// `cvt.rnd.f16.f64`, rounded once.
#[inline(always)]
pub fn from_f64(x: f64, round: Round) -> u16 {
    from_f32(odd::to_f32(x), round)
}

/// `.ftz`: a subnormal becomes zero of its sign.
#[inline(always)]
pub fn flush(x: u16) -> u16 {
    if x & INFINITY == 0 { x & SIGN } else { x }
}

/// `.sat`: clamps to [+0, 1]; NaN (and −0) become +0.
#[inline(always)]
pub fn saturate(x: u16) -> u16 {
    let positive = if x & SIGN != 0 || is_nan(x) { 0 } else { x };
    positive.min(0x3c00)
}

/// `.relu`: what is negative (and −0) becomes +0, NaN the canonical NaN.
#[inline(always)]
pub fn relu(x: u16) -> u16 {
    let positive = if x & SIGN != 0 { 0 } else { x };
    if is_nan(x) { nan::F16 } else { positive }
}

/// `cvt.satfinite`: an infinity becomes the largest finite f16 of its sign.
#[inline(always)]
pub fn saturate_finite(x: u16) -> u16 {
    if x & !SIGN == INFINITY { x & SIGN | MAX } else { x }
}

/// `add.rn.f16`.
#[inline(always)]
pub fn add(a: u16, b: u16) -> u16 {
    from_f32(to_f32(a) + to_f32(b), Round::Nearest)
}

/// `sub.rn.f16`.
#[inline(always)]
pub fn sub(a: u16, b: u16) -> u16 {
    from_f32(to_f32(a) - to_f32(b), Round::Nearest)
}

/// `mul.rn.f16`.
#[inline(always)]
pub fn mul(a: u16, b: u16) -> u16 {
    from_f32(to_f32(a) * to_f32(b), Round::Nearest)
}

/// `fma.rn.f16`: `a * b + c`, rounded once. The product is exact in f32.
#[inline(always)]
pub fn fma(a: u16, b: u16, c: u16) -> u16 {
    from_f32(sum32(to_f32(a) * to_f32(b), to_f32(c)), Round::Nearest)
}

/// `neg.f16`: the sign bit flipped, of a NaN too (the ISA leaves that open).
#[inline(always)]
pub fn neg(x: u16) -> u16 {
    x ^ SIGN
}

/// `abs.f16`: the sign bit cleared, of a NaN too (the ISA leaves that open).
#[inline(always)]
pub fn abs(x: u16) -> u16 {
    x & !SIGN
}

/// `ex2.approx.f16`: the ISA allows a relative error of 2^-9.9; ours is the result of [`approx::ex2`] rounded to f16,
/// at most 2^-11 for a normal result. Subnormal results are kept.
#[inline(always)]
pub fn ex2(x: u16) -> u16 {
    from_f32(approx::ex2(to_f32(x)), Round::Nearest)
}

/// `tanh.approx.f16`: the ISA allows an absolute error of 2^-10.987; ours is the result of [`approx::tanh`] rounded to
/// f16, at most 2^-12 and a little.
#[inline(always)]
pub fn tanh(x: u16) -> u16 {
    from_f32(approx::tanh(to_f32(x)), Round::Nearest)
}
