//! `min`, `max` and comparisons.

use super::exact::Format;
use super::random::Random;
use crate::num::compare::{Comparison, compare};
use crate::num::minmax::{self, Variant};

/// The ISA's pseudocode, on values: `None` is a NaN; a zero keeps its sign.
fn reference(a: f64, b: f64, variant: Variant, greater: bool) -> Option<f64> {
    let negative = a.is_sign_negative() != b.is_sign_negative();
    let (x, y) = if variant.xorsign_abs { (a.abs(), b.abs()) } else { (a, b) };
    if x.is_nan() && y.is_nan() || variant.nan && (x.is_nan() || y.is_nan()) {
        return None;
    }
    let chosen = if x.is_nan() {
        y
    } else if y.is_nan() {
        x
    } else if x == 0.0 && y == 0.0 {
        // +0.0 > -0.0
        let negative = if greater {
            x.is_sign_negative() && y.is_sign_negative()
        } else {
            x.is_sign_negative() || y.is_sign_negative()
        };
        if negative { -0.0 } else { 0.0 }
    } else if (x < y) != greater {
        x
    } else {
        y
    };
    Some(if variant.xorsign_abs { if negative { -chosen.abs() } else { chosen.abs() } } else { chosen })
}

const VARIANTS: [Variant; 4] = [
    Variant { nan: false, xorsign_abs: false },
    Variant { nan: true, xorsign_abs: false },
    Variant { nan: false, xorsign_abs: true },
    Variant { nan: true, xorsign_abs: true },
];

fn check(format: Format, random: &mut Random, pick: impl Fn(u64, u64, Variant, bool) -> u64, canonical: u64) {
    let wide = |bits: u64| {
        let value = format.decode_f64(bits);
        let magnitude = bits & !format.sign();
        // An infinity is beyond every number as it is decoded; a NaN keeps its sign.
        if magnitude > format.infinity() { f64::NAN.copysign(value) } else { value }
    };
    for _ in 0..50_000 {
        let a = random.float(format.exponent, format.fraction);
        let b = if random.below(4) == 0 { a ^ format.sign() } else { random.float(format.exponent, format.fraction) };
        for variant in VARIANTS {
            for greater in [false, true] {
                let got = pick(a, b, variant, greater);
                let case = format!("{format:?} {a:#x} {b:#x} {variant:?} {greater}: {got:#x}");
                match reference(wide(a), wide(b), variant, greater) {
                    None => assert_eq!(got, canonical, "{case}"),
                    Some(want) => assert_eq!(wide(got).to_bits(), want.to_bits(), "{case}"),
                }
            }
        }
    }
}

#[test]
fn min_and_max_follow_the_pseudocode() {
    let mut random = Random(31);
    let f16 = |a: u64, b: u64, variant, greater| {
        let pick = if greater { minmax::max_f16 } else { minmax::min_f16 };
        u64::from(pick(a as u16, b as u16, variant))
    };
    check(Format::F16, &mut random, f16, 0x7fff);
    let bf16 = |a: u64, b: u64, variant, greater| {
        let pick = if greater { minmax::max_bf16 } else { minmax::min_bf16 };
        u64::from(pick(a as u16, b as u16, variant))
    };
    check(Format::BF16, &mut random, bf16, 0x7fff);
    let f32 = |a: u64, b: u64, variant, greater| {
        let pick = if greater { minmax::max_f32 } else { minmax::min_f32 };
        u64::from(pick(f32::from_bits(a as u32), f32::from_bits(b as u32), variant).to_bits())
    };
    check(Format::F32, &mut random, f32, 0x7fff_ffff);
}

#[test]
fn f64_min_and_max_follow_the_pseudocode() {
    let mut random = Random(32);
    for _ in 0..50_000 {
        let a = random.f64();
        let b = if random.below(4) == 0 { -a } else { random.f64() };
        for (got, greater) in [(minmax::min_f64(a, b), false), (minmax::max_f64(a, b), true)] {
            match reference(a, b, Variant::default(), greater) {
                None => assert_eq!(got.to_bits(), a.to_bits() | 1 << 51),
                Some(want) => assert_eq!(got.to_bits(), want.to_bits(), "{a:e} {b:e}"),
            }
        }
    }
}

#[test]
fn comparisons() {
    use Comparison as C;
    // For each pair, the operators that hold.
    let table: [(f64, f64, &[C]); 6] = [
        (1.0, 2.0, &[C::Ne, C::Lt, C::Le, C::Neu, C::Ltu, C::Leu, C::Num]),
        (2.0, 1.0, &[C::Ne, C::Gt, C::Ge, C::Neu, C::Gtu, C::Geu, C::Num]),
        (2.0, 2.0, &[C::Eq, C::Le, C::Ge, C::Equ, C::Leu, C::Geu, C::Num]),
        (0.0, -0.0, &[C::Eq, C::Le, C::Ge, C::Equ, C::Leu, C::Geu, C::Num]),
        (f64::NAN, 1.0, &[C::Equ, C::Neu, C::Ltu, C::Leu, C::Gtu, C::Geu, C::Nan]),
        (1.0, f64::NAN, &[C::Equ, C::Neu, C::Ltu, C::Leu, C::Gtu, C::Geu, C::Nan]),
    ];
    let all =
        [C::Eq, C::Ne, C::Lt, C::Le, C::Gt, C::Ge, C::Equ, C::Neu, C::Ltu, C::Leu, C::Gtu, C::Geu, C::Num, C::Nan];
    for (a, b, holds) in table {
        for op in all {
            assert_eq!(compare(a, b, op), holds.contains(&op), "{a} {op:?} {b}");
            assert_eq!(compare(a as f32, b as f32, op), holds.contains(&op), "{a} {op:?} {b}");
        }
    }
}
