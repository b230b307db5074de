//! Several threads of the machine in one device's memory.

use super::*;

#[test]
fn atomics_of_blocks_on_several_threads_add_up() {
    let device = device();
    let address = device.allocate(1024, AllocationKind::Device).unwrap();
    let map = device.map();
    let (threads, rounds) = (4, 500);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let map = &map;
            scope.spawn(move || {
                let mut memory = BlockMemory::new(map, &[], config(Checks::ALL));
                memory.begin_block([thread, 0, 0], u64::from(thread), [32, 1, 1], 0);
                for _ in 0..rounds {
                    let ask = Ask::new(Space::Global, Op::Atomic, 4).warp(0);
                    let pointers = ask.at(&mut memory, |lane| address + lane % 8 * 4).unwrap();
                    for pointer in pointers.0 {
                        // SAFETY: resolved just now for an atomic of 4 bytes.
                        unsafe { atomic_update32(pointer, |value| value + 1) };
                    }
                    let ask = Ask::new(Space::Global, Op::Atomic, 8).warp(0).mask(0xff);
                    let pointers = ask.at(&mut memory, |lane| address + 64 + lane * 8).unwrap();
                    for pointer in &pointers.0[..8] {
                        // SAFETY: resolved just now for an atomic of 8 bytes.
                        unsafe { atomic_update64(*pointer, |value| value.wrapping_sub(1)) };
                    }
                    let ask = Ask::new(Space::Global, Op::Atomic, 2).warp(0).mask(0xff);
                    let pointers = ask.at(&mut memory, |lane| address + 256 + lane * 2).unwrap();
                    for pointer in &pointers.0[..8] {
                        // SAFETY: resolved just now for an atomic of 2 bytes.
                        unsafe { atomic_update16(*pointer, |value| value + 3) };
                    }
                }
            });
        }
    });
    let mut bytes = [0; 1024];
    device.read(address, &mut bytes).unwrap();
    let total = threads * rounds;
    for at in 0..8 {
        let word = u32::from_le_bytes(bytes[at * 4..][..4].try_into().unwrap());
        assert_eq!(word, total * 4);
        let long = u64::from_le_bytes(bytes[64 + at * 8..][..8].try_into().unwrap());
        assert_eq!(long, 0u64.wrapping_sub(u64::from(total)));
        let half = u16::from_le_bytes(bytes[256 + at * 2..][..2].try_into().unwrap());
        assert_eq!(half, (total * 3) as u16);
    }
    // What they wrote is known as written, and nothing else.
    assert_eq!(device.unwritten(address, 32), Ok(None));
    assert_eq!(device.unwritten(address, 1024), Ok(Some(address + 32)));
    assert_eq!(device.unwritten(address + 64, 64), Ok(None));
    assert_eq!(device.unwritten(address + 256, 1024 - 256), Ok(Some(address + 272)));
}

#[test]
fn the_host_allocates_copies_and_frees_while_blocks_run() {
    let device = device();
    let address = device.allocate(4096, AllocationKind::Device).unwrap();
    let doomed = device.allocate(4096, AllocationKind::Device).unwrap();
    let map = device.map();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut memory = BlockMemory::new(&map, &[], config(Checks::ALL));
            memory.begin_block([0; 3], 0, [32, 1, 1], 0);
            for round in 0..2000u64 {
                for base in [address, doomed] {
                    let ask = Ask::new(Space::Global, Op::Store, 8).warp(0);
                    let pointers = ask.at(&mut memory, |lane| base + (round % 16 * 32 + lane) * 8).unwrap();
                    // SAFETY: resolved just now for a store of 8 bytes.
                    unsafe { store::<u64>(&pointers, 0, ALL, &Row::splat(round)) };
                }
            }
        });
        scope.spawn(|| {
            let mut bytes = vec![0; 4096];
            device.free(doomed).unwrap();
            for _ in 0..200 {
                let other = device.allocate(10_000, AllocationKind::Device).unwrap();
                device.copy(other, address, 4096).unwrap();
                device.read(address, &mut bytes).unwrap();
                // Every word is one that some store wrote whole.
                for word in bytes.chunks_exact(8) {
                    assert!(u64::from_le_bytes(word.try_into().unwrap()) < 2000);
                }
                assert!(device.map().find(other).is_some());
                device.free(other).unwrap();
            }
        });
    });
    assert_eq!(device.unwritten(address, 4096), Ok(None));
}
