//! Barriers of a block, and fences.

use crate::common::{Arg, Device, Random};

const HEADER: &str = ".version 8.0\n.target sm_90\n.address_size 64\n";

/// A kernel whose threads have a number `%t`, a predicate `%p` from the input, and a word `%r` that is stored.
fn kernel(name: &str, body: &str) -> String {
    format!(
        ".visible .entry {name}(.param .u64 in, .param .u64 out)\n{{\n.reg .pred %p, %q, %odd;\n\
         .reg .b32 %t, %r, %x, %id, %count;\n.reg .b64 %in, %out;\nmov.u32 %t, %tid.x;\nld.param.u64 %in, [in];\n\
         mad.wide.u32 %in, %t, 4, %in;\nld.global.u32 %r, [%in];\nsetp.ne.u32 %p, %r, 0;\nld.param.u64 %out, [out];\n\
         mad.wide.u32 %out, %t, 4, %out;\nmov.u32 %id, 5;\nmov.u32 %count, 64;\n{body}\nst.global.u32 [%out], %r;\nret;\n}}\n"
    )
}

/// `bar.red`, in all its forms, over a block whose last warp is not full.
#[test]
fn reductions() {
    /// From how many predicates hold, of how many.
    type Reduced = fn(u32, u32) -> u32;
    let operations: [(&str, Reduced); 6] = [
        ("popc.u32 %r, {}, %p", |holds, _| holds),
        ("popc.u32 %r, {}, !%p", |holds, all| all - holds),
        ("and.pred %q, {}, %p", |holds, all| u32::from(holds == all)),
        ("and.pred %q, {}, !%p", |holds, _| u32::from(holds == 0)),
        ("or.pred %q, {}, %p", |holds, _| u32::from(holds > 0)),
        ("or.pred %q, {}, !%p", |holds, all| u32::from(holds < all)),
    ];
    let barriers = ["bar.red", "bar.cta.red", "barrier.red", "barrier.red.aligned", "barrier.cta.red"];
    let mut ptx = HEADER.to_owned();
    for (index, (operation, _)) in operations.iter().enumerate() {
        for (way, barrier) in barriers.iter().enumerate() {
            for (kind, operands) in [("all", "3"), ("some", "%id, %count")] {
                let text = format!("{barrier}.{};\n", operation.replace("{}", operands));
                let select = if text.contains("%q") { "selp.u32 %r, 1, 0, %q;" } else { "" };
                // The first two warps alone, with a count.
                let only = if kind == "some" { "setp.ge.u32 %odd, %t, 64;\n@%odd bra OUT;\n" } else { "" };
                let out = if kind == "some" { "OUT:" } else { "" };
                ptx += &kernel(&format!("{kind}{index}_{way}"), &format!("{only}{text}{select}\n{out}"));
            }
        }
    }
    let mut random = Random(9);
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        for round in 0..4 {
            // None, all, and random ones.
            let values: Vec<u32> = (0..80)
                .map(|_| match round {
                    0 => 0,
                    1 => 7,
                    _ => (random.next() % 3) as u32,
                })
                .collect();
            for (index, (operation, reduced)) in operations.iter().enumerate() {
                for (way, barrier) in barriers.iter().enumerate() {
                    for (kind, threads) in [("all", 80), ("some", 64)] {
                        let out = device.allocate::<u32>(80);
                        let args = [device.upload(&values), out].map(Arg::from);
                        device.clean(&format!("{kind}{index}_{way}"), [1; 3], [80, 1, 1], 0, &args);
                        let holds = values[..threads].iter().filter(|&&value| value != 0).count();
                        let expected = reduced(holds as u32, threads as u32);
                        let results = device.download::<u32>(out, 80);
                        let text = format!("{barrier} {operation} of {kind}");
                        assert!(results[..threads].iter().all(|&result| result == expected), "{text}: {results:?}");
                        assert_eq!(results[threads..], values[threads..], "{text}");
                    }
                }
            }
        }
    }
}

/// All write, all wait, all read another's: in the forms that a barrier of the whole block has.
#[test]
fn whole_blocks() {
    let forms = [
        "bar.sync 0",
        "bar.sync 15",
        "bar.sync %id",
        "bar.cta.sync 1",
        "barrier.sync 2",
        "barrier.cta.sync.aligned 3",
        "barrier.sync.aligned 4, 96",
        "bar.sync 5, %size",
    ];
    let mut ptx = HEADER.to_owned();
    for (index, form) in forms.iter().enumerate() {
        ptx += &kernel(
            &format!("k{index}"),
            &format!(
                ".shared .align 4 .b8 cells[384];\n.reg .b32 %own, %other, %size;\nmov.u32 %size, 96;\nmov.u32 %own, cells;\n\
                 sub.u32 %other, 95, %t;\nmad.lo.u32 %other, %other, 4, %own;\nmad.lo.u32 %own, %t, 4, %own;\n\
                 st.shared.u32 [%own], %r;\n{form};\nld.shared.u32 %r, [%other];"
            ),
        );
    }
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        for (index, form) in forms.iter().enumerate() {
            let values: Vec<u32> = (100..196).collect();
            let out = device.allocate::<u32>(96);
            device.clean(&format!("k{index}"), [1; 3], [96, 1, 1], 0, &[device.upload(&values), out].map(Arg::from));
            let expected: Vec<u32> = values.into_iter().rev().collect();
            assert_eq!(device.download::<u32>(out, 96), expected, "{form}");
        }
    }
}

/// Warps that only announce and warps that wait, by two named barriers, over many rounds.
#[test]
fn producers_and_consumers() {
    let body = "
        .shared .align 4 .b8 slot[128];
        .reg .b32 %lane, %cell, %i;
        and.b32 %lane, %t, 31;
        mov.u32 %cell, slot;
        mad.lo.u32 %cell, %lane, 4, %cell;
        mov.u32 %i, 0;
        setp.ge.u32 %odd, %t, 32;
        mov.u32 %r, 0;
        @%odd bra CONSUME;
        PRODUCE:
        mad.lo.u32 %x, %i, 100, %lane;
        setp.eq.u32 %q, %i, 0;
        @!%q bar.sync 2, 64;
        st.shared.u32 [%cell], %x;
        bar.arrive 1, 64;
        add.u32 %i, %i, 1;
        setp.lt.u32 %q, %i, 10;
        @%q bra PRODUCE;
        bra OUT;
        CONSUME:
        bar.sync 1, 64;
        ld.shared.u32 %x, [%cell];
        add.u32 %r, %r, %x;
        setp.eq.u32 %q, %i, 9;
        @!%q bar.arrive 2, 64;
        add.u32 %i, %i, 1;
        setp.lt.u32 %q, %i, 10;
        @%q bra CONSUME;
        OUT:";
    let ptx = format!("{HEADER}{}", kernel("k", body));
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let out = device.allocate::<u32>(64);
        device.clean("k", [1; 3], [64, 1, 1], 0, &[device.upload(&[0u32; 64]), out].map(Arg::from));
        let results = device.download::<u32>(out, 64);
        assert_eq!(results[..32], [0; 32]);
        assert_eq!(results[32..], (0..32).map(|lane| 4500 + 10 * lane).collect::<Vec<u32>>());
    }
}

/// Without `.aligned` the threads of a warp may wait in different places; each counts by itself.
#[test]
fn threads_of_a_warp_wait_apart() {
    let body = "
        .shared .u32 sum;
        setp.eq.u32 %q, %t, 0;
        @%q st.shared.u32 [sum], 0;
        barrier.sync 0;
        and.b32 %x, %t, 1;
        setp.ne.u32 %odd, %x, 0;
        @%odd bra ODD;
        red.shared.add.u32 [sum], 1;
        barrier.sync 1, 64;
        bra DONE;
        ODD:
        red.shared.add.u32 [sum], 1000;
        barrier.sync 1, 64;
        DONE:
        ld.shared.u32 %r, [sum];";
    let ptx = format!("{HEADER}{}", kernel("k", body));
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let out = device.allocate::<u32>(64);
        device.clean("k", [1; 3], [64, 1, 1], 0, &[device.upload(&[0u32; 64]), out].map(Arg::from));
        assert_eq!(device.download::<u32>(out, 64), [32 * 1000 + 32; 64]);
    }
}

/// Every fence, between a store and a load of the same thread.
#[test]
fn fences() {
    let fences = [
        "membar.cta",
        "membar.gl",
        "membar.sys",
        "fence.cta",
        "fence.gpu",
        "fence.sc.cta",
        "fence.sc.cluster",
        "fence.sc.gpu",
        "fence.sc.sys",
        "fence.acq_rel.cta",
        "fence.acq_rel.gpu",
        "fence.acq_rel.sys",
        "fence.acquire.gpu",
        "fence.release.cluster",
        "fence.proxy.alias",
        "fence.proxy.async",
        "fence.proxy.async.global",
        "fence.proxy.async.shared::cta",
        "fence.proxy.async.shared::cluster",
        "fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster",
        "fence.proxy.async::generic.release.sync_restrict::shared::cta.cluster",
        "fence.mbarrier_init.release.cluster",
    ];
    let mut ptx = HEADER.to_owned();
    for (index, fence) in fences.iter().enumerate() {
        ptx += &kernel(&format!("k{index}"), &format!("st.global.u32 [%out], 7;\n{fence};\nld.global.u32 %r, [%out];"));
    }
    let device = Device::new(&ptx);
    for (index, fence) in fences.iter().enumerate() {
        let out = device.allocate::<u32>(32);
        device.clean(&format!("k{index}"), [1; 3], [32, 1, 1], 0, &[device.upload(&[0u32; 32]), out].map(Arg::from));
        assert_eq!(device.download::<u32>(out, 32), [7; 32], "{fence}");
    }
}
