//! Arithmetic of f16 and bf16, alone and in pairs, rounded once from the exact result.

use crate::{
    exact::{BF16, F16, Format, Mode, Number},
    float::{extremum, signed_extremum},
    patterns::Of,
    table::{Case, Expected, case, check, check_all16, judged},
};

/// A format, its name, and the registers of one value and of a pair.
const FORMATS: [(Format, &str, Of, Of); 2] = [(F16, "f16", Of::F16, Of::F16x2), (BF16, "bf16", Of::Bf16, Of::Bf16x2)];

/// An instruction for one value and for pairs.
fn both(
    cases: &mut Vec<Case>,
    name: &str,
    format: Format,
    sources: usize,
    f: impl Fn(&[u64]) -> u64 + Clone + 'static,
) {
    let (_, ty, one, two) = FORMATS[usize::from(format == BF16)];
    let operands = ["%a", "%b", "%c"][..sources].join(", ");
    cases.push(case(format!("{name}.{ty} %d, {operands};"), one, &vec![one; sources], f.clone()));
    cases.push(case(format!("{name}.{ty}x2 %d, {operands};"), two, &vec![two; sources], move |v| {
        let half = |at: u32| f(&v.iter().map(|x| x >> at & 0xffff).collect::<Vec<_>>());
        half(0) | half(16) << 16
    }));
}

#[test]
fn sums_and_products() {
    let mut cases = Vec::new();
    for (name, sources, f) in [
        ("add", 2, (|v| v[0].plus(v[1], Mode::Nearest)) as fn(&[Number]) -> Number),
        ("sub", 2, |v| v[0].plus(v[1].negated(), Mode::Nearest)),
        ("mul", 2, |v| v[0].times(v[1])),
        ("fma", 3, |v| v[0].times(v[1]).plus(v[2], Mode::Nearest)),
    ] {
        for (format, ..) in FORMATS {
            let steps: &[(&str, bool, bool, bool)] = match (format, sources) {
                (F16, 2) => &[
                    ("", false, false, false),
                    (".ftz", true, false, false),
                    (".sat", false, true, false),
                    (".ftz.sat", true, true, false),
                ],
                (F16, _) => &[
                    ("", false, false, false),
                    (".ftz", true, false, false),
                    (".sat", false, true, false),
                    (".ftz.sat", true, true, false),
                    (".relu", false, false, true),
                    (".ftz.relu", true, false, true),
                ],
                (_, 2) => &[("", false, false, false)],
                _ => &[("", false, false, false), (".relu", false, false, true)],
            };
            for &(modifiers, ftz, sat, relu) in steps {
                let compute = move |v: &[u64]| {
                    let flush = |x| if ftz { format.flush(x) } else { x };
                    let numbers: Vec<_> = v.iter().map(|&x| format.number(flush(x))).collect();
                    let result = flush(format.round(f(&numbers), Mode::Nearest));
                    let result = if sat { format.saturate(result) } else { result };
                    if relu { format.relu(result) } else { result }
                };
                both(&mut cases, &format!("{name}.rn{modifiers}"), format, sources, compute);
                if sources == 2 {
                    both(&mut cases, &format!("{name}{modifiers}"), format, sources, compute);
                }
            }
        }
    }
    check(cases);
}

#[test]
fn extrema() {
    let mut cases = Vec::new();
    for (name, greatest) in [("min", false), ("max", true)] {
        for (format, ..) in FORMATS {
            for (steps, ftz) in [("", false), (".ftz", true)] {
                if ftz && format == BF16 {
                    continue;
                }
                for (modifier, nan) in [("", false), (".NaN", true)] {
                    let flush = move |x| if ftz { format.flush(x) } else { x };
                    both(&mut cases, &format!("{name}{steps}{modifier}"), format, 2, move |v| {
                        extremum(format, greatest, nan, flush(v[0]), flush(v[1]))
                    });
                    both(&mut cases, &format!("{name}{steps}{modifier}.xorsign.abs"), format, 2, move |v| {
                        signed_extremum(format, greatest, nan, flush(v[0]), flush(v[1]))
                    });
                }
            }
        }
    }
    check(cases);
}

#[test]
fn signs_of_all_values() {
    let mut cases = Vec::new();
    for (format, ty, of, _) in FORMATS {
        for (steps, ftz) in [("", false), (".ftz", true)] {
            if ftz && format == BF16 {
                continue;
            }
            for (name, flip) in [("abs", false), ("neg", true)] {
                cases.push(judged(format!("{name}{steps}.{ty} %d, %a;"), of, &[of], move |v| {
                    if format.is_nan(v[0]) {
                        return Expected::Within("a NaN".into(), Box::new(move |bits| format.is_nan(bits)));
                    }
                    let x = if ftz { format.flush(v[0]) } else { v[0] };
                    Expected::Bits(if flip { x ^ format.sign() } else { x & !format.sign() })
                }));
            }
        }
    }
    check_all16(cases);
}

#[test]
fn signs_of_pairs() {
    let mut cases = Vec::new();
    for (format, ty, _, two) in FORMATS {
        for (name, flip) in [("abs", false), ("neg", true)] {
            cases.push(judged(format!("{name}.{ty}x2 %d, %a;"), two, &[two], move |v| {
                let halves = [v[0] & 0xffff, v[0] >> 16];
                if halves.into_iter().any(|x| format.is_nan(x)) {
                    return Expected::Open;
                }
                let [low, high] = halves.map(|x| if flip { x ^ format.sign() } else { x & !format.sign() });
                Expected::Bits(low | high << 16)
            }));
        }
    }
    check(cases);
}

/// Of all values: the ISA's bounds, relative for `ex2` and absolute for `tanh`.
#[test]
fn approximations_of_all_values() {
    let mut cases = Vec::new();
    for (format, ty, of, _) in FORMATS {
        let ex2 = if format == F16 { 2f64.powf(-9.9) } else { 2f64.powi(-7) };
        let tanh = if format == F16 { 2f64.powf(-10.987) } else { 2f64.powi(-8) };
        let spacing = 2f64.powi(if format == F16 { -24 } else { -133 });
        for steps in ["", ".ftz"] {
            // ex2 of bf16 is written with .ftz.
            if format == BF16 && steps.is_empty() {
                continue;
            }
            let ftz = !steps.is_empty();
            cases.push(judged(format!("ex2.approx{steps}.{ty} %d, %a;"), of, &[of], move |v| {
                let x = format.number(if ftz { format.flush(v[0]) } else { v[0] });
                let exact = if x.is_nan() { f64::NAN } else { x.to_f64().exp2() };
                // A subnormal result is as near as its spacing allows, or with .ftz zero.
                let normal = 2f64.powi(if format == F16 { -14 } else { -126 });
                within(format, exact, ex2 * exact + spacing + if ftz && exact < normal { normal } else { 0.0 })
            }));
        }
        cases.push(judged(format!("tanh.approx.{ty} %d, %a;"), of, &[of], move |v| {
            let x = format.number(v[0]);
            within(format, if x.is_nan() { f64::NAN } else { x.to_f64().tanh() }, tanh)
        }));
    }
    check_all16(cases);
}

/// That a result is no further from the exact one than `tolerance`; what overflows the format may be infinite.
fn within(format: Format, exact: f64, tolerance: f64) -> Expected {
    let words = format!("{exact:e} within {tolerance:e}");
    Expected::Within(
        words,
        Box::new(move |bits| {
            let value = format.number(bits);
            if exact.is_nan() || value.is_nan() {
                return exact.is_nan() && value.is_nan();
            }
            let largest = format.number(format.largest()).to_f64();
            let value = value.to_f64();
            (value - exact).abs() <= tolerance || value == f64::INFINITY && exact + tolerance >= largest
        }),
    )
}

/// The halves of a pair are approximated as single values are.
#[test]
fn approximations_of_pairs() {
    let mut cases = Vec::new();
    for (name, ty, two) in [
        ("ex2.approx", "f16", Of::F16x2),
        ("ex2.approx.ftz", "f16", Of::F16x2),
        ("ex2.approx.ftz", "bf16", Of::Bf16x2),
        ("tanh.approx", "f16", Of::F16x2),
        ("tanh.approx", "bf16", Of::Bf16x2),
    ] {
        let text = format!(
            ".reg .b16 %low, %high;\nmov.b32 {{%low, %high}}, %a;\n{name}.{ty} %low, %low;\n{name}.{ty} %high, %high;\n\
             .reg .b32 %pair, %both;\nmov.b32 %pair, {{%low, %high}};\n{name}.{ty}x2 %both, %a;\nxor.b32 %d, %pair, %both;"
        );
        cases.push(case(text, Of::B32, &[two], |_| 0));
    }
    check(cases);
}
