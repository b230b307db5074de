//! A launch: blocks over the machine's threads.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::block::{BlockRun, Progress};
use crate::{
    check::RaceLaunch,
    counters::Counters,
    finding::{Checks, Finding},
    memory::{BlockMemory, Config, Map},
    program::Kernel,
};

/// What a launch gives beside the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch<'p> {
    /// Blocks along x, y, z.
    pub grid: [u32; 3],
    /// Threads of a block along x, y, z.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub shared_bytes: u32,
    /// All blocks run at the same time, so that they may wait for each other.
    pub cooperative: bool,
    /// The parameter block.
    pub params: &'p [u8],
}

/// In which order blocks are started. A kernel's result must not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BlockOrder {
    /// First to last.
    #[default]
    Forward,
    /// Last to first.
    Backward,
    /// By a permutation that this number selects.
    Shuffled(u64),
}

/// How to run, beside what.
#[derive(Clone, Debug)]
pub struct Options {
    /// What to check.
    pub checks: Checks,
    /// Whether to count.
    pub count: bool,
    /// Threads of the machine to use; 0 for all that rayon has.
    pub threads: usize,
    /// Instructions of warps after which a kernel is stopped; `None` for no limit.
    pub step_budget: Option<u64>,
    /// In which order blocks are started.
    pub block_order: BlockOrder,
    /// Bytes of local memory a thread may use.
    pub stack_limit: u32,
    /// How many multiprocessors `%nsmid` tells of.
    pub multiprocessors: u32,
    /// Which launch of its context it is: `%gridid`.
    pub launch_id: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checks: Checks::ALL,
            count: true,
            threads: 0,
            step_budget: None,
            block_order: BlockOrder::Forward,
            stack_limit: 512 << 10,
            multiprocessors: 108,
            launch_id: 1,
        }
    }
}

/// What came of a launch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What the checks found, and why the kernel was stopped, if it was.
    pub findings: Vec<Finding>,
    /// Why the kernel was stopped.
    pub failure: Option<Failure>,
    /// What was counted.
    pub counters: Counters,
    /// What `printf` wrote.
    pub printed: Vec<u8>,
    /// How long it took.
    pub time: Duration,
}

/// Why a kernel was stopped: the finding that did it.
pub type Failure = Finding;

/// A launch that runs.
pub struct Grid<'m> {
    /// The kernel.
    pub kernel: &'m Kernel,
    /// Its launch.
    pub launch: Launch<'m>,
    /// How it runs.
    pub options: &'m Options,
    /// When it began.
    pub started: Instant,
    /// What `printf` wrote.
    pub printed: Mutex<Vec<u8>>,
    map: &'m Map,
    races: Option<Arc<RaceLaunch>>,
    next: AtomicU64,
    stop: AtomicBool,
    spent: AtomicU64,
    failure: Mutex<Option<Finding>>,
}

impl<'m> Grid<'m> {
    /// Threads of a block.
    pub fn threads(&self) -> u32 {
        self.launch.block.iter().product()
    }

    /// Blocks of the grid.
    pub fn blocks(&self) -> u64 {
        self.launch.grid.iter().map(|&n| u64::from(n)).product()
    }

    /// A block's index from its number.
    pub(super) fn coordinates(&self, linear: u64) -> [u32; 3] {
        let [x, y, _] = self.launch.grid.map(u64::from);
        [(linear % x) as u32, (linear / x % y) as u32, (linear / x / y) as u32]
    }

    /// Bytes of shared memory of a block, static and dynamic.
    pub(super) fn shared_total(&self) -> u32 {
        match self.kernel.dynamic_shared {
            Some(at) => at + self.launch.shared_bytes,
            None => self.kernel.shared_bytes + self.launch.shared_bytes,
        }
    }

    pub(super) fn block_memory(&self) -> BlockMemory<'m> {
        let config = Config { checks: self.options.checks, stack_limit: self.options.stack_limit };
        let mut memory = BlockMemory::new(self.map, self.launch.params, config);
        if self.options.count {
            memory.start_counting(true);
        }
        if let Some(races) = &self.races {
            memory.start_race_checks(races.clone());
        }
        memory
    }

    /// Steps that are left of the budget. More than one thread may take them.
    pub(super) fn left(&self) -> u64 {
        let spent = self.spent.load(Ordering::Relaxed);
        self.options.step_budget.map_or(u64::MAX, |budget| budget.saturating_sub(spent))
    }

    /// Takes steps from the budget. `false`: it is used up.
    pub(super) fn spend(&self, steps: u64) -> bool {
        match self.options.step_budget {
            None => true,
            Some(budget) => self.spent.fetch_add(steps, Ordering::Relaxed) + steps <= budget,
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn fail(&self, finding: Finding) {
        self.stop.store(true, Ordering::Relaxed);
        self.failure.lock().expect("no thread panics while it holds this lock").get_or_insert(finding);
    }

    /// The number of the block that is started as the `at`-th.
    fn ordered(&self, at: u64) -> u64 {
        let blocks = self.blocks();
        match self.options.block_order {
            BlockOrder::Forward => at,
            BlockOrder::Backward => blocks - 1 - at,
            // A step coprime to the number of blocks visits each once.
            BlockOrder::Shuffled(seed) => {
                let gcd = |mut a: u64, mut b: u64| {
                    while b != 0 {
                        (a, b) = (b, a % b);
                    }
                    a
                };
                let mut step = (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % blocks.max(1) + 1;
                while gcd(step, blocks) != 1 {
                    step += 1;
                }
                ((u128::from(at) * u128::from(step) + u128::from(seed)) % u128::from(blocks)) as u64
            }
        }
    }
}

/// Runs a kernel. `map` is what it can address.
///
/// The launch must be within the limits that the driver checks: no dimension 0, at most 1024 threads a block, a
/// parameter block as long as the kernel's.
pub fn run(kernel: &Kernel, map: &Map, launch: Launch<'_>, options: &Options) -> Outcome {
    let started = Instant::now();
    let grid = Grid {
        kernel,
        launch,
        options,
        started,
        printed: Mutex::default(),
        map,
        races: options.checks.race.then(|| Arc::new(RaceLaunch::new(launch.grid, launch.block))),
        next: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        spent: AtomicU64::new(0),
        failure: Mutex::default(),
    };
    let available = if options.threads == 0 { rayon::current_num_threads() } else { options.threads };
    let workers = (available as u64).min(grid.blocks()).max(1) as usize;
    let parts: Mutex<Vec<(Vec<Finding>, Counters)>> = Mutex::default();
    let pace = Pace::new(workers);
    let work = |shares: &[usize]| {
        let part = if launch.cooperative { together(&grid, shares, &pace) } else { one_by_one(&grid) };
        parts.lock().expect("no thread panics while it holds this lock").push(part);
    };
    let (work, pace) = (&work, &pace);
    if workers == 1 {
        work(&[0]);
    } else if launch.cooperative {
        // Blocks that wait for each other need threads that all run: a pool's may be busy with another launch that waits.
        thread::scope(|scope| {
            let mut mine = vec![0];
            for worker in 1..workers {
                // What finds no thread is done here too.
                if thread::Builder::new().spawn_scoped(scope, move || work(&[worker])).is_err() {
                    pace.leave(worker);
                    mine.push(worker);
                }
            }
            work(&mine);
        });
    } else {
        rayon::scope(|scope| {
            for worker in 1..workers {
                scope.spawn(move |_| work(&[worker]));
            }
            work(&[0]);
        });
    }
    let mut findings = Vec::new();
    let mut counters = Counters::default();
    for (part, counted) in parts.into_inner().expect("all threads are done") {
        for finding in part {
            super::note(&mut findings, finding);
        }
        counters.merge(&counted);
    }
    let failure = grid.failure.into_inner().expect("all threads are done");
    findings.extend(failure.clone());
    // Which thread met what first is chance: the order of the report is not.
    findings.sort_by_key(|finding| (finding.pc, finding.kind, finding.thread.block, finding.thread.thread));
    let printed = grid.printed.into_inner().expect("all threads are done");
    Outcome { findings, failure, counters, printed, time: started.elapsed() }
}

/// Runs blocks until none is left.
fn one_by_one(grid: &Grid<'_>) -> (Vec<Finding>, Counters) {
    let mut run = BlockRun::new(grid);
    while !grid.stopped() {
        let at = grid.next.fetch_add(1, Ordering::Relaxed);
        if at >= grid.blocks() {
            break;
        }
        run.begin(grid.ordered(at));
        drive(grid, &mut run);
    }
    finish(run)
}

fn drive(grid: &Grid<'_>, run: &mut BlockRun<'_>) {
    while !grid.stopped() {
        match run.turn() {
            Ok(Progress::Done) => return,
            Ok(Progress::Running) => {}
            Err(finding) => return grid.fail(*finding),
        }
    }
}

/// How many rounds each of the threads that run a cooperative launch has done. None begins a round before all have done
/// the last: else a block that waits could use up the steps of the launch while the machine runs something else than
/// the thread of the block that it waits for.
struct Pace(Vec<AtomicU64>);

impl Pace {
    fn new(workers: usize) -> Self {
        Self((0..workers).map(|_| AtomicU64::new(0)).collect())
    }

    /// Ends a round of a worker, and waits for the others, unless the launch is stopped.
    fn round(&self, worker: usize, stopped: impl Fn() -> bool) {
        let done = self.0[worker].fetch_add(1, Ordering::Relaxed) + 1;
        while !stopped() && self.0.iter().any(|other| other.load(Ordering::Relaxed) < done) {
            thread::yield_now();
        }
    }

    /// Nobody waits for a worker any more.
    fn leave(&self, worker: usize) {
        self.0[worker].store(u64::MAX, Ordering::Relaxed);
    }
}

/// Runs every block of `shares`, of which there is one for each worker, all in turns, so that none waits for one that
/// has not begun.
fn together(grid: &Grid<'_>, shares: &[usize], pace: &Pace) -> (Vec<Finding>, Counters) {
    /// Leaves also if the worker panics.
    struct Worker<'p>(&'p Pace, usize);
    impl Drop for Worker<'_> {
        fn drop(&mut self) {
            self.0.leave(self.1);
        }
    }
    let worker = Worker(pace, shares[0]);
    let mut runs: Vec<_> = shares
        .iter()
        .flat_map(|&share| (share as u64..grid.blocks()).step_by(pace.0.len()))
        .map(|linear| {
            let mut run = BlockRun::new(grid);
            run.begin(linear);
            (run, false)
        })
        .collect();
    while !grid.stopped() && runs.iter().any(|(_, done)| !done) {
        for (run, done) in runs.iter_mut().filter(|(_, done)| !done) {
            match run.turn() {
                Ok(progress) => *done = progress == Progress::Done,
                Err(finding) => {
                    grid.fail(*finding);
                    break;
                }
            }
        }
        pace.round(worker.1, || grid.stopped());
    }
    drop(worker);
    let mut findings = Vec::new();
    let mut counters = Counters::default();
    for (run, _) in runs {
        let (found, counted) = finish(run);
        findings.extend(found);
        counters.merge(&counted);
    }
    (findings, counters)
}

fn finish(mut run: BlockRun<'_>) -> (Vec<Finding>, Counters) {
    let mut findings = std::mem::take(&mut run.findings);
    findings.extend(run.memory.take_findings().into_sorted().into_iter().map(|found| found.finding));
    let counters = Counters::new(run.grid.kernel, &run.counts, run.divergences, run.memory.take_counters());
    (findings, counters)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of three workers one leaves early, and the launch is stopped before the last round.
    #[test]
    fn no_worker_begins_a_round_before_the_others_have_done_the_last() {
        const ROUNDS: [u64; 3] = [300, 300, 100];
        let (pace, stop) = (Pace::new(3), AtomicBool::new(false));
        let done = [const { AtomicU64::new(0) }; 3];
        let work = |worker: usize| {
            for round in 0..ROUNDS[worker] {
                for (other, rounds) in ROUNDS.into_iter().enumerate() {
                    let others = done[other].load(Ordering::SeqCst);
                    assert!(others >= round.min(rounds), "round {round} of {worker}: {other} has done {others}");
                }
                done[worker].store(round + 1, Ordering::SeqCst);
                stop.fetch_or(done[0].load(Ordering::SeqCst) == ROUNDS[0], Ordering::SeqCst);
                pace.round(worker, || stop.load(Ordering::SeqCst));
            }
            pace.leave(worker);
        };
        thread::scope(|scope| (0..3).for_each(|worker| _ = scope.spawn(move || work(worker))));
        assert!(stop.into_inner());
    }
}
