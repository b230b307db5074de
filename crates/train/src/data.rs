//! From a configuration to examples: sentences, tokenizer, tokens, and a digest of them all.

use crate::batch::Example;
use crate::config::{RunConfig, Source};
use crate::corpus::{Corpus, Pair, Split};
use crate::stop::{self, Stopped};
use crate::text::{self, Limits, Parallel, Report};
use crate::tokenizer::Tokenizer;
use crate::{Error, memory};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::atomic::AtomicBool;

/// Sentences of the training set that the tokenizer learns from, at most: as many as say all there is to say about a few
/// thousand subwords. They are taken at equal distances.
const TOKENIZER_SENTENCES: usize = 100_000;

/// What a pair of the embedded corpus takes while it is made and encoded, at most.
const PAIR_BYTES: u64 = 1024;

/// Sentences with their translations, as text and as tokens.
#[derive(Clone, Debug, Default)]
pub struct Set {
    /// Sources and references.
    pub text: Parallel,
    /// Their tokens, in the same order.
    pub examples: Vec<Example>,
}

/// All that a run reads.
#[derive(Debug)]
pub struct Dataset {
    /// Learnt from the training set.
    pub tokenizer: Tokenizer,
    /// To train on: tokens only.
    pub train: Vec<Example>,
    /// To validate with.
    pub valid: Set,
    /// For the score at the end; without one it is that of the validation set.
    pub test: Option<Set>,
    /// What the manifest says of it.
    pub info: DataInfo,
}

/// What a manifest says of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataInfo {
    /// Where they come from, in words.
    pub source: String,
    /// Pairs to train on.
    pub train: u64,
    /// Pairs of files that were dropped because a side was empty.
    pub dropped_empty: u64,
    /// Pairs of files that were dropped for their length in words or characters.
    pub dropped_long: u64,
    /// Pairs to validate with.
    pub valid: u64,
    /// Pairs for the score at the end; 0 if there is no such set.
    pub test: u64,
    /// Subwords, special ones included.
    pub vocab_size: usize,
    /// SHA-256 of all tokens of the three sets.
    pub digest: String,
}

/// SHA-256 in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads or makes the sentences of a configuration; the tokenizer is the one given, or else learnt from the training set. On
/// the ambient rayon pool.
///
/// # Errors
/// [`Error::Text`] for files that cannot be used, [`Error::Tokenizer`], [`Error::NoSentence`], [`Error::Memory`];
/// [`Error::Stopped`] soon after `stop` is set.
pub fn load(config: &RunConfig, tokenizer: Option<Tokenizer>, stop: &AtomicBool) -> Result<Dataset, Error> {
    let Sentences { source, train, valid, test } = sentences(config, stop)?;
    let sets = [Some(&train), Some(&valid), test.as_ref()];
    memory::ask("the data", sets.into_iter().flatten().map(bytes).sum())?;
    let tokenizer = match tokenizer {
        Some(tokenizer) => tokenizer,
        None => {
            let every = train.src.len().div_ceil(TOKENIZER_SENTENCES).max(1);
            let lines = train.src.iter().step_by(every).chain(train.tgt.iter().step_by(every));
            Tokenizer::train_until(lines, config.model.vocab_size, stop)?
        }
    };
    let Report { dropped_empty, dropped_long, .. } = train.report;
    let train = examples(&tokenizer, &train, stop)?;
    let valid = set(&tokenizer, valid, stop)?;
    let test = test.map(|text| set(&tokenizer, text, stop)).transpose()?;
    for (what, examples) in [("the training set", &train), ("the validation set", &valid.examples)] {
        if examples.is_empty() {
            return Err(Error::NoSentence { what });
        }
    }
    let test_examples: &[Example] = test.as_ref().map_or(&[], |set| &set.examples);
    let info = DataInfo {
        source,
        train: train.len() as u64,
        dropped_empty,
        dropped_long,
        valid: valid.examples.len() as u64,
        test: test_examples.len() as u64,
        vocab_size: tokenizer.vocab_size(),
        digest: digest([&train, &valid.examples, test_examples], stop)?,
    };
    Ok(Dataset { tokenizer, train, valid, test, info })
}

/// Bytes that pairs take as tokens, besides their text: lists, their places in batches, and no more than a token a byte.
fn bytes(text: &Parallel) -> u64 {
    const PAIR: u64 = 300;
    const TOKEN: u64 = 4;
    PAIR * text.src.len() as u64 + TOKEN * (text.src.bytes() + text.tgt.bytes()) as u64
}

fn examples(tokenizer: &Tokenizer, text: &Parallel, stop: &AtomicBool) -> Result<Vec<Example>, Error> {
    let (src, tgt) = (tokenizer.encode_all(&text.src, stop)?, tokenizer.encode_all(&text.tgt, stop)?);
    Ok(src.into_iter().zip(tgt).map(|(src, tgt)| Example { src, tgt }).collect())
}

/// Sentences with their tokens.
///
/// # Errors
/// [`Error::Tokenizer`]; [`Error::Stopped`] soon after `stop` is set.
pub fn set(tokenizer: &Tokenizer, text: Parallel, stop: &AtomicBool) -> Result<Set, Error> {
    Ok(Set { examples: examples(tokenizer, &text, stop)?, text })
}

struct Sentences {
    source: String,
    train: Parallel,
    valid: Parallel,
    test: Option<Parallel>,
}

fn sentences(config: &RunConfig, stop: &AtomicBool) -> Result<Sentences, Error> {
    let data = &config.data;
    let limits = Limits { max_words: data.max_words, max_chars: data.max_chars, ..Limits::default() };
    let whole = Limits::unfiltered();
    Ok(match data.source()? {
        Source::Embedded(pair) => {
            let count = data.train_sentences + data.valid_sentences + data.test_sentences;
            memory::ask("the embedded corpus at this size", count as u64 * PAIR_BYTES)?;
            let corpus = Corpus::new(data.corpus_seed);
            Sentences {
                source: format!("embedded corpus {}, {pair}", data.corpus_seed),
                train: training_pairs(&corpus, pair, data.train_sentences, stop)?,
                valid: parallel(corpus.pairs(pair, Split::Valid, data.valid_sentences), stop)?,
                test: Some(parallel(corpus.pairs(pair, Split::Test, data.test_sentences), stop)?),
            }
        }
        Source::Parallel { train, valid, test } => Sentences {
            source: format!("{} and {}", train[0].display(), train[1].display()),
            train: text::parallel_until(train[0], train[1], &limits, stop)?,
            valid: text::parallel_until(valid[0], valid[1], &whole, stop)?,
            test: test.map(|[src, tgt]| text::parallel_until(src, tgt, &whole, stop)).transpose()?,
        },
        Source::Tsv { train, valid, test } => Sentences {
            source: train.display().to_string(),
            train: text::tsv_until(train, &limits, stop)?,
            valid: text::tsv_until(valid, &whole, stop)?,
            test: test.map(|path| text::tsv_until(path, &whole, stop)).transpose()?,
        },
    })
}

/// Sentences 0 to `count` of the training split. Those that come more than once stay: short sentences are frequent.
fn training_pairs(corpus: &Corpus, pair: Pair, count: usize, stop: &AtomicBool) -> Result<Parallel, Stopped> {
    let one = |i| stop::check(stop).map(|()| corpus.pair(pair, Split::Train, i as u64));
    let pairs = (0..count).into_par_iter().map(one).collect::<Result<Vec<_>, _>>()?;
    parallel(pairs.into_iter(), stop)
}

fn parallel(pairs: impl Iterator<Item = (String, String)>, stop: &AtomicBool) -> Result<Parallel, Stopped> {
    let mut all = Parallel::default();
    for (src, tgt) in pairs {
        stop::check(stop)?;
        all.src.push(&src);
        all.tgt.push(&tgt);
        all.report.pairs += 1;
    }
    Ok(all)
}

/// SHA-256 over the tokens of the sets; lengths come first, so that no two sets give the same bytes.
fn digest(sets: [&[Example]; 3], stop: &AtomicBool) -> Result<String, Stopped> {
    let mut sha = Sha256::new();
    let mut bytes = Vec::new();
    for set in sets {
        sha.update((set.len() as u64).to_le_bytes());
        for side in set.iter().flat_map(|example| [&example.src, &example.tgt]) {
            stop::check(stop)?;
            bytes.clear();
            bytes.extend_from_slice(&(side.len() as u64).to_le_bytes());
            side.iter().for_each(|id| bytes.extend_from_slice(&id.to_le_bytes()));
            sha.update(&bytes);
        }
    }
    Ok(hex(&sha.finalize()))
}
