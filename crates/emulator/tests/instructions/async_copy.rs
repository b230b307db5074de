//! `cp.async`: sizes, sources that are short or ignored, and groups.

use crate::common::{Arg, Device, Random};

const HEADER: &str = ".version 8.0\n.target sm_80\n.address_size 64\n";
const THREADS: usize = 64;

/// A kernel: every thread fills its 16 bytes of shared memory, copies into them, waits, and shows what is there.
fn kernel(name: &str, copy: &str) -> String {
    format!(
        ".visible .entry {name}(.param .u64 source, .param .u64 sizes, .param .u64 out)\n{{\n\
         .shared .align 16 .b8 tile[1024];\n.reg .pred %ignore;\n.reg .b32 %t, %cell, %size, %x<4>;\n\
         .reg .b64 %source, %out, %at, %wide, %policy;\nmov.u32 %t, %tid.x;\nld.param.u64 %source, [source];\n\
         mad.wide.u32 %source, %t, 16, %source;\nld.param.u64 %at, [sizes];\nmad.wide.u32 %at, %t, 4, %at;\n\
         ld.global.u32 %size, [%at];\nsetp.eq.u32 %ignore, %size, 0;\nld.param.u64 %out, [out];\n\
         mad.wide.u32 %out, %t, 16, %out;\nmov.u32 %cell, tile;\nmad.lo.u32 %cell, %t, 16, %cell;\n\
         cvt.u64.u32 %wide, %cell;\nmov.u64 %policy, 0;\n\
         st.shared.v4.b32 [%cell], {{-1, -1, -1, -1}};\n{copy}\n\
         ld.shared.v4.b32 {{%x0, %x1, %x2, %x3}}, [%cell];\nst.global.v4.b32 [%out], {{%x0, %x1, %x2, %x3}};\nret;\n}}\n"
    )
}

/// What the sizes mean: the copy's bytes, its text, and the bytes read for a thread's number.
struct Form {
    size: usize,
    text: String,
    read: fn(u32, usize) -> usize,
}

fn forms() -> Vec<Form> {
    let all: fn(u32, usize) -> usize = |_, size| size;
    let short: fn(u32, usize) -> usize = |number, _| number as usize;
    let ignored: fn(u32, usize) -> usize = |number, size| if number == 0 { 0 } else { size };
    let mut forms = Vec::new();
    for (cache, size) in [("ca", 4), ("ca", 8), ("ca", 16), ("cg", 16)] {
        let mut push = |text: String, read| forms.push(Form { size, text, read });
        push(format!("cp.async.{cache}.shared.global [%cell], [%source], {size};"), all);
        push(format!("cp.async.{cache}.shared::cta.global.L2::128B [%wide], [%source], {size};"), all);
        push(
            format!(
                "add.u32 %cell, %cell, 8;\ncp.async.{cache}.shared.global [%cell+-8], [%source+0], {size};\nsub.u32 %cell, %cell, 8;"
            ),
            all,
        );
        push(format!("cp.async.{cache}.shared.global.L2::cache_hint [%cell], [%source], {size}, %policy;"), all);
        push(format!("cp.async.{cache}.shared.global [%cell], [%source], {size}, %size;"), short);
        push(
            format!("cp.async.{cache}.shared.global.L2::cache_hint [%cell], [%source], {size}, %size, %policy;"),
            short,
        );
        push(format!("cp.async.{cache}.shared.global [%cell], [%source], {size}, %ignore;"), ignored);
    }
    forms
}

#[test]
fn sizes() {
    let waits = ["cp.async.wait_all;", "cp.async.commit_group;\ncp.async.wait_group 0;"];
    let forms = forms();
    let mut ptx = HEADER.to_owned();
    for (index, form) in forms.iter().enumerate() {
        for (way, wait) in waits.iter().enumerate() {
            ptx += &kernel(&format!("k{index}_{way}"), &format!("{}\n{wait}", form.text));
        }
    }
    let mut random = Random(1);
    let source: Vec<u8> = (0..THREADS * 16).map(|_| random.next() as u8).collect();
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        for (index, form) in forms.iter().enumerate() {
            let numbers: Vec<u32> = (0..THREADS).map(|_| (random.next() % (form.size as u64 + 1)) as u32).collect();
            for way in 0..waits.len() {
                // The last thread's source ends with the bytes it reads.
                let last = (form.read)(numbers[THREADS - 1], form.size);
                let from = device.upload(&source[..(THREADS - 1) * 16 + last]);
                let out = device.allocate::<u8>(THREADS * 16);
                let args = [from, device.upload(&numbers), out].map(Arg::from);
                device.clean(&format!("k{index}_{way}"), [1; 3], [THREADS as u32, 1, 1], 0, &args);
                let result = device.download::<u8>(out, THREADS * 16);
                for thread in 0..THREADS {
                    let read = (form.read)(numbers[thread], form.size);
                    let mut expected = [0xff; 16];
                    expected[..form.size].fill(0);
                    expected[..read].copy_from_slice(&source[thread * 16..][..read]);
                    assert_eq!(result[thread * 16..][..16], expected, "{}, thread {thread}, {read} bytes", form.text);
                }
            }
        }
    }
}

/// Three groups, of which the older ones are waited for first.
#[test]
fn groups() {
    let copy = |at: usize| format!("cp.async.ca.shared.global [%cell+{at}], [%source+{at}], 4;\n");
    let text = format!(
        "{}cp.async.commit_group;\n{}cp.async.commit_group;\n{}{}cp.async.commit_group;\n\
         cp.async.wait_group 2;\nld.shared.u32 %x0, [%cell];\ncp.async.wait_group 1;\nld.shared.u32 %x1, [%cell+4];\n\
         cp.async.wait_group 0;\n",
        copy(0),
        copy(4),
        copy(8),
        copy(12)
    );
    let ptx = format!("{HEADER}{}", kernel("k", &text));
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let source: Vec<u32> = (0..4 * THREADS as u32).collect();
        let out = device.allocate::<u32>(4 * THREADS);
        let args = [device.upload(&source), device.upload(&[0u32; THREADS]), out].map(Arg::from);
        device.clean("k", [1; 3], [THREADS as u32, 1, 1], 0, &args);
        assert_eq!(device.download::<u32>(out, 4 * THREADS), source);
    }
}
