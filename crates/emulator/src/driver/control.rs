//! What a Rust program asks of the emulator that it has [installed](crate::install): which checks to make, and what
//! came of them.
//!
//! Reports and launches are kept by the thread of the program whose call caused them, so that tests that run beside
//! each other do not see each other's.

use std::{sync::Arc, thread};

use super::{driver, record::LaunchRecord, report::Report};
use crate::{exec::BlockOrder, finding::Checks};

/// Sets what launches from now on are checked for, in the whole process.
pub fn set_checks(checks: Checks) {
    driver().change_settings(|settings| settings.checks = checks);
}

/// What launches are checked for.
pub fn checks() -> Checks {
    driver().settings().checks
}

/// Sets whether launches from now on are counted, in the whole process, and whether by source line too.
pub fn set_counting(count: bool, by_line: bool) {
    driver().change_settings(|settings| {
        settings.count = count;
        settings.lines = by_line;
    });
}

/// Sets the order in which launches from now on start their blocks, in the whole process. A kernel's result must not
/// depend on it.
pub fn set_block_order(order: BlockOrder) {
    driver().change_settings(|settings| settings.block_order = order);
}

/// Sets after how many instructions of warps launches from now on are stopped, in the whole process.
pub fn set_step_budget(steps: Option<u64>) {
    driver().change_settings(|settings| settings.step_budget = steps);
}

/// What was found wrong in calls of this thread, and in kernels that it launched. It is forgotten then.
pub fn take_reports() -> Vec<Report> {
    let here = thread::current().id();
    driver().journal.take_reports(|report| report.caller == here)
}

/// The same of all threads.
pub fn take_all_reports() -> Vec<Report> {
    driver().journal.take_reports(|_| true)
}

/// The latest launch of this thread, if launches are counted.
pub fn last_launch() -> Option<Arc<LaunchRecord>> {
    driver().journal.last_launch(thread::current().id())
}

/// The latest launches of this thread, oldest first, if launches are counted. They are forgotten then.
pub fn take_launches() -> Vec<Arc<LaunchRecord>> {
    driver().journal.take_launches(thread::current().id())
}

/// The latest launches of all threads, oldest first, if launches are counted.
pub fn launches() -> Vec<Arc<LaunchRecord>> {
    driver().journal.launches()
}
