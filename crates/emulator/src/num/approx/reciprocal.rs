//! `rcp`, `rsqrt`, `sqrt` and `div`: the processor's division and square root, which are correctly rounded.

use super::super::{Round, nan, single};

/// `rcp.approx.f32`: `1 / x`, correctly rounded. ±0 give ±∞, ±∞ give ±0.
#[inline(always)]
pub fn rcp(x: f32) -> f32 {
    single::rcp(x, Round::Nearest)
}

/// `sqrt.approx.f32`: correctly rounded. −0 stays; what is negative gives the canonical NaN.
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    single::sqrt(x, Round::Nearest)
}

/// `rsqrt.approx.f32`: `1 / √x`. Two roundings, each within 2^-24. ±0 give ±∞, +∞ gives +0, what is negative the
/// canonical NaN.
#[inline(always)]
pub fn rsqrt(x: f32) -> f32 {
    nan::canonical32(1.0 / x.sqrt())
}

/// `div.approx.f32`: `a * (1 / b)`. For `|b|` above 2^126 the reciprocal counts as zero, as the ISA has it: the result is
/// a zero of the quotient's sign, or a NaN if `a` is infinite.
#[inline(always)]
pub fn div_approx(a: f32, b: f32) -> f32 {
    const LARGEST: f32 = f32::from_bits(0x7e80_0000);
    let reciprocal = if b.abs() > LARGEST { 0.0f32.copysign(b) } else { 1.0 / b };
    nan::canonical32(a * reciprocal)
}

/// `div.full.f32`: correctly rounded.
#[inline(always)]
pub fn div_full(a: f32, b: f32) -> f32 {
    single::div(a, b, Round::Nearest)
}

/// `rsqrt.approx.f64`: `1 / √x`.
#[inline(always)]
pub fn rsqrt_f64(x: f64) -> f64 {
    nan::unary64(1.0 / x.sqrt(), x)
}

/// `rcp.approx.ftz.f64`: of the upper word of `x`, rounded to its upper word; the lower word is 0.
#[inline(always)]
pub fn rcp_ftz_f64(x: f64) -> f64 {
    upper_word(1.0 / upper_operand(x))
}

/// `rsqrt.approx.ftz.f64`: of the upper word of `x`, rounded to its upper word; the lower word is 0.
#[inline(always)]
pub fn rsqrt_ftz_f64(x: f64) -> f64 {
    upper_word(1.0 / upper_operand(x).sqrt())
}

const UPPER: u64 = 0xffff_ffff_0000_0000;
const SIGN: u64 = 1 << 63;

#[inline(always)]
fn flush(bits: u64) -> u64 {
    if bits << 1 >> 53 == 0 { bits & SIGN } else { bits }
}

#[inline(always)]
fn upper_operand(x: f64) -> f64 {
    f64::from_bits(flush(x.to_bits() & UPPER))
}

#[inline(always)]
fn upper_word(result: f64) -> f64 {
    let bits = result.to_bits();
    let rounded = bits.wrapping_add(0x7fff_ffff + (bits >> 32 & 1)) & UPPER;
    f64::from_bits(if result.is_nan() { nan::F64_APPROX.to_bits() } else { flush(rounded) })
}
