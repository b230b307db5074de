//! Comparison and selection.

use std::cmp::Ordering;

use crate::{
    exact::{BF16, F16, F32, F64, Format},
    integer::{self, Int},
    patterns::Of,
    table::{Case, Expected, case, check, judged},
};

/// Whether a comparison holds, by how the operands are ordered; `None` where one is a NaN.
fn holds(op: &str, order: Option<Ordering>) -> bool {
    let (plain, unordered) = match op.strip_suffix('u') {
        Some(plain) => (plain, true),
        None => (op, false),
    };
    match (plain, order) {
        ("num", order) => order.is_some(),
        ("nan", order) => order.is_none(),
        (_, None) => unordered,
        ("eq", Some(order)) => order.is_eq(),
        ("ne", Some(order)) => order.is_ne(),
        ("lt" | "lo", Some(order)) => order.is_lt(),
        ("le" | "ls", Some(order)) => order.is_le(),
        ("gt" | "hi", Some(order)) => order.is_gt(),
        (_, Some(order)) => order.is_ge(),
    }
}

const SIGNED: &[&str] = &["eq", "ne", "lt", "le", "gt", "ge"];
const UNSIGNED: &[&str] = &["eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs"];
const FLOATS: &[&str] = &["eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"];

type Order = fn(u64, u64) -> Option<Ordering>;

/// A type that is compared: its modifiers, the comparisons it has, its registers, and the order of two values.
struct Compared {
    ty: &'static str,
    ftz: &'static str,
    ops: &'static [&'static str],
    of: Of,
    order: Order,
}

fn integers(int: Int, a: u64, b: u64) -> Option<Ordering> {
    Some(int.value(a).cmp(&int.value(b)))
}

fn floats(format: Format, ftz: bool, a: u64, b: u64) -> Option<Ordering> {
    let value = |x: u64| match format.number(if ftz { format.flush(x) } else { x }) {
        x if x.is_nan() => f64::NAN,
        x => x.to_f64(),
    };
    value(a).partial_cmp(&value(b))
}

fn scalars() -> Vec<Compared> {
    let bits = |ty, of| Compared { ty, ftz: "", ops: &["eq", "ne"], of, order: |a, b| Some(a.cmp(&b)) };
    let int = |ty, signed, of, order| Compared { ty, ftz: "", ops: if signed { SIGNED } else { UNSIGNED }, of, order };
    let float = |ty, ftz, of, order| Compared { ty, ftz, ops: FLOATS, of, order };
    vec![
        bits("b16", Of::B16),
        bits("b32", Of::B32),
        bits("b64", Of::B64),
        int("u16", false, Of::B16, |a, b| integers(integer::U16, a, b)),
        int("s16", true, Of::B16, |a, b| integers(integer::S16, a, b)),
        int("u32", false, Of::B32, |a, b| integers(integer::U32, a, b)),
        int("s32", true, Of::B32, |a, b| integers(integer::S32, a, b)),
        int("u64", false, Of::B64, |a, b| integers(integer::U64, a, b)),
        int("s64", true, Of::B64, |a, b| integers(integer::S64, a, b)),
        float("f16", "", Of::F16, |a, b| floats(F16, false, a, b)),
        float("f16", ".ftz", Of::F16, |a, b| floats(F16, true, a, b)),
        float("bf16", "", Of::Bf16, |a, b| floats(BF16, false, a, b)),
        float("f32", "", Of::F32, |a, b| floats(F32, false, a, b)),
        float("f32", ".ftz", Of::F32, |a, b| floats(F32, true, a, b)),
        float("f64", "", Of::F64, |a, b| floats(F64, false, a, b)),
    ]
}

fn pairs() -> Vec<Compared> {
    let of = |ty, ftz, of, order| Compared { ty, ftz, ops: FLOATS, of, order };
    vec![
        of("f16x2", "", Of::F16x2, |a, b| floats(F16, false, a, b)),
        of("f16x2", ".ftz", Of::F16x2, |a, b| floats(F16, true, a, b)),
        of("bf16x2", "", Of::Bf16x2, |a, b| floats(BF16, false, a, b)),
    ]
}

type OfTwo = fn(u64, u64) -> u64;

/// The combining operators, on bits.
const COMBINING: [(&str, OfTwo); 3] = [("and", |a, b| a & b), ("or", |a, b| a | b), ("xor", |a, b| a ^ b)];

/// Two predicates as one number: q above p.
const BOTH: &str = "selp.u32 %d, 1, 0, %p;\n@%q or.b32 %d, %d, 2;";

#[test]
fn setp_of_scalars() {
    let mut cases = Vec::new();
    for Compared { ty, ftz, ops, of, order } in scalars() {
        for &op in ops {
            let test = move |v: &[u64]| u64::from(holds(op, order(v[0], v[1])));
            cases.push(case(format!("setp.{op}{ftz}.{ty} %d, %a, %b;"), Of::Pred, &[of; 2], test));
            for (index, (name, combine)) in COMBINING.into_iter().enumerate() {
                // Each operator with two predicates; negation and the single predicate in turns.
                let (not, negated) = [("", 0), ("!", 1)][index % 2];
                let text = format!(".reg .pred %p, %q;\nsetp.{op}.{name}{ftz}.{ty} %p|%q, %a, %b, {not}%c;\n{BOTH}");
                cases.push(case(text, Of::B32, &[of, of, Of::Pred], move |v| {
                    let third = v[2] ^ negated;
                    combine(test(v), third) | combine(1 - test(v), third) << 1
                }));
            }
        }
    }
    check(cases);
}

#[test]
fn setp_of_pairs() {
    let mut cases = Vec::new();
    for Compared { ty, ftz, ops, of, order } in pairs() {
        for &op in ops {
            let test = move |v: &[u64], at: u32| u64::from(holds(op, order(v[0] >> at & 0xffff, v[1] >> at & 0xffff)));
            let text = format!(".reg .pred %p, %q;\nsetp.{op}{ftz}.{ty} %p|%q, %a, %b;\n{BOTH}");
            cases.push(case(text, Of::B32, &[of; 2], move |v| test(v, 0) | test(v, 16) << 1));
            for (name, combine) in COMBINING {
                // The first destination is also the third source.
                let text = format!(
                    ".reg .pred %p, %q;\nmov.pred %p, %c;\nsetp.{op}.{name}{ftz}.{ty} %p|%q, %a, %b, %p;\n{BOTH}"
                );
                cases.push(case(text, Of::B32, &[of, of, Of::Pred], move |v| {
                    combine(test(v, 0), v[2]) | combine(test(v, 16), v[2]) << 1
                }));
            }
        }
    }
    check(cases);
}

/// A destination may be left out, and the third source may be the first destination.
#[test]
fn setp_destinations() {
    let test = |v: &[u64]| u64::from(v[0] < v[1]);
    check(vec![
        case("setp.lt.u32 %d|_, %a, %b;", Of::Pred, &[Of::B32; 2], test),
        case("setp.lt.u32 _|%d, %a, %b;", Of::Pred, &[Of::B32; 2], move |v| 1 - test(v)),
        case("mov.pred %d, %c;\nsetp.lt.and.u32 %d, %a, %b, %d;", Of::Pred, &[Of::B32, Of::B32, Of::Pred], move |v| {
            test(v) & v[2]
        }),
        case("setp.lt.u32 %d, %a, 100;", Of::Pred, &[Of::B32], |v| u64::from(v[0] < 100)),
    ]);
}

#[test]
fn set_of_scalars() {
    let results: [(&str, Of, u64); 7] = [
        ("u32", Of::B32, 0xffff_ffff),
        ("s32", Of::B32, 0xffff_ffff),
        ("f32", Of::F32, 0x3f80_0000),
        ("u16", Of::B16, 0xffff),
        ("s16", Of::B16, 0xffff),
        ("f16", Of::F16, 0x3c00),
        ("bf16", Of::Bf16, 0x3f80),
    ];
    let mut cases = Vec::new();
    for Compared { ty, ftz, ops, of, order } in scalars() {
        for (index, &op) in ops.iter().enumerate() {
            let (result, register, one) = results[index % results.len()];
            let test = move |v: &[u64]| u64::from(holds(op, order(v[0], v[1])));
            cases.push(case(format!("set.{op}{ftz}.{result}.{ty} %d, %a, %b;"), register, &[of; 2], move |v| {
                test(v) * one
            }));
            let (name, combine) = COMBINING[index % 3];
            let (not, negated) = [("", 0), ("!", 1)][index % 2];
            let text = format!("set.{op}.{name}{ftz}.{result}.{ty} %d, %a, %b, {not}%c;");
            cases.push(case(text, register, &[of, of, Of::Pred], move |v| combine(test(v), v[2] ^ negated) * one));
        }
        for (result, register, one) in results {
            cases.push(case(format!("set.eq{ftz}.{result}.{ty} %d, %a, %b;"), register, &[of; 2], move |v| {
                u64::from(holds("eq", order(v[0], v[1]))) * one
            }));
        }
    }
    check(cases);
}

#[test]
fn set_of_pairs() {
    let mut cases = Vec::new();
    for Compared { ty, ftz, ops, of, order } in pairs() {
        for &op in ops {
            let test = move |v: &[u64], at: u32| u64::from(holds(op, order(v[0] >> at & 0xffff, v[1] >> at & 0xffff)));
            let one = if ty == "f16x2" { 0x3c00 } else { 0x3f80 };
            for (result, one) in [(ty, one), ("u32", 0xffff), ("s32", 0xffff)] {
                cases.push(case(format!("set.{op}{ftz}.{result}.{ty} %d, %a, %b;"), Of::B32, &[of; 2], move |v| {
                    (test(v, 0) * one) | ((test(v, 16) * one) << 16)
                }));
            }
            let text = format!("set.{op}.xor{ftz}.u32.{ty} %d, %a, %b, %c;");
            cases.push(case(text, Of::B32, &[of, of, Of::Pred], move |v| {
                ((test(v, 0) ^ v[2]) * 0xffff) | (((test(v, 16) ^ v[2]) * 0xffff) << 16)
            }));
        }
    }
    check(cases);
}

const SELECTED: [&str; 11] = ["b16", "b32", "b64", "u16", "u32", "u64", "s16", "s32", "s64", "f32", "f64"];

fn register(ty: &str) -> Of {
    match ty {
        "f32" => Of::F32,
        "f64" => Of::F64,
        _ if ty.ends_with("16") => Of::B16,
        _ if ty.ends_with("32") => Of::B32,
        _ => Of::B64,
    }
}

#[test]
fn selections() {
    let mut cases: Vec<Case> = Vec::new();
    for ty in SELECTED {
        let of = register(ty);
        cases.push(case(format!("selp.{ty} %d, %a, %b, %c;"), of, &[of, of, Of::Pred], |v| v[usize::from(v[2] == 0)]));
        cases.push(case(format!("slct.{ty}.s32 %d, %a, %b, %c;"), of, &[of, of, Of::B32], |v| {
            v[usize::from(v[2] >> 31 == 1)]
        }));
        for (ftz, flushes) in [("", false), (".ftz", true)] {
            cases.push(judged(format!("slct{ftz}.{ty}.f32 %d, %a, %b, %c;"), of, &[of, of, Of::F32], move |v| {
                let by = f32::from_bits(if flushes { F32.flush(v[2]) } else { v[2] } as u32);
                // −0 is not less than 0, and a NaN selects b.
                Expected::Bits(v[usize::from(by.is_nan() || by < 0.0)])
            }));
        }
    }
    check(cases);
}
