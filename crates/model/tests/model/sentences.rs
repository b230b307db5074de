//! Batches and small models for the tests.

use noam_kernels::device::Cpu;
use noam_kernels::philox;
use noam_model::{BOS, Batch, Config, EOS, Embeddings, Layout, Model, Norm, PAD};

/// Numbers that depend on a seed alone.
pub struct Draw {
    seed: u64,
    count: u32,
}

impl Draw {
    pub fn new(seed: u64) -> Self {
        Draw { seed, count: 0 }
    }

    pub fn word(&mut self) -> u32 {
        self.count += 1;
        philox::block([self.count, 0, 0, 0], [self.seed as u32, (self.seed >> 32) as u32])[0]
    }

    /// At least `from`, below `to`.
    pub fn range(&mut self, from: u32, to: u32) -> u32 {
        from + self.word() % (to - from)
    }

    /// In (-1, 1).
    pub fn unit(&mut self) -> f64 {
        (f64::from(self.word()) + 0.5) / 2f64.powi(31) - 1.0
    }
}

/// A batch that owns its arrays.
#[derive(Clone)]
pub struct Sentences {
    pub src: Vec<u32>,
    pub src_lengths: Vec<u32>,
    pub tgt_in: Vec<u32>,
    pub tgt_out: Vec<u32>,
    pub tgt_lengths: Vec<u32>,
    pub s: usize,
    pub t: usize,
}

impl Sentences {
    /// Pairs of source and target, both with their EOS, padded to the longest.
    pub fn new(pairs: &[(Vec<u32>, Vec<u32>)]) -> Self {
        let s = pairs.iter().map(|p| p.0.len()).max().unwrap_or(0);
        let t = pairs.iter().map(|p| p.1.len()).max().unwrap_or(0);
        Sentences::padded(pairs, s, t)
    }

    /// The same, padded to `s` and `t`.
    pub fn padded(pairs: &[(Vec<u32>, Vec<u32>)], s: usize, t: usize) -> Self {
        let fill = |row: &[u32], width: usize| -> Vec<u32> {
            row.iter().copied().chain(std::iter::repeat(PAD)).take(width).collect()
        };
        Sentences {
            src: pairs.iter().flat_map(|p| fill(&p.0, s)).collect(),
            src_lengths: pairs.iter().map(|p| p.0.len() as u32).collect(),
            tgt_in: pairs.iter().flat_map(|p| fill(&[&[BOS], &p.1[..p.1.len() - 1]].concat(), t)).collect(),
            tgt_out: pairs.iter().flat_map(|p| fill(&p.1, t)).collect(),
            tgt_lengths: pairs.iter().map(|p| p.1.len() as u32).collect(),
            s,
            t,
        }
    }

    /// Pairs of these lengths, EOS counted.
    pub fn random(vocab_size: usize, lengths: &[(usize, usize)], seed: u64) -> Self {
        Sentences::new(&pairs(vocab_size, lengths, seed))
    }

    pub fn batch(&self) -> Batch<'_> {
        Batch {
            src: &self.src,
            src_lengths: &self.src_lengths,
            tgt_in: &self.tgt_in,
            tgt_out: &self.tgt_out,
            tgt_lengths: &self.tgt_lengths,
            s: self.s,
            t: self.t,
        }
    }

    pub fn targets(&self) -> usize {
        self.batch().target_tokens()
    }
}

/// Random pairs of sentences of these lengths, EOS counted.
pub fn pairs(vocab_size: usize, lengths: &[(usize, usize)], seed: u64) -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut draw = Draw::new(seed);
    let mut sentence = |len: usize| -> Vec<u32> {
        (0..len).map(|i| if i + 1 == len { EOS } else { draw.range(3, vocab_size as u32) }).collect()
    };
    lengths.iter().map(|&(s, t)| (sentence(s), sentence(t))).collect()
}

/// A model small enough for plain loops, of sizes that no register divides.
pub fn small(norm: Norm, embeddings: Embeddings) -> Config {
    Config {
        vocab_size: 17,
        d_model: 12,
        n_heads: 3,
        d_ff: 20,
        encoder_layers: 2,
        decoder_layers: 2,
        max_len: 24,
        dropout: 0.0,
        attention_dropout: 0.0,
        activation_dropout: 0.0,
        norm,
        embeddings,
        norm_eps: 1e-5,
    }
}

/// Initial values with biases and gains that are not all alike, as after some training.
pub fn values(config: &Config, seed: u64) -> Vec<f32> {
    let layout = Layout::new(config);
    let mut values = layout.init(config, seed);
    let mut draw = Draw::new(seed ^ 0x5eed);
    for entry in layout.entries().iter().filter(|e| e.shape.len() == 1) {
        for value in &mut values[entry.offset..entry.offset + entry.len()] {
            *value += (0.2 * draw.unit()) as f32;
        }
    }
    values
}

pub fn model(config: &Config, seed: u64) -> Model<Cpu> {
    Model::from_values(Cpu::new(), config.clone(), &values(config, seed)).unwrap()
}
