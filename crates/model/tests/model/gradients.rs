//! Loss and gradients of the whole model against finite differences of the f64 reference.

use crate::reference::{Noise, Reference};
use crate::sentences::{Draw, Sentences, small, values};
use noam_kernels::adam;
use noam_kernels::device::Cpu;
use noam_model::{Config, Embeddings, Model, Norm, Pass, Training};

/// Checks loss and gradients at one point: of every tensor three single elements, and the derivative along a direction of
/// random signs, to which every element contributes.
///
/// Tolerances. The model works in f32: its loss is off by some roundings of 2^-24 on the way through about 40 operations,
/// which average out: 2^-24 · sqrt(40) · 2 < 1e-6, relative. A gradient element is a sum of terms each off by as much; terms
/// cancel, so its error is relative to the size of the tensors' gradients, not its own: 4e-6 of the largest element of its
/// tensor, and 4e-7 of the largest of all (where exact gradients cancel to nothing, as those of the keys' biases do).
/// Elements' errors add up along a direction like their squares. Finite differences in f64 with h = 1e-5 are off by h²/6
/// of a third derivative and 1e-16/h of the loss: 1e-10.
fn check(config: &Config, noise: Option<Noise>, smoothing: f32, seed: u64) {
    let values = values(config, seed);
    // A sentence of one token on either side, and none as long as the batch is wide on both.
    let batch = Sentences::random(config.vocab_size, &[(3, 5), (6, 1), (1, 9), (4, 4)], seed + 100);
    let tokens = batch.targets();
    let model = Model::from_values(Cpu::new(), config.clone(), &values).unwrap();
    let mut training = Training::new(model, adam::Config::default()).unwrap();
    let (pass_seed, micro_batch) = noise.map_or((0, 0), |n| (n.seed, n.micro_batch as u16));
    // More tokens than this batch has: a part of an update.
    let update_tokens = tokens + 7;
    let pass = Pass { seed: pass_seed, micro_batch, label_smoothing: smoothing, update_tokens };
    let loss = training.accumulate(&batch.batch(), pass).unwrap();
    let mut grads = vec![0.0; values.len()];
    training.read_gradients(&mut grads).unwrap();

    let reference = Reference::new(config, noise);
    let mut point: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
    let want = reference.loss(&point, &batch, smoothing).0;
    assert_eq!(loss.tokens, tokens);
    assert!((loss.sum - want).abs() <= 1e-6 * want, "loss {} and {want}", loss.sum);
    if noise.is_none() {
        let evaluated = training.evaluate(&batch.batch(), smoothing).unwrap();
        let nll = reference.loss(&point, &batch, smoothing).1;
        assert_eq!(evaluated.sum, loss.sum);
        assert!((evaluated.nll - nll).abs() <= 1e-6 * nll, "nll {} and {nll}", evaluated.nll);
    }

    let h = 1e-5;
    let mut along = |direction: &[(usize, f64)]| {
        let mut at = |h: f64| {
            direction.iter().for_each(|&(i, d)| point[i] = f64::from(values[i]) + h * d);
            let loss = reference.loss(&point, &batch, smoothing).0 / update_tokens as f64;
            direction.iter().for_each(|&(i, _)| point[i] = f64::from(values[i]));
            loss
        };
        (at(h) - at(-h)) / (2.0 * h)
    };
    let largest = |g: &[f32]| f64::from(g.iter().fold(0.0f32, |max, g| max.max(g.abs())));
    let overall = largest(&grads);
    assert!(overall > 1e-3, "gradients vanish: {overall}");
    let mut draw = Draw::new(seed + 200);
    for entry in training.layout().entries() {
        let g = &grads[entry.offset..entry.offset + entry.len()];
        let tolerance = 4e-6 * largest(g) + 4e-7 * overall;
        for _ in 0..3 {
            let i = draw.range(0, g.len() as u32) as usize;
            let (got, want) = (f64::from(g[i]), along(&[(entry.offset + i, 1.0)]));
            assert!((got - want).abs() <= tolerance, "{}[{i}]: {got:e}, want {want:e} ± {tolerance:e}", entry.name);
        }
        let direction: Vec<(usize, f64)> =
            (0..g.len()).map(|i| (entry.offset + i, if draw.unit() < 0.0 { -1.0 } else { 1.0 })).collect();
        let got: f64 = direction.iter().zip(g).map(|((_, d), &g)| d * f64::from(g)).sum();
        let want = along(&direction);
        let tolerance = tolerance * (g.len() as f64).sqrt();
        assert!((got - want).abs() <= tolerance, "{}: {got:e}, want {want:e} ± {tolerance:e}", entry.name);
    }
}

#[test]
fn post_norm_with_shared_embeddings() {
    check(&small(Norm::Post, Embeddings::Shared), None, 0.1, 1);
}

#[test]
fn post_norm_with_tied_output_and_no_smoothing() {
    check(&small(Norm::Post, Embeddings::TiedOutput), None, 0.0, 2);
}

#[test]
fn post_norm_with_separate_embeddings() {
    check(&small(Norm::Post, Embeddings::Separate), None, 0.2, 3);
}

#[test]
fn pre_norm_with_shared_embeddings() {
    check(&small(Norm::Pre, Embeddings::Shared), None, 0.1, 4);
}

#[test]
fn pre_norm_with_separate_embeddings_and_unequal_stacks() {
    let config = Config { encoder_layers: 3, decoder_layers: 1, ..small(Norm::Pre, Embeddings::Separate) };
    check(&config, None, 0.1, 5);
}

#[test]
fn pre_norm_with_tied_output_and_one_wide_head() {
    let config = Config {
        d_model: 34,
        n_heads: 1,
        encoder_layers: 1,
        decoder_layers: 2,
        ..small(Norm::Pre, Embeddings::TiedOutput)
    };
    check(&config, None, 0.0, 6);
}

fn noisy(norm: Norm, embeddings: Embeddings) -> Config {
    Config { dropout: 0.2, attention_dropout: 0.3, activation_dropout: 0.25, ..small(norm, embeddings) }
}

#[test]
fn dropout_in_every_place_with_post_norm() {
    let noise = Noise { seed: 0x1234_5678_9abc, step: 1, micro_batch: 0 };
    check(&noisy(Norm::Post, Embeddings::Shared), Some(noise), 0.1, 7);
}

#[test]
fn dropout_in_every_place_with_pre_norm_in_a_later_micro_batch() {
    let noise = Noise { seed: 99, step: 1, micro_batch: 3 };
    check(&noisy(Norm::Pre, Embeddings::Separate), Some(noise), 0.1, 8);
}

#[test]
fn dropout_in_each_place_alone() {
    let noise = Some(Noise { seed: 5, step: 1, micro_batch: 1 });
    let plain = small(Norm::Post, Embeddings::TiedOutput);
    check(&Config { dropout: 0.3, ..plain.clone() }, noise, 0.1, 9);
    check(&Config { attention_dropout: 0.3, ..plain.clone() }, noise, 0.1, 10);
    check(&Config { activation_dropout: 0.3, ..plain }, noise, 0.1, 11);
}
