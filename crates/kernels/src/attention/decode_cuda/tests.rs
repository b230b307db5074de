//! The device's bits are the CPU's. With 16-bit values too: they are widened exactly, the arithmetic is that of f32,
//! and `out` is rounded once. So what bounds the error of f32 bounds theirs, with half a unit in the last place more.

use super::Kernels;
use crate::Error;
use crate::cuda::{Bf16, Buffer, Element, F16, Indices, Queue};
use crate::device::{Cache, Cpu, Device};
use crate::testing::cuda::{Padded, check_accesses, counted, device};
use crate::testing::{bits_but_nan, values};
use noam_emulator::driver::control::set_block_order;
use noam_emulator::exec::BlockOrder;

/// As values of T, and back.
fn rounded<T: Element>(x: &[f32]) -> Vec<f32> {
    x.iter().map(|&x| T::from_f32(x).to_f32()).collect()
}

/// One step on both devices, from the same cache, which is then that of both; `before` values lie in front of every
/// part.
fn step<T: Element>(
    queue: &Queue,
    kernels: &Kernels,
    (dims, nh, at, before): (Cache, usize, usize, usize),
    qkv: &[f32],
    cache: &mut [f32],
) -> Vec<f32> {
    let Cache { rows, c, .. } = dims;
    let qkv = rounded::<T>(qkv);
    let in_cache = rounded::<T>(cache);
    cache.copy_from_slice(&in_cache);
    let qkv_there = Padded::<T>::new(queue, &qkv, before);
    let mut cache_there = Padded::<T>::new(queue, cache, before);
    let mut out_there = Padded::<T>::new(queue, &vec![7.0; rows * c], before);
    let views = (cache_there.view_mut(), out_there.view_mut());
    kernels.cached_attention(queue, dims, nh, at, qkv_there.view(), views).unwrap();

    let mut out = vec![7.0; rows * c];
    Cpu::new().cached_attention(dims, nh, at, &qkv, cache, &mut out).unwrap();
    let place = format!("{}, {dims:?}, NH {nh}, at {at}, {before} values before", T::NAME);
    assert!(cache_there.bits() == bits_but_nan(cache), "cache, {place}");
    assert!(out_there.bits() == bits_but_nan(&rounded::<T>(&out)), "out, {place}");
    out
}

fn has_the_cpus_bits<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Head sizes around the tile's 32 columns; positions around its 32 keys and the block's 128.
    for (rows, nh, hs, max_len, ats, before) in [
        (1, 1, 1, 1, &[0][..], 0),
        (3, 2, 31, 40, &[0, 1, 30, 31, 32, 39], 1),
        (2, 3, 32, 33, &[32], 0),
        (2, 2, 33, 70, &[15, 16, 63, 64], 3),
        (2, 4, 64, 130, &[100, 127, 128], 0),
        (1, 1, 257, 35, &[34], 0),
        (0, 2, 8, 4, &[3], 0),
    ] {
        let dims = Cache { rows, max_len, c: nh * hs };
        // What lies behind a position is not looked at.
        let mut cache = vec![f32::NAN; rows * max_len * 2 * dims.c];
        let mut filled = 0;
        for &at in ats {
            for row in 0..rows {
                let there = row * max_len * 2 * dims.c;
                let (start, end) = (there + filled * 2 * dims.c, there + at * 2 * dims.c);
                cache[start..end].copy_from_slice(&values(end - start, (row + at) as u32, 0.0));
            }
            filled = at + 1;
            let qkv = values(rows * 3 * dims.c, 9 + at as u32, 0.0);
            let out = step::<T>(&queue, &kernels, (dims, nh, at, before), &qkv, &mut cache);
            assert!(out.iter().all(|x| x.is_finite()));
        }
    }
}

#[test]
fn the_devices_bits_are_the_cpus() {
    has_the_cpus_bits::<f32>();
}

#[test]
fn bf16_has_the_bits_of_f32_rounded_once() {
    has_the_cpus_bits::<Bf16>();
    awkward_values::<Bf16>();
}

#[test]
fn f16_has_the_bits_of_f32_rounded_once() {
    has_the_cpus_bits::<F16>();
    awkward_values::<F16>();
}

#[test]
fn awkward_values_have_the_cpus_bits() {
    awkward_values::<f32>();
}

fn awkward_values<T: Element>() {
    const AWKWARD: [f32; 9] =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -1e30, 3e38, -0.0, 1e4, f32::MIN_POSITIVE];
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let dims = Cache { rows: 9, max_len: 40, c: 24 };
    for column in [0, 23, 24, 47] {
        let mut cache = values(9 * 40 * 48, 1, 0.0);
        let qkv = values(9 * 72, 2, 0.0);
        for (row, value) in AWKWARD.into_iter().enumerate() {
            cache[(row * 40 + 3 * row) * 48 + column] = value;
        }
        step::<T>(&queue, &kernels, (dims, 3, 36, 0), &qkv, &mut cache);
        // In the query and the new position.
        let mut qkv = qkv;
        let mut cache = values(9 * 40 * 48, 3, 0.0);
        for (row, value) in AWKWARD.into_iter().enumerate() {
            qkv[row * 72 + column] = value;
        }
        step::<T>(&queue, &kernels, (dims, 2, 36, 0), &qkv, &mut cache);
    }
    // Scores so far apart that all weights but one are zero; and all equal.
    let mut cache = values(9 * 40 * 48, 4, 1e3);
    step::<T>(&queue, &kernels, (dims, 1, 39, 0), &values(9 * 72, 5, 1e3), &mut cache);
    step::<T>(&queue, &kernels, (dims, 1, 39, 0), &[0.0; 9 * 72], &mut cache);
}

/// Of aligned rows, head sizes that are whole requests, and a number of positions that is whole tiles.
fn traffic<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let dims = Cache { rows: 2, max_len: 70, c: 128 };
    let (qkv, mut cache) = (values(2 * 384, 8, 0.0), values(2 * 70 * 256, 9, 0.0));
    let launch = counted(|| {
        step::<T>(&queue, &kernels, (dims, 2, 63, 0), &qkv, &mut cache);
    });
    if let Some(launch) = launch {
        // Queries and the new position, which is written and read again; keys and values of the others.
        let (read, written) = (2 * 384 + 2 * 64 * 256, 2 * 256 + 2 * 128);
        check_accesses(&launch, (read * size_of::<T>(), written * size_of::<T>()), 0);
    }
}

#[test]
fn the_cache_is_read_once_without_conflicts() {
    traffic::<f32>();
    traffic::<Bf16>();
}

#[test]
fn the_order_of_blocks_does_not_matter() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let dims = Cache { rows: 4, max_len: 12, c: 24 };
    for order in [BlockOrder::Backward, BlockOrder::Shuffled(5), BlockOrder::Forward] {
        set_block_order(order);
        let mut cache = values(4 * 12 * 48, 6, 0.0);
        step::<f32>(&queue, &kernels, (dims, 2, 11, 1), &values(4 * 72, 7, 0.0), &mut cache);
    }
}

fn reordered<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Rows shorter than an access, of several parts, and not a multiple of anything; aligned and not.
    for (rows, max_len, c, len, before) in [
        (3, 4, 1, 3, 0),
        (4, 7, 3, 5, 1),
        (4, 7, 3, 7, 0),
        (5, 20, 240, 19, 0),
        (2, 20, 240, 20, 2),
        (2, 5, 6, 0, 0),
        (0, 5, 6, 4, 0),
        (2, 5, 0, 5, 0),
    ] {
        let dims = Cache { rows, max_len, c };
        let size = rows * max_len * 2 * c;
        // Whole numbers that every type has, and NaN.
        let from: Vec<f32> = (0..size).map(|i| if i % 7 == 3 { f32::NAN } else { (i * 31 % 251) as f32 }).collect();
        let parents: Vec<u32> = (0..rows).map(|r| (r * 2 % rows) as u32).collect();
        let mut want = vec![7.0; size];
        Cpu::new().reorder_cache(dims, len, &parents, &from, &mut want).unwrap();
        let from = Padded::<T>::new(&queue, &from, before);
        let mut to = Padded::<T>::new(&queue, &vec![7.0; size], before);
        let parents = Indices::from_host(&queue, &parents).unwrap();
        kernels.reorder_cache(&queue, dims, len, &parents, from.view(), to.view_mut()).unwrap();
        assert!(to.bits() == bits_but_nan(&want), "{}, {dims:?}, len {len}", T::NAME);
    }
}

#[test]
fn caches_go_on_as_their_parents() {
    reordered::<f32>();
    reordered::<Bf16>();
    reordered::<F16>();
}

/// A replay may find parents that the launch was not checked with. Those that are no row count as the last one.
#[test]
fn a_replay_takes_parents_that_are_no_rows_for_the_last() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // One part a row, and two.
    for (max_len, c) in [(5, 3), (12, 200)] {
        let dims = Cache { rows: 4, max_len, c };
        let from = values(4 * max_len * 2 * c, 3, 0.0);
        let mut parents = Indices::from_host(&queue, &[0, 1, 2, 3]).unwrap();
        let there = Padded::<f32>::new(&queue, &from, 0);
        let mut to = Padded::<f32>::new(&queue, &vec![7.0; from.len()], 0);
        let work = || kernels.reorder_cache(&queue, dims, max_len, &parents, there.view(), to.view_mut());
        let mut graph = queue.capture(work).unwrap();
        parents.set(&queue, &[u32::MAX, 4, 1, 1 << 31]).unwrap();
        queue.replay(&mut graph).unwrap();
        let mut want = vec![0.0; from.len()];
        Cpu::new().reorder_cache(dims, max_len, &vec![3, 3, 1, 3], &from, &mut want).unwrap();
        assert_eq!(to.bits(), bits_but_nan(&want));
    }
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let dims = Cache { rows: 2, max_len: 3, c: 4 };
    let seven = |queue: &Queue, len: usize| Buffer::from_host(queue, &vec![7.0; len]).unwrap();
    let qkv = seven(&queue, 24);
    let run = |dims: Cache, nh: usize, at: usize, qkv: &Buffer, lens: [usize; 2]| {
        let (mut cache, mut out) = (seven(&queue, lens[0]), seven(&queue, lens[1]));
        let views = (cache.view_mut(), out.view_mut());
        let result = kernels.cached_attention(&queue, dims, nh, at, qkv.view(), views);
        assert!(out.read().unwrap().iter().all(|&x| x == 7.0) || result.is_ok());
        assert!(cache.read().unwrap().iter().all(|&x| x == 7.0));
        result
    };
    run(dims, 2, 2, &qkv, [48, 8]).unwrap();
    for (nh, at, lens, want) in [
        (0, 0, [48, 8], "the number of heads is 0"),
        (3, 0, [48, 8], "the number of heads is 3"),
        (2, 3, [48, 8], "`at`[0] is 3"),
        (2, 0, [47, 8], "`cache` holds 47"),
        (2, 0, [48, 9], "`out` holds 9"),
    ] {
        let text = run(dims, nh, at, &qkv, lens).unwrap_err().to_string();
        assert!(text.contains(want), "{text}");
    }
    let text = run(Cache { c: 3, ..dims }, 1, 0, &qkv, [36, 6]).unwrap_err().to_string();
    assert!(text.contains("`qkv` holds 24"), "{text}");
    let none = seven(&queue, 0);
    assert!(matches!(run(Cache { c: 0, ..dims }, 1, 0, &none, [0, 0]), Err(Error::Size { what: "C", .. })));
    let long = Cache { rows: 0, max_len: 1 << 20, c: 4 };
    assert!(matches!(run(long, 1, 0, &none, [0, 0]), Err(Error::Size { what: "HS + max_len", .. })));

    let reorder = |len: usize, parents: &[u32], from: &Buffer, to: usize| {
        let mut to = seven(&queue, to);
        let parents = Indices::from_host(&queue, parents).unwrap();
        let error = kernels.reorder_cache(&queue, dims, len, &parents, from.view(), to.view_mut()).unwrap_err();
        assert!(to.read().unwrap().iter().all(|&x| x == 7.0));
        error
    };
    let from = seven(&queue, 48);
    assert!(matches!(reorder(4, &[0, 1], &from, 48), Error::Size { what: "len", .. }));
    assert!(matches!(reorder(3, &[0, 2], &from, 48), Error::Index { arg: "parents", at: 1, got: 2, limit: 2, .. }));
    assert!(matches!(reorder(3, &[0], &from, 48), Error::Length { arg: "parents", .. }));
    assert!(matches!(reorder(3, &[0, 1], &qkv, 48), Error::Length { arg: "from", .. }));
    assert!(matches!(reorder(3, &[0, 1], &from, 47), Error::Length { arg: "to", .. }));

    let other = Queue::new(0).unwrap();
    assert!(matches!(run(dims, 2, 2, &seven(&other, 24), [48, 8]), Err(Error::Queue { arg: "qkv", .. })));
    assert!(matches!(reorder(3, &[0, 1], &seven(&other, 48), 48), Error::Queue { arg: "from", .. }));
}
