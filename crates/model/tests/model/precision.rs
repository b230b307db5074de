//! Models whose activations are bf16 or f16, or whose products are in tf32, on a CUDA device.

use crate::cuda::{cuda, nothing_was_found};
use crate::parity;
use crate::sentences::{Sentences, small, values};
use noam_kernels::adam::{self, Outcome};
use noam_kernels::device::{Cuda, Precision};
use noam_model::{EOS, Embeddings, LossScale, Model, Norm, Pass, Search, Training, Translator, Update, attention_maps};
use noam_schedule::Noam;

const HALVES: [Precision; 2] = [Precision::Bf16, Precision::F16];

/// Passes are compared one by one; with some, norms and losses have moved far from their start.
const PASSES: usize = 6;

#[test]
fn passes_in_bf16_are_pytorchs_but_for_rounding() {
    parity::passes_with_roundoff(cuda().with_precision(Precision::Bf16), 2f64.powi(-9), PASSES);
    nothing_was_found();
}

#[test]
fn passes_in_f16_are_pytorchs_but_for_rounding() {
    parity::passes_with_roundoff(cuda().with_precision(Precision::F16), 2f64.powi(-12), PASSES);
    nothing_was_found();
}

#[test]
fn passes_in_tf32_are_pytorchs_but_for_rounding() {
    // As many bits of precision as f16 has.
    parity::passes_with_roundoff(cuda().with_precision(Precision::Tf32), 2f64.powi(-12), PASSES);
    nothing_was_found();
}

#[test]
fn twenty_updates_in_bf16_stay_near_pytorchs() {
    parity::run_with_roundoff(cuda().with_precision(Precision::Bf16), 2f64.powi(-9));
    nothing_was_found();
}

#[test]
fn twenty_updates_in_f16_stay_near_pytorchs() {
    parity::run_with_roundoff(cuda().with_precision(Precision::F16), 2f64.powi(-12));
    nothing_was_found();
}

#[test]
fn tf32_rounds_in_products() {
    let [exact, rounded] = [Precision::F32, Precision::Tf32].map(|precision| {
        let mut training = start(precision, Norm::Post);
        assert!(training.loss_scale().is_none());
        update(&mut training, 1)
    });
    // Were nothing rounded, they would have the same bits.
    assert!(exact.0 != rounded.0 && exact.1.grad_norm != rounded.1.grad_norm);
    nothing_was_found();
}

const LENGTHS: [(usize, usize); 3] = [(7, 9), (5, 4), (2, 3)];

/// A small model in training, with dropout, after so many updates.
fn start(precision: Precision, norm: Norm) -> Training<Cuda> {
    let config = noam_model::Config { dropout: 0.1, attention_dropout: 0.1, ..small(norm, Embeddings::Shared) };
    let model = Model::from_values(cuda().with_precision(precision), config.clone(), &values(&config, 3)).unwrap();
    Training::new(model, adam::Config::default()).unwrap()
}

/// Update number `n`, of one batch.
fn update(training: &mut Training<Cuda>, n: u64) -> (f64, Update) {
    let batch = Sentences::random(training.model().config().vocab_size, &LENGTHS, 10 * n);
    let pass = Pass { seed: 42, micro_batch: 0, label_smoothing: 0.1, update_tokens: batch.targets() };
    let loss = training.accumulate(&batch.batch(), pass).unwrap().sum;
    (loss, training.update(&Noam::new(12, 2, 1.0).unwrap(), 0.5).unwrap())
}

/// Weights and moments.
fn state(training: &Training<Cuda>) -> [Vec<f32>; 3] {
    let [mut w, mut m, mut v] = [(); 3].map(|()| vec![0.0; training.layout().len()]);
    training.model().read_values(&mut w).unwrap();
    training.read_moments(&mut m, &mut v).unwrap();
    [w, m, v]
}

#[test]
fn a_run_that_rounds_goes_on_from_its_state_with_the_same_bits() {
    for (precision, norm) in [(Precision::Bf16, Norm::Post), (Precision::F16, Norm::Pre), (Precision::Tf32, Norm::Pre)]
    {
        let mut whole = start(precision, norm);
        for n in 1..=3 {
            let _ = update(&mut whole, n);
        }
        let [w, m, v] = state(&whole);
        let config = whole.model().config().clone();
        let model = Model::from_values(cuda().with_precision(precision), config, &w).unwrap();
        let mut resumed = Training::resume(model, adam::Config::default(), 3, &m, &v).unwrap();
        assert_eq!(whole.loss_scale().is_some(), precision == Precision::F16);
        if let Some(scale) = whole.loss_scale() {
            assert_eq!((scale.scale(), scale.good()), (LossScale::START, 3));
            resumed.set_loss_scale(scale);
        }
        for n in 4..=6 {
            assert_eq!(update(&mut whole, n), update(&mut resumed, n));
        }
        assert_eq!(state(&whole), state(&resumed));
        assert_eq!(whole.loss_scale(), resumed.loss_scale());
        assert!(whole.graphs().replays() > 0);
    }
    nothing_was_found();
}

#[test]
fn the_scale_of_the_loss_is_nobody_elses_business() {
    let mut training = start(Precision::F16, Norm::Post);
    let batch = Sentences::random(training.model().config().vocab_size, &LENGTHS, 10);
    let pass = Pass { seed: 42, micro_batch: 0, label_smoothing: 0.1, update_tokens: batch.targets() };
    let _ = training.accumulate(&batch.batch(), pass).unwrap();
    let [mut once, mut twice] = [(); 2].map(|()| vec![0.0; training.layout().len()]);
    training.read_gradients(&mut once).unwrap();
    let norm = once.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    assert!(norm < 100.0, "{norm}");
    training.write_gradients(&once).unwrap();
    training.read_gradients(&mut twice).unwrap();
    assert_eq!(once, twice);
    let update = training.update(&Noam::new(12, 2, 1.0).unwrap(), f64::INFINITY).unwrap();
    // Both are sums of squares in f64, in two orders.
    assert!((update.grad_norm - norm).abs() <= 1e-12 * norm, "{} {norm}", update.grad_norm);
    nothing_was_found();
}

#[test]
fn gradients_that_overflow_f16_skip_the_update_and_lower_the_scale() {
    let mut training = start(Precision::F16, Norm::Post);
    let [before, ..] = state(&training);
    training.set_loss_scale(serde_json::from_str(r#"{"scale":16777216.0,"good":5}"#).unwrap());
    let mut skipped = 0;
    let applied = loop {
        // An update that was skipped has no number: the next attempt is the same one.
        let (loss, update) = update(&mut training, 1);
        assert!(loss.is_finite(), "the loss itself is not scaled");
        match update.outcome {
            Outcome::Skipped { norm } => {
                assert!(!norm.is_finite());
                assert_eq!(state(&training)[0], before);
                skipped += 1;
            }
            Outcome::Applied { .. } => break update,
        }
        assert!(skipped < 24);
    };
    let scale = training.loss_scale().unwrap();
    assert!(skipped > 0);
    assert_eq!((scale.scale(), scale.good()), (16_777_216.0 / f32::powi(2.0, skipped), 1));
    assert_eq!(training.updates(), 1);

    // The scale is undone: another one makes another rounding of the same gradient. A value that is not subnormal is the
    // same with each, so what differs is below 2^-25 over the scale, in some of the parameters.
    let mut other = start(Precision::F16, Norm::Post);
    let want = update(&mut other, 1).1.grad_norm;
    assert!((applied.grad_norm - want).abs() <= want * 2f64.powi(-10), "{} {want}", applied.grad_norm);
    nothing_was_found();
}

#[test]
fn translations_and_attention_come_from_16_bits_too() {
    let sources: [&[u32]; 2] = [&[5, 6, 7, EOS], &[10, 9, 8, 7, 6, 5, 4, 3, EOS]];
    let search = Search { beam: 3, max_tokens: 9, length_penalty: 1.0 };
    for precision in HALVES {
        let training = start(precision, Norm::Post);
        let translate = || Translator::new(training.model()).unwrap().translate(&sources, &search).unwrap();
        let found = translate();
        assert_eq!(found, translate());
        assert!(found.iter().all(|hypothesis| hypothesis.score.is_finite() && hypothesis.score < 0.0));
        for map in attention_maps(training.model(), &[4, 9, 16, 3, EOS], &[7, 8, EOS]).unwrap() {
            for row in map.weights.chunks(map.keys) {
                // Weights are f32, as the sums are that they were divided by; 1e-5 is more than a hundred roundings.
                let sum: f64 = row.iter().map(|&w| f64::from(w)).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{:?}: {sum}", map.kind);
            }
        }
    }
    nothing_was_found();
}
