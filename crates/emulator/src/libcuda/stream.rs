//! Streams, and the program's functions in their order.

use std::sync::{Arc, PoisonError};

use super::{entry::driver_functions, memory::context, types::*};
use crate::driver::{
    capture::{self, Capture},
    context::Context,
    driver,
    error::{Code, Result},
    operation::{HostCall, Operation},
};

/// The flag of waits and records that make nodes of a captured graph.
const EXTERNAL: u32 = 1;

/// Puts nothing into a stream: for calls that have no effect but must be in order.
pub(super) fn nothing(stream: CuStream) -> Result<()> {
    let stream = Stream::resolve(stream)?;
    stream.context()?;
    Ok(())
}

/// A call of the program's function with its data.
pub(super) fn host_call(function: HostFunction, data: UserData) -> Result<HostCall> {
    let function = function.ok_or(Code::InvalidValue)?;
    let call = move || {
        // SAFETY: the caller of the API has given this function and this data to be called with each other.
        unsafe { function(data) }
    };
    Ok(HostCall { call: Arc::new(call), function: Some(function), data })
}

fn create(stream: &Out<'_, CuStream>, flags: u32, priority: i32) -> Result<()> {
    stream.check()?;
    if flags > 1 {
        return Err(Code::InvalidValue.because(format!("flags {flags:#x}")));
    }
    stream.set(Stream::create(&context()?, flags, priority).handle)
}

fn owner(stream: CuStream) -> Result<Arc<Context>> {
    Stream::resolve(stream)?.context()
}

fn launch_host(stream: CuStream, function: HostFunction, data: UserData) -> Result<()> {
    Stream::resolve(stream)?.submit(Operation::Host(host_call(function, data)?))
}

driver_functions! { export_stream;
    2000 fn cuStreamCreate(stream: Out<'_, CuStream>, flags: u32) {
        create(&stream, flags, 0)
    }

    5050 fn cuStreamCreateWithPriority(stream: Out<'_, CuStream>, flags: u32, priority: i32) {
        create(&stream, flags, priority)
    }

    4000 fn cuStreamDestroy_v2(stream: CuStream) {
        Stream::destroy(stream)
    }

    2000 fn [cuStreamSynchronize cuStreamSynchronize_ptsz](stream: CuStream) {
        Stream::resolve(stream)?.synchronize()
    }

    2000 fn [cuStreamQuery cuStreamQuery_ptsz](stream: CuStream) {
        Stream::resolve(stream)?.synchronize()
    }

    3020 fn [cuStreamWaitEvent cuStreamWaitEvent_ptsz](stream: CuStream, event: CuEvent, flags: u32) {
        let stream = Stream::resolve(stream)?;
        stream.context()?;
        let event = driver().events.get(event)?;
        match flags {
            EXTERNAL if stream.part().is_some() => stream.submit(Operation::Wait(event)),
            0 | EXTERNAL => Capture::wait(&stream, &event),
            _ => Err(Code::InvalidValue.into()),
        }
    }

    5000 fn [cuStreamAddCallback cuStreamAddCallback_ptsz](
        stream: CuStream, callback: StreamCallback, data: UserData, flags: u32,
    ) {
        let callback = callback.ok_or(Code::InvalidValue)?;
        let object = Stream::resolve(stream)?;
        if flags != 0 {
            return Err(Code::InvalidValue.into());
        }
        if let Some(part) = &*object.part() {
            part.capture.invalidate();
            return Err(Code::CaptureUnsupported.because("callbacks can't be captured; host functions can"));
        }
        let call = move || {
            // SAFETY: the caller of the API has given this function to be called with these.
            unsafe { callback(stream, Code::Success as u32, data) }
        };
        object.submit(Operation::Host(HostCall { call: Arc::new(call), function: None, data }))
    }

    10000 fn [cuLaunchHostFunc cuLaunchHostFunc_ptsz](stream: CuStream, function: HostFunction, data: UserData) {
        launch_host(stream, function, data)
    }

    13010 fn [cuLaunchHostFunc_v2 cuLaunchHostFunc_v2_ptsz](
        stream: CuStream, function: HostFunction, data: UserData, mode: u32,
    ) {
        // Whether the thread that runs it sleeps or spins: it is the caller's here.
        let _ = mode;
        launch_host(stream, function, data)
    }

    5050 fn [cuStreamGetPriority cuStreamGetPriority_ptsz](stream: CuStream, priority: Out<'_, i32>) {
        priority.set(Stream::resolve(stream)?.priority)
    }

    5050 fn [cuStreamGetFlags cuStreamGetFlags_ptsz](stream: CuStream, flags: Out<'_, u32>) {
        flags.set(Stream::resolve(stream)?.flags)
    }

    12000 fn [cuStreamGetId cuStreamGetId_ptsz](stream: CuStream, id: Out<'_, u64>) {
        id.set(Stream::resolve(stream)?.id)
    }

    12080 fn [cuStreamGetDevice cuStreamGetDevice_ptsz](stream: CuStream, device: Out<'_, CuDevice>) {
        device.set(owner(stream)?.device.ordinal as CuDevice)
    }

    9020 fn [cuStreamGetCtx cuStreamGetCtx_ptsz](stream: CuStream, context: Out<'_, CuContext>) {
        context.set(owner(stream)?.handle)
    }

    12050 fn [cuStreamGetCtx_v2 cuStreamGetCtx_v2_ptsz](
        stream: CuStream, context: Out<'_, CuContext>, green: Out<'_, usize>,
    ) {
        context.set(owner(stream)?.handle)?;
        green.put(0);
        Ok(())
    }

    11000 fn [cuStreamCopyAttributes cuStreamCopyAttributes_ptsz](to: CuStream, from: CuStream) {
        let (to, from) = (Stream::resolve(to)?, Stream::resolve(from)?);
        let attributes = from.attributes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        *to.attributes.lock().unwrap_or_else(PoisonError::into_inner) = attributes;
        Ok(())
    }

    11000 fn [cuStreamGetAttribute cuStreamGetAttribute_ptsz](
        stream: CuStream, attribute: u32, value: Out<'_, [u64; 8]>,
    ) {
        let stream = Stream::resolve(stream)?;
        let attributes = stream.attributes.lock().unwrap_or_else(PoisonError::into_inner);
        value.set(attributes.get(&attribute).copied().unwrap_or_default())
    }

    11000 fn [cuStreamSetAttribute cuStreamSetAttribute_ptsz](
        stream: CuStream, attribute: u32, value: In<'_, [u64; 8]>,
    ) {
        let value = value.get()?;
        let stream = Stream::resolve(stream)?;
        stream.attributes.lock().unwrap_or_else(PoisonError::into_inner).insert(attribute, value);
        Ok(())
    }

    2000 fn cuEventCreate(event: Out<'_, CuEvent>, flags: u32) {
        event.check()?;
        // Blocking, without timing, for other processes.
        if flags & !7 != 0 {
            return Err(Code::InvalidValue.because(format!("flags {flags:#x}")));
        }
        if flags & 4 != 0 {
            return Err(Code::NotSupported.because("events can't be shared with other processes"));
        }
        event.set(Event::create(&context()?, flags).handle)
    }

    4000 fn cuEventDestroy_v2(event: CuEvent) {
        driver().events.remove(event).map(|_| ())
    }

    2000 fn [cuEventRecord cuEventRecord_ptsz](event: CuEvent, stream: CuStream) {
        let event = driver().events.get(event)?;
        Stream::resolve(stream)?.record(&event)
    }

    11010 fn [cuEventRecordWithFlags cuEventRecordWithFlags_ptsz](event: CuEvent, stream: CuStream, flags: u32) {
        let (event, stream) = (driver().events.get(event)?, Stream::resolve(stream)?);
        match flags {
            EXTERNAL => stream.submit(Operation::Record(event)),
            0 => stream.record(&event),
            _ => Err(Code::InvalidValue.into()),
        }
    }

    2000 fn cuEventQuery(event: CuEvent) {
        let event = driver().events.get(event)?;
        check(&event)?;
        event.wait()
    }

    2000 fn cuEventSynchronize(event: CuEvent) {
        let event = driver().events.get(event)?;
        check(&event)?;
        event.wait()
    }

    2000 fn cuEventElapsedTime(ms: Out<'_, f32>, from: CuEvent, to: CuEvent) {
        ms.check()?;
        elapsed(&ms, from, to)
    }

    12080 fn cuEventElapsedTime_v2(ms: Out<'_, f32>, from: CuEvent, to: CuEvent) {
        ms.check()?;
        elapsed(&ms, from, to)
    }
}

/// Gives the error of a kernel of the event's context that has failed.
fn check(event: &Event) -> Result<()> {
    capture::forbid()?;
    event.context.upgrade().ok_or(Code::ContextIsDestroyed)?.check()
}

fn elapsed(ms: &Out<'_, f32>, from: CuEvent, to: CuEvent) -> Result<()> {
    let (from, to) = (driver().events.get(from)?, driver().events.get(to)?);
    from.context.upgrade().ok_or(Code::ContextIsDestroyed)?.check()?;
    ms.set(Event::elapsed_ms(&from, &to)?)
}
