//! f64 arithmetic in integers, in every rounding mode: the slow and obvious way, for what the processor does not offer.
//!
//! A finite number is `sign, significand * 2^exponent`. Each operation forms a significand of up to 128 bits in which
//! everything below the last bit is folded into that bit (it is 1 if anything was lost), which [`pack`] then rounds.
//! NaNs are chosen as [`nan`] says.

use super::{Round, nan};

const FRACTION: u32 = 52;
const HIDDEN: u64 = 1 << FRACTION;
const INFINITY: u64 = 0x7ff << FRACTION;
/// The exponent of the last bit of a subnormal.
const LEAST: i32 = -1074;

/// A finite number: `(-1)^negative * significand * 2^exponent`.
#[derive(Clone, Copy)]
struct Parts {
    negative: bool,
    significand: u128,
    exponent: i32,
}

fn parts(x: f64) -> Parts {
    let bits = x.to_bits();
    let biased = (bits >> FRACTION & 0x7ff) as i32;
    let fraction = bits & (HIDDEN - 1);
    let significand = if biased == 0 { fraction } else { fraction | HIDDEN };
    Parts {
        negative: x.is_sign_negative(),
        significand: u128::from(significand),
        exponent: LEAST + (biased.max(1) - 1),
    }
}

/// `value` shifted right, with a 1 in the last bit if a 1 was shifted out.
fn shift_right(value: u128, by: u32) -> u128 {
    if by == 0 {
        value
    } else if by < u128::BITS {
        value >> by | u128::from(value << (u128::BITS - by) != 0)
    } else {
        u128::from(value != 0)
    }
}

/// The f64 nearest to `number` in the sense of `round`; the last bit of the significand may stand for lost ones if the
/// significand has at least 56 bits. Zero keeps its sign.
fn pack(number: Parts, round: Round) -> f64 {
    let sign = u64::from(number.negative) << 63;
    if number.significand == 0 {
        return f64::from_bits(sign);
    }
    // Put the leading bit at bit 63, then find how far the result's last bit is above bit 0.
    let length = u128::BITS - number.significand.leading_zeros();
    let (significand, exponent) = if length > 64 {
        (shift_right(number.significand, length - 64), number.exponent + (length - 64) as i32)
    } else {
        (number.significand << (64 - length), number.exponent - (64 - length) as i32)
    };
    let shift = (LEAST - exponent).max(11);
    if shift > 64 {
        // Less than half of the least subnormal.
        return f64::from_bits(sign | u64::from(round.away(number.negative)));
    }
    let kept = (significand >> shift) as u64;
    let rest = significand & ((1 << shift) - 1);
    let half = 1u128 << (shift - 1);
    let up = match round {
        Round::Nearest => rest > half || rest == half && kept & 1 == 1,
        _ => round.away(number.negative) && rest != 0,
    };
    // With shift at 11 the hidden bit is in `kept` and adds one to the exponent; a subnormal has biased exponent 0; a
    // carry out of the fraction does the right thing in both.
    let biased = (exponent + shift - LEAST) as u64;
    if biased >= 0x7ff {
        return overflow(sign, round);
    }
    let magnitude = (biased << FRACTION) + kept + u64::from(up);
    if magnitude >= INFINITY { overflow(sign, round) } else { f64::from_bits(sign | magnitude) }
}

fn overflow(sign: u64, round: Round) -> f64 {
    let to_infinity = round == Round::Nearest || round.away(sign != 0);
    f64::from_bits(sign | if to_infinity { INFINITY } else { INFINITY - 1 })
}

/// `a + b` of finite numbers. Both significands must have at most 106 bits.
fn sum(a: Parts, b: Parts, round: Round) -> f64 {
    if a.significand == 0 && b.significand == 0 {
        let negative = if a.negative == b.negative { a.negative } else { round == Round::Down };
        return pack(Parts { negative, significand: 0, exponent: 0 }, round);
    }
    // Leading bits to bit 125: room for a carry above, and for 19 zero bits at least below, so that a difference that
    // cancels more than its leading bit (the exponents differ by at most 1) has lost nothing.
    let lift = |p: Parts| {
        let by = p.significand.leading_zeros().saturating_sub(2);
        Parts { significand: p.significand << by, exponent: p.exponent - by as i32, ..p }
    };
    let (a, b) = match (a.significand, b.significand) {
        (0, _) => return pack(b, round),
        (_, 0) => return pack(a, round),
        _ => (lift(a), lift(b)),
    };
    let (big, small) = if (a.exponent, a.significand) >= (b.exponent, b.significand) { (a, b) } else { (b, a) };
    let shifted = shift_right(small.significand, (big.exponent - small.exponent) as u32);
    if big.negative == small.negative {
        return pack(Parts { significand: big.significand + shifted, ..big }, round);
    }
    let significand = big.significand - shifted;
    let negative = if significand == 0 { round == Round::Down } else { big.negative };
    pack(Parts { negative, significand, exponent: big.exponent }, round)
}

fn product(a: Parts, b: Parts) -> Parts {
    Parts {
        negative: a.negative != b.negative,
        significand: a.significand * b.significand,
        exponent: a.exponent + b.exponent,
    }
}

/// `a + b`.
pub(super) fn add(a: f64, b: f64, round: Round) -> f64 {
    if !(a.is_finite() && b.is_finite()) {
        return nan::binary64(a + b, a, b);
    }
    sum(parts(a), parts(b), round)
}

/// `a - b`.
pub(super) fn sub(a: f64, b: f64, round: Round) -> f64 {
    if !(a.is_finite() && b.is_finite()) {
        return nan::binary64(a - b, a, b);
    }
    sum(parts(a), parts(-b), round)
}

/// `a * b`.
pub(super) fn mul(a: f64, b: f64, round: Round) -> f64 {
    if !(a.is_finite() && b.is_finite()) {
        return nan::binary64(a * b, a, b);
    }
    pack(product(parts(a), parts(b)), round)
}

/// `a * b + c`.
pub(super) fn fma(a: f64, b: f64, c: f64, round: Round) -> f64 {
    if !(a.is_finite() && b.is_finite() && c.is_finite()) {
        // With a NaN or an infinity among the operands the product's size does not matter, only its sign and kind, and
        // a finite product must not become an infinity.
        let finite_product = a.is_finite() && b.is_finite();
        return nan::ternary64(if finite_product { c } else { a * b + c }, a, b, c);
    }
    sum(product(parts(a), parts(b)), parts(c), round)
}

/// `a / b`.
pub(super) fn div(a: f64, b: f64, round: Round) -> f64 {
    if !(a.is_finite() && b.is_finite()) || a == 0.0 || b == 0.0 {
        return nan::binary64(a / b, a, b);
    }
    let (a, b) = (parts(a), parts(b));
    // Leading bits to 127 and 52: the quotient has at least 75 bits.
    let (up_a, up_b) = (a.significand.leading_zeros(), b.significand.leading_zeros() - 75);
    let (dividend, divisor) = (a.significand << up_a, b.significand << up_b);
    let sticky = u128::from(dividend % divisor != 0);
    let exponent = (a.exponent - up_a as i32) - (b.exponent - up_b as i32);
    pack(Parts { negative: a.negative != b.negative, significand: (dividend / divisor) | sticky, exponent }, round)
}

/// The square root of `x`. The processor's is the nearest; comparing its square with `x` tells on which side it is.
pub(super) fn sqrt(x: f64, round: Round) -> f64 {
    let root = nan::unary64(x.sqrt(), x);
    if root.is_nan() || root == 0.0 || root.is_infinite() || round == Round::Nearest {
        return root;
    }
    let (x, r) = (parts(x), parts(root));
    let square = r.significand * r.significand;
    // The square is x within 2^-52: its last bit is never above x's, as it has at least 105 bits.
    let exact = x.significand << (x.exponent - 2 * r.exponent);
    let step = match round {
        Round::Up => u64::from(square < exact),
        _ => 0u64.wrapping_sub(u64::from(square > exact)),
    };
    f64::from_bits(root.to_bits().wrapping_add(step))
}
