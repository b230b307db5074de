//! Graphs made ready to run.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    context::Context,
    driver,
    error::{Code, Result},
    graph::{Graph, NodeId},
    handle::{Handle, Table},
    operation::Operation,
};

/// A graph as it was when it was made ready, with parameters of its own.
#[derive(Debug)]
pub struct Executable {
    /// Its handle.
    pub handle: Handle<Executable>,
    /// Its number, unlike any other's of the process.
    pub id: u64,
    /// Flags of the call that made it.
    pub flags: u64,
    steps: Mutex<Vec<Step>>,
}

#[derive(Clone, Debug)]
struct Step {
    node: NodeId,
    before: BTreeSet<NodeId>,
    operation: Operation,
    enabled: bool,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

fn steps(graph: &Graph) -> Result<Vec<Step>> {
    graph
        .in_order()?
        .into_iter()
        .map(|(node, operation)| {
            let operation = match operation {
                // Later changes to the graph are not the executable's.
                Operation::Child(child) => Operation::Child(child.duplicate()),
                other => other,
            };
            Ok(Step { node, before: graph.before(node)?.into_iter().collect(), operation, enabled: true })
        })
        .collect()
}

impl Executable {
    /// Makes a graph ready.
    pub fn new(graph: &Graph, flags: u64) -> Result<Arc<Self>> {
        let executable = Arc::new(Self {
            handle: Table::reserve(),
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            flags,
            steps: Mutex::new(steps(graph)?),
        });
        driver().executables.put(executable.handle, executable.clone());
        Ok(executable)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        // Changes are single assignments.
        self.steps.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs all operations.
    pub fn run(&self, context: &Context) -> Result<()> {
        let steps = self.lock().clone();
        for step in steps.iter().filter(|step| step.enabled) {
            step.operation.run(context)?;
            context.check()?;
        }
        Ok(())
    }

    /// What a node does.
    pub fn operation(&self, node: NodeId) -> Result<Operation> {
        let steps = self.lock();
        let step = steps.iter().find(|step| step.node == node).ok_or(Code::InvalidValue)?;
        Ok(step.operation.clone())
    }

    /// Changes what a node does, to something of the same kind.
    pub fn set_operation(&self, node: NodeId, operation: Operation) -> Result<()> {
        let mut steps = self.lock();
        let step = steps.iter_mut().find(|step| step.node == node).ok_or(Code::InvalidValue)?;
        if step.operation.kind() != operation.kind() {
            return Err(Code::InvalidValue.because("the node is of another kind"));
        }
        step.operation = operation;
        Ok(())
    }

    /// Whether a node runs.
    pub fn enabled(&self, node: NodeId) -> Result<bool> {
        Ok(self.lock().iter().find(|step| step.node == node).ok_or(Code::InvalidValue)?.enabled)
    }

    /// Sets whether a node runs. Only kernels, copies and fills can be left out.
    pub fn enable(&self, node: NodeId, enabled: bool) -> Result<()> {
        let mut steps = self.lock();
        let step = steps.iter_mut().find(|step| step.node == node).ok_or(Code::InvalidValue)?;
        if step.operation.kind() > 2 {
            return Err(Code::InvalidValue.because("only kernels, copies and fills can be left out"));
        }
        step.enabled = enabled;
        Ok(())
    }

    /// Takes the parameters of another graph of the same shape. On failure, says how the graphs differ.
    pub fn update(&self, graph: &Graph) -> std::result::Result<(), Difference> {
        let new = steps(graph).map_err(|_| Difference::Topology(None))?;
        let mut old = self.lock();
        if old.len() != new.len() {
            return Err(Difference::Topology(None));
        }
        // Nodes correspond by their place in the order; so must what they wait for.
        let place = |steps: &[Step], node| steps.iter().position(|step| step.node == node);
        for (before, after) in old.iter().zip(&new) {
            let old_edges: Vec<_> = before.before.iter().map(|&node| place(&old, node)).collect();
            let new_edges: Vec<_> = after.before.iter().map(|&node| place(&new, node)).collect();
            if old_edges.iter().collect::<BTreeSet<_>>() != new_edges.iter().collect::<BTreeSet<_>>() {
                return Err(Difference::Topology(Some(after.node)));
            }
            if before.operation.kind() != after.operation.kind() {
                return Err(Difference::Kind(after.node));
            }
        }
        for (step, new) in old.iter_mut().zip(new) {
            step.operation = new.operation;
        }
        Ok(())
    }
}

/// How a graph differs from the one that an executable was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// In its nodes or edges.
    Topology(Option<NodeId>),
    /// In the kind of a node.
    Kind(NodeId),
}
