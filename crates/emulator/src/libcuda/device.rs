//! Devices and their primary contexts.

use std::sync::Arc;

use super::{entry::driver_functions, types::*};
use crate::driver::{
    device::Device,
    driver,
    error::{Code, Result},
    model::{BLOCK_LIMITS, CONSTANT_BYTES, GRID_LIMITS, REGISTERS, SHARED_PER_BLOCK, THREADS_PER_BLOCK},
};

/// The device of a number that a caller gives.
pub(super) fn device(number: CuDevice) -> Result<Arc<Device>> {
    driver().device(u32::try_from(number).map_err(|_| Code::InvalidDevice)?)
}

/// Writes text with its end into a buffer of a caller's, cut where that is short.
pub(super) fn write_text(to: &OutArray<'_, u8>, room: i32, text: &str) -> Result<()> {
    let room = usize::try_from(room).ok().filter(|&room| room > 0).ok_or(Code::InvalidValue)?;
    let mut bytes = text.as_bytes()[..text.len().min(room - 1)].to_vec();
    bytes.push(0);
    to.set(&bytes)
}

fn uuid(to: &Out<'_, Uuid>, number: CuDevice) -> Result<()> {
    to.set(Uuid { bytes: device(number)?.uuid() })
}

driver_functions! { export_device;
    2000 fn cuDeviceGet(device: Out<'_, CuDevice>, ordinal: i32) {
        self::device(ordinal)?;
        device.set(ordinal)
    }

    2000 fn cuDeviceGetCount(count: Out<'_, i32>) {
        count.set(driver().devices().len() as i32)
    }

    2000 fn cuDeviceGetName(name: OutArray<'_, u8>, room: i32, device: CuDevice) {
        write_text(&name, room, self::device(device)?.name())
    }

    9020 fn cuDeviceGetUuid(uuid: Out<'_, Uuid>, device: CuDevice) {
        self::uuid(&uuid, device)
    }

    11040 fn cuDeviceGetUuid_v2(uuid: Out<'_, Uuid>, device: CuDevice) {
        self::uuid(&uuid, device)
    }

    10000 fn cuDeviceGetLuid(luid: OutArray<'_, u8>, mask: Out<'_, u32>, device: CuDevice) {
        // Only Windows has these.
        self::device(device)?;
        let _ = (luid, mask);
        Err(Code::NotSupported.into())
    }

    3020 fn cuDeviceTotalMem_v2(bytes: Out<'_, usize>, device: CuDevice) {
        bytes.set(self::device(device)?.memory_bytes as usize)
    }

    2000 fn cuDeviceGetAttribute(value: Out<'_, i32>, attribute: u32, device: CuDevice) {
        value.check()?;
        value.set(self::device(device)?.attribute(attribute)? as i32)
    }

    2000 fn cuDeviceComputeCapability(major: Out<'_, i32>, minor: Out<'_, i32>, device: CuDevice) {
        let (known_major, known_minor) = self::device(device)?.model.compute;
        major.set(known_major as i32)?;
        minor.set(known_minor as i32)
    }

    2000 fn cuDeviceGetProperties(properties: Out<'_, DeviceProperties>, device: CuDevice) {
        let model = self::device(device)?.model;
        properties.set(DeviceProperties {
            threads_per_block: THREADS_PER_BLOCK,
            block: BLOCK_LIMITS,
            grid: GRID_LIMITS,
            shared_per_block: SHARED_PER_BLOCK,
            constant_bytes: CONSTANT_BYTES,
            warp_size: 32,
            pitch: i32::MAX as u32,
            registers_per_block: REGISTERS,
            clock_khz: model.clock_khz,
            texture_alignment: 512,
        })
    }

    4010 fn cuDeviceGetPCIBusId(id: OutArray<'_, u8>, room: i32, device: CuDevice) {
        write_text(&id, room, &self::device(device)?.pci_bus_id())
    }

    4010 fn cuDeviceGetByPCIBusId(device: Out<'_, CuDevice>, id: Text<'_>) {
        let id = id.str()?;
        // The domain and the function may be left out.
        let same = |known: &str| [known, &known[5..], &known[5..10]].iter().any(|it| it.eq_ignore_ascii_case(id));
        let found = driver().devices().iter().find(|device| same(&device.pci_bus_id()));
        device.set(found.ok_or(Code::InvalidDevice)?.ordinal as CuDevice)
    }

    8000 fn cuDeviceGetP2PAttribute(value: Out<'_, i32>, attribute: u32, from: CuDevice, to: CuDevice) {
        device(from)?;
        device(to)?;
        if from == to {
            return Err(Code::InvalidDevice.into());
        }
        value.set(match attribute {
            // Performance rank; arrays.
            1 | 4 => 0,
            // Access; native atomics.
            2 | 3 => 1,
            _ => return Err(Code::InvalidValue.into()),
        })
    }

    4000 fn cuDeviceCanAccessPeer(can: Out<'_, i32>, from: CuDevice, to: CuDevice) {
        device(from)?;
        device(to)?;
        can.set(i32::from(from != to))
    }

    11040 fn cuDeviceGetExecAffinitySupport(supported: Out<'_, i32>, kind: u32, device: CuDevice) {
        self::device(device)?;
        let _ = kind;
        supported.set(0)
    }

    7000 fn cuDevicePrimaryCtxRetain(context: Out<'_, CuContext>, device: CuDevice) {
        context.check()?;
        context.set(self::device(device)?.retain_primary().handle)
    }

    7000 fn cuDevicePrimaryCtxRelease(device: CuDevice) {
        self::device(device)?.release_primary()
    }

    11000 fn cuDevicePrimaryCtxRelease_v2(device: CuDevice) {
        self::device(device)?.release_primary()
    }

    7000 fn cuDevicePrimaryCtxReset(device: CuDevice) {
        self::device(device)?.reset_primary();
        Ok(())
    }

    11000 fn cuDevicePrimaryCtxReset_v2(device: CuDevice) {
        self::device(device)?.reset_primary();
        Ok(())
    }

    7000 fn cuDevicePrimaryCtxSetFlags(device: CuDevice, flags: u32) {
        self::device(device)?.set_primary_flags(flags);
        Ok(())
    }

    11000 fn cuDevicePrimaryCtxSetFlags_v2(device: CuDevice, flags: u32) {
        self::device(device)?.set_primary_flags(flags);
        Ok(())
    }

    7000 fn cuDevicePrimaryCtxGetState(device: CuDevice, flags: Out<'_, u32>, active: Out<'_, i32>) {
        let (known_flags, known_active) = self::device(device)?.primary_state();
        flags.set(known_flags)?;
        active.set(i32::from(known_active))
    }
}
