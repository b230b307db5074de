//! The device's choice is the CPU's; of 16-bit scores that among their values in f32, to which they are widened
//! exactly.

use super::{CudaOutput, Kernels};
use crate::Error;
use crate::cuda::{Bf16, Buffer, Element, F16, Queue};
use crate::testing::cuda::{check_accesses, counted, device};
use crate::testing::{bits_but_nan, values, words};
use crate::top_k::{Output, top_k};
use noam_emulator::driver::control::set_block_order;
use noam_emulator::exec::BlockOrder;

/// Both devices on scores that lie `before` values behind an aligned address.
fn compare<T: Element>(queue: &Queue, kernels: &Kernels, scores: &[f32], (v, k, before): (usize, usize, usize)) {
    let n = scores.len() / v;
    let there: Vec<T> = scores.iter().map(|&x| T::from_f32(x)).collect();
    let scores: Vec<f32> = there.iter().map(|x| x.to_f32()).collect();
    let (mut want, mut want_indices) = (vec![7.0; n * k], vec![7; n * k]);
    top_k(&scores, v, k, Output { values: &mut want, indices: &mut want_indices }).unwrap();

    let nan = T::from_f32(f32::NAN);
    let there = Buffer::from_host(queue, &[vec![nan; before], there, vec![nan]].concat()).unwrap();
    let mut got = Buffer::from_host(queue, &vec![7.0; n * k + 2]).unwrap();
    let mut got_indices = Buffer::from_host(queue, &vec![7; n * k + 2]).unwrap();
    let [values] = got.view_mut().split([(1, n * k)]);
    let [indices] = got_indices.view_mut().split([(1, n * k)]);
    kernels.top_k(queue, there.view().part(before, n * v), v, k, CudaOutput { values, indices }).unwrap();
    let place = format!("{}, N {n}, V {v}, k {k}, {before} values before", T::NAME);
    assert_eq!(got_indices.read().unwrap(), [&[7], &want_indices[..], &[7]].concat(), "{place}");
    assert_eq!(bits_but_nan(&got.read().unwrap()), bits_but_nan(&[&[7.0], &want[..], &[7.0]].concat()), "{place}");
}

/// On scores of every type.
fn compare_all(queue: &Queue, kernels: &Kernels, scores: &[f32], shape: (usize, usize, usize)) {
    compare::<f32>(queue, kernels, scores, shape);
    compare::<Bf16>(queue, kernels, scores, shape);
    compare::<F16>(queue, kernels, scores, shape);
}

#[test]
fn the_devices_choice_is_the_cpus() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Lengths around a warp, a warp's eight values a thread, a block of 1024 threads.
    for (v, k, before) in
        [(1, 1, 0), (31, 5, 1), (32, 32, 0), (33, 4, 3), (255, 9, 0), (257, 3, 1), (8193, 2, 2), (20_003, 8, 0)]
    {
        compare_all(&queue, &kernels, &values(3 * v, 1, 0.0), (v, k, before));
    }
    compare_all(&queue, &kernels, &[], (5, 2, 0));
    // Everything, sorted.
    compare_all(&queue, &kernels, &values(300, 2, 0.0), (300, 300, 0));
}

#[test]
fn ties_and_odd_values_keep_their_order() {
    const ODD: [f32; 11] =
        [0.0, -0.0, 1.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, 1e-45, -1e-45, f32::MAX, f32::MIN];
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (v, nan) in [(5, false), (70, false), (70, true), (600, true)] {
        let mut x: Vec<f32> = words(9 * v, 3).iter().map(|&w| ODD[w as usize % ODD.len()]).collect();
        if nan {
            // Of both signs.
            x.iter_mut().step_by(41).for_each(|x| *x = f32::from_bits(0xffc0_1234));
            x.iter_mut().skip(7).step_by(97).for_each(|x| *x = f32::NAN);
        }
        compare_all(&queue, &kernels, &x, (v, v.min(20), 0));
    }
    compare_all(&queue, &kernels, &[f32::NEG_INFINITY; 100], (50, 50, 0));
    compare_all(&queue, &kernels, &(0..400).map(|i| i as f32).collect::<Vec<_>>(), (200, 7, 0));
}

#[test]
fn scores_are_read_once_without_conflicts() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let (n, v, k) = (3, 4096, 8);
    let scores = values(n * v, 5, 0.0);
    let launch = counted(|| compare::<f32>(&queue, &kernels, &scores, (v, k, 0)));
    if let Some(launch) = launch {
        // What is written lies across sectors, one more for each of the two buffers.
        check_accesses(&launch, (4 * n * v, 8 * n * k), 2);
    }
}

#[test]
fn the_order_of_blocks_does_not_matter() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for order in [BlockOrder::Backward, BlockOrder::Shuffled(5), BlockOrder::Forward] {
        set_block_order(order);
        compare_all(&queue, &kernels, &values(900, 4, 0.0), (100, 4, 1));
    }
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let run = |scores: &Buffer, v: usize, k: usize, lens: [usize; 2]| {
        let mut values = Buffer::from_host(&queue, &vec![7.0; lens[0]]).unwrap();
        let mut indices = Buffer::from_host(&queue, &vec![7; lens[1]]).unwrap();
        let out = CudaOutput { values: values.view_mut(), indices: indices.view_mut() };
        let error = kernels.top_k(&queue, scores.view(), v, k, out).unwrap_err();
        assert!(values.read().unwrap().iter().all(|&x| x == 7.0));
        assert!(indices.read().unwrap().iter().all(|&x| x == 7));
        error
    };
    let four = Buffer::from_host(&queue, &[1.0; 4]).unwrap();
    for (v, k, lens, want) in [
        (0, 1, [1, 1], "V is 0"),
        (2, 0, [0, 0], "k is 0"),
        (2, 3, [6, 6], "k is 3"),
        (3, 1, [1, 1], "`scores` holds 4 values"),
        (2, 1, [3, 2], "`values` holds 3 values"),
        (2, 1, [2, 1], "`indices` holds 1 values"),
    ] {
        let text = run(&four, v, k, lens).to_string();
        assert!(text.contains(want), "{text}");
    }
    let other = Queue::new(0).unwrap();
    let elsewhere = Buffer::from_host(&other, &[1.0; 4]).unwrap();
    assert!(matches!(run(&elsewhere, 2, 1, [2, 2]), Error::Queue { arg: "scores", .. }));
}
