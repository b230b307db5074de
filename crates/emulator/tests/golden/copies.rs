//! Copies, by lanes of every width, with strides and offsets.

use crate::{
    common::{Plain, Random},
    ways::{assert_same, same},
};

/// Copies n elements of `words` numbers each.
fn strided<T: Plain + PartialEq + std::fmt::Debug>(name: &str, words: usize, number: impl Fn(u64) -> T) {
    for (n, stride, offset) in [(1usize, 1usize, 0usize), (257, 1, 0), (130, 3, 5), (95, 1, 1)] {
        let mut random = Random(20);
        let x: Vec<T> = (0..(n * stride + offset) * words).map(|_| number(random.next())).collect();
        let expected: Vec<T> =
            (0..n * words).map(|at| x[(at / words * stride + offset) * words + at % words]).collect();
        same(
            "copies",
            |device| {
                let (x, y) = (device.upload(&x), device.allocate::<T>(n * words));
                let args = [x.into(), y.into(), (n as i32).into(), (stride as i32).into(), (offset as i32).into()];
                device.clean(name, [n.div_ceil(96) as u32, 1, 1], [96, 1, 1], 0, &args);
                device.download(y, n * words)
            },
            |got: &Vec<T>| assert_same(got, &expected),
        );
    }
}

#[test]
fn every_width() {
    strided("copy_8", 1, |x| x as u8);
    strided("copy_16", 1, |x| x as u16);
    strided("copy_32", 1, |x| x as u32);
    strided("copy_64", 2, |x| x as u32);
    strided("copy_128", 4, |x| x as u32);
}

#[test]
fn one_element_for_a_whole_block() {
    let n = 130;
    let x = Random(21).floats(n);
    let expected: Vec<f32> = (0..n).map(|i| x[i / 64]).collect();
    same(
        "copies",
        |device| {
            let (x, y) = (device.upload(&x), device.allocate::<f32>(n));
            device.clean("broadcast_32", [3, 1, 1], [64, 1, 1], 0, &[x.into(), y.into(), (n as i32).into()]);
            device.download(y, n)
        },
        |got: &Vec<f32>| assert_same(got, &expected),
    );
}

#[test]
fn with_cache_hints() {
    let n = 77;
    let x = Random(22).floats(n * 4);
    same(
        "copies",
        |device| {
            let (x, y) = (device.upload(&x), device.allocate::<f32>(n * 4));
            device.clean("copy_128_streaming", [2, 1, 1], [64, 1, 1], 0, &[x.into(), y.into(), (n as i32).into()]);
            device.download(y, n * 4)
        },
        |got: &Vec<f32>| assert_same(got, &x),
    );
}

#[test]
fn through_shared_memory_each_warp_is_reversed() {
    let x = Random(23).floats(32 * 3);
    let expected: Vec<f32> = (0..x.len()).map(|i| x[i / 32 * 32 + 31 - i % 32]).collect();
    for stride in [1i32, 2, 3, 32, 33] {
        same(
            "copies",
            |device| {
                let (x, y) = (device.upload(&x), device.allocate::<f32>(x.len()));
                device.clean("copy_through_shared", [3, 1, 1], [32, 1, 1], 0, &[x.into(), y.into(), stride.into()]);
                device.download(y, expected.len())
            },
            |got: &Vec<f32>| assert_same(got, &expected),
        );
    }
}
