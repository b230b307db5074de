//! Any text through the C interface: cuModuleLoadData, cuModuleGetFunction, cuLaunchKernel and cuCtxSynchronize give a
//! result code, never that of a panic.
//!
//! ```text
//! cargo fuzz run driver --sanitizer none -- -max_len=8192 -timeout=5 -rss_limit_mb=1024
//! ```
//! The input is as that of `run`.

#![no_main]

#[path = "../../tests/hostile/bytes.rs"]
mod bytes;
#[path = "../../tests/hostile/driver.rs"]
mod driver;
mod input;
#[path = "../../tests/hostile/mutate.rs"]
mod mutate;

use std::cell::RefCell;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};

thread_local! {
    static PROGRAM: RefCell<driver::Program> = RefCell::new(driver::Program::new());
}

fuzz_target!(|data: &[u8]| {
    let (text, bytes) = input::split(data);
    PROGRAM.with_borrow_mut(|program| program.run(&text, bytes));
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { input::mutate(data, size, max_size, seed) });
