//! What sm_90 adds.

use std::sync::Arc;

use noam_emulator::{memory::Memory, module::Module};

use crate::ways::{COMPILERS, ptx};

#[test]
fn what_is_not_supported_is_named_with_its_place() {
    for compiler in COMPILERS {
        let text = ptx(compiler, "hopper");
        let error =
            Module::load(&text, &Arc::new(Memory::new(1 << 20))).expect_err("no barriers in memory").to_string();
        assert!(error.contains("mbarrier"), "{error}");
        // As in "line 92, column 2: unknown instruction mbarrier": the instruction stands there.
        let line: Option<usize> = error.split([' ', ',']).nth(1).and_then(|line| line.parse().ok());
        let line = line.unwrap_or_else(|| panic!("{error}"));
        assert!(text.lines().nth(line - 1).is_some_and(|line| line.contains("mbarrier")), "{error}");
    }
}
