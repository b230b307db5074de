//! A CUDA device: buffers are its memory, operations are launches on one queue, in order.
//!
//! The host waits for the device where a result comes to the host, and nowhere else: [`Device::download`],
//! [`Device::read_totals`], [`Device::top_k_log_softmax`] and [`Device::adam_outcome`]. Kernels are loaded when they are first used; scratch
//! grows at the first use of a size, then stays.

mod arguments;
mod graphs;
mod memory;
mod operations;

pub use graphs::Graphs;
pub use memory::{Act, ActMut, Activations, Parameters};

use super::Precision;
use crate::cuda::{Buffer, Fill, Once, Queue, View, ViewMut, once};
use crate::{Error, attention, cross_entropy, embedding, grad_norm, layer_norm, matmul, top_k};
use cudarc::driver::{DeviceRepr, ValidAsZeroBits};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A CUDA device. Clones share its queue, its kernels and its scratch.
#[derive(Clone, Debug)]
pub struct Cuda {
    shared: Arc<Shared>,
    precision: Precision,
    #[cfg(feature = "cublaslt")]
    cublaslt: Option<Arc<matmul::cuda::Kernels>>,
}

#[derive(Debug)]
struct Shared {
    queue: Queue,
    scratch: Mutex<Scratch>,
    // Kernels of each operation, from its first use on.
    attention: Once<attention::cuda::Kernels>,
    decode: Once<attention::decode_cuda::Kernels>,
    cross_entropy: Once<cross_entropy::cuda::Kernels>,
    embedding: Once<embedding::cuda::Kernels>,
    fill: Once<Fill>,
    grad_norm: Once<grad_norm::cuda::Kernels>,
    layer_norm: Once<layer_norm::cuda::Kernels>,
    matmul: Once<matmul::cuda::Kernels>,
    top_k: Once<top_k::cuda::Kernels>,
}

/// What operations work in, and the scalars that they read.
#[derive(Debug)]
struct Scratch {
    floats: Buffer<f32>,
    doubles: Buffer<f64>,
    integers: Buffer<u32>,
    /// The scale of gradients that the cross-entropy reads.
    grad_scale: Scalar,
    /// What undoes the loss's scale.
    unscale: Scalar,
    /// What Adam reads: the norm and the factor of the gradients.
    words: Buffer<u64>,
}

/// One value in device memory, and what the host last wrote there.
#[derive(Debug)]
struct Scalar {
    device: Buffer<f32>,
    known: f32,
}

impl Scalar {
    fn zero(queue: &Queue) -> Result<Self, Error> {
        Ok(Scalar { device: Buffer::zeros(queue, 1)?, known: 0.0 })
    }

    /// Where it lies, once it is this. Written only when it changes.
    fn set(&mut self, value: f32) -> Result<View<'_>, Error> {
        if self.known.to_bits() != value.to_bits() {
            self.device.view_mut().write(&[value])?;
            self.known = value;
        }
        Ok(self.device.view())
    }
}

/// The first `len` values of a buffer that grows to hold them.
fn grown<'a, T: DeviceRepr + ValidAsZeroBits + Copy>(
    queue: &Queue,
    buffer: &'a mut Buffer<T>,
    len: usize,
) -> Result<ViewMut<'a, T>, Error> {
    if buffer.len() < len {
        *buffer = Buffer::zeros(queue, len)?;
    }
    let [view] = buffer.view_mut().split([(0, len)]);
    Ok(view)
}

impl Cuda {
    /// The device numbered `ordinal`, with activations of f32.
    ///
    /// # Errors
    /// [`Error::NoDriver`] if there is no CUDA driver; [`Error::Driver`] if there is no such device, or it can't be used.
    pub fn new(ordinal: usize) -> Result<Self, Error> {
        let queue = Queue::new(ordinal)?;
        let scratch = Mutex::new(Scratch {
            floats: Buffer::zeros(&queue, 0)?,
            doubles: Buffer::zeros(&queue, 0)?,
            integers: Buffer::zeros(&queue, 0)?,
            grad_scale: Scalar::zero(&queue)?,
            unscale: Scalar::zero(&queue)?,
            words: Buffer::zeros(&queue, 2)?,
        });
        Ok(Cuda {
            precision: Precision::F32,
            #[cfg(feature = "cublaslt")]
            cublaslt: None,
            shared: Arc::new(Shared {
                queue,
                scratch,
                attention: Once::new(),
                decode: Once::new(),
                cross_entropy: Once::new(),
                embedding: Once::new(),
                fill: Once::new(),
                grad_norm: Once::new(),
                layer_norm: Once::new(),
                matmul: Once::new(),
                top_k: Once::new(),
            }),
        })
    }

    /// The same device with activations in another precision.
    pub fn with_precision(self, precision: Precision) -> Self {
        Cuda { precision, ..self }
    }

    /// The same device with the matrix products of NVIDIA's cuBLASLt, those that it has: see
    /// [`Kernels::with_cublaslt`](matmul::cuda::Kernels::with_cublaslt).
    ///
    /// # Errors
    /// As there.
    #[cfg(feature = "cublaslt")]
    pub fn with_cublaslt(self) -> Result<Self, Error> {
        let kernels = matmul::cuda::Kernels::load(self.queue())?.with_cublaslt(self.queue())?;
        Ok(Cuda { cublaslt: Some(Arc::new(kernels)), ..self })
    }

    /// The matrix products: ours, but where others are asked for.
    fn products(&self) -> Result<&matmul::cuda::Kernels, Error> {
        #[cfg(feature = "cublaslt")]
        if let Some(kernels) = &self.cublaslt {
            return Ok(kernels);
        }
        self.matmul()
    }

    /// Its queue.
    pub fn queue(&self) -> &Queue {
        &self.shared.queue
    }

    fn scratch(&self) -> MutexGuard<'_, Scratch> {
        // A panic while it was locked has left buffers whose content is of no consequence.
        self.shared.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A method of `Cuda` for each operation's kernels.
macro_rules! kernels {
    ($($name:ident: $kernels:ty,)*) => {
        impl Cuda {
            $(
                fn $name(&self) -> Result<&$kernels, Error> {
                    once(&self.shared.$name, || <$kernels>::load(self.queue()))
                }
            )*
        }
    };
}

kernels! {
    attention: attention::cuda::Kernels,
    decode: attention::decode_cuda::Kernels,
    cross_entropy: cross_entropy::cuda::Kernels,
    embedding: embedding::cuda::Kernels,
    fill: Fill,
    grad_norm: grad_norm::cuda::Kernels,
    layer_norm: layer_norm::cuda::Kernels,
    matmul: matmul::cuda::Kernels,
    top_k: top_k::cuda::Kernels,
}
