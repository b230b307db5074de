//! Asynchronous copies into shared memory.

use super::{barrier, read, write, *};

const NOT_WAITED: Kind = Kind::AsyncCopyNotWaited;

/// A copy of 16 bytes a lane, 512 bytes from an offset on.
fn copy(pc: u32, start: u64) -> To {
    write(pc, start).bytes(16)
}

#[test]
fn a_copy_is_there_once_it_was_waited_for() {
    let mut scene = Scene::new(1, 1);
    copy(1, 0).copy(scene.block());
    scene.block().commit(0, ALL);
    scene.block().wait_group(0, ALL, 0);
    read(2, 0).bytes(16).shared(scene.block());
    assert_eq!(scene.pairs(), []);
}

#[test]
fn the_copying_thread_itself_must_wait() {
    for wait in [0, 1, 2] {
        let mut scene = Scene::new(1, 1);
        copy(1, 0).copy(scene.block());
        match wait {
            0 => {}
            1 => scene.block().commit(0, ALL),
            // What was not committed is no group to wait for.
            _ => scene.block().wait_group(0, ALL, 0),
        }
        read(2, 0).bytes(16).shared(scene.block());
        assert_eq!(scene.pairs(), [(NOT_WAITED, 2, 1)]);
    }
    let mut scene = Scene::new(1, 1);
    copy(1, 0).copy(scene.block());
    scene.block().wait_all(0, ALL);
    read(2, 0).bytes(16).shared(scene.block());
    assert_eq!(scene.pairs(), []);
}

#[test]
fn groups_are_waited_for_in_their_order() {
    let mut scene = Scene::new(1, 1);
    for group in 0..3 {
        copy(group, 512 * u64::from(group)).copy(scene.block());
        scene.block().commit(0, ALL);
    }
    scene.block().wait_group(0, ALL, 1);
    read(10, 0).bytes(16).shared(scene.block());
    read(11, 512).bytes(16).shared(scene.block());
    assert_eq!(scene.pairs(), []);
    read(12, 1024).bytes(16).shared(scene.block());
    assert_eq!(scene.pairs(), [(NOT_WAITED, 12, 2)]);
}

#[test]
fn others_need_a_barrier_after_the_wait() {
    let run = |wait_first: bool, meet: bool| {
        let mut scene = Scene::new(1, 2);
        copy(1, 0).copy(scene.block());
        if wait_first {
            scene.block().wait_all(0, ALL);
        }
        if meet {
            barrier(scene.block(), 2);
        }
        read(2, 0).warp(1).shared(scene.block());
        scene.pairs()
    };
    assert_eq!(run(true, true), []);
    assert_eq!(run(true, false), [(Kind::SharedRace, 2, 1)]);
    assert_eq!(run(false, true), [(NOT_WAITED, 2, 1)]);
}

#[test]
fn each_lane_waits_for_itself() {
    let mut scene = Scene::new(1, 1);
    copy(1, 0).copy(scene.block());
    scene.block().commit(0, ALL);
    scene.block().wait_group(0, 0xffff, 0);
    scene.block().sync_warp(0, ALL);
    read(2, 0).bytes(16).mask(0xffff).shared(scene.block());
    assert_eq!(scene.pairs(), []);
    read(3, 0).bytes(16).mask(0x10000).shared(scene.block());
    assert_eq!(scene.pairs(), [(NOT_WAITED, 3, 1)]);
}

#[test]
fn lanes_may_have_committed_differently() {
    let mut scene = Scene::new(1, 1);
    scene.block().commit(0, 0xffff);
    copy(1, 0).copy(scene.block());
    scene.block().commit(0, ALL);
    // Of the first half all but one group is the empty one before.
    scene.block().wait_group(0, ALL, 1);
    read(2, 0).bytes(16).lane(3).shared(scene.block());
    read(3, 0).bytes(16).lane(20).shared(scene.block());
    assert_eq!(scene.pairs(), [(NOT_WAITED, 2, 1), (NOT_WAITED, 3, 1)]);
    scene.block().wait_group(0, ALL, 0);
    read(4, 0).bytes(16).shared(scene.block());
    assert_eq!(scene.pairs(), []);
}

#[test]
fn a_buffer_is_filled_again_only_after_all_have_read_it() {
    let run = |meet: bool| {
        let mut scene = Scene::new(1, 2);
        for round in 0..3 {
            copy(1, 0).copy(scene.block());
            scene.block().wait_all(0, ALL);
            barrier(scene.block(), 2);
            read(2, 0).warp(1).shared(scene.block());
            if meet || round == 2 {
                barrier(scene.block(), 2);
            }
        }
        scene.pairs()
    };
    assert_eq!(run(true), []);
    assert_eq!(run(false), [(Kind::SharedRace, 1, 2)]);
}

#[test]
fn stores_and_copies_over_a_pending_copy() {
    let mut scene = Scene::new(1, 2);
    copy(1, 0).copy(scene.block());
    write(2, 0).lane(0).shared(scene.block());
    copy(3, 0).warp(1).copy(scene.block());
    atomic(4, 64).lane(0).shared(scene.block());
    read(5, 512).shared(scene.block());
    assert_eq!(scene.pairs(), [(NOT_WAITED, 2, 1), (NOT_WAITED, 3, 1), (NOT_WAITED, 4, 1)]);
}

#[test]
fn a_finished_copy_counts_from_its_wait() {
    // A barrier before the wait orders nothing that the copy did.
    let mut scene = Scene::new(1, 2);
    copy(1, 0).copy(scene.block());
    barrier(scene.block(), 2);
    scene.block().wait_all(0, ALL);
    read(2, 0).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), [(Kind::SharedRace, 2, 1)]);
}
