//! From source tokens to translations: greedy and beam search over incremental decoding.
//!
//! Beam search as Hugging Face's `generate` has it: every step takes the 2·beam best continuations of a sentence; those that
//! end with EOS and are among the first `beam` are finished, with the score `sum of log-probabilities / tokens^penalty` (the
//! length penalty of Wu et al. 2016 without its constant, EOS counted); the best others go on. A sentence is done when `beam`
//! hypotheses are finished (`early_stopping=True` there), or at the greatest length, where the `beam` best count as finished.
//! Greedy search is a beam of 1.
//!
//! PAD and BOS are never put out: their logits are -infinity before the softmax, so the probabilities are those of EOS and the
//! words alone. MarianMT's configurations do the same to its pad token, which is its start token too, with `bad_words_ids` and
//! `renormalize_logits` (`bad_words_ids` alone would leave its share of the probability out of every score).

mod step;

use crate::batch::{BOS, EOS, PAD, longest};
use crate::model::Model;
use crate::{Config, Error, Limit};
use noam_kernels::device::{Device, Span};
use step::Steps;

/// How to search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// Hypotheses kept; 1 is greedy search.
    pub beam: usize,
    /// The most tokens of a translation, EOS included.
    pub max_tokens: usize,
    /// The exponent of a hypothesis's length that its score is divided by: 0 ignores length, 1 is the mean.
    pub length_penalty: f64,
}

impl Search {
    /// Greedy search for at most `max_tokens` tokens.
    pub fn greedy(max_tokens: usize) -> Self {
        Search { beam: 1, max_tokens, length_penalty: 1.0 }
    }

    fn check(&self, config: &Config) -> Result<(), Error> {
        if self.beam == 0 || 2 * self.beam > config.vocab_size {
            let limit = "at least 1 and at most half the vocabulary; 4 is a usual choice";
            return Err(Error::Search { what: "beam", got: self.beam as f64, limit });
        }
        if self.max_tokens == 0 || self.max_tokens > config.max_len {
            let limit = "at least 1 and at most the model's max_len";
            return Err(Error::Search { what: "max_tokens", got: self.max_tokens as f64, limit });
        }
        if !self.length_penalty.is_finite() {
            let limit = "finite; 1 is a usual choice";
            return Err(Error::Search { what: "length_penalty", got: self.length_penalty, limit });
        }
        Ok(())
    }
}

/// A translation.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its tokens, without BOS and EOS.
    pub tokens: Vec<u32>,
    /// The sum of its tokens' log-probabilities, among EOS and the words, over their number to the length penalty, EOS counted.
    pub score: f64,
}

/// A model ready to translate: its weights packed for the many small products of decoding.
#[derive(Debug)]
pub struct Translator<'m, D: Device> {
    model: &'m Model<D>,
    packed: Vec<D::Packed>,
    table: D::Packed,
    /// Added to the logits, (V): -infinity for PAD and BOS, 0 for the others.
    suppress: D::Buffer,
}

impl<'m, D: Device> Translator<'m, D> {
    /// Packs the model's weights.
    ///
    /// # Errors
    /// [`Error::Kernel`] if the device has no room.
    pub fn new(model: &'m Model<D>) -> Result<Self, Error> {
        let (d, config) = (&model.device, &model.config);
        let pack = |span, k, n| d.pack(d.weight(&model.params, span), k, n);
        let packed =
            model.layout.linears.iter().map(|l| pack(l.weight, l.d_in, l.d_out)).collect::<Result<Vec<_>, _>>()?;
        let table = pack(model.layout.output, config.d_model, config.vocab_size)?;
        let mut values = vec![0.0; config.vocab_size];
        for id in [PAD, BOS] {
            values[id as usize] = f32::NEG_INFINITY;
        }
        let mut suppress = d.zeros(values.len())?;
        d.upload(&values, &mut suppress, Span { offset: 0, len: values.len() })?;
        Ok(Translator { model, packed, table, suppress })
    }

    /// Translates sentences, each its tokens and EOS, as one batch: the best hypothesis of each, in order.
    ///
    /// A result does not depend on what else is in the batch. Sentences of like length make the least work.
    ///
    /// # Errors
    /// [`Error::Search`] if the settings cannot be searched with, or if the model's weights make NaN; [`Error::Batch`] if a
    /// sentence is empty or longer than the model's positions; [`Error::Kernel`] if a token is beyond the vocabulary.
    pub fn translate(&mut self, sources: &[&[u32]], search: &Search) -> Result<Vec<Hypothesis>, Error> {
        search.check(&self.model.config)?;
        if sources.is_empty() {
            return Ok(Vec::new());
        }
        let (s, max_len) = (sources.iter().map(|x| x.len()).max().unwrap_or(0), self.model.config.max_len);
        if sources.iter().any(|x| x.is_empty()) {
            let hint = "an empty sentence is its EOS alone";
            return Err(Error::Batch { what: "a source sentence's length", got: 0, limit: Limit::AtLeast(1), hint });
        }
        longest("the longest source", s, max_len)?;
        let (b, beam) = (sources.len(), search.beam);
        let mut src = vec![PAD; b * s];
        for (row, source) in src.chunks_mut(s).zip(sources) {
            row[..source.len()].copy_from_slice(source);
        }
        let lengths: Vec<u32> = sources.iter().map(|x| x.len() as u32).collect();
        let mut steps = Steps::new(self, (&src, &lengths, s), beam, search.max_tokens)?;

        let k = 2 * beam;
        let mut sentences: Vec<Sentence> = (0..b).map(|_| Sentence::new(beam)).collect();
        let (mut values, mut ids) = (vec![0.0; b * beam * k], vec![0; b * beam * k]);
        let (mut tokens, mut parents) = (vec![BOS; b * beam], vec![0u32; b * beam]);
        for length in 1..=search.max_tokens {
            steps.step(&tokens, k, (&mut values, &mut ids))?;
            for (i, sentence) in sentences.iter_mut().enumerate() {
                let part = i * beam * k..(i + 1) * beam * k;
                let last = length == search.max_tokens;
                if !sentence.done && values[part.clone()].iter().any(|v| v.is_nan()) {
                    let limit = "a number; are the model's weights finite?";
                    return Err(Error::Search { what: "a log-probability", got: f64::NAN, limit });
                }
                sentence.advance(&values[part.clone()], &ids[part], k, length, last, search.length_penalty);
                for (j, row) in (i * beam..(i + 1) * beam).enumerate() {
                    let beam_j = &sentence.beams[j];
                    (tokens[row], parents[row]) = (beam_j.last, (i * beam + beam_j.parent) as u32);
                }
            }
            if sentences.iter().all(|s| s.done) {
                break;
            }
            steps.reorder(&parents)?;
        }
        Ok(sentences.into_iter().map(Sentence::best).collect())
    }
}

/// A hypothesis that goes on.
#[derive(Clone, Debug)]
struct Beam {
    tokens: Vec<u32>,
    /// Sum of log-probabilities.
    sum: f64,
    last: u32,
    /// The beam it continues.
    parent: usize,
}

/// The search of one sentence.
#[derive(Debug)]
struct Sentence {
    beams: Vec<Beam>,
    /// Best first, at most as many as beams.
    finished: Vec<Hypothesis>,
    done: bool,
}

impl Sentence {
    fn new(beam: usize) -> Self {
        // All beams begin alike; all but the first are out of the running, or every beam would be the same.
        let beams = (0..beam)
            .map(|i| {
                let sum = if i == 0 { 0.0 } else { f64::NEG_INFINITY };
                Beam { tokens: Vec::new(), sum, last: BOS, parent: i }
            })
            .collect();
        Sentence { beams, finished: Vec::new(), done: false }
    }

    /// Takes the k best continuations of every beam, by log-probability, descending.
    fn advance(&mut self, values: &[f32], ids: &[u32], k: usize, length: usize, last: bool, penalty: f64) {
        let beam = self.beams.len();
        if self.done {
            for (i, b) in self.beams.iter_mut().enumerate() {
                (b.last, b.parent) = (PAD, i);
            }
            return;
        }
        // (score, beam, token): best first; ties go to the lower beam, then to the lower token, as the rows are ordered.
        let mut candidates: Vec<(f64, usize, u32)> = self
            .beams
            .iter()
            .enumerate()
            .filter(|(_, b)| b.sum > f64::NEG_INFINITY)
            .flat_map(|(i, b)| (i * k..(i + 1) * k).map(move |j| (b.sum + f64::from(values[j]), i, ids[j])))
            // What cannot be is no candidate: PAD and BOS.
            .filter(|candidate| candidate.0 > f64::NEG_INFINITY)
            .collect();
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0));
        candidates.truncate(k);
        let mut next = Vec::with_capacity(beam);
        for (rank, &(sum, parent, id)) in candidates.iter().enumerate() {
            if id == EOS || last {
                if rank < beam {
                    let mut tokens = self.beams[parent].tokens.clone();
                    if id != EOS {
                        tokens.push(id);
                    }
                    self.finish(Hypothesis { tokens, score: sum / power(length, penalty) }, beam);
                }
            } else if next.len() < beam {
                let mut tokens = self.beams[parent].tokens.clone();
                tokens.push(id);
                next.push(Beam { tokens, sum, last: id, parent });
            }
        }
        self.done = last || self.finished.len() >= beam || next.is_empty();
        while next.len() < beam {
            // Fewer candidates than beams: only with a tiny vocabulary.
            next.push(Beam { tokens: Vec::new(), sum: f64::NEG_INFINITY, last: PAD, parent: 0 });
        }
        self.beams = next;
    }

    fn finish(&mut self, hypothesis: Hypothesis, keep: usize) {
        let at = self.finished.partition_point(|f| f.score >= hypothesis.score);
        self.finished.insert(at, hypothesis);
        self.finished.truncate(keep);
    }

    fn best(self) -> Hypothesis {
        let Sentence { beams, finished, .. } = self;
        finished.into_iter().next().unwrap_or_else(|| {
            let beam = beams.into_iter().next();
            let (tokens, score) = beam.map_or((Vec::new(), f64::NEG_INFINITY), |b| (b.tokens, b.sum));
            Hypothesis { tokens, score }
        })
    }
}

/// `length^penalty`, exactly the length or 1 in the usual cases.
fn power(length: usize, penalty: f64) -> f64 {
    if penalty == 1.0 {
        length as f64
    } else if penalty == 0.0 {
        1.0
    } else {
        noam_kernels::math::pow_f64(length as f64, penalty)
    }
}
