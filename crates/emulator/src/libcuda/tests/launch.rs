//! Launches: their parameters, their limits, and what becomes of kernels that fail.

use super::*;
use crate::{
    finding::Kind,
    libcuda::{function::*, launch::*},
};

/// Launches without expecting success.
fn try_launch(function: CuFunction, grid: [u32; 3], block: [u32; 3], shared: u32, params: &[*const u8]) -> u32 {
    let ([x, y, z], [bx, by, bz]) = (grid, block);
    // SAFETY: the tests give as many parameters as the kernel has, of its types.
    unsafe {
        let params = KernelParams::new(params.as_ptr());
        cuLaunchKernel(function, x, y, z, bx, by, bz, shared, CuStream::NULL, params, Extra::NULL)
    }
}

#[test]
fn parameters_are_laid_out_as_the_kernel_reads_them() {
    let _context = start();
    let module = load();
    let mixed = function(module, c"mixed");
    let out = on_device(&[0u32]);
    run_kernel(mixed, [1; 3], [1; 3], 0, &[arg(&200u8), arg(&out), arg(&1000u16), arg(&70_000u32)]);
    assert_eq!(from_device::<u32>(out, 1), [71_200]);
    // The same in a buffer of the program's: byte, address, half and word at 0, 8, 16 and 20.
    let mut buffer = [0u8; 24];
    buffer[0] = 7;
    buffer[8..16].copy_from_slice(&out.to_le_bytes());
    buffer[16..18].copy_from_slice(&30u16.to_le_bytes());
    buffer[20..].copy_from_slice(&500u32.to_le_bytes());
    let mut size = 24usize;
    let key = |number: usize| std::ptr::without_provenance::<u8>(number);
    let pairs = [key(1), buffer.as_ptr(), key(2), (&raw const size).cast(), key(0)];
    // SAFETY: the pairs are as the API wants them.
    unsafe {
        let extra = Extra::new(pairs.as_ptr());
        let stream = CuStream::NULL;
        ok(cuLaunchKernel(mixed, 1, 1, 1, 1, 1, 1, 0, stream, KernelParams::NULL, extra));
        assert_eq!(from_device::<u32>(out, 1), [537]);
        size = 2000;
        let long = cuLaunchKernel(mixed, 1, 1, 1, 1, 1, 1, 0, stream, KernelParams::NULL, Extra::new(pairs.as_ptr()));
        fails(long, Code::InvalidValue);
        let none = cuLaunchKernel(mixed, 1, 1, 1, 1, 1, 1, 0, stream, KernelParams::NULL, Extra::NULL);
        fails(none, Code::InvalidValue);
    }
    assert_eq!(size, 2000);
    free(out);
}

#[test]
fn launches_beyond_the_limits_are_refused_and_leave_the_context_alone() {
    let _context = start();
    let module = load();
    let bounded = function(module, c"bounded");
    for (grid, block) in [
        ([0, 1, 1], [1, 1, 1]),
        ([1, 1, 1], [1, 0, 1]),
        ([1, 65_536, 1], [1, 1, 1]),
        ([1, 1, 1], [1, 1, 65]),
        ([1, 1, 1], [1025, 1, 1]),
        ([1, 1, 1], [65, 1, 1]),
        ([1, 1, 1], [u32::MAX, u32::MAX, u32::MAX]),
    ] {
        fails(try_launch(bounded, grid, block, 0, &[]), Code::InvalidValue);
    }
    ok(try_launch(bounded, [1; 3], [64, 1, 1], 0, &[]));
    let required = function(module, c"required");
    fails(try_launch(required, [1; 3], [32, 1, 1], 0, &[]), Code::InvalidValue);
    ok(try_launch(required, [1; 3], [8, 4, 1], 0, &[]));
    fails(try_launch(CuFunction::new(0x1234_5678), [1; 3], [1; 3], 0, &[]), Code::InvalidHandle);
    // SAFETY: the kernel has no parameters.
    let large = unsafe {
        cuLaunchCooperativeKernel(bounded, 108 * 32 + 1, 1, 1, 64, 1, 1, 0, CuStream::NULL, KernelParams::NULL)
    };
    fails(large, Code::CooperativeLaunchTooLarge);
    // SAFETY: the function takes no pointer.
    ok(unsafe { cuCtxSynchronize() });
}

#[test]
fn more_shared_memory_is_there_for_those_who_ask() {
    let _context = start();
    let module = load();
    let dynamic = function(module, c"dynamic_bytes");
    let out = on_device(&[0u32]);
    let params = [arg(&out)];
    ok(try_launch(dynamic, [1; 3], [1; 3], 48 << 10, &params));
    assert_eq!(from_device::<u32>(out, 1), [48 << 10]);
    fails(try_launch(dynamic, [1; 3], [1; 3], (48 << 10) + 4, &params), Code::InvalidValue);
    // SAFETY: the function takes no pointer.
    ok(unsafe { cuFuncSetAttribute(dynamic, 8, 100_000) });
    ok(try_launch(dynamic, [1; 3], [1; 3], 100_000, &params));
    assert_eq!(from_device::<u32>(out, 1), [100_000]);
    fails(try_launch(dynamic, [1; 3], [1; 3], 100_004, &params), Code::InvalidValue);
    free(out);
}

#[test]
fn attributes_of_a_launch_make_it_cooperative() {
    let _context = start();
    let module = load();
    let bounded = function(module, c"bounded");
    let attribute = |id, value: u64| LaunchAttribute { id, padding: [0; 4], value: [value, 0, 0, 0, 0, 0, 0, 0] };
    let run = |mut attributes: Vec<LaunchAttribute>, blocks| {
        // SAFETY: the attributes are as many as are named; the kernel has no parameters.
        unsafe {
            let config = LaunchConfig {
                grid: [blocks, 1, 1],
                block: [64, 1, 1],
                shared_bytes: 0,
                stream: CuStream::NULL,
                attributes: std::mem::transmute::<OutArray<'_, _>, OutArray<'static, _>>(OutArray::to(&mut attributes)),
                count: attributes.len() as u32,
            };
            cuLaunchKernelEx(In::from(&config), bounded, KernelParams::NULL, Extra::NULL)
        }
    };
    let blocks = 108 * 32 + 1;
    ok(run(vec![], blocks));
    ok(run(vec![attribute(2, 0)], blocks));
    fails(run(vec![attribute(2, 1)], blocks), Code::CooperativeLaunchTooLarge);
    ok(run(vec![attribute(2, 1)], 100));
    fails(run(vec![attribute(4, 2)], 100), Code::NotSupported);
    ok(run(vec![attribute(4, 1 | 1 << 32), attribute(8, 3)], 100));
}

/// Runs a kernel that fails; gives the report. Every call after it fails in the same way.
fn failed(name: &std::ffi::CStr, params: &[*const u8], code: Code) -> Report {
    let module = load();
    let function = function(module, name);
    reports();
    ok(try_launch(function, [1; 3], [1; 3], 0, params));
    // SAFETY: the function takes no pointer.
    fails(unsafe { cuCtxSynchronize() }, code);
    let mut address = 0;
    // SAFETY: the pointer is to a variable.
    fails(unsafe { crate::libcuda::memory::cuMemAlloc_v2(Out::to(&mut address), 4) }, code);
    fails(try_launch(function, [1; 3], [1; 3], 0, params), code);
    reports().remove(0)
}

#[test]
fn a_wild_store_loses_the_context_and_says_where() {
    let _context = start();
    let report = failed(c"wild", &[], Code::IllegalAddress);
    assert_eq!(report.kind(), Some(Kind::OutOfBounds));
    let text = report.to_string();
    assert!(text.contains("in wild, block (0, 0, 0), thread (0, 0, 0)"), "{text}");
    assert!(text.contains("st.global.u32 [%d0], 1") && text.contains("4 bytes at 0x1000"), "{text}");
}

#[test]
fn a_crooked_store_and_a_trap_have_codes_of_their_own() {
    {
        let _context = start();
        let out = device_memory(16);
        assert_eq!(failed(c"crooked", &[arg(&out)], Code::MisalignedAddress).kind(), Some(Kind::Misaligned));
    }
    let _context = start();
    assert_eq!(failed(c"trapped", &[], Code::LaunchFailed).kind(), Some(Kind::Trap));
}

#[test]
fn a_new_context_knows_nothing_of_the_old_ones_failure() {
    {
        let _context = start();
        failed(c"trapped", &[], Code::LaunchFailed);
    }
    let _context = start();
    let words = on_device(&[1u32, 2, 3]);
    run_kernel(function(load(), c"add"), [1; 3], [32, 1, 1], 0, &[arg(&words), arg(&10u32), arg(&3u32)]);
    assert_eq!(from_device::<u32>(words, 3), [11, 12, 13]);
    free(words);
}

#[test]
fn launches_are_counted_for_the_program_to_read() {
    let _context = start();
    let words = on_device(&[0u32; 64]);
    run_kernel(function(load(), c"add"), [1; 3], [64, 1, 1], 0, &[arg(&words), arg(&1u32), arg(&64u32)]);
    let record = driver::driver().journal.last_launch(std::thread::current().id()).expect("a launch was counted");
    assert_eq!((record.kernel.as_str(), record.grid, record.block), ("add", [1; 3], [64, 1, 1]));
    // Two warps, all lanes together; fifteen instructions each.
    assert_eq!(record.counters.warp_instructions, 30);
    assert_eq!(record.counters.thread_instructions, 30 * 32 - 64);
    free(words);
}

#[test]
fn occupancy_is_told() {
    let _context = start();
    let module = load();
    let shared = function(module, c"shared40");
    let (mut blocks, mut grid, mut block, mut bytes) = (0, 0, 0, 0);
    extern "C" fn none(_: i32) -> usize {
        0
    }
    // SAFETY: the pointers are to variables.
    unsafe {
        // 41 KiB of 164 with what is reserved.
        ok(cuOccupancyMaxActiveBlocksPerMultiprocessor(Out::to(&mut blocks), shared, 64, 0));
        assert_eq!(blocks, 4);
        let bounded = function(module, c"bounded");
        ok(cuOccupancyMaxActiveBlocksPerMultiprocessor(Out::to(&mut blocks), bounded, 65, 0));
        assert_eq!(blocks, 0);
        let add = function(module, c"add");
        ok(cuOccupancyMaxPotentialBlockSize(Out::to(&mut grid), Out::to(&mut block), add, Some(none), 0, 0));
        assert_eq!((grid, block), (216, 1024));
        ok(cuOccupancyAvailableDynamicSMemPerBlock(Out::to(&mut bytes), add, 2, 128));
        // Half of 164 KiB, without what is reserved.
        assert_eq!(bytes, 81 << 10);
        fails(cuOccupancyMaxActiveBlocksPerMultiprocessor(Out::to(&mut blocks), add, 0, 0), Code::InvalidValue);
    }
}
