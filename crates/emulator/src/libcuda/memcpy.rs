//! Copies.

use super::{entry::driver_functions, memory::context, types::*};
use crate::driver::{
    capture,
    copy::{Address, Copy, Side},
    driver,
    error::{Code, Result},
    operation::Operation,
};

/// Kinds of memory in descriptions of copies.
const HOST: u32 = 1;
const DEVICE: u32 = 2;
const ARRAY: u32 = 3;
const UNIFIED: u32 = 4;

/// The null stream, which copies without a stream go through.
const NULL: CuStream = CuStream::NULL;

/// A copy that returns when it is done.
fn now(copy: Copy) -> Result<()> {
    context()?;
    capture::forbid()?;
    submit(copy, NULL)
}

fn submit(copy: Copy, stream: CuStream) -> Result<()> {
    Stream::resolve(stream)?.submit(Operation::Copy(copy))
}

fn host(pointer: Host, bytes: usize) -> Result<Address> {
    pointer.check(bytes)?;
    Ok(Address::Host(pointer.pointer()))
}

fn to_device(to: u64, from: Host, bytes: usize) -> Result<Copy> {
    Ok(Copy::flat(Address::Device(to), host(from, bytes)?, bytes as u64))
}

fn to_host(to: Host, from: u64, bytes: usize) -> Result<Copy> {
    Ok(Copy::flat(host(to, bytes)?, Address::Device(from), bytes as u64))
}

fn within_device(to: u64, from: u64, bytes: usize) -> Copy {
    Copy::flat(Address::Device(to), Address::Device(from), bytes as u64)
}

/// A copy between addresses that say by themselves where they are: what the driver does not know is the program's.
fn unified(to: Host, from: Host, bytes: usize) -> Result<Copy> {
    Ok(Copy::flat(anywhere(to, bytes)?, anywhere(from, bytes)?, bytes as u64))
}

fn anywhere(address: Host, bytes: usize) -> Result<Address> {
    // No pointer of a program is as large as a device's address: one that is must be known.
    match address.address() >> 48 {
        0 => host(address, bytes),
        _ => Ok(Address::Device(address.address())),
    }
}

/// One side of a described copy.
struct Description {
    kind: u32,
    host: Host,
    device: u64,
    pitch: usize,
    /// Rows from a slice to the next.
    height: usize,
    x_bytes: usize,
    y: usize,
    z: usize,
}

impl Description {
    /// The side, for a copy of rows of `width` bytes, `rows` of them in a slice.
    fn side(self, width: usize, rows: usize, slices: usize) -> Result<Side> {
        let overflow = || Code::InvalidValue.because("a copy's offsets are larger than any memory");
        let pitch = if self.pitch == 0 { self.x_bytes.checked_add(width).ok_or_else(overflow)? } else { self.pitch };
        if width > pitch && (rows > 1 || slices > 1) {
            return Err(Code::InvalidValue.because(format!("rows of {width} bytes do not fit a pitch of {pitch}")));
        }
        let height = if self.height == 0 { self.y.checked_add(rows).ok_or_else(overflow)? } else { self.height };
        let slice = pitch.checked_mul(height).ok_or_else(overflow)?;
        let offset = self.z.checked_mul(slice).zip(self.y.checked_mul(pitch));
        let offset = offset.and_then(|(z, y)| z.checked_add(y)?.checked_add(self.x_bytes)).ok_or_else(overflow)?;
        let bytes = width.min(rows).min(slices);
        let address = match self.kind {
            HOST => host(self.host, bytes)?,
            DEVICE => Address::Device(self.device),
            UNIFIED => anywhere(self.host_of_device(), bytes)?,
            ARRAY => return Err(Code::NotSupported.because("there are no arrays")),
            kind => return Err(Code::InvalidValue.because(format!("memory of kind {kind}"))),
        };
        let address = match address {
            Address::Device(base) => Address::Device(base.saturating_add(offset as u64)),
            Address::Host(pointer) => Address::Host(pointer.offset(offset as u64)),
        };
        Ok(Side { address, pitch: pitch as u64, slice: slice as u64 })
    }

    /// The address of unified memory, which may be the program's.
    fn host_of_device(&self) -> Host {
        // SAFETY: the caller of the API has given this address as unified, and so has vouched for it as for a pointer.
        unsafe { Host::new(std::ptr::with_exposed_provenance(self.device as usize)) }
    }
}

pub(super) fn rows(copy: &Copy2d) -> Result<Copy> {
    let (width, height) = (copy.width_bytes, copy.height);
    let to = Description {
        kind: copy.dst_type,
        host: copy.dst_host,
        device: copy.dst_device,
        pitch: copy.dst_pitch,
        height: 0,
        x_bytes: copy.dst_x_bytes,
        y: copy.dst_y,
        z: 0,
    };
    let from = Description {
        kind: copy.src_type,
        host: copy.src_host,
        device: copy.src_device,
        pitch: copy.src_pitch,
        height: 0,
        x_bytes: copy.src_x_bytes,
        y: copy.src_y,
        z: 0,
    };
    let (to, from) = (to.side(width, height, 1)?, from.side(width, height, 1)?);
    Ok(Copy { to, from, width: width as u64, height: height as u64, depth: 1 })
}

pub(super) fn slices(copy: &Copy3d) -> Result<Copy> {
    let (width, height, depth) = (copy.width_bytes, copy.height, copy.depth);
    let to = Description {
        kind: copy.dst_type,
        host: copy.dst_host,
        device: copy.dst_device,
        pitch: copy.dst_pitch,
        height: copy.dst_height,
        x_bytes: copy.dst_x_bytes,
        y: copy.dst_y,
        z: copy.dst_z,
    };
    let from = Description {
        kind: copy.src_type,
        host: copy.src_host,
        device: copy.src_device,
        pitch: copy.src_pitch,
        height: copy.src_height,
        x_bytes: copy.src_x_bytes,
        y: copy.src_y,
        z: copy.src_z,
    };
    let (to, from) = (to.side(width, height, depth)?, from.side(width, height, depth)?);
    Ok(Copy { to, from, width: width as u64, height: height as u64, depth: depth as u64 })
}

/// Refuses contexts that are none.
fn contexts(to: CuContext, from: CuContext) -> Result<()> {
    for context in [to, from] {
        driver().contexts.find(context).ok_or(Code::InvalidContext)?;
    }
    Ok(())
}

driver_functions! { export_memcpy;
    4000 fn [cuMemcpy cuMemcpy_ptds](to: Host, from: Host, bytes: usize) {
        now(unified(to, from, bytes)?)
    }

    3020 fn [cuMemcpyHtoD_v2 cuMemcpyHtoD_v2_ptds](to: CuDevicePtr, from: Host, bytes: usize) {
        now(to_device(to, from, bytes)?)
    }

    3020 fn [cuMemcpyDtoH_v2 cuMemcpyDtoH_v2_ptds](to: Host, from: CuDevicePtr, bytes: usize) {
        now(to_host(to, from, bytes)?)
    }

    3020 fn [cuMemcpyDtoD_v2 cuMemcpyDtoD_v2_ptds](to: CuDevicePtr, from: CuDevicePtr, bytes: usize) {
        now(within_device(to, from, bytes))
    }

    3020 fn [cuMemcpy2D_v2 cuMemcpy2D_v2_ptds](copy: In<'_, Copy2d>) {
        now(rows(&copy.get()?)?)
    }

    3020 fn [cuMemcpy2DUnaligned_v2 cuMemcpy2DUnaligned_v2_ptds](copy: In<'_, Copy2d>) {
        now(rows(&copy.get()?)?)
    }

    3020 fn [cuMemcpy3D_v2 cuMemcpy3D_v2_ptds](copy: In<'_, Copy3d>) {
        now(slices(&copy.get()?)?)
    }

    4000 fn [cuMemcpy3DPeer cuMemcpy3DPeer_ptds](copy: In<'_, Copy3d>) {
        now(slices(&copy.get()?)?)
    }

    4000 fn [cuMemcpyPeer cuMemcpyPeer_ptds](
        to: CuDevicePtr, to_context: CuContext, from: CuDevicePtr, from_context: CuContext, bytes: usize,
    ) {
        contexts(to_context, from_context)?;
        now(within_device(to, from, bytes))
    }

    4000 fn [cuMemcpyAsync cuMemcpyAsync_ptsz](to: Host, from: Host, bytes: usize, stream: CuStream) {
        submit(unified(to, from, bytes)?, stream)
    }

    3020 fn [cuMemcpyHtoDAsync_v2 cuMemcpyHtoDAsync_v2_ptsz](
        to: CuDevicePtr, from: Host, bytes: usize, stream: CuStream,
    ) {
        submit(to_device(to, from, bytes)?, stream)
    }

    3020 fn [cuMemcpyDtoHAsync_v2 cuMemcpyDtoHAsync_v2_ptsz](
        to: Host, from: CuDevicePtr, bytes: usize, stream: CuStream,
    ) {
        submit(to_host(to, from, bytes)?, stream)
    }

    3020 fn [cuMemcpyDtoDAsync_v2 cuMemcpyDtoDAsync_v2_ptsz](
        to: CuDevicePtr, from: CuDevicePtr, bytes: usize, stream: CuStream,
    ) {
        submit(within_device(to, from, bytes), stream)
    }

    3020 fn [cuMemcpy2DAsync_v2 cuMemcpy2DAsync_v2_ptsz](copy: In<'_, Copy2d>, stream: CuStream) {
        submit(rows(&copy.get()?)?, stream)
    }

    3020 fn [cuMemcpy3DAsync_v2 cuMemcpy3DAsync_v2_ptsz](copy: In<'_, Copy3d>, stream: CuStream) {
        submit(slices(&copy.get()?)?, stream)
    }

    4000 fn [cuMemcpy3DPeerAsync cuMemcpy3DPeerAsync_ptsz](copy: In<'_, Copy3d>, stream: CuStream) {
        submit(slices(&copy.get()?)?, stream)
    }

    4000 fn [cuMemcpyPeerAsync cuMemcpyPeerAsync_ptsz](
        to: CuDevicePtr, to_context: CuContext, from: CuDevicePtr, from_context: CuContext, bytes: usize,
        stream: CuStream,
    ) {
        contexts(to_context, from_context)?;
        submit(within_device(to, from, bytes), stream)
    }
}
