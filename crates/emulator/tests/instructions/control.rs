//! Guards, jumps, calls and returns, with lanes that go different ways.

use crate::common::{Arg, Device};

const HEADER: &str = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// A kernel whose threads have a number `%t` and a word `%r` to store; `%p` and `%q` are free.
fn kernel(body: &str) -> String {
    format!(
        ".visible .entry k(.param .u64 out)\n{{\n.reg .pred %p, %q, %s;\n.reg .b16 %h;\n.reg .b32 %t, %r, %x, %y, %z, %i, %j;\n\
         .reg .b64 %out, %l, %f;\nmov.u32 %t, %tid.x;\nmov.u32 %r, 0;\n{body}\nld.param.u64 %out, [out];\n\
         mad.wide.u32 %out, %t, 4, %out;\nst.global.u32 [%out], %r;\nret;\n}}\n"
    )
}

/// Runs a module's kernel `k` with some threads, and compares each thread's word.
fn check(functions: &str, body: &str, threads: u32, expected: impl Fn(u32) -> u32) {
    let ptx = format!("{HEADER}{functions}{}", kernel(body));
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let out = device.allocate::<u32>(threads as usize);
        device.clean("k", [1; 3], [threads, 1, 1], 0, &[Arg::from(out)]);
        let expected: Vec<u32> = (0..threads).map(&expected).collect();
        assert_eq!(device.download::<u32>(out, threads as usize), expected, "{body}");
    }
}

/// A guard keeps lanes out of every kind of instruction.
#[test]
fn guards() {
    let even = "and.b32 %x, %t, 1;\nsetp.eq.u32 %p, %x, 0;\n";
    let is_even = |t: u32| t.is_multiple_of(2);
    check("", &format!("{even}@%p add.u32 %r, %t, 100;"), 70, |t| if is_even(t) { t + 100 } else { 0 });
    check("", &format!("{even}@!%p mov.u32 %r, 9;"), 70, |t| if is_even(t) { 0 } else { 9 });
    // A predicate that the guarded instruction itself changes.
    check("", &format!("{even}@%p setp.lt.u32 %p|%q, %t, 10;\nselp.u32 %r, 1, 2, %p;"), 70, |t| {
        if is_even(t) && t < 10 { 1 } else { 2 }
    });
    let memory = ".local .align 8 .b8 own[16];\nst.local.u32 [own], 5;\nst.local.u32 [own+4], 6;\n";
    check("", &format!("{even}{memory}@%p st.local.u32 [own], 77;\nld.local.u32 %r, [own];"), 70, |t| {
        if is_even(t) { 77 } else { 5 }
    });
    check(
        "",
        &format!("{even}{memory}@!%p ld.local.v2.u32 {{%r, %x}}, [own];"),
        70,
        |t| if is_even(t) { 0 } else { 5 },
    );
    // Lanes that a guard keeps out don't reach a bad address.
    check("", &format!("{even}mov.u64 %l, 0;\nselp.u64 %l, %l, 8, %p;\n@%q ld.global.u32 %r, [%l];"), 70, |_| 0);
    check("", &format!("{even}@%p bra SKIP;\nadd.u32 %r, %t, 1;\nSKIP:"), 70, |t| if is_even(t) { 0 } else { t + 1 });
    check(
        "",
        &format!("{even}@!%p bra.uni SKIP;\nadd.u32 %r, %t, 1;\nSKIP:"),
        70,
        |t| if is_even(t) { t + 1 } else { 0 },
    );
    let cells = ".shared .u32 cell;\nsetp.eq.u32 %q, %t, 0;\n@%q st.shared.u32 [cell], 0;\nbar.sync 0;\n";
    check(
        "",
        &format!("{cells}{even}@%p red.shared.add.u32 [cell], 1;\nbar.sync 0;\nld.shared.u32 %r, [cell];"),
        70,
        |_| 35,
    );
    check(
        "",
        &format!("{even}@%p shfl.sync.idx.b32 %r, %t, 2, 31, 0x55555555;"),
        32,
        |t| if is_even(t) { 2 } else { 0 },
    );
}

/// Lanes that leave early, by `exit` and by `ret`, store nothing and are not waited for.
#[test]
fn early_ends() {
    for end in ["exit", "ret"] {
        let body = format!(
            "ld.param.u64 %l, [out];\nmad.wide.u32 %l, %t, 4, %l;\nst.global.u32 [%l], 1;\n\
             setp.lt.u32 %p, %t, 40;\n@%p {end};\nsetp.gt.u32 %p, %t, 60;\n@%p {end};\nbarrier.sync 0;\nmov.u32 %r, 2;"
        );
        check("", &body, 70, |t| if (40..=60).contains(&t) { 2 } else { 1 });
    }
}

/// Loops whose trip counts differ, one in the other, with ways out of the middle.
#[test]
fn divergent_loops() {
    let body = "
        mov.u32 %i, 0;
        OUTER:
        setp.ge.u32 %p, %i, %t;
        @%p bra DONE;
        mov.u32 %j, 0;
        INNER:
        add.u32 %r, %r, 1;
        add.u32 %x, %i, %j;
        rem.u32 %x, %x, 7;
        setp.eq.u32 %q, %x, 5;
        @%q bra BREAK;
        add.u32 %j, %j, 1;
        setp.lt.u32 %p, %j, %i;
        @%p bra INNER;
        BREAK:
        mul.lo.u32 %y, %i, %t;
        rem.u32 %y, %y, 11;
        setp.eq.u32 %q, %y, 9;
        add.u32 %i, %i, 1;
        @!%q bra OUTER;
        add.u32 %r, %r, 1000;
        DONE:";
    check("", body, 100, |t| {
        let mut r = 0;
        for i in 0..t {
            let mut j = 0;
            loop {
                r += 1;
                if (i + j) % 7 == 5 {
                    break;
                }
                j += 1;
                if j >= i {
                    break;
                }
            }
            if i * t % 11 == 9 {
                return r + 1000;
            }
        }
        r
    });
}

/// Branches in branches; all lanes are together again after them.
#[test]
fn nested_branches_meet_again() {
    let body = "
        setp.lt.u32 %p, %t, 20;
        @%p bra LOW;
        and.b32 %x, %t, 1;
        setp.eq.u32 %q, %x, 0;
        @%q bra HIGH_EVEN;
        mov.u32 %r, 1;
        bra HIGH_DONE;
        HIGH_EVEN:
        setp.lt.u32 %s, %t, 26;
        mov.u32 %r, 2;
        @%s mov.u32 %r, 3;
        HIGH_DONE:
        add.u32 %r, %r, 10;
        bra DONE;
        LOW:
        setp.lt.u32 %q, %t, 4;
        @%q bra LOWEST;
        mov.u32 %r, 4;
        bra DONE;
        LOWEST:
        mov.u32 %r, 5;
        DONE:
        activemask.b32 %x;
        setp.ne.u32 %p, %x, -1;
        @%p add.u32 %r, %r, 1000;";
    check("", body, 32, |t| match t {
        0..4 => 5,
        4..20 => 4,
        _ if t % 2 == 1 => 11,
        20..26 => 13,
        _ => 12,
    });
}

#[test]
fn jumps_by_index() {
    let body = "
        rem.u32 %x, %t, 4;
        TARGETS: .branchtargets A, B, C, A;
        brx.idx %x, TARGETS;
        A:
        add.u32 %r, %r, 1;
        bra DONE;
        B:
        add.u32 %r, %r, 10;
        C:
        add.u32 %r, %r, 100;
        DONE:";
    check("", body, 70, |t| [1, 110, 100, 1][t as usize % 4]);
    // All lanes to one place, and only some of them.
    let uniform = body.replace("rem.u32 %x, %t, 4", "mov.u32 %x, 2").replace("brx.idx", "brx.idx.uni");
    check("", &uniform, 70, |_| 100);
    let guarded = body.replace("brx.idx", "setp.lt.u32 %p, %t, 8;\n@%p brx.idx");
    check("", &guarded, 70, |t| if t < 8 { [1, 110, 100, 1][t as usize % 4] } else { 1 });
}

const CALLEES: &str = "
.func (.param .b32 result) square(.param .b32 a)
{
    .reg .b32 %a;
    ld.param.u32 %a, [a];
    mul.lo.u32 %a, %a, %a;
    st.param.b32 [result], %a;
    ret;
}
.func (.param .b32 result) successor(.param .b32 a)
{
    .reg .b32 %a;
    ld.param.u32 %a, [a];
    add.u32 %a, %a, 1;
    st.param.b32 [result], %a;
    ret;
}
";

/// Parameters of every size, an aggregate among them, in and out.
#[test]
fn parameters_and_results() {
    let functions = "
        .func (.param .align 8 .b8 result[24]) mix(.param .b8 a, .param .b16 b, .param .b64 c, .param .align 8 .b8 d[16],
            .param .f32 e)
        {
            .reg .b16 %a, %b;
            .reg .b64 %c, %d, %x, %y;
            .reg .f32 %e;
            ld.param.s8 %a, [a];
            ld.param.u16 %b, [b];
            ld.param.u64 %c, [c];
            ld.param.v2.u64 {%d, %x}, [d];
            ld.param.f32 %e, [e];
            cvt.s64.s16 %y, %a;
            add.u64 %c, %c, %y;
            st.param.b64 [result], %c;
            cvt.u64.u16 %y, %b;
            add.u64 %d, %d, %y;
            st.param.v2.b64 [result+8], {%d, %x};
            cvt.rzi.u64.f32 %y, %e;
            add.u64 %x, %x, %y;
            st.param.b64 [result+16], %x;
            ret;
        }";
    let body = "
        .reg .b64 %c<4>;
        .reg .f32 %e;
        {
        .param .b8 p0;
        .param .b16 p1;
        .param .b64 p2;
        .param .align 8 .b8 p3[16];
        .param .f32 p4;
        .param .align 8 .b8 back[24];
        neg.s32 %x, %t;
        cvt.u16.u32 %h, %x;
        st.param.b8 [p0], %h;
        mov.u16 %h, 60000;
        st.param.b16 [p1], %h;
        cvt.u64.u32 %l, %t;
        mul.lo.u64 %l, %l, 1000;
        st.param.b64 [p2], %l;
        st.param.b64 [p3], 5;
        st.param.b64 [p3+8], %l;
        cvt.rn.f32.u32 %e, %t;
        st.param.f32 [p4], %e;
        call.uni (back), mix, (p0, p1, p2, p3, p4);
        ld.param.b64 %c0, [back];
        ld.param.v2.b64 {%c1, %c2}, [back+8];
        ld.param.b64 %c3, [back+16];
        }
        add.u64 %l, %c0, %c1;
        add.u64 %l, %l, %c3;
        cvt.u32.u64 %r, %l;";
    check(functions, body, 70, |t| (1000 * t - t) + (5 + 60000) + (1000 * t + t));
}

/// A function that calls itself, to another depth in each lane.
#[test]
fn recursion() {
    let functions = "
        .func (.param .b32 result) fibonacci(.param .b32 n)
        {
            .reg .pred %p;
            .reg .b32 %n, %a, %b;
            ld.param.u32 %n, [n];
            setp.lt.u32 %p, %n, 2;
            mov.u32 %a, %n;
            @%p bra DONE;
            {
            .param .b32 in0, out0;
            sub.u32 %a, %n, 1;
            st.param.b32 [in0], %a;
            call (out0), fibonacci, (in0);
            ld.param.b32 %a, [out0];
            }
            {
            .param .b32 in1, out1;
            sub.u32 %b, %n, 2;
            st.param.b32 [in1], %b;
            call (out1), fibonacci, (in1);
            ld.param.b32 %b, [out1];
            }
            add.u32 %a, %a, %b;
            DONE:
            st.param.b32 [result], %a;
            ret;
        }";
    let body = "
        .param .b32 in0, out0;
        rem.u32 %x, %t, 13;
        st.param.b32 [in0], %x;
        call (out0), fibonacci, (in0);
        ld.param.b32 %r, [out0];";
    check(functions, body, 40, |t| (0..t % 13).fold((0, 1), |(a, b), _| (b, a + b)).0);
}

/// Calls through registers: addresses by `mov`, and from a table in memory; lanes call different functions.
#[test]
fn indirect_calls() {
    let prototype = "PROTOTYPE: .callprototype (.param .b32 _) _ (.param .b32 _);\n";
    let targets = "PROTOTYPE: .calltargets square, successor;\n";
    let table = format!("{CALLEES}.global .align 8 .u64 table[2] = {{square, successor}};\n");
    let by_table = "
        and.b32 %x, %t, 1;
        mov.u64 %l, table;
        mad.wide.u32 %l, %x, 8, %l;
        ld.global.u64 %f, [%l];";
    let by_name = "
        mov.u64 %f, square;
        mov.u64 %l, successor;
        and.b32 %x, %t, 1;
        setp.ne.u32 %p, %x, 0;
        @%p mov.u64 %f, %l;";
    for (functions, address) in [(table.as_str(), by_table), (CALLEES, by_name)] {
        for list in [prototype, targets] {
            let body = format!(
                "{address}\n.param .b32 in0, out0;\nst.param.b32 [in0], %t;\n{list}\
                 call (out0), %f, (in0), PROTOTYPE;\nld.param.b32 %r, [out0];\n\
                 activemask.b32 %x;\nsetp.ne.u32 %p, %x, -1;\n@%p add.u32 %r, %r, 100000;"
            );
            check(functions, &body, 64, |t| if t % 2 == 0 { t * t } else { t + 1 });
        }
    }
}

/// Guarded calls, calls in divergent code, and functions without parameters.
#[test]
fn calls_of_some_lanes() {
    let functions = format!(
        "{CALLEES}.global .u32 calls = 0;\n.func count()\n{{\nred.global.add.u32 [calls], 1;\nret;\n}}\n\
         .func early(.param .b64 place)\n{{\n.reg .pred %p;\n.reg .b32 %t;\n.reg .b64 %l;\nld.param.u64 %l, [place];\n\
         ld.u32 %t, [%l];\nsetp.lt.u32 %p, %t, 10;\n@%p ret;\nst.u32 [%l], 500;\nret;\n}}\n"
    );
    let guarded = "setp.lt.u32 %p, %t, 7;\n.param .b32 in0, out0;\nst.param.b32 [in0], %t;\nst.param.b32 [out0], 3;\n\
        @%p call (out0), square, (in0);\nld.param.b32 %r, [out0];";
    check(&functions, guarded, 40, |t| if t < 7 { t * t } else { 3 });
    let counted = "setp.gt.u32 %p, %t, 50;\n@%p bra SKIP;\ncall count;\nSKIP:\ncall count, ();\nbar.sync 0;\n\
        ld.relaxed.gpu.global.u32 %r, [calls];";
    check(&functions, counted, 70, |_| 51 + 70);
    let by_pointer = ".local .u32 own;\nst.local.u32 [own], %t;\nmov.u64 %l, own;\ncvta.local.u64 %l, %l;\n\
        .param .b64 in0;\nst.param.b64 [in0], %l;\ncall early, (in0);\nld.local.u32 %r, [own];";
    check(&functions, by_pointer, 40, |t| if t < 10 { t } else { 500 });
}

/// Registers and local memory of a caller are its own, whatever the callee does.
#[test]
fn frames_are_apart() {
    let functions = "
        .func (.param .b32 result) busy(.param .b32 n)
        {
            .reg .pred %p;
            .reg .b32 %r<40>;
            .local .align 4 .b8 own[64];
            ld.param.u32 %r0, [n];
            st.local.u32 [own], %r0;
            st.local.u32 [own+60], %r0;
            mov.u32 %r39, 1;
            setp.eq.u32 %p, %r0, 0;
            @%p bra DONE;
            .param .b32 in0, out0;
            sub.u32 %r1, %r0, 1;
            st.param.b32 [in0], %r1;
            call (out0), busy, (in0);
            ld.param.b32 %r39, [out0];
            ld.local.u32 %r2, [own];
            ld.local.u32 %r3, [own+60];
            add.u32 %r39, %r39, %r0;
            add.u32 %r39, %r39, %r2;
            add.u32 %r39, %r39, %r3;
            DONE:
            st.param.b32 [result], %r39;
            ret;
        }";
    let body = "
        .local .u32 mine;
        st.local.u32 [mine], %t;
        and.b32 %x, %t, 7;
        .param .b32 in0, out0;
        st.param.b32 [in0], %x;
        call (out0), busy, (in0);
        ld.param.b32 %r, [out0];
        ld.local.u32 %y, [mine];
        mad.lo.u32 %r, %y, 1000, %r;";
    check(functions, body, 40, |t| t * 1000 + 1 + 3 * (0..=t % 8).sum::<u32>());
}

/// Two lanes of one warp contend for a lock: the one that spins must not keep the holder from releasing it.
#[test]
fn lanes_of_a_warp_contend_for_a_lock() {
    let spin = |wait: &str| {
        format!(
            "
            .shared .u32 lock, sum;
            setp.eq.u32 %q, %t, 0;
            @%q st.shared.u32 [lock], 0;
            @%q st.shared.u32 [sum], 0;
            bar.sync 0;
            SPIN:
            atom.acquire.cta.shared.cas.b32 %x, [lock], 0, 1;
            setp.ne.u32 %p, %x, 0;
            {wait}
            @%p bra SPIN;
            ld.volatile.shared.u32 %y, [sum];
            add.u32 %y, %y, %t;
            st.volatile.shared.u32 [sum], %y;
            atom.release.cta.shared.exch.b32 %x, [lock], 0;
            bar.sync 0;
            ld.shared.u32 %r, [sum];"
        )
    };
    for wait in ["", "@%p nanosleep.u32 100;"] {
        check("", &spin(wait), 70, |_| 69 * 70 / 2);
    }
    // The holder's code comes after the spinning lanes' and before it.
    let before = "
        .shared .u32 flag;
        setp.eq.u32 %q, %t, 0;
        @%q st.volatile.shared.u32 [flag], 0;
        bar.sync 0;
        setp.eq.u32 %q, %t, 31;
        @%q bra SET;
        SPIN:
        ld.acquire.cta.shared.u32 %x, [flag];
        setp.eq.u32 %p, %x, 0;
        @%p bra SPIN;
        mov.u32 %r, %x;
        bra DONE;
        SET:
        st.release.cta.shared.u32 [flag], 5;
        DONE:";
    check("", before, 32, |t| if t == 31 { 0 } else { 5 });
}

/// Instructions that do nothing that can be seen.
#[test]
fn hints() {
    check("", "nanosleep.u32 10;\nnanosleep.u32 %t;\npmevent 1;\npmevent.mask 3;\nbrkpt;\nmov.u32 %r, 4;", 40, |_| 4);
}
