//! Kernels that exist for each type of element.

use super::Element;
use crate::Error;

/// One `K` for each type of element.
#[derive(Debug)]
pub(crate) struct ByElement<K> {
    f32: K,
    bf16: K,
    f16: K,
}

impl<K> ByElement<K> {
    /// Those that `load` gives for the types' names, by which kernels end.
    pub(crate) fn load(mut load: impl FnMut(&'static str) -> Result<K, Error>) -> Result<Self, Error> {
        Ok(ByElement { f32: load("f32")?, bf16: load("bf16")?, f16: load("f16")? })
    }

    /// That of `T`.
    pub(crate) fn of<T: Element>(&self) -> &K {
        match T::NAME {
            // Only products read these otherwise, and they have kernels of their own.
            "f32" | "tf32" => &self.f32,
            "bf16" => &self.bf16,
            "f16" => &self.f16,
            name => unreachable!("no kernel is of the type {name}"),
        }
    }
}
