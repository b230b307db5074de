//! Stream capture: work goes into a graph instead of being done.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::ThreadId,
};

use super::{
    driver,
    error::{Code, Result},
    event::Event,
    graph::{Graph, NodeId},
    operation::Operation,
    stream::Stream,
    thread,
};

/// How a capture restricts what threads may do meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No thread may do what could break it.
    Global,
    /// The thread that began it may not.
    ThreadLocal,
    /// All may.
    Relaxed,
}

impl Mode {
    /// The mode of a number in the API.
    pub fn from_number(number: u32) -> Result<Self> {
        match number {
            0 => Ok(Self::Global),
            1 => Ok(Self::ThreadLocal),
            2 => Ok(Self::Relaxed),
            _ => Err(Code::InvalidValue.into()),
        }
    }
}

/// A capture that goes on.
#[derive(Debug)]
pub struct Capture {
    /// Its number, unlike any other's of the process.
    pub id: u64,
    /// The graph that the work goes into.
    pub graph: Arc<Graph>,
    mode: Mode,
    thread: ThreadId,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    invalid: bool,
    /// The streams that take part; the first is where it began.
    streams: Vec<Arc<Stream>>,
    /// The nodes it made.
    nodes: Vec<NodeId>,
}

/// A stream's part in a capture.
#[derive(Clone, Debug)]
pub struct Part {
    /// The capture.
    pub capture: Arc<Capture>,
    /// The nodes that the stream's next node waits for.
    pub tips: Vec<NodeId>,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Capture {
    /// Begins a capture in a stream, into a graph, after some of its nodes.
    ///
    /// # Errors
    /// Where the stream is capturing already, or can't.
    pub fn begin(stream: &Arc<Stream>, graph: Arc<Graph>, after: Vec<NodeId>, mode: Mode) -> Result<()> {
        if stream.is_legacy() {
            return Err(Code::CaptureUnsupported.because("the legacy default stream can't be captured"));
        }
        let mut part = stream.part();
        if part.is_some() {
            return Err(Code::IllegalState.because("the stream is capturing already"));
        }
        let known = graph.nodes();
        if after.iter().any(|node| !known.contains(node)) {
            return Err(Code::InvalidValue.because("a dependency is not in the graph"));
        }
        let state = State { invalid: false, streams: vec![stream.clone()], nodes: Vec::new() };
        let capture = Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            graph,
            mode,
            thread: std::thread::current().id(),
            state: Mutex::new(state),
        });
        driver().captures().push(capture.clone());
        *part = Some(Part { capture, tips: after });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Changes are single assignments and pushes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The streams that take part.
    pub(super) fn streams(&self) -> Vec<Arc<Stream>> {
        self.lock().streams.clone()
    }

    /// Whether an error has made it useless.
    pub fn is_invalid(&self) -> bool {
        self.lock().invalid
    }

    /// Makes it useless: something was done that it can't hold.
    pub fn invalidate(&self) {
        self.lock().invalid = true;
    }

    fn valid(&self) -> Result<()> {
        if self.is_invalid() { Err(Code::CaptureInvalidated.into()) } else { Ok(()) }
    }

    /// Puts a stream's next operation into the graph.
    pub fn add(part: &mut Part, operation: Operation) -> Result<NodeId> {
        part.capture.valid()?;
        let node = part.capture.graph.add(operation, &part.tips)?;
        part.capture.lock().nodes.push(node);
        part.tips = vec![node];
        Ok(node)
    }

    /// Makes a stream wait for an event: one that was recorded in a capture brings the stream into it.
    ///
    /// # Errors
    /// Where captured work would depend on uncaptured work, or on that of another capture.
    pub fn wait(stream: &Arc<Stream>, event: &Event) -> Result<()> {
        let Some((capture, nodes)) = event.captured() else {
            return match &*stream.part() {
                None => Ok(()),
                Some(part) => {
                    part.capture.invalidate();
                    Err(Code::CaptureIsolation.because("the event was not recorded in the capture"))
                }
            };
        };
        let capture = capture.upgrade().ok_or(Code::CapturedEvent)?;
        capture.valid()?;
        let mut own = stream.part();
        match &mut *own {
            Some(part) if Arc::ptr_eq(&part.capture, &capture) => {
                for node in nodes {
                    if !part.tips.contains(&node) {
                        part.tips.push(node);
                    }
                }
            }
            Some(part) => {
                part.capture.invalidate();
                capture.invalidate();
                return Err(Code::CaptureMerge.into());
            }
            None if stream.is_legacy() => {
                capture.invalidate();
                return Err(Code::CaptureImplicit.into());
            }
            None => {
                capture.lock().streams.push(stream.clone());
                *own = Some(Part { capture, tips: nodes });
            }
        }
        Ok(())
    }

    /// Ends the capture that began in a stream.
    ///
    /// # Errors
    /// Where it began elsewhere, was made invalid, or has work that the stream does not wait for.
    pub fn end(stream: &Arc<Stream>) -> Result<Arc<Graph>> {
        let part = stream.part().clone();
        let part = part.ok_or_else(|| Code::IllegalState.because("the stream is not capturing"))?;
        let capture = &part.capture;
        let origin = capture.lock().streams.first().is_some_and(|first| Arc::ptr_eq(first, stream));
        if !origin {
            return Err(Code::CaptureUnmatched.into());
        }
        if capture.mode != Mode::Relaxed && capture.thread != std::thread::current().id() {
            return Err(Code::CaptureWrongThread.into());
        }
        driver().captures().retain(|known| !Arc::ptr_eq(known, capture));
        let streams = std::mem::take(&mut capture.lock().streams);
        for stream in streams {
            *stream.part() = None;
        }
        capture.valid()?;
        let leaves = capture.graph.leaves();
        let state = capture.lock();
        match state.nodes.iter().all(|node| part.tips.contains(node) || !leaves.contains(node)) {
            true => Ok(capture.graph.clone()),
            false => Err(Code::CaptureUnjoined.into()),
        }
    }
}

/// Refuses a call that waits for the device or changes what is there, while a capture forbids it to this thread.
///
/// # Errors
/// [`Code::CaptureUnsupported`]; the captures are invalid then.
pub fn forbid() -> Result<()> {
    let driver = driver();
    if !driver.capturing() || thread::mode() == Mode::Relaxed {
        return Ok(());
    }
    let here = std::thread::current().id();
    let broken: Vec<_> = driver
        .captures()
        .iter()
        .filter(|capture| match capture.mode {
            Mode::Relaxed => false,
            Mode::ThreadLocal => capture.thread == here,
            Mode::Global => capture.thread == here || thread::mode() == Mode::Global,
        })
        .cloned()
        .collect();
    for capture in &broken {
        capture.invalidate();
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(Code::CaptureUnsupported.because("the call is not allowed while a stream is captured"))
}
