//! `sin` and `cos`.

use super::super::nan;
use super::{INTEGER, polynomial};

/// `sin(2π g) / g` in powers of `g^2`, for `g` in [-0.25, 0.25], within 2^-43 of it: the polynomial through its values
/// at the Chebyshev nodes.
const SIN: [f64; 7] = [
    6.283_185_307_179_27,
    -41.341_702_239_903_675,
    81.605_249_149_015_83,
    -76.705_847_543_773_26,
    42.058_134_871_372_054,
    -15.081_483_206_893,
    3.665_855_159_563_961_2,
];

/// `x / 2π` without its integer part, in [-0.5, 0.5], off by at most `|x| * 2^-55`; 0 for arguments so large that
/// nothing would be left of it.
#[inline(always)]
fn turns(x: f32) -> f64 {
    const PER_RADIAN: f64 = 1.0 / std::f64::consts::TAU;
    let turns = f64::from(x) * PER_RADIAN;
    let fraction = turns - ((turns + INTEGER) - INTEGER);
    let fraction = if turns.abs() < 2_251_799_813_685_248.0 { fraction } else { 0.0 };
    if x.is_finite() { fraction } else { f64::NAN }
}

/// `sin.approx.f32`, of radians.
///
/// ±0 are returned as they are; ±∞ and NaN give the canonical NaN. Beyond ±100π, where the ISA promises nothing, the
/// absolute error grows as `|x| * 2^-52`, and from about 2^53 on the result is +0.
#[inline(always)]
pub fn sin(x: f32) -> f32 {
    let turns = turns(x);
    let magnitude = turns.abs();
    // The second quarter mirrors the first.
    let quarter = if magnitude > 0.25 { 0.5 - magnitude } else { magnitude };
    let result = quarter * polynomial(quarter * quarter, &SIN);
    nan::canonical32(result.copysign(turns) as f32)
}

/// `cos.approx.f32`, of radians.
///
/// ±0 give 1; ±∞ and NaN give the canonical NaN. Beyond ±100π, where the ISA promises nothing, the absolute error grows
/// as `|x| * 2^-52`, and from about 2^53 on the result is 1.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    // A quarter turn less, so that the sine's polynomial serves.
    let quarter = 0.25 - turns(x).abs();
    nan::canonical32((quarter * polynomial(quarter * quarter, &SIN)) as f32)
}
