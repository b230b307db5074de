//! Barriers in shared memory, and the copies that complete on them.

mod common;

use common::{Arg, Device, Random};
use noam_emulator::{exec::Outcome, finding::Kind};

/// A kernel `run(x, y)`, with registers of every kind and 8 KiB of shared memory: barriers first, data from 1024 on.
/// `%r1` is the thread, `%rd1` x, `%rd2` y, `%rd3` the generic address of shared memory.
fn kernel(body: &str) -> String {
    format!(
        "
        .version 8.0
        .target sm_90
        .address_size 64
        .visible .entry run(.param .u64 x, .param .u64 y)
        {{
            .reg .pred %p<8>;
            .reg .b32 %r<32>;
            .reg .b64 %rd<32>;
            .shared .align 128 .b8 all[8192];
            ld.param.u64 %rd1, [x];
            ld.param.u64 %rd2, [y];
            mov.u32 %r1, %tid.x;
            mov.u64 %rd4, all;
            cvta.shared.u64 %rd3, %rd4;
            {body}
            ret;
        }}"
    )
}

/// Runs it with x = 0, 1, 2, ... and 1024 elements of y, all -1.
fn run(threads: u32, body: &str) -> (Device, Outcome, Vec<i32>) {
    let mut device = Device::new(&kernel(body));
    device.options.step_budget = Some(200_000);
    let x = device.upload(&(0..1024).collect::<Vec<i32>>());
    let y = device.upload(&[-1i32; 1024]);
    let outcome = device.launch("run", [1, 1, 1], [threads, 1, 1], 0, &[Arg::from(x), Arg::from(y)]);
    let got = device.download(y, 1024);
    (device, outcome, got)
}

/// Runs it and expects nothing wrong; gives y.
#[track_caller]
fn clean(threads: u32, body: &str) -> Vec<i32> {
    let (_, outcome, y) = run(threads, body);
    assert!(outcome.findings.is_empty(), "{:#?}", outcome.findings);
    y
}

/// Runs it and gives what was found: kinds, and the instructions' first words.
fn found(threads: u32, body: &str) -> Vec<(Kind, String)> {
    let (device, outcome, _) = run(threads, body);
    let code = device.module.code(0);
    let opcode = |pc| code.text(pc).split_whitespace().next().unwrap_or_default().to_owned();
    outcome.findings.iter().map(|finding| (finding.kind, opcode(finding.pc))).collect()
}

/// What a barrier is by PTX's words: phases are numbered, and all counts are plain numbers.
struct Model {
    phase: u64,
    pending: i64,
    expected: i64,
    bytes: i64,
}

impl Model {
    fn settle(&mut self) {
        if self.pending == 0 && self.bytes == 0 {
            self.phase += 1;
            self.pending = self.expected;
        }
    }
}

#[test]
fn one_thread_walks_through_random_phases() {
    let mut random = Random(51);
    for _ in 0..20 {
        let start = 1 + (random.next() % 9) as i64;
        let mut model = Model { phase: 0, pending: start, expected: start, bytes: 0 };
        let mut body = format!("mbarrier.init.shared::cta.b64 [all+8], {start};\n");
        let mut expected = Vec::new();
        let mut saved = None;
        for step in 0..60 {
            let choice = random.next() % 8;
            let count = 1 + (random.next() % 4) as i64;
            let bytes = 16 * (random.next() % 5) as i64;
            let before = (model.phase, model.pending);
            match choice {
                // Phases go on only where some arrival is left to be made.
                0 | 1 if model.pending > 0 => {
                    body += "mbarrier.arrive.release.cta.shared::cta.b64 %rd10, [all+8];\n";
                    model.pending -= 1;
                    model.settle();
                    saved = Some(before.0);
                }
                2 if model.pending >= count => {
                    body += &format!("mbarrier.arrive.shared.b64 %rd10, [%rd4+8], {count};\n");
                    model.pending -= count;
                    model.settle();
                    saved = Some(before.0);
                }
                3 if model.pending > 0 => {
                    body += &format!("mbarrier.arrive.expect_tx.b64 _, [%rd3+8], {bytes};\n");
                    model.bytes += bytes;
                    model.pending -= 1;
                    model.settle();
                }
                4 if model.pending > count => {
                    body += &format!(
                        "mbarrier.arrive.noComplete.shared.b64 %rd11, [%rd4+8], {count};
                         mbarrier.pending_count.b64 %r10, %rd11;
                         st.global.u32 [%rd2], %r10;
                         add.u64 %rd2, %rd2, 4;\n"
                    );
                    expected.push(model.pending as i32);
                    model.pending -= count;
                }
                5 if model.bytes >= bytes => {
                    body += &format!("mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [all+8], {bytes};\n");
                    model.bytes -= bytes;
                    model.settle();
                }
                6 if model.expected > 3 && model.pending > 0 => {
                    body += "mbarrier.arrive_drop.shared.b64 _, [all+8];\n";
                    (model.expected, model.pending) = (model.expected - 1, model.pending - 1);
                    model.settle();
                }
                7 => {
                    body += &format!("mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [all+8], {bytes};\n");
                    model.bytes += bytes;
                    model.settle();
                }
                _ => {}
            }
            // The phase before the present one is over, and the present one is not.
            let which = if step % 2 == 0 { "test_wait" } else { "try_wait" };
            for parity in 0..2 {
                body += &format!(
                    "mbarrier.{which}.parity.acquire.cta.shared::cta.b64 %p1, [all+8], {parity};
                     selp.u32 %r10, 1, 0, %p1;
                     st.global.u32 [%rd2], %r10;
                     add.u64 %rd2, %rd2, 4;\n"
                );
                expected.push(i32::from(model.phase % 2 != parity));
            }
            if let Some(phase) = saved.filter(|phase| phase + 1 >= model.phase) {
                body += &format!(
                    "mbarrier.{which}.shared.b64 %p1, [all+8], %rd10;
                     selp.u32 %r10, 1, 0, %p1;
                     st.global.u32 [%rd2], %r10;
                     add.u64 %rd2, %rd2, 4;\n"
                );
                expected.push(i32::from(phase < model.phase));
            }
        }
        body += "mbarrier.inval.shared.b64 [all+8];\n";
        let got = clean(1, &body);
        assert_eq!(got[..expected.len()], expected);
        assert_eq!(got[expected.len()], -1);
    }
}

/// Waits for the phase of the parity in a register.
fn wait(barrier: &str, parity: &str, label: &str) -> String {
    format!(
        "{label}:
         mbarrier.try_wait.parity.shared::cta.b64 %p7, [{barrier}], {parity}, 1000;
         @!%p7 bra {label};"
    )
}

/// Thread 0 makes barriers of that many arrivals at 0, 8, ...
fn make(counts: &[u32]) -> String {
    let mut text = "setp.ne.u32 %p1, %r1, 0;\n@%p1 bra MADE;\n".to_owned();
    for (at, count) in counts.iter().enumerate() {
        text += &format!("mbarrier.init.shared::cta.b64 [all+{}], {count};\n", 8 * at);
    }
    text + "MADE:\nbar.sync 0;\n"
}

/// Lane l of half 0 puts x[l] into shared memory for lane 15 - l of half 1, `rounds` times. A half is a warp or half a
/// warp: `shift` is the logarithm of its threads. A part of it may be replaced.
fn ping_pong(shift: u32, rounds: u32, part: &str, with: &str) -> String {
    let n = 1 << shift;
    let text = format!(
        "{make}
         shr.u32 %r2, %r1, {shift};
         and.b32 %r3, %r1, {last};
         sub.u32 %r4, {last}, %r3;
         mul.wide.u32 %rd5, %r3, 4;
         mul.wide.u32 %rd6, %r4, 4;
         mov.u32 %r5, 0;
         add.u64 %rd1, %rd1, %rd5;
         add.u64 %rd2, %rd2, %rd5;
         add.u64 %rd5, %rd5, %rd4;
         add.u64 %rd6, %rd6, %rd4;
         setp.ne.u32 %p2, %r2, 0;
         @%p2 bra CONSUME;
         PRODUCE:
         setp.eq.u32 %p3, %r5, 0;
         @%p3 bra FILL;
         add.u32 %r6, %r5, 1;
         and.b32 %r6, %r6, 1;
         {wait_empty}
         FILL:
         ld.global.u32 %r7, [%rd1];
         st.shared.u32 [%rd5+1024], %r7;
         mbarrier.arrive.shared::cta.b64 _, [all];
         add.u64 %rd1, %rd1, {bytes};
         add.u32 %r5, %r5, 1;
         setp.lt.u32 %p3, %r5, {rounds};
         @%p3 bra PRODUCE;
         bra DONE;
         CONSUME:
         and.b32 %r6, %r5, 1;
         {wait_full}
         ld.shared.u32 %r7, [%rd6+1024];
         st.global.u32 [%rd2], %r7;
         mbarrier.arrive.shared::cta.b64 _, [all+8];
         add.u64 %rd2, %rd2, {bytes};
         add.u32 %r5, %r5, 1;
         setp.lt.u32 %p3, %r5, {rounds};
         @%p3 bra CONSUME;
         DONE:",
        make = make(&[n, n]),
        last = n - 1,
        bytes = 4 * n,
        wait_empty = wait("all+8", "%r6", "EMPTY"),
        wait_full = wait("all", "%r6", "FULL"),
    );
    assert!(text.contains(part), "{part}");
    text.replace(part, with)
}

#[test]
fn producers_and_consumers_take_turns() {
    // Two warps, and two halves of one warp, where those who wait must not keep the others from running.
    for shift in [5, 4] {
        let (n, rounds) = (1 << shift, 6);
        let y = clean(2 * n, &ping_pong(shift, rounds, "", ""));
        for at in 0..n * rounds {
            let expected = at / n * n + n - 1 - at % n;
            assert_eq!(y[at as usize], expected as i32);
        }
    }
}

#[test]
fn what_a_barrier_does_not_order_is_a_race() {
    let arrive = "mbarrier.arrive.shared::cta.b64 _, [all];";
    for shift in [5, 4] {
        // The consumer does not wait until its cell is full; the producer fills it again after it has arrived.
        let (wait, again) = (wait("all", "%r6", "FULL"), format!("{arrive}\nst.shared.u32 [%rd5+1024], %r3;"));
        for (part, with) in [(wait.as_str(), ""), (arrive, again.as_str())] {
            let found = found(2 << shift, &ping_pong(shift, 1, part, with));
            let opcodes = ["st.shared.u32", "ld.shared.u32"];
            let (races, others): (Vec<_>, Vec<_>) = found.iter().partition(|(kind, _)| *kind == Kind::SharedRace);
            assert!(!races.is_empty() && races.iter().all(|(_, at)| opcodes.contains(&at.as_str())), "{found:?}");
            // A consumer that comes first reads what nothing has written.
            assert!(others.iter().all(|(kind, _)| *kind == Kind::UninitializedRead), "{found:?}");
        }
    }
}

#[test]
fn a_barrier_must_be_made_before_others_use_it() {
    // Thread 32 is in another warp, and nothing orders its arrival after the initialisation.
    let body = "
        setp.ne.u32 %p1, %r1, 0;
        @%p1 bra OTHER;
        mbarrier.init.shared::cta.b64 [all], 1;
        OTHER:
        setp.ne.u32 %p1, %r1, 32;
        @%p1 bra DONE;
        mbarrier.arrive.shared::cta.b64 _, [all];
        DONE:";
    let found = found(64, body);
    assert!(found.iter().any(|(kind, _)| *kind == Kind::SharedRace), "{found:?}");
}

#[test]
fn a_wait_without_end_uses_up_the_budget() {
    let body = format!("{}\n{}", make(&[64]), wait("all", "0", "FOR_EVER"));
    let found = found(32, &body);
    assert_eq!(found.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::StepBudget]);
}

#[test]
fn what_is_undefined_ends_the_kernel() {
    for (body, opcode, what) in [
        ("mbarrier.init.shared.b64 [all], 0;", "mbarrier.init.shared.b64", "a count of arrivals of 0"),
        ("mbarrier.init.shared.b64 [all], 1048576;", "mbarrier.init.shared.b64", "a count of arrivals of 1048576"),
        (
            "st.shared.u64 [all], %rd1; mbarrier.arrive.shared.b64 _, [all];",
            "mbarrier.arrive.shared.b64",
            "no barrier was initialised",
        ),
        (
            "mbarrier.init.shared.b64 [all], 1; mbarrier.inval.shared.b64 [all]; mbarrier.arrive.shared.b64 _, [all];",
            "mbarrier.arrive.shared.b64",
            "no barrier was initialised",
        ),
        (
            "mbarrier.init.shared.b64 [all], 2; mbarrier.arrive.shared.b64 _, [all], 3;",
            "mbarrier.arrive.shared.b64",
            "3 arrivals where 2 are pending",
        ),
        (
            "mbarrier.init.shared.b64 [all], 2; mbarrier.arrive.noComplete.shared.b64 _, [all], 2;",
            "mbarrier.arrive.noComplete.shared.b64",
            ".noComplete completes",
        ),
        (
            "mbarrier.init.shared.b64 [all], 2; mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [all], 1048575;
             mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [all], 1;",
            "mbarrier.expect_tx.relaxed.cta.shared::cta.b64",
            "1048576 bytes",
        ),
        (
            "mbarrier.init.shared.b64 [all], 2; mbarrier.test_wait.parity.shared.b64 %p1, [all], 2;",
            "mbarrier.test_wait.parity.shared.b64",
            "parity of 2",
        ),
        ("mbarrier.init.b64 [%rd2], 2;", "mbarrier.init.b64", "not in shared memory"),
        (
            "mbarrier.init.shared.b64 [all], 1;
             cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [all+1024], [%rd1], 24, [all];",
            "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes",
            "24 bytes, which is not a multiple of 16",
        ),
    ] {
        let (device, outcome, _) = run(1, body);
        let failure = outcome.failure.unwrap_or_else(|| panic!("{body} goes on"));
        assert_eq!(failure.kind, Kind::InvalidOperand, "{body}");
        assert!(failure.detail.contains(what), "{}", failure.detail);
        assert_eq!(device.module.code(0).text(failure.pc).split_whitespace().next(), Some(opcode));
    }
}

/// Each of 32 lanes copies 16 bytes of x, which a warp of 64 threads then reads the other way round.
fn copies(arrive: &str, count: u32, wait: &str) -> String {
    format!(
        "{make}
         mul.wide.u32 %rd5, %r1, 16;
         setp.ge.u32 %p2, %r1, 32;
         @%p2 bra COPIED;
         add.u64 %rd6, %rd1, %rd5;
         add.u64 %rd7, %rd4, %rd5;
         cp.async.cg.shared.global [%rd7+1024], [%rd6], 16;
         {arrive}
         COPIED:
         {wait}
         and.b32 %r2, %r1, 31;
         sub.u32 %r2, 31, %r2;
         mul.wide.u32 %rd6, %r2, 16;
         add.u64 %rd6, %rd6, %rd4;
         ld.shared.u32 %r3, [%rd6+1024];
         mul.wide.u32 %rd5, %r1, 4;
         add.u64 %rd5, %rd5, %rd2;
         st.global.u32 [%rd5], %r3;",
        make = make(&[count]),
    )
}

#[test]
fn copies_of_threads_complete_on_a_barrier() {
    let wait = wait("all", "0", "WAIT");
    let with_increment = "cp.async.mbarrier.arrive.shared::cta.b64 [all]; mbarrier.arrive.shared.b64 _, [all];";
    let without = "cp.async.mbarrier.arrive.noinc.shared.b64 [all];";
    for arrive in [with_increment, without] {
        let y = clean(64, &copies(arrive, 32, &wait));
        let expected: Vec<i32> = (0..64).map(|thread| 4 * (31 - thread % 32)).collect();
        assert_eq!(y[..64], expected);
        // A barrier of the block does not do it.
        let kinds = found(64, &copies(arrive, 32, "bar.sync 0;"));
        assert_eq!(kinds, [(Kind::AsyncCopyNotWaited, "ld.shared.u32".to_owned())]);
    }
    // An arrival of the threads is not one of their copies.
    let kinds = found(64, &copies("mbarrier.arrive.shared.b64 _, [all];", 32, &wait));
    assert_eq!(kinds, [(Kind::AsyncCopyNotWaited, "ld.shared.u32".to_owned())]);
    // Waiting for the copies themselves makes them visible to the thread, and a barrier of the block to others.
    let y = clean(64, &copies(&format!("{without} cp.async.wait_all;"), 32, "bar.sync 0;"));
    assert_eq!(y[..2], [124, 120]);
}

/// Thread 0 copies 512 bytes of x into shared memory, and 64 threads write them to y the other way round.
fn bulk(wait: &str) -> String {
    format!(
        "{make}
         @%p1 bra COPIED;
         mbarrier.arrive.expect_tx.shared::cta.b64 _, [all], 256;
         cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [all+1024], [%rd1], 256, [all];
         COPIED:
         {wait}
         sub.u32 %r2, 63, %r1;
         mul.wide.u32 %rd6, %r2, 4;
         add.u64 %rd6, %rd6, %rd4;
         ld.shared.u32 %r3, [%rd6+1024];
         mul.wide.u32 %rd5, %r1, 4;
         add.u64 %rd5, %rd5, %rd2;
         st.global.u32 [%rd5], %r3;",
        make = make(&[1]),
    )
}

#[test]
fn a_bulk_copy_completes_on_its_barrier() {
    let y = clean(64, &bulk(&wait("all", "0", "WAIT")));
    assert_eq!(y[..64], (0..64).rev().collect::<Vec<i32>>());
    // One thread waits, and a barrier of the block tells the others.
    let one = format!("setp.ne.u32 %p1, %r1, 40;\n@%p1 bra OTHERS;\n{}\nOTHERS: bar.sync 0;", wait("all", "0", "W"));
    assert_eq!(clean(64, &bulk(&one)), y);
    // What waits for other copies waits for none of these.
    for wait in ["bar.sync 0;", "cp.async.wait_all; bar.sync 0;", "cp.async.bulk.wait_group 0; bar.sync 0;"] {
        assert_eq!(found(64, &bulk(wait)), [(Kind::AsyncCopyNotWaited, "ld.shared.u32".to_owned())]);
    }
}

#[test]
fn a_thread_may_end_before_its_bulk_copy_is_used() {
    let body = bulk(&wait("all", "0", "WAIT")).replace("COPIED:", "bra DONE;\nCOPIED:") + "\nDONE:";
    let y = clean(64, &body);
    assert_eq!(y[..64], std::iter::once(-1).chain((0..63).rev()).collect::<Vec<i32>>());
}

#[test]
fn bulk_copies_stay_within_their_buffers() {
    let from = |at: u32| {
        format!(
            "mbarrier.init.shared.b64 [all], 1; mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [all], 64;
             cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [all+1024], [%rd1+{at}], 64, [all];"
        )
    };
    assert_eq!(found(1, &from(4096 - 64)), []);
    assert_eq!(found(1, &from(4096 - 48))[0].0, Kind::OutOfBounds);
    assert_eq!(found(1, &from(8))[0].0, Kind::Misaligned);
    let to = |at: u32| {
        format!(
            "mov.u32 %r2, 7; st.shared.v4.u32 [all], {{%r2, %r2, %r2, %r2}}; st.shared.v4.u32 [all+16], {{%r2, %r2, %r2, %r2}};
             cp.async.bulk.global.shared::cta.bulk_group [%rd2+{at}], [all], 32;
             cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0;"
        )
    };
    assert_eq!(clean(1, &to(16))[3..13], [-1, 7, 7, 7, 7, 7, 7, 7, 7, -1]);
    assert_eq!(found(1, &to(4096 - 16))[0].0, Kind::OutOfBounds);
    // Bytes that nothing wrote.
    let (from, kind) = ("cp.async.bulk.global.shared::cta.bulk_group [%rd2], [all+2048], 16;", Kind::UninitializedRead);
    assert_eq!(found(1, from)[0].0, kind);
}

#[test]
fn between_shared_memory_and_shared_memory() {
    let body = format!(
        "mov.u32 %r2, 9; st.shared.v4.u32 [all+512], {{%r2, %r2, %r2, %r2}};
         mbarrier.init.shared.b64 [all], 1;
         mbarrier.arrive.expect_tx.shared::cta.b64 _, [all], 16;
         cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [all+1024], [all+512], 16, [all];
         {}
         ld.shared.u32 %r3, [all+1036];
         st.global.u32 [%rd2], %r3;",
        wait("all", "0", "WAIT")
    );
    assert_eq!(clean(1, &body)[0], 9);
}

#[test]
fn other_forms_are_refused_by_name() {
    for (instruction, word) in [
        ("mbarrier.arrive.sideways.shared.b64 _, [all];", "sideways"),
        ("mbarrier.init.global.b64 [%rd1], 1;", "shared memory"),
        ("mbarrier.init.shared.b32 [all], 1;", ".b64"),
        ("mbarrier.flip.shared.b64 [all];", "operation"),
        ("cp.async.bulk.global.shared::cta.mbarrier::complete_tx::bytes [%rd2], [all], 16, [all];", "bulk_group"),
        ("cp.async.bulk.tensor.1d.global.shared::cta.bulk_group [%rd2, {%r1}], [all];", "tensor"),
    ] {
        let memory = std::sync::Arc::new(noam_emulator::memory::Memory::new(1 << 20));
        let error =
            noam_emulator::module::Module::load(&kernel(instruction), &memory).expect_err(instruction).to_string();
        assert!(error.contains(word), "{error}");
    }
}
