//! Constant expressions: values by hand, types by the PTX ISA's table of evaluation rules.

use super::{body_error, instruction};
use crate::ptx::ast::{Immediate, Operand};

#[track_caller]
fn value(text: &str) -> Immediate {
    match instruction(&format!("mov.b64 x, {text};")).operands.as_slice() {
        [_, Operand::Immediate(value)] => *value,
        other => panic!("{text}: {other:?}"),
    }
}

#[track_caller]
fn integers(cases: &[(&str, i64)]) {
    for (text, expected) in cases {
        assert_eq!(value(text), Immediate::Integer(*expected as u64), "{text}");
    }
}

#[track_caller]
fn refused(text: &str) -> String {
    body_error(&format!("mov.b64 x, {text};"))
}

#[test]
fn operators_bind_as_in_c() {
    integers(&[
        ("1+2*3", 7),
        ("(1+2)*3", 9),
        ("10-4-3", 3),
        ("100/10/5", 2),
        ("1<<2+1", 8),
        ("1<<2<<1", 8),
        ("7 & 3 == 3", 1),
        ("1 | 6 & 4", 5),
        ("1 ^ 3 | 4", 6),
        ("6 ^ 3 & 1", 7),
        ("1 | 1 ^ 1", 1),
        ("1 || 0 && 0", 1),
        ("2 < 3 == 1", 1),
        ("16 >> 1 < 9", 1),
        ("-2*3", -6),
        ("- - 5", 5),
        ("+-+5", -5),
        ("!0 + 1", 2),
        ("~0 & 0xF", 15),
        ("-(3 - 5)", 2),
        ("1 + WARP_SZ * 2", 65),
        ("-WARP_SZ", -32),
        ("!WARP_SZ", 0),
        ("(((((7)))))", 7),
        ("7%4", 3),
        ("7 %4", 3),
        ("7 % 4", 3),
        ("2*7%4+1", 3),
    ]);
}

#[test]
fn conditions() {
    integers(&[
        ("1 ? 2 : 3", 2),
        ("0 ? 2 : 3", 3),
        ("0 ? 1 : 0 ? 2 : 3", 3),
        ("1 ? 0 ? 1 : 2 : 3", 2),
        ("2 > 1 ? 10 + 1 : 20", 11),
        ("(1 ? 0 : 1) ? 5 : 6", 6),
        ("3 == 3", 1),
        ("3 != 3", 0),
        ("2 >= 3", 0),
        ("2 <= 3", 1),
        ("3 <= 3", 1),
        ("4 <= 3", 0),
        ("3 >= 3", 1),
        ("3 < 3", 0),
        ("3 > 3", 0),
        ("1.5 < 2.5", 1),
        ("1.5 >= 2.5", 0),
        ("0.5 == .5", 1),
        ("0.5 != .5", 0),
        ("5 && 0", 0),
        ("5 && 7", 1),
        ("0 || 0", 0),
        ("!5", 0),
        ("!0", 1),
    ]);
}

#[test]
fn signed_and_unsigned_differ() {
    integers(&[
        ("-7 / 2", -3),
        // 2^64 - 7, halved.
        ("-7 / 2U", 0x7FFF_FFFF_FFFF_FFFC),
        ("-1 < 0", 1),
        // As unsigned numbers, -1 is the largest.
        ("-1 < 0U", 0),
        ("-1 > 1U", 1),
        ("-8 >> 1", -4),
        ("(.u64)-8 >> 1", 0x7FFF_FFFF_FFFF_FFFC),
        ("(.s64)0xFFFFFFFFFFFFFFFF < 0", 1),
        ("0xFFFFFFFFFFFFFFFF < 0", 0),
        // `~` and `&` give unsigned numbers.
        ("~0 > 0", 1),
        ("(-1 & -1) > 0", 1),
        ("(-1 | 0) > 0", 1),
        ("(-1 ^ 0) > 0", 1),
        // An unsigned result wraps.
        ("0U - 1", -1),
        ("-1U", -1),
        ("-1U > 0", 1),
        ("0xFFFFFFFFFFFFFFFF + 2", 1),
        ("0x8000000000000000 * 2", 0),
        // A comparison gives a signed number, also of unsigned ones.
        ("(1U < 2U) - 2 < 0", 1),
        // A remainder takes unsigned numbers and gives a signed one: 2^64 - 1 = 3 * 5 * 17 * ...
        ("-1 % 10", 5),
        ("5U % 3U - 4 < 0", 1),
        // Where one side of a choice is unsigned, so is the result.
        ("(1 ? -1 : 0U) > 0", 1),
        ("(1 ? -1 : 0) > 0", 0),
        // The shift's own type is its first operand's.
        ("(-8 >> 1U) < 0", 1),
    ]);
}

#[test]
fn floating_point() {
    let cases = [
        ("1.5 + 2.25", 3.75),
        ("1.0 / 4.0", 0.25),
        ("0.1 + 0.2", f64::from_bits(0x3FD3_3333_3333_3334)),
        ("2.0 * -3.0", -6.0),
        ("-(1.5)", -1.5),
        ("1 ? 1.5 : 2.5", 1.5),
        ("1.0 / 0.0", f64::INFINITY),
        ("0d3FF0000000000000 - .5", 0.5),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), Immediate::F64(expected.to_bits()), "{text}");
    }
}

#[test]
fn expressions_without_a_value() {
    let cases = [
        ("1 / 0", "a division by zero"),
        ("1U / 0", "a division by zero"),
        ("1 % 0", "a division by zero"),
        ("9223372036854775807 + 1", "it does not fit in 64 bits"),
        ("-9223372036854775807 - 2", "it does not fit in 64 bits"),
        ("9223372036854775807 * 2", "it does not fit in 64 bits"),
        ("(.s64)0x8000000000000000 / -1", "it does not fit in 64 bits"),
        ("-(.s64)0x8000000000000000", "it does not fit in 64 bits"),
        ("1 << 64", "a shift by 64 bits or more"),
        ("1 >> -1", "a shift by 64 bits or more"),
        ("1 + 2.0", "integers and floating-point numbers do not mix"),
        ("1.0 < 2", "integers and floating-point numbers do not mix"),
        ("1 ? 1.0 : 2", "the operator takes integers only"),
        ("1.0 ? 1 : 2", "the operator takes integers only"),
        ("!1.0", "the operator takes integers only"),
        ("~1.0", "the operator takes integers only"),
        ("1.0 & 2.0", "the operator takes integers only"),
        ("1.0 % 2.0", "the operator takes integers only"),
        ("1.0 && 1", "the operator takes integers only"),
        ("1.0 << 1", "the operator takes integers only"),
        ("1 << 1.0", "the operator takes integers only"),
        ("(.u64)1.0", "the operator takes integers only"),
        ("0f3F800000 + 0f3F800000", "a constant of the form 0f takes no operator"),
        ("1.0 + 0f3F800000", "a constant of the form 0f takes no operator"),
    ];
    for (text, reason) in cases {
        assert_eq!(refused(text), format!("this constant expression has no value: {reason}"), "{text}");
    }
}

#[test]
fn malformed_expressions() {
    let cases = [
        ("1 +", "found `;`, expected a constant"),
        ("1 + y", "found `y`, expected a constant"),
        ("(1", "found `;`, expected `)`"),
        ("()", "found `)`, expected a constant"),
        ("1 ? 2", "found `;`, expected `:` and the other value"),
        ("(.b32)1", "found `.b32`, expected a constant, or a cast to `.u64` or `.s64`"),
        ("(.u64 1", "found `1`, expected `)`"),
        ("1 2", "found `2`, expected `,` or `;`"),
        ("7 %r4", "found `%r4`, expected `,` or `;`"),
        ("1 = 2", "found `=`, expected `,` or `;`"),
        (".x", "found `.x`, expected a constant"),
    ];
    for (text, message) in cases {
        assert_eq!(refused(text), message, "{text}");
    }
}
