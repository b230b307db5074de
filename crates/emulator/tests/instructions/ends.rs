//! Kernels that do not end well: by themselves, by waiting for what never comes, or not at all.

use noam_emulator::{
    exec::Outcome,
    finding::{Finding, Kind},
};

use crate::common::{Arg, Device};

const HEADER: &str = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// A kernel whose threads have a number `%t`; the body begins at line 10.
fn kernel(functions: &str, body: &str) -> String {
    format!(
        "{HEADER}.visible .entry k(.param .u64 out)\n{{\n.reg .pred %p, %q;\n.reg .b32 %t, %x, %y;\n.reg .b64 %l;\n\
         mov.u32 %t, %tid.x;\n{body}\nret;\n}}\n{functions}"
    )
}

/// Where the body begins.
const FIRST: u32 = 10;

fn run(functions: &str, body: &str, threads: u32) -> (Outcome, Device) {
    let mut device = Device::new(&kernel(functions, body));
    device.options.step_budget = Some(2_000_000);
    let out = device.allocate::<u32>(1024);
    let outcome = device.launch("k", [2, 1, 1], [threads, 1, 1], 0, &[Arg::from(out)]);
    (outcome, device)
}

/// Why the kernel was stopped, and the line of its text.
fn failure(functions: &str, body: &str, threads: u32) -> (Finding, u32) {
    let (outcome, device) = run(functions, body, threads);
    let finding = outcome.failure.unwrap_or_else(|| panic!("{body} ends well: {:?}", outcome.findings));
    assert!(outcome.findings.contains(&finding), "the failure is among the findings");
    let code = device.module.code(device.module.kernel("k").expect("it is there"));
    let line = code.places[finding.pc as usize].ptx.line;
    (finding, line)
}

#[test]
fn traps() {
    let (finding, line) = failure("", "setp.eq.u32 %p, %t, 37;\nmov.u32 %x, 0;\n@%p trap;", 64);
    assert_eq!((finding.kind, finding.thread.thread, line), (Kind::Trap, [37, 0, 0], FIRST + 2));
    // A trap that no lane reaches is none.
    let (outcome, _) = run("", "setp.eq.u32 %p, %t, 64;\n@%p trap;", 64);
    assert!(outcome.findings.is_empty() && outcome.failure.is_none());
}

#[test]
fn assertions() {
    let bytes = |text: &str| -> String {
        let list: Vec<String> = text.bytes().chain([0]).map(|byte| byte.to_string()).collect();
        format!("[{}] = {{{}}};\n", list.len(), list.join(", "))
    };
    let functions = format!(
        ".global .align 1 .b8 message{}.global .align 1 .b8 file{}.global .align 1 .b8 function{}\
         .extern .func __assertfail(.param .b64 a, .param .b64 b, .param .b32 c, .param .b64 d, .param .b64 e);\n",
        bytes("x < limit"),
        bytes("kernel.cu"),
        bytes("void k(int)")
    );
    let body = "setp.ne.u32 %p, %t, 5;\n@%p bra FINE;\n{\n.param .b64 p0, p1, p3, p4;\n.param .b32 p2;\n\
        mov.u64 %l, message;\ncvta.global.u64 %l, %l;\nst.param.b64 [p0], %l;\n\
        mov.u64 %l, file;\ncvta.global.u64 %l, %l;\nst.param.b64 [p1], %l;\nst.param.b32 [p2], 77;\n\
        mov.u64 %l, function;\ncvta.global.u64 %l, %l;\nst.param.b64 [p3], %l;\nst.param.b64 [p4], 1;\n\
        call.uni __assertfail, (p0, p1, p2, p3, p4);\n}\nFINE:";
    let (finding, _) = failure(&functions, body, 32);
    assert_eq!((finding.kind, finding.thread.thread), (Kind::Assertion, [5, 0, 0]));
    for part in ["kernel.cu", "77", "void k(int)", "x < limit"] {
        assert!(finding.detail.contains(part), "{part} in {}", finding.detail);
    }
}

/// Two warps at two barriers: both are named, with where they wait.
#[test]
fn warps_that_wait_for_each_other() {
    let body = "setp.lt.u32 %p, %t, 32;\n@%p bra ONE;\nbar.sync 2, 64;\nbra DONE;\nONE:\nbar.sync 1, 64;\nDONE:";
    let (finding, line) = failure("", body, 64);
    assert_eq!(finding.kind, Kind::Hang);
    assert!([FIRST + 2, FIRST + 5].contains(&line), "{line}");
    for part in
        ["warp 0", "warp 1", "barrier 1", "barrier 2", &format!("line {}", FIRST + 2), &format!("line {}", FIRST + 5)]
    {
        assert!(finding.detail.contains(part), "{part} in {}", finding.detail);
    }
}

/// A part of a warp at an aligned barrier, the rest at an exchange that waits for all.
#[test]
fn lanes_that_wait_for_each_other() {
    let body = "setp.lt.u32 %p, %t, 16;\n@%p bra LOW;\nbar.sync 0;\nbra DONE;\nLOW:\n\
        shfl.sync.idx.b32 %x, %t, 0, 31, 0xffffffff;\nDONE:";
    let (finding, line) = failure("", body, 32);
    assert!(matches!(finding.kind, Kind::DivergentBarrier | Kind::InvalidMask), "{finding:?}");
    assert!([FIRST + 2, FIRST + 5].contains(&line), "{line}");
    for part in ["0x0000ffff", "0xffff0000"] {
        assert!(finding.detail.contains(part), "{part} in {}", finding.detail);
    }
}

/// Threads that wait for one that announced nothing.
#[test]
fn a_barrier_without_its_last_threads() {
    let (finding, line) = failure("", "barrier.sync 3, 96;", 64);
    assert_eq!((finding.kind, line), (Kind::Hang, FIRST));
    assert!(finding.detail.contains("barrier 3"), "{}", finding.detail);
}

#[test]
fn endless_loops() {
    for body in [
        "LOOP:\nbra LOOP;",
        "LOOP:\nnanosleep.u32 1;\nbra LOOP;",
        "LOOP:\nbar.sync 0;\nbra LOOP;",
        "LOOP:\nsetp.eq.u32 %p, %t, 3;\n@%p bra LOOP;\nbar.sync 0;",
    ] {
        let (finding, line) = failure("", body, 64);
        assert_eq!(finding.kind, Kind::StepBudget, "{body}");
        assert!(line > FIRST && line < FIRST + 4, "{body}: line {line}");
    }
}

/// A kernel within its budget is not stopped.
#[test]
fn a_budget_that_suffices() {
    let body = "mov.u32 %x, 0;\nLOOP:\nadd.u32 %x, %x, 1;\nsetp.lt.u32 %p, %x, 100000;\n@%p bra LOOP;";
    let mut device = Device::new(&kernel("", body));
    // Three instructions a round, two blocks of one warp, and a few more.
    device.options.step_budget = Some(2 * 3 * 100_000 + 100);
    let args = [Arg::from(device.allocate::<u32>(1))];
    device.clean("k", [2, 1, 1], [32, 1, 1], 0, &args);
    device.options.step_budget = Some(100_000);
    let outcome = device.launch("k", [2, 1, 1], [32, 1, 1], 0, &args);
    assert_eq!(outcome.failure.map(|failure| failure.kind), Some(Kind::StepBudget));
}

#[test]
fn endless_recursion() {
    for local in ["", ".local .b8 own[10000];\nst.local.b8 [own], 1;\n"] {
        let functions = format!(".func deeper()\n{{\n{local}call deeper;\nret;\n}}\n");
        let (finding, _) = failure(&functions, "call deeper;", 32);
        assert_eq!(finding.kind, Kind::StackOverflow, "{local}");
    }
}

/// Operands that no instruction can take are found when they are met.
#[test]
fn impossible_operands() {
    let targets = "T: .branchtargets A, B;\nbrx.idx %t, T;\nA:\nB:";
    let call = "mov.u64 %l, 12345;\nP: .callprototype _ ();\ncall %l, (), P;";
    for (body, line) in [
        ("mov.u32 %x, 16;\nbar.sync %x;", 1),
        ("mov.u32 %x, 33;\nbar.sync 0, %x;", 1),
        ("and.b32 %x, %t, 1;\nbar.sync %x;", 1),
        ("mov.u32 %x, 0;\nbar.sync 0, %x;", 1),
        (targets, 1),
        (call, 2),
    ] {
        let (finding, at) = failure("", body, 64);
        assert_eq!((finding.kind, at), (Kind::InvalidOperand, FIRST + line), "{body}");
    }
}

/// Accesses that end a kernel, with all checks off too: nothing outside is touched.
#[test]
fn accesses_outside_of_memory() {
    for body in [
        "mov.u64 %l, 0;\nld.global.u32 %x, [%l];",
        "mov.u64 %l, 0;\nst.u32 [%l], %x;",
        "ld.param.u64 %l, [out];\nld.global.u32 %x, [%l+4096];",
        "ld.param.u64 %l, [out];\natom.global.add.u32 %x, [%l+-4], 1;",
        "mov.u32 %x, 0;\nld.shared.u32 %x, [%x+100000];",
        "mov.u64 %l, 0;\nst.local.u32 [%l+0x7000000], %x;",
        "ld.param.u64 %l, [out];\nld.global.u32 %x, [%l+2];",
        "mov.u32 %x, 0;\nld.param.u32 %x, [%x+4000];",
    ] {
        for checked in [true, false] {
            let mut device = Device::new(&kernel("", body));
            if !checked {
                device.options.checks = noam_emulator::finding::Checks::NONE;
            }
            let out = device.upload(&vec![0u32; 1024]);
            let outcome = device.launch("k", [1; 3], [32, 1, 1], 0, &[Arg::from(out)]);
            let kind = outcome.failure.map(|failure| failure.kind);
            assert!(
                matches!(kind, Some(Kind::OutOfBounds | Kind::Misaligned | Kind::StackOverflow)),
                "{body}, checked: {checked}: {kind:?}"
            );
        }
    }
}
