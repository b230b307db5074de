//! Event sequences made by hand, each with a twin that is in order; and random ones against a model.

mod copies;
mod device;
mod model;
mod random;
mod shared;
mod sync;

use std::sync::Arc;

use super::{Access, Op, RaceChecker, RaceLaunch, RaceShadow, Scope, Strength};
use crate::{
    finding::{Finding, Kind},
    lanes::{ALL, Mask, Row, lanes},
};

/// A launch of blocks of one dimension, with checkers of all of its blocks and an allocation of device memory.
pub(super) struct Scene {
    pub blocks: Vec<RaceChecker>,
    pub memory: RaceShadow,
}

/// Where the scene's allocation begins.
pub(super) const DEVICE: u64 = 1 << 48;

impl Scene {
    pub fn new(blocks: u32, warps: u32) -> Self {
        let launch = Arc::new(RaceLaunch::new([blocks, 1, 1], [warps * 32, 1, 1]));
        let blocks = (0..blocks)
            .map(|block| {
                let mut checker = RaceChecker::new(launch.clone());
                checker.begin_block(u64::from(block), 4096);
                checker
            })
            .collect();
        Self { blocks, memory: RaceShadow::new(1 << 20) }
    }

    pub fn block(&mut self) -> &mut RaceChecker {
        &mut self.blocks[0]
    }

    /// What the first block found.
    pub fn found(&mut self) -> Vec<Finding> {
        self.blocks[0].take_findings()
    }

    /// Kinds of what was found anywhere, with the two instructions.
    pub fn pairs(&mut self) -> Vec<(Kind, u32, u32)> {
        let found = self.blocks.iter_mut().flat_map(|block| block.take_findings());
        found.map(|finding| (finding.kind, finding.pc, finding.other.map_or(u32::MAX, |(pc, _)| pc))).collect()
    }
}

/// An access to be made, of four bytes a lane side by side from an offset on, by all lanes of warp 0.
#[derive(Clone, Copy)]
pub(super) struct To {
    pub op: Op,
    pub strength: Strength,
    pub scope: Scope,
    pub pc: u32,
    pub warp: u32,
    pub mask: Mask,
    pub bytes: u32,
    pub offsets: [u64; 32],
}

pub(super) fn row(start: u64, step: u64) -> [u64; 32] {
    std::array::from_fn(|lane| start + step * lane as u64)
}

pub(super) fn read(pc: u32, start: u64) -> To {
    let (strength, scope) = (Strength::Weak, Scope::Device);
    To { op: Op::Read, strength, scope, pc, warp: 0, mask: ALL, bytes: 4, offsets: row(start, 4) }
}

pub(super) fn write(pc: u32, start: u64) -> To {
    To { op: Op::Write, ..read(pc, start) }
}

pub(super) fn atomic(pc: u32, start: u64) -> To {
    To { op: Op::Atomic, strength: Strength::Relaxed, ..read(pc, start) }
}

impl To {
    pub fn warp(self, warp: u32) -> Self {
        Self { warp, ..self }
    }

    pub fn mask(self, mask: Mask) -> Self {
        Self { mask, ..self }
    }

    /// By one lane.
    pub fn lane(self, lane: u32) -> Self {
        self.mask(1 << lane)
    }

    /// All lanes at one place.
    pub fn at_one(self, place: u64) -> Self {
        self.offsets([place; 32])
    }

    pub fn offsets(self, offsets: [u64; 32]) -> Self {
        Self { offsets, ..self }
    }

    pub fn bytes(self, bytes: u32) -> Self {
        Self { bytes, offsets: row(self.offsets[0], u64::from(bytes)), ..self }
    }

    pub fn strong(self, strength: Strength) -> Self {
        Self { strength, ..self }
    }

    pub fn volatile(self) -> Self {
        self.strong(Strength::Relaxed)
    }

    pub fn narrow(self) -> Self {
        Self { scope: Scope::Block, ..self }
    }

    fn with<T>(&self, base: u64, then: impl FnOnce(&Access<'_>) -> T) -> T {
        let addresses = Row(self.offsets.map(|offset| base + offset));
        let &Self { op, strength, scope, pc, warp, mask, bytes, .. } = self;
        // Callers may tell where the access is one run of bytes; half of these do.
        let first = addresses.0[mask.trailing_zeros() as usize % 32];
        let number = mask.count_ones();
        let on_end = |lane: usize| {
            addresses.0[lane] == first + (lane as u64 - u64::from(mask.trailing_zeros())) * u64::from(bytes)
        };
        let run = if lanes(mask).all(|lane| addresses.0[lane] == first) {
            Some((first, u64::from(bytes)))
        } else if mask >> mask.trailing_zeros() == u32::MAX >> (32 - number) && lanes(mask).all(on_end) {
            Some((first, u64::from(bytes * number)))
        } else {
            None
        };
        let run = run.filter(|_| pc % 2 == 0 && mask != 0);
        then(&Access { op, strength, scope, pc, warp, mask, bytes, addresses: &addresses, base, run })
    }

    pub fn shared(&self, block: &mut RaceChecker) {
        self.with(0, |access| block.shared(access, None));
    }

    pub fn copy(&self, block: &mut RaceChecker) {
        self.with(0, |access| block.shared_async(access));
    }

    pub fn global(&self, scene: &mut Scene, block: usize) {
        let Scene { blocks, memory } = scene;
        self.with(DEVICE, |access| blocks[block].global(memory, access, None));
        blocks[block].made();
    }
}

/// All warps of a block meet at barrier 0.
pub(super) fn barrier(block: &mut RaceChecker, warps: u32) {
    (0..warps).for_each(|warp| block.arrive(warp, ALL, 0, true));
    block.complete(0);
}
