//! What a checkpoint holds besides weights and moments.
//!
//! Numbers that must come back with the same bits are kept as text: the JSON reader does not round every decimal right.

use crate::batch::Position;
use crate::config::Feedback;
use crate::{Error, run::Number};
use noam_model::LossScale;
use noam_schedule::feedback::{Hypergradient, ReduceOnPlateau};
use noam_schedule::{Schedule, Spec, Step};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The state of a run between two updates. With the weights, the moments and their step it is all that the rest of the run
/// depends on, besides the data and the configuration, whose digests it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The seed of weights, order and dropout.
    pub seed: u64,
    /// Where the data go on.
    pub position: Position,
    /// Target tokens trained on.
    pub tokens: u64,
    /// Milliseconds of training, validations and checkpoints included.
    pub elapsed_ms: u64,
    /// Updates skipped in a row, up to now, as [`MAX_SKIPPED`](super::MAX_SKIPPED) counts.
    pub skipped: u64,
    /// The step of the last validation; 0 before the first.
    pub validated: u64,
    /// Validations since the best one.
    pub stale: u64,
    /// The best validation.
    pub best: Option<Best>,
    /// The schedule.
    #[serde(with = "as_toml")]
    pub schedule: Spec,
    /// The feedback rule.
    #[serde(with = "as_toml::option")]
    pub feedback: Option<Rule>,
    /// The scale of the loss, in f16.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_scale: Option<LossScale>,
    /// Digest of the data.
    pub data: String,
    /// Digest of the configuration.
    pub config: String,
}

/// The best validation so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// The step after which.
    pub step: u64,
    /// The loss, in nats a token.
    #[serde(with = "exact")]
    pub loss: f64,
}

/// A feedback rule at work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case")]
pub enum Rule {
    /// See [`ReduceOnPlateau`].
    Plateau(ReduceOnPlateau),
    /// See [`Hypergradient`].
    Hypergradient(Hypergradient),
}

impl Rule {
    pub(super) fn new(config: Feedback) -> Result<Self, Error> {
        Ok(match config {
            Feedback::Plateau(config) => Rule::Plateau(ReduceOnPlateau::new(1.0, config)?),
            Feedback::Hypergradient(config) => Rule::Hypergradient(Hypergradient::new(1.0, config)?),
        })
    }

    /// The factor on the schedule's rate.
    pub fn factor(&self) -> f64 {
        match self {
            Rule::Plateau(rule) => rule.rate(),
            Rule::Hypergradient(rule) => rule.rate(),
        }
    }
}

/// The schedule times the rule's factor.
pub(super) struct Guided {
    pub schedule: Spec,
    pub factor: f64,
}

impl Schedule for Guided {
    fn rate(&self, step: Step) -> f64 {
        self.schedule.rate(step) * self.factor
    }
}

impl State {
    pub(super) fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms)
    }

    /// The best loss, for those who print it.
    pub fn best_loss(&self) -> Option<Number> {
        self.best.map(|best| Number(best.loss))
    }
}

/// An f64 as the shortest decimal that reads back as it.
mod exact {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{value:?}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A value as the text of a TOML document, whose numbers read back exactly.
mod as_toml {
    use serde::de::{DeserializeOwned, Error};
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&toml::to_string(value).map_err(S::Error::custom)?)
    }

    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        toml::from_str(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    pub mod option {
        use super::*;

        pub fn serialize<T: Serialize, S: Serializer>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
            let text = value.as_ref().map(toml::to_string).transpose().map_err(S::Error::custom)?;
            text.serialize(serializer)
        }

        pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<T>, D::Error> {
            let text = Option::<String>::deserialize(deserializer)?;
            text.map(|text| toml::from_str(&text).map_err(D::Error::custom)).transpose()
        }
    }
}
