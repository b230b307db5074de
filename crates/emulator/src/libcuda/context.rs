//! Contexts.

use std::sync::{PoisonError, atomic::Ordering};

use super::{device::device, entry::driver_functions, types::*};
use crate::driver::{
    capture,
    context::Context,
    driver,
    error::{Code, Result},
    event::Event,
    stream::{GREATEST_PRIORITY, LEAST_PRIORITY},
    thread,
};

/// The flags that a context can have.
const FLAGS: u32 = 0xff;

/// The context that a caller gives, or the current one for null.
fn named(handle: CuContext) -> Result<std::sync::Arc<Context>> {
    if handle.is_null() {
        thread::current()
    } else {
        driver().contexts.find(handle).ok_or_else(|| Code::InvalidContext.into())
    }
}

fn create(context: &Out<'_, CuContext>, flags: u32, on: CuDevice) -> Result<()> {
    context.check()?;
    if flags & !FLAGS != 0 {
        return Err(Code::InvalidValue.because(format!("flags {flags:#x}")));
    }
    context.set(Context::create(device(on)?, flags).handle)
}

/// Waits for all streams of a context, and gives the error of a kernel that has failed.
fn synchronize(context: &std::sync::Arc<Context>) -> Result<()> {
    context.check()?;
    capture::forbid()?;
    let own = |stream: &Stream| std::ptr::eq(stream.context.as_ptr(), std::sync::Arc::as_ptr(context));
    for stream in driver().streams.all(own).into_iter().chain([context.legacy(), context.per_thread()]) {
        if stream.part().is_none() {
            stream.synchronize()?;
        }
    }
    Ok(())
}

driver_functions! { export_context;
    3020 fn cuCtxCreate_v2(context: Out<'_, CuContext>, flags: u32, device: CuDevice) {
        create(&context, flags, device)
    }

    11040 fn cuCtxCreate_v3(context: Out<'_, CuContext>, affinity: usize, count: i32, flags: u32, device: CuDevice) {
        if affinity != 0 || count != 0 {
            return Err(Code::NotSupported.because("multiprocessors can't be set aside for a context"));
        }
        create(&context, flags, device)
    }

    12050 fn cuCtxCreate_v4(context: Out<'_, CuContext>, params: In<'_, [usize; 3]>, flags: u32, device: CuDevice) {
        if !params.is_null() && params.get()? != [0; 3] {
            return Err(Code::NotSupported.because("contexts have no affinity and no graphics"));
        }
        create(&context, flags, device)
    }

    4000 fn cuCtxDestroy_v2(context: CuContext) {
        let object = named(context)?;
        if object.primary {
            return Err(Code::InvalidContext.because("a primary context is released, not destroyed"));
        }
        if thread::current_handle() == object.handle {
            thread::pop();
        }
        object.end();
        Ok(())
    }

    2000 fn cuCtxAttach(context: Out<'_, CuContext>, flags: u32) {
        if flags != 0 {
            return Err(Code::InvalidValue.into());
        }
        context.set(thread::current()?.handle)
    }

    2000 fn cuCtxDetach(context: CuContext) {
        named(context).map(|_| ())
    }

    4000 fn cuCtxPushCurrent_v2(context: CuContext) {
        if context.is_null() {
            return Err(Code::InvalidContext.into());
        }
        thread::push(named(context)?.handle);
        Ok(())
    }

    4000 fn cuCtxPopCurrent_v2(context: Out<'_, CuContext>) {
        let popped = thread::pop().ok_or_else(|| Code::InvalidContext.because("no context is current"))?;
        context.put(popped);
        Ok(())
    }

    4000 fn cuCtxSetCurrent(context: CuContext) {
        if !context.is_null() {
            named(context)?;
        }
        thread::set_current(context);
        Ok(())
    }

    4000 fn cuCtxGetCurrent(context: Out<'_, CuContext>) {
        context.set(thread::current_handle())
    }

    2000 fn cuCtxGetDevice(device: Out<'_, CuDevice>) {
        device.check()?;
        device.set(thread::current()?.device.ordinal as CuDevice)
    }

    13000 fn cuCtxGetDevice_v2(device: Out<'_, CuDevice>, context: CuContext) {
        device.check()?;
        device.set(named(context)?.device.ordinal as CuDevice)
    }

    7000 fn cuCtxGetFlags(flags: Out<'_, u32>) {
        flags.check()?;
        flags.set(thread::current()?.flags.load(Ordering::Relaxed))
    }

    12010 fn cuCtxSetFlags(flags: u32) {
        if flags & !FLAGS != 0 {
            return Err(Code::InvalidValue.because(format!("flags {flags:#x}")));
        }
        thread::current()?.flags.store(flags, Ordering::Relaxed);
        Ok(())
    }

    12000 fn cuCtxGetId(context: CuContext, id: Out<'_, u64>) {
        id.check()?;
        id.set(named(context)?.id)
    }

    3020 fn cuCtxGetApiVersion(context: CuContext, version: Out<'_, u32>) {
        version.check()?;
        named(context)?;
        version.set(3020)
    }

    2000 fn cuCtxSynchronize() {
        synchronize(&thread::current()?)
    }

    13000 fn cuCtxSynchronize_v2(context: CuContext) {
        synchronize(&named(context)?)
    }

    3010 fn cuCtxSetLimit(limit: u32, value: usize) {
        thread::current()?.set_limit(limit, value as u64)
    }

    3010 fn cuCtxGetLimit(value: Out<'_, usize>, limit: u32) {
        value.check()?;
        value.set(thread::current()?.limit(limit)? as usize)
    }

    3020 fn cuCtxGetCacheConfig(config: Out<'_, u32>) {
        config.check()?;
        config.set(thread::current()?.cache_preference.load(Ordering::Relaxed))
    }

    3020 fn cuCtxSetCacheConfig(config: u32) {
        if config > 3 {
            return Err(Code::InvalidValue.into());
        }
        thread::current()?.cache_preference.store(config, Ordering::Relaxed);
        Ok(())
    }

    4020 fn cuCtxGetSharedMemConfig(config: Out<'_, u32>) {
        config.check()?;
        config.set(thread::current()?.bank_preference.load(Ordering::Relaxed))
    }

    4020 fn cuCtxSetSharedMemConfig(config: u32) {
        if config > 2 {
            return Err(Code::InvalidValue.into());
        }
        thread::current()?.bank_preference.store(config, Ordering::Relaxed);
        Ok(())
    }

    5050 fn cuCtxGetStreamPriorityRange(least: Out<'_, i32>, greatest: Out<'_, i32>) {
        thread::current()?;
        least.put(LEAST_PRIORITY);
        greatest.put(GREATEST_PRIORITY);
        Ok(())
    }

    11000 fn cuCtxResetPersistingL2Cache() {
        thread::current()?.check()
    }

    4000 fn cuCtxEnablePeerAccess(peer: CuContext, flags: u32) {
        let context = thread::current()?;
        let peer = driver().contexts.find(peer).ok_or(Code::InvalidContext)?;
        if flags != 0 {
            return Err(Code::InvalidValue.into());
        }
        if peer.device.ordinal == context.device.ordinal {
            return Err(Code::InvalidDevice.into());
        }
        match context.peers.lock().unwrap_or_else(PoisonError::into_inner).insert(peer.handle) {
            true => Ok(()),
            false => Err(Code::PeerAccessAlreadyEnabled.into()),
        }
    }

    4000 fn cuCtxDisablePeerAccess(peer: CuContext) {
        let context = thread::current()?;
        match context.peers.lock().unwrap_or_else(PoisonError::into_inner).remove(&peer) {
            true => Ok(()),
            false => Err(Code::PeerAccessNotEnabled.into()),
        }
    }

    12050 fn cuCtxRecordEvent(context: CuContext, event: CuEvent) {
        let context = named(context)?;
        context.check()?;
        driver().events.get(event)?.record();
        Ok(())
    }

    12050 fn cuCtxWaitEvent(context: CuContext, event: CuEvent) {
        named(context)?.check()?;
        let event: std::sync::Arc<Event> = driver().events.get(event)?;
        event.wait()
    }
}
