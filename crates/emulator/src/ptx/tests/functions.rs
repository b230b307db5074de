//! Modules and the heads of functions.

use super::{error, module, module_error};
use crate::ptx::{
    ast::{Alias, Function, Linkage, Position, Space, Type},
    parse,
};

#[track_caller]
fn function(text: &str) -> Function<'static> {
    let mut module = module(text);
    assert_eq!(module.functions.len(), 1);
    module.functions.remove(0)
}

#[test]
fn heads_of_modules() {
    let tree = parse(".version 9.10 .target sm_100f, debug, texmode_independent").unwrap();
    assert_eq!((tree.version, tree.target, tree.target_suffix), ((9, 10), 100, Some('f')));
    assert_eq!(tree.target_options, ["debug", "texmode_independent"]);
    assert_eq!(tree.address_size, 32);
    let tree = parse(".version 6.0\n.target sm_70\n.address_size 64").unwrap();
    assert_eq!((tree.version, tree.target, tree.target_suffix, tree.address_size), ((6, 0), 70, None, 64));
    // A later `.target` adds.
    let tree = parse(".version 8.0\n.target sm_90a\n.target debug\n").unwrap();
    assert_eq!((tree.target, tree.target_suffix), (90, Some('a')));
    assert_eq!(tree.target_options, ["debug"]);
}

#[test]
fn malformed_heads_of_modules() {
    let cases = [
        ("", (1, 1, "found the end of the text, expected `.version`, which begins a module")),
        (".target sm_80", (1, 1, "found `.target`, expected `.version`, which begins a module")),
        (".version", (1, 9, "found the end of the text, expected a version such as 8.0")),
        (".version 8", (1, 10, "found `8`, expected a version such as 8.0")),
        (".version 8.x", (1, 10, "found `8`, expected a version such as 8.0")),
        (".version 12345678901234567890.0", (1, 10, "found `12345678901234567890.0`, expected a version such as 8.0")),
        (".version 8.0 .entry", (1, 14, "found `.entry`, expected `.target`")),
        (".version 8.0 .target", (1, 21, "found the end of the text, expected a target such as `sm_80`")),
        (
            ".version 8.0 .target debug",
            (1, 27, "found the end of the text, expected an architecture, such as `sm_80`, in `.target`"),
        ),
        (".version 8.0 .target sm_x", (1, 22, "found `sm_x`, expected one architecture, such as `sm_80` or `sm_90a`")),
        (
            ".version 8.0 .target sm_80, sm_90",
            (1, 29, "found `sm_90`, expected one architecture, such as `sm_80` or `sm_90a`"),
        ),
        (
            ".version 8.0 .target sm_80aa",
            (1, 22, "found `sm_80aa`, expected one architecture, such as `sm_80` or `sm_90a`"),
        ),
        (
            ".version 8.0 .target sm_99999999999",
            (1, 22, "found `sm_99999999999`, expected one architecture, such as `sm_80` or `sm_90a`"),
        ),
        (".version 8.0 .target sm_80 .address_size 16", (1, 42, "found `16`, expected an address size, 32 or 64")),
        (
            ".version 8.0 .target sm_80 .version 8.0",
            (1, 28, "the directive `.version` is not known, or not allowed, in a module"),
        ),
    ];
    for (text, (line, column, message)) in cases {
        assert_eq!(error(text), (line, column, message.to_owned()), "{text}");
    }
}

#[test]
fn a_kernel() {
    let kernel = function(
        ".visible .entry k(\n\t.param .u64 k_param_0,\n\t.param .align 8 .b8 k_param_1[16],\n\t.param .u64 .ptr .global .align 16 p,\n\
         \t.param .u64 .ptr q, .param .u64 .ptr .align 1 r\n)\n.maxntid 128, 2\n.minnctapersm 3\n{\nret;\n}",
    );
    assert!(kernel.kernel);
    assert_eq!((kernel.name, kernel.linkage), ("k", Linkage::Visible));
    assert_eq!(kernel.position, Position { line: 4, column: 17 });
    let params: Vec<_> = kernel
        .params
        .iter()
        .map(|param| (param.space, param.ty, param.name, param.align, param.dimensions.clone(), param.pointer))
        .collect();
    let param = Space::Param;
    assert_eq!(
        params,
        [
            (param, Type::U64, "k_param_0", 0, vec![], None),
            (param, Type::B8, "k_param_1", 8, vec![Some(16)], None),
            (param, Type::U64, "p", 0, vec![], Some((Some(Space::Global), 16))),
            (param, Type::U64, "q", 0, vec![], Some((None, 4))),
            (param, Type::U64, "r", 0, vec![], Some((None, 1))),
        ]
    );
    assert_eq!(kernel.max_threads, Some([128, 2, 1]));
    assert_eq!(kernel.min_blocks, Some(3));
    assert_eq!(kernel.body.expect("a body").len(), 1);
}

#[test]
fn every_performance_directive() {
    let kernel = function(
        ".entry k .maxnreg 64 .maxntid 1 .reqntid 32, 2, 4 .minnctapersm 1 .maxnctapersm 2 .explicitcluster \
         .reqnctapercluster 2, 1, 1 .maxclusterrank 8 .blocksareclusters .pragma \"nounroll\"; {}",
    );
    assert_eq!((kernel.max_registers, kernel.max_threads), (Some(64), Some([1, 1, 1])));
    assert_eq!((kernel.required_threads, kernel.min_blocks), (Some([32, 2, 4]), Some(1)));
    assert_eq!((kernel.required_cluster, kernel.max_cluster_rank), (Some([2, 1, 1]), Some(8)));
    assert!(kernel.explicit_cluster && kernel.blocks_are_clusters && !kernel.no_return);
    assert_eq!(kernel.body, Some(vec![]));
    let function = function(".func f .noreturn .abi_preserve 6 .abi_preserve_control 010 { trap; }");
    assert!(function.no_return && !function.kernel);
    assert_eq!(function.required_cluster, None);
}

#[test]
fn device_functions() {
    let tree = module(
        ".extern .func (.param .b32 func_retval0) vprintf\n(\n.param .b64 a,\n.param .b64 b\n)\n;\n\
         .weak .func (.reg .f32 r, .reg .pred p) g (.reg .v2 .f32 x) { ret; }\n\
         .func .attribute(.unified(0xAB, 0xCD)) h() { ret; }\n\
         .func (.param .align 16 .b8 r[32]) i;\n\
         .visible .func j(.param .align 8 .b8 rest[]) ;\n",
    );
    let [printf, g, h, i, j] = &tree.functions[..] else { panic!("{tree:?}") };
    assert_eq!(
        (printf.linkage, printf.name, printf.returns.len(), printf.params.len()),
        (Linkage::Extern, "vprintf", 1, 2)
    );
    assert!(printf.body.is_none());
    let returns: Vec<_> = g.returns.iter().map(|result| (result.space, result.ty, result.name)).collect();
    assert_eq!(returns, [(Space::Register, Type::F32, "r"), (Space::Register, Type::Pred, "p")]);
    assert_eq!((g.params[0].vector, g.params[0].space), (2, Space::Register));
    assert_eq!((h.name, h.params.len(), h.returns.len()), ("h", 0, 0));
    assert!(h.body.is_some() && i.body.is_none() && j.body.is_none());
    assert_eq!((i.returns[0].align, &i.returns[0].dimensions[..]), (16, &[Some(32)][..]));
    assert_eq!(j.params[0].dimensions, [None]);
}

#[test]
fn other_items() {
    let tree = module(
        ".file 1 \"a.cu\"\n.file 2 \"b.cu\", 1700000000, 42\n.pragma \"x\", \"y\";\n.loc 1 2 3\n.alias bar, foo;\n\
         .section .debug_abbrev\n{\n.b8 1 // {\n.b8 0\n}\n.section\t.debug_macinfo\t{\t}\n\
         .section .debug_str {\n$L__info_string0:\n.b8 65, 0\n.b32 .debug_info+12\n.b64 $L__tmp0-$L__tmp1\n{ \"}\" { } }\n}\n\
         .global .u32 x;",
    );
    assert_eq!(tree.files, [(1, "a.cu"), (2, "b.cu")]);
    assert_eq!(tree.aliases, [Alias { name: "bar", function: "foo", position: Position { line: 8, column: 8 } }]);
    assert_eq!(tree.variables.len(), 1);
}

#[test]
fn malformed_heads_of_functions() {
    let cases = [
        (".entry { }", "found `{`, expected a kernel's name"),
        (".entry (.param .u32 r) k { }", "found `(`, expected a kernel's name"),
        (".func (.param .u32 r) { }", "found `{`, expected a function's name"),
        (".entry k(.param .u32 a .param .u32 b) { }", "found `.param`, expected `,` or `)`"),
        (".entry k(.param .u32 a,) { }", "found `)`, expected a parameter: `.param` or `.reg`"),
        (".entry k(.shared .u32 a) { }", "found `.shared`, expected a parameter: `.param` or `.reg`"),
        (".entry k(.param .u32 a = 1) { }", "found `=`, expected `,` or `)`"),
        (".entry k() .maxntid { }", "found `{`, expected a constant"),
        (".entry k() .maxnreg -1 { }", "this constant expression has no value: it must not be negative"),
        (".entry k() .maxnreg 4294967296 { }", "this constant expression has no value: it must fit in 32 bits"),
        (".entry k() .wrong { }", "the directive `.wrong` is not known, or not allowed, in the head of a function"),
        (".entry k() ret;", "found `ret`, expected `{` and a body, or `;`"),
        (".entry k() { ret; ", "found the end of the text, expected a statement or `}`"),
        (".entry k() { } }", "found `}`, expected a directive of the module"),
        (".wrong", "the directive `.wrong` is not known, or not allowed, in a module"),
        (".visible .wrong", "found `.wrong`, expected a function or a variable"),
        ("ret;", "found `ret`, expected a directive of the module"),
        (".section { }", "found `{`, expected a section's name"),
        (".section .x { .b8 { } ", "found the end of the text, expected `}`, the end of the section"),
        (".file \"x\"", "found `\"x\"`, expected a file's index"),
        (".file 1 x", "found `x`, expected a file's name in quotes"),
        (".alias a b;", "found `b`, expected `,`"),
        (".pragma nounroll;", "found `nounroll`, expected a pragma in quotes"),
    ];
    for (text, message) in cases {
        assert_eq!(module_error(text), message, "{text}");
    }
}
