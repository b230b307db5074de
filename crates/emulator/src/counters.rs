//! What a launch did, counted: per launch, and per instruction for reports by source line.

use crate::{
    memory::MemoryCounters,
    program::{Class, Kernel},
};

/// The counts of one launch. Names of Nsight Compute's measures stand behind each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Instructions executed by warps: `smsp__inst_executed.sum`.
    pub warp_instructions: u64,
    /// The same times the lanes that executed them: `smsp__thread_inst_executed.sum` (guarded lanes left out, as in
    /// `smsp__thread_inst_executed_pred_on.sum`).
    pub thread_instructions: u64,
    /// Warp instructions by class, in the order of [`Class`].
    pub classes: [u64; Class::COUNT],
    /// Branches at which lanes of a warp went different ways: `smsp__sass_branch_targets_threads_divergent.sum`.
    pub divergent_branches: u64,
    /// By instruction of the kernel: how often warps executed it, and with how many lanes in all.
    pub by_instruction: Vec<(u64, u64)>,
    /// Memory.
    pub memory: MemoryCounters,
}

impl Counters {
    pub(crate) fn new(kernel: &Kernel, counts: &[(u64, u64)], divergent_branches: u64, memory: MemoryCounters) -> Self {
        let mut counters = Self { by_instruction: counts.to_vec(), divergent_branches, memory, ..Self::default() };
        for (inst, &(warps, lanes)) in kernel.code.iter().zip(counts) {
            counters.warp_instructions += warps;
            counters.thread_instructions += lanes;
            counters.classes[inst.class as usize] += warps;
        }
        counters
    }

    /// Adds another part's counts.
    pub fn merge(&mut self, other: &Self) {
        self.warp_instructions += other.warp_instructions;
        self.thread_instructions += other.thread_instructions;
        self.divergent_branches += other.divergent_branches;
        for (sum, count) in self.classes.iter_mut().zip(&other.classes) {
            *sum += count;
        }
        if self.by_instruction.len() < other.by_instruction.len() {
            self.by_instruction.resize(other.by_instruction.len(), (0, 0));
        }
        for (sum, count) in self.by_instruction.iter_mut().zip(&other.by_instruction) {
            sum.0 += count.0;
            sum.1 += count.1;
        }
        self.memory.merge(&other.memory);
    }

    /// Lanes a warp instruction had on average: `smsp__thread_inst_executed_per_inst_executed.ratio`.
    pub fn active_lanes(&self) -> f64 {
        self.thread_instructions as f64 / self.warp_instructions.max(1) as f64
    }

    /// Warp instructions of a class.
    pub fn of(&self, class: Class) -> u64 {
        self.classes[class as usize]
    }
}
