//! Graphs: operations and what each must wait for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    driver,
    error::{Code, Result},
    handle::{Handle, Table},
    operation::Operation,
};

/// A node's number in its graph, the same in a clone. It is never used again.
pub type NodeId = usize;

/// A node as the program knows it.
#[derive(Debug)]
pub struct Node {
    /// Its graph.
    pub graph: Weak<Graph>,
    /// Its number there.
    pub id: NodeId,
}

#[derive(Clone, Debug)]
struct Entry {
    operation: Operation,
    after: BTreeSet<NodeId>,
    handle: Handle<Node>,
}

/// A graph.
#[derive(Debug)]
pub struct Graph {
    /// Its handle.
    pub handle: Handle<Graph>,
    /// Its number, unlike any other's of the process.
    pub id: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    nodes: BTreeMap<NodeId, Entry>,
    next: NodeId,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

impl Graph {
    /// An empty graph, which the program does not know yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            handle: Table::reserve(),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            state: Mutex::default(),
        })
    }

    /// Makes it known to the program.
    pub fn publish(self: &Arc<Self>) -> Handle<Self> {
        driver().graphs.put(self.handle, self.clone());
        self.handle
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Changes are checked before they begin.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a node.
    ///
    /// # Errors
    /// Where it would wait for what is not in the graph.
    pub fn add(self: &Arc<Self>, operation: Operation, after: &[NodeId]) -> Result<NodeId> {
        let mut state = self.lock();
        if after.iter().any(|id| !state.nodes.contains_key(id)) {
            return Err(Code::InvalidValue.because("a dependency is not in the graph"));
        }
        let id = state.next;
        state.next += 1;
        let handle = driver().nodes.add(Arc::new(Node { graph: Arc::downgrade(self), id }));
        state.nodes.insert(id, Entry { operation, after: after.iter().copied().collect(), handle });
        Ok(id)
    }

    /// The handle of a node.
    pub fn node(&self, id: NodeId) -> Result<Handle<Node>> {
        Ok(self.lock().nodes.get(&id).ok_or(Code::InvalidValue)?.handle)
    }

    /// What a node does.
    pub fn operation(&self, id: NodeId) -> Result<Operation> {
        Ok(self.lock().nodes.get(&id).ok_or(Code::InvalidValue)?.operation.clone())
    }

    /// Changes what a node does, to something of the same kind.
    pub fn set_operation(&self, id: NodeId, operation: Operation) -> Result<()> {
        let mut state = self.lock();
        let entry = state.nodes.get_mut(&id).ok_or(Code::InvalidValue)?;
        if entry.operation.kind() != operation.kind() {
            return Err(Code::InvalidValue.because("the node is of another kind"));
        }
        entry.operation = operation;
        Ok(())
    }

    /// Removes a node, and the edges to it.
    pub fn remove(&self, id: NodeId) -> Result<()> {
        let mut state = self.lock();
        let entry = state.nodes.remove(&id).ok_or(Code::InvalidValue)?;
        for other in state.nodes.values_mut() {
            other.after.remove(&id);
        }
        drop(state);
        driver().nodes.remove(entry.handle)?;
        Ok(())
    }

    /// Adds an edge.
    pub fn connect(&self, from: NodeId, to: NodeId) -> Result<()> {
        let mut state = self.lock();
        if !state.nodes.contains_key(&from) || from == to {
            return Err(Code::InvalidValue.into());
        }
        match state.nodes.get_mut(&to).ok_or(Code::InvalidValue)?.after.insert(from) {
            true => Ok(()),
            false => Err(Code::InvalidValue.because("the edge is there already")),
        }
    }

    /// Removes an edge.
    pub fn disconnect(&self, from: NodeId, to: NodeId) -> Result<()> {
        match self.lock().nodes.get_mut(&to).ok_or(Code::InvalidValue)?.after.remove(&from) {
            true => Ok(()),
            false => Err(Code::InvalidValue.because("there is no such edge")),
        }
    }

    /// All nodes, oldest first.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.lock().nodes.keys().copied().collect()
    }

    /// The nodes that wait for nothing.
    pub fn roots(&self) -> Vec<NodeId> {
        self.lock().nodes.iter().filter(|(_, entry)| entry.after.is_empty()).map(|(&id, _)| id).collect()
    }

    /// The nodes that nothing waits for.
    pub fn leaves(&self) -> Vec<NodeId> {
        let state = self.lock();
        let waited_for: BTreeSet<_> = state.nodes.values().flat_map(|entry| &entry.after).collect();
        state.nodes.keys().filter(|id| !waited_for.contains(id)).copied().collect()
    }

    /// What a node waits for.
    pub fn before(&self, id: NodeId) -> Result<Vec<NodeId>> {
        Ok(self.lock().nodes.get(&id).ok_or(Code::InvalidValue)?.after.iter().copied().collect())
    }

    /// What waits for a node.
    pub fn after(&self, id: NodeId) -> Result<Vec<NodeId>> {
        let state = self.lock();
        if !state.nodes.contains_key(&id) {
            return Err(Code::InvalidValue.into());
        }
        Ok(state.nodes.iter().filter(|(_, entry)| entry.after.contains(&id)).map(|(&id, _)| id).collect())
    }

    /// All edges, from and to.
    pub fn edges(&self) -> Vec<(NodeId, NodeId)> {
        let state = self.lock();
        state.nodes.iter().flat_map(|(&to, entry)| entry.after.iter().map(move |&from| (from, to))).collect()
    }

    /// All operations, none before what it waits for; of those that could come next, the oldest does.
    ///
    /// # Errors
    /// Where the edges go in circles.
    pub fn in_order(&self) -> Result<Vec<(NodeId, Operation)>> {
        let state = self.lock();
        let mut missing: BTreeMap<NodeId, usize> =
            state.nodes.iter().map(|(&id, entry)| (id, entry.after.len())).collect();
        let mut followers: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (&id, entry) in &state.nodes {
            for &before in &entry.after {
                followers.entry(before).or_default().push(id);
            }
        }
        let mut ready: BTreeSet<NodeId> = missing.iter().filter(|(_, count)| **count == 0).map(|(&id, _)| id).collect();
        let mut order = Vec::with_capacity(state.nodes.len());
        while let Some(id) = ready.pop_first() {
            order.push((id, state.nodes[&id].operation.clone()));
            for follower in followers.remove(&id).unwrap_or_default() {
                if let Some(count) = missing.get_mut(&follower) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(follower);
                    }
                }
            }
        }
        if order.len() < state.nodes.len() {
            return Err(Code::InvalidValue.because("the graph's edges go in circles"));
        }
        Ok(order)
    }

    /// A graph of the same nodes, with the same numbers.
    pub fn duplicate(&self) -> Arc<Self> {
        let copy = Self::new();
        {
            let state = self.lock();
            let mut target = copy.lock();
            target.next = state.next;
            for (&id, entry) in &state.nodes {
                let handle = driver().nodes.add(Arc::new(Node { graph: Arc::downgrade(&copy), id }));
                let operation = match &entry.operation {
                    Operation::Child(child) => Operation::Child(child.duplicate()),
                    other => other.clone(),
                };
                target.nodes.insert(id, Entry { operation, after: entry.after.clone(), handle });
            }
        }
        copy
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        for entry in self.lock().nodes.values() {
            driver().nodes.remove(entry.handle).ok();
        }
    }
}

impl Node {
    /// The graph of a node that the program names.
    ///
    /// # Errors
    /// Where the handle is no node's.
    pub fn resolve(handle: Handle<Self>) -> Result<(Arc<Graph>, NodeId)> {
        let node = driver().nodes.get(handle)?;
        let graph = node.graph.upgrade().ok_or(Code::InvalidValue)?;
        Ok((graph, node.id))
    }
}
