//! Shared memory: what is a race within a block, and what a report says.

use super::{barrier, read, row, write, *};

/// Two accesses, and whether they race: as they are, and with a barrier between.
fn check(first: To, second: To, races: bool) {
    let mut scene = Scene::new(1, 4);
    first.shared(scene.block());
    second.shared(scene.block());
    let expected = if races { vec![(Kind::SharedRace, second.pc, first.pc)] } else { vec![] };
    assert_eq!(scene.pairs(), expected);
    let mut scene = Scene::new(1, 4);
    first.shared(scene.block());
    barrier(scene.block(), 4);
    second.shared(scene.block());
    assert_eq!(scene.pairs(), [], "a barrier orders everything");
}

#[test]
fn writes_race_with_all_and_reads_with_writes() {
    check(write(1, 0), write(2, 0).warp(1), true);
    check(write(1, 0), read(2, 0).warp(1), true);
    check(read(1, 0), write(2, 0).warp(1), true);
    check(read(1, 0), read(2, 0).warp(1), false);
    check(write(1, 0), write(2, 128).warp(1), false);
}

#[test]
fn a_thread_does_not_race_with_itself() {
    check(write(1, 0), read(2, 0), false);
    check(read(1, 0), write(2, 0), false);
    check(write(1, 0), write(2, 0), false);
    for bytes in [1, 2, 8, 16] {
        check(write(1, 0).bytes(bytes), read(2, 0).bytes(bytes), false);
        check(read(1, 0).bytes(bytes), write(2, 0).bytes(bytes), false);
    }
}

#[test]
fn lanes_of_a_warp_are_threads_too() {
    let neighbour = row(4, 4);
    check(write(1, 0), read(2, 0).offsets(neighbour).mask(ALL >> 1), true);
    check(read(1, 0).offsets(neighbour).mask(ALL >> 1), write(2, 0), true);
    check(write(1, 0), write(2, 0).offsets(neighbour), true);
    check(read(1, 0), write(2, 0).at_one(12).lane(5), true);
    check(read(1, 0), write(2, 0).at_one(12).lane(3), false);
    // A broadcast is read by all, so whoever writes it next races with another lane.
    check(read(1, 0).at_one(12), write(2, 12).lane(0), true);
    check(read(1, 0).at_one(12).lane(0), write(2, 12).lane(0), false);
}

#[test]
fn a_warp_sync_orders_its_lanes_and_no_others() {
    for (first, second) in [
        (write(1, 0), read(2, 4).mask(ALL >> 1)),
        (read(1, 4).mask(ALL >> 1), write(2, 0)),
        (read(1, 0).at_one(12), write(2, 12).lane(0)),
    ] {
        let mut scene = Scene::new(1, 2);
        first.shared(scene.block());
        scene.block().sync_warp(0, ALL);
        second.shared(scene.block());
        assert_eq!(scene.pairs(), []);
        second.warp(1).shared(scene.block());
        assert_ne!(scene.pairs(), [], "of warp 1 nothing was said");
    }
}

#[test]
fn a_sync_of_some_lanes_orders_these() {
    let steps = |between: Mask| {
        let mut scene = Scene::new(1, 1);
        write(1, 0).mask(0xffff).shared(scene.block());
        scene.block().sync_warp(0, between);
        read(2, 4).mask(0xff).shared(scene.block());
        scene.pairs().len()
    };
    assert_eq!(steps(0xffff), 0);
    assert_eq!(steps(0x01ff), 0);
    assert_eq!(steps(0x00ff), 1, "lane 7 reads what lane 8 wrote");
    assert_eq!(steps(0xffff_0000), 1);
}

#[test]
fn order_within_a_warp_passes_on() {
    let mut scene = Scene::new(1, 2);
    write(1, 0).lane(0).shared(scene.block());
    scene.block().sync_warp(0, 0b011);
    scene.block().sync_warp(0, 0b110);
    read(2, 0).at_one(0).lane(2).shared(scene.block());
    assert_eq!(scene.pairs(), []);
    write(3, 0).lane(0).shared(scene.block());
    scene.block().sync_warp(0, 0b110);
    scene.block().sync_warp(0, 0b011);
    read(4, 0).at_one(0).lane(2).shared(scene.block());
    assert_eq!(scene.pairs().last(), Some(&(Kind::SharedRace, 4, 3)));
}

#[test]
fn bytes_of_one_word_are_places_of_their_own() {
    check(write(1, 0).bytes(1).mask(0b01), write(2, 1).bytes(1).lane(0).warp(1), false);
    check(write(1, 0).bytes(2), write(2, 64).bytes(2).warp(1), false);
    check(write(1, 0).bytes(2), write(2, 2).bytes(2).lane(0).warp(1), true);
    check(write(1, 0).bytes(2).lane(0), read(2, 0).warp(1), true);
    // Halves by neighbours, then words by others.
    check(write(1, 0).bytes(2), read(2, 0).mask(0xffff), true);
}

#[test]
fn strong_accesses_race_with_weak_ones_only() {
    for strong in [atomic(1, 0), write(1, 0).volatile(), read(1, 0).volatile()] {
        for second in [atomic(2, 0).warp(1), write(2, 0).volatile().warp(1), read(2, 0).volatile().warp(1)] {
            check(strong, second, false);
        }
    }
    check(atomic(1, 0), read(2, 0).warp(1), true);
    check(read(1, 0), atomic(2, 0).warp(1), true);
    check(atomic(1, 0), write(2, 0).warp(1), true);
    check(write(1, 0), atomic(2, 0).warp(1), true);
    check(write(1, 0).volatile(), read(2, 0).warp(1), true);
    check(read(1, 0).volatile(), write(2, 0).warp(1), true);
    check(read(1, 0).volatile(), read(2, 0).warp(1), false);
    check(read(1, 0), read(2, 0).volatile().warp(1), false);
    check(write(1, 0).volatile(), read(2, 4).mask(ALL >> 1), true);
}

#[test]
fn each_of_many_atomics_is_remembered() {
    // The thread that reads made the last of them itself; another warp's is still without order.
    let mut scene = Scene::new(1, 4);
    (0..4).rev().for_each(|warp| atomic(1, 0).at_one(40).lane(3).warp(warp).shared(scene.block()));
    read(2, 0).at_one(40).lane(3).shared(scene.block());
    assert_eq!(scene.pairs(), [(Kind::SharedRace, 2, 1)]);
}

#[test]
fn all_readers_are_remembered() {
    for writer in 0..4 {
        for last in 0..4 {
            let mut scene = Scene::new(1, 4);
            (0..4).filter(|&warp| warp != last).for_each(|warp| read(warp, 0).warp(warp).shared(scene.block()));
            read(last, 0).warp(last).shared(scene.block());
            write(9, 0).warp(writer).shared(scene.block());
            let found = scene.found();
            let (pc, thread) = found[0].other.expect("a race has two sides");
            assert_ne!(pc, writer, "another warp's read");
            assert_eq!(thread.thread[0] / 32, pc, "the thread is of that warp");
        }
    }
}

#[test]
fn one_store_may_not_put_two_values_in_one_place() {
    let places: [u64; 32] = std::array::from_fn(|lane| (lane as u64 * 37 % 31) * 4);
    let values: [u32; 32] = std::array::from_fn(|lane| if lane == 31 { 7 } else { 7 + lane as u32 });
    let store = |offsets: [u64; 32], values: [u32; 32]| {
        let mut scene = Scene::new(1, 1);
        let same = |one: usize, other: usize| values[one] == values[other];
        write(1, 0).offsets(offsets).with(0, |access| scene.block().shared(access, Some(&same)));
        write(1, 0).offsets(offsets).with(0, |access| scene.block().shared(access, None));
        scene.found()
    };
    assert_eq!(places[31], places[0]);
    // The store is made twice; the second is by the same lanes but for the shared place.
    let one_twin = |found: &[Finding]| found.iter().filter(|finding| finding.thread.thread[0] == 31).count();
    assert_eq!(one_twin(&store(places, values)), 0);
    let different = std::array::from_fn(|lane| lane as u32);
    let found = store(places, different);
    assert_eq!(one_twin(&found), 1);
    assert_eq!(found[0].address, Some((places[31], 4)));
    assert_eq!(found[0].other.expect("two sides").1.thread, [0, 0, 0]);
    assert_ne!(store([8; 32], different).len(), 0);
}

#[test]
fn a_report_names_both_sides() {
    let launch = Arc::new(RaceLaunch::new([3, 2, 1], [16, 8, 1]));
    let mut checker = RaceChecker::new(launch);
    checker.begin_block(4, 1024);
    write(11, 256).shared(&mut checker);
    read(12, 256).warp(2).lane(5).shared(&mut checker);
    let found = checker.take_findings();
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!((finding.kind, finding.pc, finding.address), (Kind::SharedRace, 12, Some((256 + 20, 4))));
    assert_eq!((finding.thread.block, finding.thread.thread), ([1, 1, 0], [5, 4, 0]));
    let (pc, other) = finding.other.expect("two sides");
    assert_eq!((pc, other.block, other.thread), (11, [1, 1, 0], [5, 0, 0]));
    // The same two instructions again, elsewhere.
    write(11, 512).shared(&mut checker);
    read(12, 512).warp(2).lane(5).shared(&mut checker);
    assert_eq!(checker.take_findings(), []);
}

#[test]
fn a_block_begins_anew() {
    let mut scene = Scene::new(2, 2);
    write(1, 0).shared(scene.block());
    write(2, 512).copy(scene.block());
    scene.block().begin_block(1, 4096);
    read(3, 0).warp(1).shared(scene.block());
    read(3, 512).warp(1).shared(scene.block());
    assert_eq!(scene.pairs(), []);
}

#[test]
fn nonsense_is_survived() {
    let mut scene = Scene::new(1, 1);
    write(1, 1 << 30).shared(scene.block());
    write(1, 0).warp(40).shared(scene.block());
    write(1, 0).mask(0).shared(scene.block());
    scene.block().sync_warp(7, 3);
    scene.block().arrive(9, 1, 3, false);
    scene.block().complete(12);
    scene.block().wait_group(5, ALL, 0);
    scene.block().end_lanes(5, ALL);
    read(1, 1 << 40).global(&mut scene, 0);
    assert_eq!(scene.pairs(), []);
}
