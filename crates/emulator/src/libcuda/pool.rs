//! Memory in stream order, and the pools it comes from.

use std::sync::Arc;

use super::{device::device, entry::driver_functions, types::*};
use crate::{
    driver::{
        capture::Capture,
        driver,
        error::{Code, Result},
        ledger::IN_ORDER,
        operation::{GraphMemory, Operation},
        pool::Value,
    },
    memory::AllocationKind,
};

/// The kind of memory that pools hold: pinned to where it is.
const PINNED: u32 = 1;
/// The kind of location that is a device.
const ON_DEVICE: u32 = 1;

/// Allocates in a stream's order: at once, or as a node of the graph that the stream is captured into.
fn allocate(address: &Out<'_, u64>, bytes: usize, pool: Option<CuMemoryPool>, stream: CuStream) -> Result<()> {
    address.check()?;
    let stream = Stream::resolve(stream)?;
    let context = stream.context()?;
    if let Some(part) = &mut *stream.part() {
        let memory = GraphMemory::new(&context, bytes as u64)?;
        let found = memory.address;
        Capture::add(part, Operation::Allocate(Arc::new(memory)))?;
        return address.set(found);
    }
    let pool = match pool {
        Some(handle) => Pool::get(handle)?,
        None => context.device.pool(),
    };
    let found = driver().ledger.allocate_from(&context, bytes as u64, AllocationKind::Pool, 0, Some(pool))?;
    address.set(found)
}

fn pool_attribute(pool: CuMemoryPool, attribute: u32, value: &OutArray<'_, u8>) -> Result<()> {
    match Pool::get(pool)?.attribute(attribute)? {
        Value::Word(word) => value.set(&word.to_ne_bytes()),
        Value::Long(long) => value.set(&long.to_ne_bytes()),
    }
}

driver_functions! { export_pool;
    11020 fn [cuMemAllocAsync cuMemAllocAsync_ptsz](address: Out<'_, CuDevicePtr>, bytes: usize, stream: CuStream) {
        allocate(&address, bytes, None, stream)
    }

    11020 fn [cuMemAllocFromPoolAsync cuMemAllocFromPoolAsync_ptsz](
        address: Out<'_, CuDevicePtr>, bytes: usize, pool: CuMemoryPool, stream: CuStream,
    ) {
        allocate(&address, bytes, Some(pool), stream)
    }

    11020 fn [cuMemFreeAsync cuMemFreeAsync_ptsz](address: CuDevicePtr, stream: CuStream) {
        let stream = Stream::resolve(stream)?;
        stream.context()?;
        if address == 0 {
            return Ok(());
        }
        let mut part = stream.part();
        if let Some(part) = &mut *part {
            return match driver().ledger.find(address) {
                Some((info, Some(entry))) if entry.of_graph && info.base == address => {
                    Capture::add(part, Operation::Free(address)).map(|_| ())
                }
                _ => Err(Code::InvalidValue.because("only memory of the graph can be freed while it is captured")),
            };
        }
        drop(part);
        driver().ledger.free(address, IN_ORDER)
    }

    11020 fn cuDeviceGetDefaultMemPool(pool: Out<'_, CuMemoryPool>, device: CuDevice) {
        pool.check()?;
        pool.set(self::device(device)?.default_pool.handle)
    }

    11020 fn cuDeviceGetMemPool(pool: Out<'_, CuMemoryPool>, device: CuDevice) {
        pool.check()?;
        pool.set(self::device(device)?.pool().handle)
    }

    11020 fn cuDeviceSetMemPool(device: CuDevice, pool: CuMemoryPool) {
        let (device, pool) = (self::device(device)?, Pool::get(pool)?);
        if pool.device != device.ordinal {
            return Err(Code::InvalidValue.because("the pool is another device's"));
        }
        device.set_pool(pool);
        Ok(())
    }

    11020 fn cuMemPoolCreate(pool: Out<'_, CuMemoryPool>, properties: In<'_, PoolProperties>) {
        pool.check()?;
        let properties = properties.get()?;
        if properties.allocation_type != PINNED || properties.location.kind != ON_DEVICE {
            return Err(Code::InvalidValue.because("pools are of a device's pinned memory"));
        }
        if properties.handle_types != 0 {
            return Err(Code::NotSupported.because("pools can't be shared with other processes"));
        }
        let made = Pool::new(device(properties.location.id)?.ordinal, properties.max_bytes as u64);
        driver().pools.put(made.handle, made.clone());
        pool.set(made.handle)
    }

    11020 fn cuMemPoolDestroy(pool: CuMemoryPool) {
        let device = driver().device(Pool::get(pool)?.device)?;
        if device.default_pool.handle == pool {
            return Err(Code::InvalidValue.because("a device's default pool can't be destroyed"));
        }
        if device.pool().handle == pool {
            device.set_pool(device.default_pool.clone());
        }
        driver().pools.remove(pool).map(|_| ())
    }

    11020 fn cuMemPoolTrimTo(pool: CuMemoryPool, keep: usize) {
        // Nothing is kept anyway.
        let _ = keep;
        Pool::get(pool).map(|_| ())
    }

    11020 fn cuMemPoolGetAttribute(pool: CuMemoryPool, attribute: u32, value: OutArray<'_, u8>) {
        pool_attribute(pool, attribute, &value)
    }

    11020 fn cuMemPoolSetAttribute(pool: CuMemoryPool, attribute: u32, value: OutArray<'_, u8>) {
        let bytes = if Pool::is_word(attribute) { 4 } else { 8 };
        let mut long = [0; 8];
        long[..bytes].copy_from_slice(&value.get(bytes)?);
        Pool::get(pool)?.set_attribute(attribute, u64::from_le_bytes(long))
    }

    11020 fn cuMemPoolSetAccess(pool: CuMemoryPool, access: In<'_, MemAccess>, count: usize) {
        // Every device can reach all memory.
        Pool::get(pool)?;
        for access in access.array(count)? {
            device(access.location.id)?;
        }
        Ok(())
    }

    11020 fn cuMemPoolGetAccess(flags: Out<'_, u32>, pool: CuMemoryPool, location: In<'_, MemLocation>) {
        Pool::get(pool)?;
        device(location.get()?.id)?;
        // To be read and written.
        flags.set(3)
    }

    11040 fn cuDeviceGraphMemTrim(device: CuDevice) {
        self::device(device).map(|_| ())
    }

    13000 fn cuMemGetDefaultMemPool(pool: Out<'_, CuMemoryPool>, location: In<'_, MemLocation>, kind: u32) {
        pool.check()?;
        let location = location.get()?;
        if kind != PINNED || location.kind != ON_DEVICE {
            return Err(Code::NotSupported.because("pools are of a device's pinned memory"));
        }
        pool.set(device(location.id)?.default_pool.handle)
    }

    13000 fn cuMemGetMemPool(pool: Out<'_, CuMemoryPool>, location: In<'_, MemLocation>, kind: u32) {
        pool.check()?;
        let location = location.get()?;
        if kind != PINNED || location.kind != ON_DEVICE {
            return Err(Code::NotSupported.because("pools are of a device's pinned memory"));
        }
        pool.set(device(location.id)?.pool().handle)
    }

    11040 fn cuDeviceGetGraphMemAttribute(device: CuDevice, attribute: u32, value: Out<'_, u64>) {
        // Used, and reserved, now and at most: graphs' memory is counted with all other.
        self::device(device)?;
        if attribute > 3 {
            return Err(Code::InvalidValue.into());
        }
        value.set(0)
    }
}
