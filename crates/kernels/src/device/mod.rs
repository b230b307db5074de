//! What a model is written over: memory, and the operations of a training step on it.
//!
//! [`Device`] has one method for each operation of this crate, taking views of its own memory: slices for [`Cpu`]. A model
//! generic over it compiles to direct calls (static dispatch), and says nothing of where it runs. Shapes, arithmetic and
//! errors are those of the operation's own module.

mod arguments;
mod checks;
mod cpu;
#[cfg(feature = "cuda")]
mod cuda;
mod precision;
mod profile;

pub use arguments::{
    Attention, Cache, Embedding, Linear, LinearSizes, Moving, Norm, NormGradients, NormInput, NormOutput, Optimized,
    Scaling, Span, SublayerEnd, Targets,
};
#[cfg(feature = "cuda")]
pub(crate) use checks::{CACHED_ATTENTION, REORDER_CACHE};
pub use cpu::Cpu;
#[cfg(feature = "cuda")]
pub use cuda::{Act, ActMut, Activations, Cuda, Graphs, Parameters};
pub use precision::{Precision, UnknownPrecision};
pub use profile::OpTime;

use crate::Error;
use crate::adam::{self, Outcome};
use crate::dropout::Dropout;
use crate::embedding;
use crate::layer_norm::Write;
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start};
use noam_schedule::Schedule;
use std::fmt::Debug;

/// A place where models run: its memory and its operations.
///
/// There are two kinds of values. Activations and their gradients have the device's [`Precision`]; statistics, parameters and
/// parameters' gradients are f32 everywhere. Matrix products read the weights in the activations' precision.
///
/// Views follow Rust's borrowing: [`Device::split`] hands out disjoint parts of one buffer, checked.
#[allow(clippy::too_many_arguments)] // an operation's arguments are its operands
pub trait Device: Debug + Send {
    /// Memory of f32 values.
    type Buffer: Debug + Send;
    /// Memory of activations.
    type Activations: Debug + Send;
    /// Memory of parameters: f32, and what products read of them.
    type Parameters: Debug + Send;
    /// Memory of 32-bit indices: tokens, lengths.
    type Indices: Debug + Send;
    /// Totals of losses, in f64.
    type Totals: Debug + Send;
    /// A weight packed for many products.
    type Packed: Debug + Send;
    /// Read access to a part of a buffer.
    type View<'a>: Copy
    where
        Self: 'a;
    /// Write access to a part of a buffer.
    type ViewMut<'a>
    where
        Self: 'a;
    /// Read access to a part of the activations.
    type Act<'a>: Copy
    where
        Self: 'a;
    /// Write access to a part of the activations.
    type ActMut<'a>
    where
        Self: 'a;
    /// The optimiser: its constants, and the count of updates, which nothing but [`Device::adam_update`] advances.
    type Adam: Debug + Send;

    /// An update that is under way: what is known of it.
    type Underway: Debug + Send;

    /// Work that was done before, kept to be done again; nothing where that gains nothing.
    type Graphs: Debug + Default + Send;

    /// Another handle on the same machine, for a second model.
    fn another(&self) -> Self
    where
        Self: Sized;
    /// What activations are stored in.
    fn precision(&self) -> Precision;
    /// Where the time has gone, operation by operation; empty where that is not known.
    fn profile(&self) -> Vec<(&'static str, OpTime)>;

    /// Does `work`: operations of this device that depend on `key` and `moving` alone, and on what lies in memory. A device that
    /// can, does again what it did before under the same key, without calling `work`: then what changes is `moving`, the values
    /// of buffers and the indices. Those must have been checked by the caller, since only a call of `work` checks them.
    fn replay<E: From<Error>>(
        &self,
        graphs: &mut Self::Graphs,
        key: &[u64],
        moving: Moving,
        work: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E>;

    /// A buffer of zeros.
    fn zeros(&self, len: usize) -> Result<Self::Buffer, Error>;
    /// Values in a buffer.
    fn len(&self, buffer: &Self::Buffer) -> usize;
    /// Copies host values into a part of a buffer that is as long.
    fn upload(&self, values: &[f32], buffer: &mut Self::Buffer, span: Span) -> Result<(), Error>;
    /// Copies a part of a buffer to the host.
    fn download(&self, buffer: &Self::Buffer, span: Span, values: &mut [f32]) -> Result<(), Error>;
    /// Activations, all zero.
    fn activations(&self, len: usize) -> Result<Self::Activations, Error>;
    /// Room for so many totals of losses.
    fn totals(&self, count: usize) -> Result<Self::Totals, Error>;
    /// Parameters of these values.
    fn parameters(&self, values: &[f32]) -> Result<Self::Parameters, Error>;
    /// Copies host values into a part of the parameters that is as long.
    fn set_parameters(&self, values: &[f32], parameters: &mut Self::Parameters, span: Span) -> Result<(), Error>;
    /// Copies a part of the parameters to the host.
    fn read_parameters(&self, parameters: &Self::Parameters, span: Span, values: &mut [f32]) -> Result<(), Error>;
    /// Room for indices.
    fn indices(&self, len: usize) -> Result<Self::Indices, Error>;
    /// Replaces the indices by these; allocates only to grow.
    fn set_indices(&self, values: &[u32], indices: &mut Self::Indices) -> Result<(), Error>;
    /// Packs a linear layer's weights, (N, K).
    fn pack(&self, w: Self::Act<'_>, k: usize, n: usize) -> Result<Self::Packed, Error>;

    /// Read access to a part of a buffer.
    fn view<'a>(&'a self, buffer: &'a Self::Buffer, span: Span) -> Self::View<'a>;
    /// Write access to disjoint parts of one buffer. Panics if they overlap or lie outside: our own mistake, never input.
    fn split<'a, const N: usize>(&'a self, buffer: &'a mut Self::Buffer, spans: [Span; N]) -> [Self::ViewMut<'a>; N];
    /// Gives up writing.
    fn read<'a>(&'a self, view: Self::ViewMut<'a>) -> Self::View<'a>;
    /// Read access to a part of the activations.
    fn act<'a>(&'a self, activations: &'a Self::Activations, span: Span) -> Self::Act<'a>;
    /// [`Device::split`] of activations.
    fn split_acts<'a, const N: usize>(
        &'a self,
        activations: &'a mut Self::Activations,
        spans: [Span; N],
    ) -> [Self::ActMut<'a>; N];
    /// Gives up writing.
    fn read_act<'a>(&'a self, act: Self::ActMut<'a>) -> Self::Act<'a>;
    /// Read access to parameters, in f32.
    fn parameter<'a>(&'a self, parameters: &'a Self::Parameters, span: Span) -> Self::View<'a>;
    /// Read access to parameters as products take them.
    fn weight<'a>(&'a self, parameters: &'a Self::Parameters, span: Span) -> Self::Act<'a>;
    /// Sets every value.
    fn fill(&self, view: Self::ViewMut<'_>, value: f32) -> Result<(), Error>;

    /// [`crate::matmul`].
    fn matmul(
        &self,
        shape: Shape,
        a: Lhs<Self::Act<'_>>,
        b: Rhs<Self::Act<'_>, &Self::Packed>,
        start: Start,
        epilogue: Epilogue<Self::Act<'_>, Self::View<'_>>,
        c: Self::ActMut<'_>,
    ) -> Result<(), Error>;
    /// [`crate::matmul`] whose result is f32: gradients of weights, which add up.
    fn matmul_to_f32(
        &self,
        shape: Shape,
        a: Lhs<Self::Act<'_>>,
        b: Rhs<Self::Act<'_>, &Self::Packed>,
        start: Start,
        c: Self::ViewMut<'_>,
    ) -> Result<(), Error>;
    /// A linear layer's gradients: `dw += dyᵀ x`, (C, K), by [`crate::matmul`], and `db += sum of dy's rows`, (C), by
    /// [`crate::column_sum`]; `dy` (N, C), `x` (N, K). K is at least 1.
    fn linear_gradients(
        &self,
        sizes: LinearSizes,
        dy: Self::Act<'_>,
        x: Self::Act<'_>,
        dw: Self::ViewMut<'_>,
        db: Self::ViewMut<'_>,
    ) -> Result<(), Error>;
    /// `y = dropout(max(x Wᵀ + b, 0))`, (N, `d_out`), by [`crate::matmul`] and [`crate::dropout`].
    fn linear_relu_dropout(
        &self,
        linear: Linear<Self::Act<'_>, Self::Act<'_>, &Self::Packed, Self::View<'_>>,
        dropout: Dropout,
        y: Self::ActMut<'_>,
    ) -> Result<(), Error>;
    /// The end of a sublayer: [`crate::matmul`], then [`crate::layer_norm`] of `residual + dropout(sum)`.
    fn linear_norm(
        &self,
        linear: Linear<Self::Act<'_>, Self::Act<'_>, &Self::Packed, Self::View<'_>>,
        end: SublayerEnd<Self::Act<'_>, Self::ActMut<'_>, Self::View<'_>, Self::ViewMut<'_>>,
    ) -> Result<(), Error>;

    /// [`crate::embedding`].
    fn embedding_forward(
        &self,
        input: Embedding<'_, Self::View<'_>, Self::Indices>,
        dropout: Dropout,
        y: Self::ActMut<'_>,
    ) -> Result<(), Error>;
    /// Backward of [`Device::embedding_forward`], added to `dtable`; `input.table` is not read.
    fn embedding_backward(
        &self,
        dims: embedding::Dims,
        ids: &Self::Indices,
        lengths: &Self::Indices,
        dy: Self::Act<'_>,
        scale: f32,
        dropout: Dropout,
        dtable: Self::ViewMut<'_>,
    ) -> Result<(), Error>;

    /// [`crate::layer_norm`], plain.
    fn layer_norm(
        &self,
        x: Self::Act<'_>,
        norm: Norm<Self::View<'_>>,
        out: NormOutput<Self::ActMut<'_>, Self::ViewMut<'_>>,
    ) -> Result<(), Error>;
    /// Backward of [`Device::layer_norm`].
    fn layer_norm_backward(
        &self,
        input: NormInput<Self::Act<'_>, Self::View<'_>>,
        write: Write,
        out: NormGradients<Self::ActMut<'_>, Self::ViewMut<'_>>,
    ) -> Result<(), Error>;
    /// Backward of the norm of [`Device::linear_norm`].
    fn residual_layer_norm_backward(
        &self,
        input: NormInput<Self::Act<'_>, Self::View<'_>>,
        dropout: Dropout,
        write: Write,
        out: NormGradients<Self::ActMut<'_>, Self::ViewMut<'_>>,
        dsub: Self::ActMut<'_>,
    ) -> Result<(), Error>;

    /// [`crate::attention`] of a sequence on itself: `qkv` (B·T, 3C) holds a row's query, key and value side by side.
    fn self_attention(
        &self,
        attention: Attention<'_, Self::Indices>,
        qkv: Self::Act<'_>,
        out: Self::ActMut<'_>,
        lse: Self::ViewMut<'_>,
    ) -> Result<(), Error>;
    /// Backward of [`Device::self_attention`]; sets `dqkv`.
    fn self_attention_backward(
        &self,
        attention: Attention<'_, Self::Indices>,
        dout: Self::Act<'_>,
        qkv: Self::Act<'_>,
        out: Self::Act<'_>,
        lse: Self::View<'_>,
        dqkv: Self::ActMut<'_>,
    ) -> Result<(), Error>;
    /// [`crate::attention`] of one sequence on another: `q` (B·T, C), `kv` (B·S, 2C).
    fn cross_attention(
        &self,
        attention: Attention<'_, Self::Indices>,
        q: Self::Act<'_>,
        kv: Self::Act<'_>,
        out: Self::ActMut<'_>,
        lse: Self::ViewMut<'_>,
    ) -> Result<(), Error>;
    /// Backward of [`Device::cross_attention`]; sets `dq` and `dkv`.
    fn cross_attention_backward(
        &self,
        attention: Attention<'_, Self::Indices>,
        dout: Self::Act<'_>,
        q: Self::Act<'_>,
        kv: Self::Act<'_>,
        out: Self::Act<'_>,
        lse: Self::View<'_>,
        dq: Self::ActMut<'_>,
        dkv: Self::ActMut<'_>,
    ) -> Result<(), Error>;
    /// The weights (B, NH, T, S) of a [`Device::self_attention`].
    fn self_attention_weights(
        &self,
        attention: Attention<'_, Self::Indices>,
        qkv: Self::Act<'_>,
        lse: Self::View<'_>,
        weights: Self::ViewMut<'_>,
    ) -> Result<(), Error>;
    /// The weights (B, NH, T, S) of a [`Device::cross_attention`].
    fn cross_attention_weights(
        &self,
        attention: Attention<'_, Self::Indices>,
        q: Self::Act<'_>,
        kv: Self::Act<'_>,
        lse: Self::View<'_>,
        weights: Self::ViewMut<'_>,
    ) -> Result<(), Error>;
    /// Attention of the newest position of every row on its cache: writes the keys and values of `qkv` (R, 3C) at position
    /// `at` of `cache`, then attends to positions 0 to `at`.
    fn cached_attention(
        &self,
        cache_dims: Cache,
        n_heads: usize,
        at: usize,
        qkv: Self::Act<'_>,
        cache: Self::ActMut<'_>,
        out: Self::ActMut<'_>,
    ) -> Result<(), Error>;
    /// Row `r` of `to` becomes the first `len` positions of row `parents[r]` of `from`: beams that go on.
    fn reorder_cache(
        &self,
        cache_dims: Cache,
        len: usize,
        parents: &Self::Indices,
        from: Self::Act<'_>,
        to: Self::ActMut<'_>,
    ) -> Result<(), Error>;

    /// [`crate::cross_entropy`] with its gradient in place of the logits.
    fn cross_entropy(
        &self,
        logits: Self::ActMut<'_>,
        v: usize,
        targets: Targets<'_, Self::Indices>,
        grad_scale: f32,
        loss: Self::ViewMut<'_>,
    ) -> Result<(), Error>;
    /// [`crate::cross_entropy`] without the gradient.
    fn cross_entropy_evaluate(
        &self,
        logits: Self::Act<'_>,
        v: usize,
        targets: Targets<'_, Self::Indices>,
        loss: Self::ViewMut<'_>,
        nll: Self::ViewMut<'_>,
    ) -> Result<(), Error>;
    /// [`crate::cross_entropy::total_loss`] of the losses of some rows, as total number `at`.
    fn total_loss(&self, loss: Self::View<'_>, totals: &mut Self::Totals, at: usize) -> Result<(), Error>;
    /// Copies the first totals to the host; as many as there are room for in `values`.
    fn read_totals(&self, totals: &Self::Totals, values: &mut [f64]) -> Result<(), Error>;
    /// [`crate::cross_entropy::log_softmax_rows`] of the logits' rows, which need not outlive it, and [`crate::top_k`] of that, to the
    /// host: the k largest log-probabilities of each row and where they stand, values and indices (N, k).
    fn top_k_log_softmax(
        &self,
        logits: Self::ActMut<'_>,
        v: usize,
        k: usize,
        values: &mut [f32],
        indices: &mut [u32],
    ) -> Result<(), Error>;

    /// An optimiser that has made `updates` updates.
    fn adam(&self, config: adam::Config, updates: u64) -> Result<Self::Adam, Error>;
    /// Updates that have changed parameters so far.
    fn updates(&self, adam: &Self::Adam) -> u64;
    /// [`crate::grad_norm`] of the gradients, then [`crate::adam`]: one update, or a skipped one, which need not be done when this
    /// returns. The gradients are zero afterwards. `graphs` is for this optimiser and this state alone.
    fn adam_update<S: Schedule + ?Sized>(
        &self,
        graphs: &mut Self::Graphs,
        adam: &mut Self::Adam,
        schedule: &S,
        scaling: Scaling,
        state: Optimized<'_, Self::Parameters, Self::Buffer>,
    ) -> Result<Self::Underway, Error>;
    /// Waits for the newest update: the norm of its unscaled gradients, before clipping, and what was done.
    fn adam_outcome(&self, adam: &mut Self::Adam, update: Self::Underway) -> Result<(f64, Outcome), Error>;
}
