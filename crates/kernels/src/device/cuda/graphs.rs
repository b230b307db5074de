//! Work that is captured the second time it is done, and replayed from then on.

use crate::Error;
use crate::cuda::{Graph, Queue};
use std::collections::HashMap;

/// Graphs that are remembered; each takes some hundred kilobytes of the host's memory.
const MAX_GRAPHS: usize = 1024;

/// Captured work, by its key.
///
/// The first time, work is done as it is: that loads kernels and makes scratch grow, which a capture cannot hold. The second
/// time it is captured. Whenever memory has been allocated since, nothing that was captured is used any more: it may be about
/// memory that has been replaced.
#[derive(Debug, Default)]
pub struct Graphs {
    /// [`Queue::allocations`] when all of this was known.
    allocations: u64,
    /// None: done once.
    known: HashMap<Box<[u64]>, Option<Graph>>,
    replays: u64,
}

impl Graphs {
    /// Replays so far: for those who want to know that there are any.
    pub fn replays(&self) -> u64 {
        self.replays
    }

    pub(super) fn replay<E: From<Error>>(
        &mut self,
        queue: &Queue,
        key: &[u64],
        work: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        if self.allocations != queue.allocations() || self.known.len() >= MAX_GRAPHS {
            self.known.clear();
            self.allocations = queue.allocations();
        }
        match self.known.get_mut(key) {
            None => {
                work()?;
                self.known.insert(key.into(), None);
            }
            Some(graph) => {
                let graph = match graph {
                    Some(graph) => graph,
                    None => graph.insert(queue.capture(work)?),
                };
                queue.replay(graph)?;
                self.replays += 1;
            }
        }
        Ok(())
    }
}
