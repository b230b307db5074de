//! f32 and f64 arithmetic in every rounding mode.

use super::exact::{Exact, Format, ROUNDS};
use super::random::Random;
use crate::num::{Round, double, fma, nan, single};

const CASES: usize = 40_000;

/// Checks `got`, the bits of an operation's result in `format`, against the exact sum `exact`. `zero_negative` is the
/// sign that an exact zero has, where the operands do not decide it.
fn check_sum(format: Format, got: u64, exact: &Exact, both_negative: bool, both_positive: bool, round: Round) -> bool {
    if exact.is_zero() {
        let negative = both_negative || !both_positive && round == Round::Down;
        return got == if negative { format.sign() } else { 0 };
    }
    format.is_rounded(got, exact.negative, round, |other| exact.compare_magnitude(other))
}

/// What an operation on these operands gives if one is a NaN or an infinity, else `None`; `native` is the processor's
/// result in f64, right for infinities in every mode.
fn special32(operands: &[f32], native: f64) -> Option<u32> {
    if native.is_nan() {
        return Some(0x7fff_ffff);
    }
    operands.iter().any(|x| x.is_infinite()).then(|| (native as f32).to_bits())
}

fn special64(operands: &[f64], native: f64) -> Option<u64> {
    if let Some(nan) = operands.iter().find(|x| x.is_nan()) {
        return Some(nan.to_bits() | 1 << 51);
    }
    if native.is_nan() {
        return Some(0xfff8_0000_0000_0000);
    }
    operands.iter().any(|x| x.is_infinite()).then(|| native.to_bits())
}

fn exact32(x: f32) -> Exact {
    Format::F32.decode(u64::from(x.to_bits()))
}

#[test]
fn f32_sums() {
    let mut random = Random(1);
    for _ in 0..CASES {
        let a = random.f32();
        let b = if random.below(8) == 0 { random.near(-f64::from(a)) as f32 } else { random.f32() };
        for round in ROUNDS {
            for (got, b) in [(single::add(a, b, round), b), (single::sub(a, b, round), single::neg(b))] {
                let case = format!("{a:e} + {b:e} {round:?} gave {got:e}");
                if let Some(want) = special32(&[a, b], f64::from(a) + f64::from(b)) {
                    assert_eq!(got.to_bits(), want, "{case}");
                    continue;
                }
                let exact = exact32(a).plus(&exact32(b));
                let (both_negative, both_positive) =
                    (a.is_sign_negative() && b.is_sign_negative(), a.is_sign_positive() && b.is_sign_positive());
                let bits = u64::from(got.to_bits());
                assert!(check_sum(Format::F32, bits, &exact, both_negative, both_positive, round), "{case}");
            }
        }
    }
}

#[test]
fn f64_sums() {
    let mut random = Random(2);
    for _ in 0..CASES {
        let a = random.f64();
        let b = if random.below(8) == 0 { random.near(-a) } else { random.f64() };
        for round in ROUNDS {
            let (added, subtracted) = (double::add(a, b, round), double::sub(a, b, round));
            if a.is_nan() || b.is_nan() {
                let want = special64(&[a, b], a + b).unwrap();
                assert_eq!((added.to_bits(), subtracted.to_bits()), (want, want), "{a:e} +- {b:e} {round:?}");
                continue;
            }
            for (got, b) in [(added, b), (subtracted, -b)] {
                let case = format!("{a:e} + {b:e} {round:?} gave {got:e}");
                if let Some(want) = special64(&[a, b], a + b) {
                    assert_eq!(got.to_bits(), want, "{case}");
                    continue;
                }
                let exact = Exact::of(a).plus(&Exact::of(b));
                let (both_negative, both_positive) =
                    (a.is_sign_negative() && b.is_sign_negative(), a.is_sign_positive() && b.is_sign_positive());
                let bits = got.to_bits();
                assert!(check_sum(Format::F64, bits, &exact, both_negative, both_positive, round), "{case}");
            }
        }
    }
}

/// Whether `bits` is the rounded exact product, zeros included.
fn is_product(format: Format, bits: u64, exact: &Exact, round: Round) -> bool {
    if exact.is_zero() {
        return bits == if exact.negative { format.sign() } else { 0 };
    }
    format.is_rounded(bits, exact.negative, round, |other| exact.compare_magnitude(other))
}

#[test]
fn products() {
    let mut random = Random(3);
    for _ in 0..CASES {
        let (a, b) = (random.f32(), random.f32());
        let (c, d) = (random.f64(), random.f64());
        for round in ROUNDS {
            let got = single::mul(a, b, round);
            match special32(&[a, b], f64::from(a) * f64::from(b)) {
                Some(want) => assert_eq!(got.to_bits(), want, "{a:e} * {b:e} {round:?}"),
                None => {
                    let exact = exact32(a).times(&exact32(b));
                    let bits = u64::from(got.to_bits());
                    assert!(is_product(Format::F32, bits, &exact, round), "{a:e} * {b:e} {round:?} gave {got:e}");
                }
            }
            let got = double::mul(c, d, round);
            match special64(&[c, d], c * d) {
                Some(want) => assert_eq!(got.to_bits(), want, "{c:e} * {d:e} {round:?}"),
                None => {
                    let exact = Exact::of(c).times(&Exact::of(d));
                    let right = is_product(Format::F64, got.to_bits(), &exact, round);
                    assert!(right, "{c:e} * {d:e} {round:?} gave {got:e}");
                }
            }
        }
    }
}

#[test]
fn f32_fused_multiply_adds() {
    let mut random = Random(4);
    for _ in 0..CASES {
        // The product of 1 + k ulp and 1 - k ulp is a little below half an ulp of c: f64 cannot tell it from a tie.
        let tie = random.below(4) == 0;
        let (size, ulps) = (100 + random.below(60) as u32, random.below(4) as u32);
        let half_ulp = f32::from_bits(((size - 24) << 23) + ulps);
        let (a, b) = if tie { (half_ulp, 1.0 - ulps as f32 * f32::EPSILON) } else { (random.f32(), random.f32()) };
        let a = if random.below(2) == 0 { -a } else { a };
        let product = f64::from(a) * f64::from(b);
        let c = match random.below(4) {
            _ if tie => f32::from_bits(size << 23 | random.below(1 << 23) as u32 | (random.below(2) as u32) << 31),
            0 => random.near(-product) as f32,
            1 => f32::from_bits((-product as f32).to_bits().wrapping_add(random.below(3) as u32).wrapping_sub(1)),
            _ => random.f32(),
        };
        for round in ROUNDS {
            let got = single::fma(a, b, c, round);
            let case = format!("{a:e} * {b:e} + {c:e} {round:?} gave {got:e}");
            assert_eq!(single::fma_portable(a, b, c, round).to_bits(), got.to_bits(), "portable: {case}");
            if let Some(want) = special32(&[a, b, c], product + f64::from(c)) {
                assert_eq!(got.to_bits(), want, "{case}");
                continue;
            }
            let exact_product = exact32(a).times(&exact32(b));
            let exact = exact_product.plus(&exact32(c));
            let (p, q) = (exact_product.negative, c.is_sign_negative());
            let bits = u64::from(got.to_bits());
            assert!(check_sum(Format::F32, bits, &exact, p && q, !p && !q, round), "{case}");
        }
    }
}

#[test]
fn f64_fused_multiply_adds() {
    let mut random = Random(5);
    for _ in 0..CASES {
        let (a, b) = (random.f64(), random.f64());
        let c = if random.below(3) == 0 { random.near(-(a * b)) } else { random.f64() };
        for round in ROUNDS {
            let got = double::fma(a, b, c, round);
            let case = format!("{a:e} * {b:e} + {c:e} {round:?} gave {got:e}");
            if round == Round::Nearest {
                assert_eq!(fma::fma64_portable(a, b, c).to_bits(), got.to_bits(), "portable: {case}");
            }
            let finite = a.is_finite() && b.is_finite();
            // A product of finite numbers may overflow in f64 and must not make a NaN of an infinite c.
            let native = if finite { c } else { a * b + c };
            if let Some(want) = special64(&[a, b, c], native) {
                assert_eq!(got.to_bits(), want, "{case}");
                continue;
            }
            let exact_product = Exact::of(a).times(&Exact::of(b));
            let exact = exact_product.plus(&Exact::of(c));
            let (p, q) = (exact_product.negative, c.is_sign_negative());
            assert!(check_sum(Format::F64, got.to_bits(), &exact, p && q, !p && !q, round), "{case}");
        }
    }
}

#[test]
fn quotients() {
    let mut random = Random(6);
    for case in 0..CASES {
        // A product as dividend makes exact quotients and near ones.
        let (b, d) = (random.f32(), random.f64());
        let a = if case % 3 == 0 { b * random.below(1 << 12) as f32 } else { random.f32() };
        let c = if case % 3 == 0 { d * random.below(1 << 26) as f64 } else { random.f64() };
        for round in ROUNDS {
            let got = single::div(a, b, round);
            let zero = a == 0.0 || b == 0.0;
            match special32(&[a, b], f64::from(a) / f64::from(b)) {
                Some(want) => assert_eq!(got.to_bits(), want, "{a:e} / {b:e} {round:?}"),
                None if zero => assert_eq!(got.to_bits(), (a / b).to_bits(), "{a:e} / {b:e} {round:?}"),
                None => {
                    let negative = a.is_sign_negative() != b.is_sign_negative();
                    let compare = |q: &Exact| exact32(a).compare_magnitude(&q.times(&exact32(b)));
                    let bits = u64::from(got.to_bits());
                    let right = Format::F32.is_rounded(bits, negative, round, compare);
                    assert!(right, "{a:e} / {b:e} {round:?} gave {got:e}");
                }
            }
            let got = double::div(c, d, round);
            let zero = c == 0.0 || d == 0.0;
            match special64(&[c, d], c / d) {
                Some(want) => assert_eq!(got.to_bits(), want, "{c:e} / {d:e} {round:?}"),
                None if zero => assert_eq!(got.to_bits(), (c / d).to_bits(), "{c:e} / {d:e} {round:?}"),
                None => {
                    let negative = c.is_sign_negative() != d.is_sign_negative();
                    let compare = |q: &Exact| Exact::of(c).compare_magnitude(&q.times(&Exact::of(d)));
                    let right = Format::F64.is_rounded(got.to_bits(), negative, round, compare);
                    assert!(right, "{c:e} / {d:e} {round:?} gave {got:e}");
                }
            }
            assert_eq!(single::rcp(b, round).to_bits(), single::div(1.0, b, round).to_bits());
            assert_eq!(double::rcp(d, round).to_bits(), double::div(1.0, d, round).to_bits());
        }
    }
}

#[test]
fn square_roots() {
    let mut random = Random(7);
    for case in 0..CASES {
        // Squares, and their neighbours, are where a root is exact or nearly so.
        let (a, c) = match case % 4 {
            0 => {
                let root = random.below(1 << 12) as f32 * f32::from_bits((100 + random.below(50) as u32) << 23);
                let root64 = random.below(1 << 26) as f64;
                (root * root, root64 * root64)
            }
            1 => {
                let root = random.below(1 << 24) as f32;
                let root64 = random.below(1 << 53) as f64;
                (root * root, root64 * root64)
            }
            _ => (random.f32(), random.f64()),
        };
        for round in ROUNDS {
            let got = single::sqrt(a, round);
            if a.is_nan() || a < 0.0 {
                assert_eq!(got.to_bits(), nan::F32.to_bits());
            } else if a == 0.0 || a.is_infinite() {
                assert_eq!(got.to_bits(), a.to_bits());
            } else {
                let compare = |r: &Exact| exact32(a).compare_magnitude(&r.times(r));
                let right = Format::F32.is_rounded(u64::from(got.to_bits()), false, round, compare);
                assert!(right, "sqrt {a:e} {round:?} gave {got:e}");
            }
            let got = double::sqrt(c, round);
            if c.is_nan() {
                assert_eq!(got.to_bits(), c.to_bits() | 1 << 51);
            } else if c < 0.0 {
                assert_eq!(got.to_bits(), 0xfff8_0000_0000_0000);
            } else if c == 0.0 || c.is_infinite() {
                assert_eq!(got.to_bits(), c.to_bits());
            } else {
                let compare = |r: &Exact| Exact::of(c).compare_magnitude(&r.times(r));
                let right = Format::F64.is_rounded(got.to_bits(), false, round, compare);
                assert!(right, "sqrt {c:e} {round:?} gave {got:e}");
            }
        }
    }
}

/// Known answers, so that the exact arithmetic above is not taken on trust.
#[test]
fn known_directed_results() {
    let third = 1.0f32 / 3.0;
    assert_eq!(single::div(1.0, 3.0, Round::Nearest).to_bits(), 0x3eaa_aaab);
    assert_eq!(single::div(1.0, 3.0, Round::Zero).to_bits(), 0x3eaa_aaaa);
    assert_eq!(single::div(-1.0, 3.0, Round::Down), -third);
    assert_eq!(single::add(1.0, f32::MIN_POSITIVE, Round::Up), 1.0 + f32::EPSILON);
    assert_eq!(single::add(1.0, -f32::MIN_POSITIVE, Round::Zero), 1.0 - f32::EPSILON / 2.0);
    assert_eq!(single::add(1.0, -1.0, Round::Down).to_bits(), 0x8000_0000);
    assert_eq!(single::add(1.0, -1.0, Round::Up).to_bits(), 0);
    assert_eq!(single::mul(f32::MAX, 2.0, Round::Zero), f32::MAX);
    assert_eq!(single::mul(f32::MAX, -2.0, Round::Up), -f32::MAX);
    assert_eq!(single::mul(f32::MAX, -2.0, Round::Down), f32::NEG_INFINITY);
    assert_eq!(single::sqrt(2.0, Round::Nearest).to_bits(), 0x3fb5_04f3);
    assert_eq!(single::sqrt(2.0, Round::Up).to_bits(), 0x3fb5_04f4);
    assert_eq!(double::div(1.0, 3.0, Round::Nearest).to_bits(), 0x3fd5_5555_5555_5555);
    assert_eq!(double::div(1.0, 3.0, Round::Up).to_bits(), 0x3fd5_5555_5555_5556);
    assert_eq!(double::add(1.0, f64::MIN_POSITIVE, Round::Up), 1.0 + f64::EPSILON);
    assert_eq!(double::mul(f64::from_bits(1), 0.5, Round::Up).to_bits(), 1);
    assert_eq!(double::mul(f64::from_bits(1), 0.5, Round::Zero).to_bits(), 0);
    assert_eq!(double::sqrt(2.0, Round::Up).to_bits(), 0x3ff6_a09e_667f_3bcd);
    assert_eq!(double::sqrt(2.0, Round::Down).to_bits(), 0x3ff6_a09e_667f_3bcc);
}

#[test]
fn flushing_and_clamping() {
    let least = f32::MIN_POSITIVE;
    let below = f32::from_bits(least.to_bits() - 1);
    assert_eq!(single::flush(least), least);
    assert_eq!(single::flush(-least), -least);
    assert_eq!(single::flush(below).to_bits(), 0);
    assert_eq!(single::flush(-below).to_bits(), 0x8000_0000);
    assert_eq!(single::flush(-0.0).to_bits(), 0x8000_0000);
    assert!(single::flush(f32::NAN).is_nan());
    assert_eq!(single::flush(f32::NEG_INFINITY), f32::NEG_INFINITY);
    for (x, want) in [
        (f32::NAN, 0.0f32),
        (-0.0, 0.0),
        (-1.0, 0.0),
        (f32::NEG_INFINITY, 0.0),
        (f32::INFINITY, 1.0),
        (1.5, 1.0),
        (1.0, 1.0),
        (0.25, 0.25),
        (below, below),
    ] {
        assert_eq!(single::saturate(x).to_bits(), want.to_bits(), "{x}");
        assert_eq!(double::saturate(f64::from(x)).to_bits(), f64::from(want).to_bits(), "{x}");
    }
    assert_eq!(single::relu(-0.0).to_bits(), 0);
    assert_eq!(single::relu(-3.0).to_bits(), 0);
    assert_eq!(single::relu(3.0), 3.0);
    assert_eq!(single::relu(-f32::NAN).to_bits(), 0x7fff_ffff);
}

#[test]
fn signs() {
    for x in [0.0f32, -0.0, 1.5, -2.0, f32::INFINITY] {
        assert_eq!(single::neg(x).to_bits(), (-x).to_bits());
        assert_eq!(single::abs(x).to_bits(), x.abs().to_bits());
        assert_eq!(double::neg(f64::from(x)).to_bits(), (-f64::from(x)).to_bits());
        assert_eq!(double::abs(f64::from(x)).to_bits(), f64::from(x).abs().to_bits());
        for y in [3.0f32, -4.0, -0.0] {
            assert_eq!(single::copysign(x, y).to_bits(), y.copysign(x).to_bits());
            let (x, y) = (f64::from(x), f64::from(y));
            assert_eq!(double::copysign(x, y).to_bits(), y.copysign(x).to_bits());
        }
    }
}
