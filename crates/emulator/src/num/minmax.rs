//! `min` and `max` of f32, f64, f16 and bf16.
//!
//! −0 is less than +0. Where one operand is a NaN the result is the other, or with `.NaN` a NaN; of two NaNs it is a
//! NaN: the canonical one, and for f64 (which has no `.NaN`) the first operand, made quiet.

use super::nan;

/// The modifiers `.NaN` and `.xorsign.abs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Variant {
    /// `.NaN`: the result is a NaN if any operand is.
    pub nan: bool,
    /// `.xorsign.abs`: magnitudes are compared, and the result's sign is the operands' signs, xored; a NaN result stays
    /// as it is.
    pub xorsign_abs: bool,
}

macro_rules! pick {
    ($name:ident, $bits:ty, $signed:ty, $infinity:expr, $nan:expr) => {
        /// The bits of the operand to return.
        #[inline(always)]
        fn $name(a: $bits, b: $bits, variant: Variant, greater: bool) -> $bits {
            const SIGN: $bits = 1 << (<$bits>::BITS - 1);
            let sign = (a ^ b) & SIGN;
            let (a, b) = if variant.xorsign_abs { (a & !SIGN, b & !SIGN) } else { (a, b) };
            // The bits below the sign flipped for negative numbers: integers in the order of the floats.
            let key = |x: $bits| x as $signed ^ (x as $signed >> (<$bits>::BITS - 1)) & !SIGN as $signed;
            let (a_nan, b_nan) = (a & !SIGN > $infinity, b & !SIGN > $infinity);
            let first = (key(a) < key(b)) != greater;
            let number = if (first || b_nan) && !a_nan { a } else { b };
            let number = if variant.xorsign_abs { number | sign } else { number };
            if a_nan && b_nan || variant.nan && (a_nan || b_nan) { $nan(a) } else { number }
        }
    };
}

pick!(pick_f16, u16, i16, 0x7c00, |_| nan::F16);
pick!(pick_bf16, u16, i16, 0x7f80, |_| nan::BF16);
pick!(pick_f32, u32, i32, 0x7f80_0000, |_| nan::F32.to_bits());
pick!(pick_f64, u64, i64, 0x7ff0_0000_0000_0000, nan::quiet64);

/// `min.f16`.
#[inline(always)]
pub fn min_f16(a: u16, b: u16, variant: Variant) -> u16 {
    pick_f16(a, b, variant, false)
}

/// `max.f16`.
#[inline(always)]
pub fn max_f16(a: u16, b: u16, variant: Variant) -> u16 {
    pick_f16(a, b, variant, true)
}

/// `min.bf16`.
#[inline(always)]
pub fn min_bf16(a: u16, b: u16, variant: Variant) -> u16 {
    pick_bf16(a, b, variant, false)
}

/// `max.bf16`.
#[inline(always)]
pub fn max_bf16(a: u16, b: u16, variant: Variant) -> u16 {
    pick_bf16(a, b, variant, true)
}

/// `min.f32`.
#[inline(always)]
pub fn min_f32(a: f32, b: f32, variant: Variant) -> f32 {
    f32::from_bits(pick_f32(a.to_bits(), b.to_bits(), variant, false))
}

/// `max.f32`.
#[inline(always)]
pub fn max_f32(a: f32, b: f32, variant: Variant) -> f32 {
    f32::from_bits(pick_f32(a.to_bits(), b.to_bits(), variant, true))
}

/// `min.f64`.
#[inline(always)]
pub fn min_f64(a: f64, b: f64) -> f64 {
    f64::from_bits(pick_f64(a.to_bits(), b.to_bits(), Variant::default(), false))
}

/// `max.f64`.
#[inline(always)]
pub fn max_f64(a: f64, b: f64) -> f64 {
    f64::from_bits(pick_f64(a.to_bits(), b.to_bits(), Variant::default(), true))
}
