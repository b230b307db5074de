//! Contexts: what belongs together and ends together.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread::ThreadId,
};

use super::{
    device::Device,
    driver,
    error::{Code, Error, Result},
    handle::{Handle, Table},
    report::{Report, Subject},
    stream::{Kind, Stream},
    thread,
};

/// The limits' values in a new context, by their numbers in the API: bytes of local memory a thread may use, bytes that
/// `printf` may write, bytes of the heap of `malloc`, two of launches from kernels, the granularity of fetches into the
/// second-level cache, and how much of it persists. Only the first has an effect.
const LIMITS: [u64; 7] = [1024, 1 << 20, 8 << 20, 2, 2048, 64, 0];
const STACK: usize = 0;
const FETCH_GRANULARITY: usize = 5;
const PERSISTING_L2: usize = 6;

/// The most bytes of local memory that a thread may be given.
const STACK_LIMIT: u64 = 512 << 10;

/// A context.
#[derive(Debug)]
pub struct Context {
    /// Its handle.
    pub handle: Handle<Context>,
    /// Its number, unlike any other's of the process.
    pub id: u64,
    /// Its device.
    pub device: Arc<Device>,
    /// Whether it is its device's primary context.
    pub primary: bool,
    /// Scheduling flags. They are kept and change nothing.
    pub flags: AtomicU32,
    /// What the program prefers of caches. It is kept and changes nothing.
    pub cache_preference: AtomicU32,
    /// What the program prefers of shared-memory banks. It is kept and changes nothing.
    pub bank_preference: AtomicU32,
    /// Contexts whose memory may be used.
    pub peers: Mutex<HashSet<Handle<Context>>>,
    /// Held for reading by streams that wait for the legacy stream, and for writing by that one.
    pub(super) order: RwLock<()>,
    limits: Mutex<[u64; LIMITS.len()]>,
    /// The error of a kernel: the context is lost.
    fault: OnceLock<Error>,
    launches: AtomicU64,
    legacy: OnceLock<Arc<Stream>>,
    per_thread: Mutex<HashMap<ThreadId, Arc<Stream>>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Context {
    /// A context of a device, known by a handle that was reserved.
    pub fn new(handle: Handle<Context>, device: Arc<Device>, primary: bool, flags: u32) -> Arc<Self> {
        let context = Arc::new(Self {
            handle,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            device,
            primary,
            flags: AtomicU32::new(flags),
            cache_preference: AtomicU32::new(0),
            bank_preference: AtomicU32::new(0),
            peers: Mutex::default(),
            order: RwLock::default(),
            limits: Mutex::new(LIMITS),
            fault: OnceLock::new(),
            launches: AtomicU64::new(0),
            legacy: OnceLock::new(),
            per_thread: Mutex::default(),
        });
        driver().contexts.put(handle, context.clone());
        context
    }

    /// Makes a context, which becomes current.
    pub fn create(device: Arc<Device>, flags: u32) -> Arc<Self> {
        let context = Self::new(Table::reserve(), device, false, flags);
        thread::push(context.handle);
        context
    }

    /// The legacy default stream.
    pub fn legacy(self: &Arc<Self>) -> Arc<Stream> {
        self.legacy.get_or_init(|| Stream::new(self, Kind::Legacy, 0, 0)).clone()
    }

    /// The calling thread's default stream.
    pub fn per_thread(self: &Arc<Self>) -> Arc<Stream> {
        let mut streams = self.per_thread.lock().unwrap_or_else(PoisonError::into_inner);
        streams.entry(std::thread::current().id()).or_insert_with(|| Stream::new(self, Kind::PerThread, 0, 0)).clone()
    }

    /// # Errors
    /// The error of a kernel that has failed: it stays.
    pub fn check(&self) -> Result<()> {
        match self.fault.get() {
            Some(error) => Err(error.code.into()),
            None => Ok(()),
        }
    }

    /// Notes that a kernel has failed.
    pub fn fail(&self, error: Error) {
        // The first stays.
        let _ = self.fault.set(error);
    }

    /// The number of the next launch, from 1.
    pub fn next_launch(&self) -> u64 {
        self.launches.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A limit's value, by its number in the API.
    pub fn limit(&self, number: u32) -> Result<u64> {
        self.limits().get(number as usize).copied().ok_or_else(|| Code::UnsupportedLimit.into())
    }

    /// Sets a limit, to the nearest value that is possible.
    pub fn set_limit(&self, number: u32, value: u64) -> Result<()> {
        let number = number as usize;
        let value = match number {
            STACK => value.clamp(1024, STACK_LIMIT).next_multiple_of(16),
            FETCH_GRANULARITY => value.min(128),
            PERSISTING_L2 => value.min(u64::from(self.device.model.l2)),
            _ => value,
        };
        *self.limits().get_mut(number).ok_or(Code::UnsupportedLimit)? = value;
        Ok(())
    }

    /// Bytes of local memory that a thread may use.
    pub fn stack_limit(&self) -> u64 {
        self.limits()[STACK]
    }

    fn limits(&self) -> MutexGuard<'_, [u64; LIMITS.len()]> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a context with all that belongs to it: streams, events, modules and memory. Memory not freed is
    /// reported where that check is on.
    pub fn end(&self) {
        let driver = driver();
        driver.contexts.remove(self.handle).ok();
        let own = |owner: &std::sync::Weak<Self>| std::ptr::eq(owner.as_ptr(), self);
        driver.streams.retain(|stream| !own(&stream.context));
        driver.events.retain(|event| !own(&event.context));
        driver.functions.retain(|function| function.image.context != self.handle);
        driver.images.retain(|image| image.context != self.handle);
        let entries = driver.ledger.take_of(self.handle);
        if driver.settings().checks.leak {
            let of_context: HashSet<u64> = entries.iter().map(|(address, _)| *address).collect();
            for allocation in driver.memory.leaks().into_iter().filter(|leak| of_context.contains(&leak.base)) {
                driver.report(Report::new(Subject::Leak { allocation }, "when its context ended"));
            }
        }
        for (address, entry) in entries {
            driver.ledger.give_back(address, &entry);
        }
    }
}
