//! `lg2`.

use super::super::nan;
use super::{INTEGER, polynomial};

/// `log2((1 + t) / (1 - t)) / t` in powers of `t^2`, for `t` within ±(√2 − 1)/(√2 + 1), within 2^-45 of it: the
/// polynomial through its values at the Chebyshev nodes.
const LG2: [f64; 6] = [
    2.885_390_081_777_85,
    0.961_796_694_113_212_7,
    0.577_077_942_359_459_1,
    0.412_209_256_786_155,
    0.319_905_373_922_761_7,
    0.282_906_616_590_681_1,
];

/// `lg2.approx.f32`: the logarithm to base 2.
///
/// ±0 give −∞, +∞ gives +∞; −∞, what is negative, and NaN give the canonical NaN.
#[inline(always)]
pub fn lg2(x: f32) -> f32 {
    // In f64 a subnormal f32 is normal.
    let bits = f64::from(x).to_bits();
    // x = 2^exponent * m with m in [√½, √2), so that close to 1 the exponent is 0 and nothing cancels. The added 1024
    // keeps the difference positive.
    let above = bits.wrapping_sub(std::f64::consts::FRAC_1_SQRT_2.to_bits()).wrapping_add(1024 << 52);
    let exponent = (above >> 52).wrapping_sub(1024);
    let m = f64::from_bits(bits.wrapping_sub(exponent << 52));
    let exponent = f64::from_bits(INTEGER.to_bits().wrapping_add(exponent)) - INTEGER;
    let t = (m - 1.0) / (m + 1.0);
    let result = (exponent + t * polynomial(t * t, &LG2)) as f32;
    let result = if x == f32::INFINITY { x } else { result };
    let result = if x > 0.0 { result } else { nan::F32 };
    if x == 0.0 { f32::NEG_INFINITY } else { nan::canonical32(result) }
}
