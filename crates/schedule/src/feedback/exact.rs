//! Numbers that survive any format.

use core::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// A finite f64, written as the shortest decimal that reads back as it, in a string: not every parser of numbers rounds
/// correctly (serde_json does only with its `float_roundtrip`), and a state must come back with the same bits.
#[derive(Clone, Copy)]
pub(super) struct Exact(pub(super) f64);

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:?}", self.0))
    }
}

struct ExactVisitor;

impl Visitor<'_> for ExactVisitor {
    type Value = Exact;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a finite number in a string, such as \"0.0005\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Exact, E> {
        let refuse = || E::invalid_value(serde::de::Unexpected::Str(text), &self);
        let value: f64 = text.parse().map_err(|_| refuse())?;
        if value.is_finite() { Ok(Exact(value)) } else { Err(refuse()) }
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ExactVisitor)
    }
}
