//! Control flow: switches, tables of branches, loops of different length, traps.

use noam_emulator::finding::{Kind, Thread};

use super::y;
use crate::{
    common::Random,
    ways::{assert_same, integers, same},
};

const N: usize = 200;

#[test]
fn a_switch() {
    let x = integers(&mut Random(103), N);
    let before: Vec<i32> = integers(&mut Random(104), N);
    let result = |(&a, &before): (&i32, &i32)| match a & 15 {
        0 => a.wrapping_add(1),
        1 => a.wrapping_mul(a),
        2 => a ^ 0x5555,
        3 => a.count_ones() as i32,
        4 => a << 3,
        5 => a >> 2,
        6 | 7 => a.leading_zeros() as i32,
        8 => before.wrapping_add(5),
        9 => a % 7,
        10 => a / 3,
        11 => a | 0xf0f,
        12 => a.reverse_bits(),
        13 => a & 0xff,
        _ => 1000,
    };
    let expected: Vec<i32> = x.iter().zip(&before).map(result).collect();
    same(
        "language",
        |device| {
            let y = device.upload(&before);
            let args = [device.upload(&x).into(), y.into(), (N as i32).into()];
            device.clean("jumps", [2, 1, 1], [100, 1, 1], 0, &args);
            device.download(y, N)
        },
        |got: &Vec<i32>| assert_same(got, &expected),
    );
}

#[test]
fn a_table_of_branches() {
    let mut random = Random(105);
    let x: Vec<u32> = (0..N).map(|_| random.next() as u32).collect();
    let expected: Vec<i32> = (0..).zip(&x).map(|(i, x)| i + [10, 21, 32, 43][*x as usize % 4]).collect();
    same("language", |device| y(device, "jump_table", &[&x], N, 1), |got: &Vec<i32>| assert_same(got, &expected));
}

#[test]
fn loops_whose_length_differs() {
    let mut random = Random(106);
    let x: Vec<u32> = (0..N).map(|i| if i < 50 { i as u32 } else { random.next() as u32 }).collect();
    let steps = |&x: &u32| {
        let next = |&a: &u64| (a > 1).then(|| if a % 2 == 0 { a / 2 } else { 3 * a + 1 });
        std::iter::successors(Some(u64::from(x)), next).count() as i32 - 1
    };
    let expected: Vec<i32> = x.iter().map(steps).collect();
    same("language", |device| y(device, "collatz", &[&x], N, 1), |got: &Vec<i32>| assert_same(got, &expected));
}

#[test]
fn a_trap_ends_the_kernel_and_names_the_thread() {
    let mut x: Vec<i32> = (0..N as i32).collect();
    let expected: Vec<i32> = x.iter().map(|x| 2 * x).collect();
    same("language", |device| y(device, "trap_if_negative", &[&x], N, 1), |got: &Vec<i32>| assert_same(got, &expected));
    x[165] = -1;
    same(
        "language",
        |device| {
            let args = [device.upload(&x).into(), device.allocate::<i32>(N).into(), (N as i32).into()];
            let outcome = device.launch("trap_if_negative", [4, 1, 1], [64, 1, 1], 0, &args);
            // How far the other blocks have come is chance.
            device.counted.take();
            assert_eq!(outcome.failure.as_ref(), outcome.findings.first());
            outcome.findings
        },
        |findings| {
            let [finding] = &findings[..] else { panic!("{findings:#?}") };
            let expected = (Kind::Trap, Thread { block: [2, 0, 0], thread: [37, 0, 0] });
            assert_eq!((finding.kind, finding.thread), expected, "{finding:#?}");
        },
    );
}
