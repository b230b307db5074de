//! Memory: where it is, whose it is, and what is refused.

use super::*;
use crate::libcuda::{device::*, memory::*, pointers::*, pool::*};

fn attribute<T: Default + Copy>(attribute: u32, address: u64) -> Result<T, Code> {
    let mut value = [0u8; 8];
    // SAFETY: no attribute is longer than this.
    let result = unsafe { cuPointerGetAttribute(OutArray::to(&mut value), attribute, address) };
    match Code::from_number(result) {
        // SAFETY: the tests ask for numbers only, of which the buffer holds the longest.
        Some(Code::Success) => Ok(unsafe { value.as_ptr().cast::<T>().read_unaligned() }),
        other => Err(other.unwrap_or(Code::Unknown)),
    }
}

#[test]
fn device_memory_is_found_from_any_of_its_addresses() {
    let context = start();
    let address = device_memory(1000);
    assert_eq!(address % 256, 0);
    let (mut base, mut bytes) = (0, 0);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuMemGetAddressRange_v2(Out::to(&mut base), Out::to(&mut bytes), address + 999));
        assert_eq!((base, bytes), (address, 1000));
        fails(cuMemGetAddressRange_v2(Out::to(&mut base), Out::null(), address + 1000), Code::NotFound);
    }
    assert_eq!(attribute::<u32>(2, address + 7), Ok(2), "device memory");
    assert_eq!(attribute::<u64>(3, address + 7), Ok(address + 7));
    assert_eq!(attribute::<u64>(1, address), Ok(context.0.number() as u64));
    assert_eq!(attribute::<u32>(9, address), Ok(0), "device 0");
    assert_eq!(attribute::<u64>(12, address), Ok(1000));
    assert_eq!(attribute::<u64>(4, address), Err(Code::InvalidValue), "it has no host pointer");
    free(address);
    assert_eq!(attribute::<u32>(2, address), Err(Code::InvalidValue));
}

#[test]
fn wrong_frees_are_refused_and_described() {
    let _context = start();
    let address = device_memory(64);
    // SAFETY: the function takes no pointer of the host's.
    unsafe {
        fails(cuMemFree_v2(address + 16), Code::InvalidValue);
        assert!(reports()[0].to_string().contains("16 bytes inside of allocation"));
        fails(cuMemFreeHost(host::<u8>(&[])), Code::InvalidValue);
        reports();
        ok(cuMemFree_v2(address));
        fails(cuMemFree_v2(address), Code::InvalidValue);
        let report = reports().remove(0).to_string();
        assert!(report.starts_with("cuMemFree_v2 failed with CUDA_ERROR_INVALID_VALUE: allocation #"), "{report}");
        assert!(report.contains("was freed already"), "{report}");
        ok(cuMemFree_v2(0));
        fails(cuMemAlloc_v2(Out::null(), 8), Code::InvalidValue);
        let mut unused = 0;
        fails(cuMemAlloc_v2(Out::to(&mut unused), 0), Code::InvalidValue);
        fails(cuMemAlloc_v2(Out::to(&mut unused), usize::MAX), Code::OutOfMemory);
        fails(cuMemAlloc_v2(Out::to(&mut unused), 5 << 30), Code::OutOfMemory);
    }
}

#[test]
fn pinned_and_managed_memory_is_the_programs_too() {
    let _context = start();
    let (mut pinned, mut managed) = (0, 0);
    // SAFETY: pinned and managed memory is valid for the host's reads and writes until it is freed.
    unsafe {
        ok(cuMemHostAlloc(Out::to(&mut pinned), 64, 2));
        ok(cuMemAllocManaged(Out::to(&mut managed), 64, 1));
        let on_host = std::ptr::with_exposed_provenance_mut::<u32>(pinned as usize);
        on_host.write(77);
        ok(crate::libcuda::memcpy::cuMemcpyDtoD_v2(managed, pinned, 4));
        assert_eq!(std::ptr::with_exposed_provenance::<u32>(managed as usize).read(), 77);
        let mut device = 0;
        ok(cuMemHostGetDevicePointer_v2(Out::to(&mut device), Host::new(on_host.cast()), 0));
        assert_eq!(device, pinned);
        let mut flags = 0;
        ok(cuMemHostGetFlags(Out::to(&mut flags), Host::new(on_host.cast())));
        assert_eq!(flags, 2);
        assert_eq!(attribute::<u32>(2, pinned), Ok(1), "host memory");
        assert_eq!(attribute::<u8>(8, pinned), Ok(0));
        assert_eq!(attribute::<u8>(8, managed), Ok(1), "managed");
        fails(cuMemFree_v2(pinned), Code::InvalidValue);
        ok(cuMemFreeHost(Host::new(on_host.cast())));
        ok(cuMemFree_v2(managed));
    }
}

#[test]
fn registered_memory_is_reachable_until_it_is_unregistered() {
    let _context = start();
    let values = vec![5u32; 256];
    let address = values.as_ptr().expose_provenance() as u64;
    // SAFETY: the range is that of `values`, which outlives its registration.
    unsafe {
        ok(cuMemHostRegister_v2(host(&values), 1024, 0));
        fails(cuMemHostRegister_v2(host(&values[10..]), 4, 0), Code::HostMemoryAlreadyRegistered);
        assert_eq!(attribute::<u64>(11, address + 40), Ok(address));
        let to = device_memory(1024);
        ok(crate::libcuda::memcpy::cuMemcpyDtoD_v2(to, address, 1024));
        assert_eq!(from_device::<u32>(to, 256), values);
        free(to);
        ok(cuMemHostUnregister(host(&values)));
        fails(cuMemHostUnregister(host(&values)), Code::HostMemoryNotRegistered);
    }
}

#[test]
fn several_attributes_are_asked_for_at_once_also_of_any_pointer() {
    let _context = start();
    let address = device_memory(8);
    let (mut kind, mut ordinal, mut managed) = ([9u8; 4], [9u8; 4], [9u8; 1]);
    let attributes = [2, 9, 8];
    for (address, expected) in
        [(address, ([2, 0, 0, 0], [0, 0, 0, 0])), (0x1234, ([0, 0, 0, 0], [0xfe, 255, 255, 255]))]
    {
        // SAFETY: each buffer is as long as its attribute.
        unsafe {
            let places = [OutArray::to(&mut kind), OutArray::to(&mut ordinal), OutArray::to(&mut managed)];
            ok(cuPointerGetAttributes(3, In::from_slice(&attributes), In::from_slice(&places), address));
        }
        assert_eq!((kind, ordinal), expected);
        assert_eq!(managed, [0]);
    }
    free(address);
}

#[test]
fn pools_keep_accounts() {
    let _context = start();
    let stream = CuStream::NULL;
    let properties = PoolProperties {
        allocation_type: 1,
        handle_types: 0,
        location: MemLocation { kind: 1, id: 0 },
        security: 0,
        max_bytes: 4096,
        reserved: [0; 56],
    };
    let (mut pool, mut a, mut b) = (CuMemoryPool::NULL, 0, 0);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuMemPoolCreate(Out::to(&mut pool), In::from(&properties)));
        let get = |attribute| {
            let mut value = [0; 8];
            ok(cuMemPoolGetAttribute(pool, attribute, OutArray::to(&mut value)));
            u64::from_le_bytes(value)
        };
        ok(cuMemAllocFromPoolAsync(Out::to(&mut a), 3000, pool, stream));
        assert_eq!((get(7), get(8)), (3000, 3000));
        fails(cuMemAllocFromPoolAsync(Out::to(&mut b), 3000, pool, stream), Code::OutOfMemory);
        ok(cuMemFreeAsync(a, stream));
        fails(cuMemFreeAsync(a, stream), Code::InvalidValue);
        assert_eq!((get(7), get(8)), (0, 3000));
        let mut zero = [0; 8];
        ok(cuMemPoolSetAttribute(pool, 8, OutArray::to(&mut zero)));
        assert_eq!(get(8), 0);
        ok(cuMemPoolDestroy(pool));
        fails(cuMemPoolTrimTo(pool, 0), Code::InvalidHandle);
        let mut default = CuMemoryPool::NULL;
        ok(cuDeviceGetDefaultMemPool(Out::to(&mut default), 0));
        fails(cuMemPoolDestroy(default), Code::InvalidValue);
    }
}

#[test]
fn memory_ends_with_its_context_and_is_reported() {
    let context = start();
    let address = device_memory(48);
    reports();
    drop(context);
    let leaks = reports();
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0].kind(), Some(crate::finding::Kind::Leak));
    assert!(leaks[0].to_string().contains("of 48 bytes"), "{}", leaks[0]);
    let _other = start();
    let mut value = 0u32;
    // SAFETY: the range is that of the variable.
    let result =
        unsafe { crate::libcuda::memcpy::cuMemcpyDtoH_v2(host_mut(std::slice::from_mut(&mut value)), address, 4) };
    fails(result, Code::InvalidValue);
    assert!(reports()[0].to_string().contains("freed allocation"));
}

#[test]
fn devices_say_what_they_are() {
    let _context = start();
    let mut name = [1u8; 100];
    let mut id = [1u8; 32];
    let (mut count, mut major, mut minor, mut bytes, mut device) = (0, 0, 0, 0, -1);
    // SAFETY: the pointers are to variables of the sizes that are named.
    unsafe {
        ok(cuDeviceGetCount(Out::to(&mut count)));
        assert_eq!(count, 1);
        ok(cuDeviceGetName(OutArray::to(&mut name), 100, 0));
        assert_eq!(&name[..36], b"noam emulator (A100-like, software)\0");
        ok(cuDeviceGetName(OutArray::to(&mut name), 5, 0));
        assert_eq!(&name[..6], b"noam\0e");
        ok(cuDeviceComputeCapability(Out::to(&mut major), Out::to(&mut minor), 0));
        assert_eq!((major, minor), (8, 0));
        ok(cuDeviceTotalMem_v2(Out::to(&mut bytes), 0));
        assert_eq!(bytes, 4 << 30);
        ok(cuDeviceGetPCIBusId(OutArray::to(&mut id), 32, 0));
        assert_eq!(&id[..13], b"0000:01:00.0\0");
        for id in [c"0000:01:00.0", c"01:00.0", c"01:00"] {
            ok(cuDeviceGetByPCIBusId(Out::to(&mut device), Text::from(id)));
            assert_eq!(device, 0);
        }
        fails(cuDeviceGetByPCIBusId(Out::to(&mut device), Text::from(c"0000:02:00.0")), Code::InvalidDevice);
        fails(cuDeviceGet(Out::to(&mut device), 1), Code::InvalidDevice);
        fails(cuDeviceGet(Out::to(&mut device), -1), Code::InvalidDevice);
        fails(cuDeviceGetAttribute(Out::to(&mut device), 0, 0), Code::InvalidValue);
    }
}
