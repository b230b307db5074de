//! The device that CUDA kernels are tested on: the emulated one with all its checks, or a real one if `NOAM_TEST_DEVICE` is
//! `cuda`.

use super::bits_but_nan;
use crate::cuda::{Buffer, Element, Queue, View, ViewMut};
use noam_emulator::driver::control::{set_counting, take_launches, take_reports};
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
    counted_all(run).map(|mut launches| launches.pop().expect("a launch was counted"))
}

/// The same of all launches that `run` makes, in their order.
pub(crate) fn counted_all(run: impl FnOnce()) -> Option<Vec<Arc<LaunchRecord>>> {
    // Counting is a setting of the process: one at a time.
    static COUNTING: Mutex<()> = Mutex::new(());
    if is_real() {
        run();
        return None;
    }
    let _one = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    set_counting(true, false);
    // This thread's launches while another test was counting.
    drop(take_launches());
    run();
    set_counting(false, false);
    Some(take_launches())
}

/// That a launch reads and writes no more device memory than `floor` bytes and `slack` sectors of 32, in no more requests
/// than must be, and has no bank conflicts.
#[track_caller]
pub(crate) fn check_accesses(launch: &LaunchRecord, (read, written): (usize, usize), slack: usize) {
    let memory = &launch.counters.memory;
    let bytes = [memory.dram_read_bytes(), memory.dram_written_bytes()];
    assert!(bytes[0] <= (read + 32 * slack) as u64, "{}: reads {} bytes, not {read}", launch.kernel, bytes[0]);
    assert!(bytes[1] <= (written + 32 * slack) as u64, "{}: writes {} bytes, not {written}", launch.kernel, bytes[1]);
    assert_eq!(memory.global().excessive_sectors(), 0, "{}", launch.kernel);
    assert_eq!(memory.shared().excessive_wavefronts(), 0, "{}", launch.kernel);
    assert_eq!(memory.local().requests, 0, "{}", launch.kernel);
}

/// What nothing may touch, exactly in every type.
pub(crate) const UNTOUCHED: f32 = 17.0;

/// Values on the device, with `before` in front of them and one behind that nothing may touch. Allocations are aligned
/// to 256 bytes; so `before` says how the values are.
pub(crate) struct Padded<T = f32> {
    buffer: Buffer<T>,
    before: usize,
}

impl<T: Element> Padded<T> {
    /// The nearest values of `T`.
    pub(crate) fn new(queue: &Queue, values: &[f32], before: usize) -> Self {
        Padded::of(queue, &values.iter().map(|&x| T::from_f32(x)).collect::<Vec<T>>(), before)
    }

    /// Values of `T` as they are.
    pub(crate) fn of(queue: &Queue, values: &[T], before: usize) -> Self {
        let untouched = T::from_f32(UNTOUCHED);
        let padded = [&vec![untouched; before][..], values, &[untouched]].concat();
        Padded { buffer: Buffer::from_host(queue, &padded).unwrap(), before }
    }

    fn len(&self) -> usize {
        self.buffer.len() - self.before - 1
    }

    pub(crate) fn view(&self) -> View<'_, T> {
        self.buffer.view().part(self.before, self.len())
    }

    pub(crate) fn view_mut(&mut self) -> ViewMut<'_, T> {
        let span = (self.before, self.len());
        let [view] = self.buffer.view_mut().split([span]);
        view
    }

    /// The values as they are, once nothing around them has changed.
    #[track_caller]
    pub(crate) fn read_typed(&self) -> Vec<T> {
        let untouched = T::from_f32(UNTOUCHED);
        let mut values = self.buffer.read().unwrap();
        assert_eq!(values.pop(), Some(untouched), "behind the values");
        assert!(values.drain(..self.before).all(|x| x == untouched), "in front of the values");
        values
    }

    /// The same in f32.
    #[track_caller]
    pub(crate) fn read(&self) -> Vec<f32> {
        self.read_typed().into_iter().map(T::to_f32).collect()
    }

    /// Their bits in f32, one pattern for every NaN.
    #[track_caller]
    pub(crate) fn bits(&self) -> Vec<u32> {
        bits_but_nan(&self.read())
    }
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
