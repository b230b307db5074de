//! Any text gives a syntax tree or an error, without a panic, in time and memory proportional to its length.
//!
//! ```text
//! cargo fuzz run parse --sanitizer none -- -max_len=65536 -timeout=1 -rss_limit_mb=512
//! ```
//! Seeds worth giving: the folders `tests/ptx` and `tests/bugs` of the crate.

#![no_main]

use libfuzzer_sys::fuzz_target;
use noam_emulator::ptx::parse;

fuzz_target!(|source: &str| {
    if let Err(error) = parse(source) {
        // The message is made of what was found: as hostile as the text.
        assert!(error.to_string().len() < 1024);
        assert!(error.position.line >= 1 && error.position.column >= 1);
    }
});
