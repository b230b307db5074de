//! Variables, registers, and initial values.

use super::{body, module, module_error, variable};
use crate::ptx::ast::{Immediate, Initializer, Linkage, Position, Space, Statement, Type, Variable};

/// A plain variable in line 4, to which the tests add what they write.
fn plain(space: Space, ty: Type, name: &'static str, column: u32) -> Variable<'static> {
    Variable {
        space,
        linkage: Linkage::Internal,
        align: 0,
        ty,
        vector: 1,
        name,
        count: None,
        dimensions: Vec::new(),
        initializer: None,
        pointer: None,
        managed: false,
        position: Position { line: 4, column },
    }
}

fn integer(value: u64) -> Initializer<'static> {
    Initializer::Value(Immediate::Integer(value))
}

fn float(value: f64) -> Initializer<'static> {
    Initializer::Value(Immediate::F64(value.to_bits()))
}

fn address(symbol: &'static str, offset: i64, generic: bool, mask: Option<u64>) -> Initializer<'static> {
    Initializer::Address { symbol, offset, generic, mask }
}

#[track_caller]
fn initializer(text: &str) -> Initializer<'static> {
    variable(&format!(".global .u64 x = {text};")).initializer.expect("an initial value")
}

#[test]
fn spaces_and_linkage() {
    assert_eq!(variable(".global .u32 x;"), plain(Space::Global, Type::U32, "x", 14));
    assert_eq!(variable(".const .f64 x;"), plain(Space::Const, Type::F64, "x", 13));
    assert_eq!(
        variable(".visible .global .b8 x;"),
        Variable { linkage: Linkage::Visible, ..plain(Space::Global, Type::B8, "x", 22) }
    );
    assert_eq!(
        variable(".weak .const .s16 x;"),
        Variable { linkage: Linkage::Weak, ..plain(Space::Const, Type::S16, "x", 19) }
    );
    assert_eq!(
        variable(".common .global .b64 x;"),
        Variable { linkage: Linkage::Common, ..plain(Space::Global, Type::B64, "x", 22) }
    );
    let shared = Variable {
        linkage: Linkage::Extern,
        align: 16,
        dimensions: vec![None],
        ..plain(Space::Shared, Type::B8, "dynamic", 31)
    };
    assert_eq!(variable(".extern .shared .align 16 .b8 dynamic[];"), shared);
}

#[test]
fn every_type() {
    let types = [
        ("pred", Type::Pred),
        ("b8", Type::B8),
        ("b16", Type::B16),
        ("b32", Type::B32),
        ("b64", Type::B64),
        ("b128", Type::B128),
        ("u8", Type::U8),
        ("u16", Type::U16),
        ("u32", Type::U32),
        ("u64", Type::U64),
        ("s8", Type::S8),
        ("s16", Type::S16),
        ("s32", Type::S32),
        ("s64", Type::S64),
        ("f16", Type::F16),
        ("f16x2", Type::F16x2),
        ("bf16", Type::Bf16),
        ("bf16x2", Type::Bf16x2),
        ("tf32", Type::Tf32),
        ("f32", Type::F32),
        ("f32x2", Type::F32x2),
        ("f64", Type::F64),
        ("u16x2", Type::U16x2),
        ("s16x2", Type::S16x2),
        ("e4m3x2", Type::E4m3x2),
        ("e5m2x2", Type::E5m2x2),
    ];
    for (name, ty) in types {
        let [Statement::Variable(variable)] = &body(&format!(".reg .{name} x;"))[..] else { panic!("{name}") };
        assert_eq!(variable.ty, ty);
    }
}

#[test]
fn registers() {
    let found: Vec<_> = body(".reg .b32 %r<17>; .reg .pred p, %q<2>, r; .reg .v4 .f32 v;")
        .into_iter()
        .map(|statement| match statement {
            Statement::Variable(variable) => variable,
            other => panic!("{other:?}"),
        })
        .collect();
    let register = |ty, name, column| plain(Space::Register, ty, name, column);
    let expected = [
        Variable { count: Some(17), ..register(Type::B32, "%r", 23) },
        register(Type::Pred, "p", 42),
        Variable { count: Some(2), ..register(Type::Pred, "%q", 45) },
        register(Type::Pred, "r", 52),
        Variable { vector: 4, ..register(Type::F32, "v", 69) },
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_count_is_only_a_number() {
    let [Statement::Variable(variable)] = &body(".reg .b32 %r<4294967295>;")[..] else { panic!() };
    assert_eq!(variable.count, Some(u32::MAX));
    assert_eq!(module_error(".reg .b32 %r<4294967296>;"), "the number `4294967296`: it does not fit in 32 bits");
    assert_eq!(module_error(".reg .b32 %r<>;"), "found `>`, expected a number of variables");
    assert_eq!(module_error(".reg .b32 %r<2;"), "found `;`, expected `>`");
    assert_eq!(module_error(".global .b32 x<2>[3];"), "found `[`, expected `,` or `;`");
    assert_eq!(module_error(".global .b32 x<2> = 1;"), "found `=`, expected `,` or `;`");
}

#[test]
fn arrays() {
    assert_eq!(variable(".global .u16 x[19][2*3][1];").dimensions, [Some(19), Some(6), Some(1)]);
    assert_eq!(variable(".shared .b8 x[0x10];").dimensions, [Some(16)]);
    assert_eq!(variable(".shared .b8 x[18446744073709551615];").dimensions, [Some(u64::MAX)]);
    assert_eq!(variable(".global .s32 x[][2] = {{1, 2}};").dimensions, [None, Some(2)]);
    let negative = "this constant expression has no value: it must not be negative";
    assert_eq!(module_error(".shared .b8 x[-1];"), negative);
    assert_eq!(module_error(".shared .b8 x[1.0];"), "this constant expression has no value: it must be an integer");
    assert_eq!(module_error(".shared .b8 x[4;"), "found `;`, expected `]`");
}

#[test]
fn alignment() {
    assert_eq!(variable(".global .align 128 .b8 x;").align, 128);
    // Some front ends put it behind the type.
    assert_eq!(variable(".global .b8 .align 1 x;").align, 1);
    assert_eq!(variable(".global .align 1<<4 .b8 x;").align, 16);
    for bad in ["0", "3", "-4", "1.0", "4294967296"] {
        let message = module_error(&format!(".global .align {bad} .b8 x;"));
        assert!(message.starts_with("this constant expression has no value: "), "{message}");
    }
}

#[test]
fn attributes() {
    assert!(variable(".global .attribute(.managed) .s32 x;").managed);
    assert!(variable(".visible .global .attribute(.unified(19, 0x5F), .managed) .align 4 .u32 x;").managed);
    assert!(!variable(".global .attribute(.unified(19,95)) .f32 x;").managed);
    assert_eq!(
        module_error(".global .attribute(.wrong) .f32 x;"),
        "the directive `.wrong` is not known, or not allowed, in `.attribute`"
    );
}

#[test]
fn lists_of_values() {
    let bytes = variable(".global .align 1 .b8 $str[4] = {72, 105, 10};");
    assert_eq!(bytes.initializer, Some(Initializer::List(vec![integer(72), integer(105), integer(10)])));
    let nested = Initializer::List(vec![
        Initializer::List(vec![float(-0.05), Initializer::Value(Immediate::F32(0x3F80_0000))]),
        Initializer::List(vec![]),
        Initializer::List(vec![integer(3 << 4)]),
    ]);
    assert_eq!(initializer("{{-.05, 0f3F800000}, {}, {3 << 4}}"), nested);
    assert_eq!(initializer("-1"), integer(u64::MAX));
    let tree = module(".const .f32 x = 1.0, y[1] = {2.0};");
    assert_eq!(tree.variables[0].initializer, Some(float(1.0)));
    assert_eq!(tree.variables[1].initializer, Some(Initializer::List(vec![float(2.0)])));
}

#[test]
fn addresses() {
    assert_eq!(initializer("foo"), address("foo", 0, false, None));
    assert_eq!(initializer("foo+8"), address("foo", 8, false, None));
    assert_eq!(initializer("foo - 2*4 + 1"), address("foo", -7, false, None));
    assert_eq!(initializer("8 + foo"), address("foo", 8, false, None));
    assert_eq!(initializer("(foo)"), address("foo", 0, false, None));
    assert_eq!(initializer("generic(foo)"), address("foo", 0, true, None));
    assert_eq!(initializer("generic(foo)+8"), address("foo", 8, true, None));
    assert_eq!(initializer("generic(foo+8)"), address("foo", 8, true, None));
    assert_eq!(initializer("generic"), address("generic", 0, false, None));
    assert_eq!(
        initializer("{f, generic(g)}"),
        Initializer::List(vec![address("f", 0, false, None), address("g", 0, true, None)])
    );
}

#[test]
fn mask_operators() {
    assert_eq!(initializer("0xFF(foo)"), address("foo", 0, false, Some(0xFF)));
    assert_eq!(initializer("0xff00(foo+4)"), address("foo", 4, false, Some(0xFF00)));
    assert_eq!(initializer("0XFF0000(generic(foo)+4)"), address("foo", 4, true, Some(0xFF_0000)));
    assert_eq!(initializer("0xFF00000000000000(generic(foo))"), address("foo", 0, true, Some(0xFF00_0000_0000_0000)));
    // 1546 = 0x60A and 131187 = 0x20073.
    assert_eq!(initializer("{0xFF(1000 + 546), 0xFF00(1546), 0xFF0000(131187)}"), {
        Initializer::List(vec![integer(0x0A), integer(0x06), integer(0x02)])
    });
    for bad in ["0x0F(foo)", "0x1FE(foo)", "0xFFFF(foo)", "0(foo)", "1.5(foo)"] {
        assert_eq!(
            module_error(&format!(".global .u8 x = {bad};")),
            "this constant expression has no value: a mask operator selects one byte"
        );
    }
    for bad in ["0xFF(0xFF(foo))", "0xFF(1.0)"] {
        assert_eq!(
            module_error(&format!(".global .u8 x = {bad};")),
            "this constant expression has no value: a mask operator takes an address or an integer"
        );
    }
}

#[test]
fn what_an_address_can_not_do() {
    let cases = [
        ("-foo", "an address can't have a sign"),
        ("foo * 2", "an address can only have a constant added or subtracted"),
        ("8 - foo", "an address can only have a constant added or subtracted"),
        ("foo - foo", "two addresses can't be added or subtracted"),
        ("foo + foo", "two addresses can't be added or subtracted"),
        ("foo + 1.0", "an offset is an integer"),
        ("foo + 0xFFFFFFFFFFFFFFFF", "the offset does not fit in 63 bits"),
        ("foo + 0x7FFFFFFFFFFFFFFF + 1", "it does not fit in 64 bits"),
        ("0xFF(foo) + 1", "a byte of an address can't have a constant added or subtracted"),
        ("foo & 1", "the operator takes integers only"),
        ("foo ? 1 : 2", "the operator takes integers only"),
        ("1 ? foo : 2", "the operator takes integers only"),
        ("generic(1)", "`generic` takes an address"),
        ("generic(0xFF(foo))", "`generic` takes an address"),
    ];
    for (text, reason) in cases {
        assert_eq!(
            module_error(&format!(".global .u64 x = {text};")),
            format!("this constant expression has no value: {reason}"),
            "{text}"
        );
    }
}

#[test]
fn malformed_declarations() {
    let cases = [
        (".global x;", "found `x`, expected a type"),
        (".global .u32;", "found `;`, expected a name"),
        (".global .u32 x", "found the end of the text, expected `,` or `;`"),
        (".global .u32 x y;", "found `y`, expected `,` or `;`"),
        (".global .u32 .u32 x;", "the directive `.u32` is not known, or not allowed, in this declaration"),
        (".global .v3 .f32 x;", "the directive `.v3` is not known, or not allowed, in this declaration"),
        (".global .texref x;", "the directive `.texref` is not known, or not allowed, in this declaration"),
        (".global .ptr .u32 x;", "the directive `.ptr` is not known, or not allowed, in this declaration"),
        (".global .u32 x = ;", "found `;`, expected a constant"),
        (".global .u32 x = {1,};", "found `}`, expected a constant"),
        (".global .u32 x = {1;", "found `;`, expected `,` or `}`"),
        (".global .b8 x = \"abc\";", "found `\"abc\"`, expected a constant"),
        (".visible .pragma \"x\";", "found `.pragma`, expected a function or a variable"),
    ];
    for (text, message) in cases {
        assert_eq!(module_error(text), message, "{text}");
    }
}
