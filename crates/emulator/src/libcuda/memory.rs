//! Memory: allocated, freed, pinned, registered, managed, and asked about.

use std::sync::Arc;

use super::{entry::driver_functions, types::*};
use crate::{
    driver::{
        capture,
        context::Context,
        driver,
        error::{Code, Result},
        ledger::{DEVICE, HOST},
        thread,
    },
    memory::AllocationKind,
};

/// Flags of pinned memory: portable, mapped, write-combined.
const HOST_FLAGS: u32 = 7;
/// Flags of registered memory: portable, mapped, of a device, read-only.
const REGISTER_FLAGS: u32 = 15;
/// Flags of managed memory: for all, for the host, for one stream.
const ATTACH_FLAGS: [u32; 3] = [1, 2, 4];
/// What rows of pitched memory are aligned to.
const PITCH: usize = 512;

/// The current context, if no kernel of it has failed.
pub(super) fn context() -> Result<Arc<Context>> {
    let context = thread::current()?;
    context.check()?;
    Ok(context)
}

fn allocate(address: &Out<'_, u64>, bytes: usize, kind: AllocationKind, flags: u32) -> Result<()> {
    address.check()?;
    let context = context()?;
    capture::forbid()?;
    address.set(driver().ledger.allocate(&context, bytes as u64, kind, flags)?)
}

driver_functions! { export_memory;
    3020 fn cuMemGetInfo_v2(free: Out<'_, usize>, total: Out<'_, usize>) {
        let context = context()?;
        free.put(context.device.free_bytes() as usize);
        total.put(context.device.memory_bytes as usize);
        Ok(())
    }

    3020 fn cuMemAlloc_v2(address: Out<'_, CuDevicePtr>, bytes: usize) {
        allocate(&address, bytes, AllocationKind::Device, 0)
    }

    3020 fn cuMemAllocPitch_v2(
        address: Out<'_, CuDevicePtr>, pitch: Out<'_, usize>, width: usize, height: usize, element: u32,
    ) {
        pitch.check()?;
        if !matches!(element, 4 | 8 | 16) || width == 0 || height == 0 {
            return Err(Code::InvalidValue.because(format!("{height} rows of {width} bytes, elements of {element}")));
        }
        let row = width.checked_next_multiple_of(PITCH).ok_or(Code::OutOfMemory)?;
        let bytes = row.checked_mul(height).ok_or(Code::OutOfMemory)?;
        allocate(&address, bytes, AllocationKind::Device, 0)?;
        pitch.set(row)
    }

    6000 fn cuMemAllocManaged(address: Out<'_, CuDevicePtr>, bytes: usize, flags: u32) {
        if !ATTACH_FLAGS[..2].contains(&flags) {
            return Err(Code::InvalidValue.because(format!("flags {flags}")));
        }
        allocate(&address, bytes, AllocationKind::Managed, flags)
    }

    3020 fn cuMemFree_v2(address: CuDevicePtr) {
        context()?;
        capture::forbid()?;
        if address == 0 {
            return Ok(());
        }
        driver().ledger.free(address, DEVICE)
    }

    3020 fn cuMemGetAddressRange_v2(base: Out<'_, CuDevicePtr>, bytes: Out<'_, usize>, address: CuDevicePtr) {
        context()?;
        let (info, _) = driver().ledger.find(address).ok_or(Code::NotFound)?;
        base.put(info.base);
        bytes.put(info.bytes as usize);
        Ok(())
    }

    3020 fn cuMemAllocHost_v2(pointer: Out<'_, u64>, bytes: usize) {
        allocate(&pointer, bytes, AllocationKind::HostPinned, 0)
    }

    2020 fn cuMemHostAlloc(pointer: Out<'_, u64>, bytes: usize, flags: u32) {
        if flags & !HOST_FLAGS != 0 {
            return Err(Code::InvalidValue.because(format!("flags {flags:#x}")));
        }
        allocate(&pointer, bytes, AllocationKind::HostPinned, flags)
    }

    2000 fn cuMemFreeHost(pointer: Host) {
        context()?;
        driver().ledger.free(pointer.address(), HOST)
    }

    3020 fn cuMemHostGetDevicePointer_v2(address: Out<'_, CuDevicePtr>, pointer: Host, flags: u32) {
        address.check()?;
        context()?;
        if flags != 0 {
            return Err(Code::InvalidValue.into());
        }
        match driver().ledger.find(pointer.address()) {
            Some((info, _)) if info.kind.is_host() => address.set(pointer.address()),
            _ => Err(Code::InvalidValue.because("the pointer is not to pinned or registered memory")),
        }
    }

    2030 fn cuMemHostGetFlags(flags: Out<'_, u32>, pointer: Host) {
        flags.check()?;
        context()?;
        match driver().ledger.find(pointer.address()) {
            Some((info, Some(entry))) if info.kind == AllocationKind::HostPinned => flags.set(entry.flags),
            _ => Err(Code::InvalidValue.because("the pointer is not to pinned memory")),
        }
    }

    4000 fn cuMemHostRegister(pointer: Host, bytes: usize, flags: u32) {
        register(pointer, bytes, flags)
    }

    6050 fn cuMemHostRegister_v2(pointer: Host, bytes: usize, flags: u32) {
        register(pointer, bytes, flags)
    }

    4000 fn cuMemHostUnregister(pointer: Host) {
        context()?;
        driver().ledger.unregister(pointer.address())
    }

    8000 fn cuMemAdvise(address: CuDevicePtr, bytes: usize, advice: u32, device: CuDevice) {
        let _ = device;
        advise(address, bytes, advice)
    }

    12020 fn cuMemAdvise_v2(address: CuDevicePtr, bytes: usize, advice: u32, location: MemLocation) {
        let _ = location;
        advise(address, bytes, advice)
    }

    8000 fn [cuMemPrefetchAsync cuMemPrefetchAsync_ptsz](
        address: CuDevicePtr, bytes: usize, device: CuDevice, stream: CuStream,
    ) {
        let _ = device;
        prefetch(address, bytes, stream)
    }

    12020 fn [cuMemPrefetchAsync_v2 cuMemPrefetchAsync_v2_ptsz](
        address: CuDevicePtr, bytes: usize, location: MemLocation, flags: u32, stream: CuStream,
    ) {
        let _ = location;
        if flags != 0 {
            return Err(Code::InvalidValue.into());
        }
        prefetch(address, bytes, stream)
    }

    6000 fn [cuStreamAttachMemAsync cuStreamAttachMemAsync_ptsz](
        stream: CuStream, address: CuDevicePtr, bytes: usize, flags: u32,
    ) {
        if !ATTACH_FLAGS.contains(&flags) {
            return Err(Code::InvalidValue.because(format!("flags {flags}")));
        }
        managed(address, bytes.max(1))?;
        super::stream::nothing(stream)
    }
}

fn register(pointer: Host, bytes: usize, flags: u32) -> Result<()> {
    let context = context()?;
    if flags & !REGISTER_FLAGS != 0 {
        return Err(Code::InvalidValue.because(format!("flags {flags:#x}")));
    }
    driver().ledger.register(&context, pointer.pointer(), bytes as u64, flags)
}

/// Refuses what is not a range of managed memory.
fn managed(address: u64, bytes: usize) -> Result<()> {
    context()?;
    match driver().ledger.find(address) {
        Some((info, _)) if info.kind == AllocationKind::Managed && bytes as u64 <= info.base + info.bytes - address => {
            Ok(())
        }
        _ => Err(Code::InvalidValue.because(format!("{bytes} bytes at {address:#x} are not managed memory"))),
    }
}

/// Advice changes nothing: managed memory is in one place.
fn advise(address: u64, bytes: usize, advice: u32) -> Result<()> {
    if !(1..=6).contains(&advice) {
        return Err(Code::InvalidValue.into());
    }
    managed(address, bytes)
}

fn prefetch(address: u64, bytes: usize, stream: CuStream) -> Result<()> {
    managed(address, bytes)?;
    super::stream::nothing(stream)
}
