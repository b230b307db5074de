//! What a program can ask about an address.

use super::{entry::driver_functions, memory::context, types::*};
use crate::driver::{
    driver,
    error::{Code, Result},
    ledger::Entry,
    thread,
};
use crate::memory::{AllocationInfo, AllocationKind};

/// Kinds of memory: the host's, a device's.
const HOST: u32 = 1;
const DEVICE: u32 = 2;

/// Numbers of attributes.
mod attribute {
    pub const CONTEXT: u32 = 1;
    pub const MEMORY_TYPE: u32 = 2;
    pub const DEVICE_POINTER: u32 = 3;
    pub const HOST_POINTER: u32 = 4;
    pub const SYNC_MEMOPS: u32 = 6;
    pub const BUFFER_ID: u32 = 7;
    pub const IS_MANAGED: u32 = 8;
    pub const DEVICE_ORDINAL: u32 = 9;
    pub const IPC_CAPABLE: u32 = 10;
    pub const RANGE_START: u32 = 11;
    pub const RANGE_BYTES: u32 = 12;
    pub const MAPPED: u32 = 13;
    pub const HANDLE_TYPES: u32 = 14;
    pub const RDMA_CAPABLE: u32 = 15;
    pub const ACCESS_FLAGS: u32 = 16;
    pub const POOL: u32 = 17;
}

/// An attribute's value: of four bytes, of eight, or of one.
enum Value {
    Word(u32),
    Long(u64),
    Flag(bool),
}

impl Value {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Word(value) => value.to_ne_bytes().to_vec(),
            Self::Long(value) => value.to_ne_bytes().to_vec(),
            Self::Flag(value) => vec![u8::from(*value)],
        }
    }
}

fn value(attribute: u32, address: u64, info: &AllocationInfo, entry: Option<&Entry>) -> Result<Value> {
    Ok(match attribute {
        attribute::CONTEXT => {
            let context = entry.map_or(thread::current_handle(), |entry| entry.context);
            Value::Long(context.number() as u64)
        }
        attribute::MEMORY_TYPE => match info.kind {
            AllocationKind::HostPinned | AllocationKind::Registered => Value::Word(HOST),
            _ => Value::Word(DEVICE),
        },
        attribute::DEVICE_POINTER => Value::Long(address),
        attribute::HOST_POINTER if info.kind.is_host() => Value::Long(address),
        attribute::HOST_POINTER => return Err(Code::InvalidValue.into()),
        attribute::SYNC_MEMOPS => Value::Flag(true),
        attribute::BUFFER_ID => Value::Long(info.id),
        attribute::IS_MANAGED => Value::Flag(info.kind == AllocationKind::Managed),
        attribute::DEVICE_ORDINAL => Value::Word(entry.map_or(0, |entry| entry.device)),
        attribute::IPC_CAPABLE | attribute::RDMA_CAPABLE => Value::Flag(false),
        attribute::RANGE_START => Value::Long(info.base),
        attribute::RANGE_BYTES => Value::Long(info.bytes),
        attribute::MAPPED => Value::Flag(true),
        attribute::HANDLE_TYPES => Value::Long(0),
        // To be read and written.
        attribute::ACCESS_FLAGS => Value::Word(3),
        attribute::POOL => {
            Value::Long(entry.and_then(|entry| entry.pool.as_ref()).map_or(0, |pool| pool.handle.number() as u64))
        }
        _ => return Err(Code::InvalidValue.into()),
    })
}

/// Bytes of an attribute's value.
fn size(attribute: u32) -> usize {
    match attribute {
        attribute::MEMORY_TYPE | attribute::DEVICE_ORDINAL | attribute::ACCESS_FLAGS => 4,
        attribute::SYNC_MEMOPS
        | attribute::IS_MANAGED
        | attribute::IPC_CAPABLE
        | attribute::MAPPED
        | attribute::RDMA_CAPABLE => 1,
        _ => 8,
    }
}

driver_functions! { export_pointers;
    4000 fn cuPointerGetAttribute(data: OutArray<'_, u8>, attribute: u32, address: CuDevicePtr) {
        context()?;
        let found = driver().ledger.find(address);
        let (info, entry) =
            found.ok_or_else(|| Code::InvalidValue.because(format!("{address:#x} is in no allocation")))?;
        data.set(&value(attribute, address, &info, entry.as_ref())?.bytes())
    }

    7000 fn cuPointerGetAttributes(
        count: u32, attributes: In<'_, u32>, data: In<'_, OutArray<'_, u8>>, address: CuDevicePtr,
    ) {
        context()?;
        let found = driver().ledger.find(address);
        for (attribute, place) in attributes.array(count as usize)?.into_iter().zip(data.array(count as usize)?) {
            let bytes = match &found {
                Some((info, entry)) => value(attribute, address, info, entry.as_ref()).map(|value| value.bytes()),
                None => Err(Code::InvalidValue.into()),
            };
            // What can't be told is zero here, and no error; a device that is none is -2.
            let nothing = match attribute {
                attribute::DEVICE_ORDINAL => (-2i32).to_ne_bytes().to_vec(),
                _ => vec![0; size(attribute)],
            };
            place.set(&bytes.unwrap_or(nothing))?;
        }
        Ok(())
    }

    6000 fn cuPointerSetAttribute(value: In<'_, u32>, attribute: u32, address: CuDevicePtr) {
        context()?;
        value.get()?;
        driver().ledger.find(address).ok_or(Code::InvalidValue)?;
        match attribute {
            // Copies always wait.
            attribute::SYNC_MEMOPS => Ok(()),
            _ => Err(Code::InvalidValue.into()),
        }
    }

    8000 fn cuMemRangeGetAttribute(
        data: OutArray<'_, u8>, size: usize, attribute: u32, address: CuDevicePtr, bytes: usize,
    ) {
        context()?;
        let _ = bytes;
        driver().ledger.find(address).ok_or(Code::InvalidValue)?;
        match attribute {
            // Mostly read: no.
            1 if size >= 4 => data.set(&0u32.to_ne_bytes()),
            // Preferred, and last prefetched to: nowhere, which is -2.
            2 | 4 if size >= 4 => data.set(&(-2i32).to_ne_bytes()),
            // Accessed by: nobody in particular.
            3 => data.set(&(-2i32).to_ne_bytes().repeat(size / 4)),
            _ => Err(Code::InvalidValue.into()),
        }
    }
}
