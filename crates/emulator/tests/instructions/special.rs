//! Special registers, and which space an address is in.

use crate::common::{Arg, Device};

const GRID: [u32; 3] = [3, 2, 2];
const BLOCK: [u32; 3] = [7, 3, 4];
const DYNAMIC: u32 = 1000;
const STATIC: u32 = 256;

/// A thread: its block's index, its own, and its number in the block.
struct Thread {
    block: [u32; 3],
    thread: [u32; 3],
    linear: u32,
}

type Value = fn(&Thread) -> u32;

const REGISTERS: [(&str, Value); 37] = [
    ("%tid.x", |t| t.thread[0]),
    ("%tid.y", |t| t.thread[1]),
    ("%tid.z", |t| t.thread[2]),
    ("%ntid.x", |_| BLOCK[0]),
    ("%ntid.y", |_| BLOCK[1]),
    ("%ntid.z", |_| BLOCK[2]),
    ("%ctaid.x", |t| t.block[0]),
    ("%ctaid.y", |t| t.block[1]),
    ("%ctaid.z", |t| t.block[2]),
    ("%nctaid.x", |_| GRID[0]),
    ("%nctaid.y", |_| GRID[1]),
    ("%nctaid.z", |_| GRID[2]),
    ("%laneid", |t| t.linear % 32),
    ("%warpid", |t| t.linear / 32),
    ("%nwarpid", |_| 3),
    ("%lanemask_eq", |t| lanes(t, |lane, own| lane == own)),
    ("%lanemask_le", |t| lanes(t, |lane, own| lane <= own)),
    ("%lanemask_lt", |t| lanes(t, |lane, own| lane < own)),
    ("%lanemask_ge", |t| lanes(t, |lane, own| lane >= own)),
    ("%lanemask_gt", |t| lanes(t, |lane, own| lane > own)),
    ("%dynamic_smem_size", |_| DYNAMIC),
    ("%total_smem_size", |_| STATIC + DYNAMIC),
    ("%aggr_smem_size", |_| STATIC + DYNAMIC),
    ("%nsmid", |_| 108),
    // A block alone is a cluster.
    ("%cluster_ctarank", |_| 0),
    ("%cluster_nctarank", |_| 1),
    ("%cluster_ctaid.x", |_| 0),
    ("%cluster_ctaid.y", |_| 0),
    ("%cluster_ctaid.z", |_| 0),
    ("%cluster_nctaid.x", |_| 1),
    ("%cluster_nctaid.y", |_| 1),
    ("%cluster_nctaid.z", |_| 1),
    ("%clusterid.x", |t| t.block[0]),
    ("%clusterid.y", |t| t.block[1]),
    ("%clusterid.z", |t| t.block[2]),
    ("%nclusterid.x", |_| GRID[0]),
    ("%nclusterid.z", |_| GRID[2]),
];

fn lanes(thread: &Thread, f: fn(u32, u32) -> bool) -> u32 {
    (0..32).filter(|&lane| f(lane, thread.linear % 32)).fold(0, |mask, lane| mask | 1 << lane)
}

/// The linear number of a thread in its grid times 8, in `%offset`.
const OFFSET: &str = "
    mov.u32 %x, %tid.z;
    mov.u32 %y, %ntid.y;
    mov.u32 %z, %tid.y;
    mad.lo.u32 %x, %x, %y, %z;
    mov.u32 %y, %ntid.x;
    mov.u32 %z, %tid.x;
    mad.lo.u32 %x, %x, %y, %z;
    mov.u32 %block, %ctaid.z;
    mov.u32 %y, %nctaid.y;
    mov.u32 %z, %ctaid.y;
    mad.lo.u32 %block, %block, %y, %z;
    mov.u32 %y, %nctaid.x;
    mov.u32 %z, %ctaid.x;
    mad.lo.u32 %block, %block, %y, %z;
    mad.lo.u32 %x, %block, 84, %x;
    mul.wide.u32 %offset, %x, 8;
    ld.param.u64 %to, [out];
    add.u64 %to, %to, %offset;
";

fn for_each_thread(mut f: impl FnMut(&Thread)) {
    for linear_block in 0..GRID.iter().product() {
        let block = [linear_block % GRID[0], linear_block / GRID[0] % GRID[1], linear_block / GRID[0] / GRID[1]];
        for linear in 0..BLOCK.iter().product() {
            let thread = [linear % BLOCK[0], linear / BLOCK[0] % BLOCK[1], linear / BLOCK[0] / BLOCK[1]];
            f(&Thread { block, thread, linear });
        }
    }
}

/// As a word, and zero-extended to a long.
#[test]
fn registers() {
    let mut ptx = ".version 8.0\n.target sm_90\n.address_size 64\n.shared .b8 fixed[256];\n\
                   .extern .shared .align 16 .b8 sized[];\n"
        .to_owned();
    for (index, (register, _)) in REGISTERS.iter().enumerate() {
        for (kind, ty) in [("word", "u32"), ("long", "u64")] {
            // Both shared variables are used, so that both have a place.
            ptx += &format!(
                ".visible .entry {kind}{index}(.param .u64 out)\n{{\n.reg .b32 %x, %y, %z, %block, %shared;\n\
                 .reg .b64 %offset, %to;\n.reg .{ty} %value;\nmov.u32 %shared, fixed;\nmov.u32 %shared, sized;\n\
                 {OFFSET}mov.{ty} %value, {register};\nst.global.{ty} [%to], %value;\nret;\n}}\n"
            );
        }
    }
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let threads = (GRID.iter().product::<u32>() * BLOCK.iter().product::<u32>()) as usize;
        for (index, (register, value)) in REGISTERS.iter().enumerate() {
            for kind in ["word", "long"] {
                let out = device.upload(&vec![0u64; threads]);
                device.clean(&format!("{kind}{index}"), GRID, BLOCK, DYNAMIC, &[Arg::from(out)]);
                let mut results = device.download::<u64>(out, threads).into_iter();
                for_each_thread(|thread| {
                    let result = results.next().expect("one a thread");
                    assert_eq!(result, u64::from(value(thread)), "{kind} {register} of {:?}", thread.thread);
                });
            }
        }
    }
}

/// Which launch it is, and on which multiprocessor a block may be: the same of all its threads.
#[test]
fn launches_and_multiprocessors() {
    let ptx = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 out)\n{\n\
               .reg .b32 %x, %y;\n.reg .b64 %l, %to;\nmov.u32 %x, %ctaid.x;\nmov.u32 %y, %ntid.x;\n\
               mad.lo.u32 %x, %x, %y, %tid.x;\nld.param.u64 %to, [out];\nmul.wide.u32 %l, %x, 16;\n\
               add.u64 %to, %to, %l;\nmov.u32 %x, %smid;\nst.global.u32 [%to], %x;\nmov.u32 %x, %gridid;\n\
               st.global.u32 [%to+4], %x;\nmov.u64 %l, %gridid;\nst.global.u64 [%to+8], %l;\nret;\n}\n";
    let mut device = Device::new(ptx);
    (device.options.launch_id, device.options.multiprocessors) = (77, 3);
    let out = device.allocate::<u32>(5 * 40 * 4);
    device.clean("k", [5, 1, 1], [40, 1, 1], 0, &[Arg::from(out)]);
    for block in device.download::<u32>(out, 5 * 40 * 4).chunks(40 * 4) {
        assert!(block[0] < 3);
        assert!(block.chunks(4).all(|thread| thread == [block[0], 77, 77, 0]), "{block:?}");
    }
}

/// `mov.u16` takes the low half of an index.
#[test]
fn halves_of_indices() {
    let ptx = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 out)\n{\n\
               .reg .b16 %h;\n.reg .b32 %r;\n.reg .b64 %a, %o;\nmov.u16 %h, %tid.x;\nmov.u32 %r, %tid.x;\n\
               mul.wide.u32 %o, %r, 2;\nld.param.u64 %a, [out];\nadd.u64 %a, %a, %o;\nst.global.u16 [%a], %h;\nret;\n}\n";
    let device = Device::new(ptx);
    let out = device.allocate::<u16>(100);
    device.clean("k", [1; 3], [100, 1, 1], 0, &[Arg::from(out)]);
    assert_eq!(device.download::<u16>(out, 100), (0..100).collect::<Vec<u16>>());
}

#[test]
fn clocks_go_forward() {
    let read = |names: [&str; 3]| {
        let [low, high, long] = names;
        format!(
            "mov.u64 %a, {long};\nmov.u32 %l, {low};\nmov.u32 %h, {high};\nmov.b64 %b, {{%l, %h}};\nmov.u64 %c, {long};\n"
        )
    };
    for names in [["%clock", "%clock_hi", "%clock64"], ["%globaltimer_lo", "%globaltimer_hi", "%globaltimer"]] {
        let ptx = format!(
            ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 out)\n{{\n\
             .reg .b32 %l, %h;\n.reg .b64 %a, %b, %c, %to;\nld.param.u64 %to, [out];\n{}\
             st.global.u64 [%to], %a;\nst.global.u64 [%to+8], %b;\nst.global.u64 [%to+16], %c;\nret;\n}}\n",
            read(names)
        );
        let device = Device::new(&ptx);
        let out = device.allocate::<u64>(3);
        device.clean("k", [1; 3], [1; 3], 0, &[Arg::from(out)]);
        let times = device.download::<u64>(out, 3);
        assert!(times.is_sorted(), "{names:?}: {times:?}");
    }
}

/// A variable of each space: its generic address, back again, and the spaces it is in.
#[test]
fn spaces() {
    let spaces = ["global", "const", "shared", "local", "param"];
    let tests = ["global", "shared", "shared::cta", "local", "const", "param"];
    let mut body = String::new();
    for (index, space) in spaces.iter().enumerate() {
        let address = if *space == "param" { "out".to_owned() } else { format!("in_{space}") };
        body += &format!(
            "mov.u64 %own, {address};\ncvta.{space}.u64 %generic, %own;\ncvta.to.{space}.u64 %back, %generic;\n\
             setp.eq.u64 %same, %own, %back;\nselp.u32 %bits, 1, 0, %same;\n\
             ld.u32 %value, [%generic];\nst.global.u32 [%to+{}], %value;\n",
            8 * index
        );
        for (bit, test) in tests.iter().enumerate() {
            body += &format!("isspacep.{test} %in, %generic;\n@%in or.b32 %bits, %bits, {};\n", 2 << bit);
        }
        body += &format!("st.global.u32 [%to+{}], %bits;\n", 8 * index + 4);
    }
    let ptx = format!(
        ".version 8.0\n.target sm_80\n.address_size 64\n.global .u32 in_global = 11;\n.const .u32 in_const = 12;\n\
         .shared .u32 in_shared;\n.visible .entry k(.param .u64 out)\n{{\n.local .u32 in_local;\n\
         .reg .pred %same, %in;\n.reg .b32 %bits, %value;\n.reg .b64 %own, %generic, %back, %to;\n\
         ld.param.u64 %to, [out];\nst.shared.u32 [in_shared], 13;\nst.local.u32 [in_local], 14;\n{body}ret;\n}}\n"
    );
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let out = device.allocate::<u32>(10);
        device.clean("k", [1; 3], [1; 3], 0, &[Arg::from(out)]);
        let results = device.download::<u32>(out, 10);
        // Back again, then the tests that hold, from bit 1.
        let expected = [
            (11, 1 | 1 << 1),
            (12, 1 | 1 << 5),
            (13, 1 | 1 << 2 | 1 << 3),
            (14, 1 | 1 << 4),
            // The parameter is the address of the results; parameters lie within global memory.
            (out as u32, 1 | 1 << 1 | 1 << 6),
        ];
        for (index, (value, bits)) in expected.into_iter().enumerate() {
            assert_eq!(results[2 * index..][..2], [value, bits], "{}", spaces[index]);
        }
    }
}
