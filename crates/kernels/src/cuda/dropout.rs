//! A dropout as kernels take it: `Dropout` of dropout.cuh.

use super::Queue;
use crate::{Error, dropout::Dropout};
use cudarc::driver::DeviceRepr;

/// The argument of kernels with dropout. The step is read from device memory, so that a captured launch replays with the
/// next one.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct DropoutWords {
    step: u64,
    key: [u32; 2],
    threshold: u32,
    scale: f32,
    place: u32,
    unused: u32,
}

// SAFETY: plain words laid out as `Dropout` of dropout.cuh, without padding: 8 + 8 + 4 + 4 + 4 + 4 bytes.
unsafe impl DeviceRepr for DropoutWords {}

impl Queue {
    /// `dropout` for a launch on this queue. An active one sets the queue's step to its own ([`Queue::set_step`]).
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn dropout(&self, dropout: Dropout) -> Result<DropoutWords, Error> {
        let (threshold, scale, key, step, place) = dropout.words();
        if dropout.is_active() {
            self.set_step(step)?;
        }
        Ok(DropoutWords { step: self.step_address(), key, threshold, scale, place, unused: 0 })
    }
}
