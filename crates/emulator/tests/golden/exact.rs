//! Exact arithmetic on f64 by error-free transformations (Dekker 1971, Shewchuk 1997), to say how any float operation
//! must round.
//!
//! Exact as long as nothing overflows and no product's low part is below 2^-1074: true of all f32, f16 and bf16, and of
//! f64 of moderate exponent.

use std::cmp::Ordering;

use crate::format::{Format, Mode};

/// A product, as a sum of two.
fn product(a: f64, b: f64) -> [f64; 2] {
    let high = a * b;
    [high, a.mul_add(b, -high)]
}

/// A sum and its error.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let part = sum - a;
    (sum, (a - (sum - part)) + (b - part))
}

/// The sign of a sum of numbers, exactly: they are added to an expansion whose parts do not overlap, so that the
/// largest decides.
pub fn sign(terms: &[f64]) -> Ordering {
    let mut parts: Vec<f64> = Vec::new();
    for &term in terms {
        let mut carry = term;
        for part in &mut parts {
            (carry, *part) = two_sum(carry, *part);
        }
        parts.push(carry);
    }
    let decisive = parts.iter().rev().find(|&&part| part != 0.0);
    decisive.map_or(Ordering::Equal, |part| part.total_cmp(&0.0))
}

/// An operation of the rounding kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    Add,
    Multiply,
    /// a b + c.
    Fused,
    Divide,
    Root,
    Reciprocal,
}

/// The operation's result in a format whose numbers these are; `None` for NaN.
pub fn rounded(format: Format, operation: Operation, mode: Mode, [a, b, c]: [f64; 3]) -> Option<u64> {
    use Operation::*;
    let (a, b) = if operation == Reciprocal { (1.0, a) } else { (a, b) };
    // What the processor rounds is zero, infinite or NaN only where the exact result is, or where the format's range
    // ends, which `special` leaves to the search.
    let plain = match operation {
        Add => a + b,
        Multiply => a * b,
        Fused => a.mul_add(b, c),
        Divide | Reciprocal => a / b,
        Root => a.sqrt(),
    };
    let finite = a.is_finite() && (operation == Root || b.is_finite()) && (operation != Fused || c.is_finite());
    let pole = matches!(operation, Divide | Reciprocal) && b == 0.0;
    if plain.is_nan() || !finite || pole {
        return format.of(plain, mode);
    }
    let compare = |low: f64, high: f64| match operation {
        Add => sign(&[2.0 * a, 2.0 * b, -low, -high]),
        Multiply | Fused => {
            let [p, q] = product(a, b);
            sign(&[2.0 * p, 2.0 * q, if operation == Fused { 2.0 * c } else { 0.0 }, -low, -high])
        }
        Divide | Reciprocal => {
            let ([p, q], [r, s]) = (product(low, b), product(high, b));
            let order = sign(&[2.0 * a, -p, -q, -r, -s]);
            if b < 0.0 { order.reverse() } else { order }
        }
        // A square of such a number might overflow.
        Root if low > a.max(1.0) => Ordering::Less,
        Root => {
            let [[p, q], [r, s], [t, u]] = [product(low, low), product(low, high), product(high, high)];
            sign(&[4.0 * a, -p, -q, -2.0 * r, -2.0 * s, -t, -u])
        }
    };
    if compare(0.0, 0.0) != Ordering::Equal {
        return Some(format.round(compare, mode));
    }
    // An exact zero: a sum of opposite numbers is +0, or -0 where it is rounded down; else the signs decide, as they do
    // for the processor.
    let opposite = match operation {
        Add => a.is_sign_negative() != b.is_sign_negative(),
        Fused => (a.is_sign_negative() != b.is_sign_negative()) != c.is_sign_negative(),
        _ => false,
    };
    format.of(if opposite && mode == Mode::Down { -0.0 } else { plain }, mode)
}

#[test]
fn rounding_to_nearest_is_the_processors() {
    let mut random = crate::common::Random(7);
    for _ in 0..2000 {
        let [a, b, c] = [(); 3].map(|()| f32::from_bits(random.next() as u32));
        let wide = [a, b, c].map(f64::from);
        let check = |operation, expected: f32| {
            let got = rounded(crate::format::F32, operation, Mode::NearestEven, wide);
            let expected = (!expected.is_nan()).then(|| u64::from(expected.to_bits()));
            assert_eq!(got, expected, "{operation:?} of {a:e}, {b:e}, {c:e}");
        };
        check(Operation::Add, a + b);
        check(Operation::Multiply, a * b);
        check(Operation::Fused, a.mul_add(b, c));
        check(Operation::Divide, a / b);
        check(Operation::Root, a.sqrt());
        check(Operation::Reciprocal, 1.0 / a);
    }
}
