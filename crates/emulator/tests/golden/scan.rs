//! Prefix sums, in three launches and in one.

use crate::{
    common::Random,
    ways::{any, assert_same, same},
};

const SIZES: [usize; 5] = [1, 255, 256, 257, 5000];

/// Numbers whose sums wrap, and their prefix sums.
fn case(n: usize) -> (Vec<u32>, Vec<u32>) {
    let mut random = Random(31);
    let x: Vec<u32> = (0..n).map(|_| random.next() as u32).collect();
    let sum = |sum: &mut u32, &x: &u32| {
        *sum = sum.wrapping_add(x);
        Some(*sum)
    };
    let sums = x.iter().scan(0, sum).collect();
    (x, sums)
}

#[test]
fn in_three_launches() {
    for n in SIZES {
        let (x, expected) = case(n);
        same(
            "scan",
            |device| {
                let blocks = n.div_ceil(256);
                let (x, y) = (device.upload(&x), device.allocate::<u32>(n));
                let (sums, before) = (device.allocate::<u32>(blocks), device.allocate::<u32>(blocks));
                let grid = [blocks as u32, 1, 1];
                let (count, null) = (n as i32, 0u64);
                let args = [x.into(), y.into(), sums.into(), count.into()];
                device.clean("scan_blocks", grid, [256, 1, 1], 0, &args);
                let args = [sums.into(), before.into(), null.into(), (blocks as i32).into()];
                device.clean("scan_blocks", [1, 1, 1], [256, 1, 1], 0, &args);
                device.clean("scan_add", grid, [256, 1, 1], 0, &[y.into(), before.into(), count.into()]);
                device.download(y, n)
            },
            |got: &Vec<u32>| assert_same(got, &expected),
        );
    }
}

#[test]
fn in_one_launch_by_look_back() {
    for n in SIZES {
        let (x, expected) = case(n);
        // How often a block looks at another's state is chance.
        any(
            "scan",
            |device| {
                let blocks = n.div_ceil(256);
                let (x, y) = (device.upload(&x), device.allocate::<u32>(n));
                let state = device.upload(&vec![0u64; 1 + blocks]);
                let args = [x.into(), y.into(), state.into(), (n as i32).into()];
                device.clean("scan_look_back", [blocks as u32, 1, 1], [256, 1, 1], 0, &args);
                device.download(y, n)
            },
            |got: &Vec<u32>| assert_same(got, &expected),
        );
    }
}
