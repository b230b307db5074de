//! What an operation refuses, and how it says so.

/// Why an operation did not run. Nothing has been written when one is returned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A buffer's length disagrees with the shape.
    #[error("{op}: `{arg}` holds {got} values but its shape {shape} needs {want}; check that buffer's length")]
    Length {
        /// The operation.
        op: &'static str,
        /// The argument's name.
        arg: &'static str,
        /// Its shape, in the letters of the operation's contract.
        shape: &'static str,
        /// Values it holds.
        got: usize,
        /// Values it needs.
        want: usize,
    },
    /// A size that the operation cannot take: zero, too large, or not a multiple of what it must be.
    #[error("{op}: {what} is {got}, must be {limit}")]
    Size {
        /// The operation.
        op: &'static str,
        /// Which size.
        what: &'static str,
        /// Its value.
        got: usize,
        /// What it must be, and a usual choice.
        limit: &'static str,
    },
    /// A scalar outside its range.
    #[error("{op}: {what} is {got}, must be {limit}")]
    Scalar {
        /// The operation.
        op: &'static str,
        /// Which scalar.
        what: &'static str,
        /// Its value.
        got: f64,
        /// What it must be, and a usual choice.
        limit: &'static str,
    },
    /// An index (a token, a target, a position) that its table does not have.
    #[error("{op}: `{arg}`[{at}] is {got}, must be less than {limit}; the table it indexes has {limit} rows")]
    Index {
        /// The operation.
        op: &'static str,
        /// The argument's name.
        arg: &'static str,
        /// The place in that argument.
        at: usize,
        /// The value there.
        got: usize,
        /// The number of rows it may name.
        limit: usize,
    },
    /// There is no CUDA driver on this machine.
    #[cfg(feature = "cuda")]
    #[error(
        "there is no CUDA driver here (libcuda.so is not found); install NVIDIA's, version 525 or newer, or use the CPU \
         or the emulated device"
    )]
    NoDriver,
    /// The CUDA driver is older than the kernels' PTX.
    #[cfg(feature = "cuda")]
    #[error(
        "the CUDA driver here is for CUDA {got} at most, must be for {} or newer; install NVIDIA's driver 525 or newer, or \
         use the CPU or the emulated device",
        crate::cuda::devices::Version::OLDEST
    )]
    OldDriver {
        /// The newest version of CUDA that it knows.
        got: crate::cuda::devices::Version,
    },
    /// The CUDA driver has no device for this process.
    #[cfg(feature = "cuda")]
    #[error(
        "the CUDA driver here (for CUDA {driver}) has no device; see whether `nvidia-smi` lists one and CUDA_VISIBLE_DEVICES \
         hides none, or use the CPU or the emulated device"
    )]
    NoDevice {
        /// The newest version of CUDA that it knows.
        driver: crate::cuda::devices::Version,
    },
    /// The CUDA driver refused, or a kernel failed.
    #[cfg(feature = "cuda")]
    #[error("{op}: {doing} failed on the CUDA device")]
    Driver {
        /// The operation.
        op: &'static str,
        /// What the driver was asked to do.
        doing: &'static str,
        /// Its answer.
        source: cudarc::driver::DriverError,
    },
    /// cuBLASLt is not on this machine.
    #[cfg(feature = "cublaslt")]
    #[error(
        "there is no cuBLASLt here (looked for {names}); install NVIDIA's CUDA 12 or its cuBLAS and have LD_LIBRARY_PATH name \
         the folder, or use our own products"
    )]
    NoCublasLt {
        /// What its file may be called.
        names: String,
    },
    /// cuBLASLt does not run on a device in software.
    #[cfg(feature = "cublaslt")]
    #[error("cuBLASLt runs on GPUs only, and the device is {device}; use a GPU, or our own products")]
    CublasLtDevice {
        /// The device's name.
        device: String,
    },
    /// cuBLASLt refused.
    #[cfg(feature = "cublaslt")]
    #[error("{op}: {doing} failed in cuBLASLt; our own products take all that it does not")]
    CublasLt {
        /// The operation.
        op: &'static str,
        /// What the library was asked to do.
        doing: &'static str,
        /// Its answer.
        source: cudarc::cublaslt::result::CublasError,
    },
    /// Memory of another queue, whose work is not in this one's order.
    #[cfg(feature = "cuda")]
    #[error("{op}: `{arg}` is memory of another queue; allocate it on the queue that the operation runs on")]
    Queue {
        /// The operation.
        op: &'static str,
        /// The argument's name.
        arg: &'static str,
    },
    /// Kernels that another queue has loaded.
    #[cfg(feature = "cuda")]
    #[error("{op}: its kernels were loaded for another queue; load them for the one that they are to run on")]
    Loaded {
        /// The operation.
        op: &'static str,
    },
    /// Something that cannot be part of a CUDA graph.
    #[cfg(feature = "cuda")]
    #[error("{doing} cannot be captured in a CUDA graph; run the same work once before it is captured")]
    Capture {
        /// What it was.
        doing: &'static str,
    },
    /// Launches that a kernel refused when it ran, for what it found in device memory. They changed nothing.
    #[cfg(feature = "cuda")]
    #[error("{op}: {count} launches changed nothing because {why}")]
    Launches {
        /// The operation.
        op: &'static str,
        /// How many.
        count: u64,
        /// Why, and the way out.
        why: &'static str,
    },
}

/// Checks one buffer's length against its shape.
pub(crate) fn check_len(
    op: &'static str,
    arg: &'static str,
    shape: &'static str,
    got: usize,
    want: usize,
) -> Result<(), Error> {
    if got == want { Ok(()) } else { Err(Error::Length { op, arg, shape, got, want }) }
}

/// The product of dimensions, or an error where it does not fit in memory.
pub(crate) fn product(op: &'static str, what: &'static str, dims: &[usize]) -> Result<usize, Error> {
    // isize::MAX bytes is the most a slice can hold.
    dims.iter()
        .try_fold(1usize, |acc, &d| acc.checked_mul(d))
        .filter(|&n| n <= isize::MAX as usize / 4)
        .ok_or(Error::Size { op, what, got: usize::MAX, limit: "a product of dimensions that fits in memory" })
}
