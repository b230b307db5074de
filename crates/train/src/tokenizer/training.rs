//! Learning subwords: byte pair encoding over the pieces of all sentences of both languages.
//!
//! The same text gives the same subwords on every machine and number of threads. The trainer of the `tokenizers` crate
//! resolves ties by number of the subword, and numbers follow from sorted characters and the order of merges; the two
//! things that would bring in the order of a hash map, suffixes and its limit on the alphabet, are not used.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::tokenizer::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::detached::detached;
use super::file::Vocabulary;
use super::{Error, MAX_VOCAB, MIN_VOCAB, SPECIALS, pieces};
use crate::stop;

/// A pair of subwords seen less often is not merged: it would be a subword that no training could teach.
const MIN_FREQUENCY: u64 = 2;

/// The trainer counts pairs in 32-bit integers; a corpus beyond this is scaled down.
const MAX_TOTAL: u64 = 1 << 30;

/// The subwords and merges learnt from `lines`, at most `vocab_size` with the special tokens.
pub(super) fn learn<'a>(
    lines: impl IntoIterator<Item = &'a str>,
    vocab_size: usize,
    stop: &AtomicBool,
) -> Result<Vocabulary, Error> {
    if !(MIN_VOCAB..=MAX_VOCAB).contains(&vocab_size) {
        return Err(Error::VocabSize { got: vocab_size, min: MIN_VOCAB, max: MAX_VOCAB });
    }
    let lines: Vec<&str> = lines.into_iter().collect();
    let counts = count_pieces(&lines, &pieces::pre_tokenizer()?, stop)?;
    let counts = limit_alphabet(counts, vocab_size / 2);
    if counts.is_empty() {
        return Err(Error::NoText);
    }
    // Every character of a piece may be one subword and, merged with the one before, another: more there cannot be, and the
    // trainer takes memory for as many as it is asked for.
    let most = counts.keys().map(|piece| 2 * piece.chars().count()).sum::<usize>() + SPECIALS.len();
    // Subwords that are too long are taken out afterwards, so learn more of them until enough are left.
    let mut size = vocab_size;
    loop {
        let learnt = merge(&counts, size.min(most), stop)?;
        let exhausted = learnt.tokens.len() < size;
        let mut kept = keep_allowed(learnt);
        if exhausted || kept.tokens.len() >= vocab_size || size >= MAX_VOCAB {
            truncate(&mut kept, vocab_size);
            return Ok(kept);
        }
        size = (size * 2).min(MAX_VOCAB);
    }
}

/// How often each piece occurs. No piece reaches over a space, so each distinct word is cut only once.
fn count_pieces(lines: &[&str], pre_tokenizer: &Sequence, stop: &AtomicBool) -> Result<BTreeMap<String, u64>, Error> {
    let words = lines.par_chunks(4096).map(|chunk| {
        let mut counts = HashMap::new();
        for line in chunk {
            stop::check(stop)?;
            pieces::normalise(line)
                .split(' ')
                .filter(|word| !word.is_empty())
                .for_each(|word| add(&mut counts, word, 1));
        }
        Ok::<_, Error>(counts)
    });
    let words: Vec<(String, u64)> = words.try_reduce(HashMap::new, |a, b| Ok(sum(a, b)))?.into_iter().collect();
    let pieces = words.par_chunks(4096).map(|chunk| {
        let mut counts = HashMap::new();
        for (word, n) in chunk {
            stop::check(stop)?;
            let mut text = PreTokenizedString::from(word.as_str());
            pre_tokenizer.pre_tokenize(&mut text).map_err(Error::library)?;
            for (piece, _, _) in text.get_splits(OffsetReferential::Normalized, OffsetType::None) {
                add(&mut counts, piece, *n);
            }
        }
        Ok::<_, Error>(counts)
    });
    Ok(pieces.try_reduce(HashMap::new, |a, b| Ok(sum(a, b)))?.into_iter().collect())
}

fn add(counts: &mut HashMap<String, u64>, key: &str, n: u64) {
    match counts.get_mut(key) {
        Some(count) => *count += n,
        None => drop(counts.insert(key.to_owned(), n)),
    }
}

fn sum(mut a: HashMap<String, u64>, b: HashMap<String, u64>) -> HashMap<String, u64> {
    for (key, n) in b {
        *a.entry(key).or_default() += n;
    }
    a
}

/// Keeps the `most` most frequent characters (by code point where counts are equal), so that rare ones can't fill the
/// vocabulary, and cuts pieces where one was taken out. The space mark always stays.
fn limit_alphabet(counts: BTreeMap<String, u64>, most: usize) -> BTreeMap<String, u64> {
    let mut alphabet: BTreeMap<char, u64> = BTreeMap::new();
    for (piece, n) in &counts {
        for c in piece.chars() {
            *alphabet.entry(c).or_default() += n;
        }
    }
    alphabet.insert(pieces::SPACE, u64::MAX);
    if alphabet.len() <= most {
        return counts;
    }
    let mut by_count: Vec<(char, u64)> = alphabet.into_iter().collect();
    by_count.sort_by_key(|&(c, n)| (std::cmp::Reverse(n), c));
    let kept: BTreeSet<char> = by_count[..most].iter().map(|&(c, _)| c).collect();
    let mut cut = BTreeMap::new();
    for (piece, n) in counts {
        for part in piece.split(|c| !kept.contains(&c)).filter(|part| !part.is_empty()) {
            *cut.entry(part.to_owned()).or_default() += n;
        }
    }
    cut
}

fn merge(counts: &BTreeMap<String, u64>, vocab_size: usize, stop: &AtomicBool) -> Result<Vocabulary, Error> {
    let total: u64 = counts.iter().map(|(piece, n)| n.saturating_mul(piece.len() as u64)).fold(0, u64::saturating_add);
    let scale = total.div_ceil(MAX_TOTAL).max(1);
    let counts = counts.iter().map(|(piece, n)| (piece.as_str().into(), n.div_ceil(scale))).collect();
    let trainer = BpeTrainer::builder()
        .vocab_size(vocab_size)
        .min_frequency(MIN_FREQUENCY)
        .show_progress(false)
        .special_tokens(super::special_tokens())
        .build();
    let learn = move || {
        let mut model = BPE::default();
        trainer.do_train(&counts, &mut model).map_err(Error::library)?;
        Vocabulary::of_model(&model)
    };
    detached(learn, stop)
}

/// Takes out the subwords that are not allowed, and with them the merges that make or use them.
fn keep_allowed(learnt: Vocabulary) -> Vocabulary {
    let merges = learnt.merges.into_iter().filter(|(a, b)| pieces::allowed(&format!("{a}{b}"))).collect();
    let special = SPECIALS.len();
    let tokens = learnt.tokens.into_iter().enumerate().filter(|(i, t)| *i < special || pieces::allowed(t));
    Vocabulary { tokens: tokens.map(|(_, t)| t).collect(), merges }
}

/// Keeps the first `size` subwords and the merges that make them. Merges use subwords that came before.
fn truncate(learnt: &mut Vocabulary, size: usize) {
    learnt.tokens.truncate(size);
    let tokens: HashSet<&str> = learnt.tokens.iter().map(String::as_str).collect();
    learnt.merges.retain(|(a, b)| tokens.contains(format!("{a}{b}").as_str()));
}
