//! Exact dyadic numbers, and the test whether a float is one correctly rounded.

use std::cmp::Ordering;

use crate::num::Round;

/// `(-1)^negative * magnitude * 2^exponent`, the magnitude in limbs, lowest first.
#[derive(Clone, Debug)]
pub struct Exact {
    pub negative: bool,
    magnitude: Vec<u64>,
    exponent: i32,
}

impl Exact {
    pub fn new(negative: bool, magnitude: u128, exponent: i32) -> Self {
        Self { negative, magnitude: vec![magnitude as u64, (magnitude >> 64) as u64], exponent }
    }

    /// A finite f64.
    pub fn of(x: f64) -> Self {
        Format::F64.decode(x.to_bits())
    }

    pub fn is_zero(&self) -> bool {
        self.magnitude.iter().all(|&limb| limb == 0)
    }

    pub fn times(&self, other: &Self) -> Self {
        let mut magnitude = vec![0u64; self.magnitude.len() + other.magnitude.len()];
        for (i, &x) in self.magnitude.iter().enumerate() {
            let mut carry = 0u128;
            for (j, &y) in other.magnitude.iter().enumerate() {
                let sum = u128::from(x) * u128::from(y) + u128::from(magnitude[i + j]) + carry;
                magnitude[i + j] = sum as u64;
                carry = sum >> 64;
            }
            magnitude[i + other.magnitude.len()] = carry as u64;
        }
        Self { negative: self.negative != other.negative, magnitude, exponent: self.exponent + other.exponent }
    }

    pub fn plus(&self, other: &Self) -> Self {
        let exponent = self.exponent.min(other.exponent);
        let (a, b) = (self.limbs_at(exponent), other.limbs_at(exponent));
        if self.negative == other.negative {
            let mut magnitude = a;
            magnitude.resize(magnitude.len().max(b.len()) + 1, 0);
            let mut carry = false;
            for (i, limb) in magnitude.iter_mut().enumerate() {
                let (sum, over) = limb.overflowing_add(b.get(i).copied().unwrap_or(0));
                let (sum, over_again) = sum.overflowing_add(u64::from(carry));
                *limb = sum;
                carry = over || over_again;
            }
            return Self { negative: self.negative, magnitude, exponent };
        }
        let (negative, mut big, small) =
            if order(&a, &b) == Ordering::Less { (other.negative, b, a) } else { (self.negative, a, b) };
        let mut borrow = false;
        for (i, limb) in big.iter_mut().enumerate() {
            let (difference, under) = limb.overflowing_sub(small.get(i).copied().unwrap_or(0));
            let (difference, under_again) = difference.overflowing_sub(u64::from(borrow));
            *limb = difference;
            borrow = under || under_again;
        }
        Self { negative, magnitude: big, exponent }
    }

    pub fn compare_magnitude(&self, other: &Self) -> Ordering {
        let exponent = self.exponent.min(other.exponent);
        order(&self.limbs_at(exponent), &other.limbs_at(exponent))
    }

    fn limbs_at(&self, exponent: i32) -> Vec<u64> {
        let shift = (self.exponent - exponent) as usize;
        let mut limbs = vec![0; shift / 64];
        let mut low = 0;
        for &limb in &self.magnitude {
            limbs.push(limb << (shift % 64) | low);
            low = limb.checked_shr(64 - shift as u32 % 64).unwrap_or(0);
        }
        limbs.push(low);
        limbs
    }
}

fn order(a: &[u64], b: &[u64]) -> Ordering {
    let at = |limbs: &[u64], i: usize| limbs.get(i).copied().unwrap_or(0);
    (0..a.len().max(b.len())).rev().map(|i| at(a, i).cmp(&at(b, i))).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
}

/// A binary format with subnormals, and infinity after the largest number.
#[derive(Clone, Copy, Debug)]
pub struct Format {
    pub exponent: u32,
    pub fraction: u32,
}

impl Format {
    pub const F64: Self = Self { exponent: 11, fraction: 52 };
    pub const F32: Self = Self { exponent: 8, fraction: 23 };
    pub const TF32: Self = Self { exponent: 8, fraction: 10 };
    pub const F16: Self = Self { exponent: 5, fraction: 10 };
    pub const BF16: Self = Self { exponent: 8, fraction: 7 };
    pub const E5M2: Self = Self { exponent: 5, fraction: 2 };
    pub const E4M3: Self = Self { exponent: 4, fraction: 3 };

    pub fn sign(self) -> u64 {
        1 << (self.exponent + self.fraction)
    }

    pub fn infinity(self) -> u64 {
        ((1 << self.exponent) - 1) << self.fraction
    }

    /// The value of these bits; infinity, and what follows, as if it were a number.
    pub fn decode(self, bits: u64) -> Exact {
        let magnitude = bits & !self.sign();
        let biased = (magnitude >> self.fraction) as i32;
        let fraction = magnitude & ((1 << self.fraction) - 1);
        let significand = if biased == 0 { fraction } else { fraction | 1 << self.fraction };
        let bias = (1 << (self.exponent - 1)) - 1;
        let exponent = biased.max(1) - bias - self.fraction as i32;
        Exact::new(bits & self.sign() != 0, u128::from(significand), exponent)
    }

    /// The value of these bits as f64, for formats of which that is exact.
    pub fn decode_f64(self, bits: u64) -> f64 {
        let magnitude = bits & !self.sign();
        let biased = (magnitude >> self.fraction) as i32;
        let fraction = (magnitude & ((1 << self.fraction) - 1)) as f64 / (1u64 << self.fraction) as f64;
        let bias = (1 << (self.exponent - 1)) - 1;
        let power = f64::from_bits(((biased.max(1) - bias + 1023) as u64) << 52);
        let value = if biased == 0 { fraction * power } else { (1.0 + fraction) * power };
        if bits & self.sign() != 0 { -value } else { value }
    }

    /// Whether `bits` is the right rounding of a number of this sign, not zero, of which `compare` says how its
    /// magnitude compares with another.
    pub fn is_rounded(self, bits: u64, negative: bool, round: Round, compare: impl Fn(&Exact) -> Ordering) -> bool {
        let magnitude = bits & !self.sign();
        if (bits & self.sign() != 0) != negative || magnitude > self.infinity() {
            return false;
        }
        let this = self.decode(magnitude);
        let beyond = magnitude == self.infinity();
        match round {
            Round::Nearest => {
                let even = magnitude & 1 == 0;
                let half = Exact::new(false, 1, -1);
                let above_lower = magnitude == 0 || {
                    let middle = this.plus(&self.decode(magnitude - 1)).times(&half);
                    let o = compare(&middle);
                    o == Ordering::Greater || o == Ordering::Equal && even
                };
                let below_upper = beyond || {
                    let middle = this.plus(&self.decode(magnitude + 1)).times(&half);
                    let o = compare(&middle);
                    o == Ordering::Less || o == Ordering::Equal && even
                };
                above_lower && below_upper
            }
            _ if round == Round::Up && !negative || round == Round::Down && negative => {
                magnitude > 0
                    && compare(&self.decode(magnitude - 1)) == Ordering::Greater
                    && (beyond || compare(&this) != Ordering::Greater)
            }
            _ => {
                !beyond
                    && compare(&this) != Ordering::Less
                    && (magnitude + 1 == self.infinity() || compare(&self.decode(magnitude + 1)) == Ordering::Less)
            }
        }
    }
}

/// Every rounding mode.
pub const ROUNDS: [Round; 4] = [Round::Nearest, Round::Zero, Round::Down, Round::Up];
