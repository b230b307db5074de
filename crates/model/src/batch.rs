//! What a step works on.

use crate::{Config, Error, Limit};

/// The padding token's id; targets of this id do not count.
pub const PAD: u32 = 0;
/// The id that begins a decoder's input.
pub const BOS: u32 = 1;
/// The id that ends a sentence.
pub const EOS: u32 = 2;

/// Sentences and their translations, padded to rectangles with [`PAD`].
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// Source tokens, (B, S): a sentence and [`EOS`].
    pub src: &'a [u32],
    /// Source tokens of each sentence that are not padding, (B).
    pub src_lengths: &'a [u32],
    /// Decoder input, (B, T): [`BOS`] and the translation.
    pub tgt_in: &'a [u32],
    /// Targets, (B, T): the translation and [`EOS`].
    pub tgt_out: &'a [u32],
    /// Target tokens of each sentence that are not padding, (B).
    pub tgt_lengths: &'a [u32],
    /// Source positions.
    pub s: usize,
    /// Target positions.
    pub t: usize,
}

impl Batch<'_> {
    /// Sentences.
    pub fn b(&self) -> usize {
        self.src_lengths.len()
    }

    /// Targets that are not padding.
    pub fn target_tokens(&self) -> usize {
        self.tgt_out.iter().filter(|&&id| id != PAD).count()
    }

    /// Checks that the arrays agree with each other and with a model's positions, and that all tokens are words: nothing may
    /// be found wrong when a part of the batch has left its gradients, and a device that does again what it did before does
    /// not look.
    pub(crate) fn check(&self, config: &Config) -> Result<(), Error> {
        let (b, max_len, vocab_size) = (self.b(), config.max_len, config.vocab_size);
        if b == 0 || self.s == 0 || self.t == 0 {
            let what = "a size (sentences, source or target positions)";
            let hint = "leave empty batches out";
            return Err(Error::Batch { what, got: 0, limit: Limit::AtLeast(1), hint });
        }
        longest("the longest sequence", self.s.max(self.t), max_len)?;
        for (what, got, want) in [
            ("tgt_lengths.len()", self.tgt_lengths.len(), b),
            ("src.len()", self.src.len(), b * self.s),
            ("tgt_in.len()", self.tgt_in.len(), b * self.t),
            ("tgt_out.len()", self.tgt_out.len(), b * self.t),
        ] {
            if got != want {
                let hint = "src_lengths.len() is the number of sentences, `s` and `t` are the positions of each";
                return Err(Error::Batch { what, got, limit: Limit::Exactly(want), hint });
            }
        }
        for (what, lengths, limit) in
            [("a source length", self.src_lengths, self.s), ("a target length", self.tgt_lengths, self.t)]
        {
            if let Some(&got) = lengths.iter().find(|&&l| l as usize > limit) {
                let hint = "a sentence's tokens must fit its positions, `s` or `t`";
                return Err(Error::Batch { what, got: got as usize, limit: Limit::AtMost(limit), hint });
            }
        }
        for (ids, lengths, width) in [(self.src, self.src_lengths, self.s), (self.tgt_in, self.tgt_lengths, self.t)] {
            for (sentence, &length) in lengths.iter().enumerate() {
                words("embedding", "ids", ids, sentence * width..sentence * width + length as usize, vocab_size)?;
            }
        }
        words("cross_entropy", "targets", self.tgt_out, 0..self.tgt_out.len(), vocab_size)
    }
}

/// Checks that the ids at these places are below the vocabulary's size.
fn words(
    op: &'static str,
    arg: &'static str,
    ids: &[u32],
    places: std::ops::Range<usize>,
    vocab_size: usize,
) -> Result<(), Error> {
    match ids[places.clone()].iter().position(|&id| id as usize >= vocab_size) {
        Some(place) => {
            let at = places.start + place;
            Err(noam_kernels::Error::Index { op, arg, at, got: ids[at] as usize, limit: vocab_size }.into())
        }
        None => Ok(()),
    }
}

/// Checks that a sequence of `got` tokens fits a model's positions.
pub(crate) fn longest(what: &'static str, got: usize, max_len: usize) -> Result<(), Error> {
    let hint = "shorten it, or make the model with a larger `max_len`";
    if got <= max_len { Ok(()) } else { Err(Error::Batch { what, got, limit: Limit::AtMost(max_len), hint }) }
}
