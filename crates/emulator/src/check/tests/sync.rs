//! What orders the threads of a block besides the barrier of all.

use super::{barrier, read, write, *};

const RACE: Kind = Kind::SharedRace;

#[test]
fn a_barrier_of_two_warps_orders_these_two() {
    let mut scene = Scene::new(1, 4);
    write(1, 0).shared(scene.block());
    scene.block().arrive(0, ALL, 1, true);
    scene.block().arrive(1, ALL, 1, true);
    scene.block().complete(1);
    read(2, 0).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), []);
    read(3, 0).warp(2).shared(scene.block());
    assert_eq!(scene.pairs(), [(RACE, 3, 1)]);
}

#[test]
fn who_announces_releases_and_does_not_acquire() {
    let mut scene = Scene::new(1, 4);
    write(1, 0).shared(scene.block());
    write(2, 128).warp(1).shared(scene.block());
    scene.block().arrive(0, ALL, 1, false);
    write(3, 256).shared(scene.block());
    scene.block().arrive(1, ALL, 1, true);
    scene.block().complete(1);
    read(4, 0).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), [], "what came before the announcement");
    read(5, 256).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), [(RACE, 5, 3)], "what came after it");
    read(6, 128).shared(scene.block());
    assert_eq!(scene.pairs(), [(RACE, 6, 2)], "it has not waited");
}

#[test]
fn a_pipeline_of_named_barriers() {
    // Warp 0 produces into two buffers, warps 1 and 2 consume; "full" is barrier 1 + buffer, "empty" is 3 + buffer.
    let run = |skip_empty: bool| {
        let mut scene = Scene::new(1, 3);
        for round in 0..6u64 {
            let (buffer, id) = (round % 2 * 128, (round % 2) as u32);
            if round >= 2 && !skip_empty {
                scene.block().arrive(0, ALL, 3 + id, true);
                scene.block().complete(3 + id);
            }
            write(1, buffer).shared(scene.block());
            scene.block().arrive(0, ALL, 1 + id, false);
            for warp in 1..3 {
                scene.block().arrive(warp, ALL, 1 + id, true);
            }
            scene.block().complete(1 + id);
            for warp in 1..3 {
                read(2, buffer).warp(warp).shared(scene.block());
                scene.block().arrive(warp, ALL, 3 + id, false);
            }
        }
        scene.pairs()
    };
    assert_eq!(run(false), []);
    assert_eq!(run(true), [(RACE, 1, 2)]);
}

#[test]
fn order_passes_on_through_barriers() {
    let mut scene = Scene::new(1, 3);
    write(1, 0).shared(scene.block());
    for (one, other) in [(0, 1), (1, 2)] {
        scene.block().arrive(one, ALL, 1, true);
        scene.block().arrive(other, ALL, 1, true);
        scene.block().complete(1);
    }
    read(2, 0).warp(2).shared(scene.block());
    assert_eq!(scene.pairs(), []);
    let mut scene = Scene::new(1, 3);
    write(1, 0).shared(scene.block());
    for (one, other) in [(1, 2), (0, 1)] {
        scene.block().arrive(one, ALL, 1, true);
        scene.block().arrive(other, ALL, 1, true);
        scene.block().complete(1);
    }
    read(2, 0).warp(2).shared(scene.block());
    assert_eq!(scene.pairs(), [(RACE, 2, 1)]);
}

#[test]
fn what_was_read_before_some_met_is_still_known() {
    let run = |writer: u32| {
        let mut scene = Scene::new(1, 4);
        (0..4).for_each(|warp| read(warp, 0).warp(warp).shared(scene.block()));
        for warp in [0, 1, 2] {
            scene.block().arrive(warp, ALL, 1, true);
        }
        scene.block().complete(1);
        write(9, 0).warp(writer).shared(scene.block());
        scene.pairs()
    };
    assert!(!run(0).is_empty(), "warp 3 was not there");
    assert!(!run(3).is_empty());
    let mut scene = Scene::new(1, 4);
    (0..3).for_each(|warp| read(warp, 0).warp(warp).shared(scene.block()));
    for warp in [0, 1, 2] {
        scene.block().arrive(warp, ALL, 1, true);
    }
    scene.block().complete(1);
    write(9, 0).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), []);
}

#[test]
fn a_block_goes_on_without_those_that_ended() {
    let mut scene = Scene::new(1, 3);
    write(1, 0).warp(2).shared(scene.block());
    scene.block().end_lanes(2, ALL);
    write(2, 128).shared(scene.block());
    barrier(scene.block(), 2);
    read(3, 0).shared(scene.block());
    read(3, 128).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), []);
}

#[test]
fn a_warp_meets_without_lanes_that_ended() {
    let mut scene = Scene::new(1, 2);
    scene.block().end_lanes(0, 0xffff_0000);
    write(1, 0).mask(0xffff).shared(scene.block());
    scene.block().sync_warp(0, 0xffff);
    read(2, 4).mask(0x7fff).shared(scene.block());
    assert_eq!(scene.pairs(), []);
}

#[test]
fn a_flag_orders_who_writes_and_who_reads_it() {
    let run = |fence: bool, strong: bool| {
        let mut scene = Scene::new(1, 2);
        write(1, 0).lane(0).shared(scene.block());
        if fence {
            scene.block().fence(0, 1, Scope::Block);
        }
        write(2, 512).lane(0).volatile().shared(scene.block());
        let flag = read(3, 512).lane(0).warp(1);
        if strong {
            flag.volatile().shared(scene.block())
        } else {
            flag.shared(scene.block())
        }
        read(4, 0).lane(0).warp(1).shared(scene.block());
        scene.pairs()
    };
    assert_eq!(run(true, true), []);
    assert_eq!(run(false, true), [(RACE, 4, 1)]);
    assert_eq!(run(true, false), [(RACE, 3, 2), (RACE, 4, 1)]);
}

#[test]
fn release_and_acquire_need_no_fence() {
    let mut scene = Scene::new(1, 2);
    write(1, 0).lane(0).shared(scene.block());
    write(2, 512).lane(0).strong(Strength::Release).shared(scene.block());
    read(3, 512).lane(0).warp(1).strong(Strength::Acquire).shared(scene.block());
    read(4, 0).lane(0).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), []);
    write(5, 0).lane(0).warp(1).shared(scene.block());
    read(6, 0).lane(0).shared(scene.block());
    assert_eq!(scene.pairs(), [(RACE, 6, 5)], "the other way round there is no order");
}

#[test]
fn what_is_written_after_the_fence_is_not_released() {
    let mut scene = Scene::new(1, 2);
    scene.block().fence(0, 1, Scope::Block);
    write(1, 0).lane(0).shared(scene.block());
    write(2, 512).lane(0).volatile().shared(scene.block());
    read(3, 512).lane(0).warp(1).volatile().shared(scene.block());
    read(4, 0).lane(0).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), [(RACE, 4, 1)]);
}

#[test]
fn a_flag_tells_of_its_writer_alone() {
    let run = |sync: bool| {
        let mut scene = Scene::new(1, 2);
        write(1, 0).shared(scene.block());
        if sync {
            scene.block().sync_warp(0, ALL);
        }
        scene.block().fence(0, 1, Scope::Block);
        write(2, 512).lane(0).volatile().shared(scene.block());
        read(3, 512).lane(0).warp(1).volatile().shared(scene.block());
        read(4, 0).at_one(20).lane(0).warp(1).shared(scene.block());
        scene.pairs()
    };
    assert_eq!(run(true), []);
    assert_eq!(run(false), [(RACE, 4, 1)], "lane 5 wrote it");
}

#[test]
fn a_lock_in_shared_memory() {
    let run = |fence: bool| {
        let mut scene = Scene::new(1, 2);
        for warp in [0, 1, 0, 1] {
            for lane in [0, 7] {
                atomic(1, 512).at_one(512).lane(lane).warp(warp).shared(scene.block());
                read(2, 0).at_one(0).lane(lane).warp(warp).shared(scene.block());
                write(3, 0).at_one(0).lane(lane).warp(warp).shared(scene.block());
                if fence {
                    scene.block().fence(warp, 1 << lane, Scope::Block);
                }
                atomic(4, 512).at_one(512).lane(lane).warp(warp).shared(scene.block());
            }
        }
        scene.pairs()
    };
    assert_eq!(run(true), []);
    assert_ne!(run(false), []);
}

#[test]
fn named_objects_release_and_are_acquired() {
    let mut scene = Scene::new(1, 3);
    write(1, 0).shared(scene.block());
    scene.block().release(0, ALL, 0x40);
    scene.block().acquire(1, ALL, 0x40);
    scene.block().acquire(2, ALL, 0x48);
    read(2, 0).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), []);
    read(3, 0).warp(2).shared(scene.block());
    assert_eq!(scene.pairs(), [(RACE, 3, 1)]);
}

#[test]
fn when_all_meet_again_all_is_as_before() {
    let mut scene = Scene::new(1, 3);
    scene.block().arrive(0, ALL, 1, true);
    scene.block().arrive(1, ALL, 1, true);
    scene.block().complete(1);
    write(1, 0).shared(scene.block());
    barrier(scene.block(), 3);
    read(2, 0).warp(1).shared(scene.block());
    read(3, 0).warp(2).shared(scene.block());
    assert_eq!(scene.pairs(), []);
    write(4, 0).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), [(RACE, 4, 3)]);
}
