//! Every instruction the emulator takes, in every combination of modifiers and types, against a computation of the
//! test's own, at both levels of execution functions.

#[path = "../common/mod.rs"]
mod common;

mod approximate;
mod async_copy;
mod atomic;
mod barrier;
mod bits;
mod carry;
mod compare;
mod control;
mod convert;
mod convert_small;
mod ends;
mod exact;
mod float;
mod half;
mod integer;
mod matrix;
mod memory;
mod mma;
mod mov;
mod parameters;
mod patterns;
mod printf;
mod refusal;
mod special;
mod table;
mod warp;
