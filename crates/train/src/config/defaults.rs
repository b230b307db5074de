//! The defaults of each preset, for the embedded corpus and for files.
//!
//! The embedded corpus is endless and regular, and its run is to be over in minutes: little dropout, a short warm-up, a
//! fixed number of steps. Files are taken for real text in the tens of thousands of sentences (about 30,000 for `tiny`, more
//! for the larger presets): more dropout, a larger vocabulary and batch, no end but that by patience.

use super::{Adam, Data, RunConfig, Search, Training};
use crate::corpus::Pair;
use noam_kernels::device::Precision;
use noam_model::Preset;
use noam_schedule::Noam;

/// What kind of data a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// The corpus that this crate makes.
    Embedded,
    /// The user's files.
    Files,
}

/// What differs between presets.
struct Sizes {
    vocab_size: usize,
    dropout: f64,
    warmup: u64,
    factor: f64,
    max_steps: Option<u64>,
    batch_tokens: usize,
    interval: u64,
    /// Checkpoints averaged at the end.
    average: usize,
    train_sentences: usize,
}

const EMBEDDED_MICRO: Sizes = Sizes {
    vocab_size: 2000,
    dropout: 0.0,
    warmup: 400,
    factor: 2.0,
    max_steps: Some(3000),
    batch_tokens: 2048,
    interval: 250,
    average: 4,
    train_sentences: 200_000,
};

const FILES_MICRO: Sizes = Sizes {
    vocab_size: 4000,
    dropout: 0.1,
    warmup: 1000,
    factor: 1.0,
    max_steps: None,
    batch_tokens: 4096,
    interval: 250,
    average: 5,
    train_sentences: 0,
};

fn sizes(preset: Preset, kind: DataKind) -> Sizes {
    let (embedded, files) = (EMBEDDED_MICRO, FILES_MICRO);
    match (kind, preset) {
        (DataKind::Embedded, Preset::Micro) => embedded,
        (DataKind::Embedded, Preset::Tiny) => Sizes { max_steps: Some(2000), factor: 1.5, ..embedded },
        (DataKind::Embedded, Preset::Small) => {
            Sizes { warmup: 800, factor: 1.0, dropout: 0.1, train_sentences: 500_000, ..embedded }
        }
        (DataKind::Embedded, Preset::Base | Preset::Big) => Sizes {
            vocab_size: 4000,
            warmup: 2000,
            factor: 1.0,
            dropout: 0.1,
            max_steps: Some(10_000),
            batch_tokens: 4096,
            train_sentences: 1_000_000,
            ..embedded
        },
        (DataKind::Files, Preset::Micro) => files,
        (DataKind::Files, Preset::Tiny) => Sizes { vocab_size: 6000, dropout: 0.2, factor: 1.5, ..files },
        (DataKind::Files, Preset::Small) => Sizes { vocab_size: 8000, dropout: 0.3, warmup: 2000, ..files },
        (DataKind::Files, Preset::Base) => {
            Sizes { vocab_size: 32_000, dropout: 0.1, warmup: 4000, batch_tokens: 8192, interval: 1000, ..files }
        }
        (DataKind::Files, Preset::Big) => {
            Sizes { vocab_size: 32_000, dropout: 0.3, warmup: 8000, batch_tokens: 8192, interval: 1000, ..files }
        }
    }
}

impl RunConfig {
    /// The defaults of a preset on a kind of data: English to German for the embedded corpus, no files yet for files.
    pub fn defaults(preset: Preset, kind: DataKind) -> Self {
        let sizes = sizes(preset, kind);
        let model = noam_model::Config {
            vocab_size: sizes.vocab_size,
            dropout: sizes.dropout,
            attention_dropout: sizes.dropout,
            activation_dropout: sizes.dropout,
            ..preset.config()
        };
        let noam = Noam::new(model.d_model as u64, sizes.warmup, sizes.factor)
            .expect("the presets' widths, warm-ups and factors are positive");
        let embedded = kind == DataKind::Embedded;
        RunConfig {
            preset,
            model,
            schedule: noam.into(),
            adam: Adam::default(),
            training: Training {
                max_steps: sizes.max_steps,
                batch_tokens: sizes.batch_tokens,
                valid_interval: sizes.interval,
                checkpoint_interval: sizes.interval,
                average: sizes.average,
                patience: if embedded { 0 } else { 10 },
                ..Training::default()
            },
            data: Data {
                pair: embedded.then_some(Pair::EnDe),
                train_sentences: sizes.train_sentences,
                ..Data::default()
            },
            search: Search::default(),
        }
    }
}

impl Default for RunConfig {
    fn default() -> Self {
        Self::defaults(Preset::Tiny, DataKind::Embedded)
    }
}

impl Default for Adam {
    fn default() -> Self {
        let noam_kernels::adam::Config { beta1, beta2, epsilon, weight_decay } = noam_kernels::adam::Config::default();
        Self { beta1, beta2, epsilon, weight_decay }
    }
}

impl Default for Training {
    fn default() -> Self {
        Self {
            max_steps: None,
            max_minutes: None,
            batch_tokens: 2048,
            accumulation: 1,
            label_smoothing: 0.1,
            precision: Precision::F32,
            clip_norm: 1.0,
            seed: 0,
            valid_interval: 250,
            valid_bleu: 200,
            checkpoint_interval: 250,
            keep: 3,
            average: 0,
            patience: 0,
            feedback: None,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self {
            pair: None,
            corpus_seed: 1,
            train_sentences: 0,
            valid_sentences: 1000,
            test_sentences: 1000,
            train_src: None,
            train_tgt: None,
            valid_src: None,
            valid_tgt: None,
            test_src: None,
            test_tgt: None,
            train: None,
            valid: None,
            test: None,
            max_len: 128,
            max_words: 256,
            max_chars: 2048,
            bleu_tokenization: None,
        }
    }
}

impl Default for Search {
    fn default() -> Self {
        Self { beam: 1, length_penalty: 1.0, max_tokens: 256 }
    }
}
