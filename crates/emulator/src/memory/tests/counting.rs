//! Counters against values computed by hand, and against counting in sets.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::lanes::lanes;

fn counting(map: &Map) -> BlockMemory<'_> {
    let mut memory = block(map, Checks::NONE);
    memory.start_counting(true);
    memory
}

/// The sectors and ideal sectors of one request.
fn sectors(bytes: u32, mask: Mask, address: impl Fn(u64) -> u64) -> (u64, u64) {
    let (map, base) = one(1 << 16);
    let mut memory = counting(&map);
    Ask::new(Space::Global, Op::Load, bytes).mask(mask).at(&mut memory, |lane| base + address(lane)).unwrap();
    let loads = memory.take_counters().global_loads;
    assert_eq!((loads.requests, loads.lanes), (1, u64::from(mask.count_ones())));
    assert_eq!((loads.bytes, loads.wavefronts), (loads.lanes * u64::from(bytes), 0));
    (loads.sectors, loads.ideal_sectors)
}

#[test]
fn sectors_of_global_requests() {
    // Coalesced: 4, 8 and 16 for 32, 64 and 128-bit lanes.
    assert_eq!(sectors(4, ALL, |lane| lane * 4), (4, 4));
    assert_eq!(sectors(8, ALL, |lane| lane * 8), (8, 8));
    assert_eq!(sectors(16, ALL, |lane| lane * 16), (16, 16));
    assert_eq!(sectors(1, ALL, |lane| lane), (1, 1));
    assert_eq!(sectors(2, ALL, |lane| lane * 2), (2, 2));
    // Off by one element: the run touches one sector more.
    assert_eq!(sectors(4, ALL, |lane| 4 + lane * 4), (5, 4));
    assert_eq!(sectors(16, ALL, |lane| 16 + lane * 16), (17, 16));
    // The same backwards.
    assert_eq!(sectors(4, ALL, |lane| 128 - lane * 4), (5, 4));
    // Strides of 2 and 8 elements, and of a row of 1 KiB.
    assert_eq!(sectors(4, ALL, |lane| lane * 8), (8, 4));
    assert_eq!(sectors(4, ALL, |lane| lane * 32), (32, 4));
    assert_eq!(sectors(4, ALL, |lane| lane * 1024), (32, 4));
    // All at one place; and four lanes at each of eight.
    assert_eq!(sectors(4, ALL, |_| 64), (1, 1));
    assert_eq!(sectors(4, ALL, |lane| lane / 4 * 4), (1, 1));
    assert_eq!(sectors(4, ALL, |lane| lane % 8 * 32), (8, 1));
    // One lane; every other lane; the first half.
    assert_eq!(sectors(4, 1 << 9, |lane| lane * 4), (1, 1));
    assert_eq!(sectors(4, 0x5555_5555, |lane| lane * 4), (4, 2));
    assert_eq!(sectors(4, 0xffff, |lane| lane * 4), (2, 2));
    // 8 rows of 4 lanes with 8 bytes, as a fragment of a matrix is stored: a sector a row.
    assert_eq!(sectors(8, ALL, |lane| lane / 4 * 256 + lane % 4 * 8), (8, 8));
}

/// The wavefronts and ideal wavefronts of one request.
fn wavefronts(bytes: u32, mask: Mask, address: impl Fn(u64) -> u64 + Copy) -> (u64, u64) {
    let map = device().map();
    let mut memory = counting(&map);
    memory.begin_block([0; 3], 0, [32, 2, 1], 48 << 10);
    Ask::new(Space::Shared, Op::Load, bytes).mask(mask).at(&mut memory, address).unwrap();
    Ask::new(Space::Generic, Op::Store, bytes).mask(mask).at(&mut memory, |lane| SHARED + address(lane)).unwrap();
    let counters = memory.take_counters();
    assert_eq!(counters.shared_loads, counters.shared_stores);
    assert_eq!((counters.shared_loads.requests, counters.shared_loads.sectors), (1, 0));
    (counters.shared_loads.wavefronts, counters.shared_loads.ideal_wavefronts)
}

#[test]
fn wavefronts_of_shared_requests() {
    // Without conflicts: 1, 2 and 4 for 32, 64 and 128-bit lanes.
    assert_eq!(wavefronts(4, ALL, |lane| lane * 4), (1, 1));
    assert_eq!(wavefronts(8, ALL, |lane| lane * 8), (2, 2));
    assert_eq!(wavefronts(16, ALL, |lane| lane * 16), (4, 4));
    assert_eq!(wavefronts(1, ALL, |lane| lane), (1, 1));
    assert_eq!(wavefronts(2, ALL, |lane| lane * 2), (1, 1));
    // A column of a tile of 32 x 32 words, without and with padding of a word.
    assert_eq!(wavefronts(4, ALL, |lane| lane * 32 * 4), (32, 1));
    assert_eq!(wavefronts(4, ALL, |lane| lane * 33 * 4), (1, 1));
    // Strides of 2, 3 and 4 words; backwards; one word for all; two words of one bank.
    assert_eq!(wavefronts(4, ALL, |lane| lane * 8), (2, 1));
    assert_eq!(wavefronts(4, ALL, |lane| lane * 12), (1, 1));
    assert_eq!(wavefronts(4, ALL, |lane| lane * 16), (4, 1));
    assert_eq!(wavefronts(4, ALL, |lane| 124 - lane * 4), (1, 1));
    assert_eq!(wavefronts(4, ALL, |_| 64), (1, 1));
    assert_eq!(wavefronts(4, ALL, |lane| lane % 2 * 128), (2, 1));
    // Four bytes of one word are no conflict, halves of words 32 banks apart are.
    assert_eq!(wavefronts(1, ALL, |lane| lane % 4), (1, 1));
    assert_eq!(wavefronts(2, ALL, |lane| lane * 128), (32, 1));
    // 64-bit lanes: a stride of two is two rounds for each half; a half alone is one pass.
    assert_eq!(wavefronts(8, ALL, |lane| lane * 16), (4, 2));
    assert_eq!(wavefronts(8, 0xffff, |lane| lane * 8), (1, 1));
    assert_eq!(wavefronts(8, 0x8001, |lane| lane * 16), (1, 1));
    assert_eq!(wavefronts(8, 0x1_0001, |lane| lane * 16), (2, 2));
    // Eight rows of 16 bytes a pass, as ldmatrix reads them: at a pitch of 128 bytes all meet in the same four banks,
    // at 144 none do, at 64 every other one, at 32 every fourth.
    assert_eq!(wavefronts(16, ALL, |lane| lane * 128), (32, 4));
    assert_eq!(wavefronts(16, ALL, |lane| lane * 144), (4, 4));
    assert_eq!(wavefronts(16, ALL, |lane| lane * 64), (16, 4));
    assert_eq!(wavefronts(16, 0xff, |lane| lane * 32), (2, 1));
    assert_eq!(wavefronts(16, 0xffff, |lane| lane * 128), (16, 2));
    // The same pitch of 128 with the chunks of 16 bytes swizzled by the row.
    assert_eq!(wavefronts(16, ALL, |lane| lane * 128 + lane % 8 * 16), (4, 4));
}

#[test]
fn random_requests_as_sets_count_them() {
    let random = &mut Random(3);
    for _ in 0..3000 {
        let bytes = 1 << random.below(5);
        let mask = [ALL, random.next() as u32 | 1][random.below(2) as usize];
        let range = [64, 512, 8192][random.below(3) as usize];
        let addresses = row(|_| 0u64).0.map(|_| random.below(range / bytes) * bytes);
        let active: Vec<(usize, u64)> = lanes(mask).map(|lane| (lane, addresses[lane])).collect();
        let touched: BTreeSet<_> = active.iter().flat_map(|&(_, at)| at..at + bytes).collect();
        let held: BTreeSet<_> = touched.iter().map(|byte| byte / 32).collect();
        let ideal = (touched.len() as u64).div_ceil(32);
        assert_eq!(sectors(bytes as u32, mask, |lane| addresses[lane as usize]), (held.len() as u64, ideal));
        // Passes of as many lanes as 128 bytes are, a set of words for each bank.
        let width = (128 / bytes).min(32) as usize;
        let mut passes = BTreeMap::<_, BTreeMap<_, BTreeSet<_>>>::new();
        for &(lane, at) in &active {
            for byte in at..at + bytes {
                let banks = passes.entry(lane / width).or_default();
                banks.entry(byte / 4 % 32).or_default().insert(byte / 4);
            }
        }
        let rounds = passes.values().map(|banks| banks.values().map(|words| words.len()).max().unwrap() as u64).sum();
        let expected = (rounds, passes.len() as u64);
        assert_eq!(wavefronts(bytes as u32, mask, |lane| addresses[lane as usize]), expected);
    }
}

#[test]
fn local_requests_are_interleaved() {
    let map = device().map();
    let ask = |bytes, mask, address: fn(u64) -> u64| {
        let mut memory = counting(&map);
        Ask::new(Space::Local, Op::Store, bytes).mask(mask).at(&mut memory, address).unwrap();
        Ask::new(Space::Generic, Op::Load, bytes).mask(mask).at(&mut memory, |lane| LOCAL + address(lane)).unwrap();
        let counters = memory.take_counters();
        assert_eq!(counters.local_loads, counters.local_stores);
        (counters.local_loads.sectors, counters.local_loads.ideal_sectors)
    };
    // The same word of 32 threads is 128 bytes in a row.
    assert_eq!(ask(4, ALL, |_| 40), (4, 4));
    assert_eq!(ask(8, ALL, |_| 40), (8, 8));
    assert_eq!(ask(16, ALL, |_| 48), (16, 16));
    assert_eq!(ask(1, ALL, |_| 41), (4, 4));
    assert_eq!(ask(4, 0x0101, |_| 40), (2, 2));
    // Each lane at a place of its own; 4 places among 8 neighbours.
    assert_eq!(ask(4, ALL, |lane| lane * 4), (32, 4));
    assert_eq!(ask(8, ALL, |lane| lane % 4 * 8), (32, 8));
}

#[test]
fn totals_by_kind_and_instruction() {
    let device = device();
    let address = device.allocate(8192, AllocationKind::Device).unwrap();
    let constant = device.allocate(256, AllocationKind::Constant).unwrap();
    let pinned = device.allocate(4096, AllocationKind::HostPinned).unwrap();
    let map = device.map();
    let mut memory = counting(&map);
    let words = |base: u64| move |lane: u64| base + lane * 4;
    // 4 warps load 512 bytes of 1 KiB twice, store 256 of them and 128 others; one atomic; host memory is no DRAM.
    for warp in 0..4 {
        for _ in 0..2 {
            let load = Ask::new(Space::Global, Op::Load, 4).pc(1).warp(warp);
            load.at(&mut memory, words(address + u64::from(warp) * 256)).unwrap();
        }
        let store = Ask::new(Space::Generic, Op::Store, 4).pc(2).warp(warp).mask(0xffff_0000);
        store.at(&mut memory, words(address + u64::from(warp) * 64)).unwrap();
        Ask::new(Space::Const, Op::Load, 4).pc(3).at(&mut memory, |_| constant).unwrap();
        Ask::new(Space::Param, Op::Load, 8).pc(4).at(&mut memory, |_| 8).unwrap();
        Ask::new(Space::Global, Op::Load, 4).pc(5).at(&mut memory, words(pinned)).unwrap();
        Ask::new(Space::Global, Op::Load, 4).pc(6).mask(0).at(&mut memory, words(0)).unwrap();
    }
    Ask::new(Space::Global, Op::Atomic, 4).pc(7).at(&mut memory, |_| address + 4096).unwrap();
    // cp.async: a load here, a store there.
    Ask::new(Space::Global, Op::Load, 16).pc(8).mask(0xff).at(&mut memory, |lane| address + lane * 16).unwrap();
    Ask::new(Space::Shared, Op::AsyncStore, 16).pc(8).mask(0xff).at(&mut memory, |lane| lane * 16).unwrap();
    Ask::new(Space::Shared, Op::Atomic, 4).pc(9).at(&mut memory, |lane| lane * 4).unwrap();
    // One request to three places, two of them global.
    let places = [address + 8000, pinned, SHARED];
    Ask::new(Space::Generic, Op::Load, 4).pc(10).at(&mut memory, |lane| places[lane as usize % 3]).unwrap();
    let counters = memory.take_counters();

    let of = |requests, lanes, bytes, sectors, ideal_sectors| Accesses {
        requests,
        lanes,
        bytes,
        sectors,
        ideal_sectors,
        ..Accesses::default()
    };
    assert_eq!(
        counters.global_loads,
        of(8 + 4 + 1 + 1, 13 * 32 - 24 + 22, 12 * 128 + 128 + 88, 32 + 16 + 4 + 2, 32 + 16 + 4 + 1)
    );
    assert_eq!(counters.global_stores, of(4, 64, 256, 8, 8));
    assert_eq!(counters.global_atomics, of(1, 32, 128, 1, 1));
    assert_eq!(counters.constant_loads, of(8, 256, 4 * 128 + 4 * 256, 0, 0));
    assert_eq!(counters.shared_stores.wavefronts, 1);
    assert_eq!(counters.shared_atomics.wavefronts, 1);
    assert_eq!((counters.shared_loads.requests, counters.shared_loads.lanes), (1, 10));
    assert_eq!(counters.local(), Accesses::default());
    assert_eq!(counters.global().requests, 19);
    assert_eq!(counters.global().excessive_sectors(), 1);
    assert_eq!(counters.shared().excessive_wavefronts(), 0);
    assert_eq!(counters.by_instruction.len(), 11);
    assert_eq!(counters.by_instruction[1], of(8, 256, 1024, 32, 32));
    assert_eq!(counters.by_instruction[1].sectors_per_request(), 4.0);
    assert_eq!(counters.by_instruction[6], Accesses::default());
    let copies = counters.by_instruction[8];
    assert_eq!((copies.requests, copies.sectors, copies.wavefronts), (2, 4, 1));
    // 4 x 128 bytes, the atomic's sector, the last load's, and the constant's; stores of 64 bytes at 64 + 64 warp, and
    // the atomic's.
    assert_eq!(counters.dram_read_bytes(), 512 + 32 + 32 + 32);
    assert_eq!(counters.dram_written_bytes(), 256 + 32);

    // Another thread's counts, half of them of the same sectors.
    let mut memory = counting(&map);
    Ask::new(Space::Global, Op::Load, 4).pc(1).at(&mut memory, words(address + 64)).unwrap();
    Ask::new(Space::Global, Op::Store, 4).pc(12).at(&mut memory, words(pinned)).unwrap();
    let other = memory.take_counters();
    assert_eq!(memory.take_counters(), MemoryCounters::default());
    let mut sum = counters.clone();
    sum.merge(&other);
    let mut reversed = other;
    reversed.merge(&counters);
    assert_eq!(sum, reversed);
    assert_eq!(sum.dram_read_bytes(), 608 + 64);
    assert_eq!(sum.by_instruction[1].requests, 9);
    assert_eq!(sum.global_stores.requests, 5);
}

#[test]
fn distinct_bytes_of_a_large_allocation() {
    let device = Memory::new(1 << 30);
    let address = device.allocate(64 << 20, AllocationKind::Device).unwrap();
    let map = device.map();
    // Each of two threads touches a sector in every other half mebibyte, and both the last one.
    let parts = [0, 1].map(|part| {
        let mut memory = counting(&map);
        for op in [Op::Load, Op::Store] {
            let at = move |lane: u64| address + (lane * 2 + part) * (1 << 20) + (op == Op::Store) as u64 * (1 << 19);
            Ask::new(Space::Global, op, 4).at(&mut memory, at).unwrap();
        }
        Ask::new(Space::Global, Op::Load, 1).at(&mut memory, |_| address + (64 << 20) - 1).unwrap();
        memory.take_counters()
    });
    for part in &parts {
        assert_eq!((part.dram_read_bytes(), part.dram_written_bytes()), (33 * 32, 32 * 32));
    }
    let [mut sum, other] = parts;
    sum.merge(&other);
    assert_eq!((sum.dram_read_bytes(), sum.dram_written_bytes()), (65 * 32, 64 * 32));
}
