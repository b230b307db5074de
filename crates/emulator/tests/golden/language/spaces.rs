//! Where data lies: local arrays, module variables, dynamic shared memory, parameters, and addresses of any of them.

use super::y;
use crate::{
    common::{Arg, Random},
    ways::{assert_bits, assert_same, integers, same},
};

#[test]
fn a_local_array_is_sorted() {
    let n = 101;
    let x = integers(&mut Random(107), n * 8);
    let mut expected = x.clone();
    expected.chunks_mut(8).for_each(<[i32]>::sort);
    same("language", |device| y(device, "sort_in_local", &[&x], n, 8), |got: &Vec<i32>| assert_same(got, &expected));
}

#[test]
fn variables_of_the_module() {
    let n = 150;
    let table = [1.0, 0.5, 0.25, 0.125, 2.0, 4.0, 8.0, 16.0, -1.0, -0.5, 1e-30, 1e30, 3.0, 5.0, 7.0, 11.0f32];
    // Powers of two, so that the product is exact and it does not matter whether the sum is fused with it.
    let settings = [1, -2, 4, 1 << 20];
    let expected: Vec<f32> =
        (0..n).map(|i| table[i % 16] * settings[i % 4] as f32 + [10.0, 20.0, 30.0, 40.0][i % 4]).collect();
    same(
        "language",
        |device| {
            let (address, bytes) = device.module.variable("settings").expect("a variable of the module");
            assert_eq!(bytes, 16);
            let image: Vec<u8> = settings.iter().flat_map(|setting: &i32| setting.to_le_bytes()).collect();
            device.memory.write(address, &image).expect("the host may write constants");
            let result: Vec<u32> = y::<u8, _>(device, "constants", &[], n, 1);
            let (counter, _) = device.module.variable("counter").expect("a variable of the module");
            (result, device.download::<u32>(counter, 1)[0])
        },
        |(got, counter)| {
            assert_bits(got, &expected);
            assert_eq!(*counter, 41 + n as u32);
        },
    );
}

#[test]
fn dynamic_shared_memory_as_two_arrays() {
    for (blocks, threads) in [(1usize, 1usize), (3, 33), (2, 1024)] {
        let n = blocks * threads;
        let x: Vec<f64> = Random(108).floats(n).into_iter().map(f64::from).collect();
        let expected: Vec<f64> = (0..n).map(|i| x[i / threads * threads + threads - 1 - i % threads]).collect();
        same(
            "language",
            |device| {
                let y = device.allocate::<f64>(n);
                let (grid, block) = ([blocks as u32, 1, 1], [threads as u32, 1, 1]);
                let args = [device.upload(&x).into(), y.into()];
                device.clean("dynamic_shared", grid, block, 12 * threads as u32, &args);
                device.download(y, n)
            },
            |got: &Vec<f64>| assert_same(got, &expected),
        );
    }
}

#[test]
fn a_structure_by_value() {
    let n = 77;
    let x = Random(109).floats(n);
    let (shape, factor, flags) = ([3i32, -1000, 1 << 20], 1.0 / 3.0, [0u8, 1, 7, 128, 255]);
    let expected: Vec<f32> =
        (0..n).map(|i| (f64::from(x[i]) * factor) as f32 + shape[i % 3] as f32 + f32::from(flags[i % 5])).collect();
    same(
        "language",
        |device| {
            let (from, to) = (device.upload(&x), device.allocate::<f32>(n));
            // Two pointers, three ints and a gap, a double, five bytes and what fills the last word.
            let mut bytes = [from.to_le_bytes(), to.to_le_bytes()].concat();
            bytes.extend(shape.iter().flat_map(|x| x.to_le_bytes()));
            bytes.extend([0; 4]);
            bytes.extend(factor.to_le_bytes());
            bytes.extend(flags);
            bytes.extend([0; 3]);
            device.clean("by_value", [1, 1, 1], [96, 1, 1], 0, &[Arg(bytes), (n as i32).into()]);
            device.download(to, n)
        },
        |got: &Vec<u32>| assert_bits(got, &expected),
    );
}

#[test]
fn one_load_from_three_spaces() {
    for threads in [2usize, 34, 64] {
        let x = integers(&mut Random(110), threads);
        let expected: Vec<i32> = (0..threads)
            .map(|t| match t % 3 {
                0 => x[t],
                1 => (t as i32 ^ 1) * 10,
                _ => t as i32 * [100, 200][t % 2],
            })
            .collect();
        same(
            "language",
            |device| {
                let y = device.allocate::<i32>(threads);
                let args = [device.upload(&x).into(), y.into()];
                device.clean("generic", [1, 1, 1], [threads as u32, 1, 1], 0, &args);
                device.download(y, threads)
            },
            |got: &Vec<i32>| assert_same(got, &expected),
        );
    }
}
