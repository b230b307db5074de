//! Which NaN an operation returns.
//!
//! The ISA leaves the NaN of single- and half-precision instructions unspecified, and says that double-precision
//! instructions support payloads. Our choice is what GPUs are seen to return: one canonical NaN for f32, f16 and bf16,
//! and for f64 the first operand that is a NaN, made quiet.

/// The canonical NaN of f32 (and tf32).
pub const F32: f32 = f32::from_bits(0x7fff_ffff);
/// The NaN of an invalid f64 operation without a NaN operand (infinity minus infinity, 0 / 0, the root of −1).
pub const F64: f64 = f64::from_bits(0xfff8_0000_0000_0000);
/// The NaN of `rcp.approx.ftz.f64` and `rsqrt.approx.ftz.f64`, which the ISA does specify.
pub const F64_APPROX: f64 = f64::from_bits(0x7fff_ffff_0000_0000);
/// The canonical NaN of f16.
pub const F16: u16 = 0x7fff;
/// The canonical NaN of bf16.
pub const BF16: u16 = 0x7fff;

const QUIET64: u64 = 1 << 51;
const MAGNITUDE64: u64 = u64::MAX >> 1;
const INFINITY64: u64 = 0x7ff << 52;

/// `x`, with any NaN replaced by the canonical one.
///
/// In integers, here and below: the compiler takes one NaN to be as good as another, and may drop a choice among floats
/// that only changes a NaN's bits.
#[inline(always)]
pub fn canonical32(x: f32) -> f32 {
    let bits = x.to_bits();
    f32::from_bits(if bits & 0x7fff_ffff > 0x7f80_0000 { F32.to_bits() } else { bits })
}

#[inline(always)]
fn is_nan64(bits: u64) -> bool {
    bits & MAGNITUDE64 > INFINITY64
}

/// A NaN operand made quiet.
#[inline(always)]
pub(crate) fn quiet64(bits: u64) -> u64 {
    bits | QUIET64
}

/// `result` of an operation on `a`, with the NaN chosen as the module says.
#[inline(always)]
pub(crate) fn unary64(result: f64, a: f64) -> f64 {
    let (result, a) = (result.to_bits(), a.to_bits());
    let chosen = if is_nan64(a) { quiet64(a) } else { F64.to_bits() };
    f64::from_bits(if is_nan64(result) { chosen } else { result })
}

/// `result` of an operation on `a` and `b`, with the NaN chosen as the module says.
#[inline(always)]
pub(crate) fn binary64(result: f64, a: f64, b: f64) -> f64 {
    let first = if is_nan64(a.to_bits()) { a } else { b };
    unary64(result, first)
}

/// `result` of an operation on `a`, `b` and `c`, with the NaN chosen as the module says.
#[inline(always)]
pub(crate) fn ternary64(result: f64, a: f64, b: f64, c: f64) -> f64 {
    let first = if is_nan64(b.to_bits()) { b } else { c };
    binary64(result, a, first)
}
