//! Arithmetic of f16 and bf16, against exact arithmetic.

use super::exact::{Exact, Format};
use super::random::Random;
use crate::num::{Round, bf16, f16};

/// One format's operations.
struct Half {
    format: Format,
    add: fn(u16, u16) -> u16,
    sub: fn(u16, u16) -> u16,
    mul: fn(u16, u16) -> u16,
    fma: fn(u16, u16, u16) -> u16,
}

const F16: Half = Half { format: Format::F16, add: f16::add, sub: f16::sub, mul: f16::mul, fma: f16::fma };
const BF16: Half = Half { format: Format::BF16, add: bf16::add, sub: bf16::sub, mul: bf16::mul, fma: bf16::fma };

impl Half {
    fn check_sum(&self, got: u16, a: &Exact, b: &Exact, case: &str) {
        let exact = a.plus(b);
        if exact.is_zero() {
            assert_eq!(got, if a.negative && b.negative { 0x8000 } else { 0 }, "{case}");
            return;
        }
        let compare = |other: &Exact| exact.compare_magnitude(other);
        assert!(self.format.is_rounded(u64::from(got), exact.negative, Round::Nearest, compare), "{case}");
    }

    fn check_product(&self, got: u16, exact: &Exact, case: &str) {
        if exact.is_zero() {
            assert_eq!(got, if exact.negative { 0x8000 } else { 0 }, "{case}");
            return;
        }
        let compare = |other: &Exact| exact.compare_magnitude(other);
        assert!(self.format.is_rounded(u64::from(got), exact.negative, Round::Nearest, compare), "{case}");
    }

    /// The result where an operand is a NaN or an infinity: infinities as f64 has them.
    fn special(&self, operands: &[u16], native: f64) -> Option<u16> {
        let infinity = self.format.infinity() as u16;
        let beyond = operands.iter().any(|x| x & 0x7fff >= infinity);
        beyond.then(|| match native {
            _ if native.is_nan() => 0x7fff,
            _ if native > 0.0 => infinity,
            _ => infinity | 0x8000,
        })
    }

    fn wide(&self, x: u16) -> f64 {
        let value = self.format.decode_f64(u64::from(x));
        match u64::from(x & 0x7fff).cmp(&self.format.infinity()) {
            std::cmp::Ordering::Less => value,
            std::cmp::Ordering::Equal => f64::INFINITY.copysign(value),
            std::cmp::Ordering::Greater => f64::NAN,
        }
    }

    fn check_all(&self, seed: u64) {
        let mut random = Random(seed);
        let operand = |random: &mut Random| random.float(self.format.exponent, self.format.fraction) as u16;
        for _ in 0..150_000 {
            let (a, b) = (operand(&mut random), operand(&mut random));
            let product = (self.mul)(a, b);
            let c = match random.below(3) {
                0 => (product ^ 0x8000).wrapping_add(random.below(5) as u16).wrapping_sub(2),
                _ => operand(&mut random),
            };
            let [x, y, z] = [a, b, c].map(|bits| self.wide(bits));
            let [p, q, r] = [a, b, c].map(|bits| self.format.decode(u64::from(bits)));
            let case = format!("{:?}: {a:#x} {b:#x} {c:#x}", self.format);
            match self.special(&[a, b], x + y) {
                Some(want) => assert_eq!((self.add)(a, b), want, "add {case}"),
                None => self.check_sum((self.add)(a, b), &p, &q, &format!("add {case}")),
            }
            match self.special(&[a, b], x - y) {
                Some(want) => assert_eq!((self.sub)(a, b), want, "sub {case}"),
                None => {
                    let minus = self.format.decode(u64::from(b ^ 0x8000));
                    self.check_sum((self.sub)(a, b), &p, &minus, &format!("sub {case}"));
                }
            }
            match self.special(&[a, b], x * y) {
                Some(want) => assert_eq!(product, want, "mul {case}"),
                None => self.check_product(product, &p.times(&q), &format!("mul {case}")),
            }
            match self.special(&[a, b, c], x * y + z) {
                Some(want) => assert_eq!((self.fma)(a, b, c), want, "fma {case}"),
                None => self.check_sum((self.fma)(a, b, c), &p.times(&q), &r, &format!("fma {case}")),
            }
        }
    }
}

#[test]
fn f16_arithmetic() {
    F16.check_all(21);
}

#[test]
fn bf16_arithmetic() {
    BF16.check_all(22);
}

#[test]
fn every_half_is_clamped_flushed_and_signed() {
    for x in 0..=u16::MAX {
        let wide = F16.wide(x);
        let (positive, nan) = (wide > 0.0, wide.is_nan());
        let subnormal = x & 0x7c00 == 0;
        assert_eq!(f16::flush(x), if subnormal { x & 0x8000 } else { x });
        assert_eq!(
            f16::saturate(x),
            if nan || !positive {
                0
            } else if wide > 1.0 {
                0x3c00
            } else {
                x
            }
        );
        assert_eq!(
            f16::relu(x),
            if nan {
                0x7fff
            } else if positive {
                x
            } else {
                0
            }
        );
        assert_eq!((f16::neg(x), f16::abs(x)), (x ^ 0x8000, x & 0x7fff));
        let wide = BF16.wide(x);
        let (positive, nan) = (wide > 0.0, wide.is_nan());
        assert_eq!(bf16::flush(x), if x & 0x7f80 == 0 { x & 0x8000 } else { x });
        assert_eq!(
            bf16::relu(x),
            if nan {
                0x7fff
            } else if positive {
                x
            } else {
                0
            }
        );
        assert_eq!((bf16::neg(x), bf16::abs(x)), (x ^ 0x8000, x & 0x7fff));
    }
}
