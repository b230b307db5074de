#![doc = include_str!("../README.md")]
#![deny(unsafe_op_in_unsafe_fn)]

pub mod check;
pub mod counters;
pub mod driver;
pub mod exec;
pub mod finding;
pub mod install;
pub mod lanes;
pub mod libcuda;
pub mod lower;
pub mod memory;
pub mod module;
pub mod num;
pub mod ops;
pub mod program;
pub mod ptx;
