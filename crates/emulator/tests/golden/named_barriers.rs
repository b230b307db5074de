//! Barriers by number, with counts, and barriers that reduce.

use crate::{
    common::{Device, Random},
    ways::{assert_same, integers, same},
};

fn y(device: &Device, name: &str, threads: u32, x: &[i32], count: usize, rounds: Option<i32>) -> Vec<i32> {
    let y = device.allocate::<i32>(count);
    let mut args = vec![device.upload(x).into(), y.into()];
    args.extend(rounds.map(Into::into));
    device.clean(name, [1, 1, 1], [threads, 1, 1], 0, &args);
    device.download(y, count)
}

#[test]
fn a_warp_produces_and_another_consumes() {
    for rounds in [1i32, 2, 3, 8] {
        let n = 32 * rounds as usize;
        let x = integers(&mut Random(36), n);
        let expected: Vec<i32> = x.iter().map(|x| x.wrapping_mul(2).wrapping_add(1)).collect();
        same(
            "named_barriers",
            |device| y(device, "producer_consumer", 64, &x, n, Some(rounds)),
            |got| assert_same(got, &expected),
        );
    }
}

#[test]
fn two_groups_have_barriers_of_their_own() {
    let x = integers(&mut Random(37), 128);
    let mirrored = |i: usize| x[i / 64 * 64 + 63 - i % 64];
    let expected: Vec<i32> = (0..128).map(|i| mirrored(i).wrapping_add(x[127 - i])).collect();
    same("named_barriers", |device| y(device, "groups", 128, &x, 128, None), |got| assert_same(got, &expected));
}

#[test]
fn barriers_count_and_combine() {
    for threads in [1usize, 32, 100, 256] {
        for threshold in [i32::MIN, 0, i32::MAX] {
            // None positive, some, all.
            let x: Vec<i32> = integers(&mut Random(38), threads)
                .iter()
                .map(|&x| i32::from(x >= threshold && threshold < i32::MAX))
                .collect();
            let count = x.iter().sum();
            let expected = [count, i32::from(count == threads as i32), i32::from(count > 0)];
            same(
                "named_barriers",
                |device| y(device, "barrier_reductions", threads as u32, &x, 3, None),
                |got| assert_same(got, &expected),
            );
        }
    }
}
