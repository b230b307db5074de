//! Which examples go into which batch, and in which order the batches come.

use serde::{Deserialize, Serialize};

use super::rng::Rng;
use super::{Error, Example};

/// Examples are sorted by length in steps of this many tokens. Coarser steps mix the batches more from epoch to epoch
/// and pad more. For 29,000 captions in batches of 768 tokens, steps of 1, 2 and 4 pad 0.9%, 2.1% and 4.8%, and an
/// example has 57, 220 and 832 others in its step.
const GRAIN: u32 = 2;

/// How to make batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Tokens in a batch: `B * max(S, T)`, padding included. Only a single example that is longer by itself exceeds it.
    /// Default 4096.
    pub max_tokens: usize,
    /// Longest example kept: tokens on either side, with the end token. Default 256.
    pub max_len: usize,
    /// `S` and `T` are rounded up to a multiple of this: fewer distinct shapes for more padding. Default 1.
    pub multiple: usize,
    /// Decides the order of every epoch. Default 0.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_tokens: 4096, max_len: 256, multiple: 1, seed: 0 }
    }
}

/// A place in the sequence of all batches of all epochs: the next batch is number `index` of epoch `epoch`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// Epoch, from 0.
    pub epoch: u64,
    /// Batch within the epoch, from 0; the epoch's number of batches means its end.
    pub index: u64,
}

/// The batches of a set of examples.
#[derive(Debug, Clone)]
pub struct Batches {
    options: Options,
    /// Source and target length (with the end token) of the examples kept, and their numbers.
    kept: Vec<(u32, u32, u32)>,
    dropped: usize,
}

/// The batches of one epoch, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// Numbers of examples, batch after batch in the order of cutting.
    order: Vec<u32>,
    /// Where each batch lies in `order`, in the order they are to come.
    batches: Vec<(u32, u32)>,
}

impl Batches {
    /// Measures the examples and drops those over [`Options::max_len`].
    ///
    /// # Errors
    /// [`Error::Zero`] for an option that is 0; [`Error::NoExamples`]; [`Error::AllTooLong`] if none is left;
    /// [`Error::TooMany`] for more than 2^32 - 1.
    pub fn new(examples: &[Example], options: &Options) -> Result<Self, Error> {
        let Options { max_tokens, max_len, multiple, .. } = *options;
        for (name, value) in [("max_tokens", max_tokens), ("max_len", max_len), ("multiple", multiple)] {
            if value == 0 {
                return Err(Error::Zero { name });
            }
        }
        let count = u32::try_from(examples.len())
            .map_err(|_| Error::TooMany { got: examples.len(), max: u32::MAX as usize })?;
        let longest = |e: &Example| e.src.len().max(e.tgt.len()) + 1;
        let kept: Vec<_> = (0..count)
            .zip(examples)
            .filter(|(_, e)| longest(e) <= max_len)
            .map(|(i, e)| (e.src.len() as u32 + 1, e.tgt.len() as u32 + 1, i))
            .collect();
        let dropped = examples.len() - kept.len();
        if kept.is_empty() {
            let longest = examples.iter().map(longest).max().ok_or(Error::NoExamples)?;
            return Err(Error::AllTooLong { dropped, max_len, longest });
        }
        Ok(Self { options: *options, kept, dropped })
    }

    /// Examples that are in the batches.
    pub fn examples(&self) -> usize {
        self.kept.len()
    }

    /// Examples dropped for their length.
    pub fn dropped(&self) -> usize {
        self.dropped
    }

    /// Target tokens in an epoch, ends included.
    pub fn target_tokens(&self) -> usize {
        self.kept.iter().map(|&(_, t, _)| t as usize).sum()
    }

    /// [`Options::multiple`], as [`Batch::fill`](super::Batch::fill) takes it.
    pub fn multiple(&self) -> usize {
        self.options.multiple
    }

    /// Greatest `S` and `T` that any batch can have.
    pub fn longest(&self) -> (usize, usize) {
        let pad = |n: u32| (n as usize).next_multiple_of(self.options.multiple);
        self.kept.iter().fold((0, 0), |(s, t), &(a, b, _)| (s.max(pad(a)), t.max(pad(b))))
    }

    /// The most source and target positions of a batch, `B * S` and `B * T`, estimated from above.
    pub(crate) fn most_positions(&self) -> [usize; 2] {
        let Options { max_tokens, .. } = self.options;
        let (s, t) = self.longest();
        let all = |longest: usize| self.kept.len().saturating_mul(longest).min(max_tokens.max(longest));
        [all(s), all(t)]
    }

    /// The batches of epoch `epoch` in random order: a function of the examples' lengths, the options and `epoch`.
    pub fn epoch(&self, epoch: u64) -> Epoch {
        let mut rng = Rng::new(self.options.seed, epoch);
        let mut shuffled = self.kept.clone();
        rng.shuffle(&mut shuffled);
        let mut epoch = self.cut(shuffled);
        rng.shuffle(&mut epoch.batches);
        epoch
    }

    /// The same batches every time, short examples first: for validation.
    pub fn in_order(&self) -> Epoch {
        self.cut(self.kept.clone())
    }

    /// All batches of all epochs from `position` on.
    ///
    /// # Errors
    /// [`Error::Position`] beyond the end of its epoch.
    pub fn stream(&self, position: Position) -> Result<Stream<'_>, Error> {
        let current = self.epoch(position.epoch);
        match usize::try_from(position.index) {
            Ok(index) if index <= current.len() => Ok(Stream { batches: self, current, epoch: position.epoch, index }),
            _ => {
                let Position { epoch, index } = position;
                Err(Error::Position { epoch, index, batches: current.len() })
            }
        }
    }

    /// Sorts by length, keeping the given order among equals, and cuts.
    fn cut(&self, mut examples: Vec<(u32, u32, u32)>) -> Epoch {
        // By the longer side, then by the difference of the sides; every other step of the longer side runs backwards,
        // so that neighbours differ little on both sides and a batch may reach over the edge of a step.
        examples.sort_by_key(|&(s, t, _)| {
            let (s, t) = (s.div_ceil(GRAIN), t.div_ceil(GRAIN));
            let (longer, difference) = (s.max(t), i64::from(t) - i64::from(s));
            (longer, if longer % 2 == 0 { difference } else { -difference })
        });
        let Options { max_tokens, multiple, .. } = self.options;
        let mut batches = Vec::new();
        let (mut start, mut widest) = (0, 0);
        for (i, &(s, t, _)) in examples.iter().enumerate() {
            let wide = (s.max(t) as usize).next_multiple_of(multiple);
            if i > start && (i - start + 1).saturating_mul(wide.max(widest)) > max_tokens {
                batches.push((start as u32, i as u32));
                (start, widest) = (i, 0);
            }
            widest = widest.max(wide);
        }
        batches.push((start as u32, examples.len() as u32));
        Epoch { order: examples.into_iter().map(|(_, _, i)| i).collect(), batches }
    }
}

impl Epoch {
    /// Number of batches.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Whether there is no batch; never so for an epoch of [`Batches`].
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// The numbers of the examples in batch `i`.
    pub fn get(&self, i: usize) -> Option<&[u32]> {
        self.batches.get(i).map(|&(start, end)| &self.order[start as usize..end as usize])
    }

    /// All batches in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u32]> + '_ {
        self.batches.iter().map(|&(start, end)| &self.order[start as usize..end as usize])
    }
}

/// Batches without end: one epoch after another.
#[derive(Debug, Clone)]
pub struct Stream<'a> {
    batches: &'a Batches,
    current: Epoch,
    epoch: u64,
    index: usize,
}

impl Stream<'_> {
    /// The numbers of the examples in the next batch.
    pub fn next_batch(&mut self) -> &[u32] {
        if self.index == self.current.len() {
            // Only a made-up position is near the last of 2^64 epochs; wrapping keeps it harmless.
            self.epoch = self.epoch.wrapping_add(1);
            self.index = 0;
            self.current = self.batches.epoch(self.epoch);
        }
        let (start, end) = self.current.batches[self.index];
        self.index += 1;
        &self.current.order[start as usize..end as usize]
    }

    /// Where the stream is: a stream started here gives the same batches as this one from now on.
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, index: self.index as u64 }
    }

    /// Batches in the current epoch.
    pub fn epoch_len(&self) -> usize {
        self.current.len()
    }
}
