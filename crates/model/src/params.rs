//! Parameters: named views of one flat buffer.
//!
//! Names and layouts are those of Hugging Face's MarianMTModel: linear weights (out_features, in_features), layer norms with
//! `weight` and `bias`. In the flat buffer the query, key and value projections of an attention stand side by side, so that
//! one product computes all three.

use crate::{Config, Embeddings, Norm};
use noam_kernels::device::Span;
use noam_kernels::philox;

/// One parameter: a named, shaped view of the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name, as in a MarianMTModel's state dict.
    pub name: String,
    /// Row-major shape.
    pub shape: Vec<usize>,
    /// First value in the flat buffer.
    pub offset: usize,
}

impl Entry {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are none (never, in a valid model).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A linear layer's place: weight (out, in), bias (out).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear {
    pub weight: Span,
    pub bias: Span,
    pub d_in: usize,
    pub d_out: usize,
    /// Its number among the linear layers: where its packed weights are, for decoding.
    pub number: usize,
}

/// A layer norm's place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LayerNorm {
    pub gamma: Span,
    pub beta: Span,
}

/// Self-attention: queries, keys and values in one product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SelfAttention {
    pub qkv: Linear,
    pub out: Linear,
    pub norm: LayerNorm,
}

/// Attention of the decoder on the encoder: keys and values in one product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrossAttention {
    pub q: Linear,
    pub kv: Linear,
    pub out: Linear,
    pub norm: LayerNorm,
}

/// Two linear layers with a ReLU between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedForward {
    pub up: Linear,
    pub down: Linear,
    pub norm: LayerNorm,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderLayer {
    pub attention: SelfAttention,
    pub feed_forward: FeedForward,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct DecoderLayer {
    pub attention: SelfAttention,
    pub cross: CrossAttention,
    pub feed_forward: FeedForward,
}

/// Where every parameter is.
#[derive(Clone, Debug)]
pub struct Layout {
    entries: Vec<Entry>,
    len: usize,
    /// Every linear layer, by number.
    pub(crate) linears: Vec<Linear>,
    pub(crate) encoder: Vec<EncoderLayer>,
    pub(crate) decoder: Vec<DecoderLayer>,
    /// The final layer norms of the stacks, with pre-norm.
    pub(crate) encoder_norm: Option<LayerNorm>,
    pub(crate) decoder_norm: Option<LayerNorm>,
    pub(crate) source: Span,
    pub(crate) target: Span,
    pub(crate) output: Span,
}

impl Layout {
    /// The layout of a valid configuration.
    pub fn new(config: &Config) -> Self {
        let mut b = Builder { entries: Vec::new(), len: 0, linears: Vec::new() };
        let (v, c) = (config.vocab_size, config.d_model);
        let source_name = match config.embeddings {
            Embeddings::Shared => "model.shared.weight",
            Embeddings::TiedOutput | Embeddings::Separate => "model.encoder.embed_tokens.weight",
        };
        let source = b.add(source_name, &[v, c]);
        let target = match config.embeddings {
            Embeddings::Shared => source,
            _ => b.add("model.decoder.embed_tokens.weight", &[v, c]),
        };
        let output = match config.embeddings {
            Embeddings::Separate => b.add("lm_head.weight", &[v, c]),
            _ => target,
        };
        let encoder = (0..config.encoder_layers)
            .map(|i| {
                let p = format!("model.encoder.layers.{i}");
                EncoderLayer { attention: b.self_attention(&p, c), feed_forward: b.feed_forward(&p, c, config.d_ff) }
            })
            .collect();
        let pre = config.norm == Norm::Pre;
        let encoder_norm = pre.then(|| b.layer_norm("model.encoder.layer_norm", c));
        let decoder = (0..config.decoder_layers)
            .map(|i| {
                let p = format!("model.decoder.layers.{i}");
                DecoderLayer {
                    attention: b.self_attention(&p, c),
                    cross: b.cross_attention(&p, c),
                    feed_forward: b.feed_forward(&p, c, config.d_ff),
                }
            })
            .collect();
        let decoder_norm = pre.then(|| b.layer_norm("model.decoder.layer_norm", c));
        let Builder { entries, len, linears } = b;
        Layout { entries, len, linears, encoder, decoder, encoder_norm, decoder_norm, source, target, output }
    }

    /// The parameters, in the order of the flat buffer, without gaps.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Values in the flat buffer.
    #[allow(clippy::len_without_is_empty)] // a model without parameters cannot be configured
    pub fn len(&self) -> usize {
        self.len
    }

    /// Initial values, a pure function of the seed: linear weights uniform in ±sqrt(6 / (in + out)) (Glorot and Bengio
    /// 2010), each projection on its own; embeddings uniform with the variance 1 / d_model; gains 1, biases 0.
    ///
    /// Philox numbers keyed by the seed; the counter is (index, parameter, "init"), so a parameter's values do not depend on
    /// the others.
    pub fn init(&self, config: &Config, seed: u64) -> Vec<f32> {
        let mut values = vec![0.0; self.len];
        let key = [seed as u32, (seed >> 32) as u32];
        for (number, entry) in self.entries.iter().enumerate() {
            let out = &mut values[entry.offset..entry.offset + entry.len()];
            let name = entry.name.as_str();
            let bound = match entry.shape[..] {
                [rows, columns] if name.ends_with("embed_tokens.weight") || name == "model.shared.weight" => {
                    debug_assert_eq!((rows, columns), (config.vocab_size, config.d_model));
                    (3.0 / columns as f64).sqrt()
                }
                [rows, columns] => (6.0 / (rows + columns) as f64).sqrt(),
                _ if name.ends_with(".weight") => {
                    out.fill(1.0);
                    continue;
                }
                _ => continue,
            };
            for (block, out) in out.chunks_mut(4).enumerate() {
                let words = philox::block([block as u32, number as u32, 0x1_4177, 0], key);
                for (out, word) in out.iter_mut().zip(words) {
                    // The middle of one of 2^32 equal parts of (-1, 1): exact in f64, rounded once.
                    let unit = (f64::from(word) + 0.5) / 2f64.powi(31) - 1.0;
                    *out = (unit * bound) as f32;
                }
            }
        }
        values
    }
}

struct Builder {
    entries: Vec<Entry>,
    len: usize,
    linears: Vec<Linear>,
}

impl Builder {
    fn add(&mut self, name: impl Into<String>, shape: &[usize]) -> Span {
        let entry = Entry { name: name.into(), shape: shape.to_vec(), offset: self.len };
        let span = Span { offset: self.len, len: entry.len() };
        self.len += span.len;
        self.entries.push(entry);
        span
    }

    /// Linear layers from one input, their outputs side by side.
    fn linears(&mut self, prefix: &str, names: &[&str], d_in: usize, d_out: usize) -> Linear {
        let start = self.len;
        for name in names {
            self.add(format!("{prefix}.{name}.weight"), &[d_out, d_in]);
        }
        let weight = Span { offset: start, len: self.len - start };
        for name in names {
            self.add(format!("{prefix}.{name}.bias"), &[d_out]);
        }
        let bias = Span { offset: weight.offset + weight.len, len: names.len() * d_out };
        let linear = Linear { weight, bias, d_in, d_out: names.len() * d_out, number: self.linears.len() };
        self.linears.push(linear);
        linear
    }

    fn layer_norm(&mut self, prefix: &str, c: usize) -> LayerNorm {
        LayerNorm { gamma: self.add(format!("{prefix}.weight"), &[c]), beta: self.add(format!("{prefix}.bias"), &[c]) }
    }

    fn self_attention(&mut self, layer: &str, c: usize) -> SelfAttention {
        let p = format!("{layer}.self_attn");
        SelfAttention {
            qkv: self.linears(&p, &["q_proj", "k_proj", "v_proj"], c, c),
            out: self.linears(&p, &["out_proj"], c, c),
            norm: self.layer_norm(&format!("{layer}.self_attn_layer_norm"), c),
        }
    }

    fn cross_attention(&mut self, layer: &str, c: usize) -> CrossAttention {
        let p = format!("{layer}.encoder_attn");
        CrossAttention {
            q: self.linears(&p, &["q_proj"], c, c),
            kv: self.linears(&p, &["k_proj", "v_proj"], c, c),
            out: self.linears(&p, &["out_proj"], c, c),
            norm: self.layer_norm(&format!("{layer}.encoder_attn_layer_norm"), c),
        }
    }

    fn feed_forward(&mut self, layer: &str, c: usize, f: usize) -> FeedForward {
        FeedForward {
            up: self.linears(layer, &["fc1"], c, f),
            down: self.linears(layer, &["fc2"], f, c),
            norm: self.layer_norm(&format!("{layer}.final_layer_norm"), c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Preset;

    #[test]
    fn entries_tile_the_buffer_and_have_unique_names() {
        for norm in [Norm::Post, Norm::Pre] {
            for embeddings in [Embeddings::Shared, Embeddings::TiedOutput, Embeddings::Separate] {
                let config = Config { norm, embeddings, ..Preset::Micro.config() };
                let layout = Layout::new(&config);
                let mut end = 0;
                let mut names = std::collections::HashSet::new();
                for e in layout.entries() {
                    assert_eq!(e.offset, end);
                    assert!(!e.is_empty() && names.insert(&e.name));
                    end += e.len();
                }
                assert_eq!(end, layout.len());
            }
        }
    }

    #[test]
    fn sizes_are_the_papers() {
        // 37000 x 512 embeddings and 44.1M in the layers: the paper's table 3 says 65 million for the base model.
        let base = Config { vocab_size: 37_000, ..Preset::Base.config() };
        assert_eq!(Layout::new(&base).len(), 37_000 * 512 + 44_138_496);
    }

    #[test]
    fn init_has_its_spread_and_depends_on_the_seed_only() {
        let config = Preset::Tiny.config();
        let layout = Layout::new(&config);
        let (a, b) = (layout.init(&config, 1), layout.init(&config, 2));
        assert_eq!(a, layout.init(&config, 1));
        assert_ne!(a, b);
        let e = &layout.entries()[0];
        let x = &a[e.offset..e.offset + e.len()];
        let mean = x.iter().map(|&v| f64::from(v)).sum::<f64>() / x.len() as f64;
        let var = x.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / x.len() as f64;
        // 512000 values of standard deviation 128^-0.5: the mean's is 1.2e-4, the variance's relative one 1.3e-3.
        assert!(mean.abs() < 6e-4 && (var * 128.0 - 1.0).abs() < 7e-3, "{mean} {var}");
        for e in layout.entries() {
            let x = &a[e.offset..e.offset + e.len()];
            if e.name.ends_with("norm.weight") {
                assert!(x.iter().all(|&v| v == 1.0));
            } else if e.name.ends_with("bias") {
                assert!(x.iter().all(|&v| v == 0.0));
            }
        }
    }
}
