//! What sm_90 adds: barriers in memory, bulk copies, stmatrix, bf16 arithmetic, an elected lane.

use crate::{
    common::Random,
    exact::{Operation, rounded},
    format::{BF16, Mode},
    ways::{assert_bits, assert_same, integers, same},
};

#[test]
fn two_warps_hand_over_by_barriers_in_memory() {
    for rounds in [1usize, 2, 3, 8] {
        let n = 32 * rounds;
        let x = integers(&mut Random(120), n);
        let expected: Vec<i32> = (0..n).map(|i| x[i / 32 * 32 + 31 - i % 32]).collect();
        same(
            "hopper",
            |device| {
                let y = device.allocate::<i32>(n);
                let args = [device.upload(&x).into(), y.into(), (rounds as i32).into()];
                device.clean("memory_barriers", [1, 1, 1], [64, 1, 1], 0, &args);
                device.download(y, n)
            },
            |got: &Vec<i32>| assert_same(got, &expected),
        );
    }
}

#[test]
fn bulk_copies_in_and_out() {
    for blocks in [1usize, 5] {
        let x = Random(121).floats(256 * blocks);
        let expected: Vec<f32> = x.iter().map(|x| x * 2.0).collect();
        same(
            "hopper",
            |device| {
                let y = device.allocate::<f32>(x.len());
                let args = [device.upload(&x).into(), y.into()];
                device.clean("bulk_copies", [blocks as u32, 1, 1], [128, 1, 1], 0, &args);
                device.download(y, x.len())
            },
            |got: &Vec<u32>| assert_bits(got, &expected),
        );
    }
}

#[test]
fn stmatrix_takes_what_ldmatrix_gives() {
    let mut random = Random(122);
    let x: Vec<u16> = (0..256).map(|_| random.next() as u16).collect();
    // Row r, column c of matrix m is element 64 m + 8 r + c.
    let transposed: Vec<u16> = (0..256).map(|i| x[i / 64 * 64 + i % 8 * 8 + i / 8 % 8]).collect();
    same(
        "hopper",
        |device| {
            let (y, z) = (device.allocate::<u16>(256), device.allocate::<u16>(256));
            let args = [device.upload(&x).into(), y.into(), z.into()];
            device.clean("store_matrices", [1, 1, 1], [32, 1, 1], 0, &args);
            (device.download::<u16>(y, 256), device.download::<u16>(z, 256))
        },
        |(y, z)| {
            assert_same(y, &x);
            assert_same(z, &transposed);
        },
    );
}

#[test]
fn bf16_sums_and_products_are_rounded_once_and_one_lane_is_elected() {
    let n = 192;
    let mut random = Random(123);
    // Zeros, subnormals, numbers that overflow, infinities and NaN among them.
    let mut x = vec![0, 0x8000, 1, 0x8001, 0x7f, 0x80, 0x7f7f, 0xff7f, 0x7f80, 0xff80, 0x7fc0, 0x3f80, 0xbf81];
    x.resize_with(n, || random.next() as u16);
    let calculate = |operation, a: u16, b: u16| {
        let operands = [BF16.value(a.into()), BF16.value(b.into()), 0.0];
        rounded(BF16, operation, Mode::NearestEven, operands).map(|bits| bits as u16)
    };
    // NaN as `None`.
    let result = |x: u16| {
        let half = BF16.of(BF16.value(x.into()) * 0.5, Mode::NearestEven)? as u16;
        calculate(Operation::Multiply, calculate(Operation::Add, x, half)?, x)
    };
    same(
        "hopper",
        |device| {
            let (y, elected) = (device.allocate::<u16>(n), device.allocate::<u32>(n / 32));
            let args = [device.upload(&x).into(), y.into(), elected.into()];
            device.clean("bf16_arithmetic", [2, 1, 1], [96, 1, 1], 0, &args);
            (device.download::<u16>(y, n), device.download::<u32>(elected, n / 32))
        },
        |(y, elected)| {
            for (&x, &y) in x.iter().zip(y) {
                let got = (!BF16.is_nan(y.into())).then_some(y);
                assert_eq!(got, result(x), "of {x:#x}: {y:#x}");
            }
            // Any lane may be elected, and says so to all.
            assert!(elected.iter().all(|&lane| lane < 32), "{elected:?}");
        },
    );
}
