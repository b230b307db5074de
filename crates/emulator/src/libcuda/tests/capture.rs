//! Stream capture: what becomes a graph, and what breaks a capture.

use super::*;
use crate::libcuda::{capture::*, graph::*, memcpy::*, memory::*, memset::*, pool::*, stream::*};

fn stream() -> CuStream {
    let mut stream = CuStream::NULL;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { cuStreamCreate(Out::to(&mut stream), 1) });
    stream
}

fn event() -> CuEvent {
    let mut event = CuEvent::NULL;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { cuEventCreate(Out::to(&mut event), 2) });
    event
}

fn status(stream: CuStream) -> u32 {
    let mut status = 9;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { cuStreamIsCapturing(stream, Out::to(&mut status)) });
    status
}

/// Ends a capture, and makes the graph ready.
fn finish(stream: CuStream) -> CuGraphExec {
    let (mut graph, mut executable) = (CuGraph::NULL, CuGraphExec::NULL);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuStreamEndCapture(stream, Out::to(&mut graph)));
        ok(cuGraphInstantiateWithFlags(Out::to(&mut executable), graph, 0));
        ok(cuGraphDestroy(graph));
    }
    executable
}

/// Relaxed, so that tests in other threads are not forbidden anything.
const RELAXED: u32 = 2;
const THREAD_LOCAL: u32 = 1;

#[test]
fn captured_work_is_done_when_the_graph_runs() {
    let _context = start();
    let stream = stream();
    let words = on_device(&[1u32, 2, 3]);
    let add = function(load(), c"add");
    let mut back = [0u32; 3];
    // SAFETY: the buffers outlive the graph.
    unsafe {
        ok(cuStreamBeginCapture_v2(stream, RELAXED));
        assert_eq!(status(stream), 1);
        ok(cuMemsetD32Async(words + 4, 100, 1, stream));
        let mut amount = 10u32;
        let params = [arg(&words), arg(&amount), arg(&3u32)];
        let params = KernelParams::new(params.as_ptr());
        ok(crate::libcuda::launch::cuLaunchKernel(add, 1, 1, 1, 3, 1, 1, 0, stream, params, Extra::NULL));
        amount = 999;
        assert_eq!(amount, 999, "parameters are copied when they are captured");
        ok(cuMemcpyDtoHAsync_v2(host_mut(&mut back), words, 12, stream));
        let executable = finish(stream);
        assert_eq!(status(stream), 0);
        assert_eq!(from_device::<u32>(words, 3), [1, 2, 3]);
        for round in 1..=3 {
            ok(cuGraphLaunch(executable, stream));
            assert_eq!(back, [1 + 10 * round, 110, 3 + 10 * round]);
        }
        ok(cuGraphExecDestroy(executable));
        fails(cuGraphLaunch(executable, stream), Code::InvalidHandle);
    }
    free(words);
}

#[test]
fn events_bring_other_streams_into_a_capture() {
    let _context = start();
    let (a, b) = (stream(), stream());
    let (fork, join) = (event(), event());
    let words = on_device(&[0u32; 2]);
    let (mut graph, mut count) = (CuGraph::NULL, 0);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuStreamBeginCapture_v2(a, RELAXED));
        ok(cuMemsetD32Async(words, 1, 2, a));
        ok(cuEventRecord(fork, a));
        fails(cuEventQuery(fork), Code::CapturedEvent);
        ok(cuStreamWaitEvent(b, fork, 0));
        assert_eq!(status(b), 1);
        ok(cuMemsetD32Async(words, 2, 1, b));
        ok(cuMemsetD32Async(words + 4, 3, 1, a));
        fails(cuStreamEndCapture(b, Out::to(&mut graph)), Code::CaptureUnmatched);
        ok(cuEventRecord(join, b));
        ok(cuStreamWaitEvent(a, join, 0));
        ok(cuStreamEndCapture(a, Out::to(&mut graph)));
        assert_eq!(status(b), 0);
        ok(cuGraphGetEdges(graph, OutArray::null(), OutArray::null(), Out::to(&mut count)));
        // One fill, then two beside each other; both ends are joined, and nothing follows.
        assert_eq!(count, 2);
        ok(cuGraphGetRootNodes(graph, OutArray::null(), Out::to(&mut count)));
        assert_eq!(count, 1);
        let mut executable = CuGraphExec::NULL;
        ok(cuGraphInstantiateWithFlags(Out::to(&mut executable), graph, 0));
        ok(cuGraphLaunch(executable, a));
    }
    assert_eq!(from_device::<u32>(words, 2), [2, 3]);
    free(words);
}

#[test]
fn work_that_is_not_joined_is_an_error() {
    let _context = start();
    let (a, b) = (stream(), stream());
    let fork = event();
    let word = on_device(&[0u32]);
    let mut graph = CuGraph::NULL;
    // SAFETY: the pointer is to a variable.
    unsafe {
        ok(cuStreamBeginCapture_v2(a, RELAXED));
        ok(cuEventRecord(fork, a));
        ok(cuStreamWaitEvent(b, fork, 0));
        ok(cuMemsetD32Async(word, 1, 1, b));
        fails(cuStreamEndCapture(a, Out::to(&mut graph)), Code::CaptureUnjoined);
        assert_eq!((status(a), status(b)), (0, 0));
    }
    assert!(graph.is_null());
    free(word);
}

#[test]
fn what_waits_for_a_capture_breaks_it() {
    let _context = start();
    let (a, other) = (stream(), stream());
    let (inside, outside) = (event(), event());
    let word = on_device(&[0u32]);
    let mut graph = CuGraph::NULL;
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuStreamBeginCapture_v2(a, RELAXED));
        fails(cuStreamSynchronize(a), Code::CaptureUnsupported);
        assert_eq!(status(a), 2);
        fails(cuMemsetD32Async(word, 1, 1, a), Code::CaptureInvalidated);
        fails(cuStreamEndCapture(a, Out::to(&mut graph)), Code::CaptureInvalidated);
        assert_eq!(status(a), 0);

        ok(cuEventRecord(outside, other));
        ok(cuStreamBeginCapture_v2(a, RELAXED));
        fails(cuStreamWaitEvent(a, outside, 0), Code::CaptureIsolation);
        fails(cuStreamEndCapture(a, Out::to(&mut graph)), Code::CaptureInvalidated);

        ok(cuStreamBeginCapture_v2(a, RELAXED));
        ok(cuStreamBeginCapture_v2(other, RELAXED));
        ok(cuEventRecord(inside, other));
        fails(cuStreamWaitEvent(a, inside, 0), Code::CaptureMerge);
        fails(cuStreamEndCapture(a, Out::to(&mut graph)), Code::CaptureInvalidated);
        fails(cuStreamEndCapture(other, Out::to(&mut graph)), Code::CaptureInvalidated);

        fails(cuStreamBeginCapture_v2(CuStream::NULL, RELAXED), Code::CaptureUnsupported);
        fails(cuStreamEndCapture(a, Out::to(&mut graph)), Code::IllegalState);
        fails(cuStreamBeginCapture_v2(a, 3), Code::InvalidValue);
    }
    free(word);
}

#[test]
fn a_capture_forbids_its_thread_what_could_break_it() {
    let _context = start();
    let a = stream();
    let (mut graph, mut address) = (CuGraph::NULL, 0);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuStreamBeginCapture_v2(a, THREAD_LOCAL));
        let elsewhere = std::thread::spawn(|| {
            let _context = start();
            free(device_memory(4));
        });
        elsewhere.join().expect("another thread may do what it likes");
        let mut mode = [RELAXED];
        ok(cuThreadExchangeStreamCaptureMode(OutArray::to(&mut mode)));
        assert_eq!(mode, [0]);
        free(device_memory(4));
        ok(cuThreadExchangeStreamCaptureMode(OutArray::to(&mut mode)));
        fails(cuMemAlloc_v2(Out::to(&mut address), 4), Code::CaptureUnsupported);
        fails(cuStreamEndCapture(a, Out::to(&mut graph)), Code::CaptureInvalidated);
        ok(cuMemAlloc_v2(Out::to(&mut address), 4));
    }
    free(address);
}

#[test]
fn the_legacy_stream_may_not_depend_on_a_capture() {
    let _context = start();
    let mut a = CuStream::NULL;
    let word = on_device(&[0u32]);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuStreamCreate(Out::to(&mut a), 0));
        ok(cuStreamBeginCapture_v2(a, RELAXED));
        fails(cuMemsetD32Async(word, 1, 1, CuStream::NULL), Code::CaptureImplicit);
        let mut graph = CuGraph::NULL;
        fails(cuStreamEndCapture(a, Out::to(&mut graph)), Code::CaptureInvalidated);
    }
    free(word);
}

#[test]
fn memory_allocated_in_a_capture_belongs_to_the_graph() {
    let _context = start();
    let a = stream();
    let mut address = 0;
    let mut back = [0u32; 2];
    // SAFETY: the buffers outlive the graph.
    unsafe {
        let outside = device_memory(8);
        ok(cuStreamBeginCapture_v2(a, RELAXED));
        ok(cuMemAllocAsync(Out::to(&mut address), 8, a));
        ok(cuMemsetD32Async(address, 6, 2, a));
        ok(cuMemcpyDtoHAsync_v2(host_mut(&mut back), address, 8, a));
        fails(cuMemFreeAsync(outside, a), Code::InvalidValue);
        ok(cuMemFreeAsync(address, a));
        let executable = finish(a);
        ok(cuGraphLaunch(executable, a));
        assert_eq!(back, [6, 6]);
        back = [0; 2];
        ok(cuGraphLaunch(executable, a));
        assert_eq!(back, [6, 6]);
        ok(cuMemsetD8_v2(address, 0, 8));
        ok(cuGraphExecDestroy(executable));
        fails(cuMemsetD8_v2(address, 0, 8), Code::InvalidValue);
        free(outside);
    }
}

#[test]
fn a_capture_tells_of_itself() {
    let _context = start();
    let a = stream();
    let word = on_device(&[0u32]);
    let (mut status, mut id, mut graph, mut tips, mut count) = (9, 0, CuGraph::NULL, 0, 9);
    // SAFETY: the pointers are to variables; the tips stay until the thread asks again.
    unsafe {
        let mut info = || {
            let (status, id, graph) = (Out::to(&mut status), Out::to(&mut id), Out::to(&mut graph));
            ok(cuStreamGetCaptureInfo_v2(a, status, id, graph, Out::to(&mut tips), Out::to(&mut count)));
            (tips, count)
        };
        info();
        ok(cuStreamBeginCapture_v2(a, RELAXED));
        assert_eq!(info().1, 0);
        ok(cuMemsetD32Async(word, 1, 1, a));
        let (tips, count) = info();
        assert_eq!(count, 1);
        let tip = std::ptr::with_exposed_provenance::<CuGraphNode>(tips).read();
        let mut kind = 9;
        ok(cuGraphNodeGetType(tip, Out::to(&mut kind)));
        assert_eq!(kind, 2, "a fill");
        let mut ended = CuGraph::NULL;
        ok(cuStreamEndCapture(a, Out::to(&mut ended)));
        assert_eq!(ended, graph);
        assert_eq!(status, 1);
    }
    free(word);
}
