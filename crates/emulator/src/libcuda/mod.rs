//! The driver API's functions, as C calls them.
//!
//! Every function is here under its own name, but not exported by it, so that a program can link this crate and a
//! vendor's driver at the same time. [`install`](crate::install) makes them the process's libcuda; the package
//! `noam-libcuda` exports them as a shared library.
//!
//! A function's arguments are typed by direction ([`mod@pointer`]), so its body is safe code over the
//! [`driver`](crate::driver)'s objects. [`entry`] holds what happens around each: before `cuInit` nothing works, and
//! no panic reaches the caller. [`lookup`] finds functions by name and version.

pub mod capture;
pub mod context;
pub mod device;
pub mod entry;
pub mod function;
pub mod graph;
pub mod initialization;
pub mod launch;
pub mod lookup;
pub mod memcpy;
pub mod memory;
pub mod memset;
pub mod module;
pub mod nodes;
mod options;
pub mod parameters;
pub mod pointer;
pub mod pointers;
pub mod pool;
pub mod stream;
pub mod types;
pub mod unsupported;

#[cfg(test)]
mod tests;

/// All functions.
static FAMILIES: &[&[&[entry::Entry]]] = &[
    initialization::ENTRIES,
    device::ENTRIES,
    context::ENTRIES,
    memory::ENTRIES,
    pointers::ENTRIES,
    pool::ENTRIES,
    memcpy::ENTRIES,
    memset::ENTRIES,
    stream::ENTRIES,
    capture::ENTRIES,
    module::ENTRIES,
    function::ENTRIES,
    launch::ENTRIES,
    graph::ENTRIES,
    nodes::ENTRIES,
    unsupported::ENTRIES,
];
