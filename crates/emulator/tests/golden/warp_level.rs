//! What the lanes of a warp tell each other.

use crate::{
    common::{Device, Random},
    ways::{any, assert_same, integers, same},
};

const N: usize = 192;

/// Runs a kernel with x and so many words of y for each thread, in blocks of 96.
fn y(device: &Device, name: &str, x: &[i32], words: usize) -> Vec<u32> {
    let y = device.allocate::<u32>(x.len() * words);
    device.clean(name, [(x.len() / 96) as u32, 1, 1], [96, 1, 1], 0, &[device.upload(x).into(), y.into()]);
    device.download(y, x.len() * words)
}

/// The lanes of i's warp for which something is true.
fn lanes(i: usize, holds: impl Fn(usize) -> bool) -> u32 {
    (0..32).filter(|lane| holds(i / 32 * 32 + lane)).map(|lane| 1 << lane).sum()
}

/// Numbers with few different values, all the same in the second warp; in the third none is divisible by 3.
fn few() -> Vec<i32> {
    let mut random = Random(70);
    let value = |(i, x): (usize, i32)| match i / 32 {
        1 => 6,
        2 => x * 3 + 1,
        _ => x,
    };
    (0..N).map(|i| value((i, (random.next() % 7) as i32 - 3))).collect()
}

#[test]
fn votes() {
    let x = few();
    let expected: Vec<u32> = (0..N)
        .flat_map(|i| {
            let ballot = lanes(i, |at| x[at] % 3 == 0);
            let (any, all) = (ballot != 0, ballot == u32::MAX);
            [any.into(), all.into(), (all || !any).into(), ballot]
        })
        .collect();
    same("warp_level", |device| y(device, "votes", &x, 4), |got| assert_same(got, &expected));
}

#[test]
fn votes_of_each_side_of_a_branch() {
    let x = integers(&mut Random(71), N);
    let expected: Vec<u32> = (0..N)
        .map(|i| lanes(i, |at| at % 2 == i % 2 && x[at] > 0) | if i % 2 == 0 { 0x8000_0000 } else { 0 })
        .collect();
    same("warp_level", |device| y(device, "votes_in_branches", &x, 1), |got| assert_same(got, &expected));
}

#[test]
fn matches() {
    let x = few();
    let expected: Vec<u32> = (0..N)
        .flat_map(|i| {
            let equal = lanes(i, |at| x[at] == x[i]);
            let all = equal == u32::MAX;
            [equal, equal, if all { equal } else { 0 }, all.into()]
        })
        .collect();
    same("warp_level", |device| y(device, "matches", &x, 4), |got| assert_same(got, &expected));
}

#[test]
fn integer_reductions() {
    let x = integers(&mut Random(72), N);
    let expected: Vec<u32> = x
        .chunks(32)
        .flat_map(|warp| {
            let words: Vec<u32> = warp.iter().map(|&x| x as u32).collect();
            let sum = words.iter().fold(0, |sum: u32, x| sum.wrapping_add(*x));
            let fold = |f: fn(u32, u32) -> u32| words.iter().copied().reduce(f).unwrap();
            let signed = |x: Option<&i32>| *x.unwrap() as u32;
            [
                sum,
                signed(warp.iter().min()),
                signed(warp.iter().max()),
                sum,
                fold(u32::min),
                fold(u32::max),
                fold(|a, b| a & b),
                fold(|a, b| a | b) ^ fold(|a, b| a ^ b),
            ]
            .repeat(32)
        })
        .collect();
    same("warp_level", |device| y(device, "reductions", &x, 8), |got| assert_same(got, &expected));
}

#[test]
fn active_lanes_are_on_ones_own_side() {
    let x = integers(&mut Random(73), N);
    same(
        "warp_level",
        |device| y(device, "active_lanes", &x, 2),
        |got| {
            for i in 0..N {
                let side = lanes(i, |at| (x[at] < 0) == (x[i] < 0));
                let (mask, below) = (got[i * 2], got[i * 2 + 1]);
                assert!(mask >> (i % 32) & 1 == 1 && mask & !side == 0, "{i}: {mask:#x} of {side:#x}");
                let rank = (mask & ((1 << (i % 32)) - 1)).count_ones();
                assert_eq!(below, if x[i] < 0 { rank } else { rank | 0x100 }, "{i}");
            }
        },
    );
}

#[test]
fn lanes_leave_one_by_one() {
    let x = integers(&mut Random(74), N);
    let received = |i: usize| {
        let (lane, warp) = (i % 32, i / 32 * 32);
        (0..=lane).fold(0i32, |sum, round| sum.wrapping_add(x[warp + round + (lane + 1) % (32 - round)])) as u32
    };
    let expected: Vec<u32> = (0..N).map(received).collect();
    same("warp_level", |device| y(device, "shrinking_warp", &x, 1), |got| assert_same(got, &expected));
}

#[test]
fn compaction_keeps_the_order_within_a_warp() {
    for n in [1, 33, 150, N] {
        let x = integers(&mut Random(75), n);
        let kept = |warp: &[i32]| -> Vec<i32> { warp.iter().copied().filter(|&x| x > 0).collect() };
        let mut expected: Vec<Vec<i32>> = x.chunks(32).map(kept).filter(|kept| !kept.is_empty()).collect();
        expected.sort();
        // Which warp comes first is chance.
        any(
            "warp_level",
            |device| {
                let (y, count) = (device.upload(&vec![0i32; n]), device.upload(&[0i32]));
                let args = [device.upload(&x).into(), y.into(), count.into(), (n as i32).into()];
                device.clean("compact", [2, 1, 1], [96, 1, 1], 0, &args);
                (device.download::<i32>(y, n), device.download::<i32>(count, 1)[0] as usize)
            },
            |(y, count)| {
                assert_eq!(*count, expected.iter().map(Vec::len).sum::<usize>());
                // The warps' parts, told apart by what they begin with.
                let mut rest = &y[..*count];
                let mut parts = Vec::new();
                while !rest.is_empty() {
                    let part = expected.iter().find(|part| rest.starts_with(part)).expect("a warp's elements in order");
                    parts.push(part.clone());
                    rest = &rest[part.len()..];
                }
                parts.sort();
                assert_eq!(parts, expected);
            },
        );
    }
}

#[test]
fn special_registers() {
    let ([gx, gy, gz], [bx, by, bz]) = ([2u32, 3, 2], [5u32, 3, 3]);
    let mut expected = Vec::new();
    for block in 0..gx * gy * gz {
        for thread in 0..bx * by * bz {
            let lane = thread % 32;
            let eq = 1u32 << lane;
            expected.extend([lane, eq, eq | (eq - 1), eq - 1, !(eq - 1), !(eq - 1) & !eq]);
            expected.extend([thread % bx, thread / bx % by, thread / bx / by]);
            expected.extend([block % gx, block / gx % gy, block / gx / gy]);
        }
    }
    same(
        "warp_level",
        |device| {
            let y = device.allocate::<u32>(expected.len());
            device.clean("special", [gx, gy, gz], [bx, by, bz], 0, &[y.into()]);
            device.download(y, expected.len())
        },
        |got: &Vec<u32>| assert_same(got, &expected),
    );
}
