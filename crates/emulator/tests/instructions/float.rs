//! Arithmetic of f32 and f64, rounded from the exact result.

use crate::{
    exact::{F32, F64, Format, Mode, Number},
    patterns::Of,
    table::{Case, Expected, case, check, judged},
};

/// `.ftz` and `.sat`, in all ways.
const STEPS: [(&str, bool, bool); 4] =
    [("", false, false), (".ftz", true, false), (".sat", false, true), (".ftz.sat", true, true)];

fn of(format: Format) -> Of {
    if format == F64 { Of::F64 } else { Of::F32 }
}

/// An instruction of floats that are flushed before, computed exactly, rounded, and flushed and clamped after.
fn rounded(
    text: &str,
    format: Format,
    sources: usize,
    mode: Mode,
    (ftz, sat): (bool, bool),
    f: fn(&[Number], Mode) -> Number,
) -> Case {
    let operands = ["%a", "%b", "%c"][..sources].join(", ");
    case(format!("{text} %d, {operands};"), of(format), &vec![of(format); sources], move |v| {
        let flush = |x| if ftz { format.flush(x) } else { x };
        let numbers: Vec<Number> = v.iter().map(|&x| format.number(flush(x))).collect();
        let result = flush(format.round(f(&numbers, mode), mode));
        if sat { format.saturate(result) } else { result }
    })
}

fn sum(v: &[Number], mode: Mode) -> Number {
    v[0].plus(v[1], mode)
}

fn difference(v: &[Number], mode: Mode) -> Number {
    v[0].plus(v[1].negated(), mode)
}

fn product(v: &[Number], _: Mode) -> Number {
    v[0].times(v[1])
}

pub fn fused(v: &[Number], mode: Mode) -> Number {
    match (v[0].times(v[1]), v[2]) {
        // An invalid product counts for less than an addend that is a NaN already.
        (Number::Nan(None), addend) if addend.is_nan() => addend,
        (product, addend) => product.plus(addend, mode),
    }
}

#[test]
fn sums_and_products() {
    let mut cases = Vec::new();
    for (name, sources, f) in [
        ("add", 2, sum as fn(&[Number], Mode) -> Number),
        ("sub", 2, difference),
        ("mul", 2, product),
        ("fma", 3, fused),
        ("mad", 3, fused),
    ] {
        for (modifier, mode) in Mode::ALL {
            for (steps, ftz, sat) in STEPS {
                let text = format!("{name}.{modifier}{steps}.f32");
                cases.push(rounded(&text, F32, sources, mode, (ftz, sat), f));
            }
            cases.push(rounded(&format!("{name}.{modifier}.f64"), F64, sources, mode, (false, false), f));
        }
        // Without a rounding modifier: to nearest.
        if sources == 2 {
            for (steps, ftz, sat) in STEPS {
                cases.push(rounded(&format!("{name}{steps}.f32"), F32, sources, Mode::Nearest, (ftz, sat), f));
            }
            cases.push(rounded(&format!("{name}.f64"), F64, sources, Mode::Nearest, (false, false), f));
        }
    }
    check(cases);
}

#[test]
fn quotients_and_roots() {
    let mut cases = Vec::new();
    for (name, sources, f) in [
        ("div", 2, (|v, _| v[0].over(v[1])) as fn(&[Number], Mode) -> Number),
        ("rcp", 1, |v, _| Number::integer(1).over(v[0])),
        ("sqrt", 1, |v, _| v[0].root()),
    ] {
        for (modifier, mode) in Mode::ALL {
            for (steps, ftz) in [("", false), (".ftz", true)] {
                cases.push(rounded(&format!("{name}.{modifier}{steps}.f32"), F32, sources, mode, (ftz, false), f));
            }
            cases.push(rounded(&format!("{name}.{modifier}.f64"), F64, sources, mode, (false, false), f));
        }
    }
    check(cases);
}

#[test]
fn signs() {
    let mut cases = Vec::new();
    for format in [F32, F64] {
        let (of, bits, sign) = (of(format), format.bits(), format.sign());
        for (steps, ftz) in [("", false), (".ftz", true)] {
            if ftz && format == F64 {
                continue;
            }
            let flush = move |x| if ftz { format.flush(x) } else { x };
            // What a NaN becomes is open, but that it is one.
            let same = move |x: u64, expected: u64| match format.is_nan(x) {
                true => Expected::Within("a NaN".into(), Box::new(move |bits| format.is_nan(bits))),
                false => Expected::Bits(expected),
            };
            cases.push(judged(format!("abs{steps}.f{bits} %d, %a;"), of, &[of], move |v| {
                same(v[0], flush(v[0]) & !sign)
            }));
            cases.push(judged(format!("neg{steps}.f{bits} %d, %a;"), of, &[of], move |v| {
                same(v[0], flush(v[0]) ^ sign)
            }));
        }
        // The sign of a on the value of b.
        cases.push(case(format!("copysign.f{bits} %d, %a, %b;"), of, &[of; 2], move |v| v[0] & sign | v[1] & !sign));
    }
    check(cases);
}

/// `min` and `max` of two: the lesser or greater, −0 below +0; of a number and a NaN the number, or with `.NaN` a NaN.
pub fn extremum(format: Format, greatest: bool, nan: bool, a: u64, b: u64) -> u64 {
    match (format.is_nan(a), format.is_nan(b)) {
        (true, true) => return if format == F64 { a | 1 << 51 } else { format.nan() },
        (true, false) | (false, true) if nan => return format.nan(),
        (true, false) => return b,
        (false, true) => return a,
        _ => {}
    }
    let order = |x: u64| (format.number(x).to_f64(), x & format.sign() == 0);
    let a_first = order(a) < order(b);
    if a_first != greatest { a } else { b }
}

/// [`extremum`] of magnitudes, with the sign of the product.
pub fn signed_extremum(format: Format, greatest: bool, nan: bool, a: u64, b: u64) -> u64 {
    let magnitude = |x: u64| x & !format.sign();
    let value = extremum(format, greatest, nan, magnitude(a), magnitude(b));
    if format.is_nan(value) { value } else { value | (a ^ b) & format.sign() }
}

#[test]
fn extrema() {
    let mut cases = Vec::new();
    for (name, greatest) in [("min", false), ("max", true)] {
        cases.push(case(format!("{name}.f64 %d, %a, %b;"), Of::F64, &[Of::F64; 2], move |v| {
            extremum(F64, greatest, false, v[0], v[1])
        }));
        for (steps, ftz) in [("", false), (".ftz", true)] {
            let flush = move |x| if ftz { F32.flush(x) } else { x };
            for (modifier, nan) in [("", false), (".NaN", true)] {
                let two = [Of::F32; 2];
                cases.push(case(format!("{name}{steps}{modifier}.f32 %d, %a, %b;"), Of::F32, &two, move |v| {
                    extremum(F32, greatest, nan, flush(v[0]), flush(v[1]))
                }));
                let text = format!("{name}{steps}{modifier}.xorsign.abs.f32 %d, %a, %b;");
                cases.push(case(text, Of::F32, &two, move |v| {
                    signed_extremum(F32, greatest, nan, flush(v[0]), flush(v[1]))
                }));
                for (abs, absolute) in [("", false), (".abs", true)] {
                    let text = format!("{name}{steps}{modifier}{abs}.f32 %d, %a, %b, %c;");
                    cases.push(case(text, Of::F32, &[Of::F32; 3], move |v| {
                        let [a, b, c] = [0, 1, 2].map(|at| {
                            let x = flush(v[at]);
                            if absolute { x & !F32.sign() } else { x }
                        });
                        extremum(F32, greatest, nan, extremum(F32, greatest, nan, a, b), c)
                    }));
                }
            }
        }
    }
    check(cases);
}

type Property = dyn Fn(u64) -> bool;

#[test]
fn properties() {
    let mut cases = Vec::new();
    for format in [F32, F64] {
        let (of, bits) = (of(format), format.bits());
        let finite = move |x: u64| x & format.infinity() != format.infinity();
        let nan = move |x: u64| format.is_nan(x);
        let tests: [(&str, Box<Property>); 6] = [
            ("finite", Box::new(finite)),
            ("infinite", Box::new(move |x| !finite(x) && !nan(x))),
            ("number", Box::new(move |x| !nan(x))),
            ("notanumber", Box::new(nan)),
            // Zeros count as normal.
            ("normal", Box::new(move |x| finite(x) && !format.is_subnormal(x))),
            ("subnormal", Box::new(move |x| format.is_subnormal(x))),
        ];
        for (name, holds) in tests {
            cases.push(case(format!("testp.{name}.f{bits} %d, %a;"), Of::Pred, &[of], move |v| u64::from(holds(v[0]))));
        }
    }
    check(cases);
}
