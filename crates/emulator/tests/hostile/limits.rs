//! Texts with sizes that no device has: refused, or run in the memory and time that is their due.

use std::{sync::Arc, time::Duration};

use noam_emulator::{memory::Memory, module::Module};

use crate::{LIMIT, clock, direct, driver::Program};

const HEAD: &str = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// A kernel with declarations before it.
fn kernel(declarations: &str, params: &str, body: &str) -> String {
    format!("{HEAD}{declarations}\n.visible .entry k({params})\n{{\n{body}\nret;\n}}\n")
}

/// Whether a text loads; it must not take long, nor may its kernels.
fn loads(text: &str) -> bool {
    loads_with(text, &[])
}

fn loads_with(text: &str, bytes: &[u8]) -> bool {
    let mut program = Program::new();
    let once = || {
        program.run(text, bytes);
    };
    assert!(clock::within(LIMIT, once), "over {LIMIT:?} each time:\n{text}");
    let loaded = program.run(text, bytes).loaded;
    assert_eq!(loaded, direct::run(text, bytes), "{text}");
    loaded
}

fn refused(declarations: &str, params: &str, body: &str) {
    let text = kernel(declarations, params, body);
    assert!(!loads(&text), "is accepted:\n{text}");
}

fn accepted(declarations: &str, params: &str, body: &str) {
    let text = kernel(declarations, params, body);
    assert!(loads(&text), "is refused:\n{text}");
}

#[test]
fn parameters_of_kernels() {
    refused("", ".param .b8 p[4294967295]", "");
    refused("", ".param .b8 p[18446744073709551615]", "");
    refused("", ".param .b8 p[4294967296], .param .b8 q[4294967296]", "");
    refused("", ".param .b32 p, .param .align 2147483648 .b8 q[4]", "");
    refused("", ".param .b8 p[32765]", "");
    accepted("", ".param .b8 p[32764]", "");
    accepted("", ".param .b8 p[0]", "");
}

#[test]
fn variables() {
    // More than the device has.
    refused(".global .b8 x[18446744073709551615];", "", "");
    refused(".global .b64 x[9223372036854775808];", "", "");
    refused(".global .b8 x[4294967296][4294967296];", "", "");
    refused(".global .b8 x[0][4294967296][4294967296] = {1};", "", "");
    refused(".global .b8 x[1000000000000];", "", "");
    // As much as it has, most of it without initial values.
    accepted(".global .b8 x[12000000];", "", "");
    accepted(".global .b32 x[2][1000000] = {{1}, {2, 3}};", "", "");
    refused(".global .b32 x[2][2] = {{1}, {2, 3}, {4}};", "", "");
    refused(".global .b8 x[2][4000000] = {1, 2, 3, 4};", "", "");
    accepted(".global .b8 x[0];", "", "");
}

#[test]
fn shared_memory() {
    refused(".shared .b8 x[17000000];", "", "st.shared.b32 [x], 1;");
    refused(".shared .b8 x[18446744073709551615];", "", "st.shared.b32 [x], 1;");
    refused(".shared .b8 x[4]; .shared .align 2147483648 .b8 y[4];", "", "st.shared.b32 [x], 1; st.shared.b32 [y], 1;");
    // The place where dynamic memory begins counts, however little is asked for.
    let dynamic = ".shared .b8 x[4]; .extern .shared .align 2147483648 .b8 y[];";
    refused(dynamic, "", "st.shared.b32 [x], 1; st.shared.b32 [y], 1;");
    let dynamic = ".shared .b8 x[4]; .extern .shared .align 16777216 .b8 y[];";
    let text = kernel(dynamic, "", "st.shared.b32 [x], 1; st.shared.b32 [y], 1;");
    let outcome = Program::new().run(&text, &[0; 8]);
    assert!(outcome.loaded && outcome.failed == 1, "{outcome:?}");
}

#[test]
fn local_memory() {
    refused("", "", ".local .b8 x[1000000000]; st.local.b32 [x], 1;");
    refused("", "", ".local .b8 x[600000]; st.local.b32 [x+599996], 1;");
    refused("", "", ".local .b8 x[4]; .local .align 1048576 .b8 y[4]; st.local.b32 [y], 1;");
    accepted("", "", ".local .align 4 .b8 x[500000]; st.local.b32 [x+499996], 1;");
}

#[test]
fn parameters_of_calls() {
    // A prototype, or a function, that takes more than the call gives.
    let function = ".func f(.param .b8 p[400000]) { ret; }";
    refused(function, "", "{ .param .b32 a; call f, (a); }");
    let through = ".reg .b64 %r; { .param .b32 a; mov.u64 %r, f;\np: .callprototype _ (.param .b8 _[500000]);\n\
                   call %r, (a), p; }";
    refused(".func f(.param .b32 p) { ret; }", "", through);
    // One that gives what the prototype takes, and a function that takes less.
    let through = ".reg .b64 %r; { .param .b8 a[1024]; mov.u64 %r, f;\np: .callprototype _ (.param .b8 _[1024]);\n\
                   call %r, (a), p; }";
    accepted(".func f(.param .b32 p) { ret; }", "", through);
    let through = ".reg .b64 %r; { .param .b8 a[500000]; mov.u64 %r, f;\np: .callprototype _ (.param .b8 _[500000]);\n\
                   call %r, (a), p; }";
    accepted(".func f(.param .b32 p) { ret; }", "", through);
}

#[test]
fn registers_and_labels() {
    accepted("", "", ".reg .b32 %r<1000000>; mov.b32 %r999999, 1;");
    refused("", "", ".reg .b32 %r<1000000>; mov.b32 %r1000000, 1;");
    refused("", "", ".reg .b32 %r<4294967296>; mov.b32 %r0, 1;");
    refused("", "", "bra nowhere;");
    accepted("", "", "L: bra L;");
    let nested = format!("{}{}", "{".repeat(32), "}".repeat(32));
    accepted("", "", &nested);
    let nested = format!("{}{}", "{".repeat(100_000), "}".repeat(100_000));
    refused("", "", &nested);
}

/// Functions that call one another in a row, variables that hold their addresses, and files that lines are of: a text of
/// half a megabyte takes no more than its due.
#[test]
fn long_texts() {
    const COUNT: usize = 4000;
    let mut text = HEAD.to_owned();
    for file in 1..=COUNT {
        text += &format!(".file {file} \"f{file}\"\n");
    }
    text += ".func f0(.param .b32 p) { ret; }\n";
    for at in 1..COUNT {
        text += &format!(
            ".func f{at}(.param .b32 p) {{ .loc {at} 1 1\n.param .b32 a; call f{}, (a); ret; }}\n.global .u64 v{at} = f{at};\n",
            at - 1
        );
    }
    let memory = Arc::new(Memory::new(1 << 30));
    let once = || drop(Module::load(&text, &memory).expect("it is right"));
    // Several times what it takes where nothing is looked up in a list.
    assert!(clock::within(Duration::from_millis(500), once));
    // With a kernel that reaches them all.
    let last = COUNT - 1;
    text += &format!(".visible .entry k() {{ .param .b32 a; call f{last}, (a); ret; }}\n");
    Module::load(&text, &memory).expect("it is right");
}

/// Asynchronous copies without end that nobody waits for: at the same places, at others, and for a barrier's phase.
#[test]
fn endless_copies() {
    const DECLARATIONS: &str = ".shared .align 16 .b8 tile[32768]; .shared .align 8 .b64 bar;";
    for step in ["", "add.u32 %at, %at, 16; and.b32 %at, %at, 16383;"] {
        for then in ["", "cp.async.commit_group;", "cp.async.mbarrier.arrive.noinc.shared.b64 [%bar];"] {
            let body = format!(
                ".reg .b32 %t, %at, %to, %bar; .reg .b64 %from;\nld.param.u64 %from, [from];\nmov.u32 %bar, bar;\n\
                 mbarrier.init.shared.b64 [%bar], 1000;\nmov.u32 %t, %tid.x;\nshl.b32 %at, %t, 4;\nLOOP:\n\
                 mov.u32 %to, tile;\nadd.u32 %to, %to, %at;\ncp.async.cg.shared.global [%to], [%from], 16;\n\
                 {then}\n{step}\nbra LOOP;"
            );
            let text = kernel(DECLARATIONS, ".param .u64 from", &body);
            // The byte that chooses a block of two warps, and zeros for the parameter: the first address.
            assert!(loads_with(&text, &[0, 0, 4]));
        }
    }
}

#[test]
fn threads() {
    for directive in [".reqntid 4294967295, 4294967295, 4294967295", ".maxntid 0", ".reqntid 0, 0, 0"] {
        loads(&format!("{HEAD}.visible .entry k() {directive}\n{{ ret; }}"));
    }
}
