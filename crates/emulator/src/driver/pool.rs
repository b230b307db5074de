//! Memory pools: where allocations in stream order come from. A pool here is an account, not a store: memory that is
//! freed goes back to the device at once.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    driver,
    error::{Code, Result},
    handle::{Handle, Table},
};

/// A pool.
#[derive(Debug)]
pub struct Pool {
    /// Its handle.
    pub handle: Handle<Pool>,
    /// The device whose memory it hands out.
    pub device: u32,
    /// The most bytes it hands out; 0 for no limit.
    pub limit: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    used: u64,
    high: u64,
    release_threshold: u64,
    /// Whether memory may be used again: by event dependencies, opportunistically, by dependencies that the driver
    /// adds. Kept, and without effect.
    reuse: [u32; 3],
}

/// A value of an attribute, in the size the API passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// An `int`.
    Word(u32),
    /// A 64-bit number.
    Long(u64),
}

/// The reuse attributes' numbers, from 1.
const REUSE: std::ops::RangeInclusive<u32> = 1..=3;
const RELEASE_THRESHOLD: u32 = 4;
const RESERVED: u32 = 5;
const RESERVED_HIGH: u32 = 6;
const USED: u32 = 7;
const USED_HIGH: u32 = 8;

impl Pool {
    /// A pool of a device's memory.
    pub fn new(device: u32, limit: u64) -> Arc<Self> {
        let state = State { used: 0, high: 0, release_threshold: 0, reuse: [1; 3] };
        Arc::new(Self { handle: Table::reserve(), device, limit, state: Mutex::new(state) })
    }

    /// The pool of a handle.
    ///
    /// # Errors
    /// Where there is none.
    pub fn get(handle: Handle<Self>) -> Result<Arc<Self>> {
        driver().pools.get(handle)
    }

    /// Accounts for an allocation.
    pub(super) fn take(&self, bytes: u64) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let used = state.used.saturating_add(bytes);
        if self.limit != 0 && used > self.limit {
            let limit = self.limit;
            return Err(Code::OutOfMemory.because(format!("the pool would hold {used} bytes of at most {limit}")));
        }
        state.used = used;
        state.high = state.high.max(used);
        Ok(())
    }

    /// Accounts for what is freed.
    pub(super) fn give_back(&self, bytes: u64) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).used -= bytes;
    }

    /// What an attribute is.
    pub fn attribute(&self, number: u32) -> Result<Value> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match number {
            number if REUSE.contains(&number) => Value::Word(state.reuse[number as usize - 1]),
            RELEASE_THRESHOLD => Value::Long(state.release_threshold),
            RESERVED | USED => Value::Long(state.used),
            RESERVED_HIGH | USED_HIGH => Value::Long(state.high),
            _ => return Err(Code::InvalidValue.into()),
        })
    }

    /// Whether an attribute is an `int`.
    pub fn is_word(number: u32) -> bool {
        REUSE.contains(&number)
    }

    /// Sets an attribute. The high-water marks can only be set to 0, which means to what is in use now.
    pub fn set_attribute(&self, number: u32, value: u64) -> Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match number {
            number if REUSE.contains(&number) => state.reuse[number as usize - 1] = u32::from(value != 0),
            RELEASE_THRESHOLD => state.release_threshold = value,
            RESERVED_HIGH | USED_HIGH if value == 0 => state.high = state.used,
            _ => return Err(Code::InvalidValue.into()),
        }
        Ok(())
    }
}
