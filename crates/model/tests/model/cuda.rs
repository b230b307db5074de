//! The model on a CUDA device: the bits of the CPU. The device is the emulated one with all its checks, or a real one if
//! `NOAM_TEST_DEVICE` is `cuda`.

use crate::parity;
use crate::sentences::{Sentences, small, values};
use noam_emulator::driver::control::take_reports;
use noam_emulator::driver::{configure, settings::Settings};
use noam_emulator::finding::Checks;
use noam_kernels::adam;
use noam_kernels::device::{Cpu, Cuda, Device};
use noam_model::{
    AttentionMap, Config, EOS, Embeddings, Hypothesis, Model, Norm, Pass, Search, Training, Translator, attention_maps,
};
use noam_schedule::Noam;
use std::sync::Once;

pub fn cuda() -> Cuda {
    static INSTALLED: Once = Once::new();
    if std::env::var_os("NOAM_TEST_DEVICE").is_none_or(|device| device != "cuda") {
        INSTALLED.call_once(|| {
            // Leaks are looked for when a context ends, and tests share one.
            let checks = Checks { leak: false, ..Checks::ALL };
            configure(Settings { checks, ..Settings::default() }).expect("nothing has used the emulator before");
            noam_emulator::install::install().expect("the emulator can be installed");
        });
    }
    Cuda::new(0).expect("a device")
}

/// Everything that was found wrong in launches of this thread: nothing.
pub fn nothing_was_found() {
    let reports = take_reports();
    assert!(reports.is_empty(), "{reports:#?}");
}

#[derive(Debug, PartialEq)]
struct Run {
    /// Weights and moments.
    bits: Vec<u32>,
    /// Losses and gradient norms.
    scalars: Vec<u64>,
    found: Vec<Hypothesis>,
    maps: Vec<AttentionMap>,
}

/// Five updates of two micro-batches each, a validation, a translation, pictures. Shapes come again, so that a device that
/// can replay does.
fn run<D: Device>(device: D, config: &Config) -> (Run, Training<D>) {
    let model = Model::from_values(device, config.clone(), &values(config, 3)).unwrap();
    let mut training = Training::new(model, adam::Config::default()).unwrap();
    let schedule = Noam::new(config.d_model as u64, 2, 1.0).unwrap();
    let lengths = [[(17, 9), (5, 11), (12, 3)], [(2, 2), (1, 1), (4, 3)]];
    let mut scalars = Vec::new();
    for update in 0..5 {
        let batches = [0, 1].map(|i| Sentences::random(config.vocab_size, &lengths[i], 10 * update + i as u64));
        let update_tokens = batches.iter().map(Sentences::targets).sum();
        for (micro_batch, batch) in (0..).zip(&batches) {
            let pass = Pass { seed: 42, micro_batch, label_smoothing: 0.1, update_tokens };
            scalars.push(training.accumulate(&batch.batch(), pass).unwrap().sum.to_bits());
        }
        scalars.push(training.update(&schedule, 0.5).unwrap().grad_norm.to_bits());
    }
    let held_out = Sentences::random(config.vocab_size, &lengths[0], 77);
    let evaluated = training.evaluate(&held_out.batch(), 0.1).unwrap();
    scalars.extend([evaluated.sum.to_bits(), evaluated.nll.to_bits()]);
    let len = training.layout().len();
    let [mut w, mut m, mut v] = [(); 3].map(|()| vec![0.0; len]);
    training.model().read_values(&mut w).unwrap();
    training.read_moments(&mut m, &mut v).unwrap();
    let bits = [w, m, v].concat().iter().map(|x| x.to_bits()).collect();
    let sources: [&[u32]; 3] = [&[5, 6, 7, EOS], &[EOS], &[10, 9, 8, 7, 6, 5, 4, 3, EOS]];
    let search = Search { beam: 3, max_tokens: 9, length_penalty: 1.0 };
    let found = Translator::new(training.model()).unwrap().translate(&sources, &search).unwrap();
    let maps = attention_maps(training.model(), &[4, 9, 16, 3, EOS], &[7, 8, EOS]).unwrap();
    (Run { bits, scalars, found, maps }, training)
}

fn same_bits(config: &Config) {
    let (want, _) = run(Cpu::new(), config);
    let (got, training) = run(cuda(), config);
    assert!(want.scalars.iter().all(|&scalar| f64::from_bits(scalar).is_finite()));
    assert_eq!(got.scalars, want.scalars);
    assert!(got == want, "weights, moments, translations or attention weights differ");
    // The first update makes room in the end, so that the second begins both shapes anew and the other three replay them;
    // four replay the update itself.
    assert_eq!(training.graphs().replays(), 3 * 2 + 4);
    nothing_was_found();
}

#[test]
fn post_norm_with_shared_embeddings_has_the_cpus_bits() {
    let dropout = Config { dropout: 0.1, attention_dropout: 0.15, activation_dropout: 0.2, ..Config::default() };
    let Config { dropout, attention_dropout, activation_dropout, .. } = dropout;
    same_bits(&Config { dropout, attention_dropout, activation_dropout, ..small(Norm::Post, Embeddings::Shared) });
}

#[test]
fn pre_norm_with_separate_embeddings_has_the_cpus_bits() {
    same_bits(&Config { dropout: 0.3, ..small(Norm::Pre, Embeddings::Separate) });
}

#[test]
fn sizes_that_fill_warps_have_the_cpus_bits() {
    let small = small(Norm::Post, Embeddings::TiedOutput);
    same_bits(&Config { vocab_size: 96, d_model: 64, n_heads: 2, d_ff: 128, dropout: 0.1, encoder_layers: 1, ..small });
}

#[test]
fn pytorchs_run_is_reproduced() {
    parity::twenty_updates_on(cuda());
    parity::searches_on(cuda());
    nothing_was_found();
}

#[test]
fn a_batch_whose_words_are_none_is_refused_though_its_shape_is_known() {
    let config = small(Norm::Post, Embeddings::Shared);
    let model = Model::from_values(cuda(), config.clone(), &values(&config, 3)).unwrap();
    let mut training = Training::new(model, adam::Config::default()).unwrap();
    let good = Sentences::random(config.vocab_size, &[(3, 4), (2, 5)], 1);
    let pass = Pass { seed: 1, micro_batch: 0, label_smoothing: 0.1, update_tokens: 100 };
    for _ in 0..3 {
        training.accumulate(&good.batch(), pass).unwrap();
    }
    let changes: [fn(&mut Sentences); 4] =
        [|b| b.src[1] = 17, |b| b.tgt_in[0] = 1000, |b| b.tgt_out[2] = 17, |b| b.src_lengths[0] = 4];
    for change in changes {
        let mut bad = good.clone();
        change(&mut bad);
        assert!(training.accumulate(&bad.batch(), pass).is_err());
    }
    training.accumulate(&good.batch(), pass).unwrap();
    nothing_was_found();
}
