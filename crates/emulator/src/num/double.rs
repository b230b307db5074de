//! f64 arithmetic: `add`, `sub`, `mul`, `fma`, `div`, `rcp`, `sqrt` in the four rounding modes.
//!
//! To nearest is the processor's own operation; the directed modes are computed in integers. A NaN result is that of
//! the first operand that is one, made quiet, or [`nan::F64`]. f64 instructions have no `.ftz` and no `.sat`, but `cvt`
//! saturates to f64.

use super::{Round, fma, nan, soft64};

/// `cvt.sat.f64`: clamps to [+0, 1]; NaN (and −0) become +0.
#[inline(always)]
pub fn saturate(x: f64) -> f64 {
    let low = if x > 0.0 { x } else { 0.0 };
    if low < 1.0 { low } else { 1.0 }
}

/// `add{.rnd}.f64`.
#[inline(always)]
pub fn add(a: f64, b: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => nan::binary64(a + b, a, b),
        _ => soft64::add(a, b, round),
    }
}

/// `sub{.rnd}.f64`.
#[inline(always)]
pub fn sub(a: f64, b: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => nan::binary64(a - b, a, b),
        _ => soft64::sub(a, b, round),
    }
}

/// `mul{.rnd}.f64`.
#[inline(always)]
pub fn mul(a: f64, b: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => nan::binary64(a * b, a, b),
        _ => soft64::mul(a, b, round),
    }
}

/// `fma.rnd.f64` (and `mad.rnd.f64`): `a * b + c`, rounded once.
#[inline(always)]
pub fn fma(a: f64, b: f64, c: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => nan::ternary64(fma::fma64(a, b, c), a, b, c),
        _ => soft64::fma(a, b, c, round),
    }
}

/// `div.rnd.f64`.
#[inline(always)]
pub fn div(a: f64, b: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => nan::binary64(a / b, a, b),
        _ => soft64::div(a, b, round),
    }
}

/// `rcp.rnd.f64`.
#[inline(always)]
pub fn rcp(a: f64, round: Round) -> f64 {
    div(1.0, a, round)
}

/// `sqrt.rnd.f64`.
#[inline(always)]
pub fn sqrt(a: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => nan::unary64(a.sqrt(), a),
        _ => soft64::sqrt(a, round),
    }
}

/// `neg.f64`: the sign bit flipped, of a NaN too.
#[inline(always)]
pub fn neg(a: f64) -> f64 {
    f64::from_bits(a.to_bits() ^ 1 << 63)
}

/// `abs.f64`: the sign bit cleared, of a NaN too.
#[inline(always)]
pub fn abs(a: f64) -> f64 {
    f64::from_bits(a.to_bits() & !(1 << 63))
}

/// `copysign.f64 d, a, b`: the sign of `a` on the magnitude of `b`.
#[inline(always)]
pub fn copysign(a: f64, b: f64) -> f64 {
    f64::from_bits(a.to_bits() & 1 << 63 | b.to_bits() & !(1 << 63))
}
