//! What operands are made of: random bits, and what is special about each format.

use crate::common::Random;

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Any 8 bits.
    B8,
    /// Any 16 bits.
    B16,
    /// Any 32 bits.
    B32,
    /// Any 64 bits.
    B64,
    /// A count of bits to shift by, a position, a length: mostly small, in 32 bits.
    Amount,
    F16,
    Bf16,
    F32,
    F64,
    /// Two 16-bit integers.
    B16x2,
    F16x2,
    Bf16x2,
    /// True or false.
    Pred,
}

impl Of {
    /// The register's size.
    pub fn bits(self) -> u32 {
        match self {
            Self::Pred => 1,
            Self::B8 => 8,
            Self::B16 | Self::F16 | Self::Bf16 => 16,
            Self::B32 | Self::Amount | Self::F32 | Self::B16x2 | Self::F16x2 | Self::Bf16x2 => 32,
            Self::B64 | Self::F64 => 64,
        }
    }

    /// Its declaration, without the dot.
    pub fn register(self) -> &'static str {
        match self {
            Self::Pred => "pred",
            Self::F32 => "f32",
            Self::F64 => "f64",
            _ => match self.bits() {
                8 => "b8",
                16 => "b16",
                32 => "b32",
                _ => "b64",
            },
        }
    }

    /// One value.
    pub fn sample(self, random: &mut Random) -> u64 {
        match self {
            Self::Pred => random.next() & 1,
            Self::Amount => amount(random),
            Self::F16 => float(random, 5, 10),
            Self::Bf16 => float(random, 8, 7),
            Self::F32 => float(random, 8, 23),
            Self::F64 => float(random, 11, 52),
            Self::B16x2 => integer(random, 16) | integer(random, 16) << 16,
            Self::F16x2 => float(random, 5, 10) | float(random, 5, 10) << 16,
            Self::Bf16x2 => float(random, 8, 7) | float(random, 8, 7) << 16,
            Self::B8 | Self::B16 | Self::B32 | Self::B64 => integer(random, self.bits()),
        }
    }
}

/// The low bits.
pub fn low(value: u64, bits: u32) -> u64 {
    value & (u64::MAX >> (64 - bits))
}

fn integer(random: &mut Random, bits: u32) -> u64 {
    let shape = random.next() % 8;
    let raw = random.next();
    let value = match shape {
        0 | 1 => {
            let sign = 1u64 << (bits - 1);
            let special = [0, 1, 2, u64::MAX, u64::MAX - 1, sign, sign + 1, sign - 1, sign - 2, 0x5555_5555_5555_5555];
            special[raw as usize % special.len()]
        }
        // Any size, either sign.
        2 => raw >> (random.next() % 64),
        3 => (raw >> (random.next() % 64)).wrapping_neg(),
        // A single bit, or all but one.
        4 => 1 << (raw % 64),
        5 => !(1 << (raw % 64)),
        _ => raw,
    };
    low(value, bits)
}

fn amount(random: &mut Random) -> u64 {
    let raw = random.next();
    let value = match random.next() % 4 {
        0 => [31, 32, 33, 63, 64, 65, 255, 256, 257, 0xffff_ffff, 0x8000_0000, 0][raw as usize % 12],
        1 => raw & 0x1ff,
        2 => raw % 70,
        _ => raw % 35,
    };
    low(value, 32)
}

fn float(random: &mut Random, exponent_bits: u32, fraction_bits: u32) -> u64 {
    let bits = 1 + exponent_bits + fraction_bits;
    let fraction = (1u64 << fraction_bits) - 1;
    let largest = (1u64 << exponent_bits) - 1;
    let bias = largest >> 1;
    let raw = random.next();
    let sign = (raw >> 63) << (bits - 1);
    let magnitude = match random.next() % 8 {
        0 | 1 => {
            let one = bias << fraction_bits;
            let infinity = largest << fraction_bits;
            let special = [
                0,
                1,
                2,
                fraction,
                fraction + 1,
                fraction + 2,
                one,
                one - 1,
                one + 1,
                one + fraction.div_ceil(2),
                one << 1,
                one - (1 << fraction_bits),
                infinity - 1,
                infinity - (1 << fraction_bits),
                infinity,
                infinity,
                infinity + 1,
                infinity + fraction.div_ceil(2),
                infinity | fraction,
                infinity | raw & fraction | 1,
            ];
            special[raw as usize % special.len()]
        }
        // Around 1, where sums cancel and conversions to integers have fractions.
        2 | 3 => (bias - 8 + raw % 17) << fraction_bits | raw >> 8 & fraction,
        // Few bits set, so that results are exact or exactly between two numbers.
        4 => {
            let few = raw & random.next() & random.next() & fraction;
            (bias - bias.min(24) + random.next() % (2 * bias.min(24))) << fraction_bits | few
        }
        5 => raw & fraction,
        _ => low(raw, bits - 1),
    };
    sign | magnitude
}
