//! Streams, events, and the program's functions in stream order.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::libcuda::{memcpy::*, stream::*};

fn stream() -> CuStream {
    let mut stream = CuStream::NULL;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { cuStreamCreate(Out::to(&mut stream), 1) });
    stream
}

fn event(flags: u32) -> CuEvent {
    let mut event = CuEvent::NULL;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { cuEventCreate(Out::to(&mut event), flags) });
    event
}

#[test]
fn events_tell_times_in_order() {
    let _context = start();
    let (stream, from, to, untimed) = (stream(), event(0), event(0), event(2));
    let mut ms = -1.0;
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuEventQuery(from));
        ok(cuEventRecord(from, stream));
        fails(cuEventElapsedTime(Out::to(&mut ms), from, to), Code::InvalidHandle);
        std::thread::sleep(std::time::Duration::from_millis(3));
        ok(cuEventRecord(to, stream));
        ok(cuEventSynchronize(to));
        ok(cuEventElapsedTime(Out::to(&mut ms), from, to));
        assert!((3.0..3000.0).contains(&ms), "{ms}");
        let mut back = 0.0;
        ok(cuEventElapsedTime_v2(Out::to(&mut back), to, from));
        assert_eq!(back, -ms);
        ok(cuEventRecord(untimed, stream));
        fails(cuEventElapsedTime(Out::to(&mut ms), from, untimed), Code::InvalidHandle);
        ok(cuStreamWaitEvent(stream, untimed, 0));
        ok(cuEventDestroy_v2(to));
        fails(cuEventRecord(to, stream), Code::InvalidHandle);
        fails(cuEventRecord(from, CuStream::new(to.number())), Code::InvalidHandle);
        ok(cuStreamDestroy_v2(stream));
        fails(cuStreamSynchronize(stream), Code::InvalidHandle);
    }
}

#[test]
fn streams_keep_what_they_are_told() {
    let context = start();
    let mut stream = CuStream::NULL;
    let (mut priority, mut flags, mut owner, mut a, mut b, mut device) = (1, 9, CuContext::NULL, 0, 0, -1);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuStreamCreateWithPriority(Out::to(&mut stream), 1, -100));
        ok(cuStreamGetPriority(stream, Out::to(&mut priority)));
        ok(cuStreamGetFlags(stream, Out::to(&mut flags)));
        ok(cuStreamGetCtx(stream, Out::to(&mut owner)));
        ok(cuStreamGetDevice(stream, Out::to(&mut device)));
        assert_eq!((priority, flags, owner, device), (-5, 1, context.0, 0));
        ok(cuStreamGetId(stream, Out::to(&mut a)));
        ok(cuStreamGetId(CuStream::NULL, Out::to(&mut b)));
        assert_ne!(a, b);
        ok(cuStreamGetId(CuStream::new(1), Out::to(&mut a)));
        assert_eq!(a, b, "null is the legacy stream");
        ok(cuStreamGetId_ptsz(CuStream::NULL, Out::to(&mut a)));
        ok(cuStreamGetId(CuStream::new(2), Out::to(&mut b)));
        assert_eq!(a, b, "or the thread's own");
        fails(cuStreamCreate(Out::to(&mut stream), 2), Code::InvalidValue);
    }
}

static SEEN: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" fn look(data: UserData) {
    // SAFETY: the test gives a pointer to its variable.
    let value = unsafe { std::ptr::with_exposed_provenance::<u32>(data).read() };
    // SAFETY: the function takes no pointer.
    let call = unsafe { cuCtxSynchronize() };
    SEEN.store(value * 1000 + call, Ordering::SeqCst);
}

#[test]
fn functions_of_the_program_run_in_order_and_may_not_call_the_driver() {
    let _context = start();
    let stream = stream();
    let device = on_device(&[41u32]);
    let mut value = 0u32;
    // SAFETY: the variable outlives the calls.
    unsafe {
        ok(cuMemcpyDtoHAsync_v2(host_mut(std::slice::from_mut(&mut value)), device, 4, stream));
        ok(cuLaunchHostFunc(stream, Some(look), (&raw mut value).expose_provenance()));
        ok(cuStreamSynchronize(stream));
        assert_eq!(SEEN.load(Ordering::SeqCst), 41_000 + Code::NotPermitted as u32);
        fails(cuLaunchHostFunc(stream, None, 0), Code::InvalidValue);
        ok(cuCtxSynchronize());
    }
    free(device);
}

#[test]
fn threads_share_a_context() {
    let context = start();
    let address = on_device(&[0u32; 4]);
    let handle = context.0;
    std::thread::scope(|scope| {
        for at in 0..4u64 {
            scope.spawn(move || {
                // SAFETY: the functions take no pointers, or to variables of the thread's.
                unsafe {
                    fails(cuCtxSynchronize(), Code::InvalidContext);
                    ok(cuCtxSetCurrent(handle));
                    let stream = stream();
                    for round in 0..50u32 {
                        ok(cuMemcpyHtoDAsync_v2(address + 4 * at, host(&[round]), 4, stream));
                    }
                    ok(cuStreamDestroy_v2(stream));
                }
            });
        }
    });
    assert_eq!(from_device::<u32>(address, 4), [49; 4]);
    free(address);
}

#[test]
fn contexts_are_a_stack_of_every_thread() {
    let outer = start();
    let (mut inner, mut popped, mut current) = (CuContext::NULL, CuContext::NULL, CuContext::NULL);
    let (mut flags, mut active, mut primary) = (7, 7, CuContext::NULL);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuCtxCreate_v2(Out::to(&mut inner), 0, 0));
        ok(cuCtxGetCurrent(Out::to(&mut current)));
        assert_eq!(current, inner);
        ok(cuCtxPopCurrent_v2(Out::to(&mut popped)));
        assert_eq!(popped, inner);
        ok(cuCtxGetCurrent(Out::to(&mut current)));
        assert_eq!(current, outer.0);
        ok(cuCtxPushCurrent_v2(inner));
        ok(cuCtxDestroy_v2(inner));
        ok(cuCtxGetCurrent(Out::to(&mut current)));
        assert_eq!(current, outer.0);
        fails(cuCtxPushCurrent_v2(inner), Code::InvalidContext);
        use crate::libcuda::device::*;
        ok(cuDevicePrimaryCtxRetain(Out::to(&mut primary), 0));
        fails(cuCtxDestroy_v2(primary), Code::InvalidContext);
        ok(cuDevicePrimaryCtxGetState(0, Out::to(&mut flags), Out::to(&mut active)));
        assert_eq!(active, 1);
        ok(cuCtxPushCurrent_v2(primary));
        ok(cuDevicePrimaryCtxRelease_v2(0));
        fails(cuDevicePrimaryCtxRelease_v2(0), Code::InvalidContext);
        fails(cuCtxSynchronize(), Code::ContextIsDestroyed);
        ok(cuCtxPopCurrent_v2(Out::null()));
        let mut value = 0;
        ok(cuCtxSetLimit(0, 5000));
        ok(cuCtxGetLimit(Out::to(&mut value), 0));
        assert_eq!(value, 5008);
        fails(cuCtxGetLimit(Out::to(&mut value), 77), Code::UnsupportedLimit);
    }
}
