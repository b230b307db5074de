//! Characters, comments, names and numbers.

use super::{body, body_error, error, instruction, module, module_error};
use crate::ptx::{
    ast::{Immediate, Operand, Position, Statement},
    parse,
};

/// The value of a number, as `mov`'s operand.
#[track_caller]
fn number(text: &str) -> Immediate {
    match instruction(&format!("mov.b64 x, {text};")).operands.as_slice() {
        [Operand::Name("x"), Operand::Immediate(value)] => *value,
        other => panic!("{other:?}"),
    }
}

/// What is said of a number that is refused.
#[track_caller]
fn refused(text: &str) -> String {
    body_error(&format!("mov.b64 x, {text};"))
}

#[test]
fn comments_are_space() {
    let text = "/* a\n * b // c\n */ret/**/;// d ret;\n/* /* */exit;//";
    let statements = body(&format!("{text}\n"));
    let found: Vec<_> = statements
        .iter()
        .map(|statement| match statement {
            Statement::Instruction(instruction) => (instruction.opcode, instruction.position),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, [("ret", Position { line: 6, column: 4 }), ("exit", Position { line: 7, column: 9 })]);
}

#[test]
fn lines_may_end_as_on_windows() {
    let unix = ".version 8.0\n.target sm_80\n.entry k()\n{\n// note\n  ret;\n}\n";
    let windows = unix.replace('\n', "\r\n");
    assert_eq!(format!("{:?}", parse(unix).unwrap()), format!("{:?}", parse(&windows).unwrap()));
}

#[test]
fn all_space_is_alike() {
    assert_eq!(instruction("add.s32\t%r1\n,\x0b%r2\x0c,  3 ;").operands.len(), 3);
}

#[test]
fn names() {
    for name in ["a", "A9_$", "_Z3foo", "$L__BB0_1", "%r1", "%rd_$", "_9", "$9", "__local_depot0", "%p"] {
        assert_eq!(instruction(&format!("bra {name};")).operands, [Operand::Name(name)]);
    }
}

#[test]
fn integers() {
    let cases: [(&str, u64); 16] = [
        ("0", 0),
        ("7", 7),
        ("1234567890123456789", 1_234_567_890_123_456_789),
        ("18446744073709551615", u64::MAX),
        ("42U", 42),
        ("0x0", 0),
        ("0xfF", 255),
        ("0XABCdef0U", 0xABC_DEF0),
        ("0xFFFFFFFFFFFFFFFF", u64::MAX),
        ("0000000000000000000000000000000000017", 15),
        ("017", 15),
        ("0777U", 511),
        ("0b101", 5),
        ("0B11U", 3),
        ("-1", u64::MAX),
        ("-9223372036854775808", 1 << 63),
    ];
    for (text, value) in cases {
        assert_eq!(number(text), Immediate::Integer(value), "{text}");
    }
}

#[test]
fn floats() {
    let cases = [
        ("0f3F800000", Immediate::F32(0x3F80_0000)),
        ("0F3f80000a", Immediate::F32(0x3F80_000A)),
        // A signalling NaN keeps its bits.
        ("0f7F800001", Immediate::F32(0x7F80_0001)),
        ("-0f3F800000", Immediate::F32(0xBF80_0000)),
        ("0d3FF0000000000000", Immediate::F64(0x3FF0_0000_0000_0000)),
        ("0DFFF0000000000001", Immediate::F64(0xFFF0_0000_0000_0001)),
        ("1.0", Immediate::F64(1f64.to_bits())),
        ("0.1", Immediate::F64(0x3FB9_9999_9999_999A)),
        ("2.", Immediate::F64(2f64.to_bits())),
        (".5", Immediate::F64(0.5f64.to_bits())),
        ("-.25", Immediate::F64((-0.25f64).to_bits())),
        ("(.5)", Immediate::F64(0.5f64.to_bits())),
        ("1.5e3", Immediate::F64(1500f64.to_bits())),
        ("1.5E+3", Immediate::F64(1500f64.to_bits())),
        ("25.e-2", Immediate::F64(0.25f64.to_bits())),
        (".25e+1", Immediate::F64(2.5f64.to_bits())),
        ("1e3", Immediate::F64(1000f64.to_bits())),
        ("5e-1", Immediate::F64(0.5f64.to_bits())),
        ("-0.0", Immediate::F64(1 << 63)),
    ];
    for (text, value) in cases {
        assert_eq!(number(text), value, "{text}");
    }
}

#[test]
fn malformed_numbers() {
    let cases = [
        ("18446744073709551616", "the number `18446744073709551616`: it does not fit in 64 bits"),
        ("0x10000000000000000", "the number `0x10000000000000000`: it does not fit in 64 bits"),
        ("0x", "the number `0x`: it has no digits"),
        ("0xG", "the number `0xG`: a character that is no digit of it"),
        ("089", "the number `089`: a character that is no digit of it"),
        ("0b2", "the number `0b2`: a character that is no digit of it"),
        ("12ab", "the number `12ab`: a character that is no digit of it"),
        ("1u", "the number `1u`: a character that is no digit of it"),
        ("0f3F80000", "the number `0f3F80000`: 0f takes 8 hexadecimal digits"),
        ("0f3F80000000", "the number `0f3F80000000`: 0f takes 8 hexadecimal digits"),
        ("0d3F800000", "the number `0d3F800000`: 0d takes 16 hexadecimal digits"),
        ("0d3FF000000000000x", "the number `0d3FF000000000000x`: 0d takes 16 hexadecimal digits"),
        ("1e999", "the number `1e999`: too large for a 64-bit floating-point number"),
        ("1.5e", "the number `1.5e`: not a well-formed floating-point number"),
        ("1.5f", "the number `1.5f`: not a well-formed floating-point number"),
    ];
    for (text, message) in cases {
        assert_eq!(refused(text), message, "{text}");
    }
}

#[test]
fn a_number_may_touch_a_type() {
    let tree = module(".shared .align 8.b8 x[4];");
    assert_eq!((tree.variables[0].align, tree.variables[0].name), (8, "x"));
}

#[test]
fn characters_that_begin_nothing() {
    assert_eq!(module_error("#define X"), "found the character '#', which begins nothing in PTX");
    assert_eq!(body_error("ret;\u{394}"), "found the character '\u{394}', which begins nothing in PTX");
    assert_eq!(body_error("ret;\0"), "found the character '\\0', which begins nothing in PTX");
    assert_eq!(body_error("bra .;"), "found the character '.', which begins nothing in PTX");
    assert_eq!(
        error("\u{feff}.version 8.0"),
        (1, 1, "found the character '\\u{feff}', which begins nothing in PTX".into())
    );
}

#[test]
fn comments_and_strings_may_hold_any_character() {
    let tree = module(".file 1 \"/\u{394}/a \\\"b\\\" // c\" // \u{1F600}\n/* \u{1F600} */ .entry k() { ret; }");
    assert_eq!(tree.files, [(1, "/\u{394}/a \\\"b\\\" // c")]);
    assert_eq!(tree.functions[0].position, Position { line: 5, column: 19 });
}

#[test]
fn what_has_no_end() {
    assert_eq!(error(".version 8.0\n.target sm_80 /* \n\n"), (2, 15, "the comment that begins here has no end".into()));
    assert_eq!(error(".version 8.0 /*/"), (1, 14, "the comment that begins here has no end".into()));
    assert_eq!(module_error(".file 1 \"abc\n\""), "the string that begins here has no end");
    assert_eq!(module_error(".file 1 \"abc\\"), "the string that begins here has no end");
    assert_eq!(module_error(".file 1 \"abc\\\n\""), "the string that begins here has no end");
    assert_eq!(module_error(".file 1 \"abc\\\u{394}"), "the string that begins here has no end");
}
