//! Every CUDA launcher as cases that can be checked, timed and counted, where there is a program and no test suite.
//!
//! A [`Case`] is a call that a training step or a decoder makes: an operation, an element type and a shape, with the
//! least bytes and the floating-point operations that it takes. [`Case::prepare`] puts its operands on a queue's
//! device, the same ones each time; [`Prepared::launch`] is the launcher's call and nothing else; [`Case::check`] makes
//! it twice and compares the results with each other and with the CPU's.
//!
//! # What a result must be
//! In f32 it has the CPU's bits, a NaN being equal to any NaN. In bf16 and f16 the CPU's f32 code runs on the operands
//! as they were rounded, as it does in tf32, which only products have. Operations whose arithmetic is f32 inside must give its result rounded once, to the bit:
//! cached attention, embedding, cross-entropy, dropout, top k, column sums. Products on tensor cores and layer norm add
//! in an order of their own: they must be within a bound that follows from the roundings of both sides
//! (`matmul.rs` here, `attention/cuda/bounds.rs`, `layer_norm/bounds.rs`).
//!
//! # Grids
//! [`Grid::Awkward`] has lengths of 1, odd sizes, sentences without a token, and buffers that begin within a vector.
//! [`Grid::Base`] has the shapes of the base model's training step, for a GPU. [`Grid::Small`] has the same calls,
//! scaled down to what the emulated device does in seconds, and still aligned.

mod attention;
mod clock;
mod column_sum;
mod cross_entropy;
mod data;
mod decode;
mod dropout;
mod embedding;
mod fill;
mod layer_norm;
mod linear;
mod linear_gradients;
mod matmul;
mod optimizer;
#[cfg(test)]
mod tests;
mod top_k;
mod verdict;

pub use clock::{Clock, Times};
pub use verdict::{Difference, Output, Verdict, Wanted};

use crate::Error;
use crate::cuda::{Element, Queue};
use std::fmt;

/// A set of shapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grid {
    /// Small sizes that are multiples of nothing, and nothing aligned.
    Awkward,
    /// The calls of a training step, scaled down for the emulated device.
    Small,
    /// Those of the base model, for a GPU.
    Base,
}

impl Grid {
    /// Where buffers begin: so many values behind an address that is aligned to 256 bytes.
    fn offset(self) -> usize {
        usize::from(self == Grid::Awkward)
    }
}

/// The sizes of a training step, in the letters of the contracts.
#[derive(Clone, Copy, Debug)]
struct Sizes {
    b: usize,
    t: usize,
    c: usize,
    nh: usize,
    f: usize,
    v: usize,
    /// Rows of logits.
    rows: usize,
}

/// Two heads of the base model's size.
const SMALL: Sizes = Sizes { b: 2, t: 64, c: 128, nh: 2, f: 512, v: 2048, rows: 64 };

/// The base model with 64 sentences of 64 tokens, and logits of a quarter of them.
const BASE: Sizes = Sizes { b: 64, t: 64, c: 512, nh: 8, f: 2048, v: 32_000, rows: 1024 };

/// What an operation must do at least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Bytes of device memory that must be read.
    pub read: u64,
    /// Bytes of device memory that must be written.
    pub written: u64,
    /// Floating-point operations of its matrix products, two a multiply-add; 0 where memory is the limit.
    pub flops: u64,
    /// The fewest products on tensor cores that hold every multiply-add of its matrix products; 0 where there should be none.
    /// They are 16 x 8 x 16 in 16 bits and 16 x 8 x 8 in tf32.
    pub tensor_products: u64,
    /// Multiply-adds of one of these.
    pub tensor_product: u64,
    /// Where there are products on tensor cores: operations in f32 that it takes beside them, at most so many. What a
    /// kernel does beyond may be multiply-adds that tensor cores should do.
    pub beside: u64,
}

/// Terms of a product on tensor cores.
fn depth<T: Element>() -> usize {
    if T::NAME == "tf32" { 8 } else { 16 }
}

/// Products on tensor cores that make a matrix product of `m` x `n` x `k`, whichever of the operands is the left one.
fn whole_products<T: Element>(m: usize, n: usize, k: usize) -> usize {
    let of = |m: usize, n: usize| m.div_ceil(16) * n.div_ceil(8);
    of(m, n).min(of(n, m)) * k.div_ceil(depth::<T>())
}

impl Work {
    /// That of an operation limited by memory.
    fn bytes(read: usize, written: usize) -> Self {
        Work { read: read as u64, written: written as u64, ..Work::default() }
    }

    /// The same with so many multiply-adds; in 16 bits and tf32 on tensor cores, as so many products, with so many operations
    /// in f32 beside them.
    fn multiply_adds<T: Element>(self, count: usize, products: usize, beside: usize) -> Self {
        let work = Work { flops: 2 * count as u64, ..self };
        if T::NAME == "f32" {
            return work;
        }
        let tensor_product = (16 * 8 * depth::<T>()) as u64;
        Work { tensor_product, tensor_products: products as u64, beside: beside as u64, ..work }
    }

    /// Multiply-adds of its matrix products.
    pub fn needed(&self) -> u64 {
        self.flops / 2
    }

    /// Both.
    fn and(self, more: Work) -> Self {
        Work { read: self.read + more.read, written: self.written + more.written, ..self }
    }

    /// Read and written.
    pub fn floor_bytes(&self) -> u64 {
        self.read + self.written
    }
}

/// Operands on a device, ready for the launcher.
trait Run {
    /// Puts back what a launch overwrites.
    fn reset(&mut self, queue: &Queue) -> Result<(), Error>;
    /// The launcher's call.
    fn launch(&mut self, queue: &Queue) -> Result<(), Error>;
    /// What it has written; waits for the device.
    fn outputs(&mut self) -> Result<Vec<Output>, Error>;
    /// What that must be, in the same order.
    fn wanted(&self) -> Result<Vec<Wanted>, Error>;
}

type Prepare = Box<dyn Fn(&Queue) -> Result<Box<dyn Run>, Error> + Send + Sync>;

/// A call of a launcher.
pub struct Case {
    /// The operation and its direction, as `layer_norm_backward`.
    pub operation: &'static str,
    /// The type of its elements: f32, bf16, f16; tf32 where products take f32 for that. Of one with results in f32, that of its operands.
    pub element: &'static str,
    /// Its sizes, as `N4096_C512`.
    pub shape: String,
    /// What it must do at least.
    pub work: Work,
    prepare: Prepare,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name()).field("work", &self.work).finish_non_exhaustive()
    }
}

impl Case {
    fn new<T: Element, R: Run + 'static>(
        operation: &'static str,
        shape: String,
        work: Work,
        prepare: impl Fn(&Queue) -> Result<R, Error> + Send + Sync + 'static,
    ) -> Self {
        let prepare: Prepare = Box::new(move |queue| Ok(Box::new(prepare(queue)?)));
        Case { operation, element: T::NAME, shape, work, prepare }
    }

    /// `operation/shape/element`: what filters look at.
    pub fn name(&self) -> String {
        format!("{}/{}/{}", self.operation, self.shape, self.element)
    }

    /// Makes its operands and copies them to the device.
    ///
    /// # Errors
    /// [`Error::Driver`], above all if the device has no room.
    pub fn prepare(&self, queue: &Queue) -> Result<Prepared, Error> {
        Ok(Prepared((self.prepare)(queue)?))
    }

    /// Launches it twice from the same operands, and compares.
    ///
    /// # Errors
    /// As [`Case::prepare`] and [`Prepared::launch`]. A wrong result is no error: the verdict says what is wrong.
    pub fn check(&self, queue: &Queue) -> Result<Verdict, Error> {
        let Prepared(mut run) = self.prepare(queue)?;
        run.reset(queue)?;
        run.launch(queue)?;
        let outputs = run.outputs()?;
        run.reset(queue)?;
        run.launch(queue)?;
        let mut verdict = Verdict::of_repetition(&outputs, &run.outputs()?);
        verdict.compare(&outputs, &run.wanted()?);
        Ok(verdict)
    }
}

/// A case whose operands are on the device.
pub struct Prepared(Box<dyn Run>);

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").finish_non_exhaustive()
    }
}

impl Prepared {
    /// Puts back what a launch overwrites, and prepares what one needs of the host. To be called before each launch.
    ///
    /// # Errors
    /// [`Error::Driver`].
    pub fn reset(&mut self, queue: &Queue) -> Result<(), Error> {
        self.0.reset(queue)
    }

    /// The launcher's call: enqueues the operation's kernels, and waits for nothing.
    ///
    /// # Errors
    /// [`Error::Driver`], also for what went wrong in earlier work.
    pub fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        self.0.launch(queue)
    }
}

/// A case of each element type.
macro_rules! every_element {
    ($cases:ident, $case:ident($($argument:expr),*)) => {
        $cases.push($case::<f32>($($argument),*));
        $cases.push($case::<crate::cuda::Bf16>($($argument),*));
        $cases.push($case::<crate::cuda::F16>($($argument),*));
    };
}
use every_element;

/// All cases of a grid, operation by operation.
pub fn cases(grid: Grid) -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in [
        matmul::cases,
        column_sum::cases,
        linear_gradients::cases,
        linear::cases,
        attention::cases,
        decode::cases,
        layer_norm::cases,
        embedding::cases,
        cross_entropy::cases,
        dropout::cases,
        fill::cases,
        top_k::cases,
        optimizer::cases,
    ] {
        operation(grid, &mut cases);
    }
    cases
}

/// The matrix products of [`Grid::Base`] that NVIDIA's cuBLASLt has, made by it: to be timed beside ours, whose operations are
/// named so without `_cublaslt`. Its f32 has not the CPU's bits, and [`Case::check`] finds that.
#[cfg(feature = "cublaslt")]
pub fn products_by_cublaslt() -> Vec<Case> {
    matmul::by_cublaslt()
}

/// Matrix products of `n` x `n` x `n`, as large ones as a device is fast at: with the first operand as it is and the
/// second transposed, both as they are, and the first transposed.
pub fn square_products(n: usize, element: &str) -> Vec<Case> {
    matmul::square(n, element)
}
