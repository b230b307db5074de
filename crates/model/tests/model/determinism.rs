//! Same seed, same bits: for any number of threads and any instruction set.

use crate::sentences::{Sentences, model, values};
use noam_kernels::adam;
use noam_kernels::device::Cpu;
use noam_kernels::isa::{self, Isa};
use noam_model::{Config, Embeddings, Hypothesis, Model, Norm, Pass, Search, Training, Translator};
use noam_schedule::Noam;

/// Wide and long enough that every operation splits its work among threads, with sizes that leave remainders everywhere.
fn config(norm: Norm) -> Config {
    Config {
        vocab_size: 203,
        d_model: 72,
        n_heads: 3,
        d_ff: 133,
        encoder_layers: 1,
        decoder_layers: 2,
        max_len: 64,
        dropout: 0.1,
        attention_dropout: 0.15,
        activation_dropout: 0.2,
        norm,
        embeddings: Embeddings::Shared,
        norm_eps: 1e-5,
    }
}

/// What three updates of two micro-batches each leave behind, bit by bit, and what the model then says.
fn run(norm: Norm) -> (Vec<u32>, Vec<u64>, Vec<Hypothesis>) {
    let config = config(norm);
    let model = model(&config, 3);
    let mut training = Training::new(model, adam::Config::default()).unwrap();
    let schedule = Noam::new(config.d_model as u64, 2, 1.0).unwrap();
    let lengths = [[(37, 9), (5, 41), (12, 33)], [(20, 22), (1, 1), (40, 3)]];
    let mut scalars = Vec::new();
    for update in 0..3 {
        let batches = [0, 1].map(|i| Sentences::random(config.vocab_size, &lengths[i], 10 * update + i as u64));
        let update_tokens = batches.iter().map(Sentences::targets).sum();
        for (micro_batch, batch) in (0..).zip(&batches) {
            let pass = Pass { seed: 42, micro_batch, label_smoothing: 0.1, update_tokens };
            scalars.push(training.accumulate(&batch.batch(), pass).unwrap().sum.to_bits());
        }
        scalars.push(training.update(&schedule, 0.5).unwrap().grad_norm.to_bits());
    }
    let len = training.layout().len();
    let [mut w, mut m, mut v] = [(); 3].map(|()| vec![0.0; len]);
    training.model().read_values(&mut w).unwrap();
    training.read_moments(&mut m, &mut v).unwrap();
    let bits = [w, m, v].concat().iter().map(|x| x.to_bits()).collect();
    let sources: [&[u32]; 3] = [&[5, 6, 7, 2], &[2], &[100, 90, 80, 70, 60, 50, 40, 30, 20, 10, 2]];
    let search = Search { beam: 3, max_tokens: 12, length_penalty: 1.0 };
    let found = Translator::new(training.model()).unwrap().translate(&sources, &search).unwrap();
    (bits, scalars, found)
}

fn same_for_threads_and_isas(norm: Norm) {
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let want = pool(1).install(|| run(norm));
    // Not the initial values, and finite: there is something to compare.
    let start = values(&config(norm), 3);
    assert!(want.0.iter().zip(&start).filter(|(a, b)| **a != b.to_bits()).count() > start.len() / 2);
    assert!(want.0.iter().all(|&bits| f32::from_bits(bits).is_finite()));
    for isa in Isa::ALL {
        isa::limit(isa);
        for threads in [1, 2, 4] {
            let got = pool(threads).install(|| run(norm));
            assert!(got == want, "{norm:?}, {}, {threads} threads", isa.name());
        }
    }
    isa::limit(Isa::Avx512);
}

#[test]
fn updates_and_translations_are_the_same_bits_for_any_threads_and_instructions_with_post_norm() {
    same_for_threads_and_isas(Norm::Post);
}

#[test]
fn updates_and_translations_are_the_same_bits_for_any_threads_and_instructions_with_pre_norm() {
    same_for_threads_and_isas(Norm::Pre);
}

/// The gradients of one update whose batches are these, and the loss.
fn gradients(config: &Config, batches: &[&Sentences]) -> (Vec<f32>, f64) {
    let mut training = Training::new(model(config, 8), adam::Config::default()).unwrap();
    let update_tokens = batches.iter().map(|b| b.targets()).sum();
    let mut loss = 0.0;
    for (micro_batch, batch) in (0..).zip(batches) {
        let pass = Pass { seed: 0, micro_batch, label_smoothing: 0.1, update_tokens };
        loss += training.accumulate(&batch.batch(), pass).unwrap().sum;
    }
    let mut grads = vec![0.0; training.layout().len()];
    training.read_gradients(&mut grads).unwrap();
    (grads, loss)
}

fn plain(config: Config) -> Config {
    Config { dropout: 0.0, attention_dropout: 0.0, activation_dropout: 0.0, ..config }
}

/// Two micro-batches and one batch of both.
fn halves(vocab_size: usize, sentences: usize, (s, t): (usize, usize)) -> [Sentences; 3] {
    let lengths: Vec<(usize, usize)> =
        (0..2 * sentences).map(|i| (s - i % 3 * (s / 4), t - (i + 1) % 4 * (t / 5))).collect();
    let pairs = crate::sentences::pairs(vocab_size, &lengths, 77);
    [&pairs[..sentences], &pairs[sentences..], &pairs[..]].map(|pairs| Sentences::padded(pairs, s, t))
}

#[test]
fn two_micro_batches_of_whole_blocks_are_one_batch_bit_for_bit() {
    // Every sum over rows is a chain that goes on where the first micro-batch left it, or adds partial sums of 32 rows, or
    // 1024, in order. So with a multiple of 1024 rows a micro-batch, and each embedding matrix with one use, nothing is
    // regrouped.
    for norm in [Norm::Post, Norm::Pre] {
        let config = plain(Config { embeddings: Embeddings::Separate, ..config(norm) });
        let [first, second, both] = halves(config.vocab_size, 64, (16, 32));
        let (got, want) = (gradients(&config, &[&first, &second]), gradients(&config, &[&both]));
        assert!(got.0.iter().zip(&want.0).all(|(a, b)| a.to_bits() == b.to_bits()), "{norm:?}");
        // 24-bit losses of like size: their sum in f64 is exact in any order.
        assert_eq!(got.1, want.1);
    }
}

#[test]
fn two_micro_batches_of_any_size_are_one_batch_up_to_rounding() {
    for embeddings in [Embeddings::Shared, Embeddings::TiedOutput, Embeddings::Separate] {
        let config = plain(Config { embeddings, ..config(Norm::Post) });
        let [first, second, both] = halves(config.vocab_size, 3, (11, 7));
        let (got, want) = (gradients(&config, &[&first, &second]), gradients(&config, &[&both]));
        let mut regrouped = 0;
        let overall = want.0.iter().fold(0.0f32, |max, w| max.max(w.abs()));
        for entry in noam_model::Layout::new(&config).entries() {
            let at = entry.offset..entry.offset + entry.len();
            let (got, want) = (&got.0[at.clone()], &want.0[at]);
            let largest = want.iter().fold(0.0f32, |max, w| max.max(w.abs()));
            // The terms of an element, the same in both, are at most 3 · 66 (three uses of a shared matrix); each order of
            // adding them is off by at most 198 · 2^-24 of the sum of their sizes. Terms of random sign: sqrt(198) · 2^-24
            // of their root sum of squares, which is of the size of the tensor's elements. Twice, for two orders, and
            // three deviations. Where all terms cancel (the keys' biases), they are no larger than the largest gradient.
            let tolerance = 2f32.powi(-24) * (6.0 * 198f32.sqrt() * largest + overall);
            for (got, want) in got.iter().zip(want) {
                assert!((got - want).abs() <= tolerance, "{}: {got:e} and {want:e} ± {tolerance:e}", entry.name);
                regrouped += usize::from(got != want);
            }
        }
        assert!(regrouped > 0, "these sizes were meant to regroup some sums");
    }
}

/// A vocabulary so large that 64 rows fill a chunk of logits.
fn many_words() -> Config {
    Config {
        vocab_size: 1 << 18,
        d_model: 2,
        n_heads: 1,
        d_ff: 4,
        encoder_layers: 1,
        decoder_layers: 1,
        embeddings: Embeddings::Separate,
        ..plain(config(Norm::Post))
    }
}

#[test]
fn logits_in_chunks_give_the_same_bits() {
    // 80 rows of targets are two chunks, 40 are one; the rest is as above.
    let config = many_words();
    let [first, second, both] = halves(config.vocab_size, 2, (16, 20));
    let (got, want) = (gradients(&config, &[&first, &second]), gradients(&config, &[&both]));
    assert_eq!(got.1, want.1);
    let layout = noam_model::Layout::new(&config);
    let head = layout.entries().iter().find(|e| e.name == "lm_head.weight").unwrap();
    let at = head.offset..head.offset + head.len();
    assert!(got.0[at.clone()].iter().zip(&want.0[at.clone()]).all(|(a, b)| a.to_bits() == b.to_bits()));
    assert!(want.0[at].iter().filter(|&&g| g != 0.0).count() > 1 << 18);
}

#[test]
fn a_target_beyond_the_vocabulary_in_a_later_chunk_leaves_no_gradient() {
    let config = many_words();
    let [_, _, mut both] = halves(config.vocab_size, 2, (16, 20));
    let mut training = Training::new(Model::new(Cpu::new(), config, 1).unwrap(), adam::Config::default()).unwrap();
    both.tgt_out[70] = 1 << 18; // a row of the second chunk
    let pass = Pass { seed: 0, micro_batch: 0, label_smoothing: 0.1, update_tokens: 80 };
    assert!(training.accumulate(&both.batch(), pass).is_err());
    let mut grads = vec![0.0; training.layout().len()];
    training.read_gradients(&mut grads).unwrap();
    assert!(grads.iter().all(|&g| g == 0.0));
}
