//! The work behind each command, one module a command.

pub mod attention;
pub mod bench;
pub mod data;
mod device;
pub mod devices;
#[cfg(feature = "emulator")]
pub mod emulator;
pub mod evaluate;
pub mod inspect;
#[cfg(feature = "cuda")]
pub mod kernels;
pub mod runs;
pub mod schedule;
pub mod train;
pub mod translate;
