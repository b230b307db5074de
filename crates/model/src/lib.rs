#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod batch;
mod config;
mod engine;
mod error;
mod layers;
mod loss_scale;
mod model;
mod params;
mod picture;
mod plan;
mod search;
mod stack;
mod training;

pub use batch::{BOS, Batch, EOS, PAD};
pub use config::{Config, Embeddings, Norm, Preset};
pub use error::{Error, Limit};
pub use loss_scale::LossScale;
pub use model::Model;
pub use params::{Entry, Layout};
pub use picture::{AttentionKind, AttentionMap, attention_maps};
pub use search::{Hypothesis, Search, Translator};
pub use training::{Inference, Loss, Pass, Training, Underway, Update};
