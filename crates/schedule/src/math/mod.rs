//! The arithmetic behind the schedules: square root, powers and a raised cosine from sums, products and quotients only.
//!
//! Platform libraries differ in the last bits of `pow` and `cos`, and `core` has no `sqrt`. Everything here is built from
//! operations that IEEE 754 rounds correctly and from integers, so every machine computes the same bits.

mod double;
mod half_cosine;
mod power;
mod sqrt;

pub(crate) use double::Double;
pub(crate) use half_cosine::half_cosine;
pub(crate) use power::power;
pub(crate) use sqrt::sqrt;

/// `x * 2^n` for a normal result; below the normal range it is rounded once more, and 0 below half of the least number.
pub(crate) fn scale(x: f64, n: i32) -> f64 {
    // Two factors, since 2^n alone may lie outside the range of an f64 while the result does not.
    let half = n / 2;
    x * exp2(half) * exp2(n - half)
}

/// 2^n, with `n` held to the range of normal numbers.
fn exp2(n: i32) -> f64 {
    f64::from_bits(((n.clamp(-1022, 1023) + 1023) as u64) << 52)
}
