//! One block at a time: its warps take turns until all have ended.

use super::{
    Base, Grid, Registers,
    barrier::{BARRIERS, State},
    warp::{Fragment, Wait, Warp},
};
use crate::{
    finding::{Finding, Kind},
    lanes::{ALL, LANES},
    memory::BlockMemory,
};

/// A block that runs. Its memory and registers are used again for the next one.
pub(super) struct BlockRun<'m> {
    pub grid: &'m Grid<'m>,
    pub memory: BlockMemory<'m>,
    pub block: [u32; 3],
    pub linear: u64,
    pub warps: Vec<Warp>,
    pub barriers: [State; BARRIERS],
    pub findings: Vec<Finding>,
    /// By instruction: how often a warp executed it, and with how many lanes in all.
    pub counts: Vec<(u64, u64)>,
    pub divergences: u64,
    /// Instructions of warps since the budget was last drawn on.
    pub steps: u64,
    /// Lanes have ended since barriers were last looked at.
    pub ended: bool,
}

/// How far a block has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It has more to do.
    Running,
    /// All of its lanes have ended.
    Done,
}

impl<'m> BlockRun<'m> {
    pub fn new(grid: &'m Grid<'m>) -> Self {
        let warps = grid.threads().div_ceil(LANES as u32) as usize;
        let count = if grid.options.count { grid.kernel.code.len() } else { 0 };
        Self {
            grid,
            memory: grid.block_memory(),
            block: [0; 3],
            linear: 0,
            warps: (0..warps).map(|_| Warp::default()).collect(),
            barriers: Default::default(),
            findings: Vec::new(),
            counts: vec![(0, 0); count],
            divergences: 0,
            steps: 0,
            ended: false,
        }
    }

    /// Makes everything ready for a block.
    pub fn begin(&mut self, linear: u64) {
        self.linear = linear;
        self.block = self.grid.coordinates(linear);
        self.memory.begin_block(self.block, linear, self.grid.launch.block, self.grid.shared_total());
        self.barriers = Default::default();
        let threads = self.grid.threads();
        let frame = &self.grid.kernel.functions[0].frame;
        for index in 0..self.warps.len() {
            let left = threads - (index * LANES) as u32;
            let live = if left >= LANES as u32 { ALL } else { (1 << left) - 1 };
            let registers = std::mem::take(&mut self.warps[index].registers);
            let first = registers.is_empty();
            self.warps[index] = Warp { registers, live, ..Warp::default() };
            if first || self.grid.kernel.functions.len() > 1 || !frame.params.is_empty() {
                self.enter(index, ALL, Base::default(), frame);
            } else {
                // Constants are there since the first block; only the block's index has changed.
                self.warps[index].registers.base = Base::default();
                self.fill_specials(index, ALL, frame);
            }
            self.warps[index].fragments.push(Fragment {
                pc: self.grid.kernel.functions[0].start,
                lanes: live,
                base: Base::default(),
                function: 0,
                calls: Vec::new(),
                wait: Wait::Ready,
                turn: 0,
            });
        }
    }

    /// Gives every warp one turn.
    pub fn turn(&mut self) -> Result<Progress, Box<Finding>> {
        let mut ran = false;
        for index in 0..self.warps.len() {
            if self.warps[index].fragments.is_empty() {
                continue;
            }
            ran |= self.run_warp(index)?;
            if std::mem::take(&mut self.ended) {
                for id in 0..BARRIERS {
                    self.complete(id);
                }
            }
        }
        if self.warps.iter().all(|warp| warp.fragments.is_empty()) {
            return Ok(Progress::Done);
        }
        if !ran {
            return Err(Box::new(self.stuck()));
        }
        self.draw_on_budget()?;
        Ok(Progress::Running)
    }

    fn draw_on_budget(&mut self) -> Result<(), Box<Finding>> {
        let steps = std::mem::take(&mut self.steps);
        if self.grid.spend(steps) {
            return Ok(());
        }
        // Those who wait are not to blame: of the others, who ran last in its warp.
        let ready = |fragment: &&Fragment| fragment.wait == Wait::Ready;
        let (index, pc, lanes) = self
            .warps
            .iter()
            .enumerate()
            .find_map(|(index, warp)| {
                let fragment = warp.fragments.iter().filter(ready).max_by_key(|fragment| fragment.turn)?;
                Some((index, fragment.pc, fragment.lanes))
            })
            .unwrap_or_default();
        let detail = "the kernel was stopped here; it may never end".to_owned();
        Err(Box::new(self.finding_at(index, pc, lanes, Kind::StepBudget, detail)))
    }
}

impl Registers {
    /// Whether no frame was ever made.
    pub(super) fn is_empty(&self) -> bool {
        self.rows() == 0
    }
}
