//! What a launch sees: the allocations there are when it begins, sorted by address.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use super::allocation::{Allocation, AllocationInfo};

/// The latest freed allocations, so that an access to one can be called by its name.
#[derive(Debug, Default)]
pub(super) struct Tombstones(Mutex<VecDeque<AllocationInfo>>);

/// How many freed allocations are remembered.
const TOMBSTONES: usize = 4096;

impl Tombstones {
    pub(super) fn add(&self, info: AllocationInfo) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if list.len() == TOMBSTONES {
            list.pop_front();
        }
        list.push_back(info);
    }

    /// The latest that held an address.
    pub(super) fn find(&self, address: u64) -> Option<AllocationInfo> {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.iter().rev().find(|info| address >= info.base && address - info.base < info.bytes).cloned()
    }
}

/// An immutable list of allocations. Those it holds stay valid until it is dropped, even if they are freed.
#[derive(Debug)]
pub struct Map {
    /// The entries' bases, for the search.
    bases: Box<[u64]>,
    entries: Box<[Arc<Allocation>]>,
    tombstones: Arc<Tombstones>,
}

impl Map {
    /// Of allocations sorted by address, none of which overlap.
    pub(super) fn new(entries: Box<[Arc<Allocation>]>, tombstones: Arc<Tombstones>) -> Self {
        Self { bases: entries.iter().map(|entry| entry.base).collect(), entries, tombstones }
    }

    pub(super) fn entries(&self) -> &[Arc<Allocation>] {
        &self.entries
    }

    /// The index of the allocation that holds an address.
    #[inline]
    pub(super) fn find(&self, address: u64) -> Option<usize> {
        let index = self.bases.partition_point(|&base| base <= address).checked_sub(1)?;
        (address - self.bases[index] < self.entries[index].bytes).then_some(index)
    }

    /// The last allocation that begins at or before an address, and the first that begins after it.
    pub(super) fn around(&self, address: u64) -> (Option<&Allocation>, Option<&Allocation>) {
        let above = self.bases.partition_point(|&base| base <= address);
        let below = above.checked_sub(1).map(|index| &*self.entries[index]);
        (below, self.entries.get(above).map(|entry| &**entry))
    }

    /// The latest freed allocation that held an address.
    pub(super) fn freed(&self, address: u64) -> Option<AllocationInfo> {
        self.tombstones.find(address)
    }
}
