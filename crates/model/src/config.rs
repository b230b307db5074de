//! The shape of a model, and the sizes it commonly has.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Where layer normalization stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norm {
    /// After the residual sum, `LN(x + f(x))`, as in the paper (section 3.1).
    #[default]
    Post,
    /// Before the sublayer, `x + f(LN(x))`, with one more at the end of each stack (Xiong et al. 2020, arXiv:2002.04745).
    Pre,
}

/// Which embedding matrices are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Embeddings {
    /// One matrix for source, target and output, as in the paper (section 3.4).
    #[default]
    Shared,
    /// One for the source, one for target and output.
    TiedOutput,
    /// One for each of the three.
    Separate,
}

/// An encoder-decoder Transformer (Vaswani et al. 2017, arXiv:1706.03762).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Rows of the embedding matrices.
    pub vocab_size: usize,
    /// Width of the model.
    pub d_model: usize,
    /// Attention heads; they share out `d_model`.
    pub n_heads: usize,
    /// Width of the feed-forward layers.
    pub d_ff: usize,
    /// Layers of the encoder.
    pub encoder_layers: usize,
    /// Layers of the decoder.
    pub decoder_layers: usize,
    /// The most positions a sequence can have; sinusoids are made for as many.
    pub max_len: usize,
    /// Dropout of each sublayer's output and of the embeddings.
    pub dropout: f64,
    /// Dropout of the attention weights.
    pub attention_dropout: f64,
    /// Dropout after the feed-forward layers' ReLU.
    pub activation_dropout: f64,
    /// Where layer normalization stands.
    pub norm: Norm,
    /// Which embedding matrices are one.
    pub embeddings: Embeddings,
    /// What layer normalization adds to the variance.
    pub norm_eps: f64,
}

impl Default for Config {
    fn default() -> Self {
        Preset::Tiny.config()
    }
}

/// The sizes that have names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// d_model 64, 2 + 2 layers: seconds to train, for tests and first looks.
    Micro,
    /// d_model 128, 2 + 2 layers.
    Tiny,
    /// d_model 256, 3 + 3 layers.
    Small,
    /// The paper's base model: d_model 512, 6 + 6 layers (table 3).
    Base,
    /// The paper's big model: d_model 1024, 6 + 6 layers (table 3).
    Big,
}

impl Preset {
    /// All of them, smallest first.
    pub const ALL: [Preset; 5] = [Preset::Micro, Preset::Tiny, Preset::Small, Preset::Base, Preset::Big];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Preset::Micro => "micro",
            Preset::Tiny => "tiny",
            Preset::Small => "small",
            Preset::Base => "base",
            Preset::Big => "big",
        }
    }

    /// Its sizes. The vocabulary's is that of usual training at this size; training sets the tokenizer's own.
    pub fn config(self) -> Config {
        let (vocab_size, d_model, n_heads, d_ff, layers, dropout) = match self {
            Preset::Micro => (1000, 64, 4, 256, 2, 0.1),
            Preset::Tiny => (4000, 128, 4, 512, 2, 0.1),
            Preset::Small => (8000, 256, 4, 1024, 3, 0.1),
            Preset::Base => (32000, 512, 8, 2048, 6, 0.1),
            Preset::Big => (32000, 1024, 16, 4096, 6, 0.3),
        };
        Config {
            vocab_size,
            d_model,
            n_heads,
            d_ff,
            encoder_layers: layers,
            decoder_layers: layers,
            max_len: 512,
            dropout,
            attention_dropout: dropout,
            activation_dropout: dropout,
            norm: Norm::Post,
            embeddings: Embeddings::Shared,
            norm_eps: 1e-5,
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self, Error> {
        Preset::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| Error::Preset { name: name.to_owned() })
    }
}

impl Config {
    /// Width of a head.
    pub fn head_size(&self) -> usize {
        self.d_model / self.n_heads
    }

    /// Checks that the sizes make a model.
    ///
    /// # Errors
    /// [`Error::Config`] names the first field that does not.
    pub fn validate(&self) -> Result<(), Error> {
        let refuse = |field, value: String, limit| Err(Error::Config { field, value, limit });
        // 2^20 is far beyond any model of this kind and keeps every product of two dimensions within 40 bits.
        let sizes = [
            ("vocab_size", self.vocab_size, 4),
            ("d_model", self.d_model, 2),
            ("n_heads", self.n_heads, 1),
            ("d_ff", self.d_ff, 1),
            ("max_len", self.max_len, 1),
        ];
        for (field, value, least) in sizes {
            if value < least || value > 1 << 20 {
                let limit = if least == 4 {
                    "4 (PAD, BOS, EOS and one more) to 1048576"
                } else {
                    "at least 1 (d_model: 2) and at most 1048576"
                };
                return refuse(field, value.to_string(), limit);
            }
        }
        for (field, value) in [("encoder_layers", self.encoder_layers), ("decoder_layers", self.decoder_layers)] {
            if !(1..=1000).contains(&value) {
                return refuse(field, value.to_string(), "1 to 1000");
            }
        }
        if !self.d_model.is_multiple_of(2) {
            return refuse("d_model", self.d_model.to_string(), "even: half of it are sines, half cosines");
        }
        if !self.d_model.is_multiple_of(self.n_heads) {
            let value = format!("{} with d_model {}", self.n_heads, self.d_model);
            return refuse("n_heads", value, "a divisor of d_model");
        }
        let rates = [
            ("dropout", self.dropout),
            ("attention_dropout", self.attention_dropout),
            ("activation_dropout", self.activation_dropout),
        ];
        for (field, value) in rates {
            if !(0.0..=0.99).contains(&value) {
                return refuse(field, value.to_string(), "0 to 0.99; 0.1 is the paper's choice");
            }
        }
        if !(self.norm_eps.is_finite() && self.norm_eps > 0.0) {
            return refuse(
                "norm_eps",
                self.norm_eps.to_string(),
                "finite and greater than 0; 1e-5 is the usual choice",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_named() {
        for preset in Preset::ALL {
            preset.config().validate().unwrap();
            assert_eq!(preset.name().parse::<Preset>().unwrap(), preset);
        }
        let error = "huge".parse::<Preset>().unwrap_err().to_string();
        assert!(error.contains("`huge`") && error.contains("micro"), "{error}");
    }

    #[test]
    fn impossible_sizes_are_refused_by_name() {
        let tiny = Preset::Tiny.config();
        let cases = [
            (Config { n_heads: 3, ..tiny.clone() }, "n_heads"),
            (Config { d_model: 0, ..tiny.clone() }, "d_model"),
            (Config { d_model: 129, n_heads: 1, ..tiny.clone() }, "d_model"),
            (Config { decoder_layers: 0, ..tiny.clone() }, "decoder_layers"),
            (Config { dropout: f64::NAN, ..tiny.clone() }, "dropout"),
            (Config { activation_dropout: 1.0, ..tiny.clone() }, "activation_dropout"),
            (Config { vocab_size: 3, ..tiny.clone() }, "vocab_size"),
            (Config { norm_eps: 0.0, ..tiny }, "norm_eps"),
        ];
        for (config, field) in cases {
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains(field), "{error}");
        }
    }
}
