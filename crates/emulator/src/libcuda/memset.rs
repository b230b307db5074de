//! Fills.

use super::{entry::driver_functions, memory::context, types::*};
use crate::driver::{capture, error::Result, fill::Fill, operation::Operation};

fn flat(address: u64, value: u32, element_bytes: u32, count: usize) -> Fill {
    Fill { address, value, element_bytes, width: count as u64, height: 1, pitch: 0 }
}

fn rows(address: u64, pitch: usize, value: u32, element_bytes: u32, width: usize, height: usize) -> Fill {
    Fill { address, value, element_bytes, width: width as u64, height: height as u64, pitch: pitch as u64 }
}

/// A fill in the null stream.
fn now(fill: Fill) -> Result<()> {
    context()?;
    capture::forbid()?;
    submit(fill, CuStream::NULL)
}

fn submit(fill: Fill, stream: CuStream) -> Result<()> {
    Stream::resolve(stream)?.submit(Operation::Fill(fill))
}

driver_functions! { export_memset;
    3020 fn [cuMemsetD8_v2 cuMemsetD8_v2_ptds](address: CuDevicePtr, value: u8, count: usize) {
        now(flat(address, value.into(), 1, count))
    }

    3020 fn [cuMemsetD16_v2 cuMemsetD16_v2_ptds](address: CuDevicePtr, value: u16, count: usize) {
        now(flat(address, value.into(), 2, count))
    }

    3020 fn [cuMemsetD32_v2 cuMemsetD32_v2_ptds](address: CuDevicePtr, value: u32, count: usize) {
        now(flat(address, value, 4, count))
    }

    3020 fn [cuMemsetD2D8_v2 cuMemsetD2D8_v2_ptds](
        address: CuDevicePtr, pitch: usize, value: u8, width: usize, height: usize,
    ) {
        now(rows(address, pitch, value.into(), 1, width, height))
    }

    3020 fn [cuMemsetD2D16_v2 cuMemsetD2D16_v2_ptds](
        address: CuDevicePtr, pitch: usize, value: u16, width: usize, height: usize,
    ) {
        now(rows(address, pitch, value.into(), 2, width, height))
    }

    3020 fn [cuMemsetD2D32_v2 cuMemsetD2D32_v2_ptds](
        address: CuDevicePtr, pitch: usize, value: u32, width: usize, height: usize,
    ) {
        now(rows(address, pitch, value, 4, width, height))
    }

    3020 fn [cuMemsetD8Async cuMemsetD8Async_ptsz](
        address: CuDevicePtr, value: u8, count: usize, stream: CuStream,
    ) {
        submit(flat(address, value.into(), 1, count), stream)
    }

    3020 fn [cuMemsetD16Async cuMemsetD16Async_ptsz](
        address: CuDevicePtr, value: u16, count: usize, stream: CuStream,
    ) {
        submit(flat(address, value.into(), 2, count), stream)
    }

    3020 fn [cuMemsetD32Async cuMemsetD32Async_ptsz](
        address: CuDevicePtr, value: u32, count: usize, stream: CuStream,
    ) {
        submit(flat(address, value, 4, count), stream)
    }

    3020 fn [cuMemsetD2D8Async cuMemsetD2D8Async_ptsz](
        address: CuDevicePtr, pitch: usize, value: u8, width: usize, height: usize, stream: CuStream,
    ) {
        submit(rows(address, pitch, value.into(), 1, width, height), stream)
    }

    3020 fn [cuMemsetD2D16Async cuMemsetD2D16Async_ptsz](
        address: CuDevicePtr, pitch: usize, value: u16, width: usize, height: usize, stream: CuStream,
    ) {
        submit(rows(address, pitch, value.into(), 2, width, height), stream)
    }

    3020 fn [cuMemsetD2D32Async cuMemsetD2D32Async_ptsz](
        address: CuDevicePtr, pitch: usize, value: u32, width: usize, height: usize, stream: CuStream,
    ) {
        submit(rows(address, pitch, value, 4, width, height), stream)
    }
}
