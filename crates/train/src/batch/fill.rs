//! The numbers of one batch, padded into matrices.

use crate::tokenizer::{BOS, EOS, PAD};

/// A sentence and its translation as subwords, without `BOS` and `EOS`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Example {
    /// Source subwords.
    pub src: Vec<u32>,
    /// Target subwords.
    pub tgt: Vec<u32>,
}

/// One batch as the model takes it. Matrices are row-major, one example a row, filled up with `PAD`.
///
/// A batch is meant to be filled again and again: its buffers only ever grow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// Examples, `B`.
    pub b: usize,
    /// Columns of the source, `S`.
    pub s: usize,
    /// Columns of the target, `T`; 0 in a batch of sources only.
    pub t: usize,
    /// `(B, S)`: source subwords, then `EOS`.
    pub src: Vec<u32>,
    /// `(B)`: source lengths, `EOS` included.
    pub src_lengths: Vec<u32>,
    /// `(B, T)`: `BOS`, then target subwords: what the decoder reads.
    pub tgt_in: Vec<u32>,
    /// `(B, T)`: target subwords, then `EOS`: what the decoder is to predict.
    pub tgt_out: Vec<u32>,
    /// `(B)`: target lengths, one end included; the same for `tgt_in` and `tgt_out`.
    pub tgt_lengths: Vec<u32>,
    /// Sum of `tgt_lengths`: the number of predictions that count.
    pub target_tokens: usize,
}

impl Batch {
    /// Fills the batch with `examples[i]` for each `i` of `indices`, in that order. `S` and `T` are rounded up to a
    /// multiple of `multiple`. Allocates only where a buffer is too small.
    ///
    /// # Panics
    /// If an index is outside `examples`, or `multiple` is 0.
    pub fn fill(&mut self, examples: &[Example], indices: &[u32], multiple: usize) {
        let chosen = indices.iter().map(|&i| &examples[i as usize]);
        self.fill_sources(chosen.clone().map(|e| e.src.as_slice()), multiple);
        let tgt = chosen.map(|e| e.tgt.as_slice());
        self.t = lengths(&mut self.tgt_lengths, tgt.clone(), multiple);
        self.target_tokens = self.tgt_lengths.iter().map(|&n| n as usize).sum();
        matrix(&mut self.tgt_in, tgt.clone(), self.t, |row, tokens| {
            row[0] = BOS;
            row[1..=tokens.len()].copy_from_slice(tokens);
        });
        matrix(&mut self.tgt_out, tgt, self.t, end);
    }

    /// Fills the batch with sources only, for decoding; the target side becomes empty.
    ///
    /// # Panics
    /// If `multiple` is 0.
    pub fn fill_sources<'a>(&mut self, sources: impl Iterator<Item = &'a [u32]> + Clone, multiple: usize) {
        self.s = lengths(&mut self.src_lengths, sources.clone(), multiple);
        self.b = self.src_lengths.len();
        matrix(&mut self.src, sources, self.s, end);
        self.t = 0;
        self.target_tokens = 0;
        for buffer in [&mut self.tgt_in, &mut self.tgt_out, &mut self.tgt_lengths] {
            buffer.clear();
        }
    }
}

/// The sentence and its end.
fn end(row: &mut [u32], tokens: &[u32]) {
    row[..tokens.len()].copy_from_slice(tokens);
    row[tokens.len()] = EOS;
}

/// Writes the lengths with one end each, and returns the greatest rounded up.
fn lengths<'a>(out: &mut Vec<u32>, rows: impl Iterator<Item = &'a [u32]>, multiple: usize) -> usize {
    out.clear();
    out.extend(rows.map(|row| row.len() as u32 + 1));
    out.iter().max().map_or(0, |&n| (n as usize).next_multiple_of(multiple))
}

fn matrix<'a>(
    out: &mut Vec<u32>,
    rows: impl Iterator<Item = &'a [u32]>,
    columns: usize,
    write: impl Fn(&mut [u32], &[u32]),
) {
    out.clear();
    for tokens in rows {
        let start = out.len();
        out.resize(start + columns, PAD);
        write(&mut out[start..], tokens);
    }
}
