//! Stream capture.

use std::sync::Arc;

use super::{entry::driver_functions, types::*};
use crate::driver::{
    capture::{Capture, Mode},
    error::{Code, Result},
    graph::NodeId,
};

/// What a stream's capture is doing.
const NONE: u32 = 0;
const ACTIVE: u32 = 1;
const INVALIDATED: u32 = 2;

/// Nodes that a caller names, which must be a graph's.
pub(super) fn nodes_of(graph: &Arc<Graph>, handles: Vec<CuGraphNode>) -> Result<Vec<NodeId>> {
    handles
        .into_iter()
        .map(|handle| {
            let (owner, id) = Node::resolve(handle)?;
            if !Arc::ptr_eq(&owner, graph) {
                return Err(Code::InvalidValue.because("a node is of another graph"));
            }
            Ok(id)
        })
        .collect()
}

/// What a stream tells of its capture.
struct Info<'a> {
    status: &'a Out<'a, u32>,
    id: &'a Out<'a, u64>,
    graph: &'a Out<'a, CuGraph>,
    count: &'a Out<'a, usize>,
}

impl Info<'_> {
    /// Tells it; gives the nodes that the stream's next node waits for.
    fn tell(&self, stream: CuStream) -> Result<Vec<CuGraphNode>> {
        self.status.check()?;
        let stream = Stream::resolve(stream)?;
        stream.context()?;
        let part = stream.part().clone();
        let Some(part) = part else {
            self.status.put(NONE);
            return Ok(Vec::new());
        };
        if part.capture.is_invalid() {
            self.status.put(INVALIDATED);
            return Ok(Vec::new());
        }
        self.status.put(ACTIVE);
        self.id.put(part.capture.id);
        self.graph.put(part.capture.graph.publish());
        self.count.put(part.tips.len());
        part.tips.iter().map(|&tip| part.capture.graph.node(tip)).collect()
    }
}

thread_local! {
    /// The nodes that the last `cuStreamGetCaptureInfo` of the thread told of: it gives out a pointer to them.
    static TIPS: std::cell::RefCell<Vec<CuGraphNode>> = const { std::cell::RefCell::new(Vec::new()) };
}

/// A pointer to nodes that stays good until the thread asks again.
fn keep(tips: Vec<CuGraphNode>) -> usize {
    let kept = TIPS.try_with(|kept| {
        *kept.borrow_mut() = tips;
        kept.borrow().as_ptr().expose_provenance()
    });
    kept.unwrap_or(0)
}

fn update(stream: CuStream, nodes: Vec<CuGraphNode>, flags: u32) -> Result<()> {
    let stream = Stream::resolve(stream)?;
    let mut part = stream.part();
    let part = part.as_mut().ok_or_else(|| Code::IllegalState.because("the stream is not capturing"))?;
    if part.capture.is_invalid() {
        return Err(Code::CaptureInvalidated.into());
    }
    let nodes = nodes_of(&part.capture.graph, nodes)?;
    match flags {
        // Add.
        0 => {
            for node in nodes {
                if !part.tips.contains(&node) {
                    part.tips.push(node);
                }
            }
        }
        // Replace.
        1 => part.tips = nodes,
        _ => return Err(Code::InvalidValue.into()),
    }
    Ok(())
}

driver_functions! { export_capture;
    10000 fn [cuStreamBeginCapture cuStreamBeginCapture_ptsz](stream: CuStream) {
        let stream = Stream::resolve(stream)?;
        stream.context()?;
        Capture::begin(&stream, Graph::new(), Vec::new(), Mode::Global)
    }

    10010 fn [cuStreamBeginCapture_v2 cuStreamBeginCapture_v2_ptsz](stream: CuStream, mode: u32) {
        let stream = Stream::resolve(stream)?;
        stream.context()?;
        Capture::begin(&stream, Graph::new(), Vec::new(), Mode::from_number(mode)?)
    }

    12030 fn [cuStreamBeginCaptureToGraph cuStreamBeginCaptureToGraph_ptsz](
        stream: CuStream, graph: CuGraph, after: In<'_, CuGraphNode>, edges: In<'_, EdgeData>, count: usize, mode: u32,
    ) {
        let _ = edges;
        let graph = crate::driver::driver().graphs.get(graph)?;
        let stream = Stream::resolve(stream)?;
        stream.context()?;
        let after = nodes_of(&graph, after.array(count)?)?;
        Capture::begin(&stream, graph, after, Mode::from_number(mode)?)
    }

    10000 fn [cuStreamEndCapture cuStreamEndCapture_ptsz](stream: CuStream, graph: Out<'_, CuGraph>) {
        graph.check()?;
        graph.put(CuGraph::NULL);
        graph.set(Capture::end(&Stream::resolve(stream)?)?.publish())
    }

    10000 fn [cuStreamIsCapturing cuStreamIsCapturing_ptsz](stream: CuStream, status: Out<'_, u32>) {
        status.check()?;
        let stream = Stream::resolve(stream)?;
        stream.context()?;
        let part = stream.part();
        status.set(part.as_ref().map_or(NONE, |part| if part.capture.is_invalid() { INVALIDATED } else { ACTIVE }))
    }

    10010 fn [cuStreamGetCaptureInfo cuStreamGetCaptureInfo_ptsz](
        stream: CuStream, status: Out<'_, u32>, id: Out<'_, u64>,
    ) {
        let (graph, count) = (Out::null(), Out::null());
        Info { status: &status, id: &id, graph: &graph, count: &count }.tell(stream).map(|_| ())
    }

    11030 fn [cuStreamGetCaptureInfo_v2 cuStreamGetCaptureInfo_v2_ptsz](
        stream: CuStream, status: Out<'_, u32>, id: Out<'_, u64>, graph: Out<'_, CuGraph>, tips: Out<'_, usize>,
        count: Out<'_, usize>,
    ) {
        let nodes = Info { status: &status, id: &id, graph: &graph, count: &count }.tell(stream)?;
        tips.put(keep(nodes));
        Ok(())
    }

    12030 fn [cuStreamGetCaptureInfo_v3 cuStreamGetCaptureInfo_v3_ptsz](
        stream: CuStream, status: Out<'_, u32>, id: Out<'_, u64>, graph: Out<'_, CuGraph>, tips: Out<'_, usize>,
        edges: Out<'_, usize>, count: Out<'_, usize>,
    ) {
        let nodes = Info { status: &status, id: &id, graph: &graph, count: &count }.tell(stream)?;
        tips.put(keep(nodes));
        // All edges are plain.
        edges.put(0);
        Ok(())
    }

    11030 fn [cuStreamUpdateCaptureDependencies cuStreamUpdateCaptureDependencies_ptsz](
        stream: CuStream, nodes: In<'_, CuGraphNode>, count: usize, flags: u32,
    ) {
        update(stream, nodes.array(count)?, flags)
    }

    12030 fn [cuStreamUpdateCaptureDependencies_v2 cuStreamUpdateCaptureDependencies_v2_ptsz](
        stream: CuStream, nodes: In<'_, CuGraphNode>, edges: In<'_, EdgeData>, count: usize, flags: u32,
    ) {
        let _ = edges;
        update(stream, nodes.array(count)?, flags)
    }
}
