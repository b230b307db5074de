//! What a pair of layers, one of the encoder and one of the decoder, launches in a pass of training: the difference
//! between two models of which one has a pair more.
//!
//! Without the device's checks: the other tests make them.
#![cfg(feature = "cuda")]

use noam_emulator::driver::control::{set_counting, take_launches, take_reports};
use noam_kernels::adam;
use noam_kernels::device::Cuda;
use noam_model::{BOS, Batch, Config, EOS, Embeddings, Model, Norm, Pass, Training};
use std::collections::BTreeMap;

/// How the names of matrix products begin: alone, and with dropout or a norm behind them.
const PRODUCTS: [&str; 2] = ["matmul_", "linear_"];

/// How those of all other kernels begin that a pair of layers may launch.
const OTHERS: [&str; 4] =
    ["attention_forward_", "attention_backward_queries_", "attention_backward_keys_", "layer_norm_backward_"];

/// Launches of a forward and backward pass, by kernel.
fn launches(norm: Norm, layers: usize, dropout: f64, len: usize) -> BTreeMap<String, usize> {
    let config = Config {
        vocab_size: 24,
        d_model: 16,
        n_heads: 2,
        d_ff: 32,
        encoder_layers: layers,
        decoder_layers: layers,
        max_len: len,
        dropout,
        attention_dropout: dropout,
        activation_dropout: dropout,
        norm,
        embeddings: Embeddings::Shared,
        ..Config::default()
    };
    let device = Cuda::new(0).expect("a device");
    let mut training = Training::new(Model::new(device, config, 7).unwrap(), adam::Config::default()).unwrap();
    let word = |i: usize| if i + 1 == len { EOS } else { 3 + (i as u32 * 7) % 20 };
    let (src, lengths): (Vec<u32>, _) = ((0..len).map(word).collect(), [len as u32]);
    let tgt_in: Vec<u32> = std::iter::once(BOS).chain((0..len - 1).map(word)).collect();
    let batch = Batch {
        src: &src,
        src_lengths: &lengths,
        tgt_in: &tgt_in,
        tgt_out: &src,
        tgt_lengths: &lengths,
        s: len,
        t: len,
    };
    let pass = Pass { seed: 3, micro_batch: 0, label_smoothing: 0.1, update_tokens: len };
    take_launches();
    assert!(training.accumulate(&batch, pass).unwrap().sum > 0.0);
    let mut counts = BTreeMap::new();
    for launch in take_launches() {
        *counts.entry(launch.kernel.clone()).or_default() += 1;
    }
    counts
}

/// Products of a pair of layers, and its other launches in the order of [`OTHERS`].
fn of_a_pair(norm: Norm, dropout: f64, len: usize) -> (usize, [usize; 4]) {
    let [one, two] = [1, 2].map(|layers| launches(norm, layers, dropout, len));
    let (mut products, mut others) = (0, [0; 4]);
    for (kernel, count) in &two {
        let more = count - one.get(kernel).unwrap_or(&0);
        if PRODUCTS.iter().any(|begin| kernel.starts_with(begin)) {
            products += more;
        } else if more > 0 {
            let at = OTHERS.iter().position(|begin| kernel.starts_with(begin));
            others[at.unwrap_or_else(|| panic!("a pair of layers launches {kernel}"))] += more;
        }
    }
    println!("{norm:?}, dropout {dropout}, {len} tokens: {products} products, {} others", others.iter().sum::<usize>());
    (products, others)
}

/// Products: 11 linear layers, each forward, for its input's gradient and for its weight's. Others: three attentions, and the
/// backward of five sublayers' norms. Dropout and the norms forward are parts of products. The aim is 14 others at most.
#[test]
fn a_pair_of_layers_launches_this_much() {
    noam_emulator::install::install().expect("the emulator can be installed");
    set_counting(true, false);
    for norm in [Norm::Post, Norm::Pre] {
        for dropout in [0.0, 0.1] {
            // Attention's backward of f32 is one launch up to 32 keys.
            assert_eq!(of_a_pair(norm, dropout, 24), (33, [3, 0, 3, 5])); // 11
            assert_eq!(of_a_pair(norm, dropout, 40), (33, [3, 3, 3, 5])); // 14
        }
    }
    set_counting(false, false);
    assert!(take_reports().is_empty());
}
