//! The header of a safetensors file, held against the layout that it must have.
//!
//! Read key by key: the first name, type or shape that does not belong ends it, so what a header may cost is bounded by
//! the layout and not by what the header says.

use std::collections::{HashMap, HashSet, hash_map::Entry as Slot};
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::tensors::{Contents, METADATA};
use super::{Layout, Problem};

/// Most keys in a header's metadata; we write one, others write a handful.
const METADATA_LIMIT: usize = 1000;

/// Reads the header `json` of a file with `data` bytes after it; gives the tensors in the order of their bytes.
pub(super) fn parse(contents: &Contents<'_>, json: &[u8], data: u64) -> Result<Vec<Place>, Problem> {
    if json.first() != Some(&b'{') {
        return Err(Problem::NotSafetensors);
    }
    let names = contents
        .prefixes
        .iter()
        .flat_map(|prefix| contents.layout.entries().iter().map(move |entry| format!("{prefix}{}", entry.name)))
        .enumerate()
        .map(|(index, name)| (name, index))
        .collect();
    let mut header = Header { contents, names, places: Vec::new(), metadata: false, problem: None };
    let mut parser = serde_json::Deserializer::from_slice(json);
    let parsed = parser.deserialize_map(&mut header).and_then(|()| parser.end());
    if let Some(problem) = header.problem {
        return Err(problem);
    }
    parsed.map_err(|source| Problem::Json { source })?;
    // What was found was taken out of the names.
    if let Some((name, _)) = header.names.iter().min_by_key(|(_, index)| **index) {
        return Err(Problem::Missing { name: name.clone(), count: header.names.len() });
    }
    let mut places = header.places;
    places.sort_by_key(|place| place.begin);
    let mut at = 0;
    for place in &places {
        let (prefix, entry) = contents.place(place.index);
        let end = at + 4 * entry.shape.iter().product::<usize>() as u64;
        if (place.begin, place.end) != (at, end) {
            return Err(Problem::Offsets {
                name: format!("{}{}", contents.prefixes[prefix], entry.name),
                begin: place.begin,
                end: place.end,
                want_begin: at,
                want_end: end,
            });
        }
        at = end;
    }
    if data != at {
        return Err(Problem::Data { got: data, want: at });
    }
    Ok(places)
}

/// Where a tensor's bytes lie after the header.
pub(super) struct Place {
    pub index: usize,
    begin: u64,
    end: u64,
}

/// Reads a header key by key, and stops at the first thing that does not belong.
struct Header<'a> {
    contents: &'a Contents<'a>,
    /// Names not met yet.
    names: HashMap<String, usize>,
    places: Vec<Place>,
    metadata: bool,
    problem: Option<Problem>,
}

impl Header<'_> {
    /// Keeps the problem, and makes the parser stop.
    fn stop<E: de::Error>(&mut self, problem: Problem) -> E {
        self.problem = Some(problem);
        E::custom("refused")
    }
}

/// The start of a string that came from a file, for an error.
fn shown(text: &str, limit: usize) -> String {
    text.chars().take(limit).collect()
}

impl<'de> Visitor<'de> for &mut Header<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object that names tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == METADATA {
                if std::mem::replace(&mut self.metadata, true) {
                    return Err(self.stop(Problem::Duplicate { name }));
                }
                map.next_value::<Strings>()?;
                continue;
            }
            let index = match self.names.entry(name) {
                Slot::Occupied(slot) => slot.remove(),
                Slot::Vacant(slot) => {
                    let name = slot.into_key();
                    let known = self.places.iter().any(|place| {
                        let (prefix, entry) = self.contents.place(place.index);
                        name.strip_prefix(self.contents.prefixes[prefix]) == Some(&entry.name)
                    });
                    let name = shown(&name, 200);
                    let problem = if known { Problem::Duplicate { name } } else { Problem::Unknown { name } };
                    return Err(self.stop(problem));
                }
            };
            let info: Info = map.next_value()?;
            let (prefix, entry) = self.contents.place(index);
            let name = || format!("{}{}", self.contents.prefixes[prefix], entry.name);
            if info.dtype != "F32" {
                let problem = Problem::Dtype { name: name(), dtype: shown(&info.dtype, 20) };
                return Err(self.stop(problem));
            }
            if !info.shape.0.iter().copied().eq(entry.shape.iter().map(|&extent| extent as u64)) {
                let problem = Problem::Shape { name: name(), got: info.shape.0, want: entry.shape.clone() };
                return Err(self.stop(problem));
            }
            let (begin, end) = info.data_offsets;
            self.places.push(Place { index, begin, end });
        }
        Ok(())
    }
}

/// What a header says of one tensor.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Info {
    dtype: String,
    shape: Shape,
    data_offsets: (u64, u64),
}

/// A shape of at most [`Layout::MAX_DIMENSIONS`] extents.
struct Shape(Vec<u64>);

impl<'de> de::Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Extents;
        impl<'de> Visitor<'de> for Extents {
            type Value = Shape;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {} extents", Layout::MAX_DIMENSIONS)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Shape, A::Error> {
                let mut shape = Vec::new();
                while let Some(extent) = seq.next_element()? {
                    if shape.len() == Layout::MAX_DIMENSIONS {
                        return Err(de::Error::invalid_length(shape.len() + 1, &self));
                    }
                    shape.push(extent);
                }
                Ok(Shape(shape))
            }
        }
        deserializer.deserialize_seq(Extents)
    }
}

/// An object of at most [`METADATA_LIMIT`] different strings, checked and dropped.
struct Strings;

impl<'de> de::Deserialize<'de> for Strings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Strings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Strings, A::Error> {
                let mut keys = HashSet::new();
                while let Some(key) = map.next_key::<String>()? {
                    map.next_value_seed(Text)?;
                    if !keys.insert(key) || keys.len() > METADATA_LIMIT {
                        return Err(de::Error::custom("metadata has a key twice, or too many keys"));
                    }
                }
                Ok(Strings)
            }
        }
        deserializer.deserialize_map(Each)
    }
}

/// A string, checked and dropped.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Text {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}
