//! From addresses to pointers, and the reasons why not.

use super::*;
use crate::{finding::Kind, lanes::lanes};

/// Some live allocations, a constant and a freed one, each byte of which is its address's hash.
struct World {
    memory: Memory,
    /// Base, bytes, kind.
    live: Vec<(u64, u64, AllocationKind)>,
    freed: (u64, u64),
}

fn hash(address: u64) -> u8 {
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

impl World {
    fn new() -> Self {
        let memory = device();
        let mut live = Vec::new();
        let mut freed = (0, 0);
        let kinds = [
            (100, AllocationKind::Device),
            (4096, AllocationKind::Pool),
            (777, AllocationKind::Device),
            (64, AllocationKind::Constant),
            (300, AllocationKind::Managed),
            (5000, AllocationKind::HostPinned),
        ];
        for (index, (bytes, kind)) in kinds.into_iter().enumerate() {
            let base = memory.allocate(bytes, kind).unwrap();
            memory.write(base, &(base..base + bytes).map(hash).collect::<Vec<_>>()).unwrap();
            if index == 2 {
                freed = (base, bytes);
            } else {
                live.push((base, bytes, kind));
            }
        }
        memory.free(freed.0).unwrap();
        Self { memory, live, freed }
    }

    /// What should be wrong with an access to global memory.
    fn fault(&self, address: u64, bytes: u64, writes: bool) -> Option<Kind> {
        let holds = |base: u64, size: u64| address >= base && address < base + size;
        let Some(&(base, size, kind)) = self.live.iter().find(|&&(base, size, _)| holds(base, size)) else {
            return Some(if holds(self.freed.0, self.freed.1) { Kind::UseAfterFree } else { Kind::OutOfBounds });
        };
        if address + bytes > base + size {
            Some(Kind::OutOfBounds)
        } else if !address.is_multiple_of(bytes) {
            Some(Kind::Misaligned)
        } else {
            (writes && kind == AllocationKind::Constant).then_some(Kind::ReadOnlyWrite)
        }
    }
}

#[test]
fn resolves_as_a_search_of_each_lane_does() {
    let world = World::new();
    let map = world.memory.map();
    let random = &mut Random(2);
    let mut warmed = block(&map, Checks::NONE);
    let (mut good, mut bad) = (0, 0);
    for step in 0..20_000 {
        let bytes = 1 << random.below(6);
        let op = [Op::Load, Op::Store, Op::Atomic][random.below(3) as usize];
        let space = [Space::Global, Space::Generic][random.below(2) as usize];
        let mask = [ALL, random.next() as u32, 1 << random.below(32), 0][[0, 0, 1, 1, 2, 3][random.below(6) as usize]];
        // From an aligned place in an allocation on, with a step; now and then one lane goes elsewhere.
        let (base, size, _) = world.live[random.below(world.live.len() as u64) as usize];
        let start = base + random.below(size) / bytes * bytes;
        let stride = [0, bytes, bytes * 2, 512][random.below(4) as usize];
        let mut addresses = row(|lane| start + lane * stride % size.max(1));
        for _ in 0..random.below(8).saturating_sub(5) {
            let (base, size, _) = world.live[random.below(world.live.len() as u64) as usize];
            let anywhere = [base + random.below(size), base + size, base - 1, world.freed.0 + 7, random.next()];
            addresses.0[random.below(32) as usize] = anywhere[random.below(5) as usize];
        }
        let ask = Ask { space, op, bytes: bytes as u32, mask, pc: (step % 100) as u32, warp: 0 };
        let fresh = ask.at(&mut block(&map, Checks::NONE), |lane| addresses.0[lane as usize]);
        let found = ask.at(&mut warmed, |lane| addresses.0[lane as usize]);
        let wrong = lanes(mask).find_map(|lane| Some((lane, world.fault(addresses.0[lane], bytes, op.writes())?)));
        match (found, wrong) {
            (Ok(pointers), None) => {
                good += 1;
                let fresh = fresh.unwrap();
                for lane in lanes(mask) {
                    assert_eq!(pointers.0[lane], fresh.0[lane]);
                    for byte in 0..bytes {
                        // SAFETY: resolved for that many bytes.
                        let value = unsafe { *pointers.0[lane].add(byte as usize) };
                        assert_eq!(value, hash(addresses.0[lane] + byte));
                    }
                    assert_eq!(pointers.0[lane].addr() as u64 % bytes.min(16), 0);
                }
            }
            (Err(finding), Some((lane, kind))) => {
                bad += 1;
                assert_eq!((finding.kind, finding.pc), (kind, (step % 100) as u32), "{finding:?}");
                assert_eq!(finding.address, Some((addresses.0[lane], bytes as u32)));
                assert_eq!(finding.thread, warmed.thread(0, lane));
                assert_eq!(fresh, Err(finding));
            }
            (found, wrong) => panic!("{found:?} instead of {wrong:?}"),
        }
    }
    assert!(good > 2000 && bad > 2000, "{good} {bad}");
}

#[test]
fn shared_memory_is_the_blocks_own() {
    let map = device().map();
    let mut memory = block(&map, Checks::NONE);
    let store_at = |memory: &mut BlockMemory<'_>, space, base| {
        let pointers = Ask::new(space, Op::Store, 4).at(memory, |lane| base + 896 + lane * 4).unwrap();
        // SAFETY: resolved just now for 4 bytes.
        unsafe { store::<u32>(&pointers, 0, ALL, &row(|lane| lane as u32 + 1)) };
    };
    let load_at = |memory: &mut BlockMemory<'_>, space, base| {
        let pointers = Ask::new(space, Op::Load, 4).at(memory, |lane| base + 896 + lane * 4).unwrap();
        // SAFETY: resolved just now for 4 bytes.
        unsafe { load::<u32>(&pointers, 0, ALL) }
    };
    assert_eq!(load_at(&mut memory, Space::Shared, 0), Row::splat(u32::MAX));
    store_at(&mut memory, Space::Shared, 0);
    // The window shows the same bytes.
    assert_eq!(load_at(&mut memory, Space::Generic, SHARED), row(|lane| lane as u32 + 1));
    memory.begin_block([0; 3], 0, [32, 1, 1], 1024);
    assert_eq!(load_at(&mut memory, Space::Generic, SHARED), Row::splat(u32::MAX));
    // A larger block's memory is found through the window that was remembered of the smaller one.
    memory.begin_block([0; 3], 0, [32, 1, 1], 2048);
    store_at(&mut memory, Space::Generic, SHARED + 1024);
    assert_eq!(load_at(&mut memory, Space::Shared, 1024), row(|lane| lane as u32 + 1));
    memory.begin_block([0; 3], 0, [32, 2, 1], 1020);
    let finding = Ask::new(Space::Generic, Op::Load, 4).at(&mut memory, |lane| SHARED + 896 + lane * 4).unwrap_err();
    assert_eq!(finding.kind, Kind::OutOfBounds);
    assert_eq!(finding.thread.thread, [31, 1, 0]);
    assert_eq!(finding.detail, "right after the end of the block's 1020 bytes of shared memory");
    // Without shared memory there is none.
    memory.begin_block([0; 3], 0, [32, 1, 1], 0);
    assert!(Ask::new(Space::Shared, Op::Load, 1).at(&mut memory, |_| 0).is_err());
}

#[test]
fn local_memory_is_each_threads_own() {
    let map = device().map();
    let mut memory = block(&map, Checks::NONE);
    let value = |warp: u32, lane: u64, at: u64| u64::from(warp) << 32 | lane << 16 | at;
    // Every lane at an offset of its own, over several pieces; two warps.
    let places: Vec<_> = (0..500).map(|at| at * 8).collect();
    for warp in [0, 3] {
        for &at in &places {
            let of = |lane: u64| (at + lane * 264) % 4000;
            let ask = Ask::new(Space::Local, Op::Store, 8).warp(warp);
            let pointers = ask.at(&mut memory, of).unwrap();
            // SAFETY: resolved just now for 8 bytes.
            unsafe { store::<u64>(&pointers, 0, ALL, &row(|lane| value(warp, lane, of(lane)))) };
        }
    }
    for warp in [0, 3] {
        for &at in &places {
            let ask = Ask::new(Space::Generic, Op::Load, 8).warp(warp);
            let pointers = ask.at(&mut memory, |_| LOCAL + at).unwrap();
            // SAFETY: resolved just now for 8 bytes.
            assert_eq!(unsafe { load::<u64>(&pointers, 0, ALL) }, row(|lane| value(warp, lane, at)));
        }
    }
    // Arguments move between frames, across pieces, and leave other lanes alone.
    memory.copy_local(3, 0xffff, 2000, 232, 300);
    let pointers = Ask::new(Space::Local, Op::Load, 8).warp(3).at(&mut memory, |_| 2064).unwrap();
    let moved = row(|lane| value(3, lane, if lane < 16 { 296 } else { 2064 }));
    // SAFETY: resolved just now for 8 bytes.
    assert_eq!(unsafe { load::<u64>(&pointers, 0, ALL) }, moved);
    // A range past the stack's limit is left alone.
    memory.copy_local(3, ALL, STACK - 4, 0, 8);
    memory.copy_local(3, ALL, u32::MAX, 0, 8);
    memory.begin_block([0; 3], 0, [32, 1, 1], 0);
    let pointers = Ask::new(Space::Local, Op::Load, 8).warp(3).at(&mut memory, |_| 2064).unwrap();
    // SAFETY: resolved just now for 8 bytes.
    assert_eq!(unsafe { load::<u64>(&pointers, 0, ALL) }, Row::splat(u64::MAX));
}

#[test]
fn local_memory_ends_with_the_frames() {
    let map = device().map();
    let mut memory = block(&map, Checks::ALL);
    let ask = Ask::new(Space::Local, Op::Store, 4);
    assert!(ask.at(&mut memory, |_| 3996).is_ok());
    let finding = ask.at(&mut memory, |lane| if lane == 9 { 4004 } else { 0 }).unwrap_err();
    let detail = "4 bytes after the end of the 4000 bytes of local memory that the thread's functions have";
    assert_eq!((finding.kind, &*finding.detail), (Kind::OutOfBounds, detail));
    // Warp 1, lane 9 of a block of 8 x 8 x 2: thread 41.
    assert_eq!((finding.thread.block, finding.thread.thread), ([3, 2, 1], [1, 5, 0]));
    // Frames that are larger than the stack may be: what is past its limit is an overflow.
    let request = Request {
        space: Space::Generic,
        op: Op::Load,
        bytes: 8,
        addresses: &Row::splat(LOCAL + u64::from(STACK) - 8),
        mask: 1,
        pc: 3,
        warp: 0,
        strong: false,
        local_top: 10_000,
    };
    assert!(memory.resolve(&request).is_ok());
    let past = Request { addresses: &Row::splat(LOCAL + u64::from(STACK)), ..request };
    assert_eq!(memory.resolve(&past).unwrap_err().kind, Kind::StackOverflow);
}

#[test]
fn parameters_can_only_be_read() {
    let map = device().map();
    let mut memory = block(&map, Checks::NONE);
    for (space, base) in [(Space::Param, 0), (Space::Generic, PARAM)] {
        let pointers = Ask::new(space, Op::Load, 1).at(&mut memory, |lane| base + lane + 8).unwrap();
        // SAFETY: resolved just now for a byte.
        assert_eq!(unsafe { load::<u8>(&pointers, 0, ALL) }, row(|lane| lane as u8 + 8));
        let kind = |memory: &mut BlockMemory<'_>, op, at: u64| {
            Ask::new(space, op, 8).at(memory, |_| base + at).unwrap_err().kind
        };
        assert_eq!(kind(&mut memory, Op::Store, 8), Kind::ReadOnlyWrite);
        assert_eq!(kind(&mut memory, Op::Load, 12), Kind::Misaligned);
        assert_eq!(kind(&mut memory, Op::Load, 40), Kind::OutOfBounds);
    }
}

#[test]
fn one_instruction_may_reach_every_space() {
    let device = device();
    let address = device.allocate(256, AllocationKind::Device).unwrap();
    let map = device.map();
    let mut memory = block(&map, Checks::ALL);
    let of = |lane: u64| lane / 4 * 8 + [address, SHARED, LOCAL, PARAM][lane as usize % 4];
    let readable = Ask::new(Space::Generic, Op::Load, 8).mask(0x000f_ffff);
    let writable = Ask::new(Space::Generic, Op::Store, 8).mask(0x7777_7777);
    let pointers = writable.at(&mut memory, of).unwrap();
    // SAFETY: resolved just now for 8 bytes.
    unsafe { store::<u64>(&pointers, 0, 0x7777_7777, &row(|lane| lane)) };
    let pointers = readable.at(&mut memory, of).unwrap();
    // SAFETY: resolved just now for 8 bytes.
    let values = unsafe { load::<u64>(&pointers, 0, 0x000f_ffff) };
    for lane in 0..20 {
        let first = lane / 4 * 8;
        let param = u64::from_le_bytes(std::array::from_fn(|byte| (first + byte) as u8));
        assert_eq!(values.0[lane], if lane % 4 == 3 { param } else { lane as u64 });
    }
    assert_eq!(values.0[20..], [0; 12]);
    // Instructions for one space take no other's addresses, even where the generic one has been there.
    for space in [Space::Global, Space::Const] {
        for base in [SHARED, LOCAL, PARAM] {
            let finding = Ask::new(space, Op::Load, 8).at(&mut memory, |_| base).unwrap_err();
            assert_eq!(finding.kind, Kind::OutOfBounds);
            assert!(finding.detail.starts_with("a generic address of "), "{}", finding.detail);
        }
    }
    let finding = Ask::new(Space::Const, Op::Store, 8).at(&mut memory, |_| address).unwrap_err();
    assert_eq!(finding.kind, Kind::ReadOnlyWrite);
}

#[test]
fn tells_constants_from_the_rest() {
    let world = World::new();
    let map = world.memory.map();
    let memory = block(&map, Checks::NONE);
    for &(base, bytes, kind) in &world.live {
        assert_eq!(memory.is_constant(base + bytes - 1), kind == AllocationKind::Constant);
        assert!(!memory.is_constant(base + bytes));
    }
    assert!(!memory.is_constant(world.freed.0) && !memory.is_constant(SHARED));
}

#[test]
fn says_where_a_wrong_address_is() {
    let memory = device();
    let first = memory.allocate(100, AllocationKind::Device).unwrap();
    let second = memory.allocate(64, AllocationKind::Constant).unwrap();
    memory.label(second, "module variable `table`");
    let third = memory.allocate(1000, AllocationKind::Device).unwrap();
    memory.free(third).unwrap();
    let map = memory.map();
    let mut block = block(&map, Checks::ALL);
    let mut say = |op, bytes, address: u64, wrong: Mask| {
        let ask = Ask::new(Space::Global, op, bytes);
        let finding = ask.at(&mut block, |lane| if wrong >> lane & 1 == 1 { address } else { first }).unwrap_err();
        (finding.kind, finding.detail)
    };
    let out = |detail: &str| (Kind::OutOfBounds, detail.to_owned());
    assert_eq!(say(Op::Load, 4, first + 100, 1), out("right after the end of allocation #1 of 100 bytes"));
    assert_eq!(say(Op::Load, 4, first + 104, 1), out("4 bytes after the end of allocation #1 of 100 bytes"));
    let across = "begins 4 bytes before the end of allocation #1 of 100 bytes and ends 4 after it";
    assert_eq!(say(Op::Load, 8, first + 96, 1), out(across));
    assert_eq!(say(Op::Load, 4, first - 8, 1), out("8 bytes before the start of allocation #1 of 100 bytes"));
    let before =
        "256 bytes before the start of module variable `table` of 64 bytes (3 lanes of the warp have such an address)";
    assert_eq!(say(Op::Load, 4, second - 256, 0x8011), out(before));
    assert_eq!(say(Op::Load, 4, 0, 1), out("a null pointer"));
    assert_eq!(say(Op::Load, 4, 1 << 40, 1), out("not near any allocation"));
    let freed = "996 bytes inside of the freed allocation #3 of 1000 bytes".to_owned();
    assert_eq!(say(Op::Store, 4, third + 996, 1), (Kind::UseAfterFree, freed));
    let aligned = "an access of 16 bytes needs an address that is a multiple of it".to_owned();
    assert_eq!(say(Op::Load, 16, first + 8, 1), (Kind::Misaligned, aligned));
    let only = "module variable `table` of 64 bytes can only be read by kernels".to_owned();
    assert_eq!(say(Op::Atomic, 4, second, 1), (Kind::ReadOnlyWrite, only));
}

#[test]
fn addresses_near_the_ends_of_numbers_are_no_allocation() {
    let (map, _) = one(256);
    let mut memory = block(&map, Checks::ALL);
    for space in [Space::Generic, Space::Global, Space::Const, Space::Shared, Space::Local, Space::Param] {
        for bytes in [1, 8, 32] {
            for address in [1 << 63, !31, i64::MAX as u64 & !31, (1 << 48) - 32, PARAM + (1 << 40)] {
                let ask = Ask::new(space, Op::Load, bytes);
                for mask in [ALL, 0x8000_0000] {
                    let finding = ask.mask(mask).at(&mut memory, |_| address).unwrap_err();
                    assert_eq!(finding.kind, Kind::OutOfBounds, "{space:?} {address:#x}");
                }
            }
        }
    }
}
