//! Elementary functions in f32 and f64, the same bits on every machine and backend.
//!
//! The platform's `exp`, `ln`, `sin` and `cos` differ between C libraries and GPUs; these use only operations that IEEE 754
//! rounds correctly (sum, product, quotient, fused multiply-add) and integer arithmetic on bits.

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts: the first has 15 bits, so that `n * LN2_HI` is exact for |n| < 2^9.
const LN2_HI: f32 = 0.693_359_4;
const LN2_LO: f32 = -2.121_944_4e-4;
/// 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f32 = 12_582_912.0;

/// Below this, [`exp`] is zero: e^x would be less than the smallest normal number.
pub const EXP_MIN: f32 = -87.336_54;
/// Above this, [`exp`] is infinite.
pub const EXP_MAX: f32 = 88.722_83;

/// e^x: at most 1.1 units in the last place off; 0 below [`EXP_MIN`] (subnormal results are flushed),
/// infinity above [`EXP_MAX`], NaN for NaN.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial of degree 6 (Taylor's coefficients; the remainder is below
/// 2^-26 there); times 2^n through the exponent's bits, in two steps so that 2^128 needs no exponent of its own.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (t, p) = reduced_exp(x);
    let n = (t.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let half = n >> 1;
    let pow2 = |n: i32| f32::from_bits((n.wrapping_add(127) as u32) << 23);
    let y = p * pow2(half) * pow2(n.wrapping_sub(half));
    let y = if x < EXP_MIN { 0.0 } else { y };
    let y = if x > EXP_MAX { f32::INFINITY } else { y };
    if x.is_nan() { x } else { y }
}

/// e^x for x <= 0, as a softmax needs it once the row's maximum is subtracted: the bits of [`exp`], and NaN for NaN, in
/// about half of its instructions. 2^n is neither subnormal nor above 1 here, so one multiplication scales by it, and no
/// overflow needs looking after.
///
/// A positive `x` is the caller's mistake: a panic in debug builds, any number otherwise.
#[inline(always)]
pub fn exp_nonpositive(x: f32) -> f32 {
    debug_assert!(x <= 0.0 || x.is_nan(), "exp_nonpositive of {x}");
    let (t, p) = reduced_exp(x);
    // ROUND's low nine bits are zero: n alone is shifted into the exponent, and wraps as its sign needs.
    let y = p * f32::from_bits((t.to_bits() << 23).wrapping_add(127 << 23));
    if x < EXP_MIN { 0.0 } else { y }
}

/// x = n ln 2 + r: n in the low bits of `n + ROUND`, and e^r.
#[inline(always)]
fn reduced_exp(x: f32) -> (f32, f32) {
    let t = x.mul_add(LOG2_E, ROUND);
    let n = t - ROUND;
    let r = n.mul_add(-LN2_LO, n.mul_add(-LN2_HI, x));
    let mut p = 1.984_127e-4f32;
    for coefficient in [1.388_888_9e-3, 8.333_334e-3, 4.166_666_8e-2, 0.166_666_67, 0.5, 1.0, 1.0] {
        p = p.mul_add(r, coefficient);
    }
    (t, p)
}

/// The natural logarithm of a positive normal number: at most 1 unit in the last place off for |ln x| >= 0.1, and
/// 1e-7 absolutely below. Minus infinity for zero and subnormal numbers, infinity for infinity, NaN for the rest.
///
/// x = 2^k m with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh(s), s = (m - 1) / (m + 1), by its series to s^11; the sum in
/// f64, rounded once.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    if x.is_nan() || x < 0.0 {
        return f32::NAN;
    }
    if x < f32::MIN_POSITIVE {
        return f32::NEG_INFINITY;
    }
    if x == f32::INFINITY {
        return x;
    }
    ln_f64(f64::from(x)) as f32
}

/// ln x in f64 for a positive normal `x`: the series of 2 atanh(s), |s| <= 0.172, to s^21 (remainder below 2^-58).
#[inline(always)]
fn ln_f64(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut k = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut m = f64::from_bits((bits & 0x000f_ffff_ffff_ffff) | (1023 << 52));
    if m > std::f64::consts::SQRT_2 {
        m *= 0.5;
        k += 1;
    }
    let s = (m - 1.0) / (m + 1.0);
    let z = s * s;
    let mut p = 0.0;
    let mut i = 21;
    while i >= 1 {
        p = p * z + 1.0 / f64::from(i);
        i -= 2;
    }
    2.0 * s * p + k as f64 * std::f64::consts::LN_2
}

/// e^x in f64 for |x| <= 700, to a few units in the last place.
fn exp_f64(x: f64) -> f64 {
    // ln 2 with 32 bits, so that n times it is exact, and the rest.
    const HI: f64 = 0.693_147_180_369_123_8;
    const LO: f64 = 1.908_214_929_270_587_7e-10;
    let n = (x * std::f64::consts::LOG2_E + 0.5).floor();
    let r = (x - n * HI) - n * LO;
    let mut p = 1.0;
    let mut i = 18;
    while i >= 1 {
        p = p * r / f64::from(i) + 1.0;
        i -= 1;
    }
    p * f64::from_bits(((n as i64 + 1023) as u64) << 52)
}

/// sin x and cos x in f64 for 0 <= x <= 2^20, to about 1e-15 absolutely.
pub fn sin_cos_f64(x: f64) -> (f64, f64) {
    // pi/2 in three parts of 33 bits and less: n times the first two is exact for n < 2^20.
    const P1: f64 = 1.570_796_326_734_125_6;
    const P2: f64 = 6.077_100_506_303_966e-11;
    const P3: f64 = 2.022_266_248_795_950_7e-21;
    let n = (x * std::f64::consts::FRAC_2_PI + 0.5).floor();
    let r = ((x - n * P1) - n * P2) - n * P3;
    let z = r * r;
    // Taylor to r^19 and r^20: |r| <= pi/4, remainder below 1e-20.
    let (mut s, mut c) = (1.0, 1.0);
    let mut i = 18;
    while i >= 2 {
        s = 1.0 - s * z / f64::from(i * (i + 1));
        c = 1.0 - c * z / f64::from(i * (i - 1));
        i -= 2;
    }
    let s = s * r;
    match n as i64 & 3 {
        0 => (s, c),
        1 => (c, -s),
        2 => (-s, -c),
        _ => (-c, s),
    }
}

/// `base^exponent` in f64 for a positive `base` and |exponent * ln base| <= 700, to about 1e-14 relatively.
pub fn pow_f64(base: f64, exponent: f64) -> f64 {
    exp_f64(exponent * ln_f64(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ulps(got: f32, want: f64) -> f64 {
        let ulp = f64::from(f32::from_bits((want as f32).to_bits() + 1)) - f64::from(want as f32);
        (f64::from(got) - want).abs() / ulp.abs()
    }

    #[test]
    fn exp_is_within_its_bound() {
        let mut worst = 0.0f64;
        let mut x = EXP_MIN;
        while x < EXP_MAX {
            worst = worst.max(ulps(exp(x), f64::from(x).exp()));
            x += 0.000_37;
        }
        assert!(worst <= 1.1, "{worst} ulp");
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-88.0), 0.0);
        assert_eq!(exp(f32::INFINITY), f32::INFINITY);
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(EXP_MAX).is_finite());
        assert!(exp(EXP_MIN) >= f32::MIN_POSITIVE);
    }

    #[test]
    fn exp_nonpositive_is_within_its_bound_and_has_the_bits_of_exp() {
        let mut worst = 0.0f64;
        let mut x = -90.0f32;
        while x < 0.0 {
            let y = exp_nonpositive(x);
            assert_eq!(y.to_bits(), exp(x).to_bits(), "{x}");
            if x >= EXP_MIN {
                worst = worst.max(ulps(y, f64::from(x).exp()));
            }
            x += 0.000_37;
        }
        assert!(worst > 0.0 && worst <= 1.1, "{worst} ulp");
        for (x, want) in [(0.0, 1.0), (-0.0, 1.0), (-1e-45, 1.0), (-1e-30, 1.0), (EXP_MIN, exp(EXP_MIN))] {
            assert_eq!(exp_nonpositive(x), want, "{x}");
        }
        for x in [EXP_MIN.next_down(), -1e4, f32::MIN, f32::NEG_INFINITY] {
            assert_eq!(exp_nonpositive(x).to_bits(), 0, "{x}");
        }
        assert!(exp_nonpositive(f32::NAN).is_nan() && exp_nonpositive(-f32::NAN).is_nan());
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "exp_nonpositive of 1")]
    fn exp_nonpositive_is_not_for_positive_numbers() {
        exp_nonpositive(1.0);
    }

    #[test]
    fn ln_is_within_its_bound() {
        let mut x = 1.2e-38f32;
        while x < 3e38 {
            let want = f64::from(x).ln();
            let bound = if want.abs() >= 0.1 { 1.0 } else { f64::INFINITY };
            assert!(ulps(ln(x), want) <= bound || (f64::from(ln(x)) - want).abs() <= 1e-7, "{x}: {} {want}", ln(x));
            x *= 1.000_9;
        }
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(ln(0.0), f32::NEG_INFINITY);
        assert_eq!(ln(f32::INFINITY), f32::INFINITY);
        assert!(ln(-1.0).is_nan() && ln(f32::NAN).is_nan());
    }

    #[test]
    fn f64_functions_agree_with_the_platform() {
        let mut x = 0.0f64;
        while x < 20_000.0 {
            let (s, c) = sin_cos_f64(x);
            assert!((s - x.sin()).abs() <= 4e-15 && (c - x.cos()).abs() <= 4e-15, "{x}: {s} {c}");
            x += 0.733;
        }
        for i in 0..=64 {
            let e = -f64::from(i) / 64.0;
            let (got, want) = (pow_f64(10_000.0, e), 10_000f64.powf(e));
            assert!((got - want).abs() <= 1e-14 * want, "{e}: {got} {want}");
        }
    }
}
