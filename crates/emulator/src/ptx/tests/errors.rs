//! Where errors are, and that none is long.

use super::error;
use crate::ptx::parse;

#[test]
fn line_and_column() {
    let source = |line: &str| format!(".version 8.0\n.target sm_80\n\n.entry k()\n{{\n\t{line}\n}}\n");
    let cases = [
        // A tab is one column.
        ("mov.u32 %r1 %r2;", (6, 14)),
        ("mov.u32 %r1, ;", (6, 15)),
        ("/* a */ mov.u32 %r1, $;#", (6, 25)),
        ("mov.u32 %r1, 1 + 99999999999999999999;", (6, 19)),
        ("mov.u32 %r1, 1 + (2 / 0);", (6, 22)),
        (".wrong 1;", (6, 2)),
        ("ld.u32 %r1, [%rd1 + %rd2];", (6, 22)),
        // Columns are counted in bytes: the comment has two for its letter.
        ("/*\u{394}*/ 1;", (6, 9)),
        // Found at the line's end, or in a later line.
        ("mov.u32 %r1,\n\n  %r2", (9, 1)),
    ];
    for (line, position) in cases {
        let (line_found, column, message) = error(&source(line));
        assert_eq!((line_found, column), position, "{line}: {message}");
    }
    assert_eq!(
        error(".version 8.0\r\n.target sm_80\r\n  x"),
        (3, 3, "found `x`, expected a directive of the module".into())
    );
    assert_eq!(error(".version 8.0\n.target sm_80\n.entry k() {").0, 3);
    assert_eq!(
        error(".version 8.0\n.target sm_80\n.entry k() {\n"),
        (4, 1, "found the end of the text, expected a statement or `}`".into())
    );
}

#[test]
fn long_names_are_cut() {
    let name = "x".repeat(1_000_000);
    for source in [
        format!(".version 8.0 .target sm_80 {name}"),
        format!(".version 8.0 .target sm_80 .{name}"),
        format!(".version 8.0 .target sm_80 .entry k() {{ mov.u32 r, 1{name}; }}"),
        format!(".version 8.0 .target sm_80, debug {name}"),
        format!(".version 8.0 .target sm_{name}"),
        format!(".version 8.0 .target sm_80 .file 1 \"a\" \"\u{394}{name}\""),
    ] {
        let text = parse(&source).expect_err("long").to_string();
        assert!(text.len() < 250, "{text}");
        assert!(text.contains("xxx..."), "{text}");
    }
}

#[test]
fn errors_are_errors() {
    let error: Box<dyn std::error::Error> = Box::new(parse("").expect_err("empty"));
    assert_eq!(error.to_string(), "1:1: found the end of the text, expected `.version`, which begins a module");
}
