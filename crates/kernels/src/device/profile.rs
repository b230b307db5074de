//! Where the time goes.

use std::time::Duration;

/// How often an operation ran, and how long in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpTime {
    /// Calls.
    pub calls: u64,
    /// Wall time of all of them.
    pub time: Duration,
}

/// The operations that are told apart.
#[derive(Clone, Copy, Debug)]
pub(super) enum Op {
    MatmulForward,
    MatmulInputs,
    MatmulWeights,
    AttentionForward,
    AttentionBackward,
    LayerNormForward,
    LayerNormBackward,
    EmbeddingForward,
    EmbeddingBackward,
    Dropout,
    ColumnSum,
    CrossEntropy,
    GradNorm,
    Adam,
    CachedAttention,
    ReorderCache,
    LogSoftmax,
    TopK,
}

impl Op {
    /// All of them, in the order in which they are listed.
    pub(super) const ALL: [Op; 18] = [
        Op::MatmulForward,
        Op::MatmulInputs,
        Op::MatmulWeights,
        Op::AttentionForward,
        Op::AttentionBackward,
        Op::LayerNormForward,
        Op::LayerNormBackward,
        Op::EmbeddingForward,
        Op::EmbeddingBackward,
        Op::Dropout,
        Op::ColumnSum,
        Op::CrossEntropy,
        Op::GradNorm,
        Op::Adam,
        Op::CachedAttention,
        Op::ReorderCache,
        Op::LogSoftmax,
        Op::TopK,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Op::MatmulForward => "matmul, forward",
            Op::MatmulInputs => "matmul, gradients of inputs",
            Op::MatmulWeights => "matmul, gradients of weights",
            Op::AttentionForward => "attention, forward",
            Op::AttentionBackward => "attention, backward",
            Op::LayerNormForward => "layer norm, forward",
            Op::LayerNormBackward => "layer norm, backward",
            Op::EmbeddingForward => "embedding, forward",
            Op::EmbeddingBackward => "embedding, backward",
            Op::Dropout => "dropout",
            Op::ColumnSum => "column sum",
            Op::CrossEntropy => "cross-entropy",
            Op::GradNorm => "gradient norm",
            Op::Adam => "adam",
            Op::CachedAttention => "attention over a cache",
            Op::ReorderCache => "reordering of caches",
            Op::LogSoftmax => "log-softmax",
            Op::TopK => "top k",
        }
    }
}
