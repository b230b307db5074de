//! Basic arithmetic in every rounding mode, against exact arithmetic.

use super::{numbers, y};
use crate::{
    common::Random,
    exact::{Operation, rounded},
    format::{F32, F64, Format, Mode},
    ways::same,
};

const OPERATIONS: [Operation; 6] =
    [Operation::Add, Operation::Multiply, Operation::Fused, Operation::Divide, Operation::Root, Operation::Reciprocal];
const MODES: [Mode; 4] = [Mode::NearestEven, Mode::Zero, Mode::Down, Mode::Up];

/// Each operand's 24 results.
fn expected(format: Format, operands: &[[f64; 3]]) -> Vec<Option<u64>> {
    let results = |&operands: &[f64; 3]| {
        OPERATIONS.into_iter().flat_map(move |operation| MODES.map(|mode| rounded(format, operation, mode, operands)))
    };
    operands.iter().flat_map(results).collect()
}

fn check(format: Format, got: impl Iterator<Item = u64>, expected: &[Option<u64>], operands: &[[f64; 3]]) {
    for (at, (got, expected)) in got.zip(expected).enumerate() {
        let what = || format!("{:?} {:?} of {:?}", OPERATIONS[at % 24 / 4], MODES[at % 4], operands[at / 24]);
        match expected {
            Some(bits) => assert!(got == *bits, "{}: {:e}, not {:e}", what(), format.value(got), format.value(*bits)),
            None => assert!(format.is_nan(got), "{}: {:e}, not NaN", what(), format.value(got)),
        }
    }
}

#[test]
fn of_f32() {
    let n = 300;
    let a = numbers(90, n);
    // So that special numbers meet others.
    let b: Vec<f32> = numbers(91, n).into_iter().cycle().skip(7).take(n).collect();
    let mut c: Vec<f32> = numbers(92, n).into_iter().cycle().skip(18).take(n).collect();
    // Sums that cancel, in part or wholly.
    (0..n).step_by(4).for_each(|i| c[i] = -(a[i] * b[i]));
    let operands: Vec<_> = (0..n).map(|i| [a[i], b[i], c[i]].map(f64::from)).collect();
    let expected = expected(F32, &operands);
    same(
        "math",
        |device| y(device, "rounding_f32", &[&a, &b, &c], 24),
        |got: &Vec<u32>| check(F32, got.iter().copied().map(u64::from), &expected, &operands),
    );
}

#[test]
fn of_f64() {
    let n = 200;
    let special = [0.0, -0.0, 1.0, -3.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1.0 + f64::EPSILON];
    let mut random = Random(93);
    // All fractions; exponents at which the exact arithmetic of the reference is exact.
    let mut number = |at: usize, index: usize| match at {
        0..64 => special[[at, at / 8, at * 3 + at / 8][index] % 8],
        _ => {
            let bits = random.next();
            let scale = [4, 400][at % 2];
            f64::from_bits(bits >> 12 | 1023 << 52)
                * 2f64.powi((bits % scale) as i32 - scale as i32 / 2)
                * [1.0, -1.0][(random.next() % 2) as usize]
        }
    };
    let mut operands: Vec<[f64; 3]> = (0..n).map(|at| std::array::from_fn(|index| number(at, index))).collect();
    operands.iter_mut().skip(1).step_by(4).for_each(|[a, b, c]| *c = -(*a * *b));
    let expected = expected(F64, &operands);
    let of = |index: usize| operands.iter().map(|operands| operands[index]).collect::<Vec<_>>();
    let (a, b, c) = (of(0), of(1), of(2));
    same(
        "math",
        |device| y(device, "rounding_f64", &[&a, &b, &c], 24),
        |got: &Vec<u64>| check(F64, got.iter().copied(), &expected, &operands),
    );
}
