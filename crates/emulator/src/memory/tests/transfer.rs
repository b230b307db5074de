//! The host's copies.

use super::*;

/// What an allocation should hold: its bytes and which of them were written.
struct Model {
    address: u64,
    bytes: Vec<u8>,
    written: Vec<bool>,
}

#[test]
fn copies_as_a_model_of_slices_does() {
    let memory = device();
    let random = &mut Random(1);
    let mut models: Vec<_> = [5000, 20_000]
        .into_iter()
        .map(|bytes| Model {
            address: memory.allocate(bytes as u64, AllocationKind::Device).unwrap(),
            bytes: vec![0; bytes],
            written: vec![false; bytes],
        })
        .collect();
    for step in 0..2000 {
        let (one, other) = (random.below(2) as usize, random.below(2) as usize);
        let small = models[one].bytes.len().min(models[other].bytes.len()) as u64;
        let bytes = [random.below(20), random.below(small + 1)][random.below(2) as usize] as usize;
        let mut place = |model: &Model| random.below((model.bytes.len() - bytes) as u64 + 1) as usize;
        let (to, from) = (place(&models[one]), place(&models[other]));
        let range = to..to + bytes;
        match step % 4 {
            0 => {
                let data: Vec<u8> = (0..bytes).map(|_| random.next() as u8).collect();
                memory.write(models[one].address + to as u64, &data).unwrap();
                models[one].bytes[range.clone()].copy_from_slice(&data);
                models[one].written[range].fill(true);
            }
            1 => {
                let width = [1, 2, 4][random.below(3) as usize];
                let pattern = &random.next().to_ne_bytes()[..width];
                memory.fill(models[one].address + to as u64, pattern, (bytes / width) as u64).unwrap();
                for at in 0..bytes / width * width {
                    models[one].bytes[to + at] = pattern[at % width];
                    models[one].written[to + at] = true;
                }
            }
            2 => {
                let source = &models[other];
                memory.copy(models[one].address + to as u64, source.address + from as u64, bytes as u64).unwrap();
                let (data, known) =
                    (source.bytes[from..from + bytes].to_vec(), source.written[from..from + bytes].to_vec());
                models[one].bytes[range.clone()].copy_from_slice(&data);
                models[one].written[range].copy_from_slice(&known);
            }
            _ => {
                let mut data = vec![0; bytes];
                memory.read(models[one].address + to as u64, &mut data).unwrap();
                assert_eq!(data, models[one].bytes[range.clone()]);
                let missing = models[one].written[range].iter().position(|&known| !known);
                let expected = missing.map(|at| models[one].address + (to + at) as u64);
                assert_eq!(memory.unwritten(models[one].address + to as u64, bytes as u64), Ok(expected));
            }
        }
    }
}

#[test]
fn new_memory_is_zero_and_unwritten() {
    let memory = device();
    let address = memory.allocate(100, AllocationKind::Device).unwrap();
    let mut data = [1; 100];
    memory.read(address, &mut data).unwrap();
    assert_eq!(data, [0; 100]);
    assert_eq!(memory.unwritten(address + 30, 70), Ok(Some(address + 30)));
    let pinned = memory.allocate(100, AllocationKind::HostPinned).unwrap();
    assert_eq!(memory.unwritten(pinned, 100), Ok(None));
    // What comes from the host's own memory is written.
    memory.copy(address, pinned, 50).unwrap();
    assert_eq!(memory.unwritten(address, 100), Ok(Some(address + 50)));
}

#[test]
fn refuses_ranges_outside_of_one_allocation() {
    let memory = device();
    let address = memory.allocate(100, AllocationKind::Device).unwrap();
    let next = memory.allocate(100, AllocationKind::Device).unwrap();
    let allocation = memory.find(address).unwrap();
    let past = |at: u64, bytes: u64| MemoryError::Past { address: at, bytes, allocation: allocation.clone() };
    assert_eq!(memory.write(address + 90, &[0; 11]), Err(past(address + 90, 11)));
    assert_eq!(memory.write(address + 90, &[0; 10]), Ok(()));
    assert_eq!(
        memory.read(address, &mut vec![0; (next - address) as usize + 1]),
        Err(past(address, next - address + 1))
    );
    assert_eq!(memory.fill(address, &[1, 2], u64::MAX), Err(past(address, u64::MAX)));
    assert_eq!(memory.copy(next, address + 1, 100), Err(past(address + 1, 100)));
    assert_eq!(memory.copy(address + 1, next, 100), Err(past(address + 1, 100)));
    assert_eq!(
        past(address + 90, 11).to_string(),
        format!("11 bytes at {:#x}, 90 bytes inside of allocation #1 of 100 bytes, end 1 bytes past it", address + 90)
    );
    let unknown = MemoryError::Unknown { address: address + 100, bytes: 1 };
    assert_eq!(memory.write(address + 100, &[0]), Err(unknown));
    memory.free(address).unwrap();
    assert_eq!(memory.read(address + 4, &mut [0]), Err(MemoryError::Freed { address: address + 4, allocation }));
    // Nothing is everywhere.
    assert_eq!(memory.write(0, &[]), Ok(()));
    assert_eq!(memory.fill(0, &[1], 0), Ok(()));
    assert_eq!(memory.copy(0, 0, 0), Ok(()));
}
