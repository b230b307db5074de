//! Atomics: histograms, and every operation.

use std::collections::HashMap;

use crate::{
    common::Random,
    ways::{any, assert_same, same},
};

#[test]
fn counts_of_bytes() {
    for (n, grid, threads) in [(1usize, 1u32, 256u32), (1000, 3, 256), (10_007, 2, 256)] {
        let mut random = Random(42);
        // Some bytes much more often than others.
        let data: Vec<u8> = (0..n).map(|_| random.next() as u8 & random.next() as u8).collect();
        let start: Vec<u32> = (0..256).map(|b| b * 1000).collect();
        let mut expected = start.clone();
        data.iter().for_each(|&byte| expected[usize::from(byte)] += 1);
        for name in ["histogram_global", "histogram_shared"] {
            same(
                "histogram",
                |device| {
                    let (data, counts) = (device.upload(&data), device.upload(&start));
                    let args = [data.into(), counts.into(), (n as i32).into()];
                    device.clean(name, [grid, 1, 1], [threads, 1, 1], 0, &args);
                    device.download(counts, 256)
                },
                |got: &Vec<u32>| assert_same(got, &expected),
            );
        }
    }
}

const BLOCKS: usize = 3;
const BLOCK: usize = 64;
const THREADS: usize = BLOCKS * BLOCK;

/// What the elements are after all threads' operations, whose order does not matter: sums of numbers below 2^53 are
/// exact, and the loop of compare-and-swap sees the same parity from all who work on an element.
fn after(n: usize, x: &[u32], a: &[u32], b: &[u64]) -> (Vec<u32>, Vec<u64>, Vec<f32>, Vec<f64>) {
    let (mut a, mut b, mut f, mut d) = (a.to_vec(), b.to_vec(), vec![0.5f32; n], vec![-0.25f64; n]);
    for (i, &v) in x.iter().enumerate() {
        let (at, wide) = (&mut a[i % n * 12..][..12], &mut b[i % n * 4..][..4]);
        at[0] = at[0].wrapping_add(v);
        at[1] = at[1].wrapping_sub(v);
        at[2] = at[2].min(v);
        at[3] = at[3].max(v);
        at[4] = (at[4] as i32).min(v as i32) as u32;
        at[5] = (at[5] as i32).max(v as i32) as u32;
        at[6] &= v;
        at[7] |= v;
        at[8] ^= v;
        at[9] = if at[9] >= 17 { 0 } else { at[9] + 1 };
        at[10] = if at[10] == 0 || at[10] > 17 { 17 } else { at[10] - 1 };
        at[11] = at[11].wrapping_mul(3).wrapping_add(v % 2);
        wide[0] = wide[0].wrapping_add(u64::from(v) << 20);
        wide[1] = wide[1].max(u64::from(v).wrapping_mul(v.into()));
        wide[2] ^= u64::from(v) << 31;
        wide[3] = 0x0123_4567_89ab_cdef;
        f[i % n] += (v % 256) as f32;
        d[i % n] += f64::from(v);
    }
    (a, b, f, d)
}

#[test]
fn every_operation_with_and_without_collisions() {
    for n in [THREADS, 50, 1] {
        let mut random = Random(43);
        let x: Vec<u32> = (0..THREADS).map(|i| random.next() as u32 & !1 | (i % n % 2) as u32).collect();
        let a: Vec<u32> = (0..n * 12)
            .map(|i| if i % 12 == 9 || i % 12 == 10 { i as u32 % 40 } else { random.next() as u32 })
            .collect();
        let b: Vec<u64> = (0..n * 4).map(|_| random.next()).collect();
        let expected = after(n, &x, &a, &b);
        // Which thread sees which old value is chance where they collide.
        any(
            "histogram",
            |device| {
                let (to_a, to_b) = (device.upload(&a), device.upload(&b));
                let (to_f, to_d) = (device.upload(&vec![0.5f32; n]), device.upload(&vec![-0.25f64; n]));
                let old = device.allocate::<u32>(THREADS);
                let x = device.upload(&x);
                let args =
                    [to_a.into(), to_b.into(), to_f.into(), to_d.into(), x.into(), old.into(), (n as i32).into()];
                device.clean("atomics", [BLOCKS as u32, 1, 1], [BLOCK as u32, 1, 1], 0, &args);
                let result = (
                    device.download::<u32>(to_a, n * 12),
                    device.download::<u64>(to_b, n * 4),
                    device.download::<f32>(to_f, n),
                    device.download::<f64>(to_d, n),
                );
                (result, device.download::<u32>(old, THREADS))
            },
            |(result, old)| {
                assert_same(&result.0, &expected.0);
                assert_same(&result.1, &expected.1);
                assert_same(&result.2, &expected.2);
                assert_same(&result.3, &expected.3);
                for element in 0..n {
                    one_after_the_other(a[element * 12], (element..THREADS).step_by(n).map(|i| (old[i], x[i])));
                }
            },
        );
    }
}

/// Old values of additions to one element are those of some order: each is what the one before it left.
fn one_after_the_other(start: u32, additions: impl Iterator<Item = (u32, u32)>) {
    let mut next: HashMap<u32, u32> = HashMap::new();
    for (old, v) in additions {
        assert!(next.insert(old, v).is_none(), "two additions have both seen {old}");
    }
    let mut value = start;
    while let Some(v) = next.remove(&value) {
        value = value.wrapping_add(v);
    }
    assert!(next.is_empty(), "nothing leads to {next:?}");
}
