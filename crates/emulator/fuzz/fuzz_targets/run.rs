//! Any text that loads can be run: every kernel of it with a small grid, parameters made of allocated addresses and of
//! the input's bytes, every check and counter on and its steps limited. The portable execution functions leave the same
//! bits, so a byte from outside of a kernel's own memory would show.
//!
//! ```text
//! cargo fuzz run run --sanitizer none -- -max_len=8192 -timeout=5 -rss_limit_mb=1024
//! ```
//! The input is text, a zero byte, and bytes for the parameters. It needs no seeds: the mutator has its own.

#![no_main]

#[path = "../../tests/hostile/bytes.rs"]
mod bytes;
#[path = "../../tests/hostile/direct.rs"]
mod direct;
mod input;
#[path = "../../tests/hostile/mutate.rs"]
mod mutate;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_target!(|data: &[u8]| {
    let (text, bytes) = input::split(data);
    direct::run(&text, bytes);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { input::mutate(data, size, max_size, seed) });
