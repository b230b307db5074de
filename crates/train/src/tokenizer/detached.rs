//! Work of a library that has no way to be told to stop.

use std::panic::resume_unwind;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use rayon::ThreadPoolBuilder;

use super::Error;
use crate::stop;

/// How often the flag is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Calls `work` on threads of its own, as many as the ambient rayon pool has, and waits for its result, or gives up with
/// [`Error::Stopped`] once `stop` is set. What was given up goes on unseen until it is done or the process ends.
///
/// # Errors
/// That of `work`; [`Error::Library`] if the system has no more threads.
///
/// # Panics
/// If `work` does, with what it panicked with.
pub(super) fn detached<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, Error> + Send + 'static,
    stop: &AtomicBool,
) -> Result<R, Error> {
    stop::check(stop)?;
    let pool = ThreadPoolBuilder::new().num_threads(rayon::current_num_threads()).build();
    let pool = pool.map_err(|source| Error::library(source.into()))?;
    let (sender, receiver) = sync_channel(1);
    let worker = thread::Builder::new().spawn(move || {
        // Nobody may be waiting any more.
        let _ = sender.send(pool.install(work));
    });
    let worker = worker.map_err(|source| Error::library(source.into()))?;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => stop::check(stop)?,
            // The sender is dropped unused by a panic alone.
            Err(RecvTimeoutError::Disconnected) => {
                resume_unwind(worker.join().err().unwrap_or_else(|| Box::new("no result")))
            }
        }
    }
}
