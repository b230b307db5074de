//! That the race checks are told what happens. What they make of it is tested where they are.

use super::*;
use crate::{
    check::{RaceLaunch, Scope},
    finding::Kind,
};

/// A block of two warps that looks for races.
fn racing<'m>(map: &'m Map, launch: &Arc<RaceLaunch>, linear: u32) -> BlockMemory<'m> {
    let mut memory = BlockMemory::new(map, &[], config(Checks::NONE));
    memory.start_race_checks(launch.clone());
    memory.begin_block([linear, 0, 0], u64::from(linear), [64, 1, 1], 1024);
    memory
}

fn launch() -> Arc<RaceLaunch> {
    Arc::new(RaceLaunch::new([2, 1, 1], [64, 1, 1]))
}

/// What was found: kind, instruction, the other side's.
fn found(memory: &mut BlockMemory<'_>) -> Vec<(Kind, u32, u32)> {
    let found = memory.take_findings().into_sorted();
    found.iter().map(|found| (found.finding.kind, found.finding.pc, found.finding.other.unwrap().0)).collect()
}

#[test]
fn a_barrier_orders_warps_in_shared_memory() {
    let map = device().map();
    for (space, base) in [(Space::Shared, 0), (Space::Generic, SHARED)] {
        for synchronised in [false, true] {
            let mut memory = racing(&map, &launch(), 0);
            Ask::new(space, Op::Store, 4).pc(1).warp(0).at(&mut memory, |lane| base + lane * 4).unwrap();
            if synchronised {
                memory.barrier(&[(0, ALL), (1, ALL)], &[(0, ALL), (1, ALL)]);
            }
            Ask::new(space, Op::Load, 4).pc(2).warp(1).at(&mut memory, |lane| base + 124 - lane * 4).unwrap();
            let race = (Kind::SharedRace, 2, 1);
            assert_eq!(found(&mut memory), if synchronised { vec![] } else { vec![race] });
        }
    }
}

#[test]
fn copies_are_waited_for() {
    let (map, address) = one(1024);
    for waited in [false, true] {
        let mut memory = racing(&map, &launch(), 0);
        Ask::new(Space::Global, Op::Load, 16).pc(1).warp(0).at(&mut memory, |lane| address + lane * 16).unwrap();
        Ask::new(Space::Shared, Op::AsyncStore, 16).pc(1).warp(0).at(&mut memory, |lane| lane * 16).unwrap();
        if waited {
            memory.async_wait(0, ALL, None);
        }
        Ask::new(Space::Shared, Op::Load, 16).pc(2).warp(0).at(&mut memory, |lane| lane * 16).unwrap();
        let race = (Kind::AsyncCopyNotWaited, 2, 1);
        assert_eq!(found(&mut memory), if waited { vec![] } else { vec![race] });
    }
}

#[test]
fn synchronisation_is_told() {
    let map = device().map();
    // Warp 0 stores, something happens, warp 1 (or another lane of warp 0) loads.
    let race = |warp: u32, between: &dyn Fn(&mut BlockMemory<'_>)| {
        let mut memory = racing(&map, &launch(), 0);
        let store = Ask::new(Space::Shared, Op::Store, 4).warp(0);
        store.pc(1).at(&mut memory, |lane| lane * 4).unwrap();
        between(&mut memory);
        Ask::new(Space::Shared, Op::Load, 4).pc(2).warp(warp).at(&mut memory, |lane| 124 - lane * 4).unwrap();
        !found(&mut memory).is_empty()
    };
    assert!(race(0, &|_| ()));
    assert!(!race(0, &|memory| memory.warp_sync(0, ALL)));
    assert!(race(1, &|memory| memory.warp_sync(0, ALL)));
    // Warp 1 waits for a barrier at which warp 0 only arrives; the other way around nothing is ordered.
    assert!(!race(1, &|memory| memory.barrier(&[(0, ALL), (1, ALL)], &[(1, ALL)])));
    assert!(race(1, &|memory| memory.barrier(&[(0, ALL), (1, ALL)], &[(0, ALL)])));
    // Lanes that end no longer have to arrive.
    let ended = |memory: &mut BlockMemory<'_>| {
        memory.end_lanes(0, ALL);
        memory.barrier(&[(1, ALL)], &[(1, ALL)]);
    };
    assert!(!race(1, &ended));
    // A flag carries what was fenced before it.
    let flag = |fenced: bool| {
        race(1, &|memory| {
            if fenced {
                memory.fence(0, ALL);
            }
            Ask::new(Space::Shared, Op::Atomic, 4).warp(0).at(memory, |_| 512).unwrap();
            Ask::new(Space::Shared, Op::Atomic, 4).warp(1).at(memory, |_| 512).unwrap();
        })
    };
    assert!(flag(false) && !flag(true));
    // A group is waited for only if it was closed.
    let copies = |groups: Option<u32>, committed: bool| {
        let mut memory = racing(&map, &launch(), 0);
        Ask::new(Space::Shared, Op::AsyncStore, 4).warp(0).at(&mut memory, |lane| lane * 4).unwrap();
        if committed {
            memory.async_commit(0, ALL);
        }
        memory.async_wait(0, ALL, groups);
        Ask::new(Space::Shared, Op::Load, 4).warp(0).at(&mut memory, |lane| lane * 4).unwrap();
        !found(&mut memory).is_empty()
    };
    assert!(copies(Some(0), false) && !copies(Some(0), true) && copies(Some(1), true) && !copies(None, false));
}

#[test]
fn blocks_race_in_global_memory() {
    let memory = device();
    let address = memory.allocate(256, AllocationKind::Device).unwrap();
    let other = memory.allocate(256, AllocationKind::Managed).unwrap();
    let constant = memory.allocate(256, AllocationKind::Constant).unwrap();
    let map = memory.map();
    for op in [Op::Store, Op::Atomic] {
        let launch = launch();
        let (mut first, mut second) = (racing(&map, &launch, 0), racing(&map, &launch, 1));
        for (block, memory) in [&mut first, &mut second].into_iter().enumerate() {
            let ask = |op| Ask::new(Space::Generic, op, 4).pc(block as u32);
            ask(op).at(memory, |lane| if lane < 16 { address + lane * 4 } else { other }).unwrap();
            ask(Op::Load).at(memory, |_| constant).unwrap();
        }
        assert_eq!(found(&mut first), []);
        let race = (Kind::GlobalRace, 1, 0);
        assert_eq!(found(&mut second), if op == Op::Store { vec![race] } else { vec![] });
    }
    // Between launches everything is ordered.
    let mut memory = racing(&map, &launch(), 1);
    Ask::new(Space::Global, Op::Store, 4).at(&mut memory, |lane| address + lane * 4).unwrap();
    assert_eq!(found(&mut memory), []);
}

#[test]
fn values_and_scopes_are_told() {
    let (map, address) = one(256);
    let launch = launch();
    let mut memory = racing(&map, &launch, 0);
    let request = |pc| Request {
        space: Space::Global,
        op: Op::Store,
        bytes: 4,
        addresses: const { &Row([(1 << 48) + 64; 32]) },
        mask: 3,
        pc,
        warp: 0,
        strong: false,
        local_top: 0,
    };
    assert_eq!(address, 1 << 48);
    let mut pointers = Row([std::ptr::null_mut(); 32]);
    let mut ask = |memory: &mut BlockMemory<'_>, request: Request<'_>, sharing: Sharing<'_>| {
        memory.resolve_into(&request, &sharing, &mut pointers).unwrap();
        found(memory)
    };
    let race = |pc, other| vec![(Kind::GlobalRace, pc, other)];
    // Lanes that store to one place, judged by their values where these are told.
    assert_eq!(ask(&mut memory, request(1), Sharing::default()), []);
    for (same, expected) in [(true, vec![]), (false, race(2, 2))] {
        let mut memory = racing(&map, &self::launch(), 0);
        assert_eq!(ask(&mut memory, request(2), Sharing { same: Some(&|_, _| same), ..Sharing::default() }), expected);
    }
    // Atomics of a block do not race with each other, those of two only where they reach both.
    let one = |pc| Request { addresses: const { &Row([(1 << 48) + 128; 32]) }, op: Op::Atomic, ..request(pc) };
    let mut other = racing(&map, &launch, 1);
    assert_eq!(ask(&mut memory, one(4), Sharing::default()), []);
    assert_eq!(ask(&mut other, one(5), Sharing::default()), []);
    assert_eq!(ask(&mut other, one(6), Sharing { scope: Scope::Block, ..Sharing::default() }), race(6, 4));
    // Strong loads and stores as atomics.
    let one = |pc, op| Request { addresses: const { &Row([(1 << 48) + 192; 32]) }, op, strong: true, ..request(pc) };
    assert_eq!(ask(&mut memory, one(7, Op::Store), Sharing::default()), []);
    assert_eq!(ask(&mut other, one(8, Op::Load), Sharing::default()), []);
    assert_eq!(ask(&mut other, Request { strong: false, ..one(9, Op::Load) }, Sharing::default()), race(9, 7));
}
