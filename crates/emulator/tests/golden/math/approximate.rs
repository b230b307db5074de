//! The approximate instructions, within the bounds that the ISA states.

use std::f64::consts::PI;

use super::{numbers, y};
use crate::ways::{floats, same};

/// An exact value with the error allowed; `None` where no bound is stated.
fn expected(index: usize, x: f32) -> Option<(f64, f64)> {
    let wide = f64::from(x);
    let relative = |y: f64, bound: f64| Some((y, (bound * y.abs()).max(2f64.powi(-149))));
    match index {
        0 => relative(wide.exp2(), 2f64.powi(-22)),
        1 if wide > 0.5 && wide < 2.0 => Some((wide.log2(), 2f64.powi(-22))),
        1 => relative(wide.log2(), 2f64.powi(-22)),
        2 | 3 => {
            let y = if index == 2 { wide.sin() } else { wide.cos() };
            match wide.abs() {
                a if a <= 2.0 * PI => Some((y, 2f64.powf(-20.5))),
                a if a <= 100.0 * PI => Some((y, 2f64.powf(-14.7))),
                a if a.is_finite() => None,
                _ => Some((f64::NAN, 0.0)),
            }
        }
        4 => relative(wide.tanh(), 2f64.powi(-11)),
        // 1 / sqrt(-0) is minus infinity.
        5 if x == 0.0 => Some((1.0 / wide, 0.0)),
        5 => relative(1.0 / wide.sqrt(), 2f64.powf(-22.9)),
        // 1 ulp.
        6 => relative(1.0 / wide, 2f64.powi(-23)),
        7 => relative(wide.sqrt(), 2f64.powi(-23)),
        // 2 ulp, for divisors that have normal reciprocals.
        8 if x.is_finite() && x != 0.0 && !(2f64.powi(-126)..=2f64.powi(126)).contains(&wide.abs()) => None,
        8 => relative(1.5 / wide, 2f64.powi(-22)),
        // .ftz: subnormal operands and results are 0 of their sign.
        _ if x.is_subnormal() => Some((1.0, 0.0)),
        _ if wide < -126.0 => Some((0.0, 0.0)),
        _ => relative(wide.exp2(), 2f64.powi(-22)),
    }
}

#[test]
fn within_what_the_isa_allows() {
    let mut x = numbers(97, 600);
    // Where ex2's result leaves the normal numbers, and f32.
    x.extend([-125.9, -126.0, -126.1, -149.0, -150.5, 127.9, 128.0, 150.0]);
    same(
        "math",
        |device| y(device, "approximate", &[&x], 10),
        |got| {
            for (at, got) in floats(got).into_iter().enumerate() {
                let (index, x) = (at % 10, x[at / 10]);
                let Some((expected, tolerance)) = expected(index, x) else {
                    // At least what kind of number it is.
                    assert!(
                        if index == 8 { !got.is_nan() } else { got.abs() <= 1.0 },
                        "function {index} of {x:e}: {got:e}"
                    );
                    continue;
                };
                // Beyond the largest f32 by half of its last place.
                let overflow = 2f64.powi(128) * (1.0 - 2f64.powi(-25));
                let right = if expected.is_nan() {
                    got.is_nan()
                } else if expected.abs() >= overflow {
                    f64::from(got) == expected.signum() * f64::INFINITY
                } else {
                    (f64::from(got) - expected).abs() <= tolerance
                        && (got != 0.0 || expected != 0.0 || got.is_sign_negative() == expected.is_sign_negative())
                };
                assert!(right, "function {index} of {x:e}: {got:e}, not {expected:e} within {tolerance:e}");
            }
        },
    );
}
