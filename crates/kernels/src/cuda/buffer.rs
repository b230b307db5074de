//! Device memory of a queue, and parts of it.

use super::{Element, driver};
use crate::{Error, error::check_len};
use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DeviceRepr, ValidAsZeroBits};
use std::marker::PhantomData;
use std::sync::Arc;

const OP: &str = "cuda memory";

/// An allocation, which captured graphs share with the buffer that it was made for.
#[derive(Debug)]
pub(super) struct Allocation {
    /// Freed in the stream's order when the last owner is dropped.
    bytes: CudaSlice<u8>,
}

/// Device memory, of any length.
#[derive(Debug)]
pub struct Buffer<T = f32> {
    allocation: Arc<Allocation>,
    address: u64,
    len: usize,
    values: PhantomData<T>,
}

impl<T: DeviceRepr + ValidAsZeroBits + Copy> Buffer<T> {
    /// `len` zeros, in memory of this queue.
    ///
    /// # Errors
    /// [`Error::Driver`] if the device has no room.
    pub fn zeros(queue: &super::Queue, len: usize) -> Result<Self, Error> {
        queue.count_allocation()?;
        Self::zeros_on(queue.stream(), len)
    }

    pub(super) fn zeros_on(stream: &Arc<CudaStream>, len: usize) -> Result<Self, Error> {
        let limit = "a number of values that fits in memory";
        let bytes = len.checked_mul(size_of::<T>()).ok_or(Error::Size { op: OP, what: "a length", got: len, limit })?;
        // One byte at least, since no driver has an allocation of none.
        let bytes: CudaSlice<u8> = stream.alloc_zeros(bytes.max(1)).map_err(driver(OP, "allocating"))?;
        let address = bytes.device_ptr(stream).0;
        Ok(Buffer { allocation: Arc::new(Allocation { bytes }), address, len, values: PhantomData })
    }

    /// These values, in memory of this queue.
    ///
    /// # Errors
    /// [`Error::Driver`] if the device has no room.
    pub fn from_host(queue: &super::Queue, values: &[T]) -> Result<Self, Error> {
        let mut buffer = Self::zeros(queue, values.len())?;
        buffer.view_mut().write(values)?;
        Ok(buffer)
    }

    /// Copies everything to the host; waits for the queue.
    ///
    /// # Errors
    /// [`Error::Driver`], also for what went wrong in earlier work.
    pub fn read(&self) -> Result<Vec<T>, Error> {
        let mut values = vec![T::zeroed(); self.len];
        self.view().read(&mut values)?;
        Ok(values)
    }
}

/// The zero of a type that has one of zero bits, without `unsafe`.
trait Zeroed: Sized {
    fn zeroed() -> Self;
}

impl<T: ValidAsZeroBits + Copy> Zeroed for T {
    fn zeroed() -> T {
        // SAFETY: `ValidAsZeroBits` says that zero bits are a value of this type.
        unsafe { std::mem::zeroed() }
    }
}

impl<T> Buffer<T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn address(&self) -> u64 {
        self.address
    }

    /// All of it, to read.
    pub fn view(&self) -> View<'_, T> {
        View { address: self.address, len: self.len, allocation: &self.allocation, values: PhantomData }
    }

    /// All of it, to write.
    pub fn view_mut(&mut self) -> ViewMut<'_, T> {
        ViewMut { address: self.address, len: self.len, allocation: &self.allocation, values: PhantomData }
    }
}

/// A part of a buffer, to read.
#[derive(Debug)]
pub struct View<'a, T = f32> {
    address: u64,
    len: usize,
    allocation: &'a Arc<Allocation>,
    values: PhantomData<&'a [T]>,
}

impl<T> Clone for View<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for View<'_, T> {}

/// A part of a buffer, to write.
#[derive(Debug)]
pub struct ViewMut<'a, T = f32> {
    address: u64,
    len: usize,
    allocation: &'a Arc<Allocation>,
    values: PhantomData<&'a mut [T]>,
}

/// The address of value `start` of `len`, if `count` values follow it there. Panics if not: our own mistake, never input.
fn part<T>(address: u64, len: usize, start: usize, count: usize) -> u64 {
    assert!(start <= len && count <= len - start, "values {start} to {start} + {count} of {len}");
    address + (start * size_of::<T>()) as u64
}

impl<'a, T> View<'a, T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The device address, as an argument of a launch.
    pub fn pointer(&self) -> &u64 {
        &self.address
    }

    /// `count` values from `start` on. Panics if there are fewer.
    pub fn part(&self, start: usize, count: usize) -> View<'a, T> {
        View { address: part::<T>(self.address, self.len, start, count), len: count, ..*self }
    }

    /// Refuses memory of another queue, whose work may go on beside this one's. To be called before each launch that is given
    /// the view: a graph that is being captured keeps its memory then.
    ///
    /// # Errors
    /// [`Error::Queue`].
    pub fn check_queue(&self, op: &'static str, arg: &'static str, queue: &super::Queue) -> Result<(), Error> {
        check_allocation(op, arg, self.allocation, queue)
    }
}

impl<'a> View<'a> {
    /// Its bytes.
    pub(crate) fn bytes(self) -> View<'a, u8> {
        let View { address, len, allocation, .. } = self;
        View { address, len: len * size_of::<f32>(), allocation, values: PhantomData }
    }
}

impl<'a> View<'a, u8> {
    /// The bytes as values, of which any bits are one. Panics if they are none of these: our own mistake, never input.
    pub(crate) fn values<T: Element>(self) -> View<'a, T> {
        let View { address, len, allocation, .. } = self;
        View { address, len: values_in::<T>(address, len), allocation, values: PhantomData }
    }
}

impl<'a> ViewMut<'a, u8> {
    /// See [`View::values`].
    pub(crate) fn values<T: Element>(self) -> ViewMut<'a, T> {
        let ViewMut { address, len, allocation, .. } = self;
        ViewMut { address, len: values_in::<T>(address, len), allocation, values: PhantomData }
    }
}

/// How many values these bytes hold.
fn values_in<T: Element>(address: u64, bytes: usize) -> usize {
    let size = size_of::<T>();
    assert!(address.is_multiple_of(size as u64) && bytes.is_multiple_of(size), "{bytes} bytes at {address:#x}");
    bytes / size
}

impl<T> View<'_, T> {
    fn stream(&self) -> &Arc<CudaStream> {
        self.allocation.bytes.stream()
    }
}

impl<T: DeviceRepr> View<'_, T> {
    /// Copies to the host; waits for the queue.
    ///
    /// # Errors
    /// [`Error::Length`] if `values` has another length; [`Error::Driver`], also for what went wrong in earlier work.
    pub fn read(&self, values: &mut [T]) -> Result<(), Error> {
        check_len(OP, "values", "(view)", values.len(), self.len)?;
        if self.len > 0 {
            self.stream().context().bind_to_thread().map_err(driver(OP, "copying to the host"))?;
            // SAFETY: the view's memory is an allocation that its buffer keeps alive, of at least as many bytes as
            // `values`, on the context just bound; `values` stays borrowed until the stream has been waited for below.
            unsafe { cudarc::driver::result::memcpy_dtoh_async(values, self.address, self.stream().cu_stream()) }
                .map_err(driver(OP, "copying to the host"))?;
        }
        self.stream().synchronize().map_err(driver(OP, "waiting for the device"))
    }
}

impl<'a, T> ViewMut<'a, T> {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The device address, as an argument of a launch.
    pub fn pointer(&mut self) -> &u64 {
        &self.address
    }

    /// Gives up writing.
    pub fn into_view(self) -> View<'a, T> {
        View { address: self.address, len: self.len, allocation: self.allocation, values: PhantomData }
    }

    /// The same part for a shorter time.
    pub fn reborrow(&mut self) -> ViewMut<'_, T> {
        ViewMut { address: self.address, len: self.len, allocation: self.allocation, values: PhantomData }
    }

    /// To read, for a shorter time.
    pub fn as_view(&self) -> View<'_, T> {
        View { address: self.address, len: self.len, allocation: self.allocation, values: PhantomData }
    }

    /// Disjoint parts `(start, count)`. Panics if they overlap or lie outside: our own mistake, never input.
    pub fn split<const N: usize>(self, parts: [(usize, usize); N]) -> [ViewMut<'a, T>; N] {
        let mut sorted = parts;
        sorted.sort_unstable();
        assert!(sorted.is_sorted_by(|a, b| a.0 + a.1 <= b.0 || a.1 == 0), "parts that overlap: {parts:?}");
        parts.map(|(start, count)| ViewMut {
            address: part::<T>(self.address, self.len, start, count),
            len: count,
            allocation: self.allocation,
            values: PhantomData,
        })
    }

    /// See [`View::check_queue`].
    ///
    /// # Errors
    /// [`Error::Queue`].
    pub fn check_queue(&self, op: &'static str, arg: &'static str, queue: &super::Queue) -> Result<(), Error> {
        check_allocation(op, arg, self.allocation, queue)
    }
}

impl<T> ViewMut<'_, T> {
    fn stream(&self) -> &Arc<CudaStream> {
        self.allocation.bytes.stream()
    }
}

impl<T: DeviceRepr> ViewMut<'_, T> {
    /// Copies from other device memory of the same queue, in its order.
    ///
    /// # Errors
    /// [`Error::Length`] if `from` has another length; [`Error::Queue`]; [`Error::Driver`].
    pub fn copy(&mut self, from: View<'_, T>) -> Result<(), Error> {
        check_len(OP, "from", "(view)", from.len(), self.len)?;
        if !Arc::ptr_eq(self.stream(), from.stream()) {
            return Err(Error::Queue { op: OP, arg: "from" });
        }
        if self.len == 0 {
            return Ok(());
        }
        self.stream().context().bind_to_thread().map_err(driver(OP, "copying on the device"))?;
        let bytes = self.len * size_of::<T>();
        // SAFETY: both views' memory is kept alive by their buffers until the driver frees it in the stream's order, is
        // `bytes` long and of the context just bound; what is written is borrowed mutably, so the two are disjoint.
        unsafe {
            cudarc::driver::result::memcpy_dtod_async(self.address, from.address, bytes, self.stream().cu_stream())
        }
        .map_err(driver(OP, "copying on the device"))
    }

    /// Copies from the host, in the queue's order. Returns once `values` may be changed again.
    ///
    /// # Errors
    /// [`Error::Length`] if `values` has another length; [`Error::Driver`].
    pub fn write(&mut self, values: &[T]) -> Result<(), Error> {
        check_len(OP, "values", "(view)", values.len(), self.len)?;
        if self.len == 0 {
            return Ok(());
        }
        // SAFETY: the driver has read pageable memory, which `values` is, when the call returns.
        unsafe { self.enqueue_write(values) }
    }

    /// Enqueues a copy from the host, of as many values as the view has.
    ///
    /// # Safety
    /// If `values` are in pinned memory, nobody may write or free them until the stream has made the copy.
    pub(super) unsafe fn enqueue_write(&mut self, values: &[T]) -> Result<(), Error> {
        check_len(OP, "values", "(view)", values.len(), self.len)?;
        self.stream().context().bind_to_thread().map_err(driver(OP, "copying to the device"))?;
        // SAFETY: the view's memory is an allocation that its buffer keeps alive, of as many bytes as `values`, on the
        // context just bound, and borrowed mutably. The caller sees to `values`.
        unsafe { cudarc::driver::result::memcpy_htod_async(self.address, values, self.stream().cu_stream()) }
            .map_err(driver(OP, "copying to the device"))
    }
}

fn check_allocation(
    op: &'static str,
    arg: &'static str,
    allocation: &Arc<Allocation>,
    queue: &super::Queue,
) -> Result<(), Error> {
    if !Arc::ptr_eq(allocation.bytes.stream(), queue.stream()) {
        return Err(Error::Queue { op, arg });
    }
    queue.keep(allocation);
    Ok(())
}
