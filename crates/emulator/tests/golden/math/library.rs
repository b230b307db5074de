//! Library functions, which the compiler makes of many instructions, within the errors that CUDA's documentation states.

use std::f64::consts::PI;

use super::{numbers, y};
use crate::ways::{floats, same};

/// The distance from a number to the next of a format with so many bits of fraction and that least exponent.
fn ulp(x: f64, fraction: i32, least: i32) -> f64 {
    let exponent = ((x.to_bits() >> 52 & 0x7ff) as i32 - 1023).max(least);
    // Not `powi`, which is 0 where its reciprocal is infinite.
    f64::from(exponent - fraction).exp2()
}

/// By a series of positive terms: erf x = 2/sqrt(pi) exp(-x^2) sum of 2^n x^(2n+1) / (1 3 5 ... (2n+1)).
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, 0.0);
    for n in 0..200 {
        sum += term;
        term *= 2.0 * x * x / f64::from(2 * n + 3);
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// Each function in f64, and its greatest error in ulp.
fn expected_f32(x: f32) -> [(f64, f64); 12] {
    let a = f64::from(x);
    let b = a.abs();
    [
        (a.exp(), 2.0),
        (b.ln(), 1.0),
        (a.sin(), 2.0),
        (a.cos(), 2.0),
        (a.tanh(), 2.0),
        // NVRTC 12.0 states 9 for powers, later ones 4.
        (b.powf(f64::from(0.7f32)), 4.0),
        (erf(a), 2.0),
        (b.ln_1p(), 1.0),
        ((x % 0.3).into(), 0.0),
        (x.round_ties_even().into(), 0.0),
        (1f64.copysign(a), 0.0),
        (a.hypot(2.0), 3.0),
    ]
}

#[test]
fn in_f32() {
    let mut x = numbers(98, 600);
    // Arguments of the circular functions that need more digits of pi.
    x.extend([PI as f32, (PI / 2.0) as f32, 105_615.0, -1e6, 1e10, 1.5e20, 88.7, 88.8, -87.4, -103.9, -104.5]);
    let expected: Vec<_> = x.iter().copied().flat_map(expected_f32).collect();
    same(
        "math",
        |device| y(device, "library_f32", &[&x], 12),
        |got| {
            for (at, (got, &(expected, ulps))) in floats(got).into_iter().zip(&expected).enumerate() {
                let largest = f64::from(f32::MAX);
                let right = match expected {
                    e if e.is_nan() => got.is_nan(),
                    // Rounded, it may be the largest number or infinity.
                    e if e.abs() > largest => f64::from(got.abs()) >= largest && (got > 0.0) == (e > 0.0),
                    e => (f64::from(got) - e).abs() <= ulps * ulp(e, 23, -126),
                };
                let (index, x) = (at % 12, x[at / 12]);
                assert!(right, "function {index} of {x:e}: {got:e}, not {expected:e} within {ulps} ulp");
            }
        },
    );
}

/// The reference is of the same precision, so that its own ulp is added to what the function may err.
fn expected_f64(a: f64) -> [(f64, f64); 10] {
    let b = a.abs();
    [
        (a.exp(), 2.0),
        (b.ln(), 2.0),
        (a.sin(), 3.0),
        (b.sqrt(), 0.0),
        (1.0 / a, 0.0),
        (a.mul_add(a, -b), 0.0),
        (a.floor(), 0.0),
        (b.powf(1.25), 3.0),
        (a / 3.0, 0.0),
        (a.tanh(), 3.0),
    ]
}

#[test]
fn in_f64() {
    // f32 have few digits; a third more makes them many.
    let mut x: Vec<f64> = numbers(99, 400).into_iter().map(|x| f64::from(x) * (1.0 + 1.0 / 3.0)).collect();
    x.extend([1e300, -1e-300, 5e-324, 709.7, 709.8, -745.1, -746.0, PI, PI / 2.0, 1e22]);
    let expected: Vec<_> = x.iter().copied().flat_map(expected_f64).collect();
    same(
        "math",
        |device| y(device, "library_f64", &[&x], 10),
        |got: &Vec<u64>| {
            for (at, (&got, &(expected, ulps))) in got.iter().zip(&expected).enumerate() {
                let got = f64::from_bits(got);
                let right = match expected {
                    e if e.is_nan() => got.is_nan(),
                    e if e.is_infinite() => got == e,
                    e => (got - e).abs() <= ulps * ulp(e, 52, -1022),
                };
                let (index, x) = (at % 10, x[at / 10]);
                assert!(right, "function {index} of {x:e}: {got:e}, not {expected:e} within {ulps} ulp");
            }
        },
    );
}
