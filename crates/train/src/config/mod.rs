//! The configuration of a run: everything that decides what comes out of it.
//!
//! A configuration is made in layers, each over the one before: the defaults of a preset and a kind of data
//! ([`RunConfig::defaults`]), a TOML file, and single settings (`training.max_steps=1000`). [`Request::resolve`] does it.
//! The same structure, complete, is the `config.toml` of a run folder.
//!
//! ```
//! use noam_train::config::Request;
//!
//! let settings = vec!["training.max_steps=1000".into(), "schedule.factor=0.5".into(), "data.pair=de-en".into()];
//! let config = Request { settings, ..Request::default() }.resolve()?;
//! assert_eq!(config.training.max_steps, Some(1000));
//! let error = Request { settings: vec!["training.max_step=1".into()], ..Request::default() }.resolve().unwrap_err();
//! assert!(error.to_string().contains("max_steps"));
//! # Ok::<(), noam_train::Error>(())
//! ```

mod check;
mod defaults;
mod resolve;
#[cfg(test)]
mod tests;

pub use defaults::DataKind;
pub use resolve::Request;

use crate::Error;
use crate::as_text;
use crate::bleu::Tokenization;
use crate::corpus::Pair;
use noam_kernels::device::Precision;
use noam_model::Preset;
use noam_schedule::Spec;
use noam_schedule::feedback::{HypergradientConfig, PlateauConfig};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Most bytes of a configuration file; all settings together take two thousand. Reading TOML may take a hundred times its size.
pub(crate) const FILE_LIMIT: u64 = 64 << 10;

/// Everything that decides what comes out of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Which defaults the rest was filled up with.
    pub preset: Preset,
    /// The model. Its `vocab_size` is the most that the tokenizer may learn; small texts give fewer.
    pub model: noam_model::Config,
    /// The learning rate.
    pub schedule: Spec,
    /// The optimizer.
    pub adam: Adam,
    /// The loop.
    pub training: Training,
    /// What to train on.
    pub data: Data,
    /// How to translate.
    pub search: Search,
}

/// Adam's constants, as [`noam_kernels::adam::Config`] explains them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Decay of the first moment. Default 0.9.
    pub beta1: f64,
    /// Decay of the second moment. Default 0.98.
    pub beta2: f64,
    /// Added to the root of the corrected second moment. Default 1e-9.
    pub epsilon: f64,
    /// Decoupled weight decay. Default 0.
    pub weight_decay: f64,
}

/// The loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// The run ends after this many updates; none: it does not end by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_steps: Option<u64>,
    /// The run ends after this many minutes of training, those before a resume counted; none: no limit. Where it ends then
    /// depends on the machine; with `max_steps` alone a run can be repeated bit by bit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_minutes: Option<f64>,
    /// Tokens of a batch: sentences times the longest of them, source or target, padding included.
    pub batch_tokens: usize,
    /// Batches of an update; the loss is the mean over the target tokens of all of them. Default 1.
    pub accumulation: usize,
    /// Label smoothing, in [0, 1). Default 0.1.
    pub label_smoothing: f64,
    /// What the activations are stored in: `f32`, or on a CUDA device `bf16` or `f16`; or `tf32`, which is f32 whose products
    /// round their factors. Default f32.
    #[serde(with = "as_text")]
    pub precision: Precision,
    /// The gradients are scaled down to this L2 norm; 0: never.
    pub clip_norm: f64,
    /// Decides the initial weights, the order of the data and the dropout. Default 0.
    pub seed: u64,
    /// Updates from one validation to the next.
    pub valid_interval: u64,
    /// Sentences of the validation set that are translated at each validation, for BLEU; 0: none.
    pub valid_bleu: usize,
    /// Updates from one checkpoint to the next. A new best validation is saved as well, whatever the step.
    pub checkpoint_interval: u64,
    /// How many of these checkpoints stay. The best and those still to be averaged stay anyway. Default 3.
    pub keep: usize,
    /// At the end the weights of this many checkpoints, the last ones, are averaged, and the mean is taken if it validates
    /// better than the best of them; 0 or 1: none.
    pub average: usize,
    /// The run ends after this many validations in a row without a new best loss; 0: never.
    pub patience: u64,
    /// A rule that scales the schedule's rate by what is seen in training.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feedback: Option<Feedback>,
}

/// A rule that learns a factor on the schedule's rate, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Feedback {
    /// Falls when the validation loss stops improving. `min_rate` and `eps` are factors here too.
    Plateau(PlateauConfig),
    /// Follows the angle between the gradient and the step before. `min_rate` and `max_rate` bound the factor.
    Hypergradient(HypergradientConfig),
}

/// What to train on: the embedded corpus (`pair`), two files a set (`train_src`, `train_tgt`, ...) or one TSV file a set
/// (`train`, ...).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Data {
    /// The embedded corpus, in this direction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<Pair>,
    /// Which embedded corpus. Default 1.
    pub corpus_seed: u64,
    /// Sentences of the embedded corpus to train on.
    pub train_sentences: usize,
    /// Sentences of the embedded corpus to validate with.
    pub valid_sentences: usize,
    /// Sentences of the embedded corpus to test with.
    pub test_sentences: usize,
    /// Source sentences to train on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_src: Option<PathBuf>,
    /// Their translations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_tgt: Option<PathBuf>,
    /// Source sentences to validate with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_src: Option<PathBuf>,
    /// Their translations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_tgt: Option<PathBuf>,
    /// Source sentences for the score at the end; without them it is that of the validation set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_src: Option<PathBuf>,
    /// Their translations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_tgt: Option<PathBuf>,
    /// Source and target in one file, a tab between them, to train on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train: Option<PathBuf>,
    /// The same to validate with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<PathBuf>,
    /// The same for the score at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<PathBuf>,
    /// Longest pair to train on, in tokens of either side, its end counted. Default 128.
    pub max_len: usize,
    /// Longest pair to train on, in words of either side. Default 256.
    pub max_words: usize,
    /// Longest pair to train on, in characters of either side. Default 2048.
    pub max_chars: usize,
    /// How BLEU cuts words. Without it: `zh` if the embedded corpus's target is Chinese, else `13a`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bleu_tokenization: Option<Tokenization>,
}

/// How to translate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Search {
    /// Hypotheses kept; 1 is greedy search. Default 1.
    pub beam: usize,
    /// The exponent of a hypothesis's length that its score is divided by. Default 1.
    pub length_penalty: f64,
    /// The most tokens of a translation; less for short sources, which stop at twice their length and ten. Default 256.
    pub max_tokens: usize,
}

/// Where the sentences come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source<'a> {
    /// The embedded corpus.
    Embedded(Pair),
    /// Two files a set: source, target. The test set may be missing.
    Parallel {
        /// To train on.
        train: [&'a PathBuf; 2],
        /// To validate with.
        valid: [&'a PathBuf; 2],
        /// For the score at the end.
        test: Option<[&'a PathBuf; 2]>,
    },
    /// One file a set.
    Tsv {
        /// To train on.
        train: &'a PathBuf,
        /// To validate with.
        valid: &'a PathBuf,
        /// For the score at the end.
        test: Option<&'a PathBuf>,
    },
}

impl RunConfig {
    /// The configuration as `config.toml` has it.
    ///
    /// # Errors
    /// [`Error::Toml`] for a whole number beyond 2^63 - 1, which TOML does not have.
    pub fn to_toml(&self) -> Result<String, Error> {
        resolve::to_toml(self)
    }

    /// Adam's constants as the kernels take them.
    pub fn adam(&self) -> noam_kernels::adam::Config {
        let Adam { beta1, beta2, epsilon, weight_decay } = self.adam;
        noam_kernels::adam::Config { beta1, beta2, epsilon, weight_decay }
    }

    /// How BLEU cuts words, decided.
    pub fn tokenization(&self) -> Tokenization {
        match (self.data.bleu_tokenization, self.data.pair) {
            (Some(given), _) => given,
            (None, Some(Pair::EnZh)) => Tokenization::Zh,
            _ => Tokenization::V13a,
        }
    }

    /// A digest (SHA-256, hexadecimal) of everything that decides the bits of a run's weights at a step, given the device: all
    /// settings but `max_steps`, `max_minutes`, `keep`, `precision` and `[search]`.
    ///
    /// # Errors
    /// As [`RunConfig::to_toml`].
    pub fn digest(&self) -> Result<String, Error> {
        let mut same = self.clone();
        let defaults = RunConfig::default();
        same.training.max_steps = None;
        same.training.max_minutes = None;
        same.training.keep = defaults.training.keep;
        same.training.precision = defaults.training.precision;
        same.search = defaults.search;
        Ok(crate::data::sha256_hex(same.to_toml()?.as_bytes()))
    }
}
