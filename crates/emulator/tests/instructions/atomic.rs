//! Atomic operations: what each gives and leaves, and that none is lost when many threads meet.

use crate::{
    common::{Arg, Device, Random},
    exact::{BF16, F16, F32, F64, Format, Mode},
    integer::{S32, S64, U32, U64},
    patterns::Of,
    table::{Case, case, check},
};

/// An operation: its name with the type, its register, and what memory becomes.
struct Operation {
    name: String,
    of: Of,
    change: Box<dyn Fn(u64, u64) -> u64>,
}

fn sum(format: Format, a: u64, b: u64) -> u64 {
    format.round(format.number(a).plus(format.number(b), Mode::Nearest), Mode::Nearest)
}

fn flushed_sum(a: u64, b: u64) -> u64 {
    F32.flush(sum(F32, F32.flush(a), F32.flush(b)))
}

fn halves(f: impl Fn(u64, u64) -> u64 + 'static) -> impl Fn(u64, u64) -> u64 {
    move |a, b| f(a & 0xffff, b & 0xffff) | f(a >> 16, b >> 16) << 16
}

fn operations() -> Vec<Operation> {
    let mut all = Vec::new();
    let mut push = |name: String, of, change: Box<dyn Fn(u64, u64) -> u64>| all.push(Operation { name, of, change });
    for of in [Of::B32, Of::B64] {
        let bits = of.bits();
        push(format!("and.b{bits}"), of, Box::new(|a, b| a & b));
        push(format!("or.b{bits}"), of, Box::new(|a, b| a | b));
        push(format!("xor.b{bits}"), of, Box::new(|a, b| a ^ b));
        push(format!("exch.b{bits}"), of, Box::new(|_, b| b));
    }
    for int in [U32, S32, U64, S64] {
        let f = move |f: fn(i128, i128) -> i128| -> Box<dyn Fn(u64, u64) -> u64> {
            Box::new(move |a, b| int.wrap(f(int.value(a), int.value(b))))
        };
        push(format!("add.{}", int.name), int.of(), f(|a, b| a + b));
        push(format!("min.{}", int.name), int.of(), f(i128::min));
        push(format!("max.{}", int.name), int.of(), f(i128::max));
    }
    push("inc.u32".into(), Of::B32, Box::new(|a, b| if a >= b { 0 } else { a + 1 }));
    push("dec.u32".into(), Of::B32, Box::new(|a, b| if a == 0 || a > b { b } else { a - 1 }));
    push("add.f64".into(), Of::F64, Box::new(|a, b| sum(F64, a, b)));
    push("add.noftz.f16".into(), Of::F16, Box::new(|a, b| sum(F16, a, b)));
    push("add.noftz.bf16".into(), Of::Bf16, Box::new(|a, b| sum(BF16, a, b)));
    push("add.noftz.f16x2".into(), Of::F16x2, Box::new(halves(|a, b| sum(F16, a, b))));
    push("add.noftz.bf16x2".into(), Of::Bf16x2, Box::new(halves(|a, b| sum(BF16, a, b))));
    all
}

/// The address of the thread's own 8 bytes: in global memory where the result goes, or in shared memory.
const SHARED: &str = ".shared .align 8 .b8 cells[2048];\n.reg .b32 %cell, %own;\nmov.u32 %cell, cells;\n\
    mov.u32 %own, %tid.x;\nmad.lo.u32 %cell, %own, 8, %cell;\n";
const GENERIC_SHARED: &str = "cvta.shared.u64 %at, %generic;\n";

/// An operation on `%a` in memory with `%b`, in each space: what it returns, what it leaves, and `red`.
fn in_every_space(cases: &mut Vec<Case>, operation: Operation) {
    let Operation { name, of, change } = operation;
    let change = std::rc::Rc::new(change);
    let ty = format!("b{}", of.bits());
    let generic_shared = format!("{SHARED}.reg .b64 %generic;\ncvt.u64.u32 %generic, %cell;\n{GENERIC_SHARED}");
    for (place, space, at) in [
        ("", ".global", "[%to]"),
        ("", "", "[%to]"),
        (SHARED, ".shared", "[%cell]"),
        (generic_shared.as_str(), "", "[%at]"),
    ] {
        let put = format!("{place}st{space}.{ty} {at}, %a;");
        let after = change.clone();
        let sources = [of; 2];
        cases.push(case(format!("{put}\natom{space}.{name} %d, {at}, %b;"), of, &sources, |v| v[0]));
        let text = format!(
            "{put}\n.reg .{} %old;\natom{space}.{name} %old, {at}, %b;\nld{space}.{ty} %d, {at};",
            of.register()
        );
        cases.push(case(text, of, &sources, move |v| after(v[0], v[1])));
        let after = change.clone();
        // The result is not wanted, or there is none.
        let text = format!("{put}\natom{space}.{name} _, {at}, %b;\nld{space}.{ty} %d, {at};");
        cases.push(case(text, of, &sources, move |v| after(v[0], v[1])));
        if !name.starts_with("exch") {
            let after = change.clone();
            let text = format!("{put}\nred{space}.{name} {at}, %b;\nld{space}.{ty} %d, {at};");
            cases.push(case(text, of, &sources, move |v| after(v[0], v[1])));
        }
    }
}

#[test]
fn every_operation() {
    let mut cases = Vec::new();
    for operation in operations() {
        in_every_space(&mut cases, operation);
    }
    check(cases);
}

/// f32 sums flush subnormals in global memory, and keep them in shared memory, by generic addresses too.
#[test]
fn sums_of_f32() {
    let mut cases = Vec::new();
    in_every_space(&mut cases, Operation { name: "add.f32".into(), of: Of::F32, change: Box::new(flushed_sum) });
    // Those in shared memory follow those in global memory.
    let global = cases.len() / 2;
    cases.truncate(global);
    let mut shared = Vec::new();
    in_every_space(
        &mut shared,
        Operation { name: "add.f32".into(), of: Of::F32, change: Box::new(|a, b| sum(F32, a, b)) },
    );
    cases.extend(shared.into_iter().skip(global));
    check(cases);
}

#[test]
fn compare_and_swap() {
    let mut cases = Vec::new();
    for of in [Of::B16, Of::B32, Of::B64] {
        let ty = format!("b{}", of.bits());
        let sources = [of; 3];
        for (place, space, at) in [("", ".global", "[%to]"), ("", "", "[%to]"), (SHARED, ".shared", "[%cell]")] {
            let put = format!("{place}st{space}.{ty} {at}, %a;");
            cases.push(case(format!("{put}\natom{space}.cas.{ty} %d, {at}, %b, %c;"), of, &sources, |v| v[0]));
            let text = format!("{put}\natom{space}.cas.{ty} %d, {at}, %b, %c;\nld{space}.{ty} %d, {at};");
            cases.push(case(text, of, &sources, |v| if v[0] == v[1] { v[2] } else { v[0] }));
        }
    }
    check(cases);
}

/// Orders, scopes and policies, offsets, and 32-bit addresses.
#[test]
fn forms() {
    let mut cases = Vec::new();
    for form in [
        "atom.relaxed.gpu.global.add.u32 %d, [%to], %b;",
        "atom.acquire.cta.global.add.u32 %d, [%to], %b;",
        "atom.release.sys.global.add.u32 %d, [%to], %b;",
        "atom.acq_rel.gpu.add.u32 %d, [%to], %b;",
        "atom.global.gpu.add.u32 %d, [%to], %b;",
        "atom.global.add.L2::cache_hint.u32 %d, [%to], %b, %policy;",
        "sub.u64 %at, %to, 16;\natom.global.add.u32 %d, [%at+16], %b;",
    ] {
        let text = format!(".reg .b64 %policy;\nmov.u64 %policy, 0;\nst.global.u32 [%to], %a;\n{form}");
        cases.push(case(text, Of::B32, &[Of::B32; 2], |v| v[0]));
    }
    for form in [
        "red.relaxed.gpu.global.add.u32 [%to], %b;",
        "red.release.cta.global.add.u32 [%to], %b;",
        "red.global.add.L2::cache_hint.u32 [%to], %b, %policy;",
    ] {
        let text = format!(
            ".reg .b64 %policy;\nmov.u64 %policy, 0;\nst.global.u32 [%to], %a;\n{form}\nld.global.u32 %d, [%to];"
        );
        cases.push(case(text, Of::B32, &[Of::B32; 2], |v| (v[0] + v[1]) & 0xffff_ffff));
    }
    check(cases);
}

/// Vectors: each element by itself.
#[test]
fn vectors() {
    let forms: [(&str, usize, &str, Of); 12] = [
        ("add", 2, "f32", Of::F32),
        ("add", 4, "f32", Of::F32),
        ("add.noftz", 2, "f16", Of::F16),
        ("add.noftz", 4, "f16", Of::F16),
        ("add.noftz", 8, "f16", Of::F16),
        ("add.noftz", 8, "bf16", Of::Bf16),
        ("add.noftz", 2, "f16x2", Of::F16x2),
        ("add.noftz", 4, "bf16x2", Of::Bf16x2),
        ("min.noftz", 8, "f16", Of::F16),
        ("max.noftz", 4, "f16", Of::F16),
        ("min.noftz", 2, "bf16", Of::Bf16),
        ("max.noftz", 8, "bf16", Of::Bf16),
    ];
    fn change(operation: &str, of: Of, a: u64, b: u64) -> u64 {
        let format = if matches!(of, Of::F16 | Of::F16x2) { F16 } else { BF16 };
        match (&operation[..3], of) {
            (_, Of::F32) => flushed_sum(a, b),
            ("add", Of::F16x2 | Of::Bf16x2) => halves(move |a, b| sum(format, a, b))(a, b),
            ("add", _) => sum(format, a, b),
            (name, _) => crate::float::extremum(format, name == "max", false, a, b),
        }
    }
    let mut ptx = ".version 8.1\n.target sm_90\n.address_size 64\n".to_owned();
    for (index, (operation, count, ty, of)) in forms.iter().enumerate() {
        let bits = of.bits();
        let list = |name: &str| (0..*count).map(|at| format!("{name}{at}")).collect::<Vec<_>>().join(", ");
        let step = bits as usize / 8;
        let each = |f: &dyn Fn(usize) -> String| (0..*count).map(f).collect::<String>();
        for (kind, text) in [
            (
                "atom",
                format!("atom.global.{operation}.v{count}.{ty} {{{}}}, [%cells], {{{}}};\n", list("%old"), list("%b")),
            ),
            ("red", format!("red.global.v{count}.{ty}.{operation} [%cells], {{{}}};\n", list("%b"))),
        ] {
            ptx += &format!(
                ".visible .entry {kind}{index}(.param .u64 cells, .param .u64 values, .param .u64 old)\n{{\n\
                 .reg .b32 %t;\n.reg .b64 %cells, %values, %olds, %o;\n.reg .b{bits} %b<8>, %old<8>;\n\
                 mov.u32 %t, %tid.x;\nmul.wide.u32 %o, %t, 16;\nld.param.u64 %cells, [cells];\nadd.u64 %cells, %cells, %o;\n\
                 ld.param.u64 %values, [values];\nadd.u64 %values, %values, %o;\nld.param.u64 %olds, [old];\n\
                 add.u64 %olds, %olds, %o;\n{}{text}{}ret;\n}}\n",
                each(&|at| format!("ld.global.b{bits} %b{at}, [%values+{}];\n", at * step)),
                if kind == "atom" {
                    each(&|at| format!("st.global.b{bits} [%olds+{}], %old{at};\n", at * step))
                } else {
                    String::new()
                }
            );
        }
    }
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        for (index, (operation, count, _, of)) in forms.iter().enumerate() {
            let step = of.bits() as usize / 8;
            let mut random = Random(index as u64);
            let mut sample = || -> Vec<u8> {
                (0..32 * 16 / step).flat_map(|_| of.sample(&mut random).to_le_bytes()[..step].to_vec()).collect()
            };
            let (before, values) = (sample(), sample());
            for kind in ["atom", "red"] {
                let cells = device.upload(&before);
                let old = device.upload(&before);
                let args = [cells, device.upload(&values), old].map(Arg::from);
                device.clean(&format!("{kind}{index}"), [1; 3], [32, 1, 1], 0, &args);
                let after = device.download::<u8>(cells, 512);
                assert_eq!(device.download::<u8>(old, 512), before);
                let element = |bytes: &[u8], at: usize| {
                    let mut raw = [0; 8];
                    raw[..step].copy_from_slice(&bytes[at..][..step]);
                    u64::from_le_bytes(raw)
                };
                for thread in 0..32 {
                    for at in (0..count * step).step_by(step).map(|at| 16 * thread + at) {
                        let expected = change(operation, *of, element(&before, at), element(&values, at));
                        assert_eq!(element(&after, at), expected, "{kind} {:?}", forms[index]);
                    }
                }
            }
        }
    }
}

const BLOCKS: u32 = 16;
const THREADS: u32 = 256;
const TOTAL: u32 = BLOCKS * THREADS;

/// All threads of all blocks on one place: none is lost, and each sees a state that was there.
#[test]
fn contention() {
    let kernel = |name: &str, body: &str| {
        format!(
            ".visible .entry {name}(.param .u64 cell, .param .u64 seen)\n{{\n.reg .pred %p;\n.reg .b32 %t, %x, %y, %z;\n\
             .reg .f32 %f;\n.reg .b64 %cell, %seen, %o;\nmov.u32 %x, %ctaid.x;\nmov.u32 %y, %ntid.x;\nmov.u32 %z, %tid.x;\n\
             mad.lo.u32 %t, %x, %y, %z;\nld.param.u64 %cell, [cell];\nld.param.u64 %seen, [seen];\nmul.wide.u32 %o, %t, 4;\n\
             add.u64 %seen, %seen, %o;\n{body}st.global.u32 [%seen], %x;\nret;\n}}\n"
        )
    };
    let swap = "ld.relaxed.gpu.global.u32 %x, [%cell];\nAGAIN:\nmov.u32 %y, %x;\nadd.u32 %z, %x, 3;\n\
        atom.global.cas.b32 %x, [%cell], %y, %z;\nsetp.ne.u32 %p, %x, %y;\n@%p bra AGAIN;\n";
    let ptx = format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n{}{}{}{}{}{}{}{}{}",
        kernel("add", "atom.global.add.u32 %x, [%cell], 1;\n"),
        kernel("exchange", "add.u32 %t, %t, 1;\natom.global.exch.b32 %x, [%cell], %t;\n"),
        kernel("swap", swap),
        kernel("increment", "atom.global.inc.u32 %x, [%cell], 99;\n"),
        kernel("decrement", "atom.global.dec.u32 %x, [%cell], 99;\n"),
        kernel("minimum", "xor.b32 %y, %t, 1234;\natom.global.min.u32 %x, [%cell], %y;\n"),
        kernel("maximum", "xor.b32 %y, %t, 1234;\natom.global.max.s32 %x, [%cell], %y;\n"),
        kernel("bits", "and.b32 %y, %t, 31;\nshl.b32 %y, 1, %y;\natom.global.xor.b32 %x, [%cell], %y;\n"),
        kernel("float", "red.global.add.f32 [%cell], 0f3f000000;\nmov.u32 %x, 0;\n"),
    );
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let run = |name: &str, initial: u32| {
            let cell = device.upload(&[initial]);
            let seen = device.allocate::<u32>(TOTAL as usize);
            device.clean(name, [BLOCKS, 1, 1], [THREADS, 1, 1], 0, &[Arg::from(cell), Arg::from(seen)]);
            let mut seen = device.download::<u32>(seen, TOTAL as usize);
            seen.sort_unstable();
            (device.download::<u32>(cell, 1)[0], seen)
        };
        let (last, seen) = run("add", 5);
        assert_eq!(last, 5 + TOTAL);
        assert!(seen.into_iter().eq(5..5 + TOTAL));
        // Every value is seen once by the next, but the last, which stays.
        let (last, mut seen) = run("exchange", 0);
        seen.push(last);
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..=TOTAL));
        let (last, seen) = run("swap", 1);
        assert_eq!(last, 1 + 3 * TOTAL);
        assert!(seen.into_iter().eq((0..TOTAL).map(|step| 1 + 3 * step)));
        let of_100 = |first: u32| {
            let mut all: Vec<u32> = (0..TOTAL).map(|step| (first + step) % 100).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(run("increment", 0), (TOTAL % 100, of_100(0)));
        assert_eq!(
            run("decrement", 0),
            ((100 - TOTAL % 100) % 100, {
                let mut all: Vec<u32> = (0..TOTAL).map(|step| (100 - step % 100) % 100).collect();
                all.sort_unstable();
                all
            })
        );
        assert_eq!(run("minimum", u32::MAX).0, 0);
        assert_eq!(run("maximum", 0x8000_0000).0, TOTAL - 1);
        assert_eq!(run("bits", 0xf0f0_0f0f).0, 0xf0f0_0f0f, "an even number of times each bit");
        assert_eq!(run("float", 0).0, (TOTAL as f32 * 0.5).to_bits());
    }
}

/// The values that integers of a type can have stay within it: the bounds of `inc` and `dec` in shared memory too.
#[test]
fn counters_in_shared_memory() {
    let ptx = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 to)\n{\n.reg .b32 %x, %t;\n\
        .reg .b64 %to;\n.reg .pred %first;\n.shared .u32 up, down;\nld.param.u64 %to, [to];\nmov.u32 %t, %tid.x;\n\
        setp.eq.u32 %first, %t, 0;\n@%first st.shared.u32 [up], 0;\n@%first st.shared.u32 [down], 6;\nbar.sync 0;\n\
        atom.shared.inc.u32 %x, [up], 6;\nred.shared.dec.u32 [down], 6;\nbar.sync 0;\nld.shared.u32 %x, [up];\n\
        st.global.u32 [%to], %x;\nld.shared.u32 %x, [down];\nst.global.u32 [%to+4], %x;\nret;\n}\n";
    let ptx = ptx.replace("st.global", "@%first st.global");
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let to = device.allocate::<u32>(2);
        device.clean("k", [1; 3], [1000, 1, 1], 0, &[Arg::from(to)]);
        assert_eq!(device.download::<u32>(to, 2), [1000 % 7, (6 + 7 * 1000 - 1000) % 7]);
    }
}
