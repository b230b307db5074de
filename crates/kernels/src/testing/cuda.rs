//! The device that CUDA kernels are tested on: the emulated one with all its checks, or a real one if `NOAM_TEST_DEVICE` is
//! `cuda`.

use crate::cuda::Queue;
use noam_emulator::driver::control::take_reports;
use noam_emulator::driver::{configure, settings::Settings};
use noam_emulator::finding::Checks;
use std::ops::Deref;
use std::sync::Once;

/// A queue of the device, which must have found nothing wrong when it is dropped.
pub(crate) struct Device(Queue);

/// A queue on the device.
pub(crate) fn device() -> Device {
    static INSTALLED: Once = Once::new();
    let real = std::env::var_os("NOAM_TEST_DEVICE").is_some_and(|device| device == "cuda");
    if !real {
        INSTALLED.call_once(|| {
            // Leaks are looked for when a context ends, and tests share one.
            let checks = Checks { leak: false, ..Checks::ALL };
            configure(Settings { checks, ..Settings::default() }).expect("nothing has used the emulator before");
            noam_emulator::install::install().expect("the emulator can be installed");
        });
    }
    Device(Queue::new(0).expect("a device"))
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
