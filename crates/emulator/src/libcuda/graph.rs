//! Graphs: their nodes and edges, and how they are made ready and run.

use std::sync::Arc;

use super::{capture::nodes_of, entry::driver_functions, types::*};
use crate::driver::{
    driver,
    error::{Code, Result},
    executable::Difference,
    graph::NodeId,
    operation::Operation,
};

/// An edge that says no more than what comes first.
const PLAIN: EdgeData = EdgeData { bytes: [0; 8] };

pub(super) fn get(graph: CuGraph) -> Result<Arc<Graph>> {
    driver().graphs.get(graph)
}

fn handles(graph: &Graph, nodes: Vec<NodeId>) -> Result<Vec<CuGraphNode>> {
    nodes.into_iter().map(|node| graph.node(node)).collect()
}

fn edges(
    graph: CuGraph,
    from: &OutArray<'_, CuGraphNode>,
    to: &OutArray<'_, CuGraphNode>,
    data: &OutArray<'_, EdgeData>,
    count: &Out<'_, usize>,
) -> Result<()> {
    let graph = get(graph)?;
    let (sources, targets): (Vec<_>, Vec<_>) = graph.edges().into_iter().unzip();
    if from.is_null() != to.is_null() {
        return Err(Code::InvalidValue.into());
    }
    let room = if from.is_null() { targets.len() } else { count.read()? };
    data_for(data, room.min(targets.len()))?;
    let again = Out::null();
    from.set_room(room, &handles(&graph, sources)?, CuGraphNode::NULL, &again);
    to.set_room(room, &handles(&graph, targets)?, CuGraphNode::NULL, count);
    Ok(())
}

/// All edges are plain.
fn data_for(data: &OutArray<'_, EdgeData>, count: usize) -> Result<()> {
    if data.is_null() { Ok(()) } else { data.set(&vec![PLAIN; count]) }
}

/// What a node waits for, or what waits for it.
fn around(
    node: CuGraphNode,
    found: &OutArray<'_, CuGraphNode>,
    data: &OutArray<'_, EdgeData>,
    count: &Out<'_, usize>,
    which: fn(&Graph, NodeId) -> Result<Vec<NodeId>>,
) -> Result<()> {
    let (graph, id) = Node::resolve(node)?;
    let nodes = handles(&graph, which(&graph, id)?)?;
    if !found.is_null() {
        data_for(data, count.read()?.min(nodes.len()))?;
    }
    found.set_counted(count, &nodes, CuGraphNode::NULL)
}

/// Adds or removes edges.
fn change(
    graph: CuGraph,
    from: &In<'_, CuGraphNode>,
    to: &In<'_, CuGraphNode>,
    data: &In<'_, EdgeData>,
    count: usize,
    change: fn(&Graph, NodeId, NodeId) -> Result<()>,
) -> Result<()> {
    let graph = get(graph)?;
    if !data.is_null() && data.array(count)?.iter().any(|edge| edge.bytes != PLAIN.bytes) {
        return Err(Code::NotSupported.because("edges are plain here"));
    }
    let (from, to) = (nodes_of(&graph, from.array(count)?)?, nodes_of(&graph, to.array(count)?)?);
    from.into_iter().zip(to).try_for_each(|(from, to)| change(&graph, from, to))
}

fn instantiate(executable: &Out<'_, CuGraphExec>, graph: CuGraph, flags: u64) -> Result<()> {
    executable.check()?;
    executable.set(Executable::new(&*get(graph)?, flags)?.handle)
}

/// What an update found, in the API's numbers.
mod update {
    pub const SUCCESS: u32 = 0;
    pub const ERROR: u32 = 1;
    pub const TOPOLOGY: u32 = 2;
    pub const NODE_TYPE: u32 = 3;
}

fn update(executable: CuGraphExec, graph: CuGraph) -> Result<(u32, CuGraphNode)> {
    let (executable, graph) = (driver().executables.get(executable)?, get(graph)?);
    let (result, node) = match executable.update(&graph) {
        Ok(()) => (update::SUCCESS, None),
        Err(Difference::Topology(node)) => (update::TOPOLOGY, node),
        Err(Difference::Kind(node)) => (update::NODE_TYPE, Some(node)),
    };
    let node = node.map(|node| graph.node(node)).transpose()?;
    Ok((result, node.unwrap_or(CuGraphNode::NULL)))
}

fn updated(result: u32) -> Result<()> {
    match result {
        update::SUCCESS => Ok(()),
        _ => Err(Code::GraphExecUpdateFailure.into()),
    }
}

driver_functions! { export_graph;
    10000 fn cuGraphCreate(graph: Out<'_, CuGraph>, flags: u32) {
        graph.check()?;
        if flags != 0 {
            return Err(Code::InvalidValue.into());
        }
        graph.set(Graph::new().publish())
    }

    10000 fn cuGraphDestroy(graph: CuGraph) {
        driver().graphs.remove(graph).map(|_| ())
    }

    10000 fn cuGraphClone(copy: Out<'_, CuGraph>, graph: CuGraph) {
        copy.check()?;
        copy.set(get(graph)?.duplicate().publish())
    }

    10000 fn cuGraphNodeFindInClone(found: Out<'_, CuGraphNode>, node: CuGraphNode, copy: CuGraph) {
        found.check()?;
        // A clone's nodes have the numbers of their originals.
        let (_, id) = Node::resolve(node)?;
        found.set(get(copy)?.node(id)?)
    }

    10000 fn cuGraphGetNodes(graph: CuGraph, nodes: OutArray<'_, CuGraphNode>, count: Out<'_, usize>) {
        let graph = get(graph)?;
        nodes.set_counted(&count, &handles(&graph, graph.nodes())?, CuGraphNode::NULL)
    }

    10000 fn cuGraphGetRootNodes(graph: CuGraph, nodes: OutArray<'_, CuGraphNode>, count: Out<'_, usize>) {
        let graph = get(graph)?;
        nodes.set_counted(&count, &handles(&graph, graph.roots())?, CuGraphNode::NULL)
    }

    10000 fn cuGraphGetEdges(
        graph: CuGraph, from: OutArray<'_, CuGraphNode>, to: OutArray<'_, CuGraphNode>, count: Out<'_, usize>,
    ) {
        edges(graph, &from, &to, &OutArray::null(), &count)
    }

    12030 fn cuGraphGetEdges_v2(
        graph: CuGraph, from: OutArray<'_, CuGraphNode>, to: OutArray<'_, CuGraphNode>, data: OutArray<'_, EdgeData>,
        count: Out<'_, usize>,
    ) {
        edges(graph, &from, &to, &data, &count)
    }

    10000 fn cuGraphNodeGetDependencies(
        node: CuGraphNode, found: OutArray<'_, CuGraphNode>, count: Out<'_, usize>,
    ) {
        around(node, &found, &OutArray::null(), &count, Graph::before)
    }

    12030 fn cuGraphNodeGetDependencies_v2(
        node: CuGraphNode, found: OutArray<'_, CuGraphNode>, data: OutArray<'_, EdgeData>, count: Out<'_, usize>,
    ) {
        around(node, &found, &data, &count, Graph::before)
    }

    10000 fn cuGraphNodeGetDependentNodes(
        node: CuGraphNode, found: OutArray<'_, CuGraphNode>, count: Out<'_, usize>,
    ) {
        around(node, &found, &OutArray::null(), &count, Graph::after)
    }

    12030 fn cuGraphNodeGetDependentNodes_v2(
        node: CuGraphNode, found: OutArray<'_, CuGraphNode>, data: OutArray<'_, EdgeData>, count: Out<'_, usize>,
    ) {
        around(node, &found, &data, &count, Graph::after)
    }

    10000 fn cuGraphAddDependencies(
        graph: CuGraph, from: In<'_, CuGraphNode>, to: In<'_, CuGraphNode>, count: usize,
    ) {
        change(graph, &from, &to, &In::null(), count, Graph::connect)
    }

    12030 fn cuGraphAddDependencies_v2(
        graph: CuGraph, from: In<'_, CuGraphNode>, to: In<'_, CuGraphNode>, data: In<'_, EdgeData>, count: usize,
    ) {
        change(graph, &from, &to, &data, count, Graph::connect)
    }

    10000 fn cuGraphRemoveDependencies(
        graph: CuGraph, from: In<'_, CuGraphNode>, to: In<'_, CuGraphNode>, count: usize,
    ) {
        change(graph, &from, &to, &In::null(), count, Graph::disconnect)
    }

    12030 fn cuGraphRemoveDependencies_v2(
        graph: CuGraph, from: In<'_, CuGraphNode>, to: In<'_, CuGraphNode>, data: In<'_, EdgeData>, count: usize,
    ) {
        change(graph, &from, &to, &data, count, Graph::disconnect)
    }

    10000 fn cuGraphDestroyNode(node: CuGraphNode) {
        let (graph, id) = Node::resolve(node)?;
        graph.remove(id)
    }

    10000 fn cuGraphNodeGetType(node: CuGraphNode, kind: Out<'_, u32>) {
        kind.check()?;
        let (graph, id) = Node::resolve(node)?;
        kind.set(graph.operation(id)?.kind())
    }

    13010 fn cuGraphGetId(graph: CuGraph, id: Out<'_, u32>) {
        id.check()?;
        id.set(get(graph)?.id as u32)
    }

    13010 fn cuGraphNodeGetContainingGraph(node: CuGraphNode, graph: Out<'_, CuGraph>) {
        graph.check()?;
        graph.set(Node::resolve(node)?.0.handle)
    }

    13010 fn cuGraphNodeGetLocalId(node: CuGraphNode, id: Out<'_, u32>) {
        id.check()?;
        id.set(Node::resolve(node)?.1 as u32)
    }

    10000 fn cuGraphInstantiate(
        executable: Out<'_, CuGraphExec>, graph: CuGraph, node: Out<'_, CuGraphNode>, log: OutArray<'_, u8>,
        room: usize,
    ) {
        let _ = (node, log, room);
        instantiate(&executable, graph, 0)
    }

    11000 fn cuGraphInstantiate_v2(
        executable: Out<'_, CuGraphExec>, graph: CuGraph, node: Out<'_, CuGraphNode>, log: OutArray<'_, u8>,
        room: usize,
    ) {
        let _ = (node, log, room);
        instantiate(&executable, graph, 0)
    }

    11040 fn cuGraphInstantiateWithFlags(executable: Out<'_, CuGraphExec>, graph: CuGraph, flags: u64) {
        instantiate(&executable, graph, flags)
    }

    12000 fn [cuGraphInstantiateWithParams cuGraphInstantiateWithParams_ptsz](
        executable: Out<'_, CuGraphExec>, graph: CuGraph, params: OutArray<'_, InstantiateParams>,
    ) {
        let mut given = params.get(1)?[0];
        let result = instantiate(&executable, graph, given.flags);
        given.error_node = CuGraphNode::NULL;
        // Success, or an error that is none of the others.
        given.result = u32::from(result.is_err());
        params.set(&[given])?;
        result
    }

    10000 fn [cuGraphLaunch cuGraphLaunch_ptsz](executable: CuGraphExec, stream: CuStream) {
        let executable = driver().executables.get(executable)?;
        Stream::resolve(stream)?.submit(Operation::Replay(executable))
    }

    11010 fn [cuGraphUpload cuGraphUpload_ptsz](executable: CuGraphExec, stream: CuStream) {
        driver().executables.get(executable)?;
        super::stream::nothing(stream)
    }

    10000 fn cuGraphExecDestroy(executable: CuGraphExec) {
        driver().executables.remove(executable).map(|_| ())
    }

    12000 fn cuGraphExecGetFlags(executable: CuGraphExec, flags: Out<'_, u64>) {
        flags.check()?;
        flags.set(driver().executables.get(executable)?.flags)
    }

    13010 fn cuGraphExecGetId(executable: CuGraphExec, id: Out<'_, u32>) {
        id.check()?;
        id.set(driver().executables.get(executable)?.id as u32)
    }

    10020 fn cuGraphExecUpdate(
        executable: CuGraphExec, graph: CuGraph, node: Out<'_, CuGraphNode>, result: Out<'_, u32>,
    ) {
        let (found, different) = update(executable, graph)?;
        node.put(different);
        result.put(found);
        updated(found)
    }

    12000 fn cuGraphExecUpdate_v2(executable: CuGraphExec, graph: CuGraph, result: Out<'_, UpdateResult>) {
        let failed = UpdateResult { result: update::ERROR, node: CuGraphNode::NULL, from: CuGraphNode::NULL };
        result.put(failed);
        let (found, node) = update(executable, graph)?;
        result.put(UpdateResult { result: found, node, from: CuGraphNode::NULL });
        updated(found)
    }

    11060 fn cuGraphNodeSetEnabled(executable: CuGraphExec, node: CuGraphNode, enabled: u32) {
        let (_, id) = Node::resolve(node)?;
        driver().executables.get(executable)?.enable(id, enabled != 0)
    }

    11060 fn cuGraphNodeGetEnabled(executable: CuGraphExec, node: CuGraphNode, enabled: Out<'_, u32>) {
        enabled.check()?;
        let (_, id) = Node::resolve(node)?;
        enabled.set(u32::from(driver().executables.get(executable)?.enabled(id)?))
    }
}
