//! Floating-point arithmetic without rounding errors, rounded once: the reference for everything with floats.
//!
//! Nothing here is fast or clever. A number is an integer times a power of two; sums are made in a fixed-point number
//! of thousands of bits, quotients and roots by integer division and root with what is left over as one sticky bit.

use std::cmp::Ordering;

/// A rounding mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Nearest,
    Zero,
    Down,
    Up,
}

impl Mode {
    /// All, by their modifier for floats.
    pub const ALL: [(&str, Self); 4] =
        [("rn", Self::Nearest), ("rz", Self::Zero), ("rm", Self::Down), ("rp", Self::Up)];
}

/// A binary floating-point format with infinities and NaNs as IEEE 754 has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub exponent_bits: u32,
    pub fraction_bits: u32,
}

pub const F16: Format = Format { exponent_bits: 5, fraction_bits: 10 };
pub const BF16: Format = Format { exponent_bits: 8, fraction_bits: 7 };
pub const F32: Format = Format { exponent_bits: 8, fraction_bits: 23 };
pub const F64: Format = Format { exponent_bits: 11, fraction_bits: 52 };

/// A number: what bits stand for, or a result that is still to be rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// The bits of the operand it came from, or none where an operation made it.
    Nan(Option<u64>),
    Infinite {
        negative: bool,
    },
    /// `mantissa * 2^exponent`, and a little more (less than 1 in the mantissa) if `sticky`.
    Finite {
        negative: bool,
        mantissa: u128,
        exponent: i32,
        sticky: bool,
    },
}

use Number::{Finite, Infinite, Nan};

impl Number {
    pub fn negative(self) -> bool {
        match self {
            Nan(_) => false,
            Infinite { negative } | Finite { negative, .. } => negative,
        }
    }

    pub fn is_zero(self) -> bool {
        matches!(self, Finite { mantissa: 0, .. })
    }

    pub fn is_nan(self) -> bool {
        matches!(self, Nan(_))
    }

    pub fn zero(negative: bool) -> Self {
        Finite { negative, mantissa: 0, exponent: 0, sticky: false }
    }

    /// An integer, exactly.
    pub fn integer(value: i128) -> Self {
        Finite { negative: value < 0, mantissa: value.unsigned_abs(), exponent: 0, sticky: false }
    }

    pub fn negated(self) -> Self {
        match self {
            Nan(bits) => Nan(bits),
            Infinite { negative } => Infinite { negative: !negative },
            Finite { negative, mantissa, exponent, sticky } => {
                Finite { negative: !negative, mantissa, exponent, sticky }
            }
        }
    }

    /// The same as an f64, which holds any number of the formats here.
    pub fn to_f64(self) -> f64 {
        f64::from_bits(F64.round(self, Mode::Nearest))
    }

    pub fn times(self, other: Self) -> Self {
        let negative = self.negative() != other.negative();
        match (self, other) {
            (Nan(bits), _) | (_, Nan(bits)) => Nan(bits),
            (Infinite { .. }, x) | (x, Infinite { .. }) if x.is_zero() => Nan(None),
            (Infinite { .. }, _) | (_, Infinite { .. }) => Infinite { negative },
            (Finite { mantissa: a, exponent: e, .. }, Finite { mantissa: b, exponent: f, .. }) => {
                Finite { negative, mantissa: a * b, exponent: e + f, sticky: false }
            }
        }
    }

    /// The sum. A zero that two opposite numbers make is negative only when rounding down.
    pub fn plus(self, other: Self, mode: Mode) -> Self {
        match (self, other) {
            (Nan(bits), _) | (_, Nan(bits)) => Nan(bits),
            (Infinite { negative: a }, Infinite { negative: b }) if a != b => Nan(None),
            (Infinite { negative }, _) | (_, Infinite { negative }) => Infinite { negative },
            _ if self.is_zero() && other.is_zero() => Self::zero(match (self.negative(), other.negative()) {
                (a, b) if a == b => a,
                _ => mode == Mode::Down,
            }),
            _ => {
                let (a, b) = (Fixed::of(self), Fixed::of(other));
                if self.negative() == other.negative() {
                    return a.sum(&b).number(self.negative());
                }
                match a.compare(&b) {
                    Ordering::Equal => Self::zero(mode == Mode::Down),
                    Ordering::Greater => a.difference(&b).number(self.negative()),
                    Ordering::Less => b.difference(&a).number(other.negative()),
                }
            }
        }
    }

    pub fn over(self, other: Self) -> Self {
        let negative = self.negative() != other.negative();
        match (self, other) {
            (Nan(bits), _) | (_, Nan(bits)) => Nan(bits),
            (Infinite { .. }, Infinite { .. }) => Nan(None),
            (Infinite { .. }, _) => Infinite { negative },
            (_, Infinite { .. }) => Self::zero(negative),
            (a, b) if a.is_zero() && b.is_zero() => Nan(None),
            (a, _) if a.is_zero() => Self::zero(negative),
            (_, b) if b.is_zero() => Infinite { negative },
            (Finite { mantissa: a, exponent: e, .. }, Finite { mantissa: b, exponent: f, .. }) => {
                // Both with their highest bit at the same place, so that the quotient has 64 bits or 65.
                let (by_a, by_b) = (a.leading_zeros() - 64, b.leading_zeros() - 64);
                let (a, b) = (a << by_a, b << by_b);
                let exponent = e - by_a as i32 - (f - by_b as i32) - 63;
                let (quotient, rest) = ((a << 63) / b, (a << 63) % b);
                Finite { negative, mantissa: quotient, exponent, sticky: rest != 0 }
            }
        }
    }

    pub fn root(self) -> Self {
        match self {
            Nan(bits) => Nan(bits),
            zero if zero.is_zero() => zero,
            x if x.negative() => Nan(None),
            Infinite { .. } => Infinite { negative: false },
            Finite { mantissa, exponent, .. } => {
                let mut by = mantissa.leading_zeros() - 2;
                by -= u32::from((exponent - by as i32) % 2 != 0);
                let (mantissa, exponent) = (mantissa << by, exponent - by as i32);
                let root = mantissa.isqrt();
                let sticky = root * root != mantissa;
                Finite { negative: false, mantissa: root, exponent: exponent / 2, sticky }
            }
        }
    }

    /// The integer it becomes in a rounding mode, with its sign, or itself where it is none.
    pub fn integral(self, mode: Mode) -> Self {
        match self {
            Finite { negative, mantissa, exponent, .. } if exponent < 0 => {
                let (kept, _) = shifted(mantissa, -exponent, false, negative, mode);
                Finite { negative, mantissa: kept, exponent: 0, sticky: false }
            }
            other => other,
        }
    }
}

/// A mantissa without its `by` low bits, rounded; and whether it was exact.
fn shifted(mantissa: u128, by: i32, sticky: bool, negative: bool, mode: Mode) -> (u128, bool) {
    let (kept, rest, half) = match by {
        ..=0 => (mantissa << -by, 0, 1),
        1..=127 => (mantissa >> by, mantissa & ((1 << by) - 1), 1 << (by - 1)),
        // So far down that all of it is less than half.
        _ => (0, mantissa.min(1), 2),
    };
    let exact = rest == 0 && !sticky;
    let up = match mode {
        Mode::Zero => false,
        Mode::Down => negative && !exact,
        Mode::Up => !negative && !exact,
        Mode::Nearest => by > 0 && (rest > half || rest == half && (sticky || kept & 1 == 1)),
    };
    (kept + u128::from(up), exact)
}

impl Format {
    pub fn bits(self) -> u32 {
        1 + self.exponent_bits + self.fraction_bits
    }

    fn bias(self) -> i32 {
        (1 << (self.exponent_bits - 1)) - 1
    }

    pub fn infinity(self) -> u64 {
        ((1 << self.exponent_bits) - 1) << self.fraction_bits
    }

    /// The largest finite number.
    pub fn largest(self) -> u64 {
        self.infinity() - 1
    }

    pub fn sign(self) -> u64 {
        1 << (self.bits() - 1)
    }

    /// The NaN that instructions make, as the crate's README says.
    pub fn nan(self) -> u64 {
        if self == F64 { 0xfff8_0000_0000_0000 } else { self.sign() - 1 }
    }

    pub fn is_nan(self, bits: u64) -> bool {
        bits & (self.sign() - 1) > self.infinity()
    }

    pub fn is_subnormal(self, bits: u64) -> bool {
        bits & self.infinity() == 0 && bits & (self.sign() - 1) != 0
    }

    /// What bits stand for.
    pub fn number(self, bits: u64) -> Number {
        let negative = bits & self.sign() != 0;
        let magnitude = bits & (self.sign() - 1);
        if self.is_nan(bits) {
            return Nan(Some(bits));
        }
        if magnitude == self.infinity() {
            return Infinite { negative };
        }
        let biased = (magnitude >> self.fraction_bits) as i32;
        let fraction = u128::from(magnitude & ((1 << self.fraction_bits) - 1));
        let hidden = if biased == 0 { 0 } else { 1 << self.fraction_bits };
        let exponent = biased.max(1) - self.bias() - self.fraction_bits as i32;
        Finite { negative, mantissa: fraction | hidden, exponent, sticky: false }
    }

    /// The bits of a number, rounded.
    pub fn round(self, number: Number, mode: Mode) -> u64 {
        let sign = if number.negative() { self.sign() } else { 0 };
        match number {
            // In f64 a NaN operand is passed on, made quiet; elsewhere there is but one.
            Nan(Some(bits)) if self == F64 => bits | 1 << 51,
            Nan(_) => self.nan(),
            Infinite { .. } => sign | self.infinity(),
            Finite { mantissa: 0, .. } => sign,
            Finite { negative, mantissa, exponent, sticky } => {
                let top = exponent + 127 - mantissa.leading_zeros() as i32;
                let least = 1 - self.bias() - self.fraction_bits as i32;
                let mut unit = (top - self.fraction_bits as i32).max(least);
                let (mut kept, _) = shifted(mantissa, unit - exponent, sticky, negative, mode);
                if kept >> (self.fraction_bits + 1) != 0 {
                    kept >>= 1;
                    unit += 1;
                }
                let hidden = 1 << self.fraction_bits;
                let magnitude = if kept < hidden {
                    kept as u64
                } else {
                    (((unit - least + 1) as u64) << self.fraction_bits) + (kept - hidden) as u64
                };
                if magnitude < self.infinity() {
                    return sign | magnitude;
                }
                let to_infinity = match mode {
                    Mode::Nearest => true,
                    Mode::Zero => false,
                    Mode::Down => negative,
                    Mode::Up => !negative,
                };
                sign | if to_infinity { self.infinity() } else { self.largest() }
            }
        }
    }

    /// `.ftz`: a subnormal becomes the zero of its sign.
    pub fn flush(self, bits: u64) -> u64 {
        if self.is_subnormal(bits) { bits & self.sign() } else { bits }
    }

    /// `.sat`: into [0, 1], a NaN to +0.
    pub fn saturate(self, bits: u64) -> u64 {
        let one = (self.bias() as u64) << self.fraction_bits;
        if self.is_nan(bits) || bits & self.sign() != 0 { 0 } else { bits.min(one) }
    }

    /// `.relu`: what is negative becomes +0, a NaN the canonical one.
    pub fn relu(self, bits: u64) -> u64 {
        match bits {
            _ if self.is_nan(bits) => self.nan(),
            _ if bits & self.sign() != 0 => 0,
            _ => bits,
        }
    }

    /// `.satfinite`: what is beyond the largest number becomes that.
    pub fn finite(self, bits: u64) -> u64 {
        if bits & (self.sign() - 1) == self.infinity() { bits - 1 } else { bits }
    }
}

/// Words of [`Fixed`].
const WORDS: usize = 72;
/// The place of 2^0: above the lowest bit of a product of two f64.
const POINT: i32 = 2200;

/// A magnitude with all the bits that a sum or a product of any format here has.
struct Fixed([u64; WORDS]);

impl Fixed {
    fn of(number: Number) -> Self {
        let mut words = [0; WORDS];
        if let Finite { mantissa, exponent, .. } = number
            && mantissa != 0
        {
            let at = (exponent + POINT) as usize;
            for bit in (0..128).filter(|bit| mantissa >> bit & 1 == 1) {
                words[(at + bit) / 64] |= 1 << ((at + bit) % 64);
            }
        }
        Self(words)
    }

    fn sum(&self, other: &Self) -> Self {
        let mut carry = false;
        Self(std::array::from_fn(|at| {
            let (word, first) = self.0[at].overflowing_add(other.0[at]);
            let (word, second) = word.overflowing_add(u64::from(carry));
            carry = first || second;
            word
        }))
    }

    fn difference(&self, other: &Self) -> Self {
        let mut borrow = false;
        Self(std::array::from_fn(|at| {
            let (word, first) = self.0[at].overflowing_sub(other.0[at]);
            let (word, second) = word.overflowing_sub(u64::from(borrow));
            borrow = first || second;
            word
        }))
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }

    /// The highest 64 bits or more, and the rest as a sticky bit.
    fn number(&self, negative: bool) -> Number {
        let highest = self.0.iter().rposition(|&word| word != 0).expect("a sum that is not zero");
        let below = highest.saturating_sub(1);
        let mantissa = u128::from(self.0[below + 1]) << 64 | u128::from(self.0[below]);
        // Below 2^127, so that a bit of it can be rounded into.
        let (mantissa, lost) = (mantissa >> 1, mantissa & 1 == 1);
        let sticky = lost || self.0[..below].iter().any(|&word| word != 0);
        Finite { negative, mantissa, exponent: below as i32 * 64 + 1 - POINT, sticky }
    }
}

/// The exact reference itself, against the machine's arithmetic where it has it.
#[test]
fn agrees_with_the_machine() {
    let mut random = crate::common::Random(5);
    for _ in 0..200_000 {
        let sample = |random: &mut _| f32::from_bits(crate::patterns::Of::F32.sample(random) as u32);
        let (a, b, c) = (sample(&mut random), sample(&mut random), sample(&mut random));
        let [x, y, z] = [a, b, c].map(|x| F32.number(x.to_bits().into()));
        let near = Mode::Nearest;
        for (machine, exact) in [
            (a + b, x.plus(y, near)),
            (a * b, x.times(y)),
            (a / b, x.over(y)),
            (a.sqrt(), x.root()),
            (a.mul_add(b, c), x.times(y).plus(z, near)),
            (a.round_ties_even(), x.integral(near)),
            (a.floor(), x.integral(Mode::Down)),
            (a.ceil(), x.integral(Mode::Up)),
            (a.trunc(), x.integral(Mode::Zero)),
        ] {
            let exact = F32.round(exact, near) as u32;
            assert!(machine.is_nan() && exact == 0x7fff_ffff || machine.to_bits() == exact, "{a:e} {b:e} {c:e}");
        }
        let sample = |random: &mut _| f64::from_bits(crate::patterns::Of::F64.sample(random));
        let (a, b, c) = (sample(&mut random), sample(&mut random), sample(&mut random));
        let [x, y, z] = [a, b, c].map(|x| F64.number(x.to_bits()));
        for (machine, exact) in [
            (a - b, x.plus(y.negated(), near)),
            (a * b, x.times(y)),
            (a / b, x.over(y)),
            (a.sqrt(), x.root()),
            (a.mul_add(b, c), x.times(y).plus(z, near)),
        ] {
            let exact = F64.round(exact, near);
            assert!(machine.is_nan() && F64.is_nan(exact) || machine.to_bits() == exact, "{a:e} {b:e} {c:e}");
        }
        let narrowed = F32.round(x, near) as u32;
        assert!(a.is_nan() && narrowed == 0x7fff_ffff || (a as f32).to_bits() == narrowed);
    }
}
