//! Translations: incremental decoding against the full forward pass, batches, beams, limits.

use crate::reference::Reference;
use crate::sentences::{Draw, Sentences, pairs, small, values};
use noam_kernels::device::Cpu;
use noam_model::{
    BOS, Config, EOS, Embeddings, Error, Hypothesis, Inference, Layout, Model, Norm, PAD, Search, Translator,
};
use proptest::prelude::*;

const LIMIT: usize = 14;

/// A model whose next token depends on what came before: random, with output weights large enough to decide, EOS's above
/// all. PAD and BOS would often win if they were let.
fn decided(norm: Norm, seed: u64) -> Model<Cpu> {
    decided_with(norm, seed, 6.0)
}

/// [`decided`] with the same logit for PAD and BOS at every step.
fn decided_with(norm: Norm, seed: u64, logit: f64) -> Model<Cpu> {
    let config = small(norm, Embeddings::Separate);
    let mut values = values(&config, seed);
    let layout = Layout::new(&config);
    let place = |name: &str| {
        let entry = layout.entries().iter().find(|e| e.name == name).unwrap();
        entry.offset..entry.offset + entry.len()
    };
    let norm = match norm {
        Norm::Post => "model.decoder.layers.1.final_layer_norm",
        Norm::Pre => "model.decoder.layer_norm",
    };
    let [gain, shift] = ["weight", "bias"].map(|part| values[place(&format!("{norm}.{part}"))].to_vec());
    // What a norm puts out, less the shift and over the gain, adds up to 0: with weights k / gain, whatever came before, the
    // logit is k times the sum of shift / gain.
    let sum: f64 = shift.iter().zip(&gain).map(|(shift, gain)| f64::from(shift / gain)).sum();
    for (i, value) in values[place("lm_head.weight")].iter_mut().enumerate() {
        *value = match (i / config.d_model) as u32 {
            PAD | BOS => (logit / sum / f64::from(gain[i % config.d_model])) as f32,
            EOS => *value * 8.0,
            _ => *value * 4.0,
        };
    }
    Model::from_values(Cpu::new(), config, &values).unwrap()
}

fn sources(vocab_size: usize, seed: u64) -> Vec<Vec<u32>> {
    let lengths = [(4, 1), (1, 1), (9, 1), (2, 1), (6, 1), (3, 1)];
    pairs(vocab_size, &lengths, seed).into_iter().map(|p| p.0).collect()
}

fn search(beam: usize) -> Search {
    Search { beam, max_tokens: LIMIT, length_penalty: 1.0 }
}

fn translate(model: &Model<Cpu>, sources: &[Vec<u32>], search: &Search) -> Vec<Hypothesis> {
    let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
    Translator::new(model).unwrap().translate(&sources, search).unwrap()
}

/// The target of a hypothesis: with EOS, unless the limit cut it off.
fn target(hypothesis: &Hypothesis, limit: usize) -> Vec<u32> {
    let mut target = hypothesis.tokens.clone();
    if target.len() < limit {
        target.push(EOS);
    }
    target
}

/// The log-probability of a target, from one pass over all of it: f32 for each token, added in f64.
fn full_pass(model: &Model<Cpu>, source: &[u32], target: &[u32]) -> f64 {
    let pair = Sentences::new(&[(source.to_vec(), target.to_vec())]);
    let mut inference = Inference::new(model.device()).unwrap();
    -inference.evaluate(model, &pair.batch(), 0.0).unwrap().nll
}

/// Greedy search without a cache: a whole pass for each candidate of each step.
fn greedy_by_full_passes(model: &Model<Cpu>, source: &[u32]) -> Vec<u32> {
    let mut inference = Inference::new(model.device()).unwrap();
    let mut tokens = Vec::new();
    while tokens.len() < LIMIT {
        let mut best = (f64::NEG_INFINITY, 0);
        for candidate in EOS..model.config().vocab_size as u32 {
            let mut pair = Sentences::new(&[(source.to_vec(), [&tokens[..], &[candidate]].concat())]);
            let last = pair.tgt_out.len() - 1;
            pair.tgt_out[..last].fill(PAD); // only the last one counts
            let log_p = -inference.evaluate(model, &pair.batch(), 0.0).unwrap().nll;
            if log_p > best.0 {
                best = (log_p, candidate);
            }
        }
        if best.1 == EOS {
            break;
        }
        tokens.push(best.1);
    }
    tokens
}

#[test]
fn greedy_search_takes_the_best_token_of_the_full_pass_at_every_step() {
    let (mut ended, mut cut_off) = (0, 0);
    for norm in [Norm::Post, Norm::Pre] {
        for seed in 0..3 {
            let model = decided(norm, seed);
            let sources = sources(17, seed + 50);
            for (source, found) in sources.iter().zip(translate(&model, &sources, &search(1))) {
                assert_eq!(found.tokens, greedy_by_full_passes(&model, source), "{norm:?}, seed {seed}");
                assert!(found.tokens.iter().all(|&id| id > EOS));
                *if found.tokens.len() < LIMIT { &mut ended } else { &mut cut_off } += 1;
            }
        }
    }
    assert!(ended > 2 && cut_off > 2, "{ended} sentences ended, {cut_off} were cut off");
}

#[test]
fn scores_are_the_full_passes_log_probabilities_bit_for_bit() {
    for norm in [Norm::Post, Norm::Pre] {
        // PAD and BOS, which a full pass does not leave out, have probabilities that round to 0.
        let (model, sources) = (decided_with(norm, 4, -1e4), sources(17, 60));
        for beam in 1..=5 {
            for length_penalty in [0.0, 1.0] {
                let settings = Search { length_penalty, ..search(beam) };
                for (source, found) in sources.iter().zip(translate(&model, &sources, &settings)) {
                    let target = target(&found, LIMIT);
                    let length = if length_penalty == 0.0 { 1.0 } else { target.len() as f64 };
                    let want = full_pass(&model, source, &target) / length;
                    assert_eq!(found.score.to_bits(), want.to_bits(), "{norm:?}, beam {beam}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn pad_and_bos_do_not_show_however_likely_they_are() {
    for norm in [Norm::Post, Norm::Pre] {
        let sources = sources(17, 90);
        for seed in 0..3 {
            let never = decided_with(norm, seed, -1e4);
            for beam in [1, 2, 5, 8] {
                let want = translate(&never, &sources, &search(beam));
                for logit in [0.0, 6.0, 50.0] {
                    // Not even in the scores: the other tokens' probabilities add up to 1.
                    let found = translate(&decided_with(norm, seed, logit), &sources, &search(beam));
                    assert_eq!(found, want, "{norm:?}, seed {seed}, beam {beam}, logit {logit}");
                    assert!(found.iter().all(|h| h.tokens.iter().all(|&id| id > EOS) && h.score.is_finite()));
                }
            }
        }
    }
}

/// Beam search in f64 over the reference model, prefix by prefix: the search's rules once more, without its bookkeeping.
fn reference_beam_search(model: &Model<Cpu>, source: &[u32], search: &Search) -> Hypothesis {
    let mut values = vec![0.0; model.layout().len()];
    model.read_values(&mut values).unwrap();
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    let reference = Reference::new(model.config(), None);
    let score = |sum: f64, length: usize| sum / (length as f64).powf(search.length_penalty);
    let mut running: Vec<(f64, Vec<u32>)> = vec![(0.0, Vec::new())];
    let mut finished: Vec<(f64, Vec<u32>)> = Vec::new();
    for length in 1..=search.max_tokens {
        let mut candidates = Vec::new();
        for (sum, prefix) in &running {
            let pair = Sentences::new(&[(source.to_vec(), [&prefix[..], &[EOS]].concat())]);
            let rows = reference.log_probabilities(&values, &pair, 0);
            let permitted = &rows[prefix.len()][EOS as usize..];
            let share: f64 = permitted.iter().map(|log_p| log_p.exp()).sum();
            for (id, log_p) in (EOS..).zip(permitted) {
                candidates.push((sum + log_p - share.ln(), [&prefix[..], &[id]].concat()));
            }
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        running.clear();
        for (rank, (sum, tokens)) in candidates.into_iter().take(2 * search.beam).enumerate() {
            let ends = tokens.last() == Some(&EOS);
            if (ends || length == search.max_tokens) && rank < search.beam {
                let content = tokens.iter().copied().filter(|&id| id != EOS).collect();
                finished.push((score(sum, length), content));
            } else if !ends && running.len() < search.beam {
                running.push((sum, tokens));
            }
        }
        if finished.len() >= search.beam {
            break;
        }
    }
    finished.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (score, tokens) = finished.swap_remove(0);
    Hypothesis { tokens, score }
}

#[test]
fn beam_search_finds_what_a_plain_one_in_f64_finds() {
    let (mut differ, mut lengths) = (0, std::collections::HashSet::new());
    for (norm, seed) in [(Norm::Post, 5), (Norm::Pre, 6)] {
        let (model, sources) = (decided(norm, seed), sources(17, 70));
        let greedy = translate(&model, &sources, &Search { max_tokens: 8, ..search(1) });
        for (beam, length_penalty) in [(2, 1.0), (3, 0.0), (4, 0.6), (5, 2.0), (8, 1.0)] {
            let settings = Search { beam, max_tokens: 8, length_penalty };
            let found = translate(&model, &sources, &settings);
            for ((source, found), greedy) in sources.iter().zip(found).zip(&greedy) {
                let want = reference_beam_search(&model, source, &settings);
                assert_eq!(found.tokens, want.tokens, "{settings:?}: {found:?}, want {want:?}");
                // Eight f32 log-probabilities, each right to a few 2^-22 of the logits' size (about 10).
                assert!((found.score - want.score).abs() < 8.0 * 1e-5, "{found:?}, want {want:?}");
                differ += usize::from(found.tokens != greedy.tokens);
                lengths.insert(found.tokens.len());
            }
        }
    }
    assert!(differ > 5 && lengths.len() > 2, "too easy: {differ} differ from greedy, lengths {lengths:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_translation_does_not_depend_on_the_rest_of_the_batch(
        pre in any::<bool>(),
        seed in 0u64..1000,
        lengths in prop::collection::vec(1usize..12, 1..6),
        beam in 1usize..=5,
        max_tokens in 1usize..10,
    ) {
        let model = decided(if pre { Norm::Pre } else { Norm::Post }, seed);
        let lengths: Vec<_> = lengths.into_iter().map(|s| (s, 1)).collect();
        let sources: Vec<Vec<u32>> = pairs(17, &lengths, seed).into_iter().map(|p| p.0).collect();
        let settings = Search { beam, max_tokens, length_penalty: 1.0 };
        let together = translate(&model, &sources, &settings);
        prop_assert_eq!(together.len(), sources.len());
        for (source, together) in sources.iter().zip(together) {
            let alone = translate(&model, std::slice::from_ref(source), &settings);
            prop_assert_eq!(&alone[0], &together);
            prop_assert!(together.tokens.len() <= max_tokens && together.score.is_finite());
        }
    }
}

#[test]
fn the_limit_is_the_most_tokens_eos_included() {
    let (model, sources) = (decided(Norm::Post, 1), sources(17, 80));
    let long = translate(&model, &sources, &search(1));
    let longest = long.iter().map(|h| h.tokens.len()).max().unwrap();
    assert!(longest > 3);
    for max_tokens in 1..=4 {
        for (long, cut) in long.iter().zip(translate(&model, &sources, &Search { max_tokens, ..search(1) })) {
            // Greedy search does not look ahead: a prefix.
            assert_eq!(cut.tokens, long.tokens[..max_tokens.min(long.tokens.len())]);
        }
    }
}

#[test]
fn a_model_that_says_eos_at_once_gives_empty_translations() {
    let config = small(Norm::Post, Embeddings::Separate);
    let mut values = values(&config, 9);
    let layout = Layout::new(&config);
    let entry = |name: &str| layout.entries().iter().find(|e| e.name == name).unwrap();
    // A decoder whose last norm puts out ones, and EOS the only token that likes ones.
    let (gain, shift) = ("final_layer_norm.weight", "final_layer_norm.bias");
    for (name, value) in [(gain, 0.0), (shift, 1.0)] {
        let e = entry(&format!("model.decoder.layers.1.{name}"));
        values[e.offset..e.offset + e.len()].fill(value);
    }
    let head = entry("lm_head.weight");
    values[head.offset..head.offset + head.len()].fill(0.0);
    values[head.offset + EOS as usize * 12..][..12].fill(1.0);
    let model = Model::from_values(Cpu::new(), config, &values).unwrap();
    // The 14 words of the other 16 tokens: PAD and BOS have no share.
    let log_p = -(1.0 + 14.0 * (-12f64).exp()).ln();
    for beam in [1, 2, 5] {
        for found in translate(&model, &sources(17, 1), &search(beam)) {
            assert!(found.tokens.is_empty(), "{found:?}");
            assert!((found.score - log_p).abs() < 1e-7, "{found:?}");
        }
    }
}

#[test]
fn searches_and_sources_that_make_no_sense_are_refused() {
    let model = decided(Norm::Post, 0);
    let mut translator = Translator::new(&model).unwrap();
    let source: &[u32] = &[5, 6, EOS];
    let mut refused = |sources: &[&[u32]], settings: Search| match translator.translate(sources, &settings) {
        Err(error) => error,
        Ok(found) => panic!("{found:?}"),
    };
    for (settings, word) in [
        (search(0), "beam"),
        (search(9), "beam"),
        (Search { max_tokens: 0, ..search(1) }, "max_tokens"),
        (Search { max_tokens: 25, ..search(1) }, "max_tokens"),
        (Search { length_penalty: f64::NAN, ..search(1) }, "length_penalty"),
    ] {
        let error = refused(&[source], settings);
        assert!(matches!(error, Error::Search { .. }) && error.to_string().contains(word), "{error}");
    }
    let too_long = [5; 25];
    for (sources, word) in [(&[source, &[]][..], "source sentence"), (&[&too_long[..]][..], "max_len")] {
        let error = refused(sources, search(2));
        assert!(matches!(error, Error::Batch { .. }) && error.to_string().contains(word), "{error}");
    }
    let error = refused(&[source, &[17, EOS]], search(2)).to_string();
    assert!(error.contains("17"), "{error}");
    // None of that harms the translator.
    assert_eq!(translator.translate(&[], &search(1)).unwrap(), []);
    assert_eq!(translator.translate(&[source], &search(2)).unwrap().len(), 1);
}

#[test]
fn weights_that_make_nan_are_an_error_not_a_translation() {
    let config = small(Norm::Post, Embeddings::Separate);
    for name in ["lm_head.weight", "model.encoder.layers.0.fc1.weight", "model.decoder.layers.1.fc2.bias"] {
        let mut values = values(&config, 2);
        let layout = Layout::new(&config);
        let entry = layout.entries().iter().find(|e| e.name == name).unwrap();
        values[entry.offset..entry.offset + entry.len()].fill(f32::NAN);
        let model = Model::from_values(Cpu::new(), config.clone(), &values).unwrap();
        for beam in [1, 3] {
            let result = Translator::new(&model).unwrap().translate(&[&[5, 6, EOS]], &search(beam));
            assert!(result.is_err(), "{name}, beam {beam}: {result:?}");
        }
    }
}

#[test]
fn full_length_sources_and_translations_fit() {
    let config = Config { max_len: 6, ..small(Norm::Pre, Embeddings::Shared) };
    let model = crate::sentences::model(&config, 11);
    let mut draw = Draw::new(3);
    let source: Vec<u32> = (0..6).map(|_| draw.range(3, 17)).collect();
    assert_ne!(source[0], BOS);
    let found = translate(&model, &[source], &Search { beam: 8, max_tokens: 6, length_penalty: 1.0 });
    assert!(found[0].tokens.len() <= 6 && found[0].score.is_finite());
}
