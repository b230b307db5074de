//! Allocating and freeing.

use super::*;

#[test]
fn capacity_counts_what_is_on_the_device() {
    let memory = Memory::new(10_000);
    assert_eq!(memory.capacity(), (10_000, 10_000));
    let device = memory.allocate(4000, AllocationKind::Device).unwrap();
    let constant = memory.allocate(1000, AllocationKind::Constant).unwrap();
    let managed = memory.allocate(3000, AllocationKind::Managed).unwrap();
    let pinned = memory.allocate(1 << 20, AllocationKind::HostPinned).unwrap();
    assert_eq!(memory.capacity(), (2000, 10_000));
    assert_eq!(
        memory.allocate(2001, AllocationKind::Pool),
        Err(AllocateError::OutOfMemory { bytes: 2001, free: 2000 })
    );
    memory.allocate(2000, AllocationKind::Pool).unwrap();
    assert_eq!(memory.capacity().0, 0);
    for address in [device, constant, managed, pinned] {
        memory.free(address).unwrap();
    }
    assert_eq!(memory.capacity().0, 8000);
}

#[test]
fn refuses_nothing_and_too_much() {
    let memory = Memory::new(u64::MAX);
    assert_eq!(memory.allocate(0, AllocationKind::Device), Err(AllocateError::Zero));
    for kind in [AllocationKind::Device, AllocationKind::HostPinned, AllocationKind::Managed] {
        for bytes in [1 << 60, i64::MAX as u64, u64::MAX - 1, u64::MAX] {
            let refused = memory.allocate(bytes, kind).unwrap_err();
            assert_eq!(refused, AllocateError::OutOfMemory { bytes, free: u64::MAX }, "{kind:?}");
        }
    }
    assert_eq!(memory.capacity().0, u64::MAX);
    assert!(memory.map().entries().is_empty());
}

#[test]
fn addresses_are_aligned_with_gaps_and_never_pointers() {
    let memory = Memory::new(1 << 30);
    let mut ends = Vec::new();
    for bytes in [1, 511, 512, 513, 4096, 100_000] {
        let address = memory.allocate(bytes, AllocationKind::Device).unwrap();
        assert_eq!(address % 512, 0);
        assert!((1 << 48..SHARED).contains(&address));
        if let Some(end) = ends.last() {
            assert!(address - end >= 512);
        }
        ends.push(address + bytes);
    }
    for kind in [AllocationKind::HostPinned, AllocationKind::Managed] {
        let address = memory.allocate(100, kind).unwrap();
        assert_eq!(address % 4096, 0);
        assert!(address < 1 << 48);
        // The address is the pointer: what the device's side writes, the host sees.
        memory.write(address, &[1, 2, 3]).unwrap();
        let pointer = std::ptr::with_exposed_provenance::<[u8; 3]>(address as usize);
        // SAFETY: the allocation is live, 100 bytes long, and used by this thread only.
        assert_eq!(unsafe { *pointer }, [1, 2, 3]);
    }
}

#[test]
fn tells_wrong_frees_apart() {
    let memory = device();
    let address = memory.allocate(4096, AllocationKind::Device).unwrap();
    memory.label(address + 17, "table");
    let info = memory.find(address).unwrap();
    assert_eq!(info.to_string(), "table of 4096 bytes");
    assert_eq!(memory.free(address + 8), Err(FreeError::Inside { address: address + 8, allocation: info.clone() }));
    assert_eq!(memory.unregister(address), Err(FreeError::Kind(info.clone())));
    assert_eq!(memory.free(address), Ok(()));
    assert_eq!(memory.free(address), Err(FreeError::Double(info)));
    // Past its end, and inside of what is freed, nothing begins.
    assert_eq!(memory.free(address + 4096), Err(FreeError::Unknown(address + 4096)));
    assert_eq!(memory.free(address + 8), Err(FreeError::Unknown(address + 8)));
    assert_eq!(memory.free(0), Err(FreeError::Unknown(0)));
    assert_eq!(memory.find(address), None);
}

#[test]
fn registers_the_programs_memory() {
    let memory = device();
    let mut own = vec![7u8; 1000];
    let pointer = own.as_mut_ptr();
    let base = pointer.addr() as u64;
    // SAFETY: `own` outlives the registration and is not used while it lasts.
    assert_eq!(unsafe { memory.register(pointer, 1000) }, Ok(base));
    assert_eq!(memory.capacity().0, 1 << 20);
    let info = memory.find(base + 999).unwrap();
    assert_eq!((info.base, info.bytes, info.kind), (base, 1000, AllocationKind::Registered));
    // SAFETY: as above; the range is the same.
    assert_eq!(unsafe { memory.register(pointer.add(999), 1) }, Err(RegisterError::Overlap(info.clone())));
    for (pointer, bytes) in [(std::ptr::null_mut(), 5), (pointer, 0), (pointer, u64::MAX)] {
        // SAFETY: refused, so never accessed.
        let refused = unsafe { memory.register(pointer, bytes) };
        assert_eq!(refused, Err(RegisterError::Range { address: pointer.addr() as u64, bytes }));
    }
    memory.write(base + 10, b"hello").unwrap();
    assert_eq!(memory.unwritten(base, 1000), Ok(None));
    assert_eq!(memory.free(base), Err(FreeError::Kind(info)));
    memory.unregister(base).unwrap();
    assert!(matches!(memory.unregister(base), Err(FreeError::Double(_))));
    assert_eq!(&own[8..17], b"\x07\x07hello\x07\x07");
}

#[test]
fn leaks_are_what_the_program_allocated() {
    let memory = device();
    let mut own = [0u8; 64];
    // SAFETY: `own` lives to the end of the test and is not used otherwise.
    unsafe { memory.register(own.as_mut_ptr(), 64) }.unwrap();
    let kinds = [
        AllocationKind::HostPinned,
        AllocationKind::Global,
        AllocationKind::Device,
        AllocationKind::Constant,
        AllocationKind::Pool,
        AllocationKind::Managed,
    ];
    let addresses = kinds.map(|kind| memory.allocate(64, kind).unwrap());
    let freed = memory.allocate(64, AllocationKind::Device).unwrap();
    memory.free(freed).unwrap();
    let leaks = memory.leaks();
    let found: Vec<_> = leaks.iter().map(|info| (info.base, info.id)).collect();
    assert_eq!(found, [(addresses[0], 2), (addresses[2], 4), (addresses[4], 6), (addresses[5], 7)]);
    assert_eq!(leaks[1].to_string(), "allocation #4 of 64 bytes");
}

#[test]
fn a_map_is_shared_until_something_changes() {
    let memory = device();
    let address = memory.allocate(64, AllocationKind::Device).unwrap();
    let map = memory.map();
    assert!(Arc::ptr_eq(&map, &memory.map()));
    memory.label(address, "named later");
    assert!(Arc::ptr_eq(&map, &memory.map()));
    memory.free(address).unwrap();
    assert!(!Arc::ptr_eq(&map, &memory.map()));
    // What it holds stays valid.
    let mut block = block(&map, Checks::NONE);
    let pointers = Ask::new(Space::Global, Op::Store, 2).at(&mut block, |lane| address + lane * 2).unwrap();
    // SAFETY: resolved just now, for a store of 2 bytes in all lanes.
    unsafe { store::<u16>(&pointers, 0, ALL, &row(|lane| lane as u16)) };
    // SAFETY: as above.
    assert_eq!(unsafe { load::<u16>(&pointers, 0, ALL) }, row(|lane| lane as u16));
}
