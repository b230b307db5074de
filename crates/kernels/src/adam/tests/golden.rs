//! Agreement with PyTorch, optax and Keras; `golden/README.md` says what the figures are.

use super::{Bound, Buffers, Constant, PLAIN, Reference, assert_close};
use crate::adam::{Adam, Config, scalars::power};
use serde_json::Value;

/// The inputs, and the runs by name.
struct Golden {
    config: Config,
    start: Vec<f64>,
    grads: Vec<Vec<f64>>,
    rates: Vec<f64>,
    runs: Value,
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn narrow(x: &[f64]) -> Vec<f32> {
    x.iter().map(|&x| x as f32).collect()
}

fn golden() -> Golden {
    let json: Value = serde_json::from_str(include_str!("../golden/ten_steps.json")).unwrap();
    let constant = |name: &str| json[name].as_f64().unwrap();
    let config =
        Config { beta1: constant("beta1"), beta2: constant("beta2"), epsilon: constant("eps"), weight_decay: 0.0 };
    let golden = Golden {
        config,
        start: numbers(&json["p0"]),
        grads: rows(&json["grads"]),
        rates: numbers(&json["rates"]),
        runs: json["runs"].clone(),
    };
    assert_eq!((golden.start.len(), golden.grads.len(), golden.rates.len()), (7, 10, 10));
    golden
}

/// What a library does at step t, in the terms of Algorithm 1: the constants and the rate.
type Convention = fn(Config, u64, f64) -> (Config, f64);

fn algorithm_1(config: Config, _: u64, rate: f64) -> (Config, f64) {
    (config, rate)
}

fn adamw(config: Config, _: u64, rate: f64) -> (Config, f64) {
    (Config { weight_decay: 0.01, ..config }, rate)
}

/// Keras 3 on TensorFlow: alpha = rate * sqrt(1 - beta2^t) / (1 - beta1^t), and epsilon beside sqrt(v). Divided by
/// sqrt(1 - beta2^t), that epsilon is Algorithm 1's. Even in float64, the rate and the betas under the powers have
/// passed through f32; the betas of the moments have not.
fn keras(config: Config, t: u64, rate: f64) -> (Config, f64) {
    let through_f32 = |x: f64| f64::from(x as f32);
    let corrections = |beta1, beta2| (1.0 - power(beta1, t), (1.0 - power(beta2, t)).sqrt());
    let (theirs1, theirs2) = corrections(through_f32(config.beta1), through_f32(config.beta2));
    let (ours1, ours2) = corrections(config.beta1, config.beta2);
    let rate = through_f32(rate) * (theirs2 / theirs1) / (ours2 / ours1);
    (Config { epsilon: config.epsilon / ours2, ..config }, rate)
}

/// The f64 reference by a convention against a library's f64 run.
fn check_reference(run: &str, convention: Convention) {
    let Golden { config, start, grads, rates, runs } = golden();
    let golden = rows(&runs[run]["p"]);
    let mut reference = Reference::new(&start);
    let mut travelled = 0.0;
    for t in 1..=10 {
        let (config, rate) = convention(config, t, rates[t as usize - 1]);
        reference.update(config, t, rate, &grads[t as usize - 1]);
        // Roundings of 2^-53, theirs and ours: two of the parameter a step; of each step (no longer than twice the
        // rate) about 100, most of them in 1 - beta2^t, where the subtraction magnifies what came before by up to 50.
        travelled += 2.0 * rate;
        for (got, want) in reference.params.iter().zip(&golden[t as usize - 1]) {
            let tolerance = 2f64.powi(-53) * (2.0 * t as f64 * want.abs() + 100.0 * travelled);
            assert!((got - want).abs() <= tolerance, "{run}, step {t}: {got} for {want}, tolerance {tolerance:e}");
        }
    }
    for (name, got) in [("m", &reference.m), ("v", &reference.v)] {
        if !runs[run][name].is_null() {
            for (got, want) in got.iter().zip(numbers(&runs[run][name])) {
                // m cancels: against the largest gradient, not against itself.
                assert!((got - want).abs() <= 1e-14 * want.abs().max(if name == "m" { 15.0 } else { 0.0 }));
            }
        }
    }
}

#[test]
fn the_reference_is_pytorchs_and_keras_float64() {
    check_reference("torch_adam_f64", algorithm_1);
    check_reference("torch_adamw_wd0.01_f64", adamw);
    check_reference("keras_adam_float64", keras);
}

/// The operation by a convention, against a library's run in f32 and, if there is one, in f64.
fn check(run_f32: &str, run_f64: Option<&str>, convention: Convention, roundings_of_corrections: f64) {
    let Golden { config, start, grads, rates, runs } = golden();
    let mut b = Buffers::new(&narrow(&start));
    let mut reference = Reference::new(&start);
    let mut bound = Bound::new(7);
    let mut of_corrections = 0.0;
    for t in 1..=10 {
        let at = t as usize - 1;
        let (config, rate) = convention(config, t, rates[at]);
        let old = reference.clone();
        reference.update(config, t, rate, &grads[at]);
        bound.update(config, t, rate, &grads[at], &old, &reference);

        b.g = narrow(&grads[at]);
        // Keras' epsilon differs by the step, so each step has constants of its own.
        let mut adam = Adam::resume(config, t - 1).unwrap();
        let _ = adam.update(&Constant(rate), PLAIN, b.state()).unwrap();

        if let Some(run) = run_f64 {
            assert_close(&b.p, &rows(&runs[run]["p"])[at], &bound.p, 1.01, run);
        }
        // Against f32: our roundings, and at most twice as many of theirs. Where a library computes beta^t in f32, t
        // roundings of it are magnified in 1 - beta^t, of which the update takes the root or not.
        let (c1, c2) = (1.0 - power(config.beta1, t), 1.0 - power(config.beta2, t));
        of_corrections += roundings_of_corrections * t as f64 * 2f64.powi(-24) * (1.0 / c1 + 0.5 / c2) * 2.0 * rate;
        let tolerance: Vec<f64> = bound.p.iter().map(|bound| 3.0 * bound + of_corrections).collect();
        assert_close(&b.p, &rows(&runs[run_f32]["p"])[at], &tolerance, 1.01, run_f32);
    }
    for (name, got, bound) in [("m", &b.m, &bound.m), ("v", &b.v, &bound.v)] {
        if !runs[run_f32][name].is_null() {
            assert_close(got, &numbers(&runs[run_f32][name]), bound, 3.0, name);
        }
    }
}

#[test]
fn agrees_with_pytorchs_adam() {
    check("torch_adam_f32", Some("torch_adam_f64"), algorithm_1, 0.0);
}

#[test]
fn agrees_with_pytorchs_adamw() {
    check("torch_adamw_wd0.01_f32", Some("torch_adamw_wd0.01_f64"), adamw, 0.0);
}

#[test]
fn agrees_with_optax() {
    check("optax_adam_float32", Some("torch_adam_f64"), algorithm_1, 2.0);
}

#[test]
fn agrees_with_keras_once_its_epsilon_is_converted() {
    check("keras_adam_float32", Some("keras_adam_float64"), keras, 2.0);
}

#[test]
fn keras_epsilon_is_told_apart() {
    // Where a gradient is of epsilon's size (parameter 0) the two placements differ by far more than any rounding.
    let Golden { start, runs, .. } = golden();
    let moved = |run: &str| rows(&runs[run]["p"])[9][0] - start[0];
    let ratio = moved("keras_adam_float64") / moved("torch_adam_f64");
    assert!((ratio - 1.0).abs() > 1e-3, "{ratio}");
}
