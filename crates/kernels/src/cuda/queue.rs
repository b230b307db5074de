//! A CUDA stream, and the kernels loaded for it.

use super::buffer::Allocation;
use super::{Buffer, driver};
use crate::Error;
use cudarc::driver::{
    CudaContext, CudaFunction, CudaGraph, CudaModule, CudaStream, LaunchArgs,
    sys::CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
    },
    sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
    sys::{CUgraphInstantiate_flags, CUstreamCaptureMode},
};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Work on one CUDA device, in order: a stream of its own.
#[derive(Debug)]
pub struct Queue {
    stream: Arc<CudaStream>,
    multiprocessors: u32,
    shared_bytes: u32,
    /// The step that dropout counts with, on the device, and what the host last wrote there.
    step: Mutex<(Buffer<u32>, u32)>,
    step_address: u64,
    /// What was loaded, by the PTX's address; it stays for as long as the queue, since graphs launch it without saying so.
    modules: Mutex<HashMap<usize, Arc<CudaModule>>>,
    /// Allocations so far.
    allocations: AtomicU64,
    /// What a graph that is being captured uses.
    captured: Mutex<Option<Vec<Arc<Allocation>>>>,
}

impl Queue {
    /// A queue of the device numbered `ordinal`.
    ///
    /// # Errors
    /// [`Error::NoDriver`] if there is no CUDA driver; [`Error::Driver`] if there is no such device, or it can't be used.
    pub fn new(ordinal: usize) -> Result<Self, Error> {
        const OP: &str = "cuda";
        // SAFETY: this opens and closes the driver's library, as everything below does for good.
        if !unsafe { cudarc::driver::sys::is_culib_present() } {
            return Err(Error::NoDriver);
        }
        let context = CudaContext::new(ordinal).map_err(driver(OP, "opening the device"))?;
        // SAFETY: events order the work of several streams on one slice. Memory of a queue is used on its stream alone:
        // `Buffer` hands its slice to nobody, and launches and copies refuse views of another queue's.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(driver(OP, "making a stream"))?;
        let attribute = |which| context.attribute(which).map_err(driver(OP, "asking for the device's limits"));
        let multiprocessors = attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.max(1) as u32;
        let shared_bytes = attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?.max(0) as u32;
        let step = Buffer::zeros_on(&stream, 1)?;
        let step_address = step.address();
        Ok(Queue {
            stream,
            multiprocessors,
            shared_bytes,
            step: Mutex::new((step, 0)),
            step_address,
            modules: Mutex::new(HashMap::new()),
            allocations: AtomicU64::new(0),
            captured: Mutex::new(None),
        })
    }

    /// The stream.
    pub fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    /// Multiprocessors of the device.
    pub fn multiprocessors(&self) -> u32 {
        self.multiprocessors
    }

    /// Bytes of shared memory that a block can have at most, after [`Module::function_with_shared`] has asked for them.
    pub fn shared_bytes(&self) -> u32 {
        self.shared_bytes
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// [`Error::Driver`] for what went wrong in it.
    pub fn wait(&self) -> Result<(), Error> {
        self.stream.synchronize().map_err(driver("cuda", "waiting for the device"))
    }

    /// Loads an operation's kernels from their PTX, or finds them loaded.
    ///
    /// # Errors
    /// [`Error::Driver`] if the driver takes no PTX of ISA 8.0 (it is older than 525), or the device is older than
    /// sm_80; [`Error::Capture`] while a graph is captured, unless they are loaded.
    pub fn load(&self, op: &'static str, ptx: &'static str) -> Result<Module, Error> {
        // A panic while it was locked left it as it was.
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        let module = match modules.entry(ptx.as_ptr() as usize) {
            Entry::Occupied(known) => Arc::clone(known.get()),
            Entry::Vacant(new) => {
                if self.captured().is_some() {
                    return Err(Error::Capture { doing: "loading kernels" });
                }
                let module =
                    self.stream.context().load_module(ptx.into()).map_err(driver(op, "loading the kernels"))?;
                Arc::clone(new.insert(module))
            }
        };
        Ok(Module { op, module, stream: Arc::clone(&self.stream) })
    }

    /// How many modules are loaded.
    #[cfg(test)]
    pub(crate) fn loaded(&self) -> usize {
        self.modules.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Begins a launch on this queue. Only of a kernel that it has loaded, and so keeps for as long as any of its graphs is
    /// replayed.
    ///
    /// # Errors
    /// [`Error::Loaded`] if another queue has loaded it.
    pub fn launch<'a>(&'a self, kernel: &'a Kernel) -> Result<LaunchArgs<'a>, Error> {
        if !Arc::ptr_eq(&kernel.stream, &self.stream) {
            return Err(Error::Loaded { op: kernel.op });
        }
        Ok(self.stream.launch_builder(&kernel.function))
    }

    /// The step that kernels with dropout read. Written by the host only when it changes; not while a graph is captured.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn set_step(&self, step: u32) -> Result<(), Error> {
        // A panic while it was locked left it as it was: there is nothing to mend.
        let (device, known) = &mut *self.step.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != step {
            device.view_mut().write(&[step])?;
            *known = step;
        }
        Ok(())
    }

    /// How often memory of this queue was allocated. A graph that was captured before the last time may use memory that is not
    /// the caller's any more (it keeps it, so that replaying it does no harm).
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    /// Notes an allocation, which no graph can hold.
    pub(super) fn count_allocation(&self) -> Result<(), Error> {
        if self.captured().is_some() {
            return Err(Error::Capture { doing: "an allocation" });
        }
        self.allocations.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn captured(&self) -> MutexGuard<'_, Option<Vec<Arc<Allocation>>>> {
        // A panic while it was locked left a list that is as good as before.
        self.captured.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps memory for as long as the graph that is being captured, if one is.
    pub(super) fn keep(&self, allocation: &Arc<Allocation>) {
        if let Some(kept) = &mut *self.captured()
            && !kept.iter().any(|other| Arc::ptr_eq(other, allocation))
        {
            kept.push(Arc::clone(allocation));
        }
    }

    /// Captures what `work` launches on this queue, without running it. `work` may not wait for the device, copy to or from the
    /// host, allocate, or load kernels, as the first launch of an operation in a type may do: run it once before.
    ///
    /// # Errors
    /// Those of `work`; [`Error::Driver`] if the driver cannot capture it.
    pub fn capture<E: From<Error>>(&self, work: impl FnOnce() -> Result<(), E>) -> Result<Graph, E> {
        const OP: &str = "cuda graph";
        // Ends the capture whatever happens, also if `work` panics: the stream could not be used otherwise.
        struct Capture<'a>(&'a Queue);
        impl Capture<'_> {
            fn end(&self) -> (Result<Option<CudaGraph>, Error>, Vec<Arc<Allocation>>) {
                let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
                let graph = self.0.stream.end_capture(flags).map_err(driver(OP, "ending the capture"));
                (graph, self.0.captured().take().unwrap_or_default())
            }
        }
        impl Drop for Capture<'_> {
            fn drop(&mut self) {
                if self.0.captured().is_some() {
                    let _ = self.end();
                }
            }
        }
        *self.captured() = Some(Vec::new());
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        if let Err(error) = self.stream.begin_capture(mode).map_err(driver(OP, "beginning a capture")) {
            self.captured().take();
            return Err(error.into());
        }
        let capture = Capture(self);
        work()?;
        let (graph, kept) = capture.end();
        let graph = graph?.ok_or(Error::Capture { doing: "nothing" })?;
        Ok(Graph { graph: Replayable(graph), stream: Arc::clone(&self.stream), _kept: kept })
    }

    /// Enqueues everything that a graph of this queue has captured, as one launch.
    ///
    /// # Errors
    /// [`Error::Queue`] if it was captured on another queue; [`Error::Driver`].
    pub fn replay(&self, graph: &mut Graph) -> Result<(), Error> {
        const OP: &str = "cuda graph";
        if !Arc::ptr_eq(&graph.stream, &self.stream) {
            return Err(Error::Queue { op: OP, arg: "graph" });
        }
        graph.graph.0.launch().map_err(driver(OP, "replaying it"))
    }

    /// Where the step lies on the device.
    pub(super) fn step_address(&self) -> u64 {
        self.step_address
    }
}

/// Launches that were captured, to be replayed by [`Queue::replay`]. Keeps the memory that they use.
#[derive(Debug)]
pub struct Graph {
    graph: Replayable,
    stream: Arc<CudaStream>,
    _kept: Vec<Arc<Allocation>>,
}

struct Replayable(CudaGraph);

// SAFETY: a graph may be used by any thread, but by one at a time: it is used through `&mut Graph` alone.
unsafe impl Send for Replayable {}

impl fmt::Debug for Replayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CudaGraph").finish_non_exhaustive()
    }
}

/// An operation's kernels, loaded.
#[derive(Debug)]
pub struct Module {
    op: &'static str,
    module: Arc<CudaModule>,
    stream: Arc<CudaStream>,
}

/// A kernel, of the queue that has loaded it.
#[derive(Debug)]
pub struct Kernel {
    op: &'static str,
    function: CudaFunction,
    stream: Arc<CudaStream>,
}

impl Module {
    /// The kernel of this name.
    ///
    /// # Errors
    /// [`Error::Driver`] if the PTX has no such kernel: our own mistake.
    pub fn function(&self, name: &str) -> Result<Kernel, Error> {
        let function = self.module.load_function(name).map_err(driver(self.op, "finding a kernel"))?;
        Ok(Kernel { op: self.op, function, stream: Arc::clone(&self.stream) })
    }

    /// The kernel of this name, which may be launched with up to `bytes` of dynamic shared memory.
    ///
    /// # Errors
    /// [`Error::Driver`] also if the device has less than that for a block.
    pub fn function_with_shared(&self, name: &str, bytes: u32) -> Result<Kernel, Error> {
        let kernel = self.function(name)?;
        kernel
            .function
            .set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes as i32)
            .map_err(driver(self.op, "asking for shared memory"))?;
        Ok(kernel)
    }
}
