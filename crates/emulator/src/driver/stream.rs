//! Streams. All work passes through [`Stream::submit`]: into a graph while the stream is captured; otherwise it is
//! done at once, in the order of submission, before the call returns. That is one of the orders a device may choose,
//! and the same every time.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLockReadGuard, RwLockWriteGuard, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    capture::{Capture, Part},
    context::Context,
    driver,
    error::{Code, Result},
    event::Event,
    handle::{Handle, Table},
    operation::Operation,
    thread,
};

/// A flag: the stream does not wait for the legacy default stream.
pub const NON_BLOCKING: u32 = 1;
/// The handle of the legacy default stream, beside null.
const LEGACY: usize = 1;
/// The handle of the thread's default stream.
const PER_THREAD: usize = 2;

/// Where a stream comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The default stream of a context, which all blocking streams wait for.
    Legacy,
    /// A thread's default stream.
    PerThread,
    /// The program made it.
    Created,
}

/// A stream.
#[derive(Debug)]
pub struct Stream {
    /// Its handle.
    pub handle: Handle<Stream>,
    /// Its number, unlike any other's of the process.
    pub id: u64,
    /// Its context.
    pub context: Weak<Context>,
    /// Its flags.
    pub flags: u32,
    /// Its priority: kept, and without effect.
    pub priority: i32,
    /// Attributes that the program has set: kept, and without effect.
    pub attributes: Mutex<HashMap<u32, [u64; 8]>>,
    kind: Kind,
    /// Held while an operation runs, so that two threads can't run two at a time.
    turn: Mutex<()>,
    part: Mutex<Option<Part>>,
}

/// A stream's turn among the streams of its context.
#[expect(dead_code, reason = "the guards are held, not read")]
struct Turn<'s> {
    own: MutexGuard<'s, ()>,
    blocking: Option<RwLockReadGuard<'s, ()>>,
    legacy: Option<RwLockWriteGuard<'s, ()>>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Stream {
    /// A stream of a context.
    pub fn new(context: &Arc<Context>, kind: Kind, flags: u32, priority: i32) -> Arc<Self> {
        let handle = match kind {
            Kind::Legacy => Handle::new(LEGACY),
            Kind::PerThread => Handle::new(PER_THREAD),
            Kind::Created => Table::reserve(),
        };
        Arc::new(Self {
            handle,
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            context: Arc::downgrade(context),
            flags,
            priority,
            attributes: Mutex::default(),
            kind,
            turn: Mutex::default(),
            part: Mutex::default(),
        })
    }

    /// A stream that the program makes.
    pub fn create(context: &Arc<Context>, flags: u32, priority: i32) -> Arc<Self> {
        let stream = Self::new(context, Kind::Created, flags, priority.clamp(GREATEST_PRIORITY, LEAST_PRIORITY));
        driver().streams.put(stream.handle, stream.clone());
        stream
    }

    /// The stream of a handle, of those that are always there too.
    ///
    /// # Errors
    /// Where there is none, or no context is current for a default stream.
    pub fn resolve(handle: Handle<Self>) -> Result<Arc<Self>> {
        match handle.number() {
            0 if thread::per_thread() => Ok(thread::current()?.per_thread()),
            0 | LEGACY => Ok(thread::current()?.legacy()),
            PER_THREAD => Ok(thread::current()?.per_thread()),
            _ => driver().streams.get(handle),
        }
    }

    /// Ends a stream that the program made.
    ///
    /// # Errors
    /// Where the handle is none of those.
    pub fn destroy(handle: Handle<Self>) -> Result<()> {
        let stream = driver().streams.remove(handle)?;
        if let Some(part) = &*stream.part() {
            part.capture.invalidate();
        }
        Ok(())
    }

    /// Whether it is the legacy default stream.
    pub fn is_legacy(&self) -> bool {
        self.kind == Kind::Legacy
    }

    /// Its context.
    ///
    /// # Errors
    /// Where that was destroyed, or a kernel of it has failed.
    pub fn context(&self) -> Result<Arc<Context>> {
        let context = self.context.upgrade().ok_or(Code::ContextIsDestroyed)?;
        context.check()?;
        Ok(context)
    }

    /// Its part in a capture.
    pub fn part(&self) -> MutexGuard<'_, Option<Part>> {
        // Changes are single assignments.
        self.part.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an operation into the stream.
    ///
    /// # Errors
    /// Where it is not possible, or fails. A kernel's failure is the context's: later calls return it.
    pub fn submit(&self, operation: Operation) -> Result<()> {
        let context = self.context()?;
        operation.check(&context)?;
        if let Some(part) = &mut *self.part() {
            Capture::add(part, operation)?;
            return Ok(());
        }
        self.implicit(&context)?;
        let _turn = self.turn(&context);
        operation.run(&context)
    }

    /// Refuses work in the legacy stream while a stream that waits for it is captured.
    fn implicit(&self, context: &Arc<Context>) -> Result<()> {
        if !self.is_legacy() || !driver().capturing() {
            return Ok(());
        }
        let depends = |stream: &Self| {
            stream.flags & NON_BLOCKING == 0 && std::ptr::eq(stream.context.as_ptr(), Arc::as_ptr(context))
        };
        let mut broken = false;
        for capture in driver().captures().iter().filter(|capture| capture.streams().iter().any(|it| depends(it))) {
            capture.invalidate();
            broken = true;
        }
        if broken { Err(Code::CaptureImplicit.into()) } else { Ok(()) }
    }

    fn turn<'s>(&'s self, context: &'s Context) -> Turn<'s> {
        // These locks guard no data: a panic while they were held has broken nothing.
        let own = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let blocking = self.kind != Kind::Legacy && self.flags & NON_BLOCKING == 0;
        Turn {
            own,
            blocking: blocking.then(|| context.order.read().unwrap_or_else(PoisonError::into_inner)),
            legacy: self.is_legacy().then(|| context.order.write().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Waits for all work of the stream: which is done, unless another thread is at it.
    ///
    /// # Errors
    /// Where the stream is captured; where a kernel has failed.
    pub fn synchronize(&self) -> Result<()> {
        if let Some(part) = &*self.part() {
            part.capture.invalidate();
            return Err(Code::CaptureUnsupported.because("a stream that is captured can't be waited for"));
        }
        let context = self.context()?;
        drop(self.turn(&context));
        context.check()
    }

    /// Records an event of the same context.
    pub fn record(&self, event: &Arc<Event>) -> Result<()> {
        if !event.context.ptr_eq(&self.context) {
            return Err(Code::InvalidHandle.because("the event and the stream are of different contexts"));
        }
        if let Some(part) = &*self.part() {
            if part.capture.is_invalid() {
                return Err(Code::CaptureInvalidated.into());
            }
            event.record_captured(&part.capture, part.tips.clone());
            return Ok(());
        }
        self.submit(Operation::Record(event.clone()))
    }
}

/// The priorities that streams can have; a lower number is more urgent.
pub const LEAST_PRIORITY: i32 = 0;
/// See [`LEAST_PRIORITY`].
pub const GREATEST_PRIORITY: i32 = -5;
