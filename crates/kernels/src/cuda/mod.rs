//! What the operations' CUDA launchers share: the order of work, memory, views, and how kernels are loaded.
//!
//! A [`Queue`] is a CUDA stream: everything goes on it in order, and nothing waits for it but [`Buffer::read`] and
//! [`Queue::wait`]. A [`Buffer`] is device memory, [`View`] and [`ViewMut`] are parts of one under Rust's rules of borrowing.
//! Each operation's `cuda.rs` has a `Kernels` that [loads](Queue::load) its PTX once, with a method for each launch.
//! Where each type of element has PTX of its own, that is loaded by the first launch in that type.
//!
//! What changes from one step to the next while shapes stay lies in device memory: the step that dropout counts with, the
//! scale of gradients, token ids, lengths. So a step that was captured as a CUDA graph can be replayed.
//!
//! The headers beside this file hold the device's side of [`crate::lanes`], [`crate::math`], [`crate::philox`] and
//! [`crate::dropout`]: the same arithmetic, tested against them bit by bit.

mod buffer;
mod by_element;
pub mod devices;
mod dropout;
mod element;
mod fill;
mod indices;
mod once;
mod queue;
#[cfg(test)]
mod tests;
mod timer;

pub use buffer::{Buffer, View, ViewMut};
pub(crate) use by_element::ByElement;
pub use dropout::DropoutWords;
pub use element::{Bf16, Element, F16, Tf32};
pub use fill::Fill;
pub use indices::Indices;
pub(crate) use once::{Once, OnceByElement, once};
pub use queue::{Graph, Kernel, Module, Queue};
pub use timer::Timer;

use crate::Error;
use cudarc::driver::DriverError;

/// Threads of a warp, and the lanes of [`crate::lanes`].
pub const WARP: u32 = 32;

/// The error of a call of the driver, with the operation that made it and what it was asked to do.
pub fn driver(op: &'static str, doing: &'static str) -> impl FnOnce(DriverError) -> Error {
    move |source| Error::Driver { op, doing, source }
}

/// A size as a kernel takes it: 32 bits, signed, so that index arithmetic is the hardware's fastest.
///
/// # Errors
/// [`Error::Size`] if it does not fit.
pub fn int(op: &'static str, what: &'static str, got: usize) -> Result<i32, Error> {
    i32::try_from(got).map_err(|_| Error::Size { op, what, got, limit: "less than 2^31 on a CUDA device" })
}
