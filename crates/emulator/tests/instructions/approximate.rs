//! Approximate functions of f32 and f64: within the ISA's bounds of the value that f64 gives.

use crate::{
    exact::{F32, F64},
    patterns::Of,
    table::{Case, Expected, check, judged},
};

/// The distance between numbers of f32 around `x`.
fn ulp(x: f64) -> f64 {
    let exponent = (x.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.max(-126) - 23)
}

/// That a result in f32 is within `tolerance` of the exact value, with `.ftz` zero instead of subnormal.
fn within(exact: f64, tolerance: f64, ftz: bool) -> Expected {
    let words = format!("{exact:e} within {tolerance:e}");
    let least_normal = f64::from(f32::MIN_POSITIVE);
    let holds = move |bits: u64| {
        let value = f64::from(f32::from_bits(bits as u32));
        if exact.is_nan() {
            return bits == F32.nan();
        }
        if ftz && F32.is_subnormal(bits) || value.is_sign_negative() != exact.is_sign_negative() {
            return false;
        }
        let flushed = ftz && value == 0.0 && exact.abs() <= least_normal + tolerance;
        let beyond = value.is_infinite() && exact.abs() + tolerance >= f64::from(f32::MAX);
        value == exact || (value - exact).abs() <= tolerance || flushed || beyond
    };
    Expected::Within(words, Box::new(holds))
}

fn flushed(bits: u64, ftz: bool) -> f64 {
    f64::from(f32::from_bits(if ftz { F32.flush(bits) } else { bits } as u32))
}

/// A function with and without `.ftz`, and its tolerance for an operand and an exact result.
fn function(cases: &mut Vec<Case>, name: &str, exact: fn(f64) -> f64, tolerance: fn(f64, f64) -> f64) {
    for (steps, ftz) in [("", false), (".ftz", true)] {
        if name == "tanh" && ftz {
            continue;
        }
        cases.push(judged(format!("{name}.approx{steps}.f32 %d, %a;"), Of::F32, &[Of::F32], move |v| {
            let x = flushed(v[0], ftz);
            within(exact(x), tolerance(x, exact(x)), ftz)
        }));
    }
}

#[test]
fn functions_of_one_operand() {
    let mut cases = Vec::new();
    function(&mut cases, "rcp", |x| 1.0 / x, |_, y| ulp(y));
    function(&mut cases, "sqrt", f64::sqrt, |_, y| 2f64.powi(-23) * y);
    function(&mut cases, "rsqrt", |x| 1.0 / x.sqrt(), |_, y| 2f64.powf(-22.9) * y);
    function(&mut cases, "ex2", f64::exp2, |_, y| 2.0 * ulp(y));
    function(&mut cases, "lg2", f64::log2, |x, y| 2f64.powi(-22) * if x > 0.5 && x < 2.0 { 1.0 } else { y.abs() });
    function(&mut cases, "tanh", f64::tanh, |_, y| 2f64.powi(-11) * y.abs());
    check(cases);
}

/// Sine and cosine are bounded in ±100π; beyond it they are still numbers between -1 and 1.
#[test]
fn sine_and_cosine() {
    let mut cases = Vec::new();
    for (name, exact) in [("sin", f64::sin as fn(f64) -> f64), ("cos", f64::cos)] {
        for (steps, ftz) in [("", false), (".ftz", true)] {
            cases.push(judged(format!("{name}.approx{steps}.f32 %d, %a;"), Of::F32, &[Of::F32], move |v| {
                let x = flushed(v[0], ftz);
                let turns = x.abs() / std::f64::consts::TAU;
                match turns {
                    _ if !x.is_finite() => Expected::Bits(F32.nan()),
                    _ if x == 0.0 => Expected::Bits(u64::from((exact(x) as f32).to_bits())),
                    ..=1.0 => near(exact(x), 2f64.powf(-20.5)),
                    ..=50.0 => near(exact(x), 2f64.powf(-14.7)),
                    _ => near(0.0, 1.0),
                }
            }));
        }
    }
    check(cases);
}

/// Within an absolute tolerance, whatever the sign.
fn near(exact: f64, tolerance: f64) -> Expected {
    let holds = move |bits: u64| (f64::from(f32::from_bits(bits as u32)) - exact).abs() <= tolerance;
    Expected::Within(format!("{exact:e} within {tolerance:e}"), Box::new(holds))
}

#[test]
fn quotients() {
    let mut cases = Vec::new();
    for (steps, ftz) in [("", false), (".ftz", true)] {
        cases.push(judged(format!("div.full{steps}.f32 %d, %a, %b;"), Of::F32, &[Of::F32; 2], move |v| {
            let quotient = flushed(v[0], ftz) / flushed(v[1], ftz);
            within(quotient, 2.0 * ulp(quotient), ftz)
        }));
        cases.push(judged(format!("div.approx{steps}.f32 %d, %a, %b;"), Of::F32, &[Of::F32; 2], move |v| {
            let (a, b) = (flushed(v[0], ftz), flushed(v[1], ftz));
            let quotient = a / b;
            let divisor = b.abs();
            if divisor > 2f64.powi(126) && divisor.is_finite() {
                // So large a divisor is as good as infinite.
                let zero = if quotient.is_sign_negative() { F32.sign() } else { 0 };
                return if a.is_finite() { Expected::Bits(zero) } else { Expected::Bits(F32.nan()) };
            }
            match divisor {
                // Nothing is promised for a subnormal divisor.
                _ if divisor > 0.0 && divisor < 2f64.powi(-126) => Expected::Open,
                _ => within(quotient, 2.0 * ulp(quotient), ftz),
            }
        }));
    }
    check(cases);
}

/// The coarse f64 functions look at the upper word alone, and give nothing below it.
#[test]
fn functions_of_f64() {
    let coarse = |exact: f64| -> Expected {
        let words = format!("{exact:e} with 20 bits");
        Expected::Within(
            words,
            Box::new(move |bits| {
                let value = f64::from_bits(bits);
                if exact.is_nan() {
                    return bits == 0x7fff_ffff_0000_0000;
                }
                let close = (value - exact).abs() <= 2f64.powi(-19) * exact.abs();
                let zero = value == 0.0 && exact.abs() < f64::MIN_POSITIVE * 1.001;
                bits & 0xffff_ffff == 0
                    && value.is_sign_negative() == exact.is_sign_negative()
                    && (value == exact || zero || close && !F64.is_subnormal(bits))
            }),
        )
    };
    let upper = |bits: u64| f64::from_bits(F64.flush(bits & !0xffff_ffff));
    // The lower word is not looked at, so what a NaN gives whose payload is all there is open.
    let of_upper = move |bits: u64, f: fn(f64) -> f64| match F64.is_nan(bits) && !upper(bits).is_nan() {
        true => Expected::Open,
        false => coarse(f(upper(bits))),
    };
    check(vec![
        judged("rcp.approx.ftz.f64 %d, %a;", Of::F64, &[Of::F64], move |v| of_upper(v[0], |x| 1.0 / x)),
        judged("rsqrt.approx.ftz.f64 %d, %a;", Of::F64, &[Of::F64], move |v| of_upper(v[0], |x| 1.0 / x.sqrt())),
        judged("rsqrt.approx.f64 %d, %a;", Of::F64, &[Of::F64], |v| {
            let exact = 1.0 / f64::from_bits(v[0]).sqrt();
            Expected::Within(
                format!("{exact:e}"),
                Box::new(move |bits| {
                    let value = f64::from_bits(bits);
                    value == exact && value.is_sign_negative() == exact.is_sign_negative()
                        || value.is_nan() && exact.is_nan()
                        || (value - exact).abs() <= 2f64.powi(-51) * exact.abs()
                }),
            )
        }),
    ]);
}
