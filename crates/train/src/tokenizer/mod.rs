//! Subwords: a joint byte pair encoding of source and target (Sennrich, Haddow & Birch 2016,
//! [arXiv:1508.07909](https://arxiv.org/abs/1508.07909)), learnt from the training text and kept in tokenizer.json.
//!
//! Numbers 0 to 3 are always [`PAD`], [`BOS`], [`EOS`] and [`UNK`]; no text encodes to the first three, whatever it
//! spells. A character that training did not see becomes `UNK`. `pieces.rs` says how a sentence is cut first.
//!
//! ```
//! use noam_train::tokenizer::Tokenizer;
//!
//! let text = ["Das Haus ist groß.", "The house is big.", "房子很大。"];
//! let tokenizer = Tokenizer::train(text, 64)?;
//! let ids = tokenizer.encode("Das Haus ist big.")?;
//! assert_eq!(tokenizer.decode(&ids), "Das Haus ist big.");
//! let again = Tokenizer::from_json(tokenizer.to_json()?.as_bytes())?;
//! assert_eq!(again.encode("Das Haus ist big.")?, ids);
//! # Ok::<(), noam_train::tokenizer::Error>(())
//! ```

mod detached;
mod error;
mod file;
mod pieces;
#[cfg(test)]
mod tests;
mod training;

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use rayon::prelude::*;
use tokenizers::decoders::metaspace::Metaspace;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::tokenizer::{AddedToken, TokenizerImpl};

use crate::stop::{self, NEVER};
use crate::text::Lines;
pub use error::Error;
use file::Vocabulary;

/// Fills up the shorter sentences of a batch.
pub const PAD: u32 = 0;
/// Begins the decoder's input.
pub const BOS: u32 = 1;
/// Ends every sentence.
pub const EOS: u32 = 2;
/// A character that training did not see.
pub const UNK: u32 = 3;

/// Least vocabulary size that can be asked for.
pub const MIN_VOCAB: usize = 32;
/// Greatest vocabulary size that can be asked for or loaded.
pub const MAX_VOCAB: usize = 1 << 20;

const SPECIALS: [&str; 4] = ["<pad>", "<s>", "</s>", "<unk>"];

fn special_tokens() -> Vec<AddedToken> {
    SPECIALS.iter().map(|&name| AddedToken::from(name, true)).collect()
}

type Inner = TokenizerImpl<BPE, NormalizerWrapper, Sequence, TemplateProcessing, Metaspace>;

/// Turns sentences into numbers and back.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Inner,
    tokens: Vec<String>,
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokenizer").field("vocab_size", &self.tokens.len()).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Learns at most `vocab_size` subwords (special tokens included) from the sentences of both languages.
    ///
    /// Small texts give fewer: see [`Tokenizer::vocab_size`]. At most half of the vocabulary is single characters, the
    /// most frequent ones. The result depends on the text alone, not on its order, the threads or the process.
    ///
    /// # Errors
    /// [`Error::VocabSize`] outside [`MIN_VOCAB`] to [`MAX_VOCAB`]; [`Error::NoText`] if all lines are blank.
    pub fn train<'a>(lines: impl IntoIterator<Item = &'a str>, vocab_size: usize) -> Result<Self, Error> {
        Self::train_until(lines, vocab_size, &NEVER)
    }

    /// [`Tokenizer::train`], or [`Error::Stopped`] once `stop` is set.
    pub(crate) fn train_until<'a>(
        lines: impl IntoIterator<Item = &'a str>,
        vocab_size: usize,
        stop: &AtomicBool,
    ) -> Result<Self, Error> {
        Self::new(training::learn(lines, vocab_size, stop)?)
    }

    fn new(vocabulary: Vocabulary) -> Result<Self, Error> {
        let mut inner = Inner::new(vocabulary.model()?);
        // For readers of the file that add special tokens themselves: a sentence ends with `</s>`, as in batches here.
        let end = TemplateProcessing::builder()
            .try_single(vec!["$A", SPECIALS[EOS as usize]])
            .map_err(|problem| Error::library(problem.into()))?
            .special_tokens(vec![(SPECIALS[EOS as usize], EOS)])
            .build()
            .map_err(|source| Error::library(source.into()))?;
        inner
            .with_pre_tokenizer(Some(pieces::pre_tokenizer()?))
            .with_decoder(Some(pieces::metaspace()))
            .with_post_processor(Some(end))
            .add_special_tokens(special_tokens())
            .map_err(Error::library)?;
        // Text that spells a special token stays text.
        inner.set_encode_special_tokens(true);
        Ok(Self { inner, tokens: vocabulary.tokens })
    }

    /// The content of tokenizer.json. Equal tokenizers give equal bytes.
    ///
    /// # Errors
    /// [`Error::Library`], which is not known to happen.
    pub fn to_json(&self) -> Result<String, Error> {
        self.inner.to_string(false).map_err(Error::library)
    }

    /// Loads what [`Tokenizer::to_json`] gave.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Json`] or [`Error::Invalid`] for anything else: settings other than those this
    /// version writes, gaps in the numbering, merges of unknown subwords and so on.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        let tokens = SPECIALS.map(String::from).to_vec();
        let blank = Self::new(Vocabulary { tokens, merges: Vec::new() })?;
        let template = serde_json::to_value(&blank.inner).map_err(|source| Error::Json { source })?;
        Self::new(Vocabulary::from_json(json, template)?)
    }

    /// Loads a tokenizer.json.
    ///
    /// # Errors
    /// As [`Tokenizer::from_json`], and [`Error::Read`].
    pub fn load(path: &Path) -> Result<Self, Error> {
        let read = |source| Error::Read { path: path.to_owned(), source };
        let mut json = Vec::new();
        // One byte over the limit tells a file that is too large without reading it whole.
        let mut file = File::open(path).map_err(read)?.take(file::MAX_JSON_BYTES + 1);
        file.read_to_end(&mut json).map_err(read)?;
        Self::from_json(&json)
    }

    /// The subwords of a sentence, without `BOS` and `EOS`. White space at the ends is dropped, any within counts as
    /// one space. A word of more than 16 KiB is taken as several.
    ///
    /// # Errors
    /// [`Error::Library`], which is not known to happen.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let mut ids = Vec::new();
        for word in pieces::normalise(text).split(' ') {
            self.encode_word(word, &mut ids)?;
        }
        Ok(ids)
    }

    /// Adds the subwords of a word, empty or not, in normal form. Encoding takes some hundred bytes a character, so what is
    /// much longer than any word is taken as several.
    fn encode_word(&self, word: &str, ids: &mut Vec<u32>) -> Result<(), Error> {
        const LONGEST: usize = 16 << 10;
        let mut rest = word;
        while !rest.is_empty() {
            let most = rest.len().min(LONGEST);
            let end = (0..=most).rev().find(|&end| rest.is_char_boundary(end)).unwrap_or(most);
            let (now, later) = rest.split_at(end);
            rest = later;
            let encoding = self.inner.encode_fast(now, false).map_err(Error::library)?;
            ids.extend_from_slice(encoding.get_ids());
        }
        Ok(())
    }

    /// [`Tokenizer::encode`] of every line, in order, on the current rayon pool.
    ///
    /// # Errors
    /// [`Error::Stopped`] once `stop` is set; [`Error::Library`], which is not known to happen.
    pub fn encode_all(&self, lines: &Lines, stop: &AtomicBool) -> Result<Vec<Vec<u32>>, Error> {
        const CHUNK: usize = 4096;
        let chunks = (0..lines.len().div_ceil(CHUNK)).into_par_iter().map(|chunk| {
            // No subword reaches over a space, so a word that comes again need not be encoded again.
            let mut words: HashMap<String, Vec<u32>> = HashMap::new();
            let mut encode = |line: &str| {
                stop::check(stop)?;
                let mut ids = Vec::new();
                for word in pieces::normalise(line).split(' ') {
                    match words.get(word) {
                        Some(known) => ids.extend_from_slice(known),
                        None => {
                            let mut new = Vec::new();
                            self.encode_word(word, &mut new)?;
                            ids.extend_from_slice(&new);
                            words.insert(word.to_owned(), new);
                        }
                    }
                }
                Ok(ids)
            };
            let range = chunk * CHUNK..lines.len().min((chunk + 1) * CHUNK);
            range.map(|i| encode(&lines[i])).collect::<Result<Vec<_>, Error>>()
        });
        let chunks: Vec<Vec<Vec<u32>>> = chunks.collect::<Result<_, _>>()?;
        let mut all = Vec::with_capacity(lines.len());
        chunks.into_iter().for_each(|mut chunk| all.append(&mut chunk));
        Ok(all)
    }

    /// The sentence that subwords spell. Special tokens, and numbers outside the vocabulary, are skipped.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut text = String::new();
        for &id in ids.iter().filter(|&&id| id as usize >= SPECIALS.len()) {
            let token = self.tokens.get(id as usize).map_or("", String::as_str);
            text.extend(token.chars().map(|c| if c == pieces::SPACE { ' ' } else { c }));
        }
        if text.starts_with(' ') {
            text.remove(0);
        }
        text
    }

    /// A subword as it is written in the vocabulary, with `▁` for a space; `<unk>` outside the vocabulary.
    pub fn token(&self, id: u32) -> &str {
        self.tokens.get(id as usize).map_or(SPECIALS[UNK as usize], String::as_str)
    }

    /// Number of subwords, special tokens included.
    pub fn vocab_size(&self) -> usize {
        self.tokens.len()
    }
}
