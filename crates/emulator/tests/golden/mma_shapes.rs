//! mma.sync of every shape and type, and ldmatrix, against plain loops over whole matrices.

use crate::{
    common::{Device, Random},
    format::{BF16, F16, Format, Mode},
    ways::{assert_bits, assert_same, floats, same},
};

/// Two numbers a word, the first in the lower half.
fn packed(numbers: &[u16]) -> Vec<u32> {
    numbers.chunks(2).map(|pair| u32::from(pair[0]) | u32::from(pair[1]) << 16).collect()
}

/// Any number: subnormals and zeros of either sign with them, but no NaN and no infinity, and, so that sums stay
/// finite in f32, no large exponent.
fn numbers(random: &mut Random, format: Format, count: usize) -> Vec<u16> {
    let small = |bits: &u64| format.value(*bits).abs() < 1e5;
    std::iter::repeat_with(|| random.next() & 0xffff).filter(small).take(count).map(|bits| bits as u16).collect()
}

/// D of 16 rows and 8 columns: a chain of fused multiply-adds that starts at C. A by rows, B by columns.
fn product(k: usize, a: impl Fn(usize) -> f32, b: impl Fn(usize) -> f32, c: impl Fn(usize) -> f32) -> Vec<f32> {
    let dot = |at: usize| (0..k).fold(c(at), |sum, i| a(at / 8 * k + i).mul_add(b(at % 8 * k + i), sum));
    (0..128).map(dot).collect()
}

/// Runs a kernel on words of A, B and C, for so many words of D.
fn multiply(device: &Device, name: &str, a: &[u32], b: &[u32], c: &[u32], words: usize) -> Vec<u32> {
    let d = device.allocate::<u32>(words);
    let args = [device.upload(a).into(), device.upload(b).into(), device.upload(c).into(), d.into()];
    device.clean(name, [1, 1, 1], [32, 1, 1], 0, &args);
    device.download(d, words)
}

#[test]
fn halves_into_f32() {
    for (name, format, k) in
        [("mma_16816_f16", F16, 16), ("mma_16816_bf16", BF16, 16), ("mma_1688_f16", F16, 8), ("mma_1688_bf16", BF16, 8)]
    {
        let mut random = Random(4);
        let (a, b) = (numbers(&mut random, format, 16 * k), numbers(&mut random, format, 8 * k));
        let c: Vec<u32> = random.floats(128).into_iter().map(f32::to_bits).collect();
        let value = |bits: u16| format.value(bits.into()) as f32;
        let expected = product(k, |at| value(a[at]), |at| value(b[at]), |at| f32::from_bits(c[at]));
        same(
            "mma_shapes",
            |device| multiply(device, name, &packed(&a), &packed(&b), &c, 128),
            |got| assert_bits(got, &expected),
        );
    }
}

#[test]
fn f16_into_f16_is_rounded_once() {
    for (name, k) in [("mma_16816_f16_f16", 16), ("mma_1688_f16_f16", 8)] {
        let mut random = Random(5);
        let mut small = |count: usize| -> Vec<u16> {
            random
                .floats(count)
                .into_iter()
                .map(|x| F16.of(f64::from(x) * 3.0, Mode::NearestEven).unwrap() as u16)
                .collect()
        };
        let (a, b, c) = (small(16 * k), small(8 * k), small(128));
        let value = |bits: u16| F16.value(bits.into()) as f32;
        let expected: Vec<u16> = product(k, |at| value(a[at]), |at| value(b[at]), |at| value(c[at]))
            .into_iter()
            .map(|x| F16.of(x.into(), Mode::NearestEven).unwrap() as u16)
            .collect();
        same(
            "mma_shapes",
            |device| multiply(device, name, &packed(&a), &packed(&b), &packed(&c), 64),
            |got| assert_same(got, &packed(&expected)),
        );
    }
}

#[test]
fn tf32_ignores_the_low_bits() {
    for (name, k) in [("mma_1688_tf32", 8), ("mma_1684_tf32", 4)] {
        let mut random = Random(6);
        let mut words = |count| -> Vec<u32> { random.floats(count).into_iter().map(f32::to_bits).collect() };
        let (a, b, c) = (words(16 * k), words(8 * k), words(128));
        let truncated = |bits: u32| f32::from_bits(bits >> 13 << 13);
        let expected = product(k, |at| truncated(a[at]), |at| truncated(b[at]), |at| f32::from_bits(c[at]));
        same("mma_shapes", |device| multiply(device, name, &a, &b, &c, 128), |got| assert_bits(got, &expected));
    }
}

#[test]
fn infinities_and_nans_stay_in_their_rows_and_columns() {
    let (one, infinity, nan) = (0x3c00u16, 0x7c00u16, 0x7e00u16);
    let (mut a, mut b) = (vec![one; 16 * 16], vec![one; 8 * 16]);
    a[3 * 16 + 5] = infinity;
    a[4 * 16 + 9] = nan;
    b[6 * 16 + 5] = 0;
    same(
        "mma_shapes",
        |device| multiply(device, "mma_16816_f16", &packed(&a), &packed(&b), &[0; 128], 128),
        |got| {
            for (at, d) in floats(got).into_iter().enumerate() {
                match (at / 8, at % 8) {
                    // Infinity times 0.
                    (3, 6) | (4, _) => assert!(d.is_nan(), "{at}: {d}"),
                    (3, _) => assert_eq!(d, f32::INFINITY, "{at}"),
                    (_, 6) => assert_eq!(d, 15.0, "{at}"),
                    _ => assert_eq!(d, 16.0, "{at}"),
                }
            }
        },
    );
}

#[test]
fn ldmatrix_gives_each_lane_its_pair() {
    // Number c of row r of matrix m, all different.
    let at = |m: usize, r: usize, c: usize| (m * 64 + r * 8 + c) as u16 * 7;
    let x: Vec<u16> = (0..256).map(|i| at(i / 64, i / 8 % 8, i % 8)).collect();
    let mut expected = vec![0u32; 6 * 32 * 4];
    for row in 0..6 {
        for lane in 0..32 {
            for m in 0..1 << (row % 3) {
                // Lane 4 g + t: row g, columns 2 t and 2 t + 1 of the matrix or of its transpose.
                let (g, t) = (lane / 4, lane % 4 * 2);
                let pair = if row < 3 { [at(m, g, t), at(m, g, t + 1)] } else { [at(m, t, g), at(m, t + 1, g)] };
                expected[(row * 32 + lane) * 4 + m] = packed(&pair)[0];
            }
        }
    }
    same(
        "mma_shapes",
        |device| {
            let (x, y) = (device.upload(&x), device.allocate::<u32>(expected.len()));
            device.clean("ldmatrix_all", [1, 1, 1], [32, 1, 1], 0, &[x.into(), y.into()]);
            device.download(y, expected.len())
        },
        |got: &Vec<u32>| assert_same(got, &expected),
    );
}
