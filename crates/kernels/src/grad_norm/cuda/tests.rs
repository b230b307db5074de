//! The device's bits are the CPU's.

use super::{Kernels, scratch_len};
use crate::Error;
use crate::adam::cuda::gradient_words;
use crate::cuda::{Buffer, Queue};
use crate::grad_norm::{BLOCK, clip_factor, grad_norm};
use crate::testing::cuda::{Padded, device};
use crate::testing::values;
use noam_emulator::driver::control::set_block_order;
use noam_emulator::exec::BlockOrder;

/// The two words, from gradients that begin `before` values into their buffer.
fn run(
    queue: &Queue,
    kernels: &Kernels,
    grads: &[f32],
    max_norm: f64,
    unscale: Option<f32>,
    before: usize,
) -> [u64; 2] {
    let grads = Padded::<f32>::new(queue, grads, before);
    let unscale = unscale.map(|unscale| Buffer::from_host(queue, &[unscale]).unwrap());
    let mut scratch = Buffer::from_host(queue, &vec![f64::NAN; scratch_len(grads.view().len()) + 2]).unwrap();
    let mut words = Buffer::from_host(queue, &[7u64; 2]).unwrap();
    let unscale = unscale.as_ref().map(|unscale| unscale.view());
    kernels.clip(queue, grads.view(), max_norm, unscale, scratch.view_mut(), words.view_mut()).unwrap();
    words.read().unwrap().try_into().unwrap()
}

/// What Adam should be told; one pattern for every NaN.
fn words(norm: f64, scale: f32) -> [u64; 2] {
    let norm = if norm.is_nan() { f64::NAN } else { norm };
    gradient_words(norm, if scale.is_nan() { f32::NAN } else { scale })
}

fn same_nan([norm, scale]: [u64; 2]) -> [u64; 2] {
    assert!(scale <= u64::from(u32::MAX));
    words(f64::from_bits(norm), f32::from_bits(scale as u32))
}

#[test]
fn the_devices_bits_are_the_cpus() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let all = values(70_001, 3, 0.01);
    for n in [0, 1, 31, 32, 33, 4095, 4096, 4097, 8192, 33 * BLOCK / 2, all.len()] {
        for (max_norm, before) in [(1.0, 0), (1e9, 1), (f64::INFINITY, 3)] {
            let norm = grad_norm(&all[..n]);
            let want = gradient_words(norm, clip_factor(norm, max_norm).unwrap());
            assert_eq!(run(&queue, &kernels, &all[..n], max_norm, None, before), want, "{n} gradients");
        }
    }
}

#[test]
fn more_blocks_than_one_round() {
    // 2048 sums are fetched at a time.
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let grads: Vec<f32> = values(1 << 12, 1, 0.0).repeat(2051);
    let norm = grad_norm(&grads);
    let want = gradient_words(norm, clip_factor(norm, 2.0).unwrap());
    for order in [BlockOrder::Forward, BlockOrder::Shuffled(4)] {
        set_block_order(order);
        let got = run(&queue, &kernels, &grads, 2.0, None, 0);
        set_block_order(BlockOrder::Forward);
        assert_eq!(got, want, "{order:?}");
    }
}

#[test]
fn awkward_gradients_and_limits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let least = f32::from_bits(1);
    let most = vec![f32::MAX; 5000];
    let with = |bad: &[f32]| [&most[..], bad].concat();
    let cases = [
        vec![least; 4],
        vec![-0.0; 5],
        vec![3.0, -4.0],
        most.clone(),
        with(&[f32::NAN]),
        with(&[f32::NEG_INFINITY]),
        with(&[f32::INFINITY, f32::NAN]),
    ];
    for (case, grads) in cases.iter().enumerate() {
        let norm = grad_norm(grads);
        for max_norm in [5.0, 1e-300, f64::MAX, f64::INFINITY] {
            let want = words(norm, clip_factor(norm, max_norm).unwrap());
            assert_eq!(same_nan(run(&queue, &kernels, grads, max_norm, None, 0)), want, "case {case}, {max_norm}");
        }
    }
}

#[test]
fn gradients_of_a_scaled_loss_are_unscaled() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let grads = values(5000, 2, 0.0);
    for loss_scale in [1.0f32, 1024.0, 65_536.0, 0.5] {
        let scaled: Vec<f32> = grads.iter().map(|g| g * loss_scale).collect();
        for max_norm in [0.25, 1e6] {
            // Powers of two commute with every rounding here.
            let norm = grad_norm(&grads);
            let want = gradient_words(norm, clip_factor(norm, max_norm).unwrap() / loss_scale);
            assert_eq!(run(&queue, &kernels, &scaled, max_norm, Some(1.0 / loss_scale), 0), want);
        }
    }
    // Any other factor is rounded in the order that is stated.
    let norm = grad_norm(&grads) * f64::from(0.3f32);
    let want = gradient_words(norm, clip_factor(norm, 1.0).unwrap() * 0.3);
    assert_eq!(run(&queue, &kernels, &grads, 1.0, Some(0.3), 0), want);
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let other = Queue::new(0).unwrap();
    let grads = Buffer::from_host(&queue, &values(5000, 1, 0.0)).unwrap();
    let refuse = |max_norm: f64, scratch: usize, words: usize, unscale: &Queue| {
        let unscale = Buffer::from_host(unscale, &[1.0]).unwrap();
        let mut scratch = Buffer::from_host(&queue, &vec![7.0; scratch]).unwrap();
        let mut words = Buffer::from_host(&queue, &vec![7u64; words]).unwrap();
        let (view, unscale) = (grads.view(), Some(unscale.view()));
        let error = kernels.clip(&queue, view, max_norm, unscale, scratch.view_mut(), words.view_mut()).unwrap_err();
        assert!(words.read().unwrap().iter().all(|&word| word == 7));
        assert!(scratch.read().unwrap().iter().all(|&sum| sum == 7.0));
        error
    };
    for bad in [0.0, -1.0, f64::NAN] {
        assert!(matches!(refuse(bad, 2, 2, &queue), Error::Scalar { what: "max_norm", .. }));
    }
    assert!(matches!(refuse(1.0, 1, 2, &queue), Error::Length { arg: "scratch", got: 1, want: 2, .. }));
    assert!(matches!(refuse(1.0, 2, 3, &queue), Error::Length { arg: "words", .. }));
    assert!(matches!(refuse(1.0, 2, 2, &other), Error::Queue { arg: "unscale", .. }));
}
