//! Events: moments in a stream.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Instant,
};

use super::{
    capture::Capture,
    context::Context,
    driver,
    error::{Code, Result},
    graph::NodeId,
    handle::{Handle, Table},
};

/// A flag: the event has no time.
pub const DISABLE_TIMING: u32 = 2;

/// An event.
#[derive(Debug)]
pub struct Event {
    /// Its handle.
    pub handle: Handle<Event>,
    /// Its context.
    pub context: Weak<Context>,
    /// Its flags.
    pub flags: u32,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
enum State {
    /// Nothing was recorded yet.
    New,
    /// All work before it was done then.
    Done(Instant),
    /// Recorded in a stream that was capturing: the nodes before it.
    Captured(Weak<Capture>, Vec<NodeId>),
}

impl Event {
    /// An event.
    pub fn create(context: &Arc<Context>, flags: u32) -> Arc<Self> {
        let handle = Table::reserve();
        let event = Arc::new(Self { handle, context: Arc::downgrade(context), flags, state: Mutex::new(State::New) });
        driver().events.put(handle, event.clone());
        event
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// Records this moment: all work before it is done.
    pub fn record(&self) {
        self.set(State::Done(Instant::now()));
    }

    /// Records a moment of a capture.
    pub fn record_captured(&self, capture: &Arc<Capture>, nodes: Vec<NodeId>) {
        self.set(State::Captured(Arc::downgrade(capture), nodes));
    }

    /// The capture it was last recorded in, and the nodes before it.
    pub fn captured(&self) -> Option<(Weak<Capture>, Vec<NodeId>)> {
        match self.state() {
            State::Captured(capture, nodes) => Some((capture, nodes)),
            _ => None,
        }
    }

    /// Waits for all work before it: which is done.
    ///
    /// # Errors
    /// Where it was last recorded in a capture.
    pub fn wait(&self) -> Result<()> {
        match self.captured() {
            Some(_) => Err(Code::CapturedEvent.into()),
            None => Ok(()),
        }
    }

    /// Milliseconds from one event to another.
    ///
    /// # Errors
    /// Where one was not recorded, or has no time.
    pub fn elapsed_ms(from: &Self, to: &Self) -> Result<f32> {
        if (from.flags | to.flags) & DISABLE_TIMING != 0 {
            return Err(Code::InvalidHandle.because("an event was made without timing"));
        }
        match (from.state(), to.state()) {
            (State::Done(from), State::Done(to)) => {
                let forward = to.saturating_duration_since(from).as_secs_f64();
                let backward = from.saturating_duration_since(to).as_secs_f64();
                Ok(((forward - backward) * 1e3) as f32)
            }
            (State::Captured(..), _) | (_, State::Captured(..)) => Err(Code::CapturedEvent.into()),
            _ => Err(Code::InvalidHandle.because("an event was not recorded")),
        }
    }
}
