//! Random sequences of events, told to the checker and to the model.

use std::collections::HashSet;

use super::{model::Model, *};
use crate::lanes::LANES;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn one_in(&mut self, chance: u64) -> bool {
        self.below(chance) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// What a sequence may hold.
#[derive(Clone, Copy, Default)]
struct Mix {
    blocks: usize,
    warps: u64,
    device: bool,
    /// Named barriers that some warps meet at.
    named: bool,
    strong: bool,
    fences: bool,
    ends: bool,
    /// Asynchronous copies.
    copies: bool,
    /// Bytes that accesses fall on.
    bytes: u64,
}

#[derive(Debug, Default)]
struct Tally {
    races: usize,
    missed: usize,
    accesses: usize,
    /// Sequences that ended with an access to what a copy had not yet written.
    pending: usize,
}

fn access(random: &mut Random, mix: &Mix, live: Mask, pc: u32, warp: u32) -> To {
    let bytes = random.of(&[4u64, 4, 4, 4, 2, 1, 8, 16]);
    let places = mix.bytes / bytes;
    let start = random.below(places);
    let offsets = match random.below(6) {
        0 => row(start * bytes, 0),
        1 => std::array::from_fn(|_| random.below(places) * bytes),
        2 => std::array::from_fn(|lane| (start + 2 * lane as u64) % places * bytes),
        _ => std::array::from_fn(|lane| (start + lane as u64) % places * bytes),
    };
    let mask = live & random.of(&[ALL, ALL, 0xffff, 0xff00_0000, 0x10, 0x8000_0000, 1, 1, 0x5a5a_5a5a]);
    let op = random.of(&[Op::Read, Op::Read, Op::Write]);
    let to = To { op, ..read(pc, 0) }.warp(warp).mask(mask);
    let to = To { bytes: bytes as u32, offsets, ..to };
    if !mix.strong || random.below(3) > 0 {
        return to;
    }
    let strength = random.of(&[
        Strength::Relaxed,
        Strength::Relaxed,
        Strength::Acquire,
        Strength::Release,
        Strength::AcquireRelease,
    ]);
    let scope = random.of(&[Scope::Device, Scope::Device, Scope::Device, Scope::Block]);
    let op = random.of(&[Op::Read, Op::Write, Op::Atomic]);
    // Flags are few, or nobody would find what another one raised.
    let flag = random.below(4) * 4;
    let strength = if mix.fences { strength } else { Strength::Relaxed };
    To { op, strength, scope, bytes: 4, offsets: row(flag, 0), ..to }
}

/// Plays one sequence.
fn play(seed: u64, mix: &Mix, tally: &mut Tally) {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (blocks, warps) = (mix.blocks, mix.warps as u32);
    let mut scene = Scene::new(blocks as u32, warps);
    let mut model = Model::new(blocks, warps as usize);
    let mut spoilt: HashSet<u64> = HashSet::new();
    for pc in 0..60 + random.below(60) as u32 {
        let (block, warp) = (random.below(blocks as u64) as usize, random.below(mix.warps) as u32);
        let live = model.live(block, warp);
        let checker = &mut scene.blocks[block];
        match random.below(20) {
            0 => {
                for warp in 0..warps {
                    let live = model.live(block, warp);
                    if live != 0 {
                        checker.arrive(warp, live, 0, true);
                        model.arrive(block, warp, live, 0, true);
                    }
                }
                checker.complete(0);
                model.complete(block, 0);
            }
            1 if mix.named => {
                let id = 1 + random.below(3) as u32;
                let waits = random.below(4) > 0;
                checker.arrive(warp, live, id, waits);
                model.arrive(block, warp, live, id, waits);
                let other = (warp + 1) % warps;
                let others = model.live(block, other);
                checker.arrive(other, others, id, true);
                model.arrive(block, other, others, id, true);
                checker.complete(id);
                model.complete(block, id);
            }
            2..=4 => {
                let mask = live & random.of(&[ALL, ALL, ALL, 0xffff, 0xff00_00ff, 0b11, 0x8000_0010]);
                checker.sync_warp(warp, mask);
                model.sync_warp(block, warp, mask);
            }
            5 | 6 if mix.fences => {
                let (mask, scope) = (live & random.of(&[ALL, 1, 0xffff]), random.of(&[Scope::Block, Scope::Device]));
                checker.fence(warp, mask, scope);
                model.fence(block, warp, mask, scope);
            }
            7 if mix.ends && random.one_in(5) => {
                let mask = live & random.of(&[0xff00_0000, 2, ALL]);
                checker.end_lanes(warp, mask);
                model.end(block, warp, mask);
            }
            8 | 9 if mix.copies => match random.below(4) {
                0 => {
                    let mask = live & random.of(&[ALL, ALL, 0xffff]);
                    checker.commit(warp, mask);
                    model.commit(block, warp, mask);
                }
                1 => {
                    let (mask, newest) = (live & random.of(&[ALL, ALL, 0xffff]), random.below(3) as u32);
                    checker.wait_group(warp, mask, newest);
                    model.wait(block, warp, mask, Some(newest));
                }
                2 => {
                    checker.wait_all(warp, live);
                    model.wait(block, warp, live, None);
                }
                _ => {
                    let (bytes, start) = (random.of(&[4, 16]), random.below(mix.bytes / 16));
                    let places = mix.bytes / bytes;
                    let offsets = std::array::from_fn(|lane| (start + lane as u64) % places * bytes);
                    let to = To { bytes: bytes as u32, offsets, ..write(pc, 0) }.warp(warp).mask(live);
                    let (_, pairs) = model.races(block, Some(block), &to);
                    if live != 0 && pairs.is_empty() && !model.is_pending(block, &to) {
                        to.copy(checker);
                        model.copy(block, &to);
                        let found = checker.take_findings();
                        assert_eq!(found, [], "seed {seed}: no race");
                    }
                }
            },
            _ => {
                let to = access(&mut random, mix, live, pc, warp);
                if !mix.device && model.is_pending(block, &to) {
                    if random.one_in(20) {
                        to.shared(checker);
                        let found = checker.take_findings();
                        assert!(found.iter().any(|finding| finding.kind == Kind::AsyncCopyNotWaited), "seed {seed}");
                        tally.pending += 1;
                        return;
                    }
                    continue;
                }
                let space = if mix.device { None } else { Some(block) };
                let (bytes, pairs) = model.races(block, space, &to);
                // Mostly without races, or a sequence would soon have nothing left to find.
                if to.mask == 0 || !pairs.is_empty() && !random.one_in(20) {
                    continue;
                }
                if mix.device {
                    to.global(&mut scene, block);
                } else {
                    to.shared(checker);
                }
                model.access(block, space, &to);
                tally.accesses += 1;
                let found: Vec<Finding> = scene.blocks.iter_mut().flat_map(|block| block.take_findings()).collect();
                for finding in &found {
                    let thread = |thread: crate::finding::Thread| {
                        let linear = thread.thread[0];
                        model.thread(thread.block[0] as usize, linear / 32, linear as usize % LANES)
                    };
                    let (new, old) = (thread(finding.thread), thread(finding.other.expect("two sides").1));
                    let is = |pair: &(usize, usize)| pair.1 == new && pair.0 / LANES == old / LANES;
                    assert!(pairs.iter().any(is), "seed {seed}: no race, but {finding:?}");
                    assert_eq!(finding.pc, pc);
                }
                if bytes.iter().any(|byte| !spoilt.contains(byte)) {
                    tally.races += 1;
                    tally.missed += usize::from(found.is_empty());
                }
                spoilt.extend(bytes);
            }
        }
    }
}

fn play_all(seeds: std::ops::Range<u64>, mix: Mix) -> Tally {
    let mut tally = Tally::default();
    seeds.for_each(|seed| play(seed, &mix, &mut tally));
    assert!(tally.races * 5 > tally.accesses / 100, "{tally:?} is hardly a test");
    tally
}

#[test]
fn shared_memory_with_barriers_and_warp_syncs() {
    for warps in [1, 2, 3] {
        for bytes in [64, 512] {
            let tally = play_all(0..150, Mix { blocks: 1, warps, bytes, ..Mix::default() });
            assert_eq!(tally.missed, 0, "{tally:?}");
        }
    }
}

#[test]
fn shared_memory_with_strong_accesses_too() {
    let tally = play_all(0..300, Mix { blocks: 1, warps: 2, bytes: 128, strong: true, ..Mix::default() });
    assert_eq!(tally.missed, 0, "{tally:?}");
}

#[test]
fn shared_memory_with_copies() {
    let tally = play_all(0..300, Mix { blocks: 1, warps: 2, bytes: 512, copies: true, ..Mix::default() });
    assert_eq!(tally.missed, 0, "{tally:?}");
    assert!(tally.pending > 20, "{tally:?}");
}

#[test]
fn shared_memory_with_everything() {
    let mix =
        Mix { blocks: 1, warps: 3, bytes: 128, named: true, strong: true, fences: true, ends: true, ..Mix::default() };
    let tally = play_all(0..400, mix);
    assert!(tally.missed * 20 < tally.races, "{tally:?}");
}

#[test]
fn shared_memory_with_named_barriers() {
    let tally = play_all(0..400, Mix { blocks: 1, warps: 3, bytes: 128, named: true, ..Mix::default() });
    assert_eq!(tally.missed, 0, "{tally:?}");
}

#[test]
fn device_memory_without_flags() {
    for blocks in [1, 3] {
        let tally =
            play_all(0..200, Mix { blocks, warps: 2, bytes: 256, device: true, strong: true, ..Mix::default() });
        assert_eq!(tally.missed, 0, "{tally:?}");
    }
}

#[test]
fn device_memory_with_everything() {
    let mix = Mix {
        blocks: 3,
        warps: 2,
        bytes: 256,
        named: true,
        strong: true,
        fences: true,
        ends: true,
        device: true,
        copies: false,
    };
    let tally = play_all(0..400, mix);
    assert!(tally.missed * 20 < tally.races, "{tally:?}");
}
