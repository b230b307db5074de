//! `cvt` between integers and floats, and to integral values.

use super::exact::{Exact, Format, ROUNDS};
use super::random::Random;
use crate::num::{Round, cvt};

/// The integer that finite `x` rounds to, as exactly as i128 holds it; what is beyond stays far beyond 64 bits.
fn to_integer(x: f64, round: Round) -> i128 {
    let bits = x.to_bits();
    let biased = (bits >> 52 & 0x7ff) as i32;
    let significand = i128::from(bits & ((1 << 52) - 1)) | if biased == 0 { 0 } else { 1 << 52 };
    let exponent = biased.max(1) - 1075;
    let negative = x.is_sign_negative();
    let magnitude = if exponent >= 0 {
        significand << exponent.min(70)
    } else {
        let shift = (-exponent).min(100);
        let whole = significand >> shift;
        let rest = significand & ((1 << shift) - 1);
        let half = 1i128 << (shift - 1);
        let up = match round {
            Round::Nearest => rest > half || rest == half && whole & 1 == 1,
            Round::Zero => false,
            Round::Down => negative && rest != 0,
            Round::Up => !negative && rest != 0,
        };
        whole + i128::from(up)
    };
    if negative { -magnitude } else { magnitude }
}

macro_rules! check_integers {
    ($x:expr, $round:expr, $($f32:ident $f64:ident $int:ty, $nan:expr;)*) => {{
        let (x, round): (f64, Round) = ($x, $round);
        let exact = if x.is_infinite() { i128::MAX.wrapping_mul(x.signum() as i128) } else { to_integer(x, round) };
        $(
            let clamped = exact.clamp(<$int>::MIN as i128, <$int>::MAX as i128) as $int;
            let want = if x.is_nan() { 1 << (<$int>::BITS - 1) } else { clamped };
            assert_eq!(cvt::$f64(x, round), want, "{x:e} {round:?} to {}", stringify!($int));
            let narrow = x as f32;
            if f64::from(narrow) == x || x.is_nan() {
                let want = if x.is_nan() { $nan } else { clamped };
                assert_eq!(cvt::$f32(narrow, round), want, "{x:e} {round:?} to {}", stringify!($int));
            }
        )*
    }};
}

#[test]
fn floats_to_integers() {
    let mut random = Random(41);
    for case in 0..120_000u32 {
        // Integers, halves and their neighbours of every size; then anything.
        let x = match case % 4 {
            0 => random.f64(),
            1 => f64::from(random.f32()),
            _ => {
                let shift = random.below(66) as i32 - 1;
                let whole = (random.next() >> 1 >> random.below(63)) as f64;
                let scaled = whole * 2f64.powi(shift - 40) + [0.0, 0.5, -0.5, 0.25][case as usize / 4 % 4];
                let near = random.near(scaled);
                let signed = if random.below(2) == 0 { near } else { -near };
                if random.below(2) == 0 { f64::from(signed as f32) } else { signed }
            }
        };
        for round in ROUNDS {
            check_integers!(
                x, round,
                s8_from_f32 s8_from_f64 i8, 0;
                u8_from_f32 u8_from_f64 u8, 0;
                s16_from_f32 s16_from_f64 i16, 0;
                u16_from_f32 u16_from_f64 u16, 0;
                s32_from_f32 s32_from_f64 i32, 0;
                u32_from_f32 u32_from_f64 u32, 0;
                s64_from_f32 s64_from_f64 i64, i64::MIN;
                u64_from_f32 u64_from_f64 u64, 1 << 63;
            );
        }
    }
}

#[test]
fn floats_to_integral_floats() {
    let mut random = Random(42);
    for _ in 0..100_000 {
        let x = f64::from((random.below(1 << 26) as f32 - 33_554_432.0) / 8.0);
        for (x, round) in [x, random.f64(), f64::from(random.f32())].into_iter().flat_map(|x| ROUNDS.map(|r| (x, r))) {
            let got = cvt::integral_f64(x, round);
            let got32 = cvt::integral_f32(x as f32, round);
            if x.is_nan() {
                assert_eq!((got.to_bits(), got32.to_bits()), (x.to_bits() | 1 << 51, 0x7fff_ffff));
            } else if x.abs() >= 9_007_199_254_740_992.0 {
                assert_eq!((got, got32), (x, x as f32));
            } else {
                assert_eq!(got.to_bits(), (to_integer(x, round) as f64).copysign(x).to_bits(), "{x:e} {round:?}");
                let x = x as f32;
                let want = (to_integer(f64::from(x), round) as f32).copysign(x);
                assert_eq!(got32.to_bits(), want.to_bits(), "{x:e} {round:?}");
            }
        }
    }
}

/// Checks the bits that an integer became.
fn check_float(format: Format, bits: u64, x: i128, round: Round) {
    if x == 0 {
        assert_eq!(bits, 0);
        return;
    }
    let exact = Exact::new(x < 0, x.unsigned_abs(), 0);
    let right = format.is_rounded(bits, x < 0, round, |other| exact.compare_magnitude(other));
    assert!(right, "{x} {round:?} to {format:?} gave {bits:#x}");
}

#[test]
fn integers_to_floats() {
    let mut random = Random(43);
    for case in 0..60_000 {
        let shift = random.below(64);
        let x = match case % 3 {
            0 => random.next() >> shift,
            1 => (random.next() | 1 << 63) >> shift & random.next() & random.next(),
            // A power of two (2^64 as 0), and what is next to it.
            _ => {
                let power = 1u64.checked_shl(random.below(65) as u32).unwrap_or(0);
                power.wrapping_add(random.below(3)).wrapping_sub(1)
            }
        };
        let signed = if random.below(2) == 0 { x as i64 } else { (x as i64).wrapping_neg() };
        for round in ROUNDS {
            check_float(Format::F32, u64::from(cvt::f32_from_u64(x, round).to_bits()), x.into(), round);
            check_float(Format::F32, u64::from(cvt::f32_from_s64(signed, round).to_bits()), signed.into(), round);
            check_float(Format::F64, cvt::f64_from_u64(x, round).to_bits(), x.into(), round);
            check_float(Format::F64, cvt::f64_from_s64(signed, round).to_bits(), signed.into(), round);
            check_float(Format::F16, cvt::f16_from_u64(x, round).into(), x.into(), round);
            check_float(Format::F16, cvt::f16_from_s64(signed, round).into(), signed.into(), round);
            check_float(Format::BF16, cvt::bf16_from_u64(x, round).into(), x.into(), round);
            check_float(Format::BF16, cvt::bf16_from_s64(signed, round).into(), signed.into(), round);
            let (narrow, narrow_signed) = (x as u32, signed as i32);
            let got = cvt::f32_from_u32(narrow, round).to_bits();
            check_float(Format::F32, u64::from(got), narrow.into(), round);
            let got = cvt::f32_from_s32(narrow_signed, round).to_bits();
            check_float(Format::F32, u64::from(got), narrow_signed.into(), round);
        }
    }
}

#[test]
fn f32_widens_to_f64() {
    let mut random = Random(44);
    for _ in 0..100_000 {
        let x = random.f32();
        let got = cvt::f64_from_f32(x);
        if x.is_nan() {
            let bits = u64::from(x.to_bits());
            assert!(got.is_nan());
            assert_eq!(got.to_bits() >> 63, bits >> 31);
            assert_eq!(got.to_bits() >> 29 & 0x3f_ffff, bits & 0x3f_ffff);
            assert_eq!(got.to_bits() >> 51 & 1, 1);
        } else {
            assert_eq!(got.to_bits(), f64::from(x).to_bits());
        }
    }
}
