//! Loads and stores: every space, type, vector and register.

use crate::common::{Arg, Device, Random};

pub const HEADER: &str = ".version 8.8\n.target sm_90\n.address_size 64\n";
/// Threads of a launch; each has its own 64 bytes of source.
const THREADS: usize = 64;
const STRIDE: usize = 64;

/// Types that memory is accessed with.
const TYPES: [&str; 14] =
    ["b8", "u8", "s8", "b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64"];

fn bits(ty: &str) -> usize {
    ty[1..].parse().expect("a size")
}

/// One access: its type, how many elements, and the bits of its registers.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    pub ty: &'static str,
    pub count: usize,
    pub register: usize,
}

impl Access {
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for ty in TYPES {
            for register in [8, 16, 32, 64].into_iter().filter(|&register| register >= bits(ty)) {
                // Numbers have registers of their own size.
                if ty.starts_with('f') && register != bits(ty) {
                    continue;
                }
                // Eight elements are of 32 bits.
                for count in [1, 2, 4, 8].into_iter().filter(|&count| count < 8 || bits(ty) == 32) {
                    all.push(Self { ty, count, register });
                }
            }
        }
        all
    }

    /// `.v4.u8`, with the dot.
    pub fn suffix(self) -> String {
        match self.count {
            1 => format!(".{}", self.ty),
            count => format!(".v{count}.{}", self.ty),
        }
    }

    /// Declares registers of a name.
    pub fn declare(self, name: &str) -> String {
        let class = if self.ty.starts_with('f') { "f" } else { "b" };
        format!(".reg .{class}{} {name}<8>;\n", self.register)
    }

    /// `{%x0, %x1}`, or one register alone.
    pub fn operand(self, name: &str) -> String {
        match self.count {
            1 => format!("{name}0"),
            count => format!("{{{}}}", (0..count).map(|at| format!("{name}{at}")).collect::<Vec<_>>().join(", ")),
        }
    }

    /// What a register holds after a load: the element, extended as its type says.
    fn loaded(self, bytes: &[u8], at: usize) -> u64 {
        let size = bits(self.ty) / 8;
        let mut raw = [0; 8];
        raw[..size].copy_from_slice(&bytes[at * size..][..size]);
        let value = u64::from_le_bytes(raw);
        let unused = 64 - 8 * size as u32;
        let extended = if self.ty.starts_with('s') { ((value << unused) as i64 >> unused) as u64 } else { value };
        extended & (u64::MAX >> (64 - self.register))
    }

    /// Stores of all registers to the results, 8 bytes apart, so that every bit of a register is seen.
    fn results(self, name: &str) -> String {
        let class = if self.ty.starts_with('f') { "f" } else { "b" };
        let one = |at| format!("st.global.{class}{} [%to+{}], {name}{at};\n", self.register, 8 * at);
        (0..self.count).map(one).collect()
    }
}

/// Bytes that are different in every element, and negative in half.
fn source() -> Vec<u8> {
    let mut random = Random(11);
    (0..THREADS * STRIDE).map(|_| random.next() as u8).collect()
}

/// The thread's number in `%t`, its source in `%from`, its results in `%to`.
const PLACES: &str = ".reg .b32 %t, %at32;\n.reg .b64 %from, %to, %at, %step;\nmov.u32 %t, %tid.x;\n\
    mul.wide.u32 %step, %t, 64;\nld.param.u64 %from, [source];\nadd.u64 %from, %from, %step;\n\
    ld.param.u64 %to, [results];\nadd.u64 %to, %to, %step;\n";

/// Runs a kernel for each access, and compares its registers with what lies in the source.
pub fn check(variables: &str, body: impl Fn(Access) -> Option<String>) {
    let mut ptx = format!("{HEADER}{variables}");
    let mut accesses = Vec::new();
    for access in Access::all() {
        if let Some(body) = body(access) {
            ptx += &format!(
                ".visible .entry k{}(.param .u64 source, .param .u64 results)\n{{\n{PLACES}{}{}{body}{}ret;\n}}\n",
                accesses.len(),
                access.declare("%x"),
                access.declare("%y"),
                access.results("%y")
            );
            accesses.push(access);
        }
    }
    assert!(accesses.len() > 20);
    let bytes = source();
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let from = device.upload(&bytes);
        for (index, &access) in accesses.iter().enumerate() {
            // Twice as much as the results need: kernels may use the rest.
            let to = device.upload(&vec![0u64; 2 * THREADS * STRIDE / 8]);
            let args = [Arg::from(from), Arg::from(to)];
            device.clean(&format!("k{index}"), [1; 3], [THREADS as u32, 1, 1], 0, &args);
            let results = device.download::<u64>(to, THREADS * STRIDE / 8);
            for thread in 0..THREADS {
                for at in 0..access.count {
                    let expected = access.loaded(&bytes[thread * STRIDE..], at);
                    let result = results[thread * STRIDE / 8 + at];
                    assert_eq!(result, expected, "{access:?}, element {at} of thread {thread}\n{:?}", body(access));
                }
            }
            device.memory.free(to).expect("it is allocated");
        }
    }
}

/// Into registers, out to a space, and back.
fn round_trip(access: Access, space: &str, at: &str) -> String {
    let suffix = access.suffix();
    let (x, y) = (access.operand("%x"), access.operand("%y"));
    format!("ld.global{suffix} {x}, [%from];\nst{space}{suffix} {at}, {x};\nld{space}{suffix} {y}, {at};\n")
}

#[test]
fn global() {
    check("", |access| {
        let (suffix, y) = (access.suffix(), access.operand("%y"));
        Some(format!("ld.global{suffix} {y}, [%from];\n"))
    });
    check("", |access| Some(round_trip(access, ".global", "[%to+4096]")));
}

#[test]
fn generic() {
    check("", |access| Some(round_trip(access, "", "[%to+4096]")));
    check(".shared .align 32 .b8 block[2048];\n", |access| {
        let at = "mov.u64 %at, block;\ncvta.shared.u64 %at, %at;\nmad.wide.u32 %at, %t, 32, %at;\n";
        Some(format!("{at}{}", round_trip(access, "", "[%at]")))
    });
    check("", |access| {
        let at = ".local .align 32 .b8 own[64];\nmov.u64 %at, own;\ncvta.local.u64 %at, %at;\n";
        Some(format!("{at}{}", round_trip(access, "", "[%at+32]")))
    });
}

#[test]
fn shared() {
    let variable = ".shared .align 32 .b8 before[32];\n.shared .align 32 .b8 block[2048];\n";
    // By a 32-bit address, a 64-bit one, and its name.
    check(variable, |access| {
        let at = "mov.u32 %at32, block;\nmad.lo.u32 %at32, %t, 32, %at32;\n";
        Some(format!("{at}{}", round_trip(access, ".shared", "[%at32]")))
    });
    check(variable, |access| {
        let at = "mov.u64 %at, block;\nmad.wide.u32 %at, %t, 32, %at;\nadd.u64 %at, %at, 64;\n";
        Some(format!("{at}{}", round_trip(access, ".shared::cta", "[%at+-64]")))
    });
    check(".shared .align 32 .b8 block[2048];\n", |access| {
        // Each thread in its turn.
        let trip = round_trip(access, ".shared", "[block+96]");
        let turn = "mov.u32 %at32, 0;\nTURN:\nsetp.ne.u32 %other, %at32, %t;\n@%other bra NEXT;\n";
        let next = "NEXT:\nbar.sync 0;\nadd.u32 %at32, %at32, 1;\nsetp.lt.u32 %other, %at32, 64;\n@%other bra TURN;\n";
        (access.count == 1).then(|| format!(".reg .pred %other;\n{turn}{trip}{next}"))
    });
}

#[test]
fn local() {
    check("", |access| {
        let variables = ".local .align 32 .b8 first[32];\n.local .align 32 .b8 own[64];\n";
        Some(format!("{variables}{}", round_trip(access, ".local", "[own+32]")))
    });
    check("", |access| {
        let variables = ".local .align 32 .b8 own[64];\nmov.u64 %at, own;\n";
        Some(format!("{variables}{}", round_trip(access, ".local", "[%at+32]")))
    });
}

/// Variables with initial values, read only.
#[test]
fn initialized_variables() {
    let list: Vec<String> = source().iter().map(u8::to_string).collect();
    let list = format!("{{{}}}", list.join(", "));
    for space in ["const", "global"] {
        let variable = format!(".{space} .align 32 .b8 table[{}] = {list};\n", THREADS * STRIDE);
        check(&variable, |access| {
            let (suffix, y) = (access.suffix(), access.operand("%y"));
            let load = format!("mov.u64 %at, table;\nadd.u64 %at, %at, %step;\nld.{space}{suffix} {y}, [%at];\n");
            // The first thread's place by name.
            let first = format!("setp.eq.u32 %first, %t, 0;\n@%first ld.{space}{suffix} {y}, [table+0];\n");
            Some(format!(".reg .pred %first;\n{load}{first}"))
        });
    }
}

/// A kernel's parameter, by name, by address, and by generic address.
#[test]
fn parameters() {
    let bytes = source();
    let accesses: Vec<_> = Access::all().into_iter().filter(|access| access.count * bits(access.ty) <= 128).collect();
    let mut ptx = HEADER.to_owned();
    for (index, &access) in accesses.iter().enumerate() {
        let (suffix, y) = (access.suffix(), access.operand("%y"));
        for (way, load) in [
            format!("ld.param{suffix} {y}, [table+32];\n"),
            format!("mov.u64 %at, table;\nld.param{suffix} {y}, [%at+32];\n"),
            format!("mov.u64 %at, table;\ncvta.param.u64 %at, %at;\nld{suffix} {y}, [%at+32];\n"),
            format!("ld.param::entry{suffix} {y}, [table+32];\n"),
            format!("mov.u64 %at, table;\ncvta.param::entry.u64 %at, %at;\nld{suffix} {y}, [%at+32];\n"),
        ]
        .into_iter()
        .enumerate()
        {
            ptx += &format!(
                ".visible .entry k{index}_{way}(.param .u64 to, .param .align 16 .b8 table[64])\n{{\n\
                 .reg .b64 %to, %at;\n{}ld.param.u64 %to, [to];\n{load}{}ret;\n}}\n",
                access.declare("%y"),
                access.results("%y")
            );
        }
    }
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        for (index, &access) in accesses.iter().enumerate() {
            for way in 0..5 {
                let to = device.upload(&[0u64; 16]);
                let args = [Arg::from(to), Arg(bytes[..64].to_vec())];
                device.clean(&format!("k{index}_{way}"), [1; 3], [1; 3], 0, &args);
                let results = device.download::<u64>(to, 16);
                for (at, &result) in results[..access.count].iter().enumerate() {
                    assert_eq!(result, access.loaded(&bytes[32..], at), "{access:?}, way {way}");
                }
            }
        }
    }
}

/// Orders, scopes, cache hints and policies, which change no value here.
#[test]
fn orders_and_hints() {
    let loads = [
        "ld.weak.global.u32 %x, [%from];",
        "ld.volatile.global.u32 %x, [%from];",
        "ld.relaxed.cta.global.u32 %x, [%from];",
        "ld.relaxed.gpu.global.u32 %x, [%from];",
        "ld.acquire.sys.global.u32 %x, [%from];",
        "ld.acquire.cluster.u32 %x, [%from];",
        "ld.mmio.relaxed.sys.global.u32 %x, [%from];",
        "ld.global.ca.u32 %x, [%from];",
        "ld.global.cg.u32 %x, [%from];",
        "ld.global.cs.u32 %x, [%from];",
        "ld.global.lu.u32 %x, [%from];",
        "ld.global.cv.u32 %x, [%from];",
        "ld.global.nc.u32 %x, [%from];",
        "ld.global.ca.nc.u32 %x, [%from];",
        "ld.global.L1::evict_last.u32 %x, [%from];",
        "ld.global.nc.L1::no_allocate.L2::128B.u32 %x, [%from];",
        "ld.global.L2::cache_hint.u32 %x, [%from], %policy;",
        "ldu.global.u32 %x, [%from];",
        "ldu.u32 %x, [%from];",
        "ld.u32 %x, [%from];",
    ];
    let stores = [
        "st.weak.global.u32 [%to], %x;",
        "st.volatile.global.u32 [%to], %x;",
        "st.relaxed.gpu.global.u32 [%to], %x;",
        "st.release.cta.global.u32 [%to], %x;",
        "st.release.gpu.u32 [%to], %x;",
        "st.mmio.relaxed.sys.global.u32 [%to], %x;",
        "st.global.wb.u32 [%to], %x;",
        "st.global.cg.u32 [%to], %x;",
        "st.global.cs.u32 [%to], %x;",
        "st.global.wt.u32 [%to], %x;",
        "st.global.L1::no_allocate.u32 [%to], %x;",
        "st.global.L2::cache_hint.u32 [%to], %x, %policy;",
        "st.u32 [%to], %x;",
        "st.shared.volatile.u32 [cell], %x;\nld.volatile.shared.u32 %x, [cell];\nst.global.u32 [%to], %x;",
    ];
    let mut ptx = format!("{HEADER}.shared .u32 cell;\n");
    for (index, text) in loads
        .iter()
        .map(|load| format!("{load}\nst.global.u32 [%to], %x;"))
        .chain(stores.iter().map(|store| format!("ld.global.u32 %x, [%from];\n{store}")))
        .enumerate()
    {
        ptx += &format!(
            ".visible .entry k{index}(.param .u64 from, .param .u64 to)\n{{\n.reg .b32 %x;\n.reg .b64 %from, %to, %policy;\n\
             ld.param.u64 %from, [from];\nld.param.u64 %to, [to];\nmov.u64 %policy, 0;\n{text}\nret;\n}}\n"
        );
    }
    let device = Device::new(&ptx);
    let from = device.upload(&[0x1234_5678u32]);
    for index in 0..loads.len() + stores.len() {
        let to = device.upload(&[0u32]);
        device.clean(&format!("k{index}"), [1; 3], [1; 3], 0, &[Arg::from(from), Arg::from(to)]);
        assert_eq!(device.download::<u32>(to, 1), [0x1234_5678], "k{index}");
    }
}

/// A vector's unwanted elements go nowhere, and a source may be a constant.
#[test]
fn sinks_and_constants() {
    let ptx = format!(
        "{HEADER}.visible .entry k(.param .u64 from, .param .u64 to)\n{{\n.reg .b32 %a, %b;\n.reg .b64 %from, %to, %l;\n\
         ld.param.u64 %from, [from];\nld.param.u64 %to, [to];\nld.global.v4.u32 {{%a, _, _, %b}}, [%from];\n\
         st.global.v4.u32 [%to], {{%b, 7, %a, -1}};\nld.global.v2.u64 {{_, %l}}, [%from];\nst.global.u64 [%to+16], %l;\n\
         st.global.u8 [%to+24], 300;\nst.global.f32 [%to+28], 0f40490fdb;\nret;\n}}\n"
    );
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        let from = device.upload(&[1u32, 2, 3, 4]);
        let to = device.upload(&[0u32; 8]);
        device.clean("k", [1; 3], [1; 3], 0, &[Arg::from(from), Arg::from(to)]);
        assert_eq!(device.download::<u32>(to, 8), [4, 7, 1, u32::MAX, 3, 4, 300 & 0xff, 0x4049_0fdb]);
    }
}
