//! f16 and bf16 arithmetic, in pairs and alone, against exact arithmetic.

use super::y;
use crate::{
    common::Random,
    exact::{Operation, rounded},
    format::{BF16, F16, Format, Mode},
    ways::same,
};

/// Random bits, and every special number with every other.
fn operands(format: Format, count: usize) -> Vec<[u16; 3]> {
    let one = ((1u64 << (format.exponent - 1)) - 1) << format.fraction;
    let infinity = format.infinity();
    let special = [0, 1, one, infinity - 1, infinity, infinity + 1, one + 1].map(|bits| bits as u16);
    let signed = |at: usize| special[at % 7] | if at / 7 % 2 == 1 { 0x8000 } else { 0 };
    let mut random = Random(96);
    (0..count)
        .map(|at| match at {
            0..196 => [signed(at), signed(at / 14), signed(at * 5 + at / 14)],
            _ => [(); 3].map(|()| random.next() as u16),
        })
        .collect()
}

/// A result as bits, any NaN as one.
fn plain(format: Format, bits: u64) -> Option<u16> {
    (!format.is_nan(bits)).then_some(bits as u16)
}

fn operation(format: Format, operation: Operation, operands: [u16; 3]) -> Option<u16> {
    rounded(format, operation, Mode::NearestEven, operands.map(|bits| format.value(bits.into())))
        .map(|bits| bits as u16)
}

/// Negative numbers become 0.
fn relu(x: Option<u16>) -> Option<u16> {
    x.map(|bits| if bits >> 15 == 1 { 0 } else { bits })
}

/// The lesser or greater, where -0 is less than +0.
fn extreme(format: Format, a: u16, b: u16, greatest: bool, nan: bool) -> Option<u16> {
    // In the order of the numbers.
    let key = |bits: u16| if bits >> 15 == 1 { -i32::from(bits & 0x7fff) - 1 } else { i32::from(bits) };
    match (format.is_nan(a.into()), format.is_nan(b.into())) {
        (false, false) if (key(a) > key(b)) == greatest => Some(a),
        (false, false) => Some(b),
        (true, true) => None,
        _ if nan => None,
        (true, false) => Some(b),
        (false, true) => Some(a),
    }
}

/// The 12 results of one half.
fn results([a, b, c]: [u16; 3]) -> [Option<u16>; 12] {
    use Operation::*;
    let fused = operation(F16, Fused, [a, b, c]);
    let fused_bf16 = operation(BF16, Fused, [a, b, c]);
    [
        operation(F16, Add, [a, b, c]),
        operation(F16, Add, [a, b ^ 0x8000, c]),
        operation(F16, Multiply, [a, b, c]),
        fused,
        relu(fused),
        extreme(F16, a, b, false, false),
        extreme(F16, a, b, true, true),
        plain(F16, u64::from(a ^ 0x8000)),
        fused_bf16,
        relu(fused_bf16),
        extreme(BF16, a, b, false, false),
        extreme(BF16, a, b, true, true),
    ]
}

#[test]
fn pairs() {
    let halves: Vec<[u16; 3]> = [operands(F16, 600), operands(BF16, 600)].concat();
    let word = |pair: &[[u16; 3]], index: usize| u32::from(pair[0][index]) | u32::from(pair[1][index]) << 16;
    let [a, b, c] = [0, 1, 2].map(|index| halves.chunks(2).map(|pair| word(pair, index)).collect::<Vec<_>>());
    let expected: Vec<[Option<u16>; 12]> = halves.iter().copied().map(results).collect();
    same(
        "math",
        |device| y(device, "packed", &[&a, &b, &c], 12),
        |got: &Vec<u32>| {
            for (at, (operands, expected)) in halves.iter().zip(&expected).enumerate() {
                for (index, expected) in expected.iter().enumerate() {
                    let bits = (got[at / 2 * 12 + index] >> (at % 2 * 16)) as u16;
                    let format = if index < 8 { F16 } else { BF16 };
                    assert!(
                        plain(format, bits.into()) == *expected,
                        "result {index} of {operands:x?}: {bits:#x}, not {expected:x?}"
                    );
                }
            }
        },
    );
}

#[test]
fn alone() {
    let operands = operands(F16, 700);
    let (a, b): (Vec<u16>, Vec<u16>) = operands.iter().map(|&[a, b, _]| (a, b)).unzip();
    let n = a.len();
    let value = |bits: u16| F16.value(bits.into());
    same(
        "math",
        |device| {
            let (y, p) = (device.allocate::<u16>(n * 6), device.allocate::<u32>(n));
            let args = [device.upload(&a).into(), device.upload(&b).into(), y.into(), p.into(), (n as i32).into()];
            device.clean("halves", [n.div_ceil(64) as u32, 1, 1], [64, 1, 1], 0, &args);
            (device.download::<u16>(y, n * 6), device.download::<u32>(p, n))
        },
        |(y, p)| {
            for i in 0..n {
                let (x, z, got) = (a[i], b[i], &y[i * 6..][..6]);
                let exact = [
                    operation(F16, Operation::Add, [x, z, 0]),
                    operation(F16, Operation::Multiply, [x, z, 0]),
                    operation(F16, Operation::Fused, [x, z, x]),
                ];
                for (index, expected) in exact.into_iter().enumerate() {
                    assert_eq!(plain(F16, got[index].into()), expected, "result {index} of {x:#x} and {z:#x}");
                }
                assert_eq!(got[3], u16::from(value(x) < value(z)), "{x:#x} < {z:#x}");
                exponential(value(x), value(got[4]));
                // The ISA allows 2^-10.987, absolute.
                let tanh = value(x).tanh();
                let near = (value(got[5]) - tanh).abs() <= 2f64.powf(-10.987);
                assert!(near || tanh.is_nan() && value(got[5]).is_nan(), "tanh of {x:#x}: {:#x}", got[5]);
                let pair = [p[i] as u16, (p[i] >> 16) as u16].map(|bits| plain(F16, bits.into()));
                assert_eq!(pair, [x, z].map(|bits| plain(F16, bits.into())), "{x:#x} and {z:#x}");
            }
        },
    );
}

/// The ISA allows ex2 a relative error of 2^-9.9; below 2^-14 an f16 has no more than 2^-25 of its own.
fn exponential(x: f64, got: f64) {
    let expected = x.exp2();
    if expected.is_nan() {
        assert!(got.is_nan(), "2^{x}: {got}");
    } else if expected >= 65520.0 {
        assert_eq!(got, f64::INFINITY, "2^{x}");
    } else {
        let tolerance = (2f64.powf(-9.9) * expected).max(2f64.powi(-25));
        assert!((got - expected).abs() <= tolerance, "2^{x}: {got}, not {expected}");
    }
}
