//! Powers of numbers up to 1.

use super::Double;

/// `base^exponent` for a base in (0, 1] and an exponent of at least 0: exp(exponent * ln(base)), in [`Double`].
///
/// The largest error against a table of 50 digits is half a unit in the last place: the value is the correctly rounded
/// one, so that whole exponents give exact powers where there are any (0.5^2 is 0.25). Results below the least normal
/// number, 2.2e-308, are rounded twice, and those below 2^-1075 are 0.
///
/// Multiplying `exponent` times, or squaring along its bits, would double the error with every squaring; this does not.
pub(crate) fn power(base: Double, exponent: Double) -> f64 {
    let log = ln(base);
    // Half of the least subnormal number is e^-745.2. Past that the products below could overflow.
    if log.hi * exponent.hi < -746.0 {
        return 0.0;
    }
    exp(log.mul(exponent))
}

/// The natural logarithm of a positive finite number.
///
/// x = m 2^k with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.172, by the series up to
/// s^45/45, summed innermost first (the next term is below 2^-116 of the first).
fn ln(x: Double) -> Double {
    let bits = x.hi.to_bits();
    // A subnormal number first becomes a normal one.
    let (x, bits, lift) = if bits >> 52 == 0 {
        let x = x.scale(64);
        (x, x.hi.to_bits(), 64)
    } else {
        (x, bits, 0)
    };
    let mut k = (bits >> 52) as i32 - 1023;
    let mut m = x.scale(-k);
    if m.hi > core::f64::consts::SQRT_2 {
        m = m.scale(-1);
        k += 1;
    }
    let one = Double::from(1.0);
    let s = m.sub(one).div(m.add(one));
    let square = s.mul(s);
    let mut sum = Double::from(0.0);
    for i in (0..=22).rev() {
        sum = one.div(f64::from(2 * i + 1).into()).add(square.mul(sum));
    }
    s.mul(sum).scale(1).add(Double::LN_2.mul(f64::from(k - lift).into()))
}

/// e^x for x in [-746, 0], rounded.
///
/// x = n ln 2 + r, |r| < 0.35; e^r = 1 + r/1 (1 + r/2 (1 + r/3 (...))) up to r^25/25!, innermost first (the next term is
/// below 2^-120), times 2^n.
fn exp(x: Double) -> f64 {
    // Truncation towards 0 after subtracting a half: to nearest, as x is not positive.
    let n = (x.hi * core::f64::consts::LOG2_E - 0.5) as i32;
    let r = x.sub(Double::LN_2.mul(f64::from(n).into()));
    let one = Double::from(1.0);
    let mut sum = one;
    for i in (1..=25).rev() {
        sum = one.add(r.div(f64::from(i).into()).mul(sum));
    }
    super::scale(sum.hi, n)
}

#[cfg(test)]
mod tests {
    use super::{Double, power};
    use proptest::prelude::*;

    /// Rows `base,num,den,value`: base^(num/den), the base an f64 taken exactly, the value rounded to the nearest f64 from
    /// 50 digits, by tests/golden/generate.py.
    #[test]
    fn agrees_with_fifty_digits_bit_for_bit() {
        let table = include_str!("../../tests/golden/power.csv");
        let mut rows = 0;
        for line in table.lines().skip(1) {
            let mut cells = line.split(',');
            let mut cell = || cells.next().expect("four cells");
            let base: f64 = cell().parse().expect("base");
            let (num, den) = (cell().parse().expect("num"), cell().parse().expect("den"));
            let want: f64 = cell().parse().expect("value");
            let got = power(base.into(), Double::ratio(num, den));
            assert_eq!(got.to_bits(), want.to_bits(), "{base:e}^({num}/{den}): got {got:e}, want {want:e}");
            rows += 1;
        }
        assert!(rows > 1000, "{rows} rows");
    }

    #[test]
    fn exact_powers_are_exact() {
        let of = |base: f64, exponent: f64| power(base.into(), exponent.into());
        assert_eq!(of(0.5, 2.0), 0.25);
        assert_eq!(of(0.75, 3.0), 0.421_875);
        assert_eq!(of(0.25, 0.5), 0.5);
        assert_eq!(of(0.3, 1.0), 0.3);
        assert_eq!(of(0.3, 0.0), 1.0);
        assert_eq!(of(1.0, 1e300), 1.0);
        assert_eq!(of(0.5, 1074.0), f64::from_bits(1));
        assert_eq!(of(0.5, 1076.0), 0.0);
        assert_eq!(of(f64::from_bits(1), 0.5), 2f64.powi(-537));
        assert_eq!(of(0.9, f64::MAX), 0.0);
    }

    proptest! {
        #[test]
        fn half_is_the_square_root(bits in 1u64..=0x3ff0_0000_0000_0000) {
            let base = f64::from_bits(bits);
            prop_assert_eq!(power(base.into(), 0.5.into()), base.sqrt());
        }

        #[test]
        fn lies_between_0_and_1(bits in 1u64..=0x3ff0_0000_0000_0000, exponent in 0u64..0x7ff0_0000_0000_0000) {
            let value = power(f64::from_bits(bits).into(), f64::from_bits(exponent).into());
            prop_assert!((0.0..=1.0).contains(&value), "{value}");
        }
    }
}
