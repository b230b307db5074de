//! Where every activation of a step stands in the arena, and every statistic in another: planned from the batch's shape, before
//! the step.
//!
//! Statistics are f32 whatever the activations are: means and deviations of rows, log-sum-exps, losses.

use crate::{Config, Norm};
use noam_kernels::device::Span;

/// A layer norm's output and what its backward reads; `mean` and `rstd` are statistics.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormActs {
    pub y: Span,
    pub mean: Span,
    pub rstd: Span,
}

/// How every sublayer ends: its output added to the residual, and that normalized.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EndActs {
    pub sum: Span,
    pub norm: NormActs,
}

impl EndActs {
    /// What the next sublayer reads, and the residual stream beside it.
    pub(crate) fn next(&self) -> (Span, Span) {
        (self.norm.y, self.sum)
    }
}

/// Self-attention: from the projections to the normalized sum; `lse` is a statistic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SelfActs {
    pub qkv: Span,
    pub lse: Span,
    pub heads: Span,
    pub end: EndActs,
}

/// Attention on the encoder; `lse` is a statistic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CrossActs {
    pub q: Span,
    pub kv: Span,
    pub lse: Span,
    pub heads: Span,
    pub end: EndActs,
}

/// Feed-forward.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FeedForwardActs {
    pub hidden: Span,
    pub end: EndActs,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct EncoderActs {
    pub attention: SelfActs,
    pub feed_forward: FeedForwardActs,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct DecoderActs {
    pub attention: SelfActs,
    pub cross: CrossActs,
    pub feed_forward: FeedForwardActs,
}

/// The bottom of a stack: the embeddings and, with pre-norm, their norm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BottomActs {
    pub x: Span,
    pub norm: Option<NormActs>,
}

impl BottomActs {
    /// What the first sublayer reads, and the residual stream beside it.
    pub(crate) fn next(&self) -> (Span, Span) {
        (self.norm.map_or(self.x, |n| n.y), self.x)
    }
}

/// Gradients on their way down, shared by all layers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GradActs {
    /// Of what the next sublayer (from the top) put out.
    pub g: Span,
    /// Of the residual sum.
    pub sum: Span,
    /// Of the encoder's output.
    pub memory: Span,
    /// Of a sublayer's own output.
    pub sub: Span,
    /// Of the attention heads.
    pub heads: Span,
    /// Of the projections: 3C wide, or C and then 2C.
    pub qkv: Span,
    /// Of the cross-attention's keys and values.
    pub kv: Span,
    /// Of the hidden layer.
    pub hidden: Span,
}

/// Sizes and places of a batch's activations.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub b: usize,
    pub s: usize,
    pub t: usize,
    pub source: BottomActs,
    pub target: BottomActs,
    pub encoder: Vec<EncoderActs>,
    pub decoder: Vec<DecoderActs>,
    pub logits: Span,
    /// Rows of logits that are computed at a time.
    pub logits_rows: usize,
    /// A statistic, as `nll` is.
    pub loss: Span,
    pub nll: Span,
    pub grad: GradActs,
    /// Activations in all.
    pub len: usize,
    /// Statistics in all.
    pub stats_len: usize,
}

/// Logits that are held at a time, in values: 64 MiB. The loss works through the rows in such chunks; since a sum over rows
/// goes on where it stopped, that does not show in the result.
const LOGITS_VALUES: usize = 1 << 24;

/// Places values one after another, each on a cache line of its own.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// Values so far.
    pub len: usize,
}

impl Arena {
    pub(crate) fn take(&mut self, len: usize) -> Span {
        let span = Span { offset: self.len, len };
        self.len += len.next_multiple_of(16);
        span
    }
}

/// Places of both kinds.
#[derive(Debug, Default)]
struct Arenas {
    acts: Arena,
    stats: Arena,
}

impl Arenas {
    fn norm(&mut self, n: usize, c: usize) -> NormActs {
        NormActs { y: self.acts.take(n * c), mean: self.stats.take(n), rstd: self.stats.take(n) }
    }

    fn end(&mut self, n: usize, c: usize) -> EndActs {
        EndActs { sum: self.acts.take(n * c), norm: self.norm(n, c) }
    }
}

impl Plan {
    pub(crate) fn new(config: &Config, b: usize, s: usize, t: usize) -> Self {
        let (c, f, v, nh) = (config.d_model, config.d_ff, config.vocab_size, config.n_heads);
        let (ns, nt) = (b * s, b * t);
        let mut a = Arenas::default();
        let bottom = |a: &mut Arenas, n: usize| BottomActs {
            x: a.acts.take(n * c),
            norm: (config.norm == Norm::Pre).then(|| a.norm(n, c)),
        };
        let self_attention = |a: &mut Arenas, n: usize| SelfActs {
            qkv: a.acts.take(n * 3 * c),
            lse: a.stats.take(n * nh),
            heads: a.acts.take(n * c),
            end: a.end(n, c),
        };
        let feed_forward = |a: &mut Arenas, n: usize| FeedForwardActs { hidden: a.acts.take(n * f), end: a.end(n, c) };
        let source = bottom(&mut a, ns);
        let target = bottom(&mut a, nt);
        let encoder = (0..config.encoder_layers)
            .map(|_| EncoderActs { attention: self_attention(&mut a, ns), feed_forward: feed_forward(&mut a, ns) })
            .collect();
        let decoder = (0..config.decoder_layers)
            .map(|_| DecoderActs {
                attention: self_attention(&mut a, nt),
                cross: CrossActs {
                    q: a.acts.take(nt * c),
                    kv: a.acts.take(ns * 2 * c),
                    lse: a.stats.take(nt * nh),
                    heads: a.acts.take(nt * c),
                    end: a.end(nt, c),
                },
                feed_forward: feed_forward(&mut a, nt),
            })
            .collect();
        let loss = a.stats.take(nt);
        let nll = a.stats.take(nt);
        let n = ns.max(nt);
        let (g, sum, memory) = (a.acts.take(n * c), a.acts.take(n * c), a.acts.take(ns * c));
        let Arenas { acts: mut a, stats } = a;
        // The logits are done with before the layers' gradients begin, so these share their place.
        let shared = a.len;
        let logits_rows = (LOGITS_VALUES / v).clamp(1, nt);
        let logits = a.take(logits_rows * v);
        let end = std::mem::replace(&mut a.len, shared);
        let grad = GradActs {
            g,
            sum,
            memory,
            sub: a.take(n * c),
            heads: a.take(n * c),
            qkv: a.take(n * 3 * c),
            kv: a.take(ns * 2 * c),
            hidden: a.take(n * f),
        };
        let len = end.max(a.len);
        Plan {
            b,
            s,
            t,
            source,
            target,
            encoder,
            decoder,
            logits,
            logits_rows,
            loss,
            nll,
            grad,
            len,
            stats_len: stats.len,
        }
    }

    /// What the encoder puts out.
    pub(crate) fn memory(&self) -> Span {
        self.encoder.last().map_or(self.source.next(), |l| l.feed_forward.end.next()).0
    }

    /// What the decoder puts out.
    pub(crate) fn top(&self) -> Span {
        self.decoder.last().map_or(self.target.next(), |l| l.feed_forward.end.next()).0
    }
}
