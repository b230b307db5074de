//! Operands, of every shape that the ISA has.

use super::{body_error, instruction};
use crate::ptx::ast::{
    Immediate,
    Operand::{self, Address, AddressList, List, Name, NameOffset, Negated, Pair, Sink, Vector},
};

#[track_caller]
fn operands(text: &str) -> Vec<Operand<'static>> {
    instruction(&format!("{text};")).operands
}

fn integer(value: i64) -> Operand<'static> {
    Operand::Immediate(Immediate::Integer(value as u64))
}

#[test]
fn names_and_components() {
    assert_eq!(operands("mov.u32 %r1, %tid.x"), [Name("%r1"), Name("%tid.x")]);
    assert_eq!(operands("mov.u32 r, %clock64"), [Name("r"), Name("%clock64")]);
    assert_eq!(operands("mov.f32 V.w, color.r"), [Name("V.w"), Name("color.r")]);
    assert_eq!(
        operands("vadd.s32.u32.s32.sat r1.b0, r2.b3, -r3.h1, r4"),
        [Name("r1.b0"), Name("r2.b3"), Negated("r3.h1"), Name("r4")]
    );
    assert_eq!(operands("mov.u32 r, table"), [Name("r"), Name("table")]);
    assert_eq!(operands("mov.u64 r, table+16"), [Name("r"), NameOffset("table", 16)]);
    assert_eq!(operands("mov.u64 r, table - 2*4"), [Name("r"), NameOffset("table", -8)]);
    assert_eq!(body_error("mov.u32 r, %tid .x;"), "found `.x`, expected `,` or `;`");
}

#[test]
fn predicates() {
    assert_eq!(operands("setp.lt.and.s32 p|q, a, -3, !r"), [Pair("p", "q"), Name("a"), integer(-3), Negated("r")]);
    assert_eq!(operands("setp.eq.u32 %p1 | _, a, b"), [Pair("%p1", "_"), Name("a"), Name("b")]);
    assert_eq!(operands("elect.sync _|p, -1"), [Pair("_", "p"), integer(-1)]);
    assert_eq!(operands("atom.add.u32 _, [x], 1"), [Sink, Address { base: "x", offset: 0 }, integer(1)]);
    assert_eq!(body_error("setp.eq.u32 p|1, a, b;"), "found `1`, expected a name");
    assert_eq!(body_error("setp.eq.u32 p|, a, b;"), "found `,`, expected a name");
    assert_eq!(body_error("mov.u32 a, _+1;"), "found `+`, expected `,` or `;`");
}

#[test]
fn immediates() {
    assert_eq!(operands("bar.warp.sync -1"), [integer(-1)]);
    assert_eq!(operands("bar.sync 1, WARP_SZ*2"), [integer(1), integer(64)]);
    assert_eq!(
        operands("selp.f32 a, 0fBF800000, 1.0, p"),
        [
            Name("a"),
            Operand::Immediate(Immediate::F32(0xBF80_0000)),
            Operand::Immediate(Immediate::F64(1f64.to_bits())),
            Name("p"),
        ]
    );
    assert_eq!(operands("mov.u32 a, (1 + 2) * 4"), [Name("a"), integer(12)]);
    assert_eq!(operands("mov.u32 a, !0"), [Name("a"), integer(1)]);
    assert_eq!(operands("mov.u32 a, ~0"), [Name("a"), integer(-1)]);
    assert_eq!(operands("mov.u32 a, +7"), [Name("a"), integer(7)]);
    assert_eq!(operands("mov.u32 a, -3 + 1"), [Name("a"), integer(-2)]);
}

#[test]
fn addresses() {
    let cases = [
        ("[%rd1]", "%rd1", 0),
        ("[%rd1+4]", "%rd1", 4),
        ("[%rd1+-8]", "%rd1", -8),
        ("[%rd1-8]", "%rd1", -8),
        ("[ func_retval0 + 0 ]", "func_retval0", 0),
        ("[tile+4*8+(1<<2)]", "tile", 36),
        ("[%r1+WARP_SZ]", "%r1", 32),
        ("[v.x+4]", "v.x", 4),
        ("[%rd1+0x7fffffffffffffff]", "%rd1", i64::MAX),
        ("[0]", "", 0),
        ("[240]", "", 240),
        ("[16*2]", "", 32),
        ("[0xFFFFFFFFFFFFFFF0]", "", -16),
    ];
    for (text, base, offset) in cases {
        assert_eq!(operands(&format!("ld.u32 r, {text}")), [Name("r"), Address { base, offset }], "{text}");
    }
}

#[test]
fn addresses_with_more_inside() {
    assert_eq!(
        operands("cp.async.bulk.tensor.2d.shared::cluster.global [dst], [tensorMap, {c0, 4}, {%rs1}], [bar+8], mask"),
        [
            Address { base: "dst", offset: 0 },
            AddressList(vec![Name("tensorMap"), Vector(vec![Name("c0"), integer(4)]), Vector(vec![Name("%rs1")]),]),
            Address { base: "bar", offset: 8 },
            Name("mask"),
        ]
    );
    assert_eq!(
        operands("tex.1d.v4.s32.s32 {r1, _, r3, r4}, [tex, sampler, {x}], {0, 1}"),
        [
            Vector(vec![Name("r1"), Sink, Name("r3"), Name("r4")]),
            AddressList(vec![Name("tex"), Name("sampler"), Vector(vec![Name("x")])]),
            Vector(vec![integer(0), integer(1)]),
        ]
    );
    assert_eq!(
        operands("x [a + 4, b], [8, c]"),
        [AddressList(vec![NameOffset("a", 4), Name("b")]), AddressList(vec![integer(8), Name("c")]),]
    );
}

#[test]
fn malformed_addresses() {
    let no_base = "this constant expression has no value: an address is a register, a variable or an integer";
    let cases = [
        ("[]", "found `]`, expected an operand"),
        ("[a", "found `;`, expected `+`, `,` or `]`"),
        ("[a b]", "found `b`, expected `+`, `,` or `]`"),
        ("[a+%r2]", "found `%r2`, expected a constant"),
        ("[table+%r1]", "found `%r1`, expected a constant"),
        ("[4+a]", "found `a`, expected a constant"),
        ("[a*4]", "found `*`, expected `+`, `,` or `]`"),
        ("[a+1.5]", "this constant expression has no value: an offset is an integer"),
        ("[a+0x8000000000000000]", "this constant expression has no value: the offset does not fit in 63 bits"),
        ("[1.5]", no_base),
        ("[0f00000000]", no_base),
        ("[-a]", no_base),
        ("[p|q]", no_base),
        ("[_]", no_base),
        ("[[a]]", "found `[`, expected an operand"),
        ("[{a}]", "found `{`, expected an operand"),
        ("[a, [b]]", "found `[`, expected an operand"),
        ("[a, {b}", "found `;`, expected `,` or `]`"),
        ("[\"a\"]", "found `\"a\"`, expected an operand"),
        ("a[4]", "found `[`, expected `,` or `;`"),
    ];
    for (text, message) in cases {
        assert_eq!(body_error(&format!("ld.u32 r, {text};")), message, "{text}");
    }
}

#[test]
fn vectors() {
    assert_eq!(operands("mov.b64 {%r1,_}, %rd1"), [Vector(vec![Name("%r1"), Sink]), Name("%rd1")]);
    assert_eq!(
        operands("st.v4.f32 [a], {1.0, -2, f+0, v.x}"),
        [
            Address { base: "a", offset: 0 },
            Vector(vec![
                Operand::Immediate(Immediate::F64(1f64.to_bits())),
                integer(-2),
                NameOffset("f", 0),
                Name("v.x"),
            ]),
        ]
    );
    let many: Vec<String> = (0..128).map(|index| format!("%f{index}")).collect();
    let [Vector(found)] = &operands(&format!("x {{{}}}", many.join(",")))[..] else { panic!() };
    assert_eq!((found.len(), &found[127]), (128, &Name("%f127")));
    assert_eq!(body_error("x {};"), "found `}`, expected an operand");
    assert_eq!(body_error("x {a;"), "found `;`, expected `,` or `}`");
    assert_eq!(body_error("x {a,};"), "found `}`, expected an operand");
    assert_eq!(body_error("x {{a}};"), "found `{`, expected an operand");
    assert_eq!(body_error("x {[a]};"), "found `[`, expected an operand");
}

#[test]
fn calls() {
    assert_eq!(
        operands("call.uni (retval0), \n foo, \n (\n param0, \n param1\n )"),
        [List(vec![Name("retval0")]), Name("foo"), List(vec![Name("param0"), Name("param1")])]
    );
    assert_eq!(
        operands("call (%r1, _), %rd1, (1, (2 + 3) * 4, %f1), prototype_0"),
        [
            List(vec![Name("%r1"), Sink]),
            Name("%rd1"),
            List(vec![integer(1), integer(20), Name("%f1")]),
            Name("prototype_0"),
        ]
    );
    assert_eq!(operands("call.uni foo"), [Name("foo")]);
    assert_eq!(operands("call foo, ()"), [Name("foo"), List(vec![])]);
    assert_eq!(operands("call %rd1, (a), Ftgt"), [Name("%rd1"), List(vec![Name("a")]), Name("Ftgt")]);
    assert_eq!(body_error("call (a, foo;"), "found `;`, expected `,` or `)`");
    assert_eq!(body_error("call ((a)), foo;"), "found `a`, expected a constant");
    // Only calls have them: elsewhere a parenthesis holds an expression.
    assert_eq!(body_error("mov.u32 (a), b;"), "found `a`, expected a constant");
}

#[test]
fn no_operands() {
    assert_eq!(operands("ret"), []);
    assert_eq!(operands("cp.async.commit_group"), []);
    assert_eq!(body_error("mov.u32 a,;"), "found `;`, expected an operand");
    assert_eq!(body_error("mov.u32 ,a;"), "found `,`, expected an operand");
}
