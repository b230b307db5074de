//! cudarc's safe layer on the installed emulator, as a program uses it.

use std::sync::Arc;

use cudarc::{
    driver::{CudaContext, CudaFunction, CudaStream, DriverError, LaunchConfig, PushKernelArg, sys},
    nvrtc::Ptx,
};
use noam_emulator::{
    driver::{
        configure,
        control::{last_launch, take_reports},
        settings::{Settings, Sink},
    },
    finding::{Checks, Kind},
    install::install,
};

/// `z[i] = x[i] + y[i]` for i below n; with `past`, one thread more does.
const ADD: &str = "
.version 8.0
.target sm_80
.address_size 64
.visible .entry add(.param .u64 z, .param .u64 x, .param .u64 y, .param .u32 n, .param .u32 past)
{
    .reg .pred %p;
    .reg .b32 %r<6>;
    .reg .b64 %d<5>;
    .reg .f32 %f<3>;
    ld.param.u64 %d0, [z];
    ld.param.u64 %d1, [x];
    ld.param.u64 %d2, [y];
    ld.param.u32 %r0, [n];
    ld.param.u32 %r4, [past];
    add.u32 %r0, %r0, %r4;
    mov.u32 %r1, %ctaid.x;
    mov.u32 %r2, %ntid.x;
    mov.u32 %r3, %tid.x;
    mad.lo.u32 %r1, %r1, %r2, %r3;
    setp.ge.u32 %p, %r1, %r0;
    @%p bra done;
    mul.wide.u32 %d3, %r1, 4;
    add.u64 %d4, %d1, %d3;
    ld.global.f32 %f0, [%d4];
    add.u64 %d4, %d2, %d3;
    ld.global.f32 %f1, [%d4];
    add.rn.f32 %f2, %f0, %f1;
    add.u64 %d4, %d0, %d3;
    st.global.f32 [%d4], %f2;
done:
    ret;
}
";

/// The emulator with every check on, and a stream of its first device. Tests share the device, not the stream.
fn stream() -> Arc<CudaStream> {
    static INSTALLED: std::sync::Once = std::sync::Once::new();
    INSTALLED.call_once(|| {
        let settings =
            Settings { checks: Checks::ALL, report: Sink::None, count: true, devices: 3, ..Settings::default() };
        configure(settings).expect("nothing has used the emulator before");
        install().expect("the emulator can be installed");
        install().expect("twice does no harm");
    });
    CudaContext::new(0).and_then(|context| context.new_stream()).expect("a stream")
}

fn add(stream: &Arc<CudaStream>) -> CudaFunction {
    let module = stream.context().load_module(Ptx::from_src(ADD)).expect("the PTX is right");
    module.load_function("add").expect("the kernel is there")
}

#[test]
fn the_device_says_that_it_is_software() -> Result<(), DriverError> {
    let stream = stream();
    let context = stream.context();
    assert_eq!(context.name()?, "noam emulator (A100-like, software)");
    assert_eq!(context.compute_capability()?, (8, 0));
    assert_eq!(CudaContext::device_count()?, 3);
    assert!(context.has_async_alloc());
    assert_eq!(context.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?, 108);
    assert_ne!(CudaContext::new(1)?.uuid()?.bytes, context.uuid()?.bytes);
    assert!(CudaContext::new(3).is_err());
    Ok(())
}

#[test]
fn vectors_are_added() -> Result<(), DriverError> {
    let stream = stream();
    let n = 1000;
    let x: Vec<f32> = (0..n).map(|i| i as f32 * 0.5).collect();
    let y: Vec<f32> = (0..n).map(|i| 1.0 / (1 + i) as f32).collect();
    let (dx, dy) = (stream.clone_htod(&x)?, stream.clone_htod(&y)?);
    let mut dz = stream.alloc_zeros::<f32>(n)?;
    let add = add(&stream);
    let (count, past) = (n as u32, 0u32);
    let mut launch = stream.launch_builder(&add);
    launch.arg(&mut dz).arg(&dx).arg(&dy).arg(&count).arg(&past);
    // SAFETY: the arguments are the kernel's parameters; the emulator refuses what is outside of the buffers.
    unsafe { launch.launch(LaunchConfig::for_num_elems(count)) }?;
    let z = stream.clone_dtoh(&dz)?;
    for i in 0..n {
        assert_eq!(z[i], x[i] + y[i]);
    }
    assert_eq!(take_reports(), []);
    let record = last_launch().expect("launches are counted");
    assert_eq!((record.kernel.as_str(), record.block), ("add", [1024, 1, 1]));
    // 31 full warps and one of 8 lanes load twice and store once; a 32-lane request is 4 sectors, 8 lanes are one.
    let memory = &record.counters.memory;
    assert_eq!(memory.global_loads.requests, 2 * 32);
    assert_eq!(memory.global_loads.sectors, 2 * (31 * 4 + 1));
    assert_eq!(memory.global_stores.bytes, 4000);
    Ok(())
}

#[test]
fn an_index_too_far_is_an_error_and_a_report() -> Result<(), DriverError> {
    // A device of its own: the error stays with the context.
    drop(stream());
    let context = CudaContext::new(2)?;
    let stream = context.new_stream()?;
    let x = stream.clone_htod(&[1.0f32; 64])?;
    let mut z = stream.alloc_zeros::<f32>(64)?;
    let add = add(&stream);
    let (count, past) = (64u32, 1u32);
    let mut launch = stream.launch_builder(&add);
    launch.arg(&mut z).arg(&x).arg(&x).arg(&count).arg(&past);
    let config = LaunchConfig { grid_dim: (3, 1, 1), block_dim: (32, 1, 1), shared_mem_bytes: 0 };
    // SAFETY: as above; that it is refused is the point.
    let launched = unsafe { launch.launch(config) }.map(|_| ());
    // cudarc records events behind the kernel, which may find the error before the program waits for it.
    let error = launched.and_then(|()| stream.synchronize()).expect_err("the kernel has failed");
    assert_eq!(error.0, sys::CUresult::CUDA_ERROR_ILLEGAL_ADDRESS);
    let reports = take_reports();
    let report = reports.first().expect("the failure is reported");
    assert_eq!(report.kind(), Some(Kind::OutOfBounds));
    let text = report.to_string();
    assert!(text.contains("block (2, 0, 0), thread (0, 0, 0)"), "{text}");
    assert!(text.contains("ld.global.f32 %f0, [%d4]") && text.contains("allocation #"), "{text}");
    Ok(())
}

#[test]
fn slices_are_copied_filled_and_freed() -> Result<(), DriverError> {
    let stream = stream();
    let before = stream.context().mem_get_info()?.1;
    assert_eq!(before, 4 << 30);
    let values: Vec<u16> = (0..500).collect();
    let mut a = stream.alloc_zeros::<u16>(500)?;
    stream.memcpy_htod(&values[..250], &mut a.slice_mut(250..))?;
    let b = stream.clone_dtod(&a)?;
    let mut expected = vec![0; 250];
    expected.extend(&values[..250]);
    assert_eq!(stream.clone_dtoh(&b)?, expected);
    // SAFETY: the bytes are written before they are read.
    let mut pinned = unsafe { stream.context().alloc_pinned::<u16>(500) }?;
    stream.memcpy_dtoh(&b, &mut pinned)?;
    assert_eq!(pinned.as_slice()?, expected);
    // SAFETY: any bits are a number.
    let mut unified = unsafe { stream.context().alloc_unified::<u32>(100, true) }?;
    unified.as_mut_slice()?.fill(7);
    stream.memset_zeros(&mut unified)?;
    stream.synchronize()?;
    assert!(unified.as_slice()?.iter().all(|&value| value == 0));
    Ok(())
}

#[test]
fn streams_wait_for_events() -> Result<(), DriverError> {
    let a = stream();
    let b = a.fork()?;
    let start = a.record_event(Some(sys::CUevent_flags::CU_EVENT_DEFAULT))?;
    let data = b.clone_htod(&[3u8; 100])?;
    let end = b.record_event(Some(sys::CUevent_flags::CU_EVENT_DEFAULT))?;
    a.wait(&end)?;
    a.join(&b)?;
    assert!(end.is_complete());
    assert!(start.elapsed_ms(&end)? >= 0.0);
    assert_eq!(a.clone_dtoh(&data)?, [3; 100]);
    Ok(())
}

#[test]
fn a_captured_graph_is_replayed() -> Result<(), DriverError> {
    let stream = stream();
    // SAFETY: everything is in one stream. A capture can't wait for what was recorded before it.
    unsafe { stream.context().disable_event_tracking() };
    let add = add(&stream);
    let x = stream.clone_htod(&[1.5f32; 40])?;
    let mut sum = stream.alloc_zeros::<f32>(40)?;
    stream.synchronize()?;
    stream.begin_capture(sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_RELAXED)?;
    let (count, past) = (40u32, 0u32);
    // SAFETY: as above: the kernel adds in place.
    unsafe {
        let view = sum.slice(..);
        let (pointer, _guard) = cudarc::driver::DevicePtr::device_ptr(&view, &stream);
        let mut launch = stream.launch_builder(&add);
        launch.arg(&pointer).arg(&x).arg(&pointer).arg(&count).arg(&past);
        launch.launch(LaunchConfig::for_num_elems(count))?;
    }
    let flags = sys::CUgraphInstantiate_flags_enum::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = stream.end_capture(flags)?.expect("something was captured");
    graph.upload()?;
    for _ in 0..4 {
        graph.launch()?;
    }
    assert_eq!(stream.clone_dtoh(&sum)?, [6.0; 40]);
    stream.memset_zeros(&mut sum)?;
    graph.launch()?;
    assert_eq!(stream.clone_dtoh(&sum)?, [1.5; 40]);
    Ok(())
}

#[test]
fn devices_copy_to_each_other() -> Result<(), DriverError> {
    let a = stream();
    let b = CudaContext::new(1)?.new_stream()?;
    let on_a = a.clone_htod(&[1u64, 2, 3])?;
    let on_b = b.clone_dtod(&on_a)?;
    assert_eq!(b.clone_dtoh(&on_b)?, [1, 2, 3]);
    Ok(())
}

#[test]
fn kernels_tell_what_they_need() -> Result<(), DriverError> {
    let stream = stream();
    let add = add(&stream);
    assert_eq!(add.max_threads_per_block()?, 1024);
    assert_eq!((add.ptx_version()?, add.binary_version()?), (80, 80));
    assert_eq!((add.shared_size_bytes()?, add.local_size_bytes()?), (0, 0));
    assert_eq!(add.occupancy_max_active_blocks_per_multiprocessor(256, 0, None)?, 8);
    extern "C" fn none(_: std::ffi::c_int) -> usize {
        0
    }
    assert_eq!(add.occupancy_max_potential_block_size(none, 0, 0, None)?, (216, 1024));
    let broken = stream.context().load_module(Ptx::from_src(".version 8.0\n.target sm_80\n.entry k( { }"));
    assert_eq!(broken.err().map(|error| error.0), Some(sys::CUresult::CUDA_ERROR_INVALID_PTX));
    let reports = take_reports();
    assert!(reports.iter().any(|report| report.to_string().contains("cuModuleLoadData failed")), "{reports:?}");
    Ok(())
}
