//! What a run ran on.

use noam_kernels::isa;
use serde::{Deserialize, Serialize};

/// A machine, as far as it can be asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name, or its architecture where the system does not tell.
    pub cpu: String,
    /// Processors that the process may use.
    pub cores: usize,
    /// The instruction set of the kernels.
    pub isa: String,
    /// Operating system.
    pub os: String,
    /// Architecture that the program was built for.
    pub arch: String,
    /// Memory in MiB, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub memory_mb: Option<u64>,
}

impl Machine {
    /// This one.
    pub fn this() -> Self {
        Machine {
            cpu: cpu_name().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            isa: isa::active().name().to_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            memory_mb: memory_mb(),
        }
    }
}

/// From Linux's `/proc`.
fn cpu_name() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// From Linux's `/proc`.
fn memory_mb() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}
