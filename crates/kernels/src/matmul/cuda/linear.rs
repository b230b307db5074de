//! A linear layer and what follows it, by one launch: dropout behind the ReLU, or the end of a sublayer.

use super::{End, Family, Kernels, OP, Shape, Start};
use crate::Error;
use crate::cuda::{Buffer, Element, OnceByElement, Queue, View, ViewMut};
use crate::device::LinearSizes;
use crate::dropout::Dropout;
use crate::error::check_len;
use crate::layer_norm::RESIDUAL_OP;
use crate::layer_norm::cuda::{Affine, NormWords, Output};
use crate::matmul::{Epilogue, Lhs, Rhs};

/// Rows of tiles that there are counters for: 2^21 rows of C in the smallest tiles, 2^23 in the largest.
const PANELS: usize = 1 << 16;

/// A linear layer, `y = x Wᵀ + b`.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a, T = f32> {
    /// N rows, of `d_in` values in and `d_out` out.
    pub sizes: LinearSizes,
    /// What it reads, (N, `d_in`).
    pub x: View<'a, T>,
    /// Its weights, (`d_out`, `d_in`).
    pub w: View<'a, T>,
    /// Its bias, (`d_out`).
    pub bias: View<'a>,
}

/// What the end of a sublayer takes beside the linear layer.
#[derive(Debug)]
pub struct SublayerEnd<'a, T = f32> {
    /// What is added, (N, C) with C = `d_out`.
    pub residual: View<'a, T>,
    /// Dropout of the linear layer's output.
    pub dropout: Dropout,
    /// The norm's parameters.
    pub affine: Affine<'a>,
    /// What the norm adds to the variance.
    pub eps: f32,
    /// What was normalized, (N, C): backward reads it.
    pub sum: ViewMut<'a, T>,
    /// The norm's output.
    pub out: Output<'a, T>,
}

/// The kernels with what follows.
#[derive(Debug)]
pub(super) struct Followed {
    pub dropped: OnceByElement<Family>,
    pub normalized: OnceByElement<Family>,
    /// Tiles of each row of tiles that are finished: all 0 between launches.
    pub arrived: Buffer<u32>,
}

/// That of a type.
fn ptx(name: &str) -> &'static str {
    match name {
        "f32" => include_str!("../linear.ptx"),
        "tf32" => include_str!("../linear_tf32.ptx"),
        "bf16" => include_str!("../linear_bf16.ptx"),
        _ => include_str!("../linear_f16.ptx"),
    }
}

impl Followed {
    pub(super) fn load(queue: &Queue) -> Result<Self, Error> {
        Ok(Followed {
            dropped: OnceByElement::new(|queue, name| Family::load(queue, ptx(name), &["linear_relu_dropout"], name)),
            normalized: OnceByElement::new(|queue, name| Family::load(queue, ptx(name), &["linear_norm"], name)),
            arrived: Buffer::zeros(queue, PANELS)?,
        })
    }

    /// Where the counters for `rows` of tiles are, for an end that counts; else nowhere.
    pub(super) fn counters<T>(&self, queue: &Queue, end: &End<'_, T>, rows: usize) -> Result<u64, Error> {
        if !matches!(end, End::Normalized(..)) {
            return Ok(0);
        }
        if rows > PANELS {
            let limit = "2^16 at most, where a norm follows";
            return Err(Error::Size { op: OP, what: "the number of rows of tiles", got: rows, limit });
        }
        let arrived = self.arrived.view();
        arrived.check_queue(OP, "its own counters", queue)?;
        Ok(*arrived.pointer())
    }
}

impl Kernels {
    /// `y = dropout(max(x Wᵀ + b, 0))`: [`matmul`](crate::matmul::matmul), then [`dropout`](crate::dropout::apply). In f32 with
    /// the bits of both; in 16 bits rounded once.
    ///
    /// # Shapes
    /// As [`Linear`] says; `y` (N, `d_out`).
    ///
    /// # Errors
    /// As [`Kernels::matmul`].
    pub fn linear_relu_dropout<T: Element>(
        &self,
        queue: &Queue,
        linear: Linear<'_, T>,
        dropout: Dropout,
        y: ViewMut<'_, T>,
    ) -> Result<(), Error> {
        self.launch_relu_dropout(queue, None, linear, dropout, y)
    }

    /// By the tile of this number, as [`Kernels::launch`].
    pub(super) fn launch_relu_dropout<T: Element>(
        &self,
        queue: &Queue,
        tile: Option<usize>,
        linear: Linear<'_, T>,
        dropout: Dropout,
        y: ViewMut<'_, T>,
    ) -> Result<(), Error> {
        let end = if dropout.is_active() {
            End::Dropped(linear.bias, queue.dropout(dropout)?)
        } else {
            End::Epilogue(Epilogue::BiasRelu(linear.bias))
        };
        self.launch(queue, tile, linear.shape(), linear.operands(), Start::Zero, end, y)
    }

    /// The end of a sublayer: `sum = x Wᵀ + b`, then [`residual_forward`](crate::layer_norm::residual_forward) of the residual
    /// and `sum`. With the bits of both, whatever the type.
    ///
    /// # Shapes
    /// As [`Linear`] and [`SublayerEnd`] say.
    ///
    /// # Errors
    /// As [`Kernels::matmul`], with `sum` as `c`, and as
    /// [`residual_forward`](crate::layer_norm::cuda::Kernels::residual_forward); [`Error::Size`] for more than 2^16 rows of tiles,
    /// which are 2^21 rows or more.
    pub fn linear_norm<T: Element>(
        &self,
        queue: &Queue,
        linear: Linear<'_, T>,
        end: SublayerEnd<'_, T>,
    ) -> Result<(), Error> {
        self.launch_norm(queue, None, linear, end)
    }

    /// By the tile of this number, as [`Kernels::launch`].
    pub(super) fn launch_norm<T: Element>(
        &self,
        queue: &Queue,
        tile: Option<usize>,
        linear: Linear<'_, T>,
        end: SublayerEnd<'_, T>,
    ) -> Result<(), Error> {
        let SublayerEnd { residual, dropout, affine, eps, mut sum, mut out } = end;
        let LinearSizes { rows, d_out, .. } = linear.sizes;
        check_len(RESIDUAL_OP, "gamma", "(C)", affine.gamma.len(), d_out)?;
        check_len(RESIDUAL_OP, "mean", "(N)", out.mean.len(), rows)?;
        let words = NormWords::of(RESIDUAL_OP, queue, residual, Some(&mut sum), dropout, affine, eps, &mut out)?;
        let end = End::Normalized(linear.bias, words);
        self.launch(queue, tile, linear.shape(), linear.operands(), Start::Zero, end, sum)
    }
}

impl<'a, T> Linear<'a, T> {
    /// The product's.
    fn shape(&self) -> Shape {
        let LinearSizes { rows, d_out, d_in } = self.sizes;
        Shape { m: rows, n: d_out, k: d_in }
    }

    fn operands(&self) -> super::Operands<'a, T>
    where
        T: Copy,
    {
        (Lhs::Rows(self.x), Rhs::Transposed(self.w))
    }
}
