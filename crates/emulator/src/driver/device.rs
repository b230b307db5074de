//! Devices, and their primary contexts.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use super::{
    context::Context,
    driver,
    error::{Code, Result},
    handle::{Handle, Table},
    model::Model,
    pool::Pool,
};

/// A device.
#[derive(Debug)]
pub struct Device {
    /// Its number.
    pub ordinal: u32,
    /// What it is like.
    pub model: Model,
    /// Bytes of its memory.
    pub memory_bytes: u64,
    /// The pool that allocations in stream order come from, unless another is set.
    pub default_pool: Arc<Pool>,
    current_pool: Mutex<Arc<Pool>>,
    used: Mutex<u64>,
    /// The primary context's handle: always the same, so that it stays current in a thread while it comes and goes.
    primary_handle: Handle<Context>,
    primary: Mutex<Primary>,
}

#[derive(Debug, Default)]
struct Primary {
    retained: u32,
    flags: u32,
    context: Option<Arc<Context>>,
}

impl Device {
    /// A device with that many bytes of memory.
    pub fn new(ordinal: u32, model: Model, memory_bytes: u64) -> Self {
        let default_pool = Pool::new(ordinal, 0);
        Self {
            ordinal,
            model,
            memory_bytes,
            current_pool: Mutex::new(default_pool.clone()),
            default_pool,
            used: Mutex::new(0),
            primary_handle: Table::reserve(),
            primary: Mutex::default(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.model.name
    }

    /// Its universally unique identifier: the same in every process, as a device's is.
    pub fn uuid(&self) -> [u8; 16] {
        let mut uuid = *b"noam\0emulator\0\0\0";
        uuid[13] = self.model.target() as u8;
        uuid[15] = self.ordinal as u8;
        uuid
    }

    /// Its address on the PCI bus.
    pub fn pci_bus_id(&self) -> String {
        format!("0000:{:02X}:00.0", self.ordinal + 1)
    }

    /// What an attribute is.
    pub fn attribute(&self, number: u32) -> Result<u32> {
        self.model.attribute(number, self.ordinal).ok_or_else(|| Code::InvalidValue.into())
    }

    /// Takes of the device's memory.
    pub(super) fn take(&self, bytes: u64) -> Result<()> {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.memory_bytes - *used;
        if bytes > free {
            return Err(Code::OutOfMemory.because(format!("{bytes} bytes were asked for, {free} are free")));
        }
        *used += bytes;
        Ok(())
    }

    /// Gives back what was taken.
    pub(super) fn give_back(&self, bytes: u64) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) -= bytes;
    }

    /// Bytes of its memory that are free.
    pub fn free_bytes(&self) -> u64 {
        let used = *self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // Modules' variables are in the memory that all devices share, and in no device's account.
        (self.memory_bytes - used).min(driver().memory.capacity().0)
    }

    /// The pool that allocations in stream order come from.
    pub fn pool(&self) -> Arc<Pool> {
        self.current_pool.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets the pool that allocations in stream order come from.
    pub fn set_pool(&self, pool: Arc<Pool>) {
        *self.current_pool.lock().unwrap_or_else(PoisonError::into_inner) = pool;
    }

    /// Retains the primary context, which is made if it is not there.
    pub fn retain_primary(self: &Arc<Self>) -> Arc<Context> {
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        primary.retained += 1;
        let flags = primary.flags;
        let make = || Context::new(self.primary_handle, self.clone(), true, flags);
        primary.context.get_or_insert_with(make).clone()
    }

    /// Releases the primary context, which ends with the last release.
    pub fn release_primary(&self) -> Result<()> {
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        match primary.retained {
            0 => return Err(Code::InvalidContext.because("the primary context is not retained")),
            1 => {
                if let Some(context) = primary.context.take() {
                    context.end();
                }
            }
            _ => {}
        }
        primary.retained -= 1;
        Ok(())
    }

    /// Ends the primary context whoever retains it; those who do get a new one.
    pub fn reset_primary(self: &Arc<Self>) {
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = primary.context.take() {
            context.end();
            if primary.retained > 0 {
                primary.context = Some(Context::new(self.primary_handle, self.clone(), true, primary.flags));
            }
        }
    }

    /// The primary context's flags, and whether it is there.
    pub fn primary_state(&self) -> (u32, bool) {
        let primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        match &primary.context {
            Some(context) => (context.flags.load(Ordering::Relaxed), true),
            None => (primary.flags, false),
        }
    }

    /// Sets the primary context's flags.
    pub fn set_primary_flags(&self, flags: u32) {
        let mut primary = self.primary.lock().unwrap_or_else(PoisonError::into_inner);
        primary.flags = flags;
        if let Some(context) = &primary.context {
            context.flags.store(flags, Ordering::Relaxed);
        }
    }
}
