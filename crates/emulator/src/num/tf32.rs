//! tf32: an f32 of which tensor cores use the sign, the 8 exponent bits and the upper 10 fraction bits.

use super::nan;

const INFINITY: u32 = 0x7f80_0000;
const SIGN: u32 = 0x8000_0000;
const DROPPED: u32 = 0x1fff;

/// The rounding modifier of `cvt.rnd.tf32.f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tf32Round {
    /// `.rn`: to nearest, ties to even.
    Nearest,
    /// `.rna`: to nearest, ties away from zero.
    NearestAway,
    /// `.rz`: towards zero.
    Zero,
}

/// `cvt.rnd.tf32.f32`. The lower 13 bits of the result are 0, but for NaN, which becomes [`nan::F32`].
#[inline(always)]
pub fn from_f32(x: f32, round: Tf32Round) -> f32 {
    let bits = x.to_bits();
    let addend = match round {
        Tf32Round::Nearest => (DROPPED >> 1) + (bits >> 13 & 1),
        Tf32Round::NearestAway => (DROPPED >> 1) + 1,
        Tf32Round::Zero => 0,
    };
    let rounded = bits.wrapping_add(addend) & !DROPPED;
    f32::from_bits(if x.is_nan() { nan::F32.to_bits() } else { rounded })
}

/// What a tensor core reads of a register: the lower 13 bits do not count. A NaN stays one.
#[inline(always)]
pub fn truncate(x: f32) -> f32 {
    f32::from_bits(if x.is_nan() { nan::F32.to_bits() } else { x.to_bits() & !DROPPED })
}

/// `cvt.satfinite`: an infinity becomes the largest finite tf32 of its sign.
#[inline(always)]
pub fn saturate_finite(x: f32) -> f32 {
    let bits = x.to_bits();
    if x.is_infinite() { f32::from_bits(bits & SIGN | (INFINITY - 1) & !DROPPED) } else { x }
}
