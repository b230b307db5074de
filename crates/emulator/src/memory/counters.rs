//! What a launch's accesses to memory cost, counted as Nsight Compute does.
//!
//! | here | Nsight Compute |
//! | --- | --- |
//! | `global_loads.requests`, `global_stores.requests` | `l1tex__t_requests_pipe_lsu_mem_global_op_ld.sum`, `_st` |
//! | `global_loads.sectors`, `global_stores.sectors` | `l1tex__t_sectors_pipe_lsu_mem_global_op_ld.sum`, `_st` |
//! | [`sectors_per_request`](Accesses::sectors_per_request) | `l1tex__average_t_sectors_per_request_pipe_lsu_mem_global_op_ld.ratio`, `_st` |
//! | [`global`](MemoryCounters::global)`.sectors`, `.ideal_sectors`, excess | `memory_l2_theoretical_sectors_global`, `_ideal`, `derived__memory_l2_theoretical_sectors_global_excessive` |
//! | [`shared`](MemoryCounters::shared)`.wavefronts`, `.ideal_wavefronts`, excess | `memory_l1_wavefronts_shared`, `_ideal`, `derived__memory_l1_wavefronts_shared_excessive` |
//! | `local_loads`, `local_stores` | `l1tex__t_sectors_pipe_lsu_mem_local_op_ld.sum`, `_st` |
//! | [`dram_read_bytes`](MemoryCounters::dram_read_bytes), [`dram_written_bytes`](MemoryCounters::dram_written_bytes) | a lower bound of `dram__bytes_read.sum`, `dram__bytes_write.sum` with cold caches |
//!
//! A request is one execution of an instruction by a warp. `cp.async` counts as a load of global memory and a store to
//! shared memory. Loads through the constant cache and of parameters are only counted as requests.

use super::touched::Touched;

/// Counts of one kind of access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accesses {
    /// Instructions executed by warps.
    pub requests: u64,
    /// Lanes that took part.
    pub lanes: u64,
    /// Bytes they asked for.
    pub bytes: u64,
    /// Different 32-byte sectors, a request at a time. Of global and local memory.
    pub sectors: u64,
    /// The fewest sectors that hold as many different bytes.
    pub ideal_sectors: u64,
    /// Rounds of the 32 banks. Of shared memory.
    pub wavefronts: u64,
    /// The rounds without bank conflicts.
    pub ideal_wavefronts: u64,
}

impl Accesses {
    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.lanes += other.lanes;
        self.bytes += other.bytes;
        self.sectors += other.sectors;
        self.ideal_sectors += other.ideal_sectors;
        self.wavefronts += other.wavefronts;
        self.ideal_wavefronts += other.ideal_wavefronts;
    }

    /// Sectors a request has on average.
    pub fn sectors_per_request(&self) -> f64 {
        self.sectors as f64 / self.requests.max(1) as f64
    }

    /// Sectors that a better pattern would save.
    pub fn excessive_sectors(&self) -> u64 {
        self.sectors - self.ideal_sectors
    }

    /// Wavefronts that bank conflicts cost.
    pub fn excessive_wavefronts(&self) -> u64 {
        self.wavefronts - self.ideal_wavefronts
    }
}

/// The counts of a launch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryCounters {
    /// Loads of global memory, those of `cp.async` among them.
    pub global_loads: Accesses,
    /// Stores to global memory.
    pub global_stores: Accesses,
    /// Atomics and reductions in global memory.
    pub global_atomics: Accesses,
    /// Loads of shared memory.
    pub shared_loads: Accesses,
    /// Stores to shared memory, those of `cp.async` among them.
    pub shared_stores: Accesses,
    /// Atomics and reductions in shared memory.
    pub shared_atomics: Accesses,
    /// Loads of local memory.
    pub local_loads: Accesses,
    /// Stores to local memory.
    pub local_stores: Accesses,
    /// Loads of `.const` memory and of the kernel's parameters.
    pub constant_loads: Accesses,
    /// By instruction, where it was asked for.
    pub by_instruction: Vec<Accesses>,
    pub(super) touched: Touched,
}

impl MemoryCounters {
    fn sum<const N: usize>(parts: [&Accesses; N]) -> Accesses {
        let mut sum = Accesses::default();
        parts.into_iter().for_each(|part| sum.add(part));
        sum
    }

    /// All accesses to global memory.
    pub fn global(&self) -> Accesses {
        Self::sum([&self.global_loads, &self.global_stores, &self.global_atomics])
    }

    /// All accesses to shared memory.
    pub fn shared(&self) -> Accesses {
        Self::sum([&self.shared_loads, &self.shared_stores, &self.shared_atomics])
    }

    /// All accesses to local memory.
    pub fn local(&self) -> Accesses {
        Self::sum([&self.local_loads, &self.local_stores])
    }

    /// Bytes of the different sectors of device memory that were read: what must come from DRAM if nothing is cached
    /// before the launch.
    pub fn dram_read_bytes(&self) -> u64 {
        self.touched.bytes().0
    }

    /// Bytes of the different sectors of device memory that were written.
    pub fn dram_written_bytes(&self) -> u64 {
        self.touched.bytes().1
    }

    /// Adds another part's counts.
    pub fn merge(&mut self, other: &Self) {
        self.global_loads.add(&other.global_loads);
        self.global_stores.add(&other.global_stores);
        self.global_atomics.add(&other.global_atomics);
        self.shared_loads.add(&other.shared_loads);
        self.shared_stores.add(&other.shared_stores);
        self.shared_atomics.add(&other.shared_atomics);
        self.local_loads.add(&other.local_loads);
        self.local_stores.add(&other.local_stores);
        self.constant_loads.add(&other.constant_loads);
        if self.by_instruction.len() < other.by_instruction.len() {
            self.by_instruction.resize(other.by_instruction.len(), Accesses::default());
        }
        for (sum, part) in self.by_instruction.iter_mut().zip(&other.by_instruction) {
            sum.add(part);
        }
        self.touched.merge(&other.touched);
    }
}
