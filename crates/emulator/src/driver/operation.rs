//! What can be put into a stream, and into a graph.

use std::{fmt, sync::Arc};

use super::{
    context::Context, copy::Copy, driver, error::Result, event::Event, executable::Executable, fill::Fill,
    graph::Graph, launch::Launch, thread,
};
use crate::memory::AllocationKind;

/// A function of the program with the data it is to be called with.
pub type HostFunction = unsafe extern "C" fn(usize);

/// A function of the program that runs in stream order.
#[derive(Clone)]
pub struct HostCall {
    /// Calls it.
    pub call: Arc<dyn Fn() + Send + Sync>,
    /// The function as the program gave it; none where it is one of another type.
    pub function: Option<HostFunction>,
    /// The data as the program gave it.
    pub data: usize,
}

impl fmt::Debug for HostCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostCall").field("function", &self.function).field("data", &self.data).finish_non_exhaustive()
    }
}

/// Device memory that belongs to a graph: it is there as long as the graph, or something made of it.
#[derive(Debug)]
pub struct GraphMemory {
    /// Its first byte.
    pub address: u64,
    /// Its size.
    pub bytes: u64,
}

impl GraphMemory {
    /// Allocates for a graph.
    pub fn new(context: &Context, bytes: u64) -> Result<Self> {
        let ledger = &driver().ledger;
        let address = ledger.allocate(context, bytes, AllocationKind::Pool, 0)?;
        ledger.give_to_graph(address);
        Ok(Self { address, bytes })
    }
}

impl Drop for GraphMemory {
    fn drop(&mut self) {
        let ledger = &driver().ledger;
        if let Some(entry) = ledger.take_graph_memory(self.address) {
            ledger.give_back(self.address, &entry);
        }
    }
}

/// Something that a stream does.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Runs a kernel.
    Launch(Launch),
    /// Copies.
    Copy(Copy),
    /// Fills.
    Fill(Fill),
    /// Calls the program.
    Host(HostCall),
    /// Runs a graph that belongs to another.
    Child(Arc<Graph>),
    /// Nothing.
    Empty,
    /// Waits for an event.
    Wait(Arc<Event>),
    /// Records an event.
    Record(Arc<Event>),
    /// Allocates: the memory is there already.
    Allocate(Arc<GraphMemory>),
    /// Frees memory of the same graph: it stays for the next run.
    Free(u64),
    /// Runs a graph that was made ready.
    Replay(Arc<Executable>),
}

impl Operation {
    /// The kind of a graph's node that it is, as a number of the API.
    pub fn kind(&self) -> u32 {
        match self {
            Self::Launch(_) => 0,
            Self::Copy(_) => 1,
            Self::Fill(_) => 2,
            Self::Host(_) => 3,
            Self::Child(_) | Self::Replay(_) => 4,
            Self::Empty => 5,
            Self::Wait(_) => 6,
            Self::Record(_) => 7,
            Self::Allocate(_) => 10,
            Self::Free(_) => 11,
        }
    }

    /// Checks it before it is put into a stream or a graph.
    pub fn check(&self, context: &Context) -> Result<()> {
        match self {
            Self::Launch(launch) => launch.check(&context.device),
            Self::Fill(fill) => fill.check(),
            _ => Ok(()),
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// Of the operation itself. The error of a kernel that fails goes to the context.
    pub fn run(&self, context: &Context) -> Result<()> {
        match self {
            Self::Launch(launch) => launch.run(context),
            Self::Copy(copy) => copy.run(),
            Self::Fill(fill) => fill.run(),
            Self::Host(host) => {
                thread::as_callback(|| (host.call)());
                Ok(())
            }
            Self::Child(graph) => {
                for (_, operation) in graph.in_order()? {
                    operation.run(context)?;
                    context.check()?;
                }
                Ok(())
            }
            // What an event waits for is done when it is recorded.
            Self::Empty | Self::Wait(_) | Self::Allocate(_) | Self::Free(_) => Ok(()),
            Self::Record(event) => {
                event.record();
                Ok(())
            }
            Self::Replay(executable) => executable.run(context),
        }
    }
}
