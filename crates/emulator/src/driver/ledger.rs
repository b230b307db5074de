//! Who owns which memory: the context, the device's account and the pool behind every allocation.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    context::Context,
    driver,
    error::{Code, Result},
    handle::Handle,
    host::HostPointer,
    pool::Pool,
};
use crate::memory::{AllocationInfo, AllocationKind};

/// What is known of an allocation beside what the memory knows.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The context it ends with.
    pub context: Handle<Context>,
    /// The device it was made for.
    pub device: u32,
    /// Its size.
    pub bytes: u64,
    /// What it is.
    pub kind: AllocationKind,
    /// The pool it came from.
    pub pool: Option<Arc<Pool>>,
    /// Flags of the call that made or registered it.
    pub flags: u32,
    /// Whether a graph owns it.
    pub of_graph: bool,
}

/// All allocations by address.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<BTreeMap<u64, Entry>>);

/// What `cuMemFree` can free.
pub const DEVICE: &[AllocationKind] = &[AllocationKind::Device, AllocationKind::Pool, AllocationKind::Managed];
/// What `cuMemFreeAsync` can free.
pub const IN_ORDER: &[AllocationKind] = &[AllocationKind::Device, AllocationKind::Pool];
/// What `cuMemFreeHost` can free.
pub const HOST: &[AllocationKind] = &[AllocationKind::HostPinned];

impl Ledger {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Entry>> {
        // Every change is a single insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Allocates for a context.
    pub fn allocate(&self, context: &Context, bytes: u64, kind: AllocationKind, flags: u32) -> Result<u64> {
        self.allocate_from(context, bytes, kind, flags, None)
    }

    /// Allocates for a context from a pool.
    pub fn allocate_from(
        &self,
        context: &Context,
        bytes: u64,
        kind: AllocationKind,
        flags: u32,
        pool: Option<Arc<Pool>>,
    ) -> Result<u64> {
        let driver = driver();
        let device = match &pool {
            Some(pool) => driver.device(pool.device)?,
            None => context.device.clone(),
        };
        if kind.is_counted() {
            device.take(bytes)?;
        }
        let refund = || {
            if kind.is_counted() {
                device.give_back(bytes);
            }
        };
        if let Some(pool) = &pool {
            pool.take(bytes).inspect_err(|_| refund())?;
        }
        let address = driver.memory.allocate(bytes, kind).inspect_err(|_| {
            refund();
            pool.iter().for_each(|pool| pool.give_back(bytes));
        })?;
        let entry =
            Entry { context: context.handle, device: device.ordinal, bytes, kind, pool, flags, of_graph: false };
        self.lock().insert(address, entry);
        Ok(address)
    }

    /// Marks an allocation as a graph's own.
    pub fn give_to_graph(&self, address: u64) {
        if let Some(entry) = self.lock().get_mut(&address) {
            entry.of_graph = true;
            entry.context = Handle::NULL;
        }
    }

    /// Frees the allocation that begins at an address, if it is of a kind that may be freed so.
    pub fn free(&self, address: u64, kinds: &[AllocationKind]) -> Result<()> {
        let mut entries = self.lock();
        let entry = match entries.get(&address).map(|entry| entry.kind) {
            Some(kind) if kinds.contains(&kind) => entries.remove(&address),
            Some(kind) => {
                return Err(Code::InvalidValue.because(format!("{address:#x} is {kind:?} memory: free it as such")));
            }
            None => None,
        };
        drop(entries);
        match entry {
            Some(entry) => {
                self.give_back(address, &entry);
                Ok(())
            }
            // A module's variable, an address inside of an allocation, freed before, or never allocated.
            None => match driver().memory.find(address) {
                Some(info) if info.base == address => {
                    Err(Code::InvalidValue.because(format!("{info} at {address:#x} is not the program's to free")))
                }
                _ => Ok(driver().memory.free(address)?),
            },
        }
    }

    /// Lets the device reach the program's own memory.
    pub fn register(&self, context: &Context, host: HostPointer, bytes: u64, flags: u32) -> Result<()> {
        let address = host.register(&driver().memory, bytes)?;
        let entry = Entry {
            context: context.handle,
            device: context.device.ordinal,
            bytes,
            kind: AllocationKind::Registered,
            pool: None,
            flags,
            of_graph: false,
        };
        self.lock().insert(address, entry);
        Ok(())
    }

    /// Ends what [`register`](Self::register) began.
    pub fn unregister(&self, address: u64) -> Result<()> {
        let mut entries = self.lock();
        match entries.get(&address) {
            Some(entry) if entry.kind == AllocationKind::Registered => {}
            _ => return Err(Code::HostMemoryNotRegistered.because(format!("{address:#x} is not registered"))),
        }
        entries.remove(&address);
        Ok(driver().memory.unregister(address)?)
    }

    /// The allocation that holds an address, and what is known of it beside.
    pub fn find(&self, address: u64) -> Option<(AllocationInfo, Option<Entry>)> {
        let info = driver().memory.find(address)?;
        let entry = self.lock().get(&info.base).cloned();
        Some((info, entry))
    }

    /// Takes out all entries of a context.
    pub(super) fn take_of(&self, context: Handle<Context>) -> Vec<(u64, Entry)> {
        let mut taken = Vec::new();
        self.lock().retain(|&address, entry| {
            let own = entry.context == context;
            if own {
                taken.push((address, entry.clone()));
            }
            !own
        });
        taken
    }

    /// Takes out a graph's own allocation, if the program has not freed it.
    pub(super) fn take_graph_memory(&self, address: u64) -> Option<Entry> {
        let mut entries = self.lock();
        entries.get(&address).is_some_and(|entry| entry.of_graph).then(|| entries.remove(&address)).flatten()
    }

    /// Frees the memory of an entry that was taken out.
    pub(super) fn give_back(&self, address: u64, entry: &Entry) {
        let driver = driver();
        let freed = match entry.kind {
            AllocationKind::Registered => driver.memory.unregister(address),
            _ => driver.memory.free(address),
        };
        debug_assert_eq!(freed, Ok(()), "what the ledger has is there");
        if let Some(pool) = &entry.pool {
            pool.give_back(entry.bytes);
        }
        if entry.kind.is_counted()
            && let Ok(device) = driver.device(entry.device)
        {
            device.give_back(entry.bytes);
        }
    }
}
