//! Graphs' nodes: added, asked for their parameters, and given others, in a graph or in what was made of it.

use std::sync::Arc;

use super::{
    capture::nodes_of,
    entry::driver_functions,
    graph::get,
    launch::{Shape, launch},
    memcpy,
    stream::host_call,
    types::*,
};
use crate::driver::{
    copy::{Address, Copy, Side},
    driver,
    error::{Code, Result},
    fill::Fill,
    operation::{GraphMemory, Operation},
    thread,
};

/// Adds a node to a graph.
fn add(
    node: &Out<'_, CuGraphNode>,
    graph: CuGraph,
    after: &In<'_, CuGraphNode>,
    count: usize,
    operation: Operation,
) -> Result<()> {
    node.check()?;
    let graph = get(graph)?;
    let after = nodes_of(&graph, after.array(count)?)?;
    if let Ok(context) = thread::current() {
        operation.check(&context)?;
    }
    let id = graph.add(operation, &after)?;
    node.set(graph.node(id)?)
}

fn operation(node: CuGraphNode) -> Result<Operation> {
    let (graph, id) = Node::resolve(node)?;
    graph.operation(id)
}

fn set(node: CuGraphNode, operation: Operation) -> Result<()> {
    let (graph, id) = Node::resolve(node)?;
    graph.set_operation(id, operation)
}

fn set_in(executable: CuGraphExec, node: CuGraphNode, operation: Operation) -> Result<()> {
    let (_, id) = Node::resolve(node)?;
    driver().executables.get(executable)?.set_operation(id, operation)
}

fn other_kind<T>() -> Result<T> {
    Err(Code::InvalidValue.because("the node is of another kind"))
}

fn kernel(params: &KernelNodeV1, kernel: CuFunction) -> Result<Operation> {
    let function = if params.function.is_null() { kernel } else { params.function };
    let KernelNodeV1 { grid, block, shared_bytes, params, extra, .. } = *params;
    let shape = Shape { grid, block, shared_bytes, cooperative: false };
    Ok(Operation::Launch(launch(function, shape, params, extra)?))
}

fn kernel_params(node: CuGraphNode) -> Result<KernelNodeV1> {
    let Operation::Launch(launch) = operation(node)? else { return other_kind() };
    let params = launch.params.pointers(launch.function.info());
    Ok(KernelNodeV1 {
        function: launch.function.handle,
        grid: launch.grid,
        block: launch.block,
        shared_bytes: launch.shared_bytes,
        // SAFETY: these are pointers to all parameters in the node's own block, which stays with the node.
        params: unsafe { KernelParams::new(std::ptr::with_exposed_provenance(params)) },
        extra: Extra::NULL,
    })
}

fn fill(params: &MemsetNode) -> Operation {
    let &MemsetNode { dst, pitch, value, element_bytes, width, height } = params;
    let (width, height, pitch) = (width as u64, height as u64, pitch as u64);
    Operation::Fill(Fill { address: dst, value, element_bytes, width, height, pitch })
}

/// A copy's description. Memory is the device's or the host's in it, as the copy has it.
fn described(copy: &Copy) -> Copy3d {
    let split = |side: &Side| match side.address {
        Address::Device(address) => (2, 0, address),
        Address::Host(pointer) => (1, pointer.address(), 0),
    };
    let host = |address: u64| {
        // SAFETY: this is the pointer that the node was made with; whoever made it has vouched for it.
        unsafe { Host::new(std::ptr::with_exposed_provenance(address as usize)) }
    };
    let rows = |side: &Side| side.slice.checked_div(side.pitch).unwrap_or(0) as usize;
    let ((src_type, src_host, src_device), (dst_type, dst_host, dst_device)) = (split(&copy.from), split(&copy.to));
    Copy3d {
        src_x_bytes: 0,
        src_y: 0,
        src_z: 0,
        src_lod: 0,
        src_type,
        src_host: host(src_host),
        src_device,
        src_array: 0,
        src_reserved: 0,
        src_pitch: copy.from.pitch as usize,
        src_height: rows(&copy.from),
        dst_x_bytes: 0,
        dst_y: 0,
        dst_z: 0,
        dst_lod: 0,
        dst_type,
        dst_host: host(dst_host),
        dst_device,
        dst_array: 0,
        dst_reserved: 0,
        dst_pitch: copy.to.pitch as usize,
        dst_height: rows(&copy.to),
        width_bytes: copy.width as usize,
        height: copy.height as usize,
        depth: copy.depth as usize,
    }
}

fn host(params: &HostNode) -> Result<Operation> {
    Ok(Operation::Host(host_call(params.function, params.data)?))
}

fn child(graph: CuGraph) -> Result<Operation> {
    // The node has a graph of its own: so no graph can come to hold itself.
    Ok(Operation::Child(get(graph)?.duplicate()))
}

driver_functions! { export_nodes;
    10000 fn cuGraphAddKernelNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize,
        params: In<'_, KernelNodeV1>,
    ) {
        add(&node, graph, &after, count, kernel(&params.get()?, CuFunction::NULL)?)
    }

    12000 fn cuGraphAddKernelNode_v2(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize,
        params: In<'_, KernelNode>,
    ) {
        let params = params.get()?;
        add(&node, graph, &after, count, kernel(&params.v1, params.kernel)?)
    }

    10000 fn cuGraphKernelNodeGetParams(node: CuGraphNode, params: Out<'_, KernelNodeV1>) {
        params.check()?;
        params.set(kernel_params(node)?)
    }

    12000 fn cuGraphKernelNodeGetParams_v2(node: CuGraphNode, params: Out<'_, KernelNode>) {
        params.check()?;
        let context = thread::current_handle();
        params.set(KernelNode { v1: kernel_params(node)?, kernel: CuFunction::NULL, context })
    }

    10000 fn cuGraphKernelNodeSetParams(node: CuGraphNode, params: In<'_, KernelNodeV1>) {
        set(node, kernel(&params.get()?, CuFunction::NULL)?)
    }

    12000 fn cuGraphKernelNodeSetParams_v2(node: CuGraphNode, params: In<'_, KernelNode>) {
        let params = params.get()?;
        set(node, kernel(&params.v1, params.kernel)?)
    }

    10010 fn cuGraphExecKernelNodeSetParams(
        executable: CuGraphExec, node: CuGraphNode, params: In<'_, KernelNodeV1>,
    ) {
        set_in(executable, node, kernel(&params.get()?, CuFunction::NULL)?)
    }

    12000 fn cuGraphExecKernelNodeSetParams_v2(
        executable: CuGraphExec, node: CuGraphNode, params: In<'_, KernelNode>,
    ) {
        let params = params.get()?;
        set_in(executable, node, kernel(&params.v1, params.kernel)?)
    }

    10000 fn cuGraphAddMemcpyNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize, copy: In<'_, Copy3d>,
        context: CuContext,
    ) {
        let _ = context;
        add(&node, graph, &after, count, Operation::Copy(memcpy::slices(&copy.get()?)?))
    }

    10000 fn cuGraphMemcpyNodeGetParams(node: CuGraphNode, copy: Out<'_, Copy3d>) {
        copy.check()?;
        let Operation::Copy(known) = operation(node)? else { return other_kind() };
        copy.set(described(&known))
    }

    10000 fn cuGraphMemcpyNodeSetParams(node: CuGraphNode, copy: In<'_, Copy3d>) {
        set(node, Operation::Copy(memcpy::slices(&copy.get()?)?))
    }

    10020 fn cuGraphExecMemcpyNodeSetParams(
        executable: CuGraphExec, node: CuGraphNode, copy: In<'_, Copy3d>, context: CuContext,
    ) {
        let _ = context;
        set_in(executable, node, Operation::Copy(memcpy::slices(&copy.get()?)?))
    }

    10000 fn cuGraphAddMemsetNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize,
        params: In<'_, MemsetNode>, context: CuContext,
    ) {
        let _ = context;
        add(&node, graph, &after, count, fill(&params.get()?))
    }

    10000 fn cuGraphMemsetNodeGetParams(node: CuGraphNode, params: Out<'_, MemsetNode>) {
        params.check()?;
        let Operation::Fill(Fill { address, value, element_bytes, width, height, pitch }) = operation(node)? else {
            return other_kind();
        };
        let (pitch, width, height) = (pitch as usize, width as usize, height as usize);
        params.set(MemsetNode { dst: address, pitch, value, element_bytes, width, height })
    }

    10000 fn cuGraphMemsetNodeSetParams(node: CuGraphNode, params: In<'_, MemsetNode>) {
        set(node, fill(&params.get()?))
    }

    10020 fn cuGraphExecMemsetNodeSetParams(
        executable: CuGraphExec, node: CuGraphNode, params: In<'_, MemsetNode>, context: CuContext,
    ) {
        let _ = context;
        set_in(executable, node, fill(&params.get()?))
    }

    10000 fn cuGraphAddHostNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize, params: In<'_, HostNode>,
    ) {
        add(&node, graph, &after, count, host(&params.get()?)?)
    }

    10000 fn cuGraphHostNodeGetParams(node: CuGraphNode, params: Out<'_, HostNode>) {
        params.check()?;
        let Operation::Host(call) = operation(node)? else { return other_kind() };
        params.set(HostNode { function: call.function, data: call.data })
    }

    10000 fn cuGraphHostNodeSetParams(node: CuGraphNode, params: In<'_, HostNode>) {
        set(node, host(&params.get()?)?)
    }

    10020 fn cuGraphExecHostNodeSetParams(executable: CuGraphExec, node: CuGraphNode, params: In<'_, HostNode>) {
        set_in(executable, node, host(&params.get()?)?)
    }

    10000 fn cuGraphAddChildGraphNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize, inner: CuGraph,
    ) {
        add(&node, graph, &after, count, child(inner)?)
    }

    10000 fn cuGraphChildGraphNodeGetGraph(node: CuGraphNode, graph: Out<'_, CuGraph>) {
        graph.check()?;
        let Operation::Child(inner) = operation(node)? else { return other_kind() };
        graph.set(inner.publish())
    }

    11010 fn cuGraphExecChildGraphNodeSetParams(executable: CuGraphExec, node: CuGraphNode, inner: CuGraph) {
        set_in(executable, node, child(inner)?)
    }

    10000 fn cuGraphAddEmptyNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize,
    ) {
        add(&node, graph, &after, count, Operation::Empty)
    }

    11010 fn cuGraphAddEventRecordNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize, event: CuEvent,
    ) {
        add(&node, graph, &after, count, Operation::Record(driver().events.get(event)?))
    }

    11010 fn cuGraphEventRecordNodeGetEvent(node: CuGraphNode, event: Out<'_, CuEvent>) {
        event.check()?;
        let Operation::Record(known) = operation(node)? else { return other_kind() };
        event.set(known.handle)
    }

    11010 fn cuGraphEventRecordNodeSetEvent(node: CuGraphNode, event: CuEvent) {
        set(node, Operation::Record(driver().events.get(event)?))
    }

    11010 fn cuGraphExecEventRecordNodeSetEvent(executable: CuGraphExec, node: CuGraphNode, event: CuEvent) {
        set_in(executable, node, Operation::Record(driver().events.get(event)?))
    }

    11010 fn cuGraphAddEventWaitNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize, event: CuEvent,
    ) {
        add(&node, graph, &after, count, Operation::Wait(driver().events.get(event)?))
    }

    11010 fn cuGraphEventWaitNodeGetEvent(node: CuGraphNode, event: Out<'_, CuEvent>) {
        event.check()?;
        let Operation::Wait(known) = operation(node)? else { return other_kind() };
        event.set(known.handle)
    }

    11010 fn cuGraphEventWaitNodeSetEvent(node: CuGraphNode, event: CuEvent) {
        set(node, Operation::Wait(driver().events.get(event)?))
    }

    11010 fn cuGraphExecEventWaitNodeSetEvent(executable: CuGraphExec, node: CuGraphNode, event: CuEvent) {
        set_in(executable, node, Operation::Wait(driver().events.get(event)?))
    }

    11040 fn cuGraphAddMemAllocNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize,
        params: OutArray<'_, AllocNode>,
    ) {
        node.check()?;
        let mut given = params.get(1)?[0];
        let memory = GraphMemory::new(&*super::memory::context()?, given.bytes as u64)?;
        given.address = memory.address;
        add(&node, graph, &after, count, Operation::Allocate(Arc::new(memory)))?;
        params.set(&[given])
    }

    11040 fn cuGraphMemAllocNodeGetParams(node: CuGraphNode, params: OutArray<'_, AllocNode>) {
        let mut given = params.get(1)?[0];
        let Operation::Allocate(memory) = operation(node)? else { return other_kind() };
        given.bytes = memory.bytes as usize;
        given.address = memory.address;
        params.set(&[given])
    }

    11040 fn cuGraphAddMemFreeNode(
        node: Out<'_, CuGraphNode>, graph: CuGraph, after: In<'_, CuGraphNode>, count: usize, address: CuDevicePtr,
    ) {
        match driver().ledger.find(address) {
            Some((info, Some(entry))) if entry.of_graph && info.base == address => {
                add(&node, graph, &after, count, Operation::Free(address))
            }
            _ => Err(Code::InvalidValue.because("only memory that a graph allocates can be freed in one")),
        }
    }

    11040 fn cuGraphMemFreeNodeGetParams(node: CuGraphNode, address: Out<'_, CuDevicePtr>) {
        address.check()?;
        let Operation::Free(known) = operation(node)? else { return other_kind() };
        address.set(known)
    }
}
