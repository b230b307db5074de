//! Matrix products, with bias and ReLU folded in.
//!
//! `C[i,j] = epilogue(start[i,j] + sum_p A[i,p] · B[p,j])`, C of shape (M, N), the sum over K terms. `start` is zero or the
//! present C ([`Start`]).
//!
//! **Order.** An element is one chain of fused multiply-adds, p ascending: `acc = fma(A[i,p], B[p,j], acc)`, from `start`.
//! K is never split, so blocking, tile shapes, instruction sets and thread counts do not show in the result; a product over
//! 2K terms is a product over K followed by an accumulating one over the rest. The epilogue follows the last term, in plain
//! f32: `acc + bias[j]`, `max(·, 0)`.
//!
//! **How, on the CPU.** After Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication": C is cut into
//! blocks, a task each (`cpu.rs`); a task copies its rows of A and its columns of B, 256 terms at a time, into panels that
//! stay in the second-level cache (`pack.rs`), and a micro-kernel keeps a tile of C in registers (`micro.rs`). Weights
//! that many products use are packed once ([`Packed`]).
//!
//! **How, on a CUDA device.** A tile of C a block. In f32 (`matmul.cu`) each thread has a square of the tile, and the bits
//! are the CPU's. In bf16 and f16 (`product_16.cuh`) tensor cores add in f32, in an order of their own: at most
//! `K 2^-23 sum_p |A[i,p] B[p,j]|` off. They do so of f32 too (`matmul_tf32.cu`), where A and B may be rounded to the 11 bits
//! of precision that tf32 has. Weights are read as they are, so nothing is packed.
//!
//! Limit, on a CPU: two fused multiply-adds a cycle and core. Bytes floor: `4 (M·K + K·N + M·N)`, plus `4·M·N` when
//! accumulating.

mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod micro;
mod pack;
#[cfg(test)]
mod tests;

pub use pack::Packed;

use crate::Error;
use crate::error::{check_len, product};

const OP: &str = "matmul";

/// The sizes of a product: C is (M, N), and an element sums K terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows of C.
    pub m: usize,
    /// Columns of C.
    pub n: usize,
    /// Terms of each sum.
    pub k: usize,
}

/// The left operand, (M, K), in memory of a view type `V`: a slice on the host.
#[derive(Clone, Copy, Debug)]
pub enum Lhs<V> {
    /// Stored as it is: (M, K) row-major.
    Rows(V),
    /// Stored transposed: (K, M) row-major.
    Transposed(V),
}

/// The right operand, (K, N), in memory of a view type `V`; `P` is a packed operand of that memory.
#[derive(Clone, Copy, Debug)]
pub enum Rhs<V, P> {
    /// Stored as it is: (K, N) row-major.
    Rows(V),
    /// Stored transposed: (N, K) row-major, as the weights of a linear layer are.
    Transposed(V),
    /// Packed beforehand, from either.
    Packed(P),
}

/// What a sum starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From zero; C's old values are not read.
    Zero,
    /// From C's present values.
    Accumulate,
}

/// What happens to a finished sum; `V` as in [`Lhs`], and `B` a view of a bias, which is f32 whatever the operands are.
#[derive(Clone, Copy, Debug)]
pub enum Epilogue<V, B = V> {
    /// Nothing.
    None,
    /// `acc + bias[j]`; bias (N).
    Bias(B),
    /// `max(acc + bias[j], 0)`; NaN stays NaN. Bias (N).
    BiasRelu(B),
    /// The gradient through ReLU and dropout: `acc * scale` where `activation[i,j] > 0`, else 0. `activation` (M, N) is what
    /// the forward pass left after both; `scale` is the dropout's 1 / (1 - p), or 1.
    ReluGradient {
        /// The activations, (M, N).
        activation: V,
        /// The dropout's scale.
        scale: f32,
    },
}

/// Computes `C = epilogue(start + A · B)`.
///
/// # Shapes
/// `c`: (M, N) row-major; the operands as [`Lhs`] and [`Rhs`] say. K = 0 leaves the sum at its start.
///
/// # Errors
/// [`Error::Length`] names the first buffer whose length disagrees with the shape; [`Error::Size`] if a product of
/// dimensions does not fit in memory. On error `c` is untouched.
///
/// # Example
/// ```
/// use noam_kernels::matmul::{Epilogue, Lhs, Rhs, Shape, Start, matmul};
/// // y = x Wᵀ + b, as a linear layer has it.
/// let (x, w, b) = ([1.0, 2.0], [3.0, 4.0, 5.0, 6.0, 7.0, 8.0], [0.5, 0.5, -100.0]);
/// let mut y = [0.0; 3];
/// let shape = Shape { m: 1, n: 3, k: 2 };
/// matmul(shape, Lhs::Rows(&x), Rhs::Transposed(&w), Start::Zero, Epilogue::BiasRelu(&b), &mut y)?;
/// assert_eq!(y, [11.5, 17.5, 0.0]);
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn matmul(
    shape: Shape,
    a: Lhs<&[f32]>,
    b: Rhs<&[f32], &Packed>,
    start: Start,
    epilogue: Epilogue<&[f32]>,
    c: &mut [f32],
) -> Result<(), Error> {
    let sizes = b.map(<[f32]>::len, |packed| [packed.k(), packed.n()]);
    check(shape, a.map(<[f32]>::len), sizes, epilogue.map(<[f32]>::len, <[f32]>::len), c.len())?;
    cpu::run(shape, a, b, start, epilogue, c);
    Ok(())
}

impl<V> Lhs<V> {
    /// The same of another view.
    pub(crate) fn map<W>(self, of: impl FnOnce(V) -> W) -> Lhs<W> {
        match self {
            Lhs::Rows(a) => Lhs::Rows(of(a)),
            Lhs::Transposed(a) => Lhs::Transposed(of(a)),
        }
    }
}

impl<V, P> Rhs<V, P> {
    /// The same of other views.
    pub(crate) fn map<W, Q>(self, of: impl FnOnce(V) -> W, of_packed: impl FnOnce(P) -> Q) -> Rhs<W, Q> {
        match self {
            Rhs::Rows(b) => Rhs::Rows(of(b)),
            Rhs::Transposed(b) => Rhs::Transposed(of(b)),
            Rhs::Packed(b) => Rhs::Packed(of_packed(b)),
        }
    }
}

impl<V, B> Epilogue<V, B> {
    /// The same of other views.
    pub(crate) fn map<W, C>(self, of: impl FnOnce(V) -> W, of_bias: impl FnOnce(B) -> C) -> Epilogue<W, C> {
        match self {
            Epilogue::None => Epilogue::None,
            Epilogue::Bias(bias) => Epilogue::Bias(of_bias(bias)),
            Epilogue::BiasRelu(bias) => Epilogue::BiasRelu(of_bias(bias)),
            Epilogue::ReluGradient { activation, scale } => {
                Epilogue::ReluGradient { activation: of(activation), scale }
            }
        }
    }
}

/// Checks all lengths, and [K, N] of a packed operand.
fn check(
    Shape { m, n, k }: Shape,
    a: Lhs<usize>,
    b: Rhs<usize, [usize; 2]>,
    epilogue: Epilogue<usize>,
    c: usize,
) -> Result<(), Error> {
    let (mk, kn, mn) = (product(OP, "M·K", &[m, k])?, product(OP, "K·N", &[k, n])?, product(OP, "M·N", &[m, n])?);
    match a {
        Lhs::Rows(a) => check_len(OP, "a", "(M, K)", a, mk)?,
        Lhs::Transposed(a) => check_len(OP, "a", "(K, M)", a, mk)?,
    }
    match b {
        Rhs::Rows(b) => check_len(OP, "b", "(K, N)", b, kn)?,
        Rhs::Transposed(b) => check_len(OP, "b", "(N, K)", b, kn)?,
        Rhs::Packed([packed_k, packed_n]) => {
            check_len(OP, "b", "K of the packed (K, N)", packed_k, k)?;
            check_len(OP, "b", "N of the packed (K, N)", packed_n, n)?;
        }
    }
    match epilogue {
        Epilogue::None => {}
        Epilogue::Bias(bias) | Epilogue::BiasRelu(bias) => check_len(OP, "bias", "(N)", bias, n)?,
        Epilogue::ReluGradient { activation, .. } => check_len(OP, "activation", "(M, N)", activation, mn)?,
    }
    check_len(OP, "c", "(M, N)", c, mn)
}
