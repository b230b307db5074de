//! Which sectors of each allocation a launch read and wrote.

use std::collections::BTreeMap;

use super::sectors::SECTOR;

/// Words of a page: it stands for a mebibyte, and is made when some of it is touched.
const WORDS: usize = 512;
/// Sectors of a page.
const SECTORS: u64 = WORDS as u64 * 64;

/// A bit a sector.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    read: [u64; WORDS],
    written: [u64; WORDS],
}

impl Page {
    fn new() -> Box<Self> {
        Box::new(Self { read: [0; WORDS], written: [0; WORDS] })
    }
}

/// The pages of an allocation. Sectors are counted from the one that holds its first byte.
type Pages = Vec<Option<Box<Page>>>;

/// The sectors, by the allocations' numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    allocations: BTreeMap<u64, Pages>,
}

fn union(all: &mut [u64; WORDS], part: &[u64; WORDS]) {
    all.iter_mut().zip(part).for_each(|(all, part)| *all |= part);
}

fn count(bits: &[u64; WORDS]) -> u64 {
    bits.iter().map(|word| u64::from(word.count_ones())).sum()
}

impl Touched {
    /// Adds another part's.
    pub(super) fn merge(&mut self, other: &Self) {
        for (&id, pages) in &other.allocations {
            let all = self.allocations.entry(id).or_default();
            if all.len() < pages.len() {
                all.resize_with(pages.len(), || None);
            }
            for (all, part) in all.iter_mut().zip(pages) {
                let Some(part) = part else { continue };
                let all = all.get_or_insert_with(Page::new);
                union(&mut all.read, &part.read);
                union(&mut all.written, &part.written);
            }
        }
    }

    /// Bytes of the sectors read, and of those written.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let pages = self.allocations.values().flatten().flatten();
        let sum = |(read, written), page: &Page| (read + count(&page.read), written + count(&page.written));
        let (read, written) = pages.map(|page| &**page).fold((0, 0), sum);
        (read * SECTOR, written * SECTOR)
    }
}

/// The same while a launch runs: by the allocations' places in its map.
#[derive(Debug, Default)]
pub(super) struct Touching {
    allocations: Vec<Pages>,
}

/// The sectors of one allocation.
pub(super) struct Sectors<'t> {
    /// The one that holds its first byte.
    first: u64,
    pages: &'t mut Pages,
}

impl Sectors<'_> {
    /// Notes a range of addresses as read, as written, or both.
    pub(super) fn note(&mut self, start: u64, bytes: u64, reads: bool, writes: bool) {
        for sector in start / SECTOR - self.first..=(start + bytes - 1) / SECTOR - self.first {
            let (word, bit) = ((sector % SECTORS / 64) as usize, sector % 64);
            let page = self.page((sector / SECTORS) as usize);
            page.read[word] |= u64::from(reads) << bit;
            page.written[word] |= u64::from(writes) << bit;
        }
    }

    #[inline]
    fn page(&mut self, index: usize) -> &mut Page {
        if self.pages.len() <= index {
            self.pages.resize_with(index + 1, || None);
        }
        self.pages[index].get_or_insert_with(Page::new)
    }
}

impl Touching {
    /// The sectors of the map's allocation of that index, which begins at `base`.
    pub(super) fn of(&mut self, index: u32, base: u64) -> Sectors<'_> {
        let index = index as usize;
        if self.allocations.len() <= index {
            self.allocations.resize_with(index + 1, Vec::new);
        }
        Sectors { first: base / SECTOR, pages: &mut self.allocations[index] }
    }

    /// By the allocations' numbers; begins anew.
    pub(super) fn take(&mut self, id: impl Fn(usize) -> u64) -> Touched {
        let allocations = std::mem::take(&mut self.allocations).into_iter().enumerate();
        let touched = allocations.filter(|(_, pages)| !pages.is_empty());
        Touched { allocations: touched.map(|(index, pages)| (id(index), pages)).collect() }
    }
}
