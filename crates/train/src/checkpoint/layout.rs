//! Named views in one flat buffer.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use super::LayoutError;

/// One parameter: a name, a shape, and where it starts in the flat buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name in the files, as in Hugging Face's MarianMTModel.
    pub name: String,
    /// The extents, row-major, at least one and none of them 0.
    pub shape: Vec<usize>,
    /// The index of its first value in the flat buffer.
    pub offset: usize,
}

/// The parameters of a model in the order of its flat buffer, without gaps.
///
/// A gap-free buffer lets a checkpoint stream it as it is. The layout is what a file is held against: names, shapes
/// and sizes are known before a file is opened, so nothing in a file decides how much memory is taken.
///
/// ```
/// use noam_train::checkpoint::{Entry, Layout};
/// let entry = |name: &str, shape: &[usize], offset| Entry { name: name.into(), shape: shape.into(), offset };
/// let layout = Layout::new(vec![entry("weight", &[3, 2], 0), entry("bias", &[3], 6)])?;
/// assert_eq!(layout.len(), 9);
/// # Ok::<(), noam_train::checkpoint::LayoutError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    entries: Vec<Entry>,
    len: usize,
}

impl Layout {
    /// Most parameters a layout may have; the largest preset has a few hundred.
    pub const MAX_ENTRIES: usize = 10_000;
    /// Most dimensions a parameter may have.
    pub const MAX_DIMENSIONS: usize = 8;

    /// Checks and keeps `entries`.
    ///
    /// # Errors
    /// [`LayoutError`] for no entries or too many, an empty, reserved or repeated name, a shape that is empty, has a 0
    /// or overflows, and an offset that is not where the entry before ends.
    pub fn new(entries: Vec<Entry>) -> Result<Self, LayoutError> {
        if entries.is_empty() || entries.len() > Self::MAX_ENTRIES {
            return Err(LayoutError::Count { got: entries.len(), limit: Self::MAX_ENTRIES });
        }
        let mut names = HashSet::new();
        let mut len = 0_usize;
        for Entry { name, shape, offset } in &entries {
            if name.is_empty() || name == super::tensors::METADATA || !names.insert(name) {
                return Err(LayoutError::Name { name: name.clone() });
            }
            if *offset != len {
                return Err(LayoutError::Offset { name: name.clone(), got: *offset, want: len });
            }
            let size = shape.iter().try_fold(1_usize, |size, &extent| size.checked_mul(extent));
            // Three buffers of 4-byte values, and their sum in a file's length, must stay countable.
            let end = size.and_then(|size| size.checked_add(len)).filter(|end| *end <= usize::MAX / 64);
            match (end, size) {
                (Some(end), Some(1..)) if (1..=Self::MAX_DIMENSIONS).contains(&shape.len()) => len = end,
                _ => return Err(LayoutError::Shape { name: name.clone(), shape: shape.clone() }),
            }
        }
        Ok(Self { entries, len })
    }

    /// The parameters, in the order of the buffer.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Values in the flat buffer.
    #[expect(clippy::len_without_is_empty, reason = "a layout has at least one value")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// The name of the parameter that holds the value `index` of the flat buffer, and the index inside it.
    pub(super) fn locate(&self, index: usize) -> (&str, usize) {
        let at = self.entries.partition_point(|entry| entry.offset <= index).saturating_sub(1);
        (&self.entries[at].name, index - self.entries[at].offset)
    }

    /// A digest of all names and shapes, in order.
    pub(super) fn digest(&self) -> String {
        let mut sha = Sha256::new();
        for Entry { name, shape, .. } in &self.entries {
            // Lengths first, so that no two lists of parameters give the same bytes.
            sha.update((name.len() as u64).to_le_bytes());
            sha.update(name.as_bytes());
            sha.update((shape.len() as u64).to_le_bytes());
            for &extent in shape {
                sha.update((extent as u64).to_le_bytes());
            }
        }
        super::tensors::hex(&sha.finalize())
    }
}
