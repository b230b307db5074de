//! f32 arithmetic: `add`, `sub`, `mul`, `fma`, `div`, `rcp`, `sqrt` in the four rounding modes, with `.ftz` and `.sat`
//! as steps of their own.
//!
//! To nearest is the processor's own operation. The directed modes compute in f64, exactly or rounded to odd, and
//! narrow once. Sums need that because two f32 may be far apart; a product is exact in f64; a quotient or a root rounded
//! to f64 is so close to the exact one that no f32 lies between them (an f32 differs from an inexact quotient or root
//! by more than 2^-50 of it). Every NaN result is [`nan::F32`].

use super::odd::{round_to_f32, sum64};
use super::{Round, fma, nan};

/// `.ftz`: a subnormal becomes zero of its sign.
#[inline(always)]
pub fn flush(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(if bits & 0x7f80_0000 == 0 { bits & 0x8000_0000 } else { bits })
}

/// `.sat`: clamps to [+0, 1]; NaN (and −0) become +0.
#[inline(always)]
pub fn saturate(x: f32) -> f32 {
    let low = if x > 0.0 { x } else { 0.0 };
    if low < 1.0 { low } else { 1.0 }
}

/// `.relu`: what is negative (and −0) becomes +0, NaN the canonical NaN.
#[inline(always)]
pub fn relu(x: f32) -> f32 {
    nan::canonical32(if x <= 0.0 { 0.0 } else { x })
}

/// `add{.rnd}.f32`.
#[inline(always)]
pub fn add(a: f32, b: f32, round: Round) -> f32 {
    match round {
        Round::Nearest => nan::canonical32(a + b),
        // Not by way of f64 when the sum is exactly zero: its sign depends on the mode.
        Round::Down => zero_of_sum(round_to_f32(sum64(f64::from(a), f64::from(b)), round), a, b),
        _ => round_to_f32(sum64(f64::from(a), f64::from(b)), round),
    }
}

/// A zero sum of operands of opposite signs is −0 when rounding down; the processor, to nearest, made it +0.
#[inline(always)]
fn zero_of_sum(result: f32, a: f32, b: f32) -> f32 {
    let negative_zero = result == 0.0 && (a.is_sign_negative() || b.is_sign_negative());
    if negative_zero { -0.0 } else { result }
}

/// `sub{.rnd}.f32`.
#[inline(always)]
pub fn sub(a: f32, b: f32, round: Round) -> f32 {
    add(a, -b, round)
}

/// `mul{.rnd}.f32`.
#[inline(always)]
pub fn mul(a: f32, b: f32, round: Round) -> f32 {
    match round {
        Round::Nearest => nan::canonical32(a * b),
        _ => round_to_f32(f64::from(a) * f64::from(b), round),
    }
}

/// `fma.rnd.f32` (and `mad.rnd.f32`): `a * b + c`, rounded once.
#[inline(always)]
pub fn fma(a: f32, b: f32, c: f32, round: Round) -> f32 {
    match round {
        Round::Nearest => nan::canonical32(fma::fma32(a, b, c)),
        _ => fma_directed(a, b, c, round),
    }
}

/// [`fma()`] without hardware for it, of the same bits: see [`fma::fma32_portable`].
#[inline(always)]
pub fn fma_portable(a: f32, b: f32, c: f32, round: Round) -> f32 {
    match round {
        Round::Nearest => nan::canonical32(fma::fma32_portable(a, b, c)),
        _ => fma_directed(a, b, c, round),
    }
}

#[inline(always)]
fn fma_directed(a: f32, b: f32, c: f32, round: Round) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let sum = sum64(product, f64::from(c));
    let result = round_to_f32(sum, round);
    // As for `add`; the sum in f64 is zero only where it is so exactly.
    let negative_zero = round == Round::Down && sum == 0.0 && (product.is_sign_negative() || c.is_sign_negative());
    if negative_zero { -0.0 } else { result }
}

/// `div.rnd.f32`.
#[inline(always)]
pub fn div(a: f32, b: f32, round: Round) -> f32 {
    match round {
        Round::Nearest => nan::canonical32(a / b),
        _ => round_to_f32(f64::from(a) / f64::from(b), round),
    }
}

/// `rcp.rnd.f32`.
#[inline(always)]
pub fn rcp(a: f32, round: Round) -> f32 {
    div(1.0, a, round)
}

/// `sqrt.rnd.f32`.
#[inline(always)]
pub fn sqrt(a: f32, round: Round) -> f32 {
    match round {
        Round::Nearest => nan::canonical32(a.sqrt()),
        _ => round_to_f32(f64::from(a).sqrt(), round),
    }
}

/// `neg.f32`: the sign bit flipped, of a NaN too (the ISA leaves that open).
#[inline(always)]
pub fn neg(a: f32) -> f32 {
    f32::from_bits(a.to_bits() ^ 0x8000_0000)
}

/// `abs.f32`: the sign bit cleared, of a NaN too (the ISA leaves that open).
#[inline(always)]
pub fn abs(a: f32) -> f32 {
    f32::from_bits(a.to_bits() & 0x7fff_ffff)
}

/// `copysign.f32 d, a, b`: the sign of `a` on the magnitude of `b`.
#[inline(always)]
pub fn copysign(a: f32, b: f32) -> f32 {
    f32::from_bits(a.to_bits() & 0x8000_0000 | b.to_bits() & 0x7fff_ffff)
}
