//! Products by NVIDIA's cuBLASLt, to measure ours against: only where [`with_cublaslt`](super::Kernels::with_cublaslt) has
//! asked for it.
//!
//! The library makes those that it has: without an epilogue, of every type; with a bias, or ReLU behind it, where C is f32,
//! for it takes a bias in C's type and ours are f32. All others stay ours, as do products of no terms. Its sums have an order
//! of its own, in f32 too, and its ReLU need not leave a NaN as it is.
//!
//! It is column-major. A row-major matrix is its own transpose there, so it is asked for Cᵀ = Bᵀ Aᵀ ([`operands`]). The
//! descriptors are made, and its heuristic is asked for the algorithm, at each call: the host's time, some microseconds, of
//! which a captured graph keeps nothing.
//!
//! What this file says to the library is tested, by the library too where there is one; what needs a GPU has not run yet.

#[cfg(test)]
mod tests;

use super::{End, OP};
use crate::Error;
use crate::cuda::{Buffer, Element, Queue, driver};
use crate::matmul::{Epilogue, Shape};
use cudarc::cublaslt::result::{self, CublasError};
use cudarc::cublaslt::sys::{
    self, cublasComputeType_t as Compute, cublasLtEpilogue_t as LtEpilogue,
    cublasLtMatmulDescAttributes_t as DescAttribute, cublasLtMatmulPreferenceAttributes_t as PrefAttribute,
    cudaDataType,
};
use std::ffi::c_void;
use std::sync::{Mutex, PoisonError};

/// What the library works in: as much as NVIDIA advises for its largest devices.
const WORKSPACE_BYTES: usize = 32 << 20;

/// How the emulated device's names begin.
const EMULATED: &str = "noam emulator";

/// A failed call of the library.
fn failed(doing: &'static str) -> impl FnOnce(CublasError) -> Error {
    move |source| Error::CublasLt { op: OP, doing, source }
}

/// Refuses where the library is not `present`.
fn check_present(present: bool) -> Result<(), Error> {
    if present {
        return Ok(());
    }
    Err(Error::NoCublasLt { names: cudarc::get_lib_name_candidates("cublasLt").join(", ") })
}

/// Refuses the emulated device: what the library launches is machine code, by a driver of its own finding.
fn check_device(name: &str) -> Result<(), Error> {
    if name.starts_with(EMULATED) { Err(Error::CublasLtDevice { device: name.into() }) } else { Ok(()) }
}

/// A matrix in column-major memory, without gaps: the leading dimension is `rows`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stored {
    rows: usize,
    columns: usize,
    /// Whether the product takes its transpose.
    transposed: bool,
}

/// The library's first operand, which is our B, its second, which is our A, and its result, which is our C.
fn operands(Shape { m, n, k }: Shape, a_transposed: bool, b_transposed: bool) -> [Stored; 3] {
    // Stored row-major as (r, c), a matrix has c rows and r columns in column-major order.
    let row_major = |r, c, transposed| Stored { rows: c, columns: r, transposed };
    [
        if b_transposed { row_major(n, k, true) } else { row_major(k, n, false) },
        if a_transposed { row_major(k, m, true) } else { row_major(m, k, false) },
        row_major(m, n, false),
    ]
}

fn data_type<T: Element>() -> cudaDataType {
    match T::NAME {
        "bf16" => cudaDataType::CUDA_R_16BF,
        "f16" => cudaDataType::CUDA_R_16F,
        _ => cudaDataType::CUDA_R_32F,
    }
}

/// How factors of T are multiplied. Sums are f32.
fn compute_type<T: Element>() -> Compute {
    if T::NAME == "tf32" { Compute::CUBLAS_COMPUTE_32F_FAST_TF32 } else { Compute::CUBLAS_COMPUTE_32F }
}

/// The alignment that the library may count on, in bytes: it knows none beyond 256.
fn alignment(address: u64) -> u32 {
    1 << address.trailing_zeros().min(8)
}

/// An epilogue that the library has; with the address of its bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Nothing,
    Bias(u64),
    BiasRelu(u64),
}

impl Finish {
    /// Nothing where ours has to make the product, of operands of T and a result of C.
    pub(super) fn of<T, C: Element>(end: &End<'_, T>) -> Option<Self> {
        let biased = size_of::<C>() == 4;
        match end {
            End::Epilogue(Epilogue::None) => Some(Finish::Nothing),
            End::Epilogue(Epilogue::Bias(bias)) if biased => Some(Finish::Bias(*bias.pointer())),
            End::Epilogue(Epilogue::BiasRelu(bias)) if biased => Some(Finish::BiasRelu(*bias.pointer())),
            End::Epilogue(_) | End::ColumnSums(_) | End::Dropped(..) | End::Normalized(..) => None,
        }
    }

    fn library(self) -> (LtEpilogue, Option<u64>) {
        match self {
            Finish::Nothing => (LtEpilogue::CUBLASLT_EPILOGUE_DEFAULT, None),
            Finish::Bias(bias) => (LtEpilogue::CUBLASLT_EPILOGUE_BIAS, Some(bias)),
            Finish::BiasRelu(bias) => (LtEpilogue::CUBLASLT_EPILOGUE_RELU_BIAS, Some(bias)),
        }
    }
}

/// A product, with the addresses of what its shape says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub shape: Shape,
    /// With whether it is transposed.
    pub a: (u64, bool),
    pub b: (u64, bool),
    pub c: u64,
    pub accumulate: bool,
    pub finish: Finish,
}

/// The library, for one queue.
#[derive(Debug)]
pub(super) struct CublasLt(Mutex<Library>);

#[derive(Debug)]
struct Library {
    handle: sys::cublasLtHandle_t,
    workspace: Buffer<u8>,
}

// SAFETY: the handle is the library's own data on the heap, bound to a device and not to a thread; it is used by one
// thread at a time, since `CublasLt` has it behind a mutex.
unsafe impl Send for Library {}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the handle was made by `create_handle`, and nothing else destroys it. An error leaves it behind.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

impl CublasLt {
    /// # Errors
    /// [`Error::CublasLtDevice`]; [`Error::NoCublasLt`]; [`Error::CublasLt`]; [`Error::Driver`].
    pub(super) fn new(queue: &Queue) -> Result<Self, Error> {
        let context = queue.stream().context();
        check_device(&context.name().map_err(driver(OP, "asking for the device's name"))?)?;
        // SAFETY: this opens and closes the library, as everything below does for good.
        check_present(unsafe { sys::is_culib_present() })?;
        context.bind_to_thread().map_err(driver(OP, "opening cuBLASLt"))?;
        let workspace = Buffer::zeros(queue, WORKSPACE_BYTES)?;
        let handle = result::create_handle().map_err(failed("opening it"))?;
        Ok(CublasLt(Mutex::new(Library { handle, workspace })))
    }

    /// Enqueues a product of operands of T with a result of C.
    ///
    /// # Safety
    /// The addresses are of memory of this queue, which holds as many values as `call.shape` says: a (M, K), b (K, N), a
    /// bias (N) of f32, and c (M, N), which nothing else reads or writes.
    ///
    /// # Errors
    /// [`Error::CublasLt`], also where the library has no algorithm for this; [`Error::Driver`].
    pub(super) unsafe fn launch<T: Element, C: Element>(&self, queue: &Queue, call: Call) -> Result<(), Error> {
        // A panic while it was locked left nothing half done.
        let library = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queue.stream().context().bind_to_thread().map_err(driver(OP, "launching the product"))?;
        library.workspace.view().check_queue(OP, "workspace", queue)?;
        let Described { desc, layouts: [first, second, result], preference } = &Described::new::<T, C>(call)?;
        let Call { a: (a, _), b: (b, _), c, accumulate, .. } = call;
        let (one, beta) = (1.0f32, if accumulate { 1.0f32 } else { 0.0 });
        // SAFETY: all handles live until the end of this function.
        let chosen = unsafe {
            result::get_matmul_algo_heuristic(
                library.handle,
                desc.0,
                first.0,
                second.0,
                result.0,
                result.0,
                preference.0,
            )
        }
        .map_err(failed("looking for an algorithm"))?;
        // SAFETY: the handles live as above, and the library keeps none of them beyond the call, nor `one` and `beta`,
        // which are on the host, as they are where a descriptor says nothing else. The layouts are those of the caller's
        // memory, in the order that `operands` says, so what is read and written is within what the caller vouches
        // for: C's new values lie where the old ones do, which the library allows. The workspace is as large as the
        // preference said, lives as long as the queue's graphs, and is this library's alone, whose work is all in
        // this stream's order.
        unsafe {
            result::matmul(
                library.handle,
                desc.0,
                (&raw const one).cast(),
                (&raw const beta).cast(),
                b as *const c_void,
                first.0,
                a as *const c_void,
                second.0,
                c as *const c_void,
                result.0,
                c as *mut c_void,
                result.0,
                &chosen.algo,
                *library.workspace.view_mut().pointer() as *mut c_void,
                WORKSPACE_BYTES,
                queue.stream().cu_stream().cast(),
            )
        }
        .map_err(failed("launching the product"))
    }
}

/// A product as the library is told of it.
struct Described {
    desc: Desc,
    /// Of its two operands and its result.
    layouts: [Layout; 3],
    preference: Preference,
}

impl Described {
    fn new<T: Element, C: Element>(Call { shape, a, b, c, finish, .. }: Call) -> Result<Self, Error> {
        let [first, second, result] = operands(shape, a.1, b.1);
        let desc = Desc::new(compute_type::<T>())?;
        desc.set(DescAttribute::CUBLASLT_MATMUL_DESC_TRANSA, &i32::from(first.transposed))?;
        desc.set(DescAttribute::CUBLASLT_MATMUL_DESC_TRANSB, &i32::from(second.transposed))?;
        let (epilogue, bias) = finish.library();
        desc.set(DescAttribute::CUBLASLT_MATMUL_DESC_EPILOGUE, &(epilogue as u32))?;
        if let Some(bias) = bias {
            desc.set(DescAttribute::CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias)?;
        }
        let preference = Preference::new()?;
        preference.set(PrefAttribute::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &(WORKSPACE_BYTES as u64))?;
        for (attribute, address) in [
            (PrefAttribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, b.0),
            (PrefAttribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, a.0),
            (PrefAttribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, c),
            (PrefAttribute::CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, c),
        ] {
            preference.set(attribute, &alignment(address))?;
        }
        let layouts = [Layout::new::<T>(first)?, Layout::new::<T>(second)?, Layout::new::<C>(result)?];
        Ok(Described { desc, layouts, preference })
    }
}

/// What a product is.
struct Desc(sys::cublasLtMatmulDesc_t);

impl Desc {
    fn new(compute: Compute) -> Result<Self, Error> {
        result::create_matmul_desc(compute, cudaDataType::CUDA_R_32F).map(Desc).map_err(failed("describing a product"))
    }

    fn set<V: Copy>(&self, attribute: DescAttribute, value: &V) -> Result<(), Error> {
        // SAFETY: the descriptor lives, and `value` is as long as is said; the library copies it, and refuses a length
        // that is not the attribute's.
        unsafe { result::set_matmul_desc_attribute(self.0, attribute, (&raw const *value).cast(), size_of::<V>()) }
            .map_err(failed("describing a product"))
    }
}

impl Drop for Desc {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and destroyed nowhere else.
        let _ = unsafe { result::destroy_matmul_desc(self.0) };
    }
}

/// How a matrix lies in memory.
struct Layout(sys::cublasLtMatrixLayout_t);

impl Layout {
    fn new<T: Element>(Stored { rows, columns, .. }: Stored) -> Result<Self, Error> {
        // Fits: dimensions are below 2^31.
        result::create_matrix_layout(data_type::<T>(), rows as u64, columns as u64, rows as i64)
            .map(Layout)
            .map_err(failed("describing a matrix"))
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and destroyed nowhere else.
        let _ = unsafe { result::destroy_matrix_layout(self.0) };
    }
}

/// What the heuristic may count on.
struct Preference(sys::cublasLtMatmulPreference_t);

impl Preference {
    fn new() -> Result<Self, Error> {
        result::create_matmul_pref().map(Preference).map_err(failed("describing a preference"))
    }

    fn set<V: Copy>(&self, attribute: PrefAttribute, value: &V) -> Result<(), Error> {
        // SAFETY: as in `Desc::set`.
        unsafe { result::set_matmul_pref_attribute(self.0, attribute, (&raw const *value).cast(), size_of::<V>()) }
            .map_err(failed("describing a preference"))
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        // SAFETY: made by `new`, and destroyed nowhere else.
        let _ = unsafe { result::destroy_matmul_pref(self.0) };
    }
}
