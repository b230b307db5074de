//! A short list without allocation.

use crate::Error;

/// Up to [`List::CAPACITY`] entries, held in place.
#[derive(Clone, Copy, Debug)]
pub struct List<T> {
    len: usize,
    /// The entries from `len` on are copies of the default, never seen.
    entries: [T; MAX_PIECES],
}

/// The most rates that a [`Piecewise`](crate::Piecewise) holds.
pub const MAX_PIECES: usize = 16;

impl<T: Copy + Default> List<T> {
    /// The most entries a list holds.
    pub const CAPACITY: usize = MAX_PIECES;

    /// A copy of `entries`.
    ///
    /// # Errors
    /// [`Error::Capacity`] if there are more than [`List::CAPACITY`].
    pub fn new(entries: &[T]) -> Result<Self, Error> {
        let mut list = Self { len: 0, entries: [T::default(); MAX_PIECES] };
        let room = list.entries.get_mut(..entries.len());
        room.ok_or(Error::Capacity { got: entries.len(), limit: MAX_PIECES })?.copy_from_slice(entries);
        list.len = entries.len();
        Ok(list)
    }
}

impl<T> List<T> {
    /// The entries.
    pub fn as_slice(&self) -> &[T] {
        &self.entries[..self.len]
    }
}

impl<T: PartialEq> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

#[cfg(feature = "serde")]
mod with_serde {
    use core::fmt;
    use core::marker::PhantomData;

    use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};
    use serde::ser::{Serialize, Serializer};

    use super::{List, MAX_PIECES};
    use crate::Error;

    impl<T: Serialize> Serialize for List<T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_seq(self.as_slice())
        }
    }

    struct ListVisitor<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de> + Copy + Default> Visitor<'de> for ListVisitor<T> {
        type Value = List<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a list of at most {MAX_PIECES} numbers")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
            let mut list = List { len: 0, entries: [T::default(); MAX_PIECES] };
            while let Some(entry) = seq.next_element()? {
                match list.entries.get_mut(list.len) {
                    Some(place) => *place = entry,
                    None => return Err(A::Error::custom(Error::Capacity { got: list.len + 1, limit: MAX_PIECES })),
                }
                list.len += 1;
            }
            Ok(list)
        }
    }

    impl<'de, T: Deserialize<'de> + Copy + Default> Deserialize<'de> for List<T> {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_seq(ListVisitor(PhantomData))
        }
    }
}
