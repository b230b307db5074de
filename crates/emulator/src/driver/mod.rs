//! The driver's objects: devices, contexts, memory, streams, events, graphs, modules, kernels.
//!
//! This is the driver API without its C: [`libcuda`](crate::libcuda) turns calls into these. One [`Driver`] serves a
//! process. Its handles are numbers that are looked up ([`handle`]); the program's pointers are followed in one place
//! ([`host`]).
//!
//! Work passes through [`stream`]: it is done when it is submitted, before the call returns, which is one of the
//! orders that the API allows. A kernel's failure is returned by the calls after its launch, as on a device, or by
//! the launch itself with `CUDA_LAUNCH_BLOCKING=1`; what it was, and where, is in the reports ([`report`]).
//!
//! Memory and addresses are shared by all devices of the process, and by all contexts: what belongs to whom is kept
//! in the [`ledger`], and decides what is freed with a context; a kernel that uses another context's memory is not
//! stopped.

pub mod capture;
pub mod context;
pub mod control;
pub mod copy;
pub mod device;
pub mod engine;
pub mod error;
pub mod event;
pub mod executable;
pub mod fill;
pub mod function;
pub mod graph;
pub mod handle;
pub mod host;
pub mod image;
pub mod journal;
pub mod launch;
pub mod ledger;
pub mod link;
pub mod model;
pub mod occupancy;
pub mod operation;
pub mod pool;
pub mod record;
pub mod report;
pub mod settings;
pub mod stream;
pub mod thread;

use std::{
    error::Error,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use self::{
    capture::Capture,
    context::Context,
    device::Device,
    error::{Code, Result},
    event::Event,
    executable::Executable,
    function::Function,
    graph::{Graph, Node},
    handle::Table,
    image::{Image, Library},
    journal::Journal,
    ledger::Ledger,
    link::Linker,
    pool::Pool,
    report::{Report, Subject},
    settings::{SettingError, Settings, Sink},
    stream::Stream,
};
use crate::memory::Memory;

/// The version of the driver API that programs are told: CUDA 13.5, the newest whose PTX is accepted.
pub const VERSION: u32 = 13050;
/// The newest version of PTX that is accepted, as 95 for 9.5: that of [`VERSION`].
pub const PTX_VERSION: u32 = 95;

/// The driver of a process.
#[derive(Debug)]
pub struct Driver {
    /// The memory of all devices.
    pub memory: Arc<Memory>,
    /// Reports and launches.
    pub journal: Journal,
    /// Who owns which memory.
    pub ledger: Ledger,
    /// Contexts by handle.
    pub contexts: Table<Context>,
    /// Streams by handle.
    pub streams: Table<Stream>,
    /// Events by handle.
    pub events: Table<Event>,
    /// Modules by handle.
    pub images: Table<Image>,
    /// Libraries by handle.
    pub libraries: Table<Library>,
    /// Kernels by handle.
    pub functions: Table<Function>,
    /// Linkers by handle.
    pub linkers: Table<Mutex<Linker>>,
    /// Graphs by handle.
    pub graphs: Table<Graph>,
    /// Graphs' nodes by handle.
    pub nodes: Table<Node>,
    /// Graphs made ready, by handle.
    pub executables: Table<Executable>,
    /// Pools by handle.
    pub pools: Table<Pool>,
    settings: RwLock<Arc<Settings>>,
    devices: Vec<Arc<Device>>,
    captures: Mutex<Vec<Arc<Capture>>>,
    capturing: AtomicBool,
    initialized: AtomicBool,
}

static DRIVER: OnceLock<Driver> = OnceLock::new();

/// The process's driver, made at the first call as the environment says.
pub fn driver() -> &'static Driver {
    DRIVER.get_or_init(|| from_environment(Settings::from_environment()))
}

/// The same, for a program that reads reports by itself: they are written only where the environment says so.
pub(crate) fn driver_of_program() -> &'static Driver {
    DRIVER.get_or_init(|| {
        let (mut settings, wrong) = Settings::from_environment();
        if std::env::var_os("NOAM_EMULATOR_REPORT").is_none() {
            settings.report = Sink::None;
        }
        from_environment((settings, wrong))
    })
}

fn from_environment((settings, wrong): (Settings, Vec<SettingError>)) -> Driver {
    let driver = Driver::new(settings);
    for error in wrong {
        driver.report(Report::new(Subject::Setting, error.to_string()));
    }
    driver
}

/// The driver is there already, with its settings: it was used, or configured before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InUse;

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the emulator is in use already: configure it before anything else uses it")
    }
}

impl Error for InUse {}

/// Makes the process's driver with these settings, instead of the environment's.
///
/// # Errors
/// Where the driver is there already.
pub fn configure(settings: Settings) -> std::result::Result<(), InUse> {
    let mut given = Some(settings);
    DRIVER.get_or_init(|| Driver::new(given.take().unwrap_or_default()));
    match given {
        None => Ok(()),
        Some(_) => Err(InUse),
    }
}

impl Driver {
    fn new(settings: Settings) -> Self {
        let devices: Vec<_> = (0..settings.devices.max(1))
            .map(|ordinal| Arc::new(Device::new(ordinal, settings.model, settings.memory_bytes)))
            .collect();
        let pools = Table::default();
        for device in &devices {
            pools.put(device.default_pool.handle, device.default_pool.clone());
        }
        let total = settings.memory_bytes.saturating_mul(devices.len() as u64);
        Self {
            memory: Arc::new(Memory::new(total)),
            journal: Journal::default(),
            ledger: Ledger::default(),
            contexts: Table::default(),
            streams: Table::default(),
            events: Table::default(),
            images: Table::default(),
            libraries: Table::default(),
            functions: Table::default(),
            linkers: Table::default(),
            graphs: Table::default(),
            nodes: Table::default(),
            executables: Table::default(),
            pools,
            settings: RwLock::new(Arc::new(settings)),
            devices,
            captures: Mutex::default(),
            capturing: AtomicBool::new(false),
            initialized: AtomicBool::new(false),
        }
    }

    /// What `cuInit` does.
    pub fn initialize(&self) {
        self.initialized.store(true, Ordering::Relaxed);
    }

    /// # Errors
    /// Where `cuInit` was not called.
    pub fn ready(&self) -> Result<()> {
        match self.initialized.load(Ordering::Relaxed) {
            true => Ok(()),
            false => Err(Code::NotInitialized.into()),
        }
    }

    /// The settings now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes settings. Devices stay what and as many as they are.
    pub fn change_settings(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut settings));
    }

    /// All devices.
    pub fn devices(&self) -> &[Arc<Device>] {
        &self.devices
    }

    /// A device, by its number.
    pub fn device(&self, ordinal: u32) -> Result<Arc<Device>> {
        let device = self.devices.get(ordinal as usize);
        device.cloned().ok_or_else(|| {
            Code::InvalidDevice.because(format!("there is no device {ordinal}, only {}", self.devices.len()))
        })
    }

    /// Keeps a report, and writes it where reports go.
    pub fn report(&self, report: Report) {
        self.journal.report(&self.settings(), report);
    }

    /// Whether any stream is captured.
    pub fn capturing(&self) -> bool {
        self.capturing.load(Ordering::Relaxed)
    }

    /// The captures that go on.
    pub fn captures(&self) -> Captures<'_> {
        Captures { list: self.captures.lock().unwrap_or_else(PoisonError::into_inner), driver: self }
    }
}

/// The captures that go on.
pub struct Captures<'d> {
    list: MutexGuard<'d, Vec<Arc<Capture>>>,
    driver: &'d Driver,
}

impl std::ops::Deref for Captures<'_> {
    type Target = Vec<Arc<Capture>>;

    fn deref(&self) -> &Self::Target {
        &self.list
    }
}

impl std::ops::DerefMut for Captures<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.list
    }
}

impl Drop for Captures<'_> {
    fn drop(&mut self) {
        // Asked on every call, so that calls take the lock only while something is captured.
        self.driver.capturing.store(!self.list.is_empty(), Ordering::Relaxed);
    }
}
