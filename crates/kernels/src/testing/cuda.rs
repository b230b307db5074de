//! The device that CUDA kernels are tested on: the emulated one with all its checks, or a real one if `NOAM_TEST_DEVICE` is
//! `cuda`.

use crate::cuda::Queue;
use noam_emulator::driver::control::{last_launch, set_counting, take_reports};
use noam_emulator::driver::{configure, record::LaunchRecord, settings::Settings};
use noam_emulator::finding::Checks;
use std::ops::Deref;
use std::sync::{Arc, Mutex, Once, PoisonError};

/// A queue of the device, which must have found nothing wrong when it is dropped.
pub(crate) struct Device(Queue);

fn is_real() -> bool {
    std::env::var_os("NOAM_TEST_DEVICE").is_some_and(|device| device == "cuda")
}

/// A queue on the device.
pub(crate) fn device() -> Device {
    static INSTALLED: Once = Once::new();
    if !is_real() {
        INSTALLED.call_once(|| {
            // Leaks are looked for when a context ends, and tests share one.
            let checks = Checks { leak: false, ..Checks::ALL };
            configure(Settings { checks, ..Settings::default() }).expect("nothing has used the emulator before");
            noam_emulator::install::install().expect("the emulator can be installed");
        });
    }
    Device(Queue::new(0).expect("a device"))
}

/// What the launch that `run` ends with did, as the emulator counts it; nothing on a real device.
pub(crate) fn counted(run: impl FnOnce()) -> Option<Arc<LaunchRecord>> {
    // Counting is a setting of the process: one at a time.
    static COUNTING: Mutex<()> = Mutex::new(());
    if is_real() {
        run();
        return None;
    }
    let _one = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    set_counting(true, false);
    run();
    let launch = last_launch();
    set_counting(false, false);
    Some(launch.expect("a launch was counted"))
}

impl Deref for Device {
    type Target = Queue;
    fn deref(&self) -> &Queue {
        &self.0
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.wait().expect("no launch has failed");
            let reports = take_reports();
            assert!(reports.is_empty(), "{reports:#?}");
        }
    }
}
