//! `cvt` between integers and floats, between floats, and between integers.
//!
//! Conversions to f16, bf16, tf32 and the 8-bit formats from f32 and f64 are in the modules of those formats; here are
//! the rest, and the packing of two halves. An f16 or bf16 source is converted through f32, which is exact. `.ftz`,
//! `.sat` of a float and `.relu` are steps of the caller (`single::flush`, `single::saturate`, `f16::relu`).

use super::odd::round_to_f32;
use super::{Round, bf16, f16, nan};

/// `cvt.{rni,rzi,rmi,rpi}.f32.f32`: to an integral value. −0 and the sign of a result of zero are kept.
#[inline(always)]
pub fn integral_f32(x: f32, round: Round) -> f32 {
    let integral = match round {
        Round::Nearest => x.round_ties_even(),
        Round::Zero => x.trunc(),
        Round::Down => x.floor(),
        Round::Up => x.ceil(),
    };
    nan::canonical32(integral)
}

/// `cvt.{rni,rzi,rmi,rpi}.f64.f64`: to an integral value.
#[inline(always)]
pub fn integral_f64(x: f64, round: Round) -> f64 {
    let integral = match round {
        Round::Nearest => x.round_ties_even(),
        Round::Zero => x.trunc(),
        Round::Down => x.floor(),
        Round::Up => x.ceil(),
    };
    nan::unary64(integral, x)
}

/// `cvt.f64.f32`: exact. A NaN keeps sign and payload and becomes quiet.
#[inline(always)]
pub fn f64_from_f32(x: f32) -> f64 {
    let bits = x.to_bits();
    let payload = u64::from(bits & 0x007f_ffff) << 29;
    let quiet = 0x7ff8_0000_0000_0000 | payload | u64::from(bits >> 31) << 63;
    f64::from_bits(if x.is_nan() { quiet } else { f64::from(x).to_bits() })
}

/// `cvt.rnd.f32.f64`. NaN becomes [`nan::F32`].
#[inline(always)]
pub fn f32_from_f64(x: f64, round: Round) -> f32 {
    round_to_f32(x, round)
}

/// The low bits of integral `x`, clamped to `[low, high]` within ±2^32: a cast that vectorises. Not for NaN.
#[inline(always)]
fn clamped(x: f64, low: f64, high: f64) -> u64 {
    let x = if x < low { low } else { x };
    let x = if x > high { high } else { x };
    // Added to 1.5 * 2^52, an integer is in the low bits of the sum.
    (x + 6_755_399_441_055_744.0).to_bits()
}

macro_rules! to_integer {
    ($from_f32:ident, $from_f64:ident, $int:ty, $ptx:literal) => {
        #[doc = concat!("`cvt.{rni,rzi,rmi,rpi}.", $ptx, ".f32`: rounded, then clamped to the range.")]
        /// NaN becomes 0.
        #[inline(always)]
        pub fn $from_f32(x: f32, round: Round) -> $int {
            let integral = f64::from(integral_f32(x, round));
            let result = clamped(integral, f64::from(<$int>::MIN), f64::from(<$int>::MAX)) as $int;
            if x.is_nan() { 0 } else { result }
        }

        #[doc = concat!("`cvt.{rni,rzi,rmi,rpi}.", $ptx, ".f64`: rounded, then clamped to the range.")]
        /// NaN becomes the integer of which only the highest bit is set.
        #[inline(always)]
        pub fn $from_f64(x: f64, round: Round) -> $int {
            let integral = integral_f64(x, round);
            let result = clamped(integral, f64::from(<$int>::MIN), f64::from(<$int>::MAX)) as $int;
            if x.is_nan() { 1 << (<$int>::BITS - 1) } else { result }
        }
    };
}

macro_rules! to_integer64 {
    ($from_f32:ident, $from_f64:ident, $int:ty, $ptx:literal) => {
        #[doc = concat!("`cvt.{rni,rzi,rmi,rpi}.", $ptx, ".f32`: rounded, then clamped to the range.")]
        /// NaN becomes `1 << 63`.
        #[inline(always)]
        pub fn $from_f32(x: f32, round: Round) -> $int {
            let result = integral_f32(x, round) as $int;
            if x.is_nan() { 1 << 63 } else { result }
        }

        #[doc = concat!("`cvt.{rni,rzi,rmi,rpi}.", $ptx, ".f64`: rounded, then clamped to the range.")]
        /// NaN becomes `1 << 63`.
        #[inline(always)]
        pub fn $from_f64(x: f64, round: Round) -> $int {
            let result = integral_f64(x, round) as $int;
            if x.is_nan() { 1 << 63 } else { result }
        }
    };
}

// The ISA: NaN becomes 0 where the source is not f64 and the destination not 64 bits wide, else 1 << (width - 1).
to_integer!(s8_from_f32, s8_from_f64, i8, "s8");
to_integer!(u8_from_f32, u8_from_f64, u8, "u8");
to_integer!(s16_from_f32, s16_from_f64, i16, "s16");
to_integer!(u16_from_f32, u16_from_f64, u16, "u16");
to_integer!(s32_from_f32, s32_from_f64, i32, "s32");
to_integer!(u32_from_f32, u32_from_f64, u32, "u32");
to_integer64!(s64_from_f32, s64_from_f64, i64, "s64");
to_integer64!(u64_from_f32, u64_from_f64, u64, "u64");

/// `cvt.rnd.f32.s32` (and of s8 and s16, which are sign-extended first).
#[inline(always)]
pub fn f32_from_s32(x: i32, round: Round) -> f32 {
    match round {
        Round::Nearest => x as f32,
        _ => round_to_f32(f64::from(x), round),
    }
}

/// `cvt.rnd.f32.u32` (and of u8 and u16).
#[inline(always)]
pub fn f32_from_u32(x: u32, round: Round) -> f32 {
    match round {
        Round::Nearest => x as f32,
        _ => round_to_f32(f64::from(x), round),
    }
}

/// `cvt.rnd.f32.s64`.
#[inline(always)]
pub fn f32_from_s64(x: i64, round: Round) -> f32 {
    match round {
        Round::Nearest => x as f32,
        _ => round_to_f32(odd_from_s64(x), round),
    }
}

/// `cvt.rnd.f32.u64`.
#[inline(always)]
pub fn f32_from_u64(x: u64, round: Round) -> f32 {
    match round {
        Round::Nearest => x as f32,
        _ => round_to_f32(odd_from_u64(x), round),
    }
}

/// `cvt.rnd.f64.s64`. (From narrower integers the conversion is exact: `f64::from`.)
#[inline(always)]
pub fn f64_from_s64(x: i64, round: Round) -> f64 {
    // Rounding the magnitude down is rounding a negative number up.
    let round = match round {
        Round::Down if x < 0 => Round::Up,
        Round::Up if x < 0 => Round::Down,
        _ => round,
    };
    let magnitude = f64_from_u64(x.unsigned_abs(), round);
    if x < 0 { -magnitude } else { magnitude }
}

/// `cvt.rnd.f64.u64`.
#[inline(always)]
pub fn f64_from_u64(x: u64, round: Round) -> f64 {
    let near = x as f64;
    // Up to 2^64, which a u64 does not hold.
    let back = near as u128;
    let step = match round {
        Round::Nearest => 0,
        Round::Up => u64::from(back < u128::from(x)),
        Round::Zero | Round::Down => 0u64.wrapping_sub(u64::from(back > u128::from(x))),
    };
    f64::from_bits(near.to_bits().wrapping_add(step))
}

/// `cvt.rnd.f16.s64` (and of all integers but u64, which are extended first).
#[inline(always)]
pub fn f16_from_s64(x: i64, round: Round) -> u16 {
    f16::from_f64(odd_from_s64(x), round)
}

/// `cvt.rnd.f16.u64`.
#[inline(always)]
pub fn f16_from_u64(x: u64, round: Round) -> u16 {
    f16::from_f64(odd_from_u64(x), round)
}

/// `cvt.rnd.bf16.s64` (and of all integers but u64, which are extended first).
#[inline(always)]
pub fn bf16_from_s64(x: i64, round: Round) -> u16 {
    bf16::from_f64(odd_from_s64(x), round)
}

/// `cvt.rnd.bf16.u64`.
#[inline(always)]
pub fn bf16_from_u64(x: u64, round: Round) -> u16 {
    bf16::from_f64(odd_from_u64(x), round)
}

/// An f64 that rounds to any narrower float as `x` does: exact below 2^53, else without the lowest 11 bits, which are
/// folded into the one above them.
#[inline(always)]
fn odd_from_u64(x: u64) -> f64 {
    let folded = x >> 11 << 11 | u64::from(x & 0x7ff != 0) << 11;
    (if x >> 53 == 0 { x } else { folded }) as f64
}

#[inline(always)]
fn odd_from_s64(x: i64) -> f64 {
    let magnitude = odd_from_u64(x.unsigned_abs());
    if x < 0 { -magnitude } else { magnitude }
}

/// `cvt.sat` to a signed integer of `width` bits from a signed one.
#[inline(always)]
pub fn saturate_signed(x: i64, width: u32) -> i64 {
    let max = i64::MAX >> (64 - width);
    x.clamp(-max - 1, max)
}

/// `cvt.sat` to an unsigned integer of `width` bits from a signed one.
#[inline(always)]
pub fn saturate_to_unsigned(x: i64, width: u32) -> u64 {
    (x.max(0) as u64).min(u64::MAX >> (64 - width))
}

/// `cvt.sat` to a signed integer of `width` bits from an unsigned one.
#[inline(always)]
pub fn saturate_to_signed(x: u64, width: u32) -> i64 {
    x.min(u64::MAX >> (65 - width)) as i64
}

/// `cvt.sat` to an unsigned integer of `width` bits from an unsigned one.
#[inline(always)]
pub fn saturate_unsigned(x: u64, width: u32) -> u64 {
    x.min(u64::MAX >> (64 - width))
}

/// Two halves as one register: `cvt.f16x2.f32 d, a, b` puts `a` into the upper half and `b` into the lower.
#[inline(always)]
pub fn pack16(upper: u16, lower: u16) -> u32 {
    u32::from(upper) << 16 | u32::from(lower)
}

/// The upper and the lower half of a register.
#[inline(always)]
pub fn unpack16(x: u32) -> (u16, u16) {
    ((x >> 16) as u16, x as u16)
}
