//! Sums by shuffles, whose order the kernels fix: exact.

use crate::{
    common::Random,
    ways::{assert_bits, assert_same, integers, same},
};

/// The sum of a power of two of numbers, halves upon halves: what lane 0 has after shuffles by 16, 8, 4, 2, 1.
fn tree(mut x: Vec<f32>) -> f32 {
    while x.len() > 1 {
        let upper = x.split_off(x.len() / 2);
        x.iter_mut().zip(upper).for_each(|(x, y)| *x += y);
    }
    x[0]
}

#[test]
fn a_row_a_warp() {
    for (rows, cols) in [(1usize, 1usize), (7, 31), (5, 33), (37, 100), (4, 1025)] {
        let x = Random(32).floats(rows * cols);
        let lane = |row: usize, lane: usize| (lane..cols).step_by(32).fold(0.0, |sum, c| sum + x[row * cols + c]);
        let expected: Vec<f32> = (0..rows).map(|row| tree((0..32).map(|l| lane(row, l)).collect())).collect();
        same(
            "reduction",
            |device| {
                let (x, y) = (device.upload(&x), device.allocate::<f32>(rows));
                let args = [x.into(), y.into(), (rows as i32).into(), (cols as i32).into()];
                device.clean("row_sum", [rows.div_ceil(4) as u32, 1, 1], [128, 1, 1], 0, &args);
                device.download(y, rows)
            },
            |got: &Vec<u32>| assert_bits(got, &expected),
        );
    }
}

#[test]
fn a_buffer_by_all_blocks() {
    for (n, blocks, threads) in [(1usize, 1usize, 32usize), (1000, 3, 96), (5000, 2, 1024)] {
        let x = Random(33).floats(n);
        let partial = |block: usize| {
            let thread = |t: usize| (block * threads + t..n).step_by(blocks * threads).fold(0.0, |sum, i| sum + x[i]);
            let warp =
                |w: usize| if w * 32 < threads { tree((0..32).map(|l| thread(w * 32 + l)).collect()) } else { 0.0 };
            tree((0..32).map(warp).collect())
        };
        let expected: Vec<f32> = (0..blocks).map(partial).collect();
        same(
            "reduction",
            |device| {
                let (x, y) = (device.upload(&x), device.allocate::<f32>(blocks));
                let args = [x.into(), y.into(), (n as i32).into()];
                device.clean("block_sum", [blocks as u32, 1, 1], [threads as u32, 1, 1], 0, &args);
                device.download(y, blocks)
            },
            |got: &Vec<u32>| assert_bits(got, &expected),
        );
    }
}

#[test]
fn running_maxima_of_64_bit_keys() {
    let n = 32 * 5;
    let mut random = Random(34);
    let x: Vec<i64> = (0..n).map(|_| random.next() as i64 >> (random.next() % 64)).collect();
    let expected: Vec<i64> = (0..n).map(|i| *x[i / 32 * 32..=i].iter().max().unwrap()).collect();
    same(
        "reduction",
        |device| {
            let (x, y) = (device.upload(&x), device.allocate::<i64>(n));
            device.clean("warp_running_max", [2, 1, 1], [96, 1, 1], 0, &[x.into(), y.into(), (n as i32).into()]);
            device.download(y, n)
        },
        |got: &Vec<i64>| assert_same(got, &expected),
    );
}

#[test]
fn lanes_read_from_each_other_in_eights() {
    let n = 96;
    let mut random = Random(35);
    let (x, index) = (integers(&mut random, n), integers(&mut random, n));
    let expected: Vec<i32> = (0..n).map(|i| x[i / 8 * 8 + (index[i] & 7) as usize]).collect();
    same(
        "reduction",
        |device| {
            let y = device.allocate::<i32>(n);
            let args = [device.upload(&x).into(), device.upload(&index).into(), y.into(), (n as i32).into()];
            device.clean("gather_in_eights", [3, 1, 1], [32, 1, 1], 0, &args);
            device.download(y, n)
        },
        |got: &Vec<i32>| assert_same(got, &expected),
    );
}
