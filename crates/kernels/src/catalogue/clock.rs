//! How long launches take on a device, one at a time and with cold caches; and what the device can do, to compare with.

use super::{Case, Prepared, square_products};
use crate::Error;
use crate::cuda::{Buffer, Fill, Queue, Timer};
use std::time::{Duration, Instant};

/// Launches before the first that is timed.
const UNTIMED: usize = 3;

/// How long a device is kept busy before anything is timed: its clock rises meanwhile.
const WARM_UP: Duration = Duration::from_millis(300);

/// The least memory that is written to clear the caches: so that it takes longer than the host takes to enqueue what is
/// timed, which would be part of the time otherwise.
const CLEARED_BYTES: usize = 256 << 20;

/// The most memory that is copied to measure the bandwidth.
const COPIED_BYTES: usize = 1 << 30;

/// Seconds, ascending.
#[derive(Clone, Debug, PartialEq)]
pub struct Times(Vec<f64>);

impl Times {
    /// Of any order. Panics if there are none: our own mistake.
    pub fn new(mut seconds: Vec<f64>) -> Self {
        assert!(!seconds.is_empty(), "no times");
        seconds.sort_by(f64::total_cmp);
        Times(seconds)
    }

    /// The value below which so many quarters of the times lie, between neighbours as far as that says.
    fn quarters(&self, count: usize) -> f64 {
        let at = (self.0.len() - 1) as f64 * count as f64 / 4.0;
        let (below, above) = (self.0[at.floor() as usize], self.0[at.ceil() as usize]);
        below + (above - below) * at.fract()
    }

    /// The median.
    pub fn median(&self) -> f64 {
        self.quarters(2)
    }

    /// How far the times' middle half spreads, as a part of the median.
    pub fn spread(&self) -> f64 {
        (self.quarters(3) - self.quarters(1)) / self.median()
    }
}

/// Times launches on one queue.
#[derive(Debug)]
pub struct Clock {
    timer: Timer,
    fill: Fill,
    /// More than the second-level cache holds.
    cleared: Buffer<f32>,
}

impl Clock {
    /// For this queue.
    ///
    /// # Errors
    /// [`Error::Driver`], above all if the device has no room.
    pub fn new(queue: &Queue) -> Result<Self, Error> {
        let bytes = CLEARED_BYTES.max(2 * queue.l2_bytes()?);
        Ok(Clock { timer: Timer::new(queue)?, fill: Fill::load(queue)?, cleared: Buffer::zeros(queue, bytes / 4)? })
    }

    /// Leaves nothing that was there before in the caches.
    fn clear(&mut self, queue: &Queue) -> Result<(), Error> {
        self.fill.fill(queue, self.cleared.view_mut(), 0.0)
    }

    /// Times of `samples` launches of a case. Before each its operands are put back, and then the caches are cleared.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn time(&mut self, queue: &Queue, prepared: &mut Prepared, samples: usize) -> Result<Times, Error> {
        for _ in 0..UNTIMED {
            prepared.reset(queue)?;
            prepared.launch(queue)?;
        }
        let mut seconds = Vec::new();
        for _ in 0..samples.max(1) {
            prepared.reset(queue)?;
            self.clear(queue)?;
            seconds.push(self.timer.seconds(queue, || prepared.launch(queue))?);
        }
        Ok(Times::new(seconds))
    }

    /// The bytes a second that the device reads and writes, together, when it copies a large buffer within its memory.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn copy_bandwidth(&mut self, queue: &Queue, samples: usize) -> Result<f64, Error> {
        self.bandwidth_of(queue, (queue.free_bytes()? / 8).min(COPIED_BYTES), samples)
    }

    fn bandwidth_of(&mut self, queue: &Queue, bytes: usize, samples: usize) -> Result<f64, Error> {
        let from = Buffer::<f32>::zeros(queue, bytes / 4)?;
        let mut to = Buffer::<f32>::zeros(queue, bytes / 4)?;
        let mut seconds = Vec::new();
        for _ in 0..samples.max(1) + UNTIMED {
            self.clear(queue)?;
            seconds.push(self.timer.seconds(queue, || to.view_mut().copy(from.view()))?);
        }
        let times = Times::new(seconds.split_off(UNTIMED));
        Ok(2.0 * (4 * from.len()) as f64 / times.median())
    }

    /// The floating-point operations a second of the fastest of our own products of large square matrices of this
    /// element type, and that case. Keeps the device busy for a while first.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn matrix_rate(&mut self, queue: &Queue, element: &str, samples: usize) -> Result<(f64, Case), Error> {
        // Some milliseconds on devices of today, in f32 and on tensor cores.
        let n = if element == "f32" { 4096 } else { 8192 };
        self.rate_of(queue, square_products(n, element), WARM_UP, samples)
    }

    fn rate_of(
        &mut self,
        queue: &Queue,
        cases: Vec<Case>,
        warm_up: Duration,
        samples: usize,
    ) -> Result<(f64, Case), Error> {
        let mut best: Option<(f64, Case)> = None;
        for case in cases {
            let mut prepared = case.prepare(queue)?;
            let start = Instant::now();
            while start.elapsed() < warm_up {
                prepared.launch(queue)?;
                queue.wait()?;
            }
            let rate = case.work.flops as f64 / self.time(queue, &mut prepared, samples)?.median();
            if best.as_ref().is_none_or(|(known, _)| rate > *known) {
                best = Some((rate, case));
            }
        }
        Ok(best.expect("there are several layouts"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Grid, cases};
    use crate::testing::cuda::device;

    #[test]
    fn medians_and_spreads_are_those_of_the_sorted_times() {
        let times = Times::new(vec![5.0, 1.0, 2.0, 4.0, 3.0]);
        assert_eq!((times.median(), times.spread()), (3.0, (4.0 - 2.0) / 3.0));
        let times = Times::new(vec![2.0, 1.0]);
        assert_eq!((times.median(), times.spread()), (1.5, 0.5 / 1.5));
        assert_eq!(Times::new(vec![7.0]).median(), 7.0);
    }

    #[test]
    fn launches_copies_and_products_take_time() {
        let queue = device();
        // Less is cleared than on a device that is worth timing.
        let mut clock = Clock {
            timer: Timer::new(&queue).unwrap(),
            fill: Fill::load(&queue).unwrap(),
            cleared: Buffer::zeros(&queue, 1000).unwrap(),
        };
        let case = cases(Grid::Awkward).into_iter().find(|case| case.name() == "adam/N8195/f32").unwrap();
        let mut prepared = case.prepare(&queue).unwrap();
        let times = clock.time(&queue, &mut prepared, 5).unwrap();
        assert_eq!(times.0.len(), 5);
        assert!(times.0.is_sorted() && times.0[0] > 0.0 && times.0[4] < 100.0, "{times:?}");
        assert!(clock.bandwidth_of(&queue, 4000, 3).unwrap() > 0.0);
        let (rate, best) = clock.rate_of(&queue, square_products(33, "bf16"), Duration::ZERO, 2).unwrap();
        assert!(rate > 0.0 && best.name().ends_with("_M33_N33_K33/bf16"), "{}", best.name());
        assert!(queue.l2_bytes().unwrap() > 1 << 20 && queue.free_bytes().unwrap() > 1 << 20);
    }
}
