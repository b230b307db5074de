//! The square root, correctly rounded: `core` has none without the standard library.

/// The square root of a positive finite number, rounded to nearest: the same bits as the hardware's instruction.
///
/// The root of `m * 2^e` (`e` even, `m` of 107 or 108 bits) is `sqrt(m) * 2^(e/2)`, and the integer root of `m` has 54
/// bits: 53 for the result and one to round by. It is never a tie: the root would be odd, its square too, and `m` is even.
pub(crate) fn sqrt(x: f64) -> f64 {
    if x <= 0.0 || !x.is_finite() {
        // No caller gets here: parameters are checked when a schedule is built. The answers are those of IEEE 754.
        return if x == 0.0 || x == f64::INFINITY { x } else { f64::NAN };
    }
    let bits = x.to_bits();
    let (exponent, mantissa) = (((bits >> 52) as i32), bits & ((1 << 52) - 1));
    // x = mantissa * 2^exponent, the mantissa an integer.
    let (exponent, mantissa) = if exponent == 0 { (-1074, mantissa) } else { (exponent - 1075, mantissa | 1 << 52) };
    // 107 or 108 bits, so that the exponent left over is even.
    let mut shift = 43 + mantissa.leading_zeros() as i32;
    if (exponent - shift) % 2 != 0 {
        shift += 1;
    }
    let root = (u128::from(mantissa) << shift).isqrt() as u64;
    // A carry into the 54th bit only raises the exponent, which the conversion takes care of.
    let rounded = (root + 1) >> 1;
    super::scale(rounded as f64, (exponent - shift) / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::sqrt;
    use proptest::prelude::*;

    fn check(x: f64) {
        assert_eq!(sqrt(x).to_bits(), x.sqrt().to_bits(), "sqrt({x:e})");
    }

    #[test]
    fn edges_have_the_bits_of_the_hardware() {
        for exponent in 0..2047u64 {
            let pattern = 0x000a_aaaa_aaaa_aaab;
            for mantissa in [0, 1, 2, 3, (1 << 52) - 1, (1 << 52) - 2, 1 << 51, (1 << 51) - 1, (1 << 51) + 1, pattern] {
                check(f64::from_bits(exponent << 52 | mantissa));
            }
        }
        // Every subnormal of one bit, the squares of integers and their neighbours.
        (0..52).for_each(|bit| check(f64::from_bits(1 << bit)));
        for i in (1..=94_906_265u64).step_by(9973) {
            let square = (i * i) as f64;
            (square.to_bits() - 1..=square.to_bits() + 1).for_each(|bits| check(f64::from_bits(bits)));
        }
        assert!(sqrt(-1.0).is_nan() && sqrt(f64::NAN).is_nan());
        assert_eq!(sqrt(f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn every_small_integer_has_the_bits_of_the_hardware() {
        (1..200_000u32).for_each(|i| check(f64::from(i)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(100_000))]
        #[test]
        fn random_numbers_have_the_bits_of_the_hardware(bits in 1u64..0x7ff0_0000_0000_0000) {
            check(f64::from_bits(bits));
        }
    }
}
