//! The update on a CUDA device: one launch, whose step and rate come from device memory.
//!
//! The device owns the count. A launch reads it, takes the scalars of the next update from a table in device memory, and
//! advances the count if it has updated; `adam.cu` says how. So a launch captured in a CUDA graph replays with the next
//! rate, and one whose gradients are not finite moves neither the count nor the schedule. The table's scalars are those of
//! [`Config::scalars`]: there is no second formula on the device.
//!
//! The host fills the table [`SLOTS`] updates ahead, in the stream's order. It does not know how many launches skipped,
//! so it counts every launch as an update until [`CudaAdam::progress`] tells; after [`SLOTS`] launches without asking,
//! [`CudaAdam::prepare`] asks by itself, which waits for the stream. A loop that logs more often never waits for it.

#[cfg(test)]
mod tests;

use super::{Config, Gradients, OP, Outcome, Scalars};
use crate::Error;
use crate::cuda::{Buffer, ByElement, Element, Kernel, Module, Queue, View, ViewMut, driver};
use crate::error::check_len;
use cudarc::driver::{LaunchConfig, PushKernelArg};
use noam_schedule::{Schedule, Step};

/// How many updates the table on the device reaches ahead.
pub const SLOTS: u64 = 1024;

/// 64-bit words of one update's [`Scalars`].
const WORDS: usize = size_of::<Scalars>() / 8;

/// Words of `Progress` in `adam.cu`, and which is which.
const PROGRESS: usize = 10;
const UPDATES: usize = 0;
const FILLED: usize = 1;
const SKIPPED: usize = 3;
const BAD_SCALE: usize = 4;
const NO_RATE: usize = 5;
const DAMAGED: usize = 6;
const RATE: usize = 7;
const NORM: usize = 8;
const OUTCOME: usize = 9;

/// Threads a block, as `adam.cu` is compiled for.
const THREADS: u32 = 256;

/// Blocks a multiprocessor: as many as its registers hold (56 a thread on sm_80 and sm_90). More blocks would only add to
/// the one atomic addition that each makes.
const BLOCKS_EACH: u32 = 4;

const BAD_SCALE_WHY: &str =
    "the gradients' scale in device memory was negative or not finite; 1 leaves the gradients as they are";
const NO_RATE_WHY: &str = "their rate was not on the device; call `prepare` once before each launch or replay";

/// The buffers of an update in device memory, each of one value a parameter in the same order.
#[derive(Debug)]
pub struct CudaState<'a> {
    /// The parameters.
    pub params: ViewMut<'a>,
    /// Their gradients; written only with [`Gradients::Clear`].
    pub grads: ViewMut<'a>,
    /// First moments, zero before the first update.
    pub m: ViewMut<'a>,
    /// Second moments, zero before the first update.
    pub v: ViewMut<'a>,
}

/// What the device has done so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Updates applied, with those before [`CudaAdam::resume`].
    pub updates: u64,
    /// Launches that changed nothing because the norm was not finite.
    pub skipped: u64,
    /// Updates that left a parameter or a moment behind that is not finite.
    pub damaged: u64,
    /// What the last launch did; `None` before the first.
    pub last: Option<Outcome>,
}

/// The two words in device memory that [`CudaAdam::enqueue`] reads: those of [`GradScale`](super::GradScale).
pub fn gradient_words(norm: f64, scale: f32) -> [u64; 2] {
    [norm.to_bits(), u64::from(scale.to_bits())]
}

/// The optimiser on a CUDA device: its constants there, and the count of updates. The moments are the caller's, in
/// [`CudaState`].
#[derive(Debug)]
pub struct CudaAdam {
    config: Config,
    plain: Pair,
    copying: ByElement<Pair>,
    blocks: u32,
    table: Buffer<u64>,
    /// What the host has written there.
    written: Vec<u64>,
    progress: Buffer<u64>,
    /// The count, when last asked for.
    known: u64,
    /// Calls of `prepare` since then: the count is at most `known + since`.
    since: u64,
    /// The table holds the scalars of the updates up to this one.
    filled: u64,
}

/// The kernels that keep the gradients and that clear them.
#[derive(Debug)]
struct Pair {
    keep: Kernel,
    clear: Kernel,
}

impl Pair {
    fn load(module: &Module, name: &str) -> Result<Self, Error> {
        Ok(Pair { keep: module.function(name)?, clear: module.function(&format!("{name}_clear"))? })
    }

    fn of(&self, after: Gradients) -> &Kernel {
        match after {
            Gradients::Keep => &self.keep,
            Gradients::Clear => &self.clear,
        }
    }
}

impl CudaAdam {
    /// Before the first update.
    ///
    /// # Errors
    /// Those of [`Config::check`]; [`Error::Driver`] if the driver takes no PTX of ISA 8.0 (it is older than 525), the
    /// device is older than sm_80, or its memory is full.
    pub fn new(queue: &Queue, config: Config) -> Result<Self, Error> {
        Self::resume(queue, config, 0)
    }

    /// After `updates` updates, as [`Progress::updates`] gave them. The next one is number `updates + 1`.
    ///
    /// # Errors
    /// As [`CudaAdam::new`].
    pub fn resume(queue: &Queue, config: Config, updates: u64) -> Result<Self, Error> {
        config.check()?;
        let module = queue.load(OP, include_str!("adam.ptx"))?;
        let mut words = [0; PROGRESS];
        words[UPDATES] = updates;
        words[FILLED] = updates;
        Ok(CudaAdam {
            config,
            plain: Pair::load(&module, "adam_f32")?,
            copying: ByElement::load(|element| Pair::load(&module, &format!("adam_f32_copy_{element}")))?,
            blocks: queue.multiprocessors() * BLOCKS_EACH,
            table: Buffer::zeros(queue, SLOTS as usize * WORDS)?,
            written: vec![0; SLOTS as usize * WORDS],
            progress: Buffer::from_host(queue, &words)?,
            known: updates,
            since: 0,
            filled: updates,
        })
    }

    /// The constants.
    pub fn config(&self) -> Config {
        self.config
    }

    /// Makes sure that the next launch finds its rate on the device. To be called once before each
    /// [`enqueue`](CudaAdam::enqueue), or before each replay of a graph that holds one; not while a graph is captured.
    ///
    /// The schedule may be another one each time, as one is whose rates follow what is seen in training: where its rates differ
    /// from those on the device, these are replaced.
    ///
    /// # Errors
    /// Those of [`Config::scalars`] for the next launch's step; [`Error::Size`] after 2^64 - 1 updates;
    /// [`Error::Driver`].
    pub fn prepare<S: Schedule + ?Sized>(&mut self, schedule: &S) -> Result<(), Error> {
        if self.since >= SLOTS {
            self.read()?;
        }
        let next = self.known.checked_add(self.since + 1).ok_or(Error::Size {
            op: OP,
            what: "the count of updates",
            got: usize::MAX,
            limit: "less than 2^64 - 1; was it read from a damaged file?",
        })?;
        // Any of these may be the next launch's: the launches before it may have skipped.
        let changed = (self.known + 1..=next.min(self.filled)).any(|step| !self.holds(schedule, step));
        if changed {
            self.filled = self.known;
        }
        if next > self.filled {
            self.fill(schedule, next)?;
        }
        self.since += 1;
        Ok(())
    }

    /// Whether the table's scalars of this update are those of this schedule.
    fn holds<S: Schedule + ?Sized>(&self, schedule: &S, update: u64) -> bool {
        let scalars = Step::new(update).ok().and_then(|step| self.config.scalars(schedule, step).ok());
        let at = (update - 1) % SLOTS * WORDS as u64;
        let written = &self.written[at as usize..][..WORDS];
        scalars.is_some_and(|scalars| bytemuck::cast::<Scalars, [u64; WORDS]>(scalars) == written)
    }

    /// Extends the table to update `next` and as far beyond it as slots are free and the schedule has rates.
    fn fill<S: Schedule + ?Sized>(&mut self, schedule: &S, next: u64) -> Result<(), Error> {
        let last = self.known.saturating_add(SLOTS);
        let mut words: Vec<u64> = Vec::new();
        let mut filled = self.filled;
        while filled < last {
            let step = Step::new(filled + 1).map_err(|_| Error::Size {
                op: OP,
                what: "the step",
                got: 0,
                limit: "at least 1; a count of updates starts at 0",
            })?;
            match self.config.scalars(schedule, step) {
                Ok(scalars) => words.extend(bytemuck::cast::<Scalars, [u64; WORDS]>(scalars)),
                // A rate further on is wrong: that is for the update that needs it to say.
                Err(_) if filled >= next => break,
                Err(error) => return Err(error),
            }
            filled += 1;
        }
        // The slots from the first free one to the end, then those from the start. A slot is overwritten by a copy that the
        // stream makes after all launches so far, and only once its update is known to have been applied, or for another rate
        // of the same update.
        let first = (self.filled % SLOTS) as usize * WORDS;
        let (end, start) = words.split_at(words.len().min(SLOTS as usize * WORDS - first));
        for (at, words) in [(first, end), (0, start)] {
            if !words.is_empty() {
                let [mut to] = self.table.view_mut().split([(at, words.len())]);
                to.write(words)?;
                self.written[at..][..words.len()].copy_from_slice(words);
            }
        }
        let [mut to] = self.progress.view_mut().split([(FILLED, 1)]);
        to.write(&[filled])?;
        self.filled = filled;
        Ok(())
    }

    /// Enqueues one update, and nothing else: it can be captured. `gradient` holds the two words of
    /// [`gradient_words`], which may be written on the device. If their norm is not finite when the launch runs, it
    /// changes nothing but the gradients that it clears.
    ///
    /// # Errors
    /// [`Error::Length`] if the buffers differ in length or `gradient` is not two words; [`Error::Driver`].
    pub fn enqueue(
        &mut self,
        queue: &Queue,
        gradient: &View<'_, u64>,
        after: Gradients,
        state: CudaState<'_>,
    ) -> Result<(), Error> {
        self.launch::<f32>(queue, gradient, after, state, None)
    }

    /// [`enqueue`](CudaAdam::enqueue), which also writes every updated parameter to `copy`, rounded to `T`: what a
    /// model that computes in 16 bits reads. If the launch updates nothing, it leaves the copy alone.
    ///
    /// # Errors
    /// As [`enqueue`](CudaAdam::enqueue); `copy` has the parameters' length.
    pub fn enqueue_with_copy<T: Element>(
        &mut self,
        queue: &Queue,
        gradient: &View<'_, u64>,
        after: Gradients,
        state: CudaState<'_>,
        copy: ViewMut<'_, T>,
    ) -> Result<(), Error> {
        self.launch(queue, gradient, after, state, Some(copy))
    }

    fn launch<T: Element>(
        &mut self,
        queue: &Queue,
        gradient: &View<'_, u64>,
        after: Gradients,
        state: CudaState<'_>,
        mut copy: Option<ViewMut<'_, T>>,
    ) -> Result<(), Error> {
        let CudaState { mut params, mut grads, mut m, mut v } = state;
        for (arg, got) in [("grads", grads.len()), ("m", m.len()), ("v", v.len())] {
            check_len(OP, arg, "(params.len())", got, params.len())?;
        }
        check_len(OP, "gradient", "(2)", gradient.len(), 2)?;
        gradient.check_queue(OP, "gradient", queue)?;
        for view in [self.table.view(), self.progress.view()] {
            view.check_queue(OP, "its own table", queue)?;
        }
        for (arg, view) in [("params", &params), ("grads", &grads), ("m", &m), ("v", &v)] {
            view.check_queue(OP, arg, queue)?;
        }
        if let Some(copy) = &copy {
            check_len(OP, "copy", "(params.len())", copy.len(), params.len())?;
            copy.check_queue(OP, "copy", queue)?;
        }
        let n = params.len() as u64;
        let blocks = n.div_ceil(4 * u64::from(THREADS)).clamp(1, u64::from(self.blocks)) as u32;
        let launch = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
        let kernels = if copy.is_some() { self.copying.of::<T>() } else { &self.plain };
        let (table, mut progress) = (self.table.view(), self.progress.view_mut());
        let mut args = queue.launch(kernels.of(after))?;
        args.arg(params.pointer()).arg(grads.pointer()).arg(m.pointer()).arg(v.pointer());
        if let Some(copy) = &mut copy {
            args.arg(copy.pointer());
        }
        args.arg(&n).arg(gradient.pointer()).arg(table.pointer()).arg(progress.pointer());
        // SAFETY: `args` lists the parameters of `adam_f32*` in number, order and type, with `copy` for the kernels
        // that have one. params, grads, m, v and copy hold n values each, as checked above, and the kernel indexes only
        // values below n; it reads two words of `gradient`, one of SLOTS * WORDS words of `table`, and PROGRESS words
        // of `progress`. What it writes is borrowed mutably. All of it is memory of this queue, as checked, whose
        // launches run one after the other, as the count needs.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching the update"))?;
        Ok(())
    }

    /// Updates applied, as far as the host has asked.
    pub fn updates(&self) -> u64 {
        self.known
    }

    /// What the last launch did, and the norm it found; waits for the stream.
    ///
    /// # Errors
    /// Those of [`CudaAdam::progress`]; [`Error::Launches`] also if nothing was launched yet.
    pub fn outcome(&mut self) -> Result<(f64, Outcome), Error> {
        let (progress, norm) = self.look()?;
        let last = progress.last.ok_or(Error::Launches { op: OP, count: 0, why: "there were none" })?;
        Ok((norm, last))
    }

    /// What the device has done; waits for the stream.
    ///
    /// # Errors
    /// [`Error::Launches`] if it refused some; [`Error::Driver`], also for what went
    /// wrong in earlier work on the stream.
    pub fn progress(&mut self) -> Result<Progress, Error> {
        Ok(self.look()?.0)
    }

    /// [`CudaAdam::progress`], and the norm that the last launch found.
    fn look(&mut self) -> Result<(Progress, f64), Error> {
        let words = self.read()?;
        if words[BAD_SCALE] > 0 {
            return Err(Error::Launches { op: OP, count: words[BAD_SCALE], why: BAD_SCALE_WHY });
        }
        if words[NO_RATE] > 0 {
            return Err(Error::Launches { op: OP, count: words[NO_RATE], why: NO_RATE_WHY });
        }
        let (norm, rate) = (f64::from_bits(words[NORM]), f64::from_bits(words[RATE]));
        let last = match words[OUTCOME] & 0xff {
            1 => Step::new(words[UPDATES]).ok().map(|step| Outcome::Applied {
                step,
                rate,
                finite: words[OUTCOME] & 0x100 == 0,
            }),
            2 => Some(Outcome::Skipped { norm }),
            _ => None,
        };
        let progress = Progress { updates: words[UPDATES], skipped: words[SKIPPED], damaged: words[DAMAGED], last };
        Ok((progress, norm))
    }

    /// The words of the device's progress; afterwards the count is known.
    fn read(&mut self) -> Result<[u64; PROGRESS], Error> {
        let mut words = [0; PROGRESS];
        self.progress.view().read(&mut words)?;
        self.known = words[UPDATES];
        self.since = 0;
        Ok(words)
    }
}
