//! Reading what nothing wrote.

use super::*;
use crate::finding::Kind;

/// What was found: instruction, first address, how many lanes.
fn found(memory: &mut BlockMemory<'_>) -> Vec<(u32, u64, u64)> {
    let found = memory.take_findings().into_sorted();
    assert!(found.iter().all(|found| found.finding.kind == Kind::UninitializedRead));
    found.iter().map(|found| (found.finding.pc, found.finding.address.unwrap().0, found.count)).collect()
}

#[test]
fn global_memory_is_unwritten_until_a_copy_or_a_store() {
    let device = device();
    let address = device.allocate(512, AllocationKind::Device).unwrap();
    device.write(address + 10, &[1; 54]).unwrap();
    let map = device.map();
    let mut memory = block(&map, Checks::ALL);
    let load = Ask::new(Space::Global, Op::Load, 4);
    let store = Ask::new(Space::Global, Op::Store, 4);
    // Bytes 10 to 63 are written: lanes 0 to 2 and 16 to 31 read others.
    load.pc(1).at(&mut memory, |lane| address + lane * 4).unwrap();
    load.pc(2).mask(0xfff8).at(&mut memory, |lane| address + lane * 4).unwrap();
    assert_eq!(found(&mut memory), [(1, address, 19)]);
    // A store of 8 lanes, then the others are still missing.
    store.mask(0xff).at(&mut memory, |lane| address + 64 + lane * 4).unwrap();
    load.pc(3).mask(0xff).at(&mut memory, |lane| address + 92 - lane * 4).unwrap();
    load.pc(4).at(&mut memory, |_| address + 92).unwrap();
    load.pc(5).at(&mut memory, |_| address + 96).unwrap();
    load.pc(5).mask(1).at(&mut memory, |_| address + 100).unwrap();
    assert_eq!(found(&mut memory), [(5, address + 96, 33)]);
    assert_eq!(device.unwritten(address + 10, 200), Ok(Some(address + 96)));
    // An atomic of all lanes at one place: only the first reads what nothing wrote.
    Ask::new(Space::Global, Op::Atomic, 4).pc(6).at(&mut memory, |_| address + 256).unwrap();
    load.at(&mut memory, |_| address + 256).unwrap();
    assert_eq!(found(&mut memory), [(6, address + 256, 1)]);
}

#[test]
fn variables_and_what_the_host_can_write_are_written() {
    let device = device();
    let global = device.allocate(128, AllocationKind::Global).unwrap();
    let constant = device.allocate(128, AllocationKind::Constant).unwrap();
    let pinned = device.allocate(128, AllocationKind::HostPinned).unwrap();
    let managed = device.allocate(128, AllocationKind::Managed).unwrap();
    let map = device.map();
    let mut memory = block(&map, Checks::ALL);
    for address in [global, constant, pinned, managed] {
        Ask::new(Space::Global, Op::Load, 4).at(&mut memory, |lane| address + lane * 4).unwrap();
    }
    Ask::new(Space::Param, Op::Load, 1).at(&mut memory, |lane| lane).unwrap();
    assert_eq!(found(&mut memory), []);
}

#[test]
fn after_a_launch_without_the_check_all_counts_as_written() {
    let device = device();
    let address = device.allocate(512, AllocationKind::Device).unwrap();
    let map = device.map();
    block(&map, Checks { initialization: false, ..Checks::ALL });
    let mut memory = block(&map, Checks::ALL);
    Ask::new(Space::Global, Op::Load, 4).pc(1).at(&mut memory, |lane| address + lane * 4).unwrap();
    assert_eq!(found(&mut memory), []);
}

#[test]
fn shared_and_local_memory_are_unwritten_in_every_block() {
    let map = device().map();
    let mut memory = block(&map, Checks::ALL);
    for block in 0..3 {
        memory.begin_block([block, 0, 0], u64::from(block), [64, 1, 1], 1024);
        for (space, base) in [(Space::Shared, 0), (Space::Generic, SHARED)] {
            let at = |lane: u64| base + lane * 8 + if base == 0 { 0 } else { 512 };
            let ask = Ask::new(space, Op::Load, 8);
            ask.pc(1).at(&mut memory, at).unwrap();
            assert_eq!(found(&mut memory), [(1, at(0), 32)]);
            Ask::new(space, Op::AsyncStore, 4).at(&mut memory, |lane| at(lane) + 4).unwrap();
            ask.pc(2).mask(0x10).at(&mut memory, at).unwrap();
            Ask::new(space, Op::Load, 4).pc(3).at(&mut memory, |lane| at(lane) + 4).unwrap();
            assert_eq!(found(&mut memory), [(2, at(4), 1)]);
        }
        for warp in 0..2 {
            let store = Ask::new(Space::Local, Op::Store, 4).warp(warp).mask(0xffff);
            store.at(&mut memory, |lane| 248 + lane * 4).unwrap();
            let load = Ask::new(Space::Local, Op::Load, 4).warp(warp);
            load.pc(4).at(&mut memory, |lane| 248 + lane * 4).unwrap();
            load.pc(5).mask(1).at(&mut memory, |_| 244).unwrap();
            assert_eq!(found(&mut memory), [(4, 248 + 64, 16), (5, 244, 1)]);
            // A call moves what is known along.
            memory.copy_local(warp, ALL, 1000, 246, 10);
            let load = Ask::new(Space::Local, Op::Load, 2).warp(warp);
            load.pc(6).at(&mut memory, |_| 1000).unwrap();
            load.pc(7).mask(1).at(&mut memory, |_| 1002).unwrap();
            load.pc(8).mask(3).at(&mut memory, |_| 1004).unwrap();
            assert_eq!(found(&mut memory), [(6, 1000, 32), (8, 1004, 1)]);
        }
    }
}

#[test]
fn findings_are_one_an_instruction_and_merge_in_any_order() {
    let (map, address) = one(4096);
    let parts = [4, 2, 9].map(|linear| {
        let mut memory = block(&map, Checks::ALL);
        memory.begin_block([linear, 0, 0], u64::from(linear), [32, 1, 1], 0);
        for again in 0..5 {
            let ask = Ask::new(Space::Global, Op::Load, 4).warp(0);
            ask.pc(1).at(&mut memory, |lane| address + lane * 4 + again * 128).unwrap();
            ask.pc(2).mask(2).at(&mut memory, |lane| address + lane * 4 + u64::from(linear) * 4).unwrap();
        }
        memory
    });
    let merged = |order: [usize; 3]| {
        let mut parts = parts.each_ref().map(|part| part.findings.clone());
        let mut all = Findings::default();
        order.into_iter().for_each(|part| all.merge(std::mem::take(&mut parts[part])));
        all.into_sorted()
    };
    let all = merged([0, 1, 2]);
    assert_eq!(all, merged([2, 0, 1]));
    assert_eq!(all.iter().map(|found| found.count).collect::<Vec<_>>(), [480, 15]);
    assert!(all.iter().all(|found| found.finding.thread.block == [2, 0, 0]));
    assert_eq!(all[1].finding.detail, "4 bytes at offset 12 of allocation #1 of 4096 bytes");
    assert_eq!(all[1].finding.address, Some((address + 12, 4)));
    assert_eq!(all[1].finding.thread.thread, [1, 0, 0]);
}
