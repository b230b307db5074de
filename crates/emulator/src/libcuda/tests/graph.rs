//! Graphs made node by node.

use super::*;
use crate::libcuda::{graph::*, nodes::*};

fn graph() -> CuGraph {
    let mut graph = CuGraph::NULL;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { cuGraphCreate(Out::to(&mut graph), 0) });
    graph
}

fn fill(graph: CuGraph, after: &[CuGraphNode], dst: u64, value: u32) -> CuGraphNode {
    let mut node = CuGraphNode::NULL;
    let params = MemsetNode { dst, pitch: 0, value, element_bytes: 4, width: 1, height: 1 };
    // SAFETY: the pointers are to variables.
    unsafe {
        let (place, after, count) = (Out::to(&mut node), In::from_slice(after), after.len());
        ok(cuGraphAddMemsetNode(place, graph, after, count, In::from(&params), CuContext::NULL));
    }
    node
}

fn instantiate(graph: CuGraph) -> CuGraphExec {
    let mut executable = CuGraphExec::NULL;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { cuGraphInstantiateWithFlags(Out::to(&mut executable), graph, 0) });
    executable
}

fn run(executable: CuGraphExec) {
    // SAFETY: the function takes no pointer.
    ok(unsafe { cuGraphLaunch(executable, CuStream::NULL) });
}

/// Adds `amount` to one word.
fn add_node(graph: CuGraph, after: &[CuGraphNode], add: CuFunction, word: &u64, amount: &u32) -> CuGraphNode {
    let mut node = CuGraphNode::NULL;
    let one = 1u32;
    let pointers = [arg(word), arg(amount), arg(&one)];
    // SAFETY: the parameters are those of the kernel, and are copied by the call.
    unsafe {
        let params = kernel_node(add, KernelParams::new(pointers.as_ptr()));
        let (place, after, count) = (Out::to(&mut node), In::from_slice(after), after.len());
        ok(cuGraphAddKernelNode_v2(place, graph, after, count, In::from(&params)));
    }
    node
}

fn kernel_node(function: CuFunction, params: KernelParams) -> KernelNode {
    let v1 = KernelNodeV1 { function, grid: [1; 3], block: [32, 1, 1], shared_bytes: 0, params, extra: Extra::NULL };
    KernelNode { v1, kernel: CuFunction::NULL, context: CuContext::NULL }
}

#[test]
fn nodes_run_after_what_they_wait_for() {
    let _context = start();
    let (graph, word) = (graph(), on_device(&[0u32]));
    let add = function(load(), c"add");
    // The fill is made last and runs first.
    let ten = add_node(graph, &[], add, &word, &10);
    let first = fill(graph, &[], word, 5);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuGraphAddDependencies(graph, In::from(&first), In::from(&ten), 1));
        fails(cuGraphAddDependencies(graph, In::from(&first), In::from(&ten), 1), Code::InvalidValue);
        fails(cuGraphAddDependencies(graph, In::from(&first), In::from(&first), 1), Code::InvalidValue);
    }
    run(instantiate(graph));
    assert_eq!(from_device::<u32>(word, 1), [15]);
    // SAFETY: as above.
    unsafe {
        ok(cuGraphAddDependencies(graph, In::from(&ten), In::from(&first), 1));
        let mut executable = CuGraphExec::NULL;
        let circle = cuGraphInstantiateWithFlags(Out::to(&mut executable), graph, 0);
        fails(circle, Code::InvalidValue);
        let (mut nodes, mut count) = ([CuGraphNode::new(1); 3], 3);
        ok(cuGraphGetNodes(graph, OutArray::to(&mut nodes), Out::to(&mut count)));
        assert_eq!((nodes, count), ([ten, first, CuGraphNode::NULL], 2));
        count = 1;
        ok(cuGraphNodeGetDependencies(ten, OutArray::to(&mut nodes), Out::to(&mut count)));
        assert_eq!((nodes[0], count), (first, 1));
        ok(cuGraphDestroy(graph));
        let mut kind = 0;
        fails(cuGraphNodeGetType(ten, Out::to(&mut kind)), Code::InvalidHandle);
    }
    free(word);
}

#[test]
fn parameters_change_in_the_executable_alone_or_by_update() {
    let _context = start();
    let (graph, word) = (graph(), on_device(&[0u32]));
    let add = function(load(), c"add");
    let first = fill(graph, &[], word, 1);
    let second = add_node(graph, &[first], add, &word, &2);
    let executable = instantiate(graph);
    run(executable);
    assert_eq!(from_device::<u32>(word, 1), [3]);
    let (amount, one) = (7u32, 1u32);
    let pointers = [arg(&word), arg(&amount), arg(&one)];
    // SAFETY: the parameters are those of the kernel.
    unsafe {
        let params = kernel_node(add, KernelParams::new(pointers.as_ptr()));
        ok(cuGraphExecKernelNodeSetParams_v2(executable, second, In::from(&params)));
        run(executable);
        assert_eq!(from_device::<u32>(word, 1), [8]);
        run(instantiate(graph));
        assert_eq!(from_device::<u32>(word, 1), [3], "the graph has kept its own");

        let mut known = params;
        ok(cuGraphKernelNodeGetParams_v2(second, Out::to(&mut known)));
        assert_eq!((known.v1.function, known.v1.block), (add, [32, 1, 1]));
        ok(cuGraphKernelNodeSetParams_v2(second, In::from(&known)));
        run(instantiate(graph));
        assert_eq!(from_device::<u32>(word, 1), [3], "what a node tells it can be given back");

        let mut info = UpdateResult { result: 9, node: CuGraphNode::NULL, from: CuGraphNode::NULL };
        ok(cuGraphExecUpdate_v2(executable, graph, Out::to(&mut info)));
        assert_eq!(info.result, 0);
        run(executable);
        assert_eq!(from_device::<u32>(word, 1), [3]);
        fill(graph, &[second], word, 100);
        fails(cuGraphExecUpdate_v2(executable, graph, Out::to(&mut info)), Code::GraphExecUpdateFailure);
        assert_eq!(info.result, 2, "the topology");

        ok(cuGraphNodeSetEnabled(executable, second, 0));
        run(executable);
        assert_eq!(from_device::<u32>(word, 1), [1]);
    }
    free(word);
}

#[test]
fn graphs_hold_graphs_and_functions() {
    let _context = start();
    let (inner, outer, word) = (graph(), graph(), on_device(&[0u32]));
    let add = function(load(), c"add");
    add_node(inner, &[], add, &word, &1);
    let (mut a, mut b, mut c) = (CuGraphNode::NULL, CuGraphNode::NULL, CuGraphNode::NULL);
    let mut seen = 0u32;
    unsafe extern "C" fn count(data: UserData) {
        // SAFETY: the test gives a pointer to its variable.
        unsafe { *std::ptr::with_exposed_provenance_mut::<u32>(data) += 1 };
    }
    // SAFETY: the pointers are to variables that outlive the graph.
    unsafe {
        let host = HostNode { function: Some(count), data: (&raw mut seen).expose_provenance() };
        ok(cuGraphAddChildGraphNode(Out::to(&mut a), outer, In::null(), 0, inner));
        ok(cuGraphAddHostNode(Out::to(&mut b), outer, In::from(&a), 1, In::from(&host)));
        ok(cuGraphAddChildGraphNode(Out::to(&mut c), outer, In::from(&b), 1, inner));
        // Later changes are not the child's.
        add_node(inner, &[], add, &word, &1000);
        let (mut copy, mut found, mut kind) = (CuGraph::NULL, CuGraphNode::NULL, 0);
        ok(cuGraphClone(Out::to(&mut copy), outer));
        ok(cuGraphNodeFindInClone(Out::to(&mut found), b, copy));
        ok(cuGraphNodeGetType(found, Out::to(&mut kind)));
        assert_eq!(kind, 3, "a function of the program's");
        let executable = instantiate(copy);
        run(executable);
        run(executable);
        assert_eq!((&raw const seen).read(), 2);
        assert_eq!(from_device::<u32>(word, 1), [4]);
        let mut params = HostNode { function: None, data: 0 };
        ok(cuGraphHostNodeGetParams(b, Out::to(&mut params)));
        assert_eq!(params.data, (&raw mut seen).addr());
        fails(
            cuGraphMemsetNodeSetParams(
                b,
                In::from(&MemsetNode { dst: word, pitch: 0, value: 0, element_bytes: 4, width: 1, height: 1 }),
            ),
            Code::InvalidValue,
        );
    }
    free(word);
}

#[test]
fn copies_in_graphs_are_described_as_they_were_made() {
    let _context = start();
    let graph = graph();
    let values: Vec<u32> = (0..6).collect();
    let to = on_device(&[9u32; 6]);
    let mut node = CuGraphNode::NULL;
    // SAFETY: all of it is numbers and null pointers.
    let mut copy: Copy3d = unsafe { std::mem::zeroed() };
    copy.src_type = 1;
    copy.src_host = host(&values);
    copy.src_x_bytes = 4;
    copy.dst_type = 2;
    copy.dst_device = to;
    copy.width_bytes = 12;
    (copy.height, copy.depth) = (1, 1);
    // SAFETY: the description is within the buffers, which outlive the graph.
    unsafe {
        ok(cuGraphAddMemcpyNode(Out::to(&mut node), graph, In::null(), 0, In::from(&copy), CuContext::NULL));
        let mut told: Copy3d = copy;
        ok(cuGraphMemcpyNodeGetParams(node, Out::to(&mut told)));
        told.dst_x_bytes = 8;
        ok(cuGraphMemcpyNodeSetParams(node, In::from(&told)));
    }
    run(instantiate(graph));
    assert_eq!(from_device::<u32>(to, 6), [9, 9, 1, 2, 3, 9]);
    free(to);
}
