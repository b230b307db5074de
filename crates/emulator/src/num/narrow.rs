//! Rounding an f32 to a format with fewer bits and a smaller range (f16, e4m3, e5m2).

use super::Round;

/// The magnitude of `x` in a format of `FRACTION` fraction bits and this `BIAS`, as its bits without sign, as if the
/// exponent field had no end: the caller decides what lies beyond the largest number, and handles NaN.
///
/// The format's least normal must be above f32's, so that an f32 subnormal is nothing but inexact.
#[inline(always)]
pub(super) fn magnitude<const FRACTION: u32, const BIAS: u32>(x: f32, round: Round) -> u32 {
    let dropped = 23 - FRACTION;
    let rebase = 127 - BIAS;
    let abs = x.to_bits() & 0x7fff_ffff;
    let biased = abs >> 23;
    // A normal result keeps exponent and fraction together, so that a carry moves on to the next exponent. A subnormal
    // one is the significand, shifted further the smaller it is; 31 places lose all of it.
    let normal = biased > rebase;
    let hidden = if biased == 0 { 0 } else { 1 << 23 };
    let significand = abs & 0x007f_ffff | hidden;
    let value = if normal { abs.wrapping_sub(rebase << 23) } else { significand };
    let shift = if normal { dropped } else { (dropped + 1 + rebase).wrapping_sub(biased).min(31) };
    let below = (1u32 << shift) - 1;
    let addend = match round {
        // Just under half, or half if the kept part is odd.
        Round::Nearest => (below >> 1) + (value >> shift & 1),
        _ if round.away(x.is_sign_negative()) => below,
        _ => 0,
    };
    (value + addend) >> shift
}
