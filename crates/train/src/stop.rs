//! Work that can be told to stop: a flag that it looks at every few milliseconds.

use std::sync::atomic::{AtomicBool, Ordering};

/// What work returns in the place of its result once its flag was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("told to stop")]
pub struct Stopped;

/// A flag that nobody sets.
pub(crate) static NEVER: AtomicBool = AtomicBool::new(false);

/// Ends the work that asks, by `?`, if the flag is set.
pub(crate) fn check(stop: &AtomicBool) -> Result<(), Stopped> {
    if stop.load(Ordering::Relaxed) { Err(Stopped) } else { Ok(()) }
}
