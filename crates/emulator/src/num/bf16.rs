//! bf16 (the upper half of an f32: 8 exponent bits, 7 fraction bits), and the arithmetic of `.bf16` and each half of
//! `.bf16x2`.
//!
//! A sum of two bf16 may be rounded to f32 first (24 >= 2 * 8 + 2, and small sums are exact). So may a product, of at
//! most 16 bits: f32 loses one of them only below 2^-134, half of bf16's least subnormal, and what it then rounds to is
//! below that still. A fused multiply-add is rounded to odd in f64, where its product is exact. NaN results are
//! [`nan::BF16`].

use super::odd::{self, sum64};
use super::{Round, approx, nan};

const INFINITY: u16 = 0x7f80;
const MAX: u16 = 0x7f7f;
const SIGN: u16 = 0x8000;

/// Whether the bits are a NaN's.
#[inline(always)]
pub fn is_nan(x: u16) -> bool {
    x & !SIGN > INFINITY
}

/// `cvt.f32.bf16`: exact. A NaN keeps its bits (the ISA leaves that open).
#[inline(always)]
pub fn to_f32(x: u16) -> f32 {
    f32::from_bits(u32::from(x) << 16)
}

/// `cvt.rnd.bf16.f32`. Beyond the largest bf16 lies infinity, where the mode rounds that way, else the largest bf16.
#[inline(always)]
pub fn from_f32(x: f32, round: Round) -> u16 {
    let bits = x.to_bits();
    let addend = match round {
        Round::Nearest => 0x7fff + (bits >> 16 & 1),
        _ if round.away(x.is_sign_negative()) => 0xffff,
        _ => 0,
    };
    // Of a number, the sum stays within its sign: infinity ends in 16 zeros. Of a NaN it is not used.
    let rounded = (bits.wrapping_add(addend) >> 16) as u16;
    if x.is_nan() { nan::BF16 } else { rounded }
}

/// `cvt.rnd.bf16.f64`, rounded once.
#[inline(always)]
pub fn from_f64(x: f64, round: Round) -> u16 {
    from_f32(odd::to_f32(x), round)
}

/// `.ftz` (of `ex2` alone): a subnormal becomes zero of its sign.
#[inline(always)]
pub fn flush(x: u16) -> u16 {
    if x & INFINITY == 0 { x & SIGN } else { x }
}

/// `.relu`: what is negative (and −0) becomes +0, NaN the canonical NaN.
#[inline(always)]
pub fn relu(x: u16) -> u16 {
    let positive = if x & SIGN != 0 { 0 } else { x };
    if is_nan(x) { nan::BF16 } else { positive }
}

/// `cvt.satfinite`: an infinity becomes the largest finite bf16 of its sign.
#[inline(always)]
pub fn saturate_finite(x: u16) -> u16 {
    if x & !SIGN == INFINITY { x & SIGN | MAX } else { x }
}

/// `add.rn.bf16`.
#[inline(always)]
pub fn add(a: u16, b: u16) -> u16 {
    from_f32(to_f32(a) + to_f32(b), Round::Nearest)
}

/// `sub.rn.bf16`.
#[inline(always)]
pub fn sub(a: u16, b: u16) -> u16 {
    from_f32(to_f32(a) - to_f32(b), Round::Nearest)
}

/// `mul.rn.bf16`.
#[inline(always)]
pub fn mul(a: u16, b: u16) -> u16 {
    from_f32(to_f32(a) * to_f32(b), Round::Nearest)
}

/// `fma.rn.bf16`: `a * b + c`, rounded once.
#[inline(always)]
pub fn fma(a: u16, b: u16, c: u16) -> u16 {
    let product = f64::from(to_f32(a)) * f64::from(to_f32(b));
    from_f64(sum64(product, f64::from(to_f32(c))), Round::Nearest)
}

/// `neg.bf16`: the sign bit flipped, of a NaN too (the ISA leaves that open).
#[inline(always)]
pub fn neg(x: u16) -> u16 {
    x ^ SIGN
}

/// `abs.bf16`: the sign bit cleared, of a NaN too (the ISA leaves that open).
#[inline(always)]
pub fn abs(x: u16) -> u16 {
    x & !SIGN
}

/// `ex2.approx.ftz.bf16`: the ISA allows a relative error of 2^-7; ours is the result of [`approx::ex2`] rounded to
/// bf16, at most 2^-8. Subnormal operands and results are flushed.
#[inline(always)]
pub fn ex2(x: u16) -> u16 {
    flush(from_f32(approx::ex2(to_f32(flush(x))), Round::Nearest))
}

/// `tanh.approx.bf16`: the ISA allows an absolute error of 2^-8; ours is the result of [`approx::tanh`] rounded to
/// bf16, at most 2^-9 and a little.
#[inline(always)]
pub fn tanh(x: u16) -> u16 {
    from_f32(approx::tanh(to_f32(x)), Round::Nearest)
}
