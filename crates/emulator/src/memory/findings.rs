//! What the checks found while a kernel went on: one finding an instruction, and how often.

use std::collections::HashMap;

use crate::finding::{Finding, Kind};

/// What is one finding: its kind, its instruction, and the other side's, where it has one.
pub(super) type Key = (Kind, u32, Option<u32>);

/// Findings that are kept.
const KEPT: usize = 1000;

/// A finding, and how many lanes met it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The first: of the lowest block, the earliest in it.
    pub finding: Finding,
    /// How often the instruction met it, over all lanes and blocks.
    pub count: u64,
}

/// Findings by kind and instruction. Merged, they are the same whichever OS threads ran the blocks.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    found: HashMap<Key, Found>,
}

impl Findings {
    /// Counts `count` lanes that met a finding in a block; `describe` is called where it is the first.
    pub(super) fn record(&mut self, key: Key, block: [u32; 3], count: u64, describe: impl FnOnce() -> Finding) {
        if let Some(found) = self.found.get_mut(&key) {
            found.count += count;
            // By z first, as blocks are numbered.
            if block.iter().rev().lt(found.finding.thread.block.iter().rev()) {
                found.finding = describe();
            }
        } else if self.found.len() < KEPT {
            self.found.insert(key, Found { finding: describe(), count });
        }
    }

    /// Adds what another OS thread found.
    pub fn merge(&mut self, other: Self) {
        for (key, found) in other.found {
            self.record(key, found.finding.thread.block, found.count, || found.finding);
        }
    }

    /// The findings, in the order of instructions.
    pub fn into_sorted(self) -> Vec<Found> {
        let mut list: Vec<_> = self.found.into_values().collect();
        list.sort_by_key(|found| (found.finding.pc, found.finding.kind, found.finding.other.map(|(pc, _)| pc)));
        list
    }
}
