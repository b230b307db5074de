//! What the driver remembers of each of the program's threads.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

use super::{
    capture::Mode,
    context::Context,
    driver,
    error::{Code, Result},
    handle::Handle,
};

thread_local! {
    /// The current context. Apart from the others, since it must be there while a thread's variables are destroyed:
    /// objects among them may be about to free what they hold.
    static CURRENT: Cell<Handle<Context>> = const { Cell::new(Handle::NULL) };
    /// The contexts below the current one.
    static BELOW: RefCell<Vec<Handle<Context>>> = const { RefCell::new(Vec::new()) };
    /// How captures restrict this thread.
    static MODE: Cell<Mode> = const { Cell::new(Mode::Global) };
    /// Whether the call that runs takes the null stream for the thread's own.
    static PER_THREAD: Cell<bool> = const { Cell::new(false) };
    /// Whether a function of the program runs in stream order on this thread.
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// The handle of the current context.
pub fn current_handle() -> Handle<Context> {
    CURRENT.get()
}

/// The current context.
///
/// # Errors
/// Where there is none, or it was destroyed.
pub fn current() -> Result<Arc<Context>> {
    let handle = current_handle();
    if handle.is_null() {
        return Err(Code::InvalidContext.because("the thread has no current context"));
    }
    driver().contexts.find(handle).ok_or_else(|| Code::ContextIsDestroyed.into())
}

/// Puts a context on top of the stack.
pub fn push(context: Handle<Context>) {
    let below = CURRENT.replace(context);
    if !below.is_null() {
        // A thread that ends has no use for what is below.
        let _ = BELOW.try_with(|contexts| contexts.borrow_mut().push(below));
    }
}

/// Takes the current context off the stack.
pub fn pop() -> Option<Handle<Context>> {
    let below = BELOW.try_with(|contexts| contexts.borrow_mut().pop()).ok().flatten();
    let current = CURRENT.replace(below.unwrap_or(Handle::NULL));
    (!current.is_null()).then_some(current)
}

/// Replaces the top of the stack; a null handle removes it.
pub fn set_current(context: Handle<Context>) {
    if context.is_null() {
        pop();
    } else {
        CURRENT.set(context);
    }
}

/// How captures restrict this thread.
pub fn mode() -> Mode {
    MODE.get()
}

/// Changes how captures restrict this thread; gives what was before.
pub fn exchange_mode(mode: Mode) -> Mode {
    MODE.replace(mode)
}

/// Whether the null stream is the thread's own in this call.
pub fn per_thread() -> bool {
    PER_THREAD.get()
}

/// Runs a call in which the null stream is the thread's own.
pub fn with_per_thread<R>(call: impl FnOnce() -> R) -> R {
    let before = PER_THREAD.replace(true);
    let result = call();
    PER_THREAD.set(before);
    result
}

/// Whether a function of the program runs in stream order on this thread: it may not call the driver.
pub fn in_callback() -> bool {
    IN_CALLBACK.get()
}

/// Runs a function of the program in stream order.
pub fn as_callback(function: impl FnOnce()) {
    let before = IN_CALLBACK.replace(true);
    function();
    IN_CALLBACK.set(before);
}
