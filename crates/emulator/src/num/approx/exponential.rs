//! `ex2` and `tanh`.

use super::super::nan;
use super::{INTEGER, polynomial};

/// `(2^f - 1) / f` for `f` in [-0.5, 0.5], within 2^-37 of it: the polynomial through its values at the Chebyshev nodes.
const EX2: [f64; 8] = [
    0.693_147_180_556_832_4,
    0.240_226_506_958_885_03,
    0.055_504_109_063_258_665,
    0.009_618_129_135_236_14,
    0.001_333_347_847_368_541_6,
    0.000_154_034_751_865_307_86,
    1.530_370_071_136_569_3e-5,
    1.325_080_551_750_225e-6,
];

/// `2^x` as `scale * (1 + rest)`: the power of two nearest to it, and what is left. `x` within ±1000.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    let shifted = x + INTEGER;
    let fraction = x - (shifted - INTEGER);
    let integer = shifted.to_bits().wrapping_sub(INTEGER.to_bits());
    let scale = f64::from_bits(integer.wrapping_add(1023) << 52);
    (scale, fraction * polynomial(fraction, &EX2))
}

/// `ex2.approx.f32`: `2^x`.
///
/// −∞ gives +0, ±0 give 1, +∞ gives +∞, NaN the canonical NaN.
#[inline(always)]
pub fn ex2(x: f32) -> f32 {
    let x = f64::from(x);
    // Beyond these the result is 0 or infinity anyway; a NaN fails both comparisons and stays.
    let x = if x < -160.0 { -160.0 } else { x };
    let x = if x > 130.0 { 130.0 } else { x };
    let (scale, rest) = split(x);
    nan::canonical32((scale + scale * rest) as f32)
}

/// `tanh.approx.f32`: the hyperbolic tangent.
///
/// ±0 and subnormals are returned as they are, ±∞ give ±1, NaN the canonical NaN.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    const TWICE_LOG2_E: f64 = 2.0 * std::f64::consts::LOG2_E;
    let magnitude = f64::from(x).abs();
    let y = magnitude * TWICE_LOG2_E;
    // tanh is 1 in f32 from 9.02 on.
    let y = if y > 64.0 { 64.0 } else { y };
    let (scale, rest) = split(y);
    // e^2x - 1 keeps its relative precision for small x, where scale is 1.
    let numerator = (scale - 1.0) + scale * rest;
    let result = (numerator / (numerator + 2.0)) as f32;
    // tanh x is x (1 - x^2 / 3 + ...); below 2^-12 the first term is within 2^-25 of it.
    let result = if magnitude < 1.0 / 4096.0 { x } else { result.copysign(x) };
    nan::canonical32(result)
}
