//! Thread instructions a second of the emulator: a GEMM, a GEMM on tensor cores and a layer norm, with checks off, with
//! checks off but counters on, and with all checks on.

use std::{sync::Arc, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput};
use noam_benches::{criterion, measures};
use noam_emulator::{
    exec::{self, Launch, Options, Outcome},
    finding::Checks,
    memory::{AllocationKind, Memory},
    module::Module,
};

/// A kernel with its launch.
struct Case {
    name: &'static str,
    ptx: &'static str,
    kernel: &'static str,
    grid: [u32; 3],
    block: [u32; 3],
    /// Elements of each buffer, of four bytes.
    buffers: Vec<usize>,
    /// Parameters after the buffers.
    numbers: Vec<[u8; 4]>,
}

fn cases() -> Vec<Case> {
    let size: usize = if measures() { 256 } else { 64 };
    let tiles = (size / 64) as u32;
    let rows: usize = if measures() { 4096 } else { 32 };
    let int = |value: usize| (value as i32).to_le_bytes();
    vec![
        Case {
            name: "gemm_f32",
            ptx: include_str!("../crates/emulator/tests/ptx/12.0/gemm.ptx"),
            kernel: "gemm_f32",
            grid: [tiles, tiles, 1],
            block: [16, 16, 1],
            buffers: vec![size * size; 3],
            numbers: vec![int(size); 3],
        },
        Case {
            name: "gemm_bf16",
            ptx: include_str!("../crates/emulator/tests/ptx/12.0/gemm_tensor.ptx"),
            kernel: "gemm_bf16",
            grid: [tiles, tiles, 1],
            block: [128, 1, 1],
            buffers: vec![size * size; 3],
            numbers: vec![int(size); 3],
        },
        Case {
            name: "layer_norm",
            ptx: include_str!("../crates/emulator/tests/ptx/12.0/layer_norm.ptx"),
            kernel: "layer_norm_512",
            grid: [rows as u32 / 4, 1, 1],
            block: [128, 1, 1],
            buffers: vec![rows * 512, 512, 512, rows * 512, rows, rows],
            numbers: vec![int(rows), 1e-6f32.to_le_bytes()],
        },
    ]
}

/// A case, ready to launch.
struct Ready {
    memory: Arc<Memory>,
    module: Module,
    kernel: usize,
    params: Vec<u8>,
    case: Case,
}

impl Ready {
    fn new(case: Case) -> Self {
        let memory = Arc::new(Memory::new(1 << 30));
        let module = Module::load(case.ptx, &memory).expect("the PTX is one the emulator knows");
        let kernel = module.kernel(case.kernel).expect("the kernel is in its file");
        let mut params = Vec::new();
        for &elements in &case.buffers {
            let address = memory.allocate(4 * elements as u64, AllocationKind::Device).expect("1 GiB is enough");
            let ones: Vec<u8> = (0..elements).flat_map(|_| 1f32.to_le_bytes()).collect();
            memory.write(address, &ones).expect("the allocation is that long");
            params.extend(address.to_le_bytes());
        }
        params.extend(case.numbers.iter().flatten());
        Self { memory, module, kernel, params, case }
    }

    fn run(&self, options: &Options) -> Outcome {
        let launch = Launch {
            grid: self.case.grid,
            block: self.case.block,
            shared_bytes: 0,
            cooperative: false,
            params: &self.params,
        };
        let outcome = exec::run(self.module.code(self.kernel), &self.memory.map(), launch, options);
        assert!(outcome.findings.is_empty(), "{:?}", outcome.findings);
        outcome
    }
}

fn emulator(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("emulator");
    for case in cases() {
        let ready = Ready::new(case);
        let counted = ready.run(&Options::default());
        group.throughput(Throughput::Elements(counted.counters.thread_instructions));
        for (mode, checks, count) in
            [("unchecked", Checks::NONE, false), ("counted", Checks::NONE, true), ("checked", Checks::ALL, false)]
        {
            let options = Options { checks, count, ..Options::default() };
            group.bench_function(BenchmarkId::new(ready.case.name, mode), |bencher| {
                bencher.iter_custom(|launches| (0..launches).map(|_| ready.run(&options).time).sum::<Duration>());
            });
        }
    }
}

fn main() {
    let mut criterion = criterion();
    emulator(&mut criterion);
    criterion.final_summary();
}
