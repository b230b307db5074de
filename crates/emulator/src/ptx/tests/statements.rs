//! Statements of a body.

use super::{body, body_error};
use crate::ptx::ast::{Guard, Inlined, Instruction, Linkage, Location, Operand, Position, Space, Statement, Type};

fn at(column: u32) -> Position {
    Position { line: 4, column }
}

#[test]
fn an_instruction_in_full() {
    let expected = Instruction {
        guard: Some(Guard { negated: true, register: "%p1" }),
        opcode: "ld",
        modifiers: vec!["global", "L1::no_allocate", "L2::128B", "v2", "f32"],
        operands: vec![
            Operand::Vector(vec![Operand::Name("%f1"), Operand::Name("%f2")]),
            Operand::Address { base: "%rd1", offset: 8 },
        ],
        position: at(14),
        text: "@!%p1 ld.global.L1::no_allocate.L2::128B.v2.f32 {%f1, %f2}, [%rd1+8];",
    };
    assert_eq!(body(&format!(" {} ", expected.text)), [Statement::Instruction(expected)]);
}

#[test]
fn modifiers() {
    let cases: [(&str, &[&str]); 7] = [
        ("ret", &[]),
        (
            "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes",
            &["async", "bulk", "tensor", "2d", "shared::cluster", "global", "mbarrier::complete_tx::bytes"],
        ),
        (
            "tcgen05.ld.sync.aligned.16x64b.x1.pack::16b.b32",
            &["ld", "sync", "aligned", "16x64b", "x1", "pack::16b", "b32"],
        ),
        (
            "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
            &["sync", "aligned", "m16n8k16", "row", "col", "f32", "bf16", "bf16", "f32"],
        ),
        (
            "tensormap.replace.tile.global_address.global.b1024.b64",
            &["replace", "tile", "global_address", "global", "b1024", "b64"],
        ),
        // Space between them changes nothing.
        ("add .rn\n.f32", &["rn", "f32"]),
        ("mov.b32", &["b32"]),
    ];
    for (text, modifiers) in cases {
        let [Statement::Instruction(instruction)] = &body(&format!("{text} ;"))[..] else { panic!("{text}") };
        assert_eq!(instruction.modifiers, modifiers);
        assert_eq!(Some(instruction.opcode), text.split(['.', ' ']).next());
    }
}

#[test]
fn guards() {
    let guard = |text: &str| match &body(text)[..] {
        [Statement::Instruction(instruction)] => (instruction.guard, instruction.opcode, instruction.text.len()),
        other => panic!("{other:?}"),
    };
    assert_eq!(guard("@p ret;"), (Some(Guard { negated: false, register: "p" }), "ret", 7));
    assert_eq!(guard("@ ! p ret;"), (Some(Guard { negated: true, register: "p" }), "ret", 10));
    assert_eq!(body_error("@ ret;"), "found `;`, expected an instruction");
    assert_eq!(body_error("@1 ret;"), "found `1`, expected a predicate register");
    assert_eq!(body_error("@p { ret; }"), "found `{`, expected an instruction");
}

#[test]
fn labels_and_blocks() {
    let statements = body("$L1: a :{ { } %x: ret; };");
    let [Statement::Label("$L1", first), Statement::Label("a", second), Statement::Block(block)] = &statements[..]
    else {
        panic!("{statements:?}")
    };
    assert_eq!((*first, *second), (at(13), at(18)));
    let [Statement::Block(inner), Statement::Label("%x", _), Statement::Instruction(ret)] = &block[..] else {
        panic!("{block:?}")
    };
    assert!(inner.is_empty());
    assert_eq!(ret.text, "ret;");
}

#[test]
fn lists_of_targets() {
    assert_eq!(
        body("ts: .branchtargets $L1, $L2;  calls: .calltargets f;"),
        [
            Statement::BranchTargets("ts", vec!["$L1", "$L2"], at(13)),
            Statement::CallTargets("calls", vec!["f"], at(43)),
        ]
    );
    assert_eq!(body_error("ts: .branchtargets ;"), "found `;`, expected a label");
    assert_eq!(body_error("ts: .branchtargets N<5>;"), "found `<`, expected `;`");
    assert_eq!(
        body_error(".branchtargets a;"),
        "the directive `.branchtargets` is not known, or not allowed, in the body of a function"
    );
}

#[test]
fn prototypes() {
    let found: Vec<_> = body(
        "p0 : .callprototype (.param .b32 _) _ (.param .b64 _, .param .align 8 .b8 _[16]);\n\
         p1: .callprototype ()_ ();\np2: .callprototype _ .noreturn .abi_preserve 4 .abi_preserve_control 1;\n\
         p3: .callprototype _ (.reg .f32 x);",
    )
    .into_iter()
    .map(|statement| match statement {
        Statement::CallPrototype { name, returns, params, position } => {
            let shape = |list: Vec<crate::ptx::ast::Variable<'static>>| -> Vec<_> {
                list.into_iter().map(|variable| (variable.space, variable.ty, variable.dimensions)).collect()
            };
            (name, shape(returns), shape(params), position.line)
        }
        other => panic!("{other:?}"),
    })
    .collect();
    let param = Space::Param;
    assert_eq!(
        found,
        [
            (
                "p0",
                vec![(param, Type::B32, vec![])],
                vec![(param, Type::B64, vec![]), (param, Type::B8, vec![Some(16)])],
                4
            ),
            ("p1", vec![], vec![], 5),
            ("p2", vec![], vec![], 6),
            ("p3", vec![], vec![(Space::Register, Type::F32, vec![])], 7),
        ]
    );
    assert_eq!(body_error("p: .callprototype (.param .b32 _) (.param .b32 _);"), "found `(`, expected `_`");
    assert_eq!(
        body_error("p: .callprototype _ .maxnreg 3;"),
        "the directive `.maxnreg` is not known, or not allowed, in `.callprototype`"
    );
    assert_eq!(body_error("p: .callprototype _"), "found `}`, expected `;`");
}

#[test]
fn source_lines() {
    let plain = Location { file: 1, line: 31, column: 0, inlined: None };
    let inlined = |function, offset| Location {
        file: 2,
        line: 7,
        column: 5,
        inlined: Some(Inlined { function, offset, file: 1, line: 40, column: 9 }),
    };
    assert_eq!(
        body(
            ".loc\t1 31 0\n.loc 2 7 5, function_name $L__info_string0, inlined_at 1 40 9\n\
             .loc 2 7 5, function_name $L__info_string1+12, inlined_at 1 40 9\n"
        ),
        [
            Statement::Location(plain),
            Statement::Location(inlined("$L__info_string0", 0)),
            Statement::Location(inlined("$L__info_string1", 12)),
        ]
    );
    assert_eq!(body_error(".loc 1 2"), "found `}`, expected a column number");
    assert_eq!(body_error(".loc 1 2 -3"), "found `-`, expected a column number");
    assert_eq!(body_error(".loc 1 4294967296 0"), "the number `4294967296`: it does not fit in 32 bits");
    assert_eq!(body_error(".loc 1 1.5 0"), "the number `1.5`: the operator takes integers only");
    assert_eq!(body_error(".loc 1 2 3, inlined_at 1 2 3"), "found `inlined_at`, expected `function_name`");
    assert_eq!(body_error(".loc 1 2 3, function_name a"), "found `}`, expected `,` and `inlined_at`");
}

#[test]
fn pragmas() {
    assert_eq!(
        body(".pragma \"nounroll\"; .pragma \"a\", \"b\";"),
        [Statement::Pragma("nounroll"), Statement::Pragma("a"), Statement::Pragma("b")]
    );
}

#[test]
fn variables_of_a_body() {
    let found: Vec<_> = body(".local .align 16 .b8 __local_depot0[48]; .param .b32 p; .extern .shared .b8 s[];")
        .into_iter()
        .map(|statement| match statement {
            Statement::Variable(variable) => (variable.space, variable.linkage, variable.name, variable.align),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        found,
        [
            (Space::Local, Linkage::Internal, "__local_depot0", 16),
            (Space::Param, Linkage::Internal, "p", 0),
            (Space::Shared, Linkage::Extern, "s", 0),
        ]
    );
}

#[test]
fn what_no_body_has() {
    let place = "is not known, or not allowed, in the body of a function";
    assert_eq!(body_error(".wrong"), format!("the directive `.wrong` {place}"));
    assert_eq!(body_error(".extern .func f;"), format!("the directive `.func` {place}"));
    assert_eq!(body_error(".visible .global .u32 x;"), format!("the directive `.visible` {place}"));
    assert_eq!(body_error("1;"), "found `1`, expected a statement or `}`");
    assert_eq!(body_error("ret"), "found `}`, expected an operand");
    assert_eq!(body_error("bra x"), "found `}`, expected `,` or `;`");
}
