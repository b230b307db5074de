//! Text made to exhaust a parser: its stack, its time, its memory.

use std::time::Instant;

use super::{HEAD, body, body_error, module, module_error, variable};
use crate::ptx::{
    ast::{Operand, Statement},
    parse,
};

const TOO_DEEP: &str = "nested more than 64 deep";

#[test]
fn depth_has_a_limit() {
    let nested = |open: &str, middle: &str, close: &str, depth: usize| {
        format!("{}{middle}{}", open.repeat(depth), close.repeat(depth))
    };
    // A body is itself one level.
    body(&nested("{", "ret;", "}", 63));
    variable(&format!(".global .u32 x = {};", nested("{", "1", "}", 64)));
    body(&format!("mov.u32 x, {};", nested("(", "1", ")", 63)));
    body(&format!("mov.u32 x, {}1;", "- ".repeat(63)));
    for depth in [65, 1000, 1_000_000] {
        assert_eq!(body_error(&nested("{", "ret;", "}", depth)), TOO_DEEP);
        assert_eq!(module_error(&format!(".global .u32 x = {};", nested("{", "1", "}", depth))), TOO_DEEP);
        for part in ["(", "-", "~", "!", "(.u64)", "1?1:", "1?", "1+(", "generic(", "0xFF("] {
            assert_eq!(module_error(&format!(".global .u32 x = {}", part.repeat(depth))), TOO_DEEP, "{part}");
        }
        for part in ["(", "-(", "1-(", "1?1:"] {
            assert_eq!(body_error(&format!("mov.u32 x, {}", part.repeat(depth))), TOO_DEEP, "{part}");
        }
    }
    // What is passed over needs no limit.
    module(&format!(".section .debug_x {}", nested("{", "", "}", 1_000_000)));
}

#[test]
fn long_lists_have_no_limit() {
    let operands = vec!["%r1"; 100_000].join(",");
    let [Statement::Instruction(instruction)] = &body(&format!("x {operands};"))[..] else { panic!() };
    assert_eq!(instruction.operands.len(), 100_000);
    let [Statement::Instruction(instruction)] = &body(&format!("x {{{operands}}};"))[..] else { panic!() };
    assert!(matches!(&instruction.operands[..], [Operand::Vector(elements)] if elements.len() == 100_000));
    let sum = vec!["1"; 100_000].join("+");
    let [Statement::Instruction(instruction)] = &body(&format!("x {sum};"))[..] else { panic!() };
    assert_eq!(instruction.operands, [Operand::Immediate(crate::ptx::ast::Immediate::Integer(100_000))]);
    assert_eq!(variable(&format!(".shared .b8 x{};", "[2]".repeat(10_000))).dimensions.len(), 10_000);
}

/// Texts of about `size` bytes that a careless parser takes too long for.
fn shapes(size: usize) -> Vec<(&'static str, String)> {
    let filled = |start: &str, part: &str, end: &str| format!("{HEAD}{start}{}{end}", part.repeat(size / part.len()));
    vec![
        ("instructions", filled(".entry k() {", "add.s32 %r1, %r2, 3;\n", "}")),
        ("short instructions", filled(".entry k() {", "a;", "}")),
        ("labels", filled(".entry k() {", "a:", "}")),
        ("semicolons", filled(".entry k() {", ";", "}")),
        ("empty blocks", filled(".entry k() {", "{}", "}")),
        ("declarations", filled("", ".reg .b32 %r<9>;", "")),
        ("names of one declaration", filled(".global .b8 ", "x,", "x;")),
        ("functions", filled("", ".func f;", "")),
        ("values", filled(".global .b8 x[] = {", "1,", "1};")),
        ("empty lists", filled(".global .b8 x[] = {", "{},", "1};")),
        ("modifiers", filled(".entry k() { a", ".b", "; }")),
        ("components", filled(".entry k() { a b", ".c", "; }")),
        ("colons", filled(".entry k() { a.b", "::c", "; }")),
        ("operands", filled(".entry k() { a ", "b,", "b; }")),
        ("a sum", filled(".entry k() { a ", "1+", "1; }")),
        ("a remainder", filled(".entry k() { a 5", " %7", "; }")),
        ("a long name", filled(".entry k() { ", "a", "; }")),
        ("a long integer", filled(".entry k() { a ", "0", "1; }")),
        ("a long fraction", filled(".entry k() { a 0.", "1", "; }")),
        ("a long string", filled(".pragma \"", "\\\"", "\";")),
        ("lines", filled("", "\n", "")),
        ("line comments", filled("", "//\n", "")),
        ("comments", filled("", "/**/", "")),
        ("an open comment", filled("/", "*", "")),
        ("an open string", filled("\"", "a", "")),
        ("a section", filled(".section .x {", ".b8 1,2\n", "}")),
        ("a section's braces", filled(".section .x {", "{}", "")),
        ("options", filled(".target ", "a,", "sm_80")),
        ("source lines", filled(".entry k() {", ".loc 1 2 3\n", "}")),
        ("targets", filled(".entry k() { a: .branchtargets ", "a,", "a; }")),
    ]
}

/// Seconds that this thread has run for, where the system tells, in steps of some milliseconds; else the time of day,
/// in which a busy machine's other work shows.
fn seconds(since: Instant) -> f64 {
    let run = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = run.and_then(|text| text.split(' ').next().and_then(|first| first.parse::<f64>().ok()));
    nanoseconds.map_or_else(|| since.elapsed().as_secs_f64(), |nanoseconds| nanoseconds * 1e-9)
}

#[test]
fn time_is_proportional_to_length() {
    const SIZE: usize = 120_000;
    const LONGER: usize = 8;
    let epoch = Instant::now();
    for ((name, text), (_, long)) in shapes(SIZE).into_iter().zip(shapes(LONGER * SIZE)) {
        // Eight texts take as long as one eight times as long, which a step of quadratic time makes eight times
        // slower, at every attempt.
        let mut times = (0.0, 0.0);
        let linear = (0..10).any(|_| {
            let start = seconds(epoch);
            for _ in 0..LONGER {
                drop(parse(&text));
            }
            let middle = seconds(epoch);
            drop(parse(&long));
            times = (middle - start, seconds(epoch) - middle);
            times.1 < 3.0 * times.0 + 0.02
        });
        assert!(linear, "{name}: {times:?} seconds");
    }
}

#[test]
fn memory_is_proportional_to_length() {
    // The shortest statement has two bytes, so this bounds what a byte of text can cost.
    assert!(size_of::<Statement<'_>>() <= 128, "{}", size_of::<Statement<'_>>());
    assert!(size_of::<Operand<'_>>() <= 40, "{}", size_of::<Operand<'_>>());
}
