//! Counters against values computed by hand, for the same kernels by three compilers.

mod common;

use common::{Arg, Device, Random};
use noam_emulator::{counters::Counters, memory::Accesses, program::Class};

/// Runs `body`, which launches one kernel, on each compiler's PTX of a file, and checks what was counted.
fn counted(file: &str, body: impl Fn(&Device), check: impl Fn(&Counters)) {
    for compiler in ["12.0", "12.9", "13.5"] {
        println!("{file}.cu by NVRTC {compiler}");
        let path = format!("{}/tests/ptx/{compiler}/{file}.ptx", env!("CARGO_MANIFEST_DIR"));
        let device = Device::new(&std::fs::read_to_string(path).expect("golden PTX"));
        body(&device);
        let [counters] = &device.counted.take()[..] else { panic!("one launch") };
        check(counters);
        let parts = &counters.memory.by_instruction;
        let sum = parts.iter().fold(Accesses::default(), |mut sum, part| {
            sum.add(part);
            sum
        });
        let memory = &counters.memory;
        let mut all = memory.global();
        [memory.shared(), memory.local(), memory.constant_loads].iter().for_each(|part| all.add(part));
        assert_eq!(sum, all, "the instructions' accesses are the launch's");
    }
}

/// What accesses to global memory must have counted.
#[track_caller]
fn assert_sectors(got: Accesses, requests: u64, lanes: u64, bytes: u64, sectors: u64, ideal_sectors: u64) {
    assert_eq!(got, Accesses { requests, lanes, bytes, sectors, ideal_sectors, ..Accesses::default() });
}

/// What accesses to shared memory must have counted.
#[track_caller]
fn assert_wavefronts(got: Accesses, requests: u64, lanes: u64, bytes: u64, wavefronts: u64, ideal_wavefronts: u64) {
    assert_eq!(got, Accesses { requests, lanes, bytes, wavefronts, ideal_wavefronts, ..Accesses::default() });
}

/// Copies n elements of so many bytes with 4 blocks of 256 threads.
fn copy(name: &str, n: usize, bytes: usize, stride: usize, offset: usize) -> impl Fn(&Device) {
    let name = name.to_owned();
    move |device| {
        let x = device.upload(&vec![1u8; (n * stride + offset) * bytes]);
        let y = device.allocate::<u8>(n * bytes);
        let args = [x.into(), y.into(), (n as i32).into(), (stride as i32).into(), (offset as i32).into()];
        device.clean(&name, [4, 1, 1], [256, 1, 1], 0, &args);
    }
}

/// 1024 elements are 32 requests of 32 lanes. A lane's bytes times 32 make 32, 64, 128, 256 or 512 bytes a request:
/// 1, 2, 4, 8 or 16 sectors.
#[test]
fn coalesced_copies() {
    for (name, bytes) in [("copy_8", 1), ("copy_16", 2), ("copy_32", 4), ("copy_64", 8), ("copy_128", 16)] {
        counted("copies", copy(name, 1024, bytes, 1, 0), |counters| {
            let (memory, bytes) = (&counters.memory, bytes as u64);
            assert_sectors(memory.global_loads, 32, 1024, 1024 * bytes, 32 * bytes, 32 * bytes);
            assert_sectors(memory.global_stores, 32, 1024, 1024 * bytes, 32 * bytes, 32 * bytes);
            assert_eq!(memory.global_loads.sectors_per_request(), bytes as f64);
            assert_eq!((memory.dram_read_bytes(), memory.dram_written_bytes()), (1024 * bytes, 1024 * bytes));
            assert_eq!(counters.divergent_branches, 0);
        });
    }
}

/// One element further, a request's 32 `bytes` begin within a sector and end within another: one sector more, except
/// for bytes, of which 31 and 1 lie in two sectors. The next request shares that sector, so DRAM gives one more in all.
#[test]
fn copies_that_begin_within_a_sector() {
    for (name, bytes) in [("copy_8", 1), ("copy_32", 4), ("copy_64", 8), ("copy_128", 16)] {
        counted("copies", copy(name, 1024, bytes, 1, 1), |counters| {
            let (memory, bytes) = (&counters.memory, bytes as u64);
            assert_sectors(memory.global_loads, 32, 1024, 1024 * bytes, 32 * (bytes + 1), 32 * bytes);
            assert_eq!(memory.global_loads.excessive_sectors(), 32);
            assert_eq!(memory.dram_read_bytes(), 1024 * bytes + 32);
        });
    }
}

/// With a stride a request spans 32 bytes * stride, until every lane has a sector of its own.
#[test]
fn strided_copies() {
    for (name, bytes, stride, sectors) in [
        ("copy_32", 4, 2, 8),
        ("copy_32", 4, 4, 16),
        ("copy_32", 4, 8, 32),
        ("copy_32", 4, 32, 32),
        // Lane l's word is 3 l: 96 words, 12 sectors.
        ("copy_32", 4, 3, 12),
        ("copy_64", 8, 2, 16),
        ("copy_64", 8, 4, 32),
        ("copy_128", 16, 2, 32),
        ("copy_128", 16, 5, 32),
    ] {
        counted("copies", copy(name, 1024, bytes, stride, 0), |counters| {
            let (memory, bytes) = (&counters.memory, bytes as u64);
            assert_sectors(memory.global_loads, 32, 1024, 1024 * bytes, 32 * sectors, 32 * bytes);
            assert_sectors(memory.global_stores, 32, 1024, 1024 * bytes, 32 * bytes, 32 * bytes);
            // No two requests share a sector.
            assert_eq!(memory.dram_read_bytes(), 32 * sectors * 32);
        });
    }
}

/// 1000 elements: 31 whole requests and one of 8 lanes, 32 bytes, one sector. That warp's branch diverges.
#[test]
fn a_copy_whose_last_warp_is_not_whole() {
    counted("copies", copy("copy_32", 1000, 4, 1, 0), |counters| {
        assert_sectors(counters.memory.global_loads, 32, 1000, 4000, 31 * 4 + 1, 125);
        assert_sectors(counters.memory.global_stores, 32, 1000, 4000, 31 * 4 + 1, 125);
        assert_eq!(counters.divergent_branches, 1);
    });
}

/// NVRTC 12.9 makes 23 instructions of `copy_32`, one after the other: five loads of parameters; three moves of special
/// registers, a multiply-add, a comparison, a branch; ten that compute addresses or access memory with a conversion
/// among them; a return. 32 warps execute each once. No lane takes the branch, so that it counts for warps alone.
#[test]
fn instructions_by_class() {
    let path = format!("{}/tests/ptx/12.9/copies.ptx", env!("CARGO_MANIFEST_DIR"));
    let device = Device::new(&std::fs::read_to_string(path).expect("golden PTX"));
    copy("copy_32", 1024, 4, 1, 0)(&device);
    let counters = &device.counted.take()[0];
    assert_eq!(counters.warp_instructions, 32 * 23);
    assert_eq!(counters.thread_instructions, 32 * 32 * 22);
    assert_eq!(counters.active_lanes(), 32.0 * 22.0 / 23.0);
    assert_eq!(counters.of(Class::LoadConst), 32 * 5);
    assert_eq!(counters.of(Class::LoadGlobal), 32);
    assert_eq!(counters.of(Class::StoreGlobal), 32);
    assert_eq!(counters.of(Class::Predicate), 32);
    assert_eq!(counters.of(Class::Control), 32 * 2);
    assert_eq!(counters.of(Class::Tensor), 0);
    assert_eq!(counters.classes.iter().sum::<u64>(), 32 * 23);
    assert_eq!(counters.memory.constant_loads.requests, 32 * 5);
    assert_eq!(counters.by_instruction.iter().map(|&(warps, _)| warps).sum::<u64>(), 32 * 23);
}

/// All lanes of a block read one word: a request is one sector. The four words of four blocks are one sector of DRAM.
#[test]
fn a_broadcast() {
    counted(
        "copies",
        |device| {
            let (x, y) = (device.upload(&[1f32; 4]), device.allocate::<f32>(1024));
            device.clean("broadcast_32", [4, 1, 1], [256, 1, 1], 0, &[x.into(), y.into(), 1024i32.into()]);
        },
        |counters| {
            let memory = &counters.memory;
            assert_sectors(memory.global_loads, 32, 1024, 4096, 32, 32);
            assert_sectors(memory.global_stores, 32, 1024, 4096, 128, 128);
            assert_eq!((memory.dram_read_bytes(), memory.dram_written_bytes()), (32, 4096));
        },
    );
}

/// Three warps with a stride of so many words: lanes l and l' are in one bank where stride * (l - l') is a multiple of
/// 32, so a bank has as many words as stride and 32 have in common.
#[test]
fn strides_in_shared_memory() {
    for (stride, conflicts) in [(1i32, 1), (2, 2), (3, 1), (4, 4), (6, 2), (8, 8), (12, 4), (16, 16), (32, 32), (33, 1)]
    {
        counted(
            "copies",
            |device| {
                let (x, y) = (device.upload(&[1f32; 96]), device.allocate::<f32>(96));
                device.clean("copy_through_shared", [3, 1, 1], [32, 1, 1], 0, &[x.into(), y.into(), stride.into()]);
            },
            |counters| {
                let memory = &counters.memory;
                assert_wavefronts(memory.shared_stores, 3, 96, 384, 3 * conflicts, 3);
                assert_wavefronts(memory.shared_loads, 3, 96, 384, 3 * conflicts, 3);
                assert_eq!(memory.shared().excessive_wavefronts(), 6 * (conflicts - 1));
            },
        );
    }
}

/// 64 x 64 words are four tiles, whose 8 warps each read and write 4 rows: 128 requests each way. Rows of a tile lie in
/// 32 banks. Its columns lie in one (32 wavefronts), or in 32 where rows are padded to 33 words or swizzled. Both sides
/// are coalesced in global memory, but for the plain kernel's writes, 256 bytes apart.
#[test]
fn transposes() {
    for (name, wavefronts) in
        [("transpose_conflicts", 32), ("transpose_padded", 1), ("transpose_swizzled", 1), ("transpose_plain", 0)]
    {
        counted(
            "transpose",
            |device| {
                let (x, y) = (device.upload(&[1f32; 4096]), device.allocate::<f32>(4096));
                device.clean(name, [2, 2, 1], [32, 8, 1], 0, &[x.into(), y.into(), 64i32.into(), 64i32.into()]);
            },
            |counters| {
                let memory = &counters.memory;
                assert_sectors(memory.global_loads, 128, 4096, 16384, 512, 512);
                assert_eq!((memory.dram_read_bytes(), memory.dram_written_bytes()), (16384, 16384));
                if wavefronts == 0 {
                    assert_sectors(memory.global_stores, 128, 4096, 16384, 4096, 512);
                    assert_eq!(memory.shared(), Accesses::default());
                } else {
                    assert_sectors(memory.global_stores, 128, 4096, 16384, 512, 512);
                    assert_wavefronts(memory.shared_stores, 128, 4096, 16384, 128, 128);
                    assert_wavefronts(memory.shared_loads, 128, 4096, 16384, 128 * wavefronts, 128);
                    // One barrier for each of 32 warps.
                    assert_eq!(counters.of(Class::Barrier), 32);
                }
            },
        );
    }
}

/// M = N = 128, K = 64 in tiles of 64 x 64 x 32: four blocks of four warps, two steps.
///
/// A product of tiles is 16 x 8 x 16, so there are M N K / 2048 = 512 instructions. A warp loads two matrices of four
/// for A and two for B for each k of 16: 16 warps * 4 k * 4 loads = 256, each of 512 bytes in 4 wavefronts since chunks
/// are swizzled. A and B of a step are 4 KiB each, 8 requests of 512 bytes: 4 blocks * 2 steps * 16 = 128 copies; 16
/// sectors to read (pieces of rows of 64 or 128 bytes), 4 wavefronts to write. C goes out by 16 stores a warp of 2
/// words a lane: 8 rows of 32 bytes, one sector each.
#[test]
fn a_tensor_gemm_in_bf16() {
    counted(
        "gemm_tensor",
        |device| {
            let (a, b) = (device.upload(&[0x3f80u16; 128 * 64]), device.upload(&[0x3f80u16; 64 * 128]));
            let c = device.allocate::<f32>(128 * 128);
            let sizes = [128i32, 128, 64].map(Arg::from);
            let args = [[a, b, c].map(Arg::from), sizes].concat();
            device.clean("gemm_bf16", [2, 2, 1], [128, 1, 1], 0, &args);
        },
        |counters| {
            let memory = &counters.memory;
            assert_eq!(counters.of(Class::Tensor), 512);
            assert_wavefronts(memory.shared_loads, 256, 256 * 32, 256 * 512, 256 * 4, 256 * 4);
            assert_wavefronts(memory.shared_stores, 128, 128 * 32, 128 * 512, 128 * 4, 128 * 4);
            assert_sectors(memory.global_loads, 128, 128 * 32, 128 * 512, 128 * 16, 128 * 16);
            assert_sectors(memory.global_stores, 256, 256 * 32, 256 * 256, 256 * 8, 256 * 8);
            // 16 KiB of A and of B, though each is copied twice; 64 KiB of C.
            assert_eq!((memory.dram_read_bytes(), memory.dram_written_bytes()), (32768, 65536));
        },
    );
}

/// M = N = 64, K = 32: one block of four warps. A product is 16 x 8 x 8: M N K / 1024 = 128 instructions.
#[test]
fn a_tensor_gemm_in_tf32() {
    counted(
        "gemm_tensor",
        |device| {
            let (a, b) = (device.upload(&[1f32; 64 * 32]), device.upload(&[1f32; 64 * 32]));
            let args =
                [[a, b, device.allocate::<f32>(64 * 64)].map(Arg::from), [64i32, 64, 32].map(Arg::from)].concat();
            device.clean("gemm_tf32", [1, 1, 1], [128, 1, 1], 0, &args);
        },
        |counters| assert_eq!(counters.of(Class::Tensor), 128),
    );
}

/// M = N = K = 16: a block of 8 warps, each two rows of C. For each k a warp reads one word of two rows of A, 64 bytes
/// apart (2 sectors, where 8 bytes would need 1), and 16 words of B, the same for both rows (2 sectors).
#[test]
fn a_gemm_without_shared_memory() {
    counted(
        "gemm",
        |device| {
            let [a, b] = [(); 2].map(|()| device.upload(&[1f32; 256]));
            let args = [[a, b, device.allocate::<f32>(256)].map(Arg::from), [16i32; 3].map(Arg::from)].concat();
            device.clean("gemm_f32_plain", [1, 1, 1], [16, 16, 1], 0, &args);
        },
        |counters| {
            assert_sectors(counters.memory.global_loads, 2 * 128, 2 * 4096, 2 * 16384, 128 * 4, 128 * 3);
            // 16 words of each of two rows.
            assert_sectors(counters.memory.global_stores, 8, 256, 1024, 8 * 4, 8 * 4);
        },
    );
}

/// 8 rows of 512: a warp reads 4 vectors a lane of x, gamma and beta each, 16 sectors a request, and writes as many of
/// y; then lane 0 writes two words.
#[test]
fn layer_norm_by_vectors() {
    counted(
        "layer_norm",
        |device| {
            let x = device.upload(&Random(1).floats(8 * 512));
            let [gamma, beta] = [(); 2].map(|()| device.upload(&[1f32; 512]));
            let y = device.allocate::<f32>(8 * 512);
            let [mean, rstd] = [(); 2].map(|()| device.allocate::<f32>(8));
            let pointers = [x, gamma, beta, y, mean, rstd].map(Arg::from);
            let args = [&pointers[..], &[8i32.into(), 1e-5f32.into()]].concat();
            device.clean("layer_norm_512", [2, 1, 1], [128, 1, 1], 0, &args);
        },
        |counters| {
            let memory = &counters.memory;
            assert_sectors(memory.global_loads, 8 * 12, 8 * 12 * 32, 8 * 12 * 512, 8 * 12 * 16, 8 * 12 * 16);
            let (vectors, words) = (8 * 4, 8 * 2);
            assert_sectors(
                memory.global_stores,
                vectors + words,
                vectors * 32 + words,
                vectors * 512 + words * 4,
                vectors * 16 + words,
                vectors * 16 + words,
            );
            // x, gamma and beta; y, and a sector each of mean and rstd.
            let (read, written) = (8 * 2048 + 2 * 2048, 8 * 2048 + 2 * 32);
            assert_eq!((memory.dram_read_bytes(), memory.dram_written_bytes()), (read, written));
            // Two sums by butterflies of 5 steps.
            assert_eq!(counters.of(Class::Warp), 8 * 10);
        },
    );
}

/// 256 bytes, one a thread, in 8 warps.
fn histogram(name: &str, byte: impl Fn(usize) -> u8) -> impl Fn(&Device) {
    let data: Vec<u8> = (0..256).map(byte).collect();
    let name = name.to_owned();
    move |device| {
        let (data, counts) = (device.upload(&data), device.upload(&[0u32; 256]));
        device.clean(&name, [1, 1, 1], [256, 1, 1], 0, &[data.into(), counts.into(), 256i32.into()]);
    }
}

/// Lanes' words 32 bytes apart, in neighbouring words, or the same word: 32, 4 and 1 sectors a request.
#[test]
fn atomics_in_global_memory() {
    let byte = |step: usize| move |i: usize| (i * step) as u8;
    for (step, sectors, ideal, written) in [(8, 32, 4, 1024), (1, 4, 4, 1024), (0, 1, 1, 32)] {
        counted("histogram", histogram("histogram_global", byte(step)), |counters| {
            assert_sectors(counters.memory.global_atomics, 8, 256, 1024, 8 * sectors, 8 * ideal);
            assert_eq!(counters.of(Class::Atomic), 8);
            assert_eq!(counters.memory.dram_written_bytes(), written);
        });
    }
}

/// A warp whose lanes work on an element each: 17 operations on integers, since the loop goes round once, and one each on
/// f32 and f64.
#[test]
fn atomics_on_floats_are_counted_apart() {
    let body = |device: &Device| {
        let zeros = |words: usize| device.upload(&vec![0u32; words]);
        let args = [zeros(32 * 12), zeros(32 * 8), zeros(32), zeros(64), zeros(32), zeros(32)].map(Into::into);
        device.clean("atomics", [1, 1, 1], [32, 1, 1], 0, &[&args[..], &[32i32.into()]].concat());
    };
    counted("histogram", body, |counters| {
        assert_eq!((counters.of(Class::Atomic), counters.of(Class::AtomicFloat)), (17, 2));
    });
}

/// In shared memory words 8 apart are in 4 banks: 8 wavefronts. Neighbours and lanes at one word take one. Then each
/// warp adds its 32 bins to global memory, if they are not zero: with a step of 8 every eighth bin, 4 lanes in 4
/// sectors; with a step of 0 bin 0 of warp 0 alone.
#[test]
fn atomics_in_shared_memory() {
    let byte = |step: usize| move |i: usize| (i * step) as u8;
    for (step, wavefronts, requests, lanes, sectors, ideal) in
        [(8, 8, 8, 32, 32, 8), (1, 1, 8, 256, 32, 32), (0, 1, 1, 1, 1, 1)]
    {
        counted("histogram", histogram("histogram_shared", byte(step)), |counters| {
            assert_wavefronts(counters.memory.shared_atomics, 8, 256, 1024, 8 * wavefronts, 8);
            assert_sectors(counters.memory.global_atomics, requests, lanes, lanes * 4, sectors, ideal);
        });
    }
}

/// A branch on the sign diverges in the warps that have both: the second and the fourth of four.
#[test]
fn divergent_branches() {
    let x: Vec<i32> = (0..128).map(|i| [1, i % 2 - 1, -1, if i == 127 { -1 } else { 1 }][i as usize / 32]).collect();
    counted(
        "warp_level",
        |device| {
            let y = device.allocate::<u32>(256);
            device.clean("active_lanes", [2, 1, 1], [64, 1, 1], 0, &[device.upload(&x).into(), y.into()]);
        },
        |counters| assert_eq!(counters.divergent_branches, 2),
    );
}

/// Lane l starts at 2^(l / 8), which takes l / 8 steps to 1. The lanes of none skip the loop, then those of one and two
/// leave it before the others: three divergent branches, and the loop's is executed three times.
#[test]
fn lanes_that_leave_a_loop_one_after_the_other() {
    let x: Vec<u32> = (0..32).map(|lane| 1 << (lane / 8)).collect();
    counted(
        "language",
        |device| {
            let y = device.allocate::<i32>(32);
            device.clean("collatz", [1, 1, 1], [32, 1, 1], 0, &[device.upload(&x).into(), y.into(), 32i32.into()]);
            assert_eq!(device.download::<i32>(y, 32), (0..32).map(|lane| lane / 8).collect::<Vec<_>>());
        },
        |counters| assert_eq!(counters.divergent_branches, 3),
    );
}

/// Eight lanes share a sector where they are at the same word of their local memory, so a request of a word is 4
/// sectors and one of four words 16. Where a lane is elsewhere its octet takes one more; in the last store lane l is at
/// word l % 4: each octet has four different words.
#[test]
fn local_memory() {
    let ptx = "
        .version 8.0
        .target sm_80
        .address_size 64
        .visible .entry local(.param .u32 unused)
        {
            .local .align 16 .b8 array[64];
            .reg .b32 %r<6>;
            mov.u32 %r1, %tid.x;
            mov.u32 %r2, array;
            st.local.u32 [array], %r1;
            st.local.v4.u32 [array + 16], {%r1, %r1, %r1, %r1};
            ld.local.u32 %r3, [array + 20];
            and.b32 %r4, %r1, 3;
            mad.lo.u32 %r5, %r4, 4, %r2;
            st.local.u32 [%r5], %r1;
            ret;
        }";
    let device = Device::new(ptx);
    device.clean("local", [1, 1, 1], [32, 1, 1], 0, &[0u32.into()]);
    let counters = &device.counted.take()[0];
    assert_sectors(counters.memory.local_loads, 1, 32, 128, 4, 4);
    assert_sectors(counters.memory.local_stores, 3, 96, 128 + 512 + 128, 4 + 16 + 16, 4 + 16 + 4);
    assert_eq!((counters.of(Class::LoadLocal), counters.of(Class::StoreLocal)), (1, 3));
    assert_eq!((counters.memory.dram_read_bytes(), counters.memory.dram_written_bytes()), (0, 0));
}
