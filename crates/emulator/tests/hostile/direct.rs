//! Hostile text through the crate's own interface, twice: with the machine's execution functions and with the portable
//! ones. What both leave must be the same to the last bit.

use std::sync::Arc;

use noam_emulator::{
    driver::engine,
    exec::{self, Launch, Options},
    finding::{Finding, Kind},
    memory::{AllocationKind, Memory},
    module::{LoadError, Module},
};

use crate::bytes::Bytes;

/// Instructions of warps that a kernel may take.
const STEPS: u64 = 4_000;
/// What a device gives a block at most.
const SHARED: u32 = 227 << 10;

/// What one run has left.
#[derive(Debug, PartialEq)]
struct Left {
    findings: Vec<Vec<Finding>>,
    printed: Vec<Vec<u8>>,
    memory: Vec<Vec<u8>>,
    instructions: Vec<u64>,
}

/// Loads a text and runs its kernels. Whether it was loaded.
pub fn run(text: &str, bytes: &[u8]) -> bool {
    let first = on_new_memory(text, bytes, Module::load);
    let second = on_new_memory(text, bytes, Module::load_portable);
    let timed = ["clock", "globaltimer", "nanosleep", "try_wait"].iter().any(|word| text.contains(word));
    if !timed {
        assert_eq!(first, second);
    }
    first.is_some()
}

fn on_new_memory(
    text: &str,
    bytes: &[u8],
    load: impl FnOnce(&str, &Arc<Memory>) -> Result<Module, LoadError>,
) -> Option<Left> {
    let memory = Arc::new(Memory::new(16 << 20));
    let allocate = |bytes: u64, written: usize| {
        let address = memory.allocate(bytes, AllocationKind::Device).expect("there is room");
        let values: Vec<u8> = (0..written).map(|at| at as u8 / 4).collect();
        memory.write(address, &values).expect("the allocation is that long");
        (address, bytes as usize)
    };
    let buffers = [allocate(4096, 4096), allocate(1024, 512), allocate(256, 256)];
    let addresses = buffers.map(|(address, _)| address);
    let module = match load(text, &memory) {
        Ok(module) => module,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return None;
        }
    };
    let mut bytes = Bytes::new(bytes);
    let options = Options { step_budget: Some(STEPS), threads: 1, ..Options::default() };
    let mut left = Left { findings: Vec::new(), printed: Vec::new(), memory: Vec::new(), instructions: Vec::new() };
    for kernel in module.kernels().take(4) {
        let mut params = vec![0; kernel.param_bytes as usize];
        for param in &kernel.params {
            let value = bytes.param(param.bytes as usize, &addresses);
            params[param.offset as usize..][..value.len()].copy_from_slice(&value);
        }
        let block = kernel.required_threads.unwrap_or_else(|| bytes.block());
        let threads = block.iter().try_fold(1u32, |product, &size| product.checked_mul(size)).unwrap_or(0);
        let shared_bytes = [0, 256, 4096, 40_000][bytes.below(4)];
        let cooperative = bytes.below(4) == 0;
        // The limits that the driver keeps.
        if !(1..=128).contains(&threads) || kernel.shared_bytes > SHARED - shared_bytes {
            continue;
        }
        let launch = Launch { grid: [2, 1, 1], block, shared_bytes, cooperative, params: &params };
        let outcome = exec::run(kernel, &memory.map(), launch, &options);
        assert_eq!(
            outcome.failure.is_some(),
            outcome.findings.iter().any(|finding| Some(finding) == outcome.failure.as_ref())
        );
        for finding in &outcome.findings {
            assert!((finding.pc as usize) < kernel.code.len() || finding.kind == Kind::Leak, "{finding:?}");
            drop(engine::place(kernel, finding));
        }
        left.findings.push(outcome.findings);
        left.printed.push(outcome.printed);
        left.instructions.push(outcome.counters.thread_instructions);
    }
    for (address, bytes) in buffers {
        let mut values = vec![0; bytes];
        memory.read(address, &mut values).expect("the allocation is that long");
        left.memory.push(values);
    }
    Some(left)
}
