//! How long work on a queue takes, by the device's own clock.

use super::{Queue, driver};
use crate::Error;
use cudarc::driver::CudaEvent;
use cudarc::driver::sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE;
use cudarc::driver::sys::CUevent_flags::CU_EVENT_DEFAULT;

const OP: &str = "cuda timer";

/// Two moments on a queue.
#[derive(Debug)]
pub struct Timer {
    start: CudaEvent,
    end: CudaEvent,
}

impl Timer {
    /// For work on this queue.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn new(queue: &Queue) -> Result<Self, Error> {
        let event =
            || queue.stream().context().new_event(Some(CU_EVENT_DEFAULT)).map_err(driver(OP, "making an event"));
        Ok(Timer { start: event()?, end: event()? })
    }

    /// The seconds between the end of what was enqueued before and the end of what `work` enqueues; waits for both.
    ///
    /// If the queue is idle, that includes the time that the host takes to enqueue.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Driver`], also for what went wrong in earlier work.
    pub fn seconds(&self, queue: &Queue, work: impl FnOnce() -> Result<(), Error>) -> Result<f64, Error> {
        self.start.record(queue.stream()).map_err(driver(OP, "recording an event"))?;
        work()?;
        self.end.record(queue.stream()).map_err(driver(OP, "recording an event"))?;
        let milliseconds = self.start.elapsed_ms(&self.end).map_err(driver(OP, "waiting for the device"))?;
        Ok(f64::from(milliseconds) / 1e3)
    }
}

impl Queue {
    /// Bytes of the device's second-level cache.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn l2_bytes(&self) -> Result<usize, Error> {
        let bytes = self.stream().context().attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
        Ok(bytes.map_err(driver(OP, "asking for the size of the cache"))?.max(0) as usize)
    }

    /// Bytes of the device's memory that are free.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn free_bytes(&self) -> Result<usize, Error> {
        let (free, _) = self.stream().context().mem_get_info().map_err(driver(OP, "asking for the free memory"))?;
        Ok(free)
    }
}
