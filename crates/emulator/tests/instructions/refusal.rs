//! What is not supported is an error when a module is loaded, which names it and its place.

use std::sync::Arc;

use noam_emulator::{memory::Memory, module::Module};

const BEFORE: &str = ".version 8.0\n.target sm_90\n.address_size 64\n.shared .b8 tile[64];\n\
    .visible .entry k(.param .u64 out)\n{\n.reg .pred %p, %q;\n.reg .b16 %h<4>;\n.reg .b32 %r<8>;\n.reg .b64 %l<8>;\n\
    .reg .f32 %f<4>;\n.reg .f64 %d<4>;\nHERE:\n";
/// The line of the instruction.
const LINE: usize = 14;

fn load(text: &str) -> Result<(), String> {
    let memory = Arc::new(Memory::new(1 << 20));
    Module::load(text, &memory).map(|_| ()).map_err(|error| error.to_string())
}

fn refusal(instruction: &str) -> String {
    match load(&format!("{BEFORE}    {instruction}\nret;\n}}\n")) {
        Ok(()) => panic!("{instruction} is accepted"),
        Err(message) => message,
    }
}

/// The instruction, and what the message must name.
const REFUSED: &[(&str, &str)] = &[
    // Unknown instructions, and known ones that are not supported.
    ("frobnicate.b32 %r0, %r1;", "frobnicate"),
    ("tex.2d.v4.f32.f32 {%f0, %f1, %f2, %f3}, [out, {%f0, %f1}];", ""),
    ("wgmma.fence.sync.aligned;", "wgmma"),
    ("wmma.load.a.sync.aligned.row.m16n16k16.f16 {%r0}, [%l0];", "wmma"),
    ("cp.async.bulk.prefetch.L2.global [%l0], 16;", "prefetch"),
    ("cp.reduce.async.bulk.global.shared::cta.bulk_group.add.u32 [%l0], [%r0], 16;", "cp"),
    ("multimem.ld_reduce.global.add.f32 %f0, [%l0];", "multimem"),
    ("barrier.cluster.arrive;", "cluster"),
    ("add.f32x2 %l0, %l1, %l2;", "add"),
    // Modifiers that an instruction does not have.
    ("add.sat.u32 %r0, %r1, %r2;", "add"),
    ("add.foo.s32 %r0, %r1, %r2;", "foo"),
    ("add.rn.s32 %r0, %r1, %r2;", "rn"),
    ("add.ftz.f64 %d0, %d1, %d2;", "add"),
    ("add.sat.f64 %d0, %d1, %d2;", "add"),
    ("mul.s32 %r0, %r1, %r2;", ".lo"),
    ("mul.wide.s64 %l0, %l1, %l2;", "mul"),
    ("mad.lo.sat.s32 %r0, %r1, %r2, %r3;", "mad"),
    ("fma.f32 %f0, %f1, %f2, %f3;", "fma"),
    ("div.f32 %f0, %f1, %f2;", "div"),
    ("div.rn.sat.f32 %f0, %f1, %f2;", "div"),
    ("sin.f32 %f0, %f1;", "sin"),
    ("tanh.approx.ftz.f64 %d0, %d1;", "tanh"),
    ("min.xorsign.f32 %f0, %f1, %f2;", "xorsign"),
    ("min.xorsign.abs.f32 %f0, %f1, %f2, %f3;", "min"),
    ("add.sat.bf16 %h0, %h1, %h2;", "add"),
    ("fma.rn.sat.relu.f16 %h0, %h1, %h2, %h3;", "fma"),
    ("shf.l.b32 %r0, %r1, %r2, %r3;", ".wrap"),
    ("bmsk.b32 %r0, %r1, %r2;", "bmsk"),
    ("prmt.b32.f5e %r0, %r1, %r2, %r3;", "f5e"),
    ("setp.lt.ftz.s32 %p, %r1, %r2;", "setp"),
    ("setp.s32 %p, %r1, %r2;", "comparison"),
    ("setp.equ.s32 %p, %r1, %r2;", "setp"),
    ("setp.lo.s32 %p, %r1, %r2;", "setp"),
    ("setp.hi.f32 %p, %f1, %f2;", "setp"),
    ("setp.lt.b32 %p, %r1, %r2;", "setp"),
    ("setp.lt.ftz.bf16 %p, %h1, %h2;", "setp"),
    ("set.lt.u64.u32 %l0, %r1, %r2;", "set"),
    ("slct.ftz.u32.s32 %r0, %r1, %r2, %r3;", "slct"),
    ("cvt.f32.s32 %f0, %r0;", "rounding"),
    ("cvt.f16.f32 %h0, %f0;", "rounding"),
    ("cvt.rn.s32.f32 %r0, %f0;", ".rni"),
    ("cvt.rzi.f32.f64 %f0, %d0;", "integral"),
    ("cvt.rn.sat.bf16.f32 %h0, %f0;", "sat"),
    ("cvt.rn.relu.f32.f64 %f0, %d0;", "relu"),
    ("cvt.rm.relu.f16.f32 %h0, %f0;", "relu"),
    ("cvt.rn.satfinite.f16.f64 %h0, %d0;", "satfinite"),
    ("cvt.ftz.f64.f16 %d0, %h0;", "ftz"),
    ("cvt.rm.f16x2.f32 %r0, %f0, %f1;", "pair"),
    ("cvt.rn.e4m3x2.f32 %h0, %f0, %f1;", "cvt"),
    ("cvt.rn.satfinite.e2m1x2.f32 %h0, %f0, %f1;", ""),
    ("cvt.pack.u8.s32.b32 %r0, %r1, %r2, %r3;", ".sat"),
    ("ld.global.v3.u32 {%r0, %r1, %r2}, [%l0];", "v3"),
    ("ld.global.v8.u8 {%h0, %h1, %h2, %h3, %h0, %h1, %h2, %h3}, [%l0];", "ld"),
    ("ld.surface.u32 %r0, [%l0];", "surface"),
    ("st.frozen.global.u32 [%l0], %r0;", "frozen"),
    ("ld.param::func.u64 %l0, [out];", "not .param::func"),
    ("ld.param::func.u64 %l0, [%l1];", "must be named"),
    ("{ .param .b64 in; ld.param::entry.u64 %l0, [in]; }", "not .param::entry"),
    ("{ .local .b64 own; ld.param.u64 %l0, [own]; }", "not a parameter"),
    ("{ .local .b64 own; st.param::func.u64 [own], %l0; }", "not a parameter"),
    ("ld.param::func.u32 %r0, [tile];", "not a parameter"),
    ("ld.param::call.u64 %l0, [out];", "param::call"),
    ("st.param::func.u64 [out], %l0;", "not .param::func"),
    ("st.param::func.u64 [%l1], %l0;", "must be named"),
    ("{ .param .b64 in; st.param::entry.u64 [in], %l0; }", "not .param::entry"),
    ("st.param::entry.u64 [out], %l0;", "stored"),
    ("st.param.u64 [out], %l0;", "stored"),
    ("st.param.u64 [%l1], %l0;", "stored"),
    ("{ .param .b32 in; atom.param::func.add.u32 %r0, [in], %r1; }", "atom"),
    ("cvta.param::func.u64 %l0, %l1;", "state space"),
    ("isspacep.param::func %p, %l0;", "state space"),
    ("atom.global.sub.u32 %r0, [%l0], %r1;", "operation"),
    ("atom.local.add.u32 %r0, [%l0], %r1;", "atom"),
    ("atom.global.add.f16 %h0, [%l0], %h1;", "noftz"),
    ("atom.global.min.f32 %f0, [%l0], %f1;", "atom"),
    ("red.global.cas.b32 [%l0], %r0, %r1;", "red"),
    ("shfl.sync.idx.b64 %l0, %l1, 0, 31, -1;", "shfl"),
    ("shfl.sync.b32 %r0, %r1, 0, 31, -1;", "shfl"),
    ("vote.sync.ballot.pred %p, %q, -1;", "vote"),
    ("match.any.b32 %r0, %r1, -1;", ".sync"),
    ("redux.sync.add.b32 %r0, %r1, -1;", "redux"),
    ("redux.add.u32 %r0, %r1, -1;", ".sync"),
    ("bar.red.xor.pred %p, 0, %q;", ""),
    ("membar.gpu;", "membar"),
    ("fence.sc;", "scope"),
    ("fence.proxy.gpu;", "alias"),
    ("fence.proxy.tensormap::generic.release.gpu;", "alias"),
    ("fence.proxy.alias.global;", "global"),
    ("cp.async.cg.shared.global [%r0], [%l0], 8;", "cp.async"),
    ("cp.async.ca.shared.global [%r0], [%l0], 12;", "cp.async"),
    ("cp.async.ca.global.shared [%l0], [%r0], %r1;", "cp.async"),
    ("ldmatrix.sync.aligned.m8n8.x3.shared.b16 {%r0, %r1, %r2}, [%r3];", "ldmatrix"),
    ("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r0}, [%r3];", "ldmatrix"),
    ("ldmatrix.sync.aligned.m8n8.x1.global.b16 {%r0}, [%l3];", "ldmatrix"),
    ("movmatrix.sync.aligned.m8n8.b16 %r0, %r1;", "movmatrix"),
    (
        "mma.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32 {%r0,%r1,%r2,%r3},{%r0,%r1,%r2,%r3},{%r0,%r1},{%r0,%r1,%r2,%r3};",
        "",
    ),
    (
        "mma.sync.aligned.m16n8k16.row.row.f32.f16.f16.f32 {%f0,%f1,%f2,%f3},{%r0,%r1,%r2,%r3},{%r0,%r1},{%f0,%f1,%f2,%f3};",
        "row.col",
    ),
    (
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.bf16.f32 {%f0,%f1,%f2,%f3},{%r0,%r1,%r2,%r3},{%r0,%r1},{%f0,%f1,%f2,%f3};",
        "m16n8k16",
    ),
    (
        "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3},{%r0,%r1,%r2},{%r0,%r1},{%f0,%f1,%f2,%f3};",
        "registers",
    ),
    ("bra.div HERE;", "div"),
    ("nanosleep.s32 4;", "u32"),
    ("cvta.texture.u64 %l0, %l1;", "state space"),
    // Types.
    ("add.b32 %r0, %r1, %r2;", "add"),
    ("add.u8 %h0, %h1, %h2;", "add"),
    ("neg.u32 %r0, %r1;", "neg"),
    ("abs.u64 %l0, %l1;", "abs"),
    ("popc.u32 %r0, %r1;", "popc"),
    ("and.u32 %r0, %r1, %r2;", "and"),
    ("lop3.u32 %r0, %r1, %r2, %r3, 128;", "lop3"),
    ("shl.u32 %r0, %r1, %r2;", "shl"),
    ("bfe.b32 %r0, %r1, 0, 8;", "bfe"),
    ("mov.f16 %h0, %h1;", "mov"),
    ("mov.u8 %h0, %h1;", "8"),
    ("ld.global.f16 %h0, [%l0];", "ld"),
    ("selp.f16 %h0, %h1, %h2, %p;", "selp"),
    ("sqrt.approx.f64 %d0, %d1;", "sqrt"),
    ("fma.rn.f64 %d0, %d1, %d2, %f0;", "%f0"),
    ("add %r0, %r1, %r2;", "type"),
    // Operands.
    ("add.s32 %r0, %r1;", "operands"),
    ("add.s32 %r0, %r1, %r2, %r3;", "operands"),
    ("add.s32 %r0, %r1, %l0;", "%l0"),
    ("add.s64 %r0, %l1, %l0;", "%r0"),
    ("add.s32 %r0, %r1, %r9;", "%r9"),
    ("add.s32 5, %r1, %r2;", "destination"),
    ("add.f32 %f0, %f1, 1;", "integer"),
    ("add.s32 %p, %r1, %r2;", "%p"),
    ("@%r0 add.s32 %r0, %r1, %r2;", "%r0"),
    ("lop3.b32 %r0, %r1, %r2, %r3, %r4;", "constant"),
    ("bra NOWHERE;", "NOWHERE"),
    ("call nobody;", "nobody"),
    ("ld.global.u32 %r0, [nothing];", "nothing"),
    ("ld.global.u64 %r0, [%l0];", "%r0"),
    ("mov.u32 %r0, %tid.w;", "%tid.w"),
    ("mov.u32 %r0, %pm0;", "%pm0"),
    ("mov.b32 %r0, {%r1, %r2};", "%r1"),
    ("ld.global.v2.u32 %r0, [%l0];", "braces"),
];

#[test]
fn instructions() {
    let mut wrong = Vec::new();
    for (instruction, names) in REFUSED {
        let message = refusal(instruction);
        let place = format!("line {LINE}, column ");
        if !message.contains(&place) || !message.contains(names) {
            wrong.push(format!("{instruction} {message}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Line and column of exactly the instruction, its guard included.
#[test]
fn places() {
    for (instruction, line, column) in [
        ("frobnicate.b32 %r0, %r1;", LINE, 5),
        ("mov.u32 %r0, 1; frobnicate;", LINE, 21),
        ("@%p frobnicate;", LINE, 5),
        ("// a comment\n\n  frobnicate;", LINE + 2, 3),
        ("/* one\ntwo */ frobnicate;", LINE + 1, 8),
    ] {
        let message = refusal(instruction);
        assert!(message.contains(&format!("line {line}, column {column}:")), "{instruction}: {message}");
    }
}

/// The text around them is right: it loads with an instruction that is supported.
#[test]
fn the_rest_is_accepted() {
    assert_eq!(load(&format!("{BEFORE}    add.s32 %r0, %r1, %r2;\nret;\n}}\n")), Ok(()));
}

/// In a function that no kernel calls too.
#[test]
fn functions_that_nobody_calls() {
    let text = ".version 8.0\n.target sm_80\n.address_size 64\n.func f()\n{\nfrobnicate;\n}\n.entry k()\n{\nret;\n}\n";
    let message = load(text).expect_err("it has an unknown instruction");
    assert!(message.contains("line 6, column 1") && message.contains("frobnicate"), "{message}");
}
