//! A parallel corpus in English, German and Chinese, made as it is read.
//!
//! A sentence starts as a tree: who does what to what, when, where, in which mode, asked or told. Three grammars,
//! written by hand, put that tree into words. They know gender, case and the three declensions of adjectives,
//! agreement, separable verbs, the verb second and last, auxiliaries and do-support, measure words, aspect,
//! relative clauses before and after their noun, dates and times of day. Trees are drawn at random from some six
//! hundred words, with classes that keep to what makes sense by and large; there are many millions.
//!
//! # What a model can and cannot know
//!
//! Source and target say the same, in all four [`Pair`]s: equal sources have equal targets. What one of the
//! languages would leave open is never said (so there is no "you", which would be du, ihr or Sie), and where a
//! language has a choice the corpus always makes the same one. Every score below 100 BLEU is therefore the model's.
//!
//! # Splits
//!
//! - **Test** holds out combinations of words. A fixed hash picks one in twenty of all pairs of a verb with the
//!   noun at the head of its object and of an adjective with the noun it describes. A sentence with such a pair is a
//!   test sentence, and every test sentence has one; the words themselves are all in the training set.
//! - **Validation** is one in fifty of the other sentences, chosen by a hash of the English text.
//! - **Train** is the rest.
//!
//! So no sentence is in two splits, whatever the seeds: which split a sentence belongs to does not depend on the
//! seed, only which sentences are drawn does. Since equal sources have equal targets, that holds for the German and
//! Chinese sentences as well.
//!
//! # Example
//! ```
//! # use noam_train::corpus;
//! use corpus::{Corpus, Pair, Split};
//!
//! let corpus = Corpus::new(1);
//! let (english, german) = corpus.pair(Pair::EnDe, Split::Train, 0);
//! assert_eq!((english, german), corpus.pair(Pair::EnDe, Split::Train, 0));
//! assert_eq!(corpus.pairs(Pair::ZhEn, Split::Valid, 10).count(), 10);
//! ```

mod chinese;
mod english;
mod generate;
mod german;
mod inspect;
mod lexicon;
mod numbers;
mod rng;
mod syntax;
#[cfg(test)]
mod tests;
mod writer;

use generate::Generator;
use rng::{Rng, hash_text};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;
use syntax::Sentence;

/// A language of the corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English, in British spelling.
    En,
    /// German, in the spelling of Germany (ß after long vowels).
    De,
    /// Mandarin Chinese in simplified characters, without spaces.
    Zh,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::En => "en",
            Self::De => "de",
            Self::Zh => "zh",
        })
    }
}

/// A source and a target language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pair {
    /// English to German.
    EnDe,
    /// German to English.
    DeEn,
    /// English to Chinese.
    EnZh,
    /// Chinese to English.
    ZhEn,
}

impl Pair {
    /// All pairs, in the order that help texts list them.
    pub const ALL: [Self; 4] = [Self::EnDe, Self::DeEn, Self::EnZh, Self::ZhEn];

    /// The language to translate from.
    pub fn source(self) -> Language {
        match self {
            Self::EnDe | Self::EnZh => Language::En,
            Self::DeEn => Language::De,
            Self::ZhEn => Language::Zh,
        }
    }

    /// The language to translate into.
    pub fn target(self) -> Language {
        match self {
            Self::EnDe => Language::De,
            Self::EnZh => Language::Zh,
            Self::DeEn | Self::ZhEn => Language::En,
        }
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.source(), self.target())
    }
}

/// The name of a pair that the corpus does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("language pair is {0:?}, must be one of en-de, de-en, en-zh, zh-en")]
pub struct ParsePairError(pub String);

impl FromStr for Pair {
    type Err = ParsePairError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|pair| pair.to_string() == text).ok_or_else(|| ParsePairError(text.to_owned()))
    }
}

/// A part of the corpus; the [module](self) says what goes where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What a model learns from.
    Train,
    /// Other sentences of the same kind.
    Valid,
    /// Sentences with combinations of words that are in no other split.
    Test,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        })
    }
}

/// One sentence in the three languages.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Triple {
    /// The English sentence.
    pub en: String,
    /// The German sentence.
    pub de: String,
    /// The Chinese sentence.
    pub zh: String,
}

/// One in this many sentences without a held-out combination is for validation.
const VALID_ONE_IN: u64 = 50;

/// [`Pairs`] ends after this many sentences in a row that it has had before.
const PATIENCE: u32 = 10_000;

/// The corpus of one seed: an endless sequence of sentences for each [`Split`], any of which can be made alone.
pub struct Corpus {
    seed: u64,
    generator: Generator,
}

impl fmt::Debug for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Corpus").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Corpus {
    /// The corpus that `seed` stands for.
    pub fn new(seed: u64) -> Self {
        Self { seed, generator: Generator::new() }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Sentence number `index` of `split`: a pure function of the seed and the arguments, on every machine.
    ///
    /// Short sentences come back under other numbers; [`Self::pairs`] leaves such repetitions out.
    pub fn sentence(&self, split: Split, index: u64) -> Triple {
        let (tree, en) = self.tree(split, index);
        Triple { de: german::linearise(&tree), zh: chinese::linearise(&tree), en }
    }

    /// Source and target of sentence number `index` of `split`; as [`Self::sentence`].
    pub fn pair(&self, pair: Pair, split: Split, index: u64) -> (String, String) {
        let (tree, en) = self.tree(split, index);
        match pair {
            Pair::EnDe => (en, german::linearise(&tree)),
            Pair::DeEn => (german::linearise(&tree), en),
            Pair::EnZh => (en, chinese::linearise(&tree)),
            Pair::ZhEn => (chinese::linearise(&tree), en),
        }
    }

    /// The first `count` different sentences of `split`.
    ///
    /// Remembers eight bytes for each. Ends early if ten thousand draws in a row brought nothing new, which takes
    /// many millions of sentences.
    pub fn pairs(&self, pair: Pair, split: Split, count: usize) -> Pairs<'_> {
        Pairs { corpus: self, pair, split, left: count, index: 0, seen: HashSet::new() }
    }

    /// Draws trees until one belongs to `split`; with its English text, which decides that.
    fn tree(&self, split: Split, index: u64) -> (Sentence, String) {
        let stream = match split {
            Split::Train => 0,
            Split::Valid => 1,
            Split::Test => 2,
        };
        let mut rng = Rng::new([self.seed, stream, index]);
        loop {
            let tree = self.generator.sentence(&mut rng);
            if inspect::has_held_out(&tree) != (split == Split::Test) {
                continue;
            }
            let en = english::linearise(&tree);
            let is_valid = hash_text(&en).is_multiple_of(VALID_ONE_IN);
            if split == Split::Test || is_valid == (split == Split::Valid) {
                return (tree, en);
            }
        }
    }
}

/// Different sentences of one split; see [`Corpus::pairs`].
#[derive(Debug)]
pub struct Pairs<'a> {
    corpus: &'a Corpus,
    pair: Pair,
    split: Split,
    left: usize,
    index: u64,
    /// Hashes of the sources so far. Two sentences with one hash are one in 2^64; the second would be left out.
    seen: HashSet<u64>,
}

impl Iterator for Pairs<'_> {
    type Item = (String, String);

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        for _ in 0..PATIENCE {
            let (source, target) = self.corpus.pair(self.pair, self.split, self.index);
            self.index += 1;
            if self.seen.insert(hash_text(&source)) {
                self.left -= 1;
                return Some((source, target));
            }
        }
        self.left = 0;
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.left))
    }
}

impl std::iter::FusedIterator for Pairs<'_> {}
