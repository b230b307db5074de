//! What the operations of a device take and give, beside plain views: `V` is a view to read, `M` one to write, `A` either of
//! activations, `I` indices.

use crate::attention::{Dims, Mask};
use crate::dropout::Dropout;
use crate::embedding;

/// A part of a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// First value.
    pub offset: usize,
    /// Number of values.
    pub len: usize,
}

impl Span {
    /// The part of this span from `start` on.
    pub fn from(self, start: usize) -> Span {
        Span { offset: self.offset + start, len: self.len - start }
    }

    /// The first `len` values of this span.
    pub fn first(self, len: usize) -> Span {
        debug_assert!(len <= self.len);
        Span { offset: self.offset, len }
    }
}

/// Scale and shift of a layer norm, and what it adds to the variance.
#[derive(Clone, Copy, Debug)]
pub struct Norm<V> {
    /// The scale, (C).
    pub gamma: V,
    /// The shift, (C).
    pub beta: V,
    /// Added to the variance.
    pub eps: f32,
}

/// What a layer norm writes: activations `A` and statistics `M`.
#[derive(Debug)]
pub struct NormOutput<A, M> {
    /// The normalized rows, (N, C).
    pub y: A,
    /// The rows' means, (N).
    pub mean: M,
    /// One over the rows' deviations, (N).
    pub rstd: M,
}

/// What a layer norm's backward reads: activations `A`, statistics and parameters `V`.
#[derive(Clone, Copy, Debug)]
pub struct NormInput<A, V> {
    /// The gradient of the output, (N, C).
    pub dy: A,
    /// What forward normalized, (N, C).
    pub sum: A,
    /// Forward's means, (N).
    pub mean: V,
    /// Forward's rstd, (N).
    pub rstd: V,
    /// The scale, (C).
    pub gamma: V,
}

/// What a layer norm's backward writes: activations' gradients `A` and parameters' `M`.
#[derive(Debug)]
pub struct NormGradients<A, M> {
    /// The gradient of what was normalized, (N, C), set or added to.
    pub dsum: A,
    /// The gradient of the scale, (C), added to.
    pub dgamma: M,
    /// The gradient of the shift, (C), added to.
    pub dbeta: M,
}

/// An attention: its sizes, what is masked, and dropout of its weights.
#[derive(Debug)]
pub struct Attention<'a, I> {
    /// Sizes.
    pub dims: Dims,
    /// Which keys a query sees beyond the padding.
    pub mask: Mask,
    /// Keys of each sentence that are not padding, (B).
    pub key_lengths: &'a I,
    /// Queries of each sentence that are not padding, (B); all of them if there are none.
    pub query_lengths: Option<&'a I>,
    /// Dropout of the weights.
    pub dropout: Dropout,
}

/// Tokens of a batch, the table they index and where they stand.
#[derive(Debug)]
pub struct Embedding<'a, V, I> {
    /// Sizes.
    pub dims: embedding::Dims,
    /// Token ids, (B, T).
    pub ids: &'a I,
    /// Tokens of each sentence that are not padding, (B).
    pub lengths: &'a I,
    /// The embeddings, (V, C).
    pub table: V,
    /// The positions, (P, C).
    pub positions: V,
    /// The position of the first token of each sentence.
    pub offset: usize,
    /// What the embeddings are multiplied by.
    pub scale: f32,
}

/// The targets of a cross-entropy.
#[derive(Debug)]
pub struct Targets<'a, I> {
    /// Target ids, (N).
    pub ids: &'a I,
    /// First row of `ids` that belongs to the logits' first.
    pub first: usize,
    /// The id whose rows do not count.
    pub ignore: u32,
    /// Label smoothing, in [0, 1).
    pub smoothing: f32,
}

/// Keys and values of past positions, for decoding.
#[derive(Clone, Copy, Debug)]
pub struct Cache {
    /// Rows: sentences times beams.
    pub rows: usize,
    /// Positions there is room for.
    pub max_len: usize,
    /// Width of a key: C. A position holds its key, then its value.
    pub c: usize,
}

/// Flat parameters with their gradients and moments.
#[derive(Debug)]
pub struct Optimized<'a, P, B> {
    /// Parameters.
    pub params: &'a mut P,
    /// Gradients.
    pub grads: &'a mut B,
    /// First moments.
    pub m: &'a mut B,
    /// Second moments.
    pub v: &'a mut B,
}

/// How an update scales its gradients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// What all gradients are multiplied by first: one over the loss's scale, 1 if it had none.
    pub unscale: f32,
    /// The norm that gradients, so multiplied, are scaled down to if theirs is greater; infinite for no clipping.
    pub max_norm: f64,
}

/// The sizes of a linear layer, `y = x Wᵀ + b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearSizes {
    /// Rows of `x` and `y`: N.
    pub rows: usize,
    /// Columns of `y`, and rows of the weights.
    pub d_out: usize,
    /// Columns of `x` and of the weights.
    pub d_in: usize,
}

/// A linear layer, `y = x Wᵀ + b`: activations `X`, weights as products take them `W` and packed `P`, parameters `V`.
#[derive(Clone, Copy, Debug)]
pub struct Linear<X, W, P, V> {
    /// Its sizes: N is `rows`.
    pub sizes: LinearSizes,
    /// What it reads, (N, `d_in`).
    pub x: X,
    /// The weights, (`d_out`, `d_in`).
    pub w: W,
    /// The same, if they were packed beforehand.
    pub packed: Option<P>,
    /// The bias, (`d_out`).
    pub bias: V,
}

impl<X, W, P, V> Linear<X, W, P, V> {
    /// The same layer, reading `x`.
    pub fn of<Y>(self, x: Y) -> Linear<Y, W, P, V> {
        let Linear { sizes, w, packed, bias, .. } = self;
        Linear { sizes, x, w, packed, bias }
    }
}

/// The end of a sublayer of C columns: `sum` becomes a linear layer's output, then `residual + dropout(sum)`, which is
/// normalized. `R` is activations to read, `A` to write, `V` parameters and `M` statistics.
#[derive(Debug)]
pub struct SublayerEnd<R, A, V, M> {
    /// What is added, (N, C).
    pub residual: R,
    /// What is normalized, (N, C): backward reads it.
    pub sum: A,
    /// Dropout of the linear layer's output.
    pub dropout: Dropout,
    /// The norm's parameters.
    pub norm: Norm<V>,
    /// What the norm writes.
    pub out: NormOutput<A, M>,
}

/// What changes from one training pass to the next while shapes and memory stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moving {
    /// The step that dropout counts with.
    pub step: u32,
    /// The scale of the gradients that a cross-entropy makes.
    pub grad_scale: f32,
}
