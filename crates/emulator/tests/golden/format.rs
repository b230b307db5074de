//! Binary floating-point formats by their definition, and rounding to them by search: slow and obvious.

use std::cmp::Ordering;

/// A format with a sign, exponent bits and fraction bits, as IEEE 754 lays them out.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    pub exponent: u32,
    pub fraction: u32,
}

pub const F16: Format = Format { exponent: 5, fraction: 10 };
pub const BF16: Format = Format { exponent: 8, fraction: 7 };
pub const TF32: Format = Format { exponent: 8, fraction: 10 };
pub const F32: Format = Format { exponent: 8, fraction: 23 };
pub const F64: Format = Format { exponent: 11, fraction: 52 };

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    NearestEven,
    NearestAway,
    Zero,
    Down,
    Up,
}

impl Format {
    /// The bits of infinity, one more than the largest number's.
    pub fn infinity(self) -> u64 {
        ((1 << self.exponent) - 1) << self.fraction
    }

    fn sign(self) -> u64 {
        1 << (self.exponent + self.fraction)
    }

    pub fn is_nan(self, bits: u64) -> bool {
        bits & (self.sign() - 1) > self.infinity()
    }

    /// The number that bits are.
    pub fn value(self, bits: u64) -> f64 {
        let bias = (1 << (self.exponent - 1)) - 1;
        let fraction = (bits & ((1 << self.fraction) - 1)) as f64;
        let exponent = (bits >> self.fraction & ((1 << self.exponent) - 1)) as i32;
        let one = (1u64 << self.fraction) as f64;
        let magnitude = if bits & (self.sign() - 1) == self.infinity() {
            f64::INFINITY
        } else if self.is_nan(bits) {
            f64::NAN
        } else if exponent == 0 {
            fraction / one * 2f64.powi(1 - bias)
        } else {
            (1.0 + fraction / one) * 2f64.powi(exponent - bias)
        };
        if bits & self.sign() == 0 { magnitude } else { -magnitude }
    }

    /// The bits of a number that is not zero, rounded. `compare(low, high)` says how the exact number compares to
    /// `(low + high) / 2`.
    pub fn round(self, compare: impl Fn(f64, f64) -> Ordering, mode: Mode) -> u64 {
        let negative = compare(0.0, 0.0) == Ordering::Less;
        let compare = |low: f64, high: f64| if negative { compare(-low, -high).reverse() } else { compare(low, high) };
        // The largest number that is not above the exact one's magnitude.
        let (mut low, mut high) = (0, self.infinity());
        while high - low > 1 {
            let middle = (low + high) / 2;
            let value = self.value(middle);
            if compare(value, value) == Ordering::Less { high = middle } else { low = middle }
        }
        let below = self.value(low);
        // What follows the largest number, where infinity is.
        let above = if high == self.infinity() { below + (below - self.value(low - 1)) } else { self.value(high) };
        let exact = compare(below, below) == Ordering::Equal;
        let up = !exact
            && match mode {
                Mode::NearestEven => match compare(below, above) {
                    Ordering::Less => false,
                    Ordering::Equal => low % 2 == 1,
                    Ordering::Greater => true,
                },
                Mode::NearestAway => compare(below, above) != Ordering::Less,
                Mode::Zero => false,
                Mode::Down => negative,
                Mode::Up => !negative,
            };
        low + u64::from(up) + if negative { self.sign() } else { 0 }
    }

    /// The bits of an f64, rounded; `None` for NaN.
    pub fn of(self, x: f64, mode: Mode) -> Option<u64> {
        if x == 0.0 || x.is_infinite() {
            let magnitude = if x == 0.0 { 0 } else { self.infinity() };
            return Some(magnitude + if x.is_sign_negative() { self.sign() } else { 0 });
        }
        let compare = |low: f64, high: f64| super::exact::sign(&[2.0 * x, -low, -high]);
        (!x.is_nan()).then(|| self.round(compare, mode))
    }
}

/// The bf16 nearest to an f32.
pub fn bf16(x: f32) -> u16 {
    BF16.of(f64::from(x), Mode::NearestEven).expect("not a NaN") as u16
}

/// The f16 nearest to an f32.
pub fn f16(x: f32) -> u16 {
    F16.of(f64::from(x), Mode::NearestEven).expect("not a NaN") as u16
}

/// The tf32 nearest to an f32, ties away from zero.
pub fn tf32(x: f32) -> f32 {
    TF32.value(TF32.of(f64::from(x), Mode::NearestAway).expect("not a NaN")) as f32
}

#[test]
fn formats_agree_with_the_languages_own() {
    for (x, half, brain) in
        [(1.0, 0x3c00, 0x3f80), (-65504.0, 0xfbff, 0xc780), (6e-8, 1, 0x3381), (0.1, 0x2e66, 0x3dcd)]
    {
        assert_eq!((f16(x), bf16(x)), (half, brain), "{x}");
    }
    for bits in [0x3f80_0001u32, 1, 0x807f_ffff, 0x7f7f_ffff, 0xc048_f5c3] {
        let x = f32::from_bits(bits);
        assert_eq!(F32.value(bits.into()), f64::from(x));
        assert_eq!(F32.of(f64::from(x), Mode::NearestEven), Some(bits.into()));
    }
    let third = (1.0f64 / 3.0).to_bits();
    assert_eq!(F64.value(third), 1.0 / 3.0);
    assert_eq!(F32.of(1.0 / 3.0, Mode::NearestEven), Some((1.0f32 / 3.0).to_bits().into()));
}
