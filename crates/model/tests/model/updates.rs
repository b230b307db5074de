//! Updates: who counts them, what a bad one leaves behind, how training goes on from where it stopped.

use crate::sentences::{Sentences, model, small};
use noam_kernels::adam::{self, Outcome};
use noam_kernels::device::Cpu;
use noam_model::{Batch, Config, Embeddings, Error, Model, Norm, Pass, Training, Update};
use noam_schedule::{Constant, Noam, Schedule, Step};

fn config() -> Config {
    Config { dropout: 0.1, attention_dropout: 0.1, activation_dropout: 0.1, ..small(Norm::Post, Embeddings::Shared) }
}

fn fresh() -> Training<Cpu> {
    Training::new(model(&config(), 1), adam::Config::default()).unwrap()
}

fn batch(seed: u64) -> Sentences {
    Sentences::random(17, &[(3, 5), (6, 2), (4, 4)], seed)
}

fn pass(update_tokens: usize) -> Pass {
    Pass { seed: 9, micro_batch: 0, label_smoothing: 0.1, update_tokens }
}

/// Parameters, first and second moments, gradients, and the count.
fn state(training: &Training<Cpu>) -> ([Vec<f32>; 4], u64) {
    let len = training.layout().len();
    let [mut w, mut m, mut v, mut g] = [(); 4].map(|()| vec![0.0; len]);
    training.model().read_values(&mut w).unwrap();
    training.read_moments(&mut m, &mut v).unwrap();
    training.read_gradients(&mut g).unwrap();
    ([w, m, v, g], training.updates())
}

fn one(training: &mut Training<Cpu>, seed: u64) -> f64 {
    let batch = batch(seed);
    let loss = training.accumulate(&batch.batch(), pass(batch.targets())).unwrap();
    let update = training.update(&Noam::new(12, 4, 1.0).unwrap(), 1.0).unwrap();
    assert!(matches!(update.outcome, Outcome::Applied { finite: true, .. }));
    loss.sum
}

#[test]
fn every_update_uses_the_schedules_rate_for_its_number_and_clears_the_gradients() {
    let (mut training, schedule) = (fresh(), Noam::new(12, 4, 2.0).unwrap());
    for n in 1..=6 {
        // One, two or three micro-batches: accumulation does not count.
        for micro_batch in 0..(n % 3 + 1) as u16 {
            let batch = batch(n);
            training.accumulate(&batch.batch(), Pass { micro_batch, ..pass(100) }).unwrap();
            training.evaluate(&batch.batch(), 0.0).unwrap();
            assert_eq!(training.updates(), n - 1);
        }
        let step = Step::new(n).unwrap();
        let update = training.update(&schedule, f64::INFINITY).unwrap();
        assert_eq!(update.outcome, Outcome::Applied { step, rate: schedule.rate(step), finite: true });
        assert!(update.grad_norm > 0.0);
        assert!(state(&training).0[3].iter().all(|&g| g == 0.0));
    }
}

#[test]
fn the_gradient_norm_is_that_of_the_gradients_and_clipping_scales_them() {
    let grads = |training: &mut Training<Cpu>| {
        let batch = batch(1);
        training.accumulate(&batch.batch(), pass(batch.targets())).unwrap();
        state(training).0[3].clone()
    };
    let (mut free, mut clipped) = (fresh(), fresh());
    let g = grads(&mut free);
    let norm = g.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    grads(&mut clipped);
    let rate = Constant::new(1e-3).unwrap();
    let got = free.update(&rate, f64::INFINITY).unwrap().grad_norm;
    assert!((got - norm).abs() <= 1e-12 * norm);
    assert_eq!(clipped.update(&rate, norm / 4.0).unwrap().grad_norm, got);
    // The first moment after one update is 0.1 g, clipped or not: two roundings each.
    for ((a, b), g) in state(&free).0[1].iter().zip(&state(&clipped).0[1]).zip(&g) {
        assert!((a / 4.0 - b).abs() <= 4.0 * f32::EPSILON * b.abs(), "{a} {b}");
        assert!((a - 0.1 * g).abs() <= 4.0 * f32::EPSILON * a.abs());
    }
}

#[test]
fn an_update_with_nan_gradients_leaves_everything_but_the_gradients() {
    let (mut training, mut other) = (fresh(), fresh());
    for training in [&mut training, &mut other] {
        one(training, 1);
        one(training, 2);
    }
    let before = state(&training);
    // A good micro-batch, and one computed with a damaged weight.
    let sentences = batch(3);
    training.accumulate(&sentences.batch(), pass(100)).unwrap();
    let mut damaged = before.0[0].clone();
    damaged[40] = f32::NAN;
    training.model_mut().write_values(&damaged).unwrap();
    let loss = training.accumulate(&sentences.batch(), Pass { micro_batch: 1, ..pass(100) }).unwrap();
    assert!(loss.sum.is_nan());
    training.model_mut().write_values(&before.0[0]).unwrap();
    let update = training.update(&Noam::new(12, 4, 1.0).unwrap(), 1.0).unwrap();
    assert!(update.grad_norm.is_nan() && matches!(update.outcome, Outcome::Skipped { .. }), "{update:?}");
    assert_eq!(state(&training), before);
    assert!(before.0[3].iter().all(|&g| g == 0.0));
    // And training goes on as if nothing had been.
    for seed in 4..7 {
        assert_eq!(one(&mut training, seed), one(&mut other, seed));
    }
    assert_eq!(state(&training), state(&other));
}

#[test]
fn a_resumed_run_is_the_run_that_was_not_interrupted() {
    let mut whole = fresh();
    (0..3).for_each(|seed| _ = one(&mut whole, seed));
    let ([w, m, v, _], updates) = state(&whole);
    let model = Model::from_values(Cpu::new(), config(), &w).unwrap();
    let mut resumed = Training::resume(model, adam::Config::default(), updates, &m, &v).unwrap();
    for seed in 3..6 {
        assert_eq!(one(&mut resumed, seed), one(&mut whole, seed));
    }
    assert_eq!(state(&resumed), state(&whole));
    assert_eq!(resumed.updates(), 6);
}

#[test]
fn dropout_depends_on_seed_update_and_micro_batch_and_evaluation_has_none() {
    let mut training = fresh();
    let batch = batch(5);
    let loss = |training: &mut Training<Cpu>, seed, micro_batch| {
        let pass = Pass { seed, micro_batch, ..pass(100) };
        training.accumulate(&batch.batch(), pass).unwrap().sum
    };
    let first = loss(&mut training, 1, 0);
    assert_eq!(loss(&mut training, 1, 0), first);
    let others = [loss(&mut training, 2, 0), loss(&mut training, 1, 1), loss(&mut training, 1 << 32, 0)];
    assert!(others.iter().all(|&other| other != first) && others[0] != others[1] && others[1] != others[2]);
    let evaluated = training.evaluate(&batch.batch(), 0.1).unwrap();
    assert_eq!(training.evaluate(&batch.batch(), 0.1).unwrap(), evaluated);
    assert_ne!(evaluated.sum, first);
    // A rate of nearly nothing: the weights stay, the count moves, and with it the dropout.
    let before = state(&training).0[0].clone();
    let _ = training.update(&Constant::new(1e-30).unwrap(), f64::INFINITY).unwrap();
    assert_eq!(state(&training).0[0], before);
    assert_ne!(loss(&mut training, 1, 0), first);
}

#[test]
fn padding_and_the_order_of_sentences_do_not_matter() {
    let config = small(Norm::Pre, Embeddings::TiedOutput);
    let mut training = Training::new(model(&config, 2), adam::Config::default()).unwrap();
    let pairs = crate::sentences::pairs(17, &[(3, 5), (6, 2), (4, 4)], 8);
    let tight = training.evaluate(&Sentences::new(&pairs).batch(), 0.1).unwrap();
    let wide = training.evaluate(&Sentences::padded(&pairs, 20, 24).batch(), 0.1).unwrap();
    // Each target's loss is the same bits; the sum of 11 in f64 is exact, in any order.
    assert_eq!(wide, tight);
    let reversed: Vec<_> = pairs.into_iter().rev().collect();
    assert_eq!(training.evaluate(&Sentences::new(&reversed).batch(), 0.1).unwrap(), tight);
    // What stands in the padding is not read either.
    let mut filled = Sentences::padded(&reversed, 20, 24);
    for (i, id) in filled.src.iter_mut().enumerate().filter(|(i, _)| i % 20 >= 8) {
        *id = if i % 2 == 0 { 3 } else { u32::MAX };
    }
    assert_eq!(training.evaluate(&filled.batch(), 0.1).unwrap(), tight);
}

#[test]
fn a_refused_batch_leaves_training_as_it_was() {
    let (mut training, mut other) = (fresh(), fresh());
    for training in [&mut training, &mut other] {
        one(training, 1);
        let first = batch(2);
        training.accumulate(&first.batch(), pass(100)).unwrap();
    }
    let before = state(&training);
    let good = batch(3);
    let with = |change: fn(&mut Sentences)| {
        let mut sentences = good.clone();
        change(&mut sentences);
        sentences
    };
    let words = [
        (with(|b| b.src[1] = 17), "ids"),
        (with(|b| b.tgt_in[0] = 1000), "ids"),
        (with(|b| b.tgt_out[3] = 17), "targets"),
        (with(|b| *b.tgt_out.last_mut().unwrap() = u32::MAX), "targets"),
    ];
    for (sentences, word) in &words {
        let error = training.accumulate(&sentences.batch(), pass(100)).unwrap_err();
        assert!(matches!(error, Error::Kernel(_)) && error.to_string().contains(word), "{error}");
        assert!(training.evaluate(&sentences.batch(), 0.1).is_err());
    }
    let shapes = [
        (with(|b| _ = b.src.pop()), "src"),
        (with(|b| b.tgt_in.push(0)), "tgt_in"),
        (with(|b| _ = b.tgt_out.pop()), "tgt_out"),
        (with(|b| _ = b.tgt_lengths.pop()), "tgt_lengths"),
        (with(|b| b.src_lengths[0] = 7), "source length"),
        (with(|b| b.tgt_lengths[2] = 6), "target length"),
        (with(|b| b.s = 0), "size"),
        (with(|b| b.src_lengths.clear()), "size"),
        (with(|b| (b.t, b.tgt_in, b.tgt_out) = (25, vec![0; 75], vec![0; 75])), "max_len"),
    ];
    for (sentences, word) in &shapes {
        let error = training.accumulate(&sentences.batch(), pass(100)).unwrap_err();
        assert!(matches!(error, Error::Batch { .. }) && error.to_string().contains(word), "{error}");
    }
    for (bad, word) in [
        (pass(good.targets() - 1), "update_tokens"),
        (Pass { label_smoothing: 1.0, ..pass(100) }, "smoothing"),
        (Pass { label_smoothing: f32::NAN, ..pass(100) }, "smoothing"),
    ] {
        let error = training.accumulate(&good.batch(), bad).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let noam = Noam::new(12, 4, 1.0).unwrap();
    assert!(training.update(&noam, f64::NAN).is_err() && training.update(&noam, 0.0).is_err());
    assert_eq!(state(&training), before);
    // The update that had begun goes on.
    for training in [&mut training, &mut other] {
        training.accumulate(&good.batch(), Pass { micro_batch: 1, ..pass(100) }).unwrap();
        let _ = training.update(&noam, 1.0).unwrap();
    }
    assert_eq!(state(&training), state(&other));
}

#[test]
fn cleared_gradients_leave_no_trace() {
    let (mut training, mut other) = (fresh(), fresh());
    for training in [&mut training, &mut other] {
        one(training, 1);
    }
    let before = state(&training);
    let (given_up, refused) = (batch(2), Sentences { s: 0, ..batch(3) });
    training.accumulate(&given_up.batch(), pass(100)).unwrap();
    assert!(training.accumulate(&refused.batch(), Pass { micro_batch: 1, ..pass(100) }).is_err());
    assert_ne!(state(&training), before);
    training.clear_gradients().unwrap();
    assert_eq!(state(&training), before);
    // The update that comes after it is the one of training that never began the other.
    for seed in 4..6 {
        assert_eq!(one(&mut training, seed), one(&mut other, seed));
    }
    assert_eq!(state(&training), state(&other));
    // NaN does not survive it either.
    let weights = state(&training).0[0].clone();
    training.model_mut().write_values(&vec![f32::NAN; weights.len()]).unwrap();
    training.accumulate(&given_up.batch(), pass(100)).unwrap();
    assert!(state(&training).0[3].iter().any(|g| g.is_nan()));
    training.clear_gradients().unwrap();
    training.model_mut().write_values(&weights).unwrap();
    assert_eq!(state(&training), state(&other));
}

#[test]
fn a_refused_batch_is_told_its_value_its_limit_and_the_way_out() {
    let mut training = fresh();
    let good = batch(1);
    let mut refuse = |change: fn(&mut Sentences), update_tokens| {
        let mut sentences = good.clone();
        change(&mut sentences);
        training.accumulate(&sentences.batch(), pass(update_tokens)).unwrap_err().to_string()
    };
    let long: fn(&mut Sentences) = |b| (b.t, b.tgt_in, b.tgt_out) = (25, vec![0; 75], vec![0; 75]);
    for (text, parts) in [
        (refuse(|b| b.src_lengths.clear(), 100), ["is 0,", "at least 1;", "leave empty batches out"]),
        (refuse(long, 100), ["is 25,", "at most 24;", "larger `max_len`"]),
        (refuse(|b| _ = b.src.pop(), 100), ["src.len() is 17,", "must be 18;", "number of sentences"]),
        (refuse(|b| b.src_lengths[0] = 7, 100), ["a source length is 7,", "at most 6;", "must fit its positions"]),
        (refuse(|_| (), 3), ["update_tokens is 3,", "at least 11;", "all the batches of the update"]),
    ] {
        assert!(parts.iter().all(|part| text.contains(part)), "{text}: {parts:?}");
    }
}

#[test]
fn a_batch_of_padding_alone_has_no_loss_and_no_gradient() {
    let mut training = fresh();
    let (zeros, none) = ([0; 8], [0, 0]);
    let batch =
        Batch { src: &zeros, src_lengths: &none, tgt_in: &zeros, tgt_out: &zeros, tgt_lengths: &none, s: 4, t: 4 };
    let loss = training.accumulate(&batch, pass(1)).unwrap();
    assert_eq!((loss.sum, loss.tokens), (0.0, 0));
    assert!(state(&training).0[3].iter().all(|&g| g == 0.0));
}

#[test]
fn losses_that_are_not_waited_for_come_with_the_update() {
    let (mut waits, mut does_not) = (fresh(), fresh());
    // More batches than totals stay on a device, an evaluation among them, and an update that is given up.
    for (update, count) in [1, 3, 70].into_iter().enumerate() {
        let given_up = batch(99);
        does_not.enqueue(&given_up.batch(), pass(100)).unwrap();
        does_not.clear_gradients().unwrap();
        let mut sum = 0.0;
        for i in 0..count {
            let batch = batch(100 * update as u64 + u64::from(i));
            let pass = Pass { micro_batch: i, ..pass(100) };
            sum += waits.accumulate(&batch.batch(), pass).unwrap().sum;
            does_not.enqueue(&batch.batch(), pass).unwrap();
            if i == 1 {
                does_not.evaluate(&given_up.batch(), 0.1).unwrap();
            }
        }
        let noam = Noam::new(12, 4, 1.0).unwrap();
        let updates = [&mut waits, &mut does_not].map(|training| training.update(&noam, 1.0).unwrap());
        assert_eq!(updates[0], updates[1]);
        assert_eq!(updates[0].loss.to_bits(), sum.to_bits());
    }
    assert_eq!(state(&waits), state(&does_not));
}

#[test]
fn written_gradients_are_those_of_the_next_update() {
    let (mut training, mut other) = (fresh(), fresh());
    let (first, second) = (batch(1), batch(2));
    training.accumulate(&first.batch(), pass(100)).unwrap();
    other.accumulate(&second.batch(), pass(100)).unwrap();
    let gradients = state(&training).0[3].clone();
    other.write_gradients(&gradients).unwrap();
    for training in [&mut training, &mut other] {
        training.accumulate(&second.batch(), Pass { micro_batch: 1, ..pass(100) }).unwrap();
        training.update(&Noam::new(12, 4, 1.0).unwrap(), 1.0).unwrap();
    }
    assert_eq!(state(&training), state(&other));

    // 3, 4 and 12 have the norm 13.
    let len = gradients.len();
    let sparse = |values: [f32; 3]| {
        let mut gradients = vec![0.0; len];
        (gradients[0], gradients[len / 2], gradients[len - 1]) = values.into();
        gradients
    };
    let rate = Constant::new(1e-3).unwrap();
    training.write_gradients(&sparse([3.0, -4.0, 12.0])).unwrap();
    assert_eq!(training.update(&rate, f64::INFINITY).unwrap().grad_norm, 13.0);

    let before = state(&training);
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        training.write_gradients(&sparse([0.0, bad, 1.0])).unwrap();
        let Update { grad_norm, outcome, .. } = training.update(&rate, 1.0).unwrap();
        assert!(matches!(outcome, Outcome::Skipped { .. }), "{outcome:?}");
        assert_eq!((grad_norm.is_nan(), grad_norm == f64::INFINITY), (bad.is_nan(), bad.is_infinite()));
        assert_eq!(state(&training), before);
    }
    for wrong in [len - 1, len + 1] {
        let refused = training.write_gradients(&vec![1.0; wrong]);
        assert!(matches!(refused, Err(Error::Parameters { got, want }) if (got, want) == (wrong, len)));
    }
    assert_eq!(state(&training), before);
}
