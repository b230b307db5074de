//! A CUDA stream, and the kernels loaded for it.

use super::{Buffer, driver};
use crate::Error;
use cudarc::driver::{
    CudaContext, CudaFunction, CudaModule, CudaStream,
    sys::CUdevice_attribute::{
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
    },
    sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

/// Work on one CUDA device, in order: a stream of its own.
#[derive(Debug)]
pub struct Queue {
    stream: Arc<CudaStream>,
    multiprocessors: u32,
    shared_bytes: u32,
    /// The step that dropout counts with, on the device and as the host last wrote it.
    step: RefCell<Buffer<u32>>,
    known_step: Cell<u32>,
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
        let step = RefCell::new(Buffer::zeros_on(&stream, 1)?);
        Ok(Queue { stream, multiprocessors, shared_bytes, step, known_step: Cell::new(0) })
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

    /// Loads an operation's kernels from their PTX.
    ///
    /// # Errors
    /// [`Error::Driver`] if the driver takes no PTX of ISA 8.0 (it is older than 525), or the device is older than sm_80.
    pub fn load(&self, op: &'static str, ptx: &'static str) -> Result<Module, Error> {
        let module = self.stream.context().load_module(ptx.into()).map_err(driver(op, "loading the kernels"))?;
        Ok(Module { op, module })
    }

    /// The step that kernels with dropout read. Written by the host only when it changes; not while a graph is captured.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn set_step(&self, step: u32) -> Result<(), Error> {
        if self.known_step.get() != step {
            self.step.borrow_mut().view_mut().write(&[step])?;
            self.known_step.set(step);
        }
        Ok(())
    }

    /// Where the step lies on the device.
    pub(super) fn step_address(&self) -> u64 {
        self.step.borrow().address()
    }
}

/// An operation's kernels, loaded.
#[derive(Debug)]
pub struct Module {
    op: &'static str,
    module: Arc<CudaModule>,
}

impl Module {
    /// The kernel of this name.
    ///
    /// # Errors
    /// [`Error::Driver`] if the PTX has no such kernel: our own mistake.
    pub fn function(&self, name: &str) -> Result<CudaFunction, Error> {
        self.module.load_function(name).map_err(driver(self.op, "finding a kernel"))
    }

    /// The kernel of this name, which may be launched with up to `bytes` of dynamic shared memory.
    ///
    /// # Errors
    /// [`Error::Driver`] also if the device has less than that for a block.
    pub fn function_with_shared(&self, name: &str, bytes: u32) -> Result<CudaFunction, Error> {
        let function = self.function(name)?;
        function
            .set_attribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, bytes as i32)
            .map_err(driver(self.op, "asking for shared memory"))?;
        Ok(function)
    }
}
