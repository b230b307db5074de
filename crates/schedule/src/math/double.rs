//! Numbers of twice the precision: an unevaluated sum of two `f64`, after Dekker (1971) and Knuth.

/// `hi + lo`, where `hi` is the sum rounded to nearest: about 106 bits.
///
/// Each operation is off by a few units of 2^-104 relative. A result computed from a dozen of them and then rounded to
/// its `hi` is therefore the correctly rounded one, except when the exact value lies within about 2^-40 of a unit in the
/// last place of the middle between two `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Double {
    pub(crate) hi: f64,
    pub(crate) lo: f64,
}

impl Double {
    pub(crate) const PI: Self = Self { hi: core::f64::consts::PI, lo: 1.224_646_799_147_353_2e-16 };
    pub(crate) const LN_2: Self = Self { hi: core::f64::consts::LN_2, lo: 2.319_046_813_846_299_6e-17 };

    /// An integer, exactly.
    pub(crate) fn integer(n: u64) -> Self {
        let hi = n as f64;
        // Up to 2^64 the difference has at most 11 bits, and `hi` may be 2^64 itself: 128 bits hold both.
        let lo = (i128::from(n) - hi as i128) as f64;
        Self { hi, lo }
    }

    /// The quotient of two integers, `den` not 0.
    pub(crate) fn ratio(num: u64, den: u64) -> Self {
        Self::integer(num).div(Self::integer(den))
    }

    pub(crate) fn add(self, other: Self) -> Self {
        let s = two_sum(self.hi, other.hi);
        let t = two_sum(self.lo, other.lo);
        let s = quick_two_sum(s.hi, s.lo + t.hi);
        quick_two_sum(s.hi, s.lo + t.lo)
    }

    pub(crate) fn neg(self) -> Self {
        Self { hi: -self.hi, lo: -self.lo }
    }

    pub(crate) fn sub(self, other: Self) -> Self {
        self.add(other.neg())
    }

    pub(crate) fn mul(self, other: Self) -> Self {
        let p = two_product(self.hi, other.hi);
        quick_two_sum(p.hi, p.lo + (self.hi * other.lo + self.lo * other.hi))
    }

    /// Long division with three digits of 53 bits.
    pub(crate) fn div(self, other: Self) -> Self {
        let first = self.hi / other.hi;
        let rest = self.sub(other.mul(first.into()));
        let second = rest.hi / other.hi;
        let rest = rest.sub(other.mul(second.into()));
        let third = rest.hi / other.hi;
        quick_two_sum(first, second).add(third.into())
    }

    /// `self * 2^n`, exact while both parts stay normal.
    pub(crate) fn scale(self, n: i32) -> Self {
        Self { hi: super::scale(self.hi, n), lo: super::scale(self.lo, n) }
    }
}

impl From<f64> for Double {
    fn from(hi: f64) -> Self {
        Self { hi, lo: 0.0 }
    }
}

/// `a + b` and its rounding error, exactly.
fn two_sum(a: f64, b: f64) -> Double {
    let hi = a + b;
    let b_seen = hi - a;
    Double { hi, lo: (a - (hi - b_seen)) + (b - b_seen) }
}

/// As [`two_sum`], for `|a| >= |b|` or `a` 0.
fn quick_two_sum(a: f64, b: f64) -> Double {
    let hi = a + b;
    Double { hi, lo: b - (hi - a) }
}

/// `a * b` and its rounding error, exactly unless it overflows or underflows. `core` has no fused multiply-add, so the
/// factors are split into halves of 26 bits, whose products are exact.
fn two_product(a: f64, b: f64) -> Double {
    let split = |x: f64| {
        let wide = 134_217_729.0 * x; // 2^27 + 1
        let high = wide - (wide - x);
        (high, x - high)
    };
    let hi = a * b;
    let ((a1, a2), (b1, b2)) = (split(a), split(b));
    Double { hi, lo: ((a1 * b1 - hi) + a1 * b2 + a2 * b1) + a2 * b2 }
}

#[cfg(test)]
mod tests {
    use super::Double;
    use proptest::prelude::*;

    proptest! {
        // Integers up to 2^52: the exact results fit i128, and a Double of 106 bits.
        #[test]
        fn sums_differences_and_products_of_integers_are_exact(a in 0u64..1 << 52, b in 0u64..1 << 52) {
            let (x, y) = (Double::integer(a), Double::integer(b));
            let exact = |d: Double| d.hi as i128 + d.lo as i128;
            prop_assert_eq!(exact(x.add(y)), i128::from(a) + i128::from(b));
            prop_assert_eq!(exact(x.sub(y)), i128::from(a) - i128::from(b));
            prop_assert_eq!(exact(x.mul(y)), i128::from(a) * i128::from(b));
        }

        #[test]
        fn integers_of_64_bits_are_exact(n in any::<u64>()) {
            let d = Double::integer(n);
            prop_assert_eq!(d.hi as i128 + d.lo as i128, i128::from(n));
        }

        // q * b - a is then the whole error, in units that i128 can hold.
        #[test]
        fn quotients_are_good_to_a_hundred_bits(a in 1u64.., b in 1u64..) {
            let back = Double::ratio(a, b).mul(Double::integer(b)).sub(Double::integer(a));
            prop_assert!(back.hi.abs() <= a as f64 * 2f64.powi(-100), "{} of {}", back.hi, a);
        }
    }
}
