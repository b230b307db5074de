//! The model's forward pass in f64 and plain loops, from the paper: sentence by sentence, without padding, without batches,
//! without anything saved for a backward pass.

use noam_kernels::dropout::Dropout;
use noam_model::{Config, Embeddings, Layout, Norm, PAD};
use std::collections::HashMap;
use std::ops::Range;

use crate::sentences::Sentences;

/// Rows of numbers: positions by channels.
type Rows = Vec<Vec<f64>>;

/// What a training pass draws its dropout from.
#[derive(Clone, Copy)]
pub struct Noise {
    pub seed: u64,
    pub step: u32,
    pub micro_batch: u32,
}

pub struct Reference<'a> {
    config: &'a Config,
    places: HashMap<String, Range<usize>>,
    noise: Option<Noise>,
}

/// Where a dropout stands: the number that the model gives that place, without the micro-batch.
const SOURCE: u32 = 1;
const TARGET: u32 = 2;
const ENCODER: u32 = 0x10;
const DECODER: u32 = 0x4000;

fn place(stack: u32, layer: usize, sublayer: u32) -> u32 {
    stack + 8 * layer as u32 + 2 * sublayer
}

/// Which sentence of the batch a row belongs to, how many there are in a row of the batch, and how many heads: what
/// dropout's counter is made of.
#[derive(Clone, Copy)]
struct At {
    sentence: usize,
    width: usize,
}

impl<'a> Reference<'a> {
    pub fn new(config: &'a Config, noise: Option<Noise>) -> Self {
        let layout = Layout::new(config);
        let places = layout.entries().iter().map(|e| (e.name.clone(), e.offset..e.offset + e.len())).collect();
        Reference { config, places, noise }
    }

    fn get<'v>(&self, values: &'v [f64], name: &str) -> &'v [f64] {
        &values[self.places[name].clone()]
    }

    fn dropout(&self, p: f64, place: u32) -> Dropout {
        match self.noise {
            Some(Noise { seed, step, micro_batch }) if p > 0.0 => {
                Dropout::new(p as f32, seed, step, place | micro_batch << 16).unwrap()
            }
            _ => Dropout::NONE,
        }
    }

    /// Dropout of whole rows; row t is row `sentence * width + t` of the batch.
    fn drop_rows(&self, x: &mut Rows, p: f64, place: u32, at: At) {
        let dropout = self.dropout(p, place);
        for (t, row) in x.iter_mut().enumerate() {
            let mut factors = vec![0.0f32; row.len()];
            for (group, factors) in factors.chunks_mut(256).enumerate() {
                dropout.row_factors((at.sentence * at.width + t) as u32, group * 256, factors);
            }
            row.iter_mut().zip(factors).for_each(|(x, f)| *x *= f64::from(f));
        }
    }

    fn linear(&self, values: &[f64], x: &Rows, name: &str) -> Rows {
        let (w, b) = (self.get(values, &format!("{name}.weight")), self.get(values, &format!("{name}.bias")));
        x.iter().map(|x| (0..b.len()).map(|o| b[o] + dot(x, &w[o * x.len()..][..x.len()])).collect()).collect()
    }

    fn norm(&self, values: &[f64], x: &Rows, name: &str) -> Rows {
        let (g, b) = (self.get(values, &format!("{name}.weight")), self.get(values, &format!("{name}.bias")));
        x.iter()
            .map(|x| {
                let n = x.len() as f64;
                let mean = x.iter().sum::<f64>() / n;
                let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
                let rstd = 1.0 / (var + f64::from(self.config.norm_eps as f32)).sqrt();
                x.iter().zip(g.iter().zip(b)).map(|(x, (g, b))| (x - mean) * rstd * g + b).collect()
            })
            .collect()
    }

    /// The paper's equation 1 and section 3.2.2. `at`: of the queries.
    fn attention(&self, values: &[f64], (q, kv): (&Rows, &Rows), name: &str, causal: bool, place: u32, at: At) -> Rows {
        let (nh, hs) = (self.config.n_heads, self.config.head_size());
        let [q, k, v] = [(q, "q_proj"), (kv, "k_proj"), (kv, "v_proj")]
            .map(|(x, p)| self.linear(values, x, &format!("{name}.{p}")));
        let dropout = self.dropout(self.config.attention_dropout, place + 1);
        let mut out = vec![vec![0.0; nh * hs]; q.len()];
        for h in 0..nh {
            let head = h * hs..(h + 1) * hs;
            for i in 0..q.len() {
                let visible = if causal { i + 1 } else { k.len() };
                let scores: Vec<f64> =
                    (0..visible).map(|j| dot(&q[i][head.clone()], &k[j][head.clone()]) / (hs as f64).sqrt()).collect();
                let total: f64 = scores.iter().map(|s| s.exp()).sum();
                for (j, score) in scores.iter().enumerate() {
                    let row = (at.sentence * nh + h) * at.width.div_ceil(8) + i / 8;
                    let factor = if dropout.is_active() {
                        dropout.factors(row as u32, (j / 32 * 32) as u32)[i % 8][j % 32]
                    } else {
                        1.0
                    };
                    let weight = f64::from(factor) * score.exp() / total;
                    for c in head.clone() {
                        out[i][c] += weight * v[j][c];
                    }
                }
            }
        }
        self.linear(values, &out, &format!("{name}.out_proj"))
    }

    /// The paper's equation 2.
    fn feed_forward(&self, values: &[f64], x: &Rows, name: &str, place: u32, at: At) -> Rows {
        let mut hidden = self.linear(values, x, &format!("{name}.fc1"));
        hidden.iter_mut().flatten().for_each(|x| *x = x.max(0.0));
        self.drop_rows(&mut hidden, self.config.activation_dropout, place + 1, at);
        self.linear(values, &hidden, &format!("{name}.fc2"))
    }

    /// A sublayer with its residual and norm.
    fn around(&self, values: &[f64], x: &Rows, norm: &str, place: u32, at: At, f: impl FnOnce(&Rows) -> Rows) -> Rows {
        let pre = self.config.norm == Norm::Pre;
        let mut sub = if pre { f(&self.norm(values, x, norm)) } else { f(x) };
        self.drop_rows(&mut sub, self.config.dropout, place, at);
        for (sub, x) in sub.iter_mut().zip(x) {
            sub.iter_mut().zip(x).for_each(|(sub, x)| *sub += x);
        }
        if pre { sub } else { self.norm(values, &sub, norm) }
    }

    fn embed(&self, values: &[f64], ids: &[u32], table: &str, place: u32, at: At) -> Rows {
        let (c, table) = (self.config.d_model, self.get(values, table));
        let mut x: Rows = ids
            .iter()
            .enumerate()
            .map(|(p, &id)| {
                (0..c)
                    .map(|i| {
                        let angle = |i: usize| p as f64 / 10_000f64.powf(2.0 * i as f64 / c as f64);
                        let position = if i < c / 2 { angle(i).sin() } else { angle(i - c / 2).cos() };
                        table[id as usize * c + i] * (c as f64).sqrt() + position
                    })
                    .collect()
            })
            .collect();
        self.drop_rows(&mut x, self.config.dropout, place, at);
        x
    }

    /// The log-probabilities after each token of the decoder's input, of one sentence of the batch.
    pub fn log_probabilities(&self, values: &[f64], batch: &Sentences, sentence: usize) -> Rows {
        let [source, target, output] = match self.config.embeddings {
            Embeddings::Shared => ["model.shared.weight"; 3],
            Embeddings::TiedOutput => [
                "model.encoder.embed_tokens.weight",
                "model.decoder.embed_tokens.weight",
                "model.decoder.embed_tokens.weight",
            ],
            Embeddings::Separate => {
                ["model.encoder.embed_tokens.weight", "model.decoder.embed_tokens.weight", "lm_head.weight"]
            }
        };
        let pre = self.config.norm == Norm::Pre;

        let at = At { sentence, width: batch.s };
        let ids = &batch.src[sentence * batch.s..][..batch.src_lengths[sentence] as usize];
        let mut x = self.embed(values, ids, source, SOURCE, at);
        for layer in 0..self.config.encoder_layers {
            let name = format!("model.encoder.layers.{layer}");
            let p = place(ENCODER, layer, 0);
            x = self.around(values, &x, &format!("{name}.self_attn_layer_norm"), p, at, |x| {
                self.attention(values, (x, x), &format!("{name}.self_attn"), false, p, at)
            });
            let p = place(ENCODER, layer, 1);
            x = self.around(values, &x, &format!("{name}.final_layer_norm"), p, at, |x| {
                self.feed_forward(values, x, &name, p, at)
            });
        }
        let memory = if pre { self.norm(values, &x, "model.encoder.layer_norm") } else { x };

        let at = At { sentence, width: batch.t };
        let ids = &batch.tgt_in[sentence * batch.t..][..batch.tgt_lengths[sentence] as usize];
        let mut x = self.embed(values, ids, target, TARGET, at);
        for layer in 0..self.config.decoder_layers {
            let name = format!("model.decoder.layers.{layer}");
            let p = place(DECODER, layer, 0);
            x = self.around(values, &x, &format!("{name}.self_attn_layer_norm"), p, at, |x| {
                self.attention(values, (x, x), &format!("{name}.self_attn"), true, p, at)
            });
            let p = place(DECODER, layer, 1);
            x = self.around(values, &x, &format!("{name}.encoder_attn_layer_norm"), p, at, |x| {
                self.attention(values, (x, &memory), &format!("{name}.encoder_attn"), false, p, at)
            });
            let p = place(DECODER, layer, 2);
            x = self.around(values, &x, &format!("{name}.final_layer_norm"), p, at, |x| {
                self.feed_forward(values, x, &name, p, at)
            });
        }
        if pre {
            x = self.norm(values, &x, "model.decoder.layer_norm");
        }

        let (v, c) = (self.config.vocab_size, self.config.d_model);
        let table = self.get(values, output);
        x.iter()
            .map(|x| {
                let logits: Vec<f64> = (0..v).map(|id| dot(x, &table[id * c..][..c])).collect();
                let log_total = logits.iter().map(|l| l.exp()).sum::<f64>().ln();
                logits.iter().map(|l| l - log_total).collect()
            })
            .collect()
    }

    /// Sums over all targets that are not padding: the label-smoothed loss, and the negative log-likelihood.
    pub fn loss(&self, values: &[f64], batch: &Sentences, smoothing: f32) -> (f64, f64) {
        let eps = f64::from(smoothing);
        let (mut loss, mut nll) = (0.0, 0.0);
        for sentence in 0..batch.src_lengths.len() {
            let rows = self.log_probabilities(values, batch, sentence);
            for (row, &target) in rows.iter().zip(&batch.tgt_out[sentence * batch.t..]) {
                if target != PAD {
                    let own = -row[target as usize];
                    nll += own;
                    loss += (1.0 - eps) * own - eps * row.iter().sum::<f64>() / row.len() as f64;
                }
            }
        }
        (loss, nll)
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(x, y)| x * y).sum()
}
