//! Parameters of functions and calls, as `.param::func`; and a kernel's, as `.param::entry`, in a function that it
//! calls.

use crate::common::{Arg, Device};
use crate::memory::{Access, HEADER, check};

/// A function for each access, which gives back what it is given, in the second half of 64 bytes.
fn functions() -> String {
    let one = |access: Access| {
        let (suffix, x) = (access.suffix(), access.operand("%x"));
        format!(
            ".func (.param .align 32 .b8 result[64]) {}(.param .align 32 .b8 given[64])\n{{\n{}\
             ld.param::func{suffix} {x}, [given+32];\nst.param::func{suffix} [result+32], {x};\nret;\n}}\n",
            name(access),
            access.declare("%x")
        )
    };
    Access::all().into_iter().map(one).collect()
}

fn name(access: Access) -> String {
    format!("pass_{}x{}_in_{}", access.count, access.ty, access.register)
}

/// Through a parameter, a function, and its result: a store and a load in the caller, and again in the function. Each
/// load extends, as its type says, what a store has cut to it.
#[test]
fn values_go_to_a_function_and_come_back() {
    for (load, store) in
        [("ld.param::func", "st.param::func"), ("ld.param", "st.param::func"), ("ld.param::func", "st.param")]
    {
        check(&functions(), |access| {
            let (suffix, x, y) = (access.suffix(), access.operand("%x"), access.operand("%y"));
            Some(format!(
                "ld.global{suffix} {x}, [%from];\n{{\n.param .align 32 .b8 in[64], out[64];\n\
                 {store}{suffix} [in+32], {x};\ncall.uni (out), {}, (in);\n{load}{suffix} {y}, [out+32];\n}}\n",
                name(access)
            ))
        });
    }
}

/// What each thread of a warp and a half stores, of `f(thread)`.
fn results(functions: &str, body: &str) -> Vec<u32> {
    const THREADS: u32 = 48;
    let ptx = format!(
        "{HEADER}{functions}.visible .entry k(.param .u64 to, .param .u32 bias)\n{{\n.reg .pred %p;\n\
         .reg .b32 %t, %r, %s;\n.reg .b64 %to, %at;\nmov.u32 %t, %tid.x;\nld.param::entry.u64 %to, [to];\nmad.wide.u32 %to, %t, 4, %to;\n\
         {body}st.global.u32 [%to], %r;\nret;\n}}\n"
    );
    let run = |device: Device| {
        let to = device.allocate::<u32>(THREADS as usize);
        device.clean("k", [1; 3], [THREADS, 1, 1], 0, &[Arg::from(to), Arg::from(1000u32)]);
        device.download(to, THREADS as usize)
    };
    let results = run(Device::new(&ptx));
    assert_eq!(results, run(Device::portable(&ptx)));
    results
}

const DIFFERENCE: &str = ".func (.param .b32 result) difference(.param .b32 a, .param .b32 b)\n{\n.reg .b32 %a, %b;\n\
    ld.param::func.u32 %a, [a];\nld.weak.param::func.u32 %b, [b];\nsub.u32 %a, %a, %b;\n\
    st.param::func.u32 [result], %a;\nret;\n}\n";

/// Guards, constants, unwanted elements, cache hints, and a base without an offset.
#[test]
fn other_forms() {
    let body = "
        {
        .param .b32 a, b, out;
        .param .align 8 .b8 pair[8];
        setp.lt.u32 %p, %t, 20;
        st.param::func.b32 [a], %t;
        st.weak.param::func.b32 [b+0], 5;
        @%p st.param::func.b32 [b], 7;
        call (out), difference, (a, b);
        ld.param::func.b32 %r, [out];
        @!%p ld.param::func.ca.b32 %r, [a];
        st.param::func.v2.b32 [pair], {%r, 3};
        ld.param::func.v2.b32 {_, %s}, [pair];
        add.u32 %r, %r, %s;
        }
        ";
    for (t, result) in (0u32..).zip(results(DIFFERENCE, body)) {
        let difference = if t < 20 { t.wrapping_sub(7) } else { t };
        assert_eq!(result, difference.wrapping_add(3), "thread {t}");
    }
}

/// A function that calls itself has parameters of its own at each depth.
#[test]
fn each_call_has_its_own() {
    let sum = ".func (.param .b32 result) sum(.param .b32 n)\n{\n.reg .pred %p;\n.reg .b32 %n, %below;\n\
        ld.param::func.u32 %n, [n];\nmov.u32 %below, 0;\nsetp.eq.u32 %p, %n, 0;\n@%p bra DONE;\n{\n\
        .param .b32 in, out;\nsub.u32 %below, %n, 1;\nst.param::func.b32 [in], %below;\ncall (out), sum, (in);\n\
        ld.param::func.b32 %below, [out];\n}\nld.param::func.u32 %n, [n];\nDONE:\nadd.u32 %n, %n, %below;\n\
        st.param::func.b32 [result], %n;\nret;\n}\n";
    let body = "{\n.param .b32 in, out;\nst.param::func.b32 [in], %t;\ncall (out), sum, (in);\n\
        ld.param::func.b32 %r, [out];\n}\n";
    for (t, result) in (0u32..).zip(results(sum, body)) {
        assert_eq!(result, (0..=t).sum::<u32>(), "thread {t}");
    }
}

/// The address of a kernel's parameter may be given to a function, which reads there as `.param::entry`.
#[test]
fn a_function_reads_its_kernels_parameter() {
    let read = ".func (.param .b32 result) read(.param .b64 place)\n{\n.reg .b32 %r;\n.reg .b64 %at;\n\
        ld.param::func.u64 %at, [place];\nld.param::entry.u32 %r, [%at];\nst.param::func.b32 [result], %r;\nret;\n}\n";
    let body = "{\n.param .b64 in;\n.param .b32 out;\nmov.u64 %at, bias;\nst.param::func.b64 [in], %at;\n\
        call (out), read, (in);\nld.param::func.b32 %r, [out];\nadd.u32 %r, %r, %t;\n}\n";
    for (t, result) in (0u32..).zip(results(read, body)) {
        assert_eq!(result, 1000 + t);
    }
}
