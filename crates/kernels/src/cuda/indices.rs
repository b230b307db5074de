//! 32-bit indices, tokens and lengths, that come from the host again and again.

use super::{Buffer, Queue, View, ViewMut, driver};
use crate::Error;
use cudarc::driver::{CudaEvent, PinnedHostSlice};

const OP: &str = "cuda indices";

/// 32-bit indices on the device, with the host's copy, by which they are checked before a launch.
///
/// They are sent through pinned memory, in the queue's order, while the host goes on: it waits only for the copy before the last
/// one, whose place the next takes. So it is at most two batches ahead of the device.
#[derive(Debug)]
pub struct Indices {
    device: Buffer<u32>,
    host: Vec<u32>,
    /// Two, which take turns; none before they are needed.
    staging: [Option<Staging>; 2],
}

/// Pinned memory on its way to the device.
#[derive(Debug)]
struct Staging {
    values: PinnedHostSlice<u32>,
    /// When the last copy from it has been made.
    copied: CudaEvent,
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The memory is freed next. If waiting fails the context has failed, and copies nothing any more.
        let _ = self.copied.synchronize();
    }
}

impl Staging {
    fn new(queue: &Queue, len: usize) -> Result<Self, Error> {
        const DOING: &str = "allocating pinned memory";
        let context = queue.stream().context();
        // SAFETY: nothing reads the memory before `send` has written it.
        let values = unsafe { context.alloc_pinned(len) }.map_err(driver(OP, DOING))?;
        let copied = context.new_event(None).map_err(driver(OP, DOING))?;
        Ok(Staging { values, copied })
    }

    /// Sends values, once those before have left.
    fn send(&mut self, queue: &Queue, values: &[u32], mut to: ViewMut<'_, u32>) -> Result<(), Error> {
        to.check_queue(OP, "indices", queue)?;
        self.copied.synchronize().map_err(driver(OP, "waiting for an earlier copy"))?;
        let staged = self.values.as_mut_slice().map_err(driver(OP, "writing pinned memory"))?;
        let staged = &mut staged[..values.len()];
        staged.copy_from_slice(values);
        // SAFETY: nothing but the next `send` writes this memory, and nothing but `drop` frees it; both wait for the event that
        // is recorded behind the copy on its stream, which is the queue's, or for the whole stream if that can't be.
        unsafe { to.enqueue_write(staged) }?;
        self.copied.record(queue.stream()).map_err(|error| {
            let _ = queue.stream().synchronize();
            driver(OP, "recording a copy")(error)
        })
    }
}

impl Indices {
    /// None, with room for `capacity`.
    ///
    /// # Errors
    /// [`Error::Driver`] if the device has no room.
    pub fn new(queue: &Queue, capacity: usize) -> Result<Self, Error> {
        let device = Buffer::zeros(queue, capacity)?;
        Ok(Indices { device, host: Vec::with_capacity(capacity), staging: [None, None] })
    }

    /// These.
    ///
    /// # Errors
    /// [`Error::Driver`] if the device has no room.
    pub fn from_host(queue: &Queue, values: &[u32]) -> Result<Self, Error> {
        let mut indices = Indices::new(queue, values.len())?;
        indices.set(queue, values)?;
        Ok(indices)
    }

    /// Replaces them; allocates only to grow.
    ///
    /// # Errors
    /// [`Error::Driver`] if there is no room on the device, or none in the host's memory that can be pinned, or the copy fails;
    /// [`Error::Queue`] if this is not the queue that they were made for.
    pub fn set(&mut self, queue: &Queue, values: &[u32]) -> Result<(), Error> {
        if values.len() > self.device.len() {
            self.device = Buffer::zeros(queue, values.len())?;
        }
        if !values.is_empty() {
            self.staging.swap(0, 1);
            let staging = match &mut self.staging[0] {
                Some(staging) if staging.values.len() >= values.len() => staging,
                // As much as the device has room for: it grows as seldom.
                staging => staging.insert(Staging::new(queue, self.device.len())?),
            };
            let [to] = self.device.view_mut().split([(0, values.len())]);
            staging.send(queue, values, to)?;
        }
        self.host.clear();
        self.host.extend_from_slice(values);
        Ok(())
    }

    /// The host's copy.
    pub fn host(&self) -> &[u32] {
        &self.host
    }

    /// The device's.
    pub fn view(&self) -> View<'_, u32> {
        self.device.view().part(0, self.host.len())
    }
}
