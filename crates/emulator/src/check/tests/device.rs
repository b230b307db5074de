//! Device memory: races between blocks, and what orders blocks.

use std::{
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc,
    },
    time::Duration,
};

use super::{barrier, read, row, write, *};

const RACE: Kind = Kind::GlobalRace;

fn check(first: To, second: To, races: bool) {
    let mut scene = Scene::new(2, 2);
    first.global(&mut scene, 0);
    // A barrier within a block is nothing to the other one.
    barrier(&mut scene.blocks[0], 2);
    barrier(&mut scene.blocks[1], 2);
    second.global(&mut scene, 1);
    let expected = if races { vec![(RACE, second.pc, first.pc)] } else { vec![] };
    assert_eq!(scene.pairs(), expected);
}

#[test]
fn blocks_race() {
    check(write(1, 0), write(2, 0), true);
    check(write(1, 0), read(2, 0), true);
    check(read(1, 0), write(2, 0), true);
    check(read(1, 0), read(2, 0), false);
    check(write(1, 0), write(2, 128), false);
    check(write(1, 0).mask(0xffff), write(2, 0).mask(0xffff_0000), false);
    check(write(1, 0).bytes(16), write(2, 384).bytes(16).mask(0xffff), true);
    check(write(1, 0).bytes(2), write(2, 64).bytes(2), false);
    check(write(1, 0).bytes(1).lane(3), write(2, 0).bytes(1).lane(2), false);
    check(write(1, 0).offsets(row(0, 512)), write(2, 0).offsets(row(4, 512)), false);
    check(write(1, 0).offsets(row(0, 512)), write(2, 0).offsets(row(512, 512)), true);
}

#[test]
fn strong_accesses_of_blocks() {
    for first in [atomic(1, 0), write(1, 0).volatile(), read(1, 0).volatile()] {
        for second in [atomic(2, 0), write(2, 0).volatile(), read(2, 0).volatile()] {
            check(first, second, false);
        }
    }
    check(atomic(1, 0), read(2, 0), true);
    check(read(1, 0), atomic(2, 0), true);
    check(atomic(1, 0), write(2, 0), true);
    check(write(1, 0), atomic(2, 0), true);
    check(atomic(1, 0).narrow(), atomic(2, 0), true);
    check(atomic(1, 0).narrow(), atomic(2, 0).narrow(), true);
}

#[test]
fn within_a_block_the_same_rules_hold() {
    let run = |meet: bool, second: To| {
        let mut scene = Scene::new(2, 2);
        write(1, 0).global(&mut scene, 0);
        if meet {
            barrier(scene.block(), 2);
        }
        second.global(&mut scene, 0);
        scene.pairs()
    };
    assert_eq!(run(true, read(2, 0).warp(1)), []);
    assert_eq!(run(false, read(2, 0).warp(1)), [(RACE, 2, 1)]);
    assert_eq!(run(false, read(2, 0)), []);
    assert_eq!(run(false, read(2, 4).mask(ALL >> 1)), [(RACE, 2, 1)]);
    let mut scene = Scene::new(1, 1);
    atomic(1, 0).narrow().global(&mut scene, 0);
    atomic(1, 4).narrow().mask(ALL >> 1).global(&mut scene, 0);
    assert_eq!(scene.pairs(), []);
}

#[test]
fn launches_are_in_order() {
    let mut scene = Scene::new(1, 1);
    write(1, 0).global(&mut scene, 0);
    let mut next = Scene::new(2, 1);
    std::mem::swap(&mut next.memory, &mut scene.memory);
    read(2, 0).global(&mut next, 1);
    assert_eq!(next.pairs(), []);
    write(3, 0).global(&mut next, 0);
    assert_eq!(next.pairs(), [(RACE, 3, 2)]);
}

#[test]
fn one_of_many_readers_is_found_by_any_writer() {
    for bytes in [4, 16] {
        for writer in 0..8 {
            let mut scene = Scene::new(8, 1);
            (0..8).for_each(|block| read(1, 0).bytes(bytes).global(&mut scene, block));
            (0..8).for_each(|block| read(2, 0).bytes(bytes).global(&mut scene, block));
            write(3, 0).lane(9).global(&mut scene, writer);
            assert_eq!(scene.pairs().len(), 1, "block {writer}");
            write(4, 0).lane(9).global(&mut scene, (writer + 1) % 8);
            read(5, 0).lane(9).global(&mut scene, (writer + 2) % 8);
            assert_eq!(scene.pairs().len(), 2, "what is read by many is not read only for ever");
        }
    }
}

#[test]
fn a_reader_of_another_block_is_kept_beside_many_of_one() {
    for readers in 1..5 {
        let mut scene = Scene::new(2, 5);
        (0..readers).for_each(|warp| read(1, 0).warp(warp).global(&mut scene, 0));
        read(2, 0).global(&mut scene, 1);
        barrier(&mut scene.blocks[0], 5);
        write(3, 0).warp(4).global(&mut scene, 0);
        assert_eq!(scene.pairs(), [(RACE, 3, 2)], "{readers} warps have read it");
    }
}

#[test]
fn one_of_many_writers_is_found_by_any_reader() {
    for reader in 0..5 {
        let mut scene = Scene::new(5, 1);
        (0..5).for_each(|block| atomic(1, 0).at_one(64).global(&mut scene, block));
        read(2, 64).lane(0).global(&mut scene, reader);
        assert_eq!(scene.pairs(), [(RACE, 2, 1)]);
    }
}

#[test]
fn many_small_pieces_of_a_line() {
    let mut scene = Scene::new(64, 1);
    (0..64).for_each(|block| write(1, 2 * block as u64).bytes(2).lane(0).global(&mut scene, block));
    assert_eq!(scene.pairs(), []);
    read(2, 0).global(&mut scene, 0);
    assert_eq!(scene.pairs(), [(RACE, 2, 1)]);
    (0..64).for_each(|block| atomic(3, 256 + block as u64 % 32 * 4).lane(0).global(&mut scene, block));
    write(4, 300).lane(0).global(&mut scene, 20);
    assert_eq!(scene.pairs(), [(RACE, 4, 3)]);
}

/// What a step of the classic patterns does.
#[derive(Clone, Copy, PartialEq)]
enum Omit {
    Nothing,
    Fence,
    Barrier,
    Flag,
}

/// Each block writes a partial sum; the last to count itself adds them all and resets the counter.
fn last_block(omit: Omit, blocks: usize) -> Vec<(Kind, u32, u32)> {
    let mut scene = Scene::new(blocks as u32, 2);
    for block in 0..blocks {
        for warp in 0..2 {
            write(1, 256 * block as u64 + 128 * u64::from(warp)).warp(warp).global(&mut scene, block);
            if omit != Omit::Fence {
                scene.blocks[block].fence(warp, ALL, Scope::Device);
            }
        }
        if omit != Omit::Barrier {
            barrier(&mut scene.blocks[block], 2);
        }
        if omit != Omit::Flag {
            atomic(2, 0).at_one(1 << 16).lane(0).global(&mut scene, block);
        }
        barrier(&mut scene.blocks[block], 2);
    }
    let last = blocks - 1;
    for other in 0..blocks as u64 {
        read(3, 256 * other).warp(1).global(&mut scene, last);
        read(3, 256 * other + 128).warp(1).global(&mut scene, last);
    }
    if omit == Omit::Nothing {
        write(4, 1 << 16).lane(0).global(&mut scene, last);
        assert_eq!(scene.pairs(), []);
        read(5, 0).global(&mut scene, 0);
        read(6, 256).global(&mut scene, 0);
        assert_eq!(scene.pairs(), [(RACE, 6, 1)], "the first block knows of none but itself");
    }
    scene.pairs()
}

#[test]
fn the_last_block_knows_what_the_others_did() {
    for blocks in [2, 5, 40] {
        assert_eq!(last_block(Omit::Nothing, blocks), []);
        assert_eq!(last_block(Omit::Fence, blocks), [(RACE, 3, 1)]);
        assert_eq!(last_block(Omit::Flag, blocks), [(RACE, 3, 1)]);
        assert_eq!(last_block(Omit::Barrier, blocks), [(RACE, 3, 1)], "warp 1 had not arrived");
    }
}

#[test]
fn the_fence_may_be_the_counting_threads_alone() {
    let mut scene = Scene::new(2, 2);
    for block in 0..2 {
        write(1, 512 * block as u64).warp(1).global(&mut scene, block);
        barrier(&mut scene.blocks[block], 2);
        scene.blocks[block].fence(0, 1, Scope::Device);
        atomic(2, 0).at_one(1 << 16).lane(0).global(&mut scene, block);
        barrier(&mut scene.blocks[block], 2);
    }
    read(3, 0).warp(1).global(&mut scene, 1);
    assert_eq!(scene.pairs(), []);
}

#[test]
fn a_fence_for_the_block_is_not_enough() {
    let mut scene = Scene::new(2, 1);
    write(1, 0).lane(0).global(&mut scene, 0);
    scene.blocks[0].fence(0, 1, Scope::Block);
    atomic(2, 512).lane(0).global(&mut scene, 0);
    atomic(3, 512).lane(0).global(&mut scene, 1);
    read(4, 0).lane(0).global(&mut scene, 1);
    assert_eq!(scene.pairs(), [(RACE, 4, 1)]);
}

#[test]
fn a_spin_lock() {
    let run = |fence: bool| {
        let mut scene = Scene::new(4, 1);
        for block in [0, 1, 0, 3, 2, 2, 1] {
            // Two tries that fail, maybe.
            atomic(1, 512).at_one(512).lane(0).global(&mut scene, block);
            atomic(1, 512).at_one(512).lane(0).global(&mut scene, block);
            read(2, 0).lane(0).global(&mut scene, block);
            write(3, 0).lane(0).global(&mut scene, block);
            if fence {
                scene.blocks[block].fence(0, 1, Scope::Device);
            }
            atomic(4, 512).at_one(512).lane(0).global(&mut scene, block);
        }
        scene.pairs()
    };
    assert_eq!(run(true), []);
    assert_ne!(run(false), []);
}

#[test]
fn a_flag_read_before_it_was_raised_carries_what_it_has_when_it_is_used() {
    // A load is told before it is made, so another block's store may come between the two.
    let mut scene = Scene::new(2, 1);
    read(3, 512).lane(0).volatile().global(&mut scene, 1);
    write(1, 0).lane(0).global(&mut scene, 0);
    scene.blocks[0].fence(0, 1, Scope::Device);
    write(2, 512).lane(0).volatile().global(&mut scene, 0);
    read(4, 0).lane(0).global(&mut scene, 1);
    write(5, 512).lane(0).global(&mut scene, 1);
    assert_eq!(scene.pairs(), []);
}

#[test]
fn a_scan_that_looks_back() {
    // Each tile publishes its sum, then a flag; the next one polls the flag and reads the sum.
    let run = |fence: bool| {
        let mut scene = Scene::new(20, 1);
        for tile in 0..20usize {
            let (sum, flag) = (64 * tile as u64, (1 << 16) + 4 * tile as u64);
            if tile > 0 {
                read(1, flag - 4).lane(0).volatile().global(&mut scene, tile);
                scene.blocks[tile].fence(0, 1, Scope::Device);
                read(2, sum - 64).lane(0).global(&mut scene, tile);
            }
            write(3, sum).lane(0).global(&mut scene, tile);
            if fence {
                scene.blocks[tile].fence(0, 1, Scope::Device);
            }
            write(4, flag).lane(0).volatile().global(&mut scene, tile);
        }
        // What a tile read was ordered after all tiles before it.
        read(5, 0).lane(0).global(&mut scene, 19);
        scene.pairs()
    };
    assert_eq!(run(true), []);
    // The fence after the poll covers what was read, and the sum of the tile before; not the tile's own.
    assert!(run(false).contains(&(RACE, 2, 3)));
}

#[test]
fn a_barrier_of_the_grid() {
    let run = |fence: bool| {
        let blocks = 6;
        let mut scene = Scene::new(blocks as u32, 2);
        for round in 0..3u64 {
            let at = |block: usize, buffer: u64| 4096 * (buffer % 2) + 128 * block as u64;
            for block in 0..blocks {
                for warp in 0..2 {
                    read(1, at((block + 1) % blocks, round)).warp(warp).global(&mut scene, block);
                }
                write(2, at(block, round + 1)).global(&mut scene, block);
                barrier(&mut scene.blocks[block], 2);
                if fence {
                    scene.blocks[block].fence(0, 1, Scope::Device);
                }
                atomic(3, 1 << 16).lane(0).global(&mut scene, block);
            }
            for block in 0..blocks {
                read(4, 1 << 16).lane(0).volatile().global(&mut scene, block);
                scene.blocks[block].fence(0, 1, Scope::Device);
                barrier(&mut scene.blocks[block], 2);
            }
        }
        scene.pairs()
    };
    assert_eq!(run(true), []);
    assert_ne!(run(false), []);
}

/// Blocks on threads of the machine, with a counter in real memory. Whichever block is the `resets`-th to count itself
/// resets the counter, and reads what all blocks wrote before; each block takes `pause` between telling that it counts
/// itself and doing so.
fn count_and_reset(blocks: u32, resets: u32, pause: Duration) -> Vec<(Kind, u32, u32)> {
    let mut scene = Scene::new(blocks, 1);
    let (memory, counter) = (&scene.memory, &AtomicU32::new(0));
    std::thread::scope(|scope| {
        for (block, checker) in scene.blocks.iter_mut().enumerate() {
            scope.spawn(move || {
                write(1, 128 * block as u64).with(DEVICE, |access| checker.global(memory, access, None));
                checker.sync_warp(0, ALL);
                checker.fence(0, 1, Scope::Device);
                atomic(2, 1 << 16).lane(0).with(DEVICE, |access| checker.global(memory, access, None));
                std::thread::sleep(pause);
                let before = counter.fetch_add(1, Relaxed);
                checker.made();
                if before + 1 == resets {
                    checker.fence(0, 1, Scope::Device);
                    write(4, 1 << 16).lane(0).with(DEVICE, |access| checker.global(memory, access, None));
                    checker.sync_warp(0, ALL);
                    for other in 0..u64::from(blocks) {
                        read(3, 128 * other).with(DEVICE, |access| checker.global(memory, access, None));
                    }
                }
            });
        }
    });
    scene.pairs()
}

#[test]
fn whoever_counts_last_knows_all_others_however_threads_interleave() {
    for pause in [Duration::ZERO, Duration::from_millis(1)] {
        for _ in 0..20 {
            assert_eq!(count_and_reset(8, 8, pause), []);
        }
    }
}

#[test]
fn whoever_does_not_count_last_races_however_threads_interleave() {
    for pause in [Duration::ZERO, Duration::from_millis(1)] {
        for resets in [1, 4, 7] {
            let races = count_and_reset(8, resets, pause);
            // Either side of a race may come first.
            assert!(races.contains(&(RACE, 4, 2)) || races.contains(&(RACE, 2, 4)), "{resets}: {races:?}");
        }
    }
}

#[test]
fn atomics_are_told_in_the_order_in_which_they_are_made() {
    let mut scene = Scene::new(2, 1);
    let (memory, counter) = (&scene.memory, &AtomicU32::new(0));
    let (first_told, wait_for_first) = mpsc::channel();
    let (second_made, wait_for_second) = mpsc::channel();
    let finish = |checker: &mut RaceChecker, told: &dyn Fn()| {
        checker.fence(0, 1, Scope::Device);
        atomic(1, 0).lane(0).with(DEVICE, |access| checker.global(memory, access, None));
        told();
        let is_last = counter.fetch_add(1, Relaxed) == 1;
        checker.made();
        if is_last {
            write(2, 0).lane(0).with(DEVICE, |access| checker.global(memory, access, None));
        }
    };
    std::thread::scope(|scope| {
        let [first, second] = &mut scene.blocks[..] else { panic!("two blocks") };
        scope.spawn(move || {
            // Long enough for the second block to come between, if it could.
            finish(first, &|| {
                first_told.send(()).unwrap();
                assert!(wait_for_second.recv_timeout(Duration::from_millis(200)).is_err(), "it did not wait");
            });
        });
        scope.spawn(move || {
            wait_for_first.recv().unwrap();
            finish(second, &|| second_made.send(()).unwrap_or(()));
        });
    });
    assert_eq!(scene.pairs(), []);
}
