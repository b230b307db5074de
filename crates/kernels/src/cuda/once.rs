//! Kernels that are loaded when they are first used: the driver compiles what is loaded, which takes seconds, and a run
//! needs those of one type of element.
//!
//! A capture cannot hold that ([`Queue::load`] refuses it). It need not: work is captured the second time it is done, and
//! the first time has loaded what it uses.

use super::{Element, Queue};
use crate::Error;
use std::sync::OnceLock;

/// What is there from its first use on.
pub(crate) type Once<T> = OnceLock<T>;

/// What the cell holds, loaded if this is its first use. Threads that come at the same time may all load it; they all
/// get what was there first. Nothing is remembered of a failure.
pub(crate) fn once<T>(cell: &Once<T>, load: impl FnOnce() -> Result<T, Error>) -> Result<&T, Error> {
    match cell.get() {
        Some(value) => Ok(value),
        None => {
            let value = load()?;
            Ok(cell.get_or_init(|| value))
        }
    }
}

/// One `K` for each type of element, from that type's first use on.
#[derive(Debug)]
pub(crate) struct OnceByElement<K> {
    f32: Once<K>,
    tf32: Once<K>,
    bf16: Once<K>,
    f16: Once<K>,
    load: fn(&Queue, &'static str) -> Result<K, Error>,
}

impl<K> OnceByElement<K> {
    /// None yet. `load` takes a type's name.
    pub(crate) fn new(load: fn(&Queue, &'static str) -> Result<K, Error>) -> Self {
        OnceByElement { f32: Once::new(), tf32: Once::new(), bf16: Once::new(), f16: Once::new(), load }
    }

    /// That of `T`, loaded if this is its first use.
    pub(crate) fn of<T: Element>(&self, queue: &Queue) -> Result<&K, Error> {
        let cell = match T::NAME {
            "f32" => &self.f32,
            "tf32" => &self.tf32,
            "bf16" => &self.bf16,
            "f16" => &self.f16,
            name => unreachable!("no kernel is of the type {name}"),
        };
        once(cell, || (self.load)(queue, T::NAME))
    }
}
