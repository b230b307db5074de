//! The approximate functions against f64, with the bounds that the table in [`crate::num::approx`] states, and the
//! special values of the ISA's tables.

use std::f64::consts::{PI, TAU};

use super::exact::Exact;
use super::full;
use super::random::Random;
use crate::num::approx;
use crate::num::{bf16, f16, single};

const NAN: u32 = 0x7fff_ffff;

/// A stride through all f32, or all of them.
fn for_each_f32(check: impl FnMut(f32)) {
    let stride = if full() { 1 } else { 4099 };
    (0..=u32::MAX).step_by(stride).map(f32::from_bits).for_each(check);
}

/// The unit of the last place of an f32 of `want`'s size.
fn ulp(want: f64) -> f64 {
    let exponent = (want.abs().to_bits() >> 52) as i32 - 1023;
    2f64.powi(exponent.max(-126) - 23)
}

/// The distance of `got` from `want` in units of the last place.
fn ulps(got: f32, want: f64) -> f64 {
    (f64::from(got) - want).abs() / ulp(want)
}

fn relative(got: f32, want: f64) -> f64 {
    (f64::from(got) - want).abs() / want.abs()
}

/// Asserts the special values: pairs of an operand and the result's bits.
fn special(function: fn(f32) -> f32, table: &[(f32, u32)]) {
    for &(x, want) in table {
        assert_eq!(function(x).to_bits(), want, "{x:e}");
    }
}

const ZERO: u32 = 0;
const MINUS_ZERO: u32 = 0x8000_0000;
const ONE: u32 = 0x3f80_0000;
const MINUS_ONE: u32 = 0xbf80_0000;
const INF: u32 = 0x7f80_0000;
const MINUS_INF: u32 = 0xff80_0000;
const LEAST: f32 = f32::from_bits(1);

#[test]
fn ex2_is_within_its_bound() {
    for_each_f32(|x| {
        if x.is_nan() {
            assert_eq!(approx::ex2(x).to_bits(), NAN);
            return;
        }
        let (got, want) = (approx::ex2(x), f64::from(x).exp2());
        if want >= 2f64.powi(128) {
            assert_eq!(got, f32::INFINITY, "{x:e}");
        } else {
            assert!(ulps(got, want) <= 0.5001, "{x:e}: {} ulp", ulps(got, want));
        }
    });
    special(approx::ex2, &[(f32::NEG_INFINITY, ZERO), (-0.0, ONE), (0.0, ONE), (f32::INFINITY, INF), (LEAST, ONE)]);
    special(approx::ex2, &[(-149.0, 1), (-126.0, 0x0080_0000), (127.0, 0x7f00_0000), (128.0, INF), (-151.0, ZERO)]);
    assert_eq!(approx::ex2(f32::NAN).to_bits(), NAN);
}

#[test]
fn lg2_is_within_its_bound() {
    let check = |x: f32| {
        if x.is_nan() || x < 0.0 {
            assert_eq!(approx::lg2(x).to_bits(), NAN, "{x:e}");
        } else if x > 0.0 && x.is_finite() {
            let (got, want) = (approx::lg2(x), f64::from(x).log2());
            assert!(ulps(got, want) <= 0.5001, "{x:e}: {} ulp", ulps(got, want));
        }
    };
    for_each_f32(check);
    for near in -4000..4000 {
        check(f32::from_bits(ONE.wrapping_add_signed(near)));
    }
    special(approx::lg2, &[(f32::NEG_INFINITY, NAN), (-0.0, MINUS_INF), (0.0, MINUS_INF), (f32::INFINITY, INF)]);
    special(approx::lg2, &[(1.0, ZERO), (8.0, 0x4040_0000), (0.5, MINUS_ONE), (-LEAST, NAN)]);
    assert_eq!(approx::lg2(LEAST), -149.0);
}

#[test]
fn reciprocals_and_roots_are_within_their_bounds() {
    let mut worst = 0.0f64;
    for_each_f32(|x| {
        if x.is_nan() || x == 0.0 || x.is_infinite() {
            return;
        }
        let wide = f64::from(x);
        let (got, want) = (approx::rcp(x), 1.0 / wide);
        if want.abs() < 2f64.powi(128) {
            assert!(ulps(got, want) <= 0.5001, "1 / {x:e}");
        } else {
            assert_eq!(got, f32::INFINITY.copysign(x));
        }
        if x < 0.0 {
            assert_eq!(approx::sqrt(x).to_bits(), NAN, "{x:e}");
            assert_eq!(approx::rsqrt(x).to_bits(), NAN, "{x:e}");
        } else {
            assert!(ulps(approx::sqrt(x), wide.sqrt()) <= 0.5001, "sqrt {x:e}");
            worst = worst.max(relative(approx::rsqrt(x), 1.0 / wide.sqrt()));
        }
    });
    assert!(worst <= 2f64.powi(-23), "rsqrt: 2^{}", worst.log2());
    special(approx::rcp, &[(f32::NEG_INFINITY, MINUS_ZERO), (-0.0, MINUS_INF), (0.0, INF), (f32::INFINITY, ZERO)]);
    special(approx::rsqrt, &[(f32::NEG_INFINITY, NAN), (-0.0, MINUS_INF), (0.0, INF), (f32::INFINITY, ZERO)]);
    special(approx::sqrt, &[(f32::NEG_INFINITY, NAN), (-0.0, MINUS_ZERO), (0.0, ZERO), (f32::INFINITY, INF)]);
    for function in [approx::rcp, approx::rsqrt, approx::sqrt] {
        assert_eq!(function(-f32::NAN).to_bits(), NAN);
    }
}

#[test]
fn divisions_are_within_their_bounds() {
    let mut random = Random(71);
    let (low, high) = (2f32.powi(-126), 2f32.powi(126));
    for _ in 0..300_000 {
        let (a, b) = (random.f32(), random.f32());
        let want = f64::from(a) / f64::from(b);
        let (full, approx) = (approx::div_full(a, b), approx::div_approx(a, b));
        if want.is_nan() {
            assert_eq!((full.to_bits(), approx.to_bits()), (NAN, NAN), "{a:e} / {b:e}");
            continue;
        }
        if want.abs() >= 2f64.powi(128) || want == 0.0 || b == 0.0 {
            assert_eq!(full.to_bits(), (want as f32).to_bits(), "{a:e} / {b:e}");
        } else {
            assert!(ulps(full, want) <= 0.5001, "{a:e} / {b:e}");
        }
        if b.abs() > high && b.is_finite() {
            let zero = 0f32.copysign(want as f32).to_bits();
            assert_eq!(approx.to_bits(), if a.is_infinite() { NAN } else { zero }, "{a:e} / {b:e}");
        } else if b.abs() >= low && a.is_finite() && want.abs() < 2f64.powi(128) {
            assert!(ulps(approx, want) <= 1.5001, "{a:e} / {b:e}: {} ulp", ulps(approx, want));
        }
    }
    let above = f32::from_bits(high.to_bits() + 1);
    assert_eq!(approx::div_approx(high, high), 1.0);
    assert_eq!(approx::div_approx(high, above).to_bits(), ZERO);
    assert_eq!(approx::div_approx(-high, above).to_bits(), MINUS_ZERO);
    assert_eq!(approx::div_approx(f32::INFINITY, above).to_bits(), NAN);
    assert_eq!(approx::div_approx(1.0, f32::NEG_INFINITY).to_bits(), MINUS_ZERO);
}

#[test]
fn sine_and_cosine_are_within_their_bounds() {
    let mut worst = 0f64;
    let mut check = |x: f32| {
        if !x.is_finite() {
            assert_eq!((approx::sin(x).to_bits(), approx::cos(x).to_bits()), (NAN, NAN));
            return;
        }
        let (sin, cos) = (approx::sin(x), approx::cos(x));
        assert!(sin.abs() <= 1.0 && cos.abs() <= 1.0, "{x:e}");
        let wide = f64::from(x);
        if x.abs() < 315.0 {
            for (got, want) in [(sin, wide.sin()), (cos, wide.cos())] {
                let beyond_rounding = (f64::from(got) - want).abs() - 0.5 * ulp(want);
                assert!(beyond_rounding <= 2f64.powi(-42), "{x:e}: {got:e}, {want:e}");
            }
        }
        if x.abs() < 1_048_576.0 {
            worst = worst.max((f64::from(sin) - wide.sin()).abs()).max((f64::from(cos) - wide.cos()).abs());
        }
    };
    for_each_f32(&mut check);
    // The ranges that the ISA bounds, more densely, and the places where the result is 0 or turns.
    for i in -400_000i32..=400_000 {
        check((f64::from(i) * (100.0 * PI / 400_000.0)) as f32);
        check((f64::from(i) * (TAU / 400_000.0)) as f32);
    }
    for i in -400i32..=400 {
        check((f64::from(i) * (PI / 4.0)) as f32);
    }
    assert!(worst <= 2f64.powf(-24.9), "2^{}", worst.log2());
    special(approx::sin, &[(f32::NEG_INFINITY, NAN), (-0.0, MINUS_ZERO), (0.0, ZERO), (f32::INFINITY, NAN)]);
    special(approx::cos, &[(f32::NEG_INFINITY, NAN), (-0.0, ONE), (0.0, ONE), (f32::INFINITY, NAN), (LEAST, ONE)]);
    special(approx::sin, &[(LEAST, 1), (-LEAST, 0x8000_0001), (f32::MIN_POSITIVE, 0x0080_0000)]);
}

#[test]
fn tanh_is_within_its_bound() {
    for_each_f32(|x| {
        if x.is_nan() {
            assert_eq!(approx::tanh(x).to_bits(), NAN);
        } else if x != 0.0 {
            let (got, want) = (approx::tanh(x), f64::from(x).tanh());
            assert!(ulps(got, want) <= 1.0, "{x:e}: {} ulp", ulps(got, want));
        }
    });
    special(approx::tanh, &[(f32::NEG_INFINITY, MINUS_ONE), (-0.0, MINUS_ZERO), (0.0, ZERO), (f32::INFINITY, ONE)]);
    special(approx::tanh, &[(LEAST, 1), (-LEAST, 0x8000_0001), (100.0, ONE), (-100.0, MINUS_ONE)]);
}

#[test]
fn every_half_has_its_ex2_and_tanh() {
    for bits in 0..=u16::MAX {
        let (x, y) = (f64::from(f16::to_f32(bits)), f64::from(bf16::to_f32(bits)));
        let (ex2, tanh) = (f16::ex2(bits), f16::tanh(bits));
        if x.is_nan() {
            assert_eq!((ex2, tanh), (0x7fff, 0x7fff));
        } else {
            let want = x.exp2();
            let got = f64::from(f16::to_f32(ex2));
            // Beyond 65520 lies infinity; below 2^-14 an ulp is 2^-24.
            if want >= 65520.0 {
                assert_eq!(got, f64::INFINITY);
            } else {
                assert!((got - want).abs() <= (want * 2f64.powf(-10.99)).max(2f64.powf(-24.99)), "ex2 {x}: {got}");
            }
            assert!((f64::from(f16::to_f32(tanh)) - x.tanh()).abs() <= 2f64.powf(-11.99), "tanh {x}");
        }
        let (ex2, tanh) = (bf16::ex2(bits), bf16::tanh(bits));
        if y.is_nan() {
            assert_eq!((ex2, tanh), (0x7fff, 0x7fff));
        } else {
            let want = y.exp2();
            let got = f64::from(bf16::to_f32(ex2));
            if want >= 2f64.powi(128) {
                assert_eq!(got, f64::INFINITY);
            } else if want < 2f64.powi(-126) {
                assert_eq!(ex2, 0, "ex2 {y}");
            } else {
                assert!((got - want).abs() <= want * 2f64.powi(-8), "ex2 {y}: {got}");
            }
            assert!((f64::from(bf16::to_f32(tanh)) - y.tanh()).abs() <= 2f64.powf(-8.99), "tanh {y}");
        }
    }
    assert_eq!((bf16::ex2(0x0001), bf16::ex2(0x8001), bf16::ex2(0xff80)), (0x3f80, 0x3f80, 0));
    assert_eq!((f16::tanh(0xfc00), f16::tanh(0x8000), bf16::tanh(0x7f80)), (0xbc00, 0x8000, 0x3f80));
}

#[test]
fn f64_reciprocals_work_on_the_upper_word() {
    let mut random = Random(72);
    for _ in 0..200_000 {
        let x = random.f64();
        let upper = f64::from_bits(x.to_bits() >> 32 << 32);
        let flushed = if upper.is_subnormal() { 0f64.copysign(upper) } else { upper };
        let wants = [(approx::rcp_ftz_f64(x), 1.0 / flushed), (approx::rsqrt_ftz_f64(x), 1.0 / flushed.sqrt())];
        for (got, want) in wants {
            assert_eq!(got.to_bits() as u32, 0);
            if want.is_nan() {
                assert_eq!(got.to_bits(), 0x7fff_ffff_0000_0000);
            } else if want.is_infinite() || want == 0.0 {
                assert_eq!(got.to_bits(), want.to_bits(), "{x:e}");
            } else if want.abs() < f64::MIN_POSITIVE {
                assert_eq!(got.to_bits(), want.to_bits() & 1 << 63, "{x:e}");
            } else {
                assert!(((got - want) / want).abs() <= 2f64.powf(-20.999), "{x:e}: {got:e}, {want:e}");
            }
        }
        let got = approx::rsqrt_f64(x);
        if x.is_nan() {
            assert_eq!(got.to_bits(), x.to_bits() | 1 << 51);
        } else if x < 0.0 {
            assert_eq!(got.to_bits(), 0xfff8_0000_0000_0000);
        } else if x == 0.0 || x.is_infinite() {
            assert_eq!(got.to_bits(), (1.0 / x).to_bits());
        } else {
            // A relative error e of the result is one of 2e in x * result^2; an ulp is at most 2^-52 of the result.
            let result = Exact::of(got);
            let off = result.times(&result).times(&Exact::of(x)).plus(&Exact::of(-1.0));
            assert!(off.compare_magnitude(&Exact::new(false, 3, -52)).is_le(), "{x:e}: {got:e}");
        }
    }
    let f = |bits: u64| f64::from_bits(bits);
    assert_eq!(approx::rcp_ftz_f64(f(0x8000_0001_0000_0000)), f64::NEG_INFINITY);
    assert_eq!(approx::rsqrt_ftz_f64(f(0x8000_0001_0000_0000)), f64::NEG_INFINITY);
    assert_eq!(approx::rsqrt_ftz_f64(f64::INFINITY).to_bits(), 0);
    assert_eq!(approx::rcp_ftz_f64(f64::NEG_INFINITY).to_bits(), 1 << 63);
}

#[test]
fn flushing_around_a_function() {
    // ex2.approx.ftz.f32 and lg2.approx.ftz.f32 as a caller composes them.
    let ftz = |function: fn(f32) -> f32, x: f32| single::flush(function(single::flush(x)));
    assert_eq!(ftz(approx::ex2, -140.0).to_bits(), ZERO);
    assert_eq!(ftz(approx::lg2, -LEAST).to_bits(), MINUS_INF);
    assert_eq!(ftz(approx::rcp, -LEAST).to_bits(), MINUS_INF);
    assert_eq!(ftz(approx::sqrt, -LEAST).to_bits(), MINUS_ZERO);
}
