//! Launches: what a kernel is given, whether the device can take it, and what becomes of it.

use std::{
    io::Write as _,
    sync::{Arc, OnceLock},
};

use super::{
    context::Context,
    device::Device,
    driver,
    engine::{self, KernelInfo, Options},
    error::{Code, Error, Result},
    function::Function,
    model::{BLOCK_LIMITS, GRID_LIMITS, Model, SHARED_PER_BLOCK, THREADS_PER_BLOCK},
    occupancy,
    record::{LaunchRecord, by_line},
    report::{Report, Subject},
};
use crate::finding::{Finding, Kind};

/// A launch.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The kernel.
    pub function: Arc<Function>,
    /// Blocks along x, y, z.
    pub grid: [u32; 3],
    /// Threads of a block along x, y, z.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub shared_bytes: u32,
    /// Whether all blocks must run at the same time.
    pub cooperative: bool,
    /// The parameter block, copied when the program gave it.
    pub params: Arc<Params>,
}

/// A launch's parameter block.
#[derive(Debug)]
pub struct Params {
    block: Box<[u8]>,
    /// The addresses of the parameters in it, once they were asked for.
    pointers: OnceLock<Box<[usize]>>,
}

impl Params {
    /// A block as the kernel reads it.
    pub fn new(block: Vec<u8>) -> Arc<Self> {
        Arc::new(Self { block: block.into(), pointers: OnceLock::new() })
    }

    /// The address of an array of the parameters' addresses, both good for as long as `self`.
    pub fn pointers(&self, info: &KernelInfo) -> usize {
        let base = self.block.as_ptr().expose_provenance();
        let pointers = self.pointers.get_or_init(|| info.params.iter().map(|it| base + it.offset as usize).collect());
        pointers.as_ptr().expose_provenance()
    }
}

fn within(what: &str, sizes: [u32; 3], limits: [u32; 3]) -> Result<()> {
    if sizes.iter().zip(limits).all(|(&size, limit)| (1..=limit).contains(&size)) {
        return Ok(());
    }
    Err(Code::InvalidValue.because(format!("a {what} of {sizes:?}: every size must be from 1 to {limits:?}")))
}

impl Launch {
    /// Checks it against the limits of a device.
    pub fn check(&self, device: &Device) -> Result<()> {
        let info = self.function.info();
        let model = &device.model;
        within("grid", self.grid, GRID_LIMITS)?;
        within("block", self.block, BLOCK_LIMITS)?;
        let threads: u32 = self.block.iter().product();
        if threads > THREADS_PER_BLOCK {
            return Err(Code::InvalidValue.because(format!("{threads} threads a block, at most {THREADS_PER_BLOCK}")));
        }
        if threads > info.max_threads {
            return Err(Code::InvalidValue.because(format!(
                "{threads} threads a block, the launch bounds of {} are {}",
                info.name, info.max_threads
            )));
        }
        if let Some(required) = self.function.required_block()
            && required != self.block
        {
            return Err(
                Code::InvalidValue.because(format!("blocks of {:?}, {} requires {required:?}", self.block, info.name))
            );
        }
        let shared = u64::from(info.shared_static) + u64::from(self.shared_bytes);
        let allowed = self.function.shared_limit(model);
        if shared > u64::from(allowed) {
            return Err(Code::InvalidValue.because(format!(
                "{shared} bytes of shared memory, {} may have {allowed}; up to {} bytes of dynamic shared memory can \
                 be asked for by CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES",
                info.name,
                model.shared_optin.saturating_sub(info.shared_static)
            )));
        }
        let resident = occupancy::blocks(model, info, threads, self.shared_bytes);
        let blocks: u64 = self.grid.iter().map(|&size| u64::from(size)).product();
        let together = u64::from(resident) * u64::from(model.multiprocessors);
        if self.cooperative && blocks > together {
            return Err(Code::CooperativeLaunchTooLarge
                .because(format!("{blocks} blocks, {together} can run at the same time")));
        }
        Ok(())
    }

    /// Runs the kernel. Its failure is noted in the context, and returned only where launches are to block.
    pub fn run(&self, context: &Context) -> Result<()> {
        let driver = driver();
        let settings = driver.settings();
        let counted = settings.count || settings.counters.is_some();
        let options = Options {
            checks: settings.checks,
            count: counted,
            threads: settings.threads,
            step_budget: settings.step_budget,
            block_order: settings.block_order,
            stack_limit: context.stack_limit() as u32,
            multiprocessors: context.device.model.multiprocessors,
            launch_id: context.next_launch(),
        };
        let launch = engine::Launch {
            grid: self.grid,
            block: self.block,
            shared_bytes: self.shared_bytes,
            cooperative: self.cooperative,
            params: &self.params.block,
        };
        let kernel = self.function.code();
        let outcome = engine::run(&driver.memory, kernel, launch, &options);
        if !outcome.printed.is_empty() {
            let mut out = std::io::stdout().lock();
            // A program whose output is closed still runs.
            drop(out.write_all(&outcome.printed).and_then(|()| out.flush()));
        }
        for finding in &outcome.findings {
            driver.report(self.report(finding, outcome.failure.as_ref() == Some(finding)));
        }
        if counted {
            let record = LaunchRecord {
                kernel: kernel.name.clone(),
                grid: self.grid,
                block: self.block,
                shared_bytes: self.shared_bytes,
                time: outcome.time,
                lines: if settings.lines { by_line(kernel, &outcome.counters) } else { Vec::new() },
                counters: outcome.counters,
                caller: std::thread::current().id(),
            };
            driver.journal.launch(&settings, record);
        }
        let Some(failure) = outcome.failure else { return Ok(()) };
        let error = Error::from(code(failure.kind));
        context.fail(error.clone());
        if settings.launch_blocking { Err(error) } else { Ok(()) }
    }

    fn report(&self, finding: &Finding, fatal: bool) -> Report {
        let kernel = self.function.code();
        let subject = Subject::Kernel {
            kernel: kernel.name.clone(),
            kind: finding.kind,
            place: engine::place(kernel, finding),
            address: finding.address,
            fatal,
        };
        Report::new(subject, finding.detail.clone())
    }
}

/// What a program gets for what stopped its kernel.
fn code(kind: Kind) -> Code {
    match kind {
        Kind::OutOfBounds | Kind::UseAfterFree | Kind::ReadOnlyWrite => Code::IllegalAddress,
        Kind::Misaligned => Code::MisalignedAddress,
        Kind::InvalidOperand => Code::IllegalInstruction,
        Kind::StackOverflow => Code::HardwareStackError,
        Kind::Assertion => Code::Assert,
        Kind::Hang | Kind::StepBudget => Code::LaunchTimeout,
        _ => Code::LaunchFailed,
    }
}

/// The block sizes that occupancy is asked for, from large to small: whole warps.
pub(super) fn block_sizes(model: &Model, limit: u32) -> impl Iterator<Item = u32> {
    let limit = limit.min(THREADS_PER_BLOCK).min(model.threads);
    (1..=limit / 32).rev().map(|warps| warps * 32)
}

/// The most dynamic shared memory a kernel may use without asking.
pub(super) fn default_dynamic_shared(shared_static: u32) -> u32 {
    SHARED_PER_BLOCK.saturating_sub(shared_static)
}
