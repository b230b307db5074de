//! The whole model over one plan: embeddings, encoder, decoder, logits and loss, forward and backward.

use crate::batch::PAD;
use crate::engine::{Around, Engine, Flow, Place};
use crate::params::LayerNorm;
use crate::plan::BottomActs;
use crate::{Error, Norm};
use noam_kernels::attention::Mask;
use noam_kernels::device::{Device, Embedding, Span, Targets};
use noam_kernels::embedding;
use noam_kernels::matmul::{Epilogue, Lhs, Rhs, Shape, Start};

/// A stack's side of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// The bottom of a side's stack: its tokens, their table, and the first layer's norm, which pre-norm has here.
struct Bottom<'a, I> {
    acts: BottomActs,
    /// Positions.
    t: usize,
    ids: &'a I,
    lengths: &'a I,
    table: Span,
    norm: LayerNorm,
    place: Place,
}

impl<'a, D: Device> Engine<'a, D> {
    fn rows(&self, side: Side) -> usize {
        self.plan.b * if side == Side::Source { self.plan.s } else { self.plan.t }
    }

    /// sqrt(d_model): what the paper multiplies embeddings by (section 3.4).
    pub(crate) fn embedding_scale(&self) -> f32 {
        (self.config.d_model as f64).sqrt() as f32
    }

    fn bottom(&self, side: Side) -> Bottom<'a, D::Indices> {
        let (plan, layout, tokens) = (self.plan, self.layout, self.tokens);
        match side {
            Side::Source => Bottom {
                acts: plan.source,
                t: plan.s,
                ids: &tokens.src,
                lengths: &tokens.src_lengths,
                table: layout.source,
                norm: layout.encoder[0].attention.norm,
                place: Place::SourceEmbedding,
            },
            Side::Target => Bottom {
                acts: plan.target,
                t: plan.t,
                ids: &tokens.tgt_in,
                lengths: &tokens.tgt_lengths,
                table: layout.target,
                norm: layout.decoder[0].attention.norm,
                place: Place::TargetEmbedding,
            },
        }
    }

    fn embed(&mut self, side: Side) -> Result<(), Error> {
        let d = self.device;
        let Bottom { acts, t, ids, lengths, table, norm, place } = self.bottom(side);
        let dropout = self.dropout(self.config.dropout, place)?;
        let input = Embedding {
            dims: embedding::Dims { b: self.plan.b, t, c: self.config.d_model },
            ids,
            lengths,
            table: d.parameter(self.params, table),
            positions: d.view(self.positions, Span { offset: 0, len: d.len(self.positions) }),
            offset: 0,
            scale: self.embedding_scale(),
        };
        let [x] = d.split_acts(self.arena, [acts.x]);
        d.embedding_forward(input, dropout, x)?;
        match acts.norm {
            Some(norm_acts) => self.norm(acts.x, norm, norm_acts),
            None => Ok(()),
        }
    }

    fn embed_backward(&mut self, side: Side, mut flow: Flow, grads: &mut D::Buffer) -> Result<(), Error> {
        let d = self.device;
        let Bottom { acts, t, ids, lengths, table, norm, place } = self.bottom(side);
        let n = self.rows(side);
        if let Some(norm_acts) = acts.norm {
            flow = self.norm_backward(acts.x, norm, norm_acts, n, flow, grads)?;
        }
        let dropout = self.dropout(self.config.dropout, place)?;
        let dims = embedding::Dims { b: self.plan.b, t, c: self.config.d_model };
        let dy = d.act(self.arena, flow.g.first(n * self.config.d_model));
        let [dtable] = d.split(grads, [table]);
        Ok(d.embedding_backward(dims, ids, lengths, dy, self.embedding_scale(), dropout, dtable)?)
    }

    /// What surrounds sublayer `sublayer` of an encoder layer.
    pub(crate) fn encoder_around(&self, layer: usize, sublayer: u32) -> Around {
        let acts = &self.plan.encoder[layer];
        let params = &self.layout.encoder[layer];
        let n = self.rows(Side::Source);
        let place = Place::Encoder { layer, sublayer, weights: false };
        let own = [params.attention.norm, params.feed_forward.norm][sublayer as usize];
        let (x, stream) = match (sublayer, layer) {
            (0, 0) => self.plan.source.next(),
            (0, l) => self.plan.encoder[l - 1].feed_forward.end.next(),
            _ => acts.attention.end.next(),
        };
        let next = || {
            if sublayer == 0 {
                return Some(params.feed_forward.norm);
            }
            self.layout.encoder.get(layer + 1).map(|l| l.attention.norm).or(self.layout.encoder_norm)
        };
        Around { x, stream, norm: self.norm_after(own, next), place, n }
    }

    /// What surrounds sublayer `sublayer` of a decoder layer.
    pub(crate) fn decoder_around(&self, layer: usize, sublayer: u32) -> Around {
        let acts = &self.plan.decoder[layer];
        let params = &self.layout.decoder[layer];
        let n = self.rows(Side::Target);
        let place = Place::Decoder { layer, sublayer, weights: false };
        let own = [params.attention.norm, params.cross.norm, params.feed_forward.norm][sublayer as usize];
        let (x, stream) = match (sublayer, layer) {
            (0, 0) => self.plan.target.next(),
            (0, l) => self.plan.decoder[l - 1].feed_forward.end.next(),
            (1, _) => acts.attention.end.next(),
            _ => acts.cross.end.next(),
        };
        let next = || match sublayer {
            0 => Some(params.cross.norm),
            1 => Some(params.feed_forward.norm),
            _ => self.layout.decoder.get(layer + 1).map(|l| l.attention.norm).or(self.layout.decoder_norm),
        };
        Around { x, stream, norm: self.norm_after(own, next), place, n }
    }

    /// The norm that ends a sublayer: its own with post-norm, the next reader's with pre-norm.
    pub(crate) fn norm_after(&self, own: LayerNorm, next: impl FnOnce() -> Option<LayerNorm>) -> LayerNorm {
        match self.config.norm {
            Norm::Post => own,
            Norm::Pre => next().unwrap_or(own),
        }
    }

    /// From source tokens to the encoder's output, at [`crate::plan::Plan::memory`].
    pub(crate) fn encode(&mut self) -> Result<(), Error> {
        self.embed(Side::Source)?;
        for (i, layer) in self.layout.encoder.iter().enumerate() {
            let acts = self.plan.encoder[i];
            self.self_attention(layer.attention, acts.attention, self.encoder_around(i, 0), Mask::None)?;
            self.feed_forward(layer.feed_forward, acts.feed_forward, self.encoder_around(i, 1))?;
        }
        Ok(())
    }

    /// From both sides' tokens to the decoder's output, at [`crate::plan::Plan::top`].
    pub(crate) fn forward(&mut self) -> Result<(), Error> {
        self.encode()?;
        self.embed(Side::Target)?;
        let memory = self.plan.memory();
        for (i, layer) in self.layout.decoder.iter().enumerate() {
            let acts = self.plan.decoder[i];
            self.self_attention(layer.attention, acts.attention, self.decoder_around(i, 0), Mask::Causal)?;
            self.cross_attention(layer.cross, acts.cross, self.decoder_around(i, 1), memory)?;
            self.feed_forward(layer.feed_forward, acts.feed_forward, self.decoder_around(i, 2))?;
        }
        Ok(())
    }

    /// Calls `each` with the first row and the number of rows of every chunk of logits.
    fn chunks(&self) -> impl Iterator<Item = (usize, usize)> + use<D> {
        let (n, rows) = (self.rows(Side::Target), self.plan.logits_rows);
        (0..n).step_by(rows).map(move |first| (first, rows.min(n - first)))
    }

    fn part(span: Span, width: usize, (first, rows): (usize, usize)) -> Span {
        span.from(first * width).first(rows * width)
    }

    /// The logits of some rows of the decoder's output: `top Eᵀ`.
    fn logits(&mut self, chunk: (usize, usize)) -> Result<Span, Error> {
        let (d, c, v) = (self.device, self.config.d_model, self.config.vocab_size);
        let logits = self.plan.logits.first(chunk.1 * v);
        let [x, y] = d.split_acts(self.arena, [Self::part(self.plan.top(), c, chunk), logits]);
        let table = Rhs::Transposed(d.weight(self.params, self.layout.output));
        d.matmul(Shape { m: chunk.1, n: v, k: c }, Lhs::Rows(d.read_act(x)), table, Start::Zero, Epilogue::None, y)?;
        Ok(logits)
    }

    /// The loss of every target, and the gradient of the decoder's output in the flow that is returned; the output
    /// embedding's gradient is added to `grads`.
    fn loss(&mut self, smoothing: f32, grad_scale: f32, grads: &mut D::Buffer) -> Result<Flow, Error> {
        let (d, tokens, c, v) = (self.device, self.tokens, self.config.d_model, self.config.vocab_size);
        let (g, sum) = (self.plan.grad.g, self.plan.grad.sum);
        for chunk in self.chunks() {
            let rows = chunk.1;
            let logits = self.logits(chunk)?;
            {
                let [logits] = d.split_acts(self.arena, [logits]);
                let [loss] = d.split(self.stats, [Self::part(self.plan.loss, 1, chunk)]);
                let targets = Targets { ids: &tokens.tgt_out, first: chunk.0, ignore: PAD, smoothing };
                d.cross_entropy(logits, v, targets, grad_scale, loss)?;
            }
            let spans = [logits, Self::part(g, c, chunk), Self::part(self.plan.top(), c, chunk)];
            let [dlogits, dx, x] = d.split_acts(self.arena, spans);
            let (dlogits, x) = (d.read_act(dlogits), d.read_act(x));
            let [dtable] = d.split(grads, [self.layout.output]);
            let shape = Shape { m: v, n: c, k: rows };
            d.matmul_to_f32(shape, Lhs::Transposed(dlogits), Rhs::Rows(x), Start::Accumulate, dtable)?;
            let table = Rhs::Rows(d.weight(self.params, self.layout.output));
            let shape = Shape { m: rows, n: c, k: v };
            d.matmul(shape, Lhs::Rows(dlogits), table, Start::Zero, Epilogue::None, dx)?;
        }
        Ok(Flow { g, sum, stream: false })
    }

    /// Forward and backward: adds every parameter's gradient to `grads`.
    pub(crate) fn accumulate(&mut self, smoothing: f32, grad_scale: f32, grads: &mut D::Buffer) -> Result<(), Error> {
        self.forward()?;
        let mut flow = self.loss(smoothing, grad_scale, grads)?;
        let memory = self.plan.memory();
        for (i, layer) in self.layout.decoder.iter().enumerate().rev() {
            let acts = self.plan.decoder[i];
            let around = self.decoder_around(i, 2);
            flow = self.feed_forward_backward(layer.feed_forward, acts.feed_forward, around, flow, grads)?;
            let top = i + 1 == self.layout.decoder.len();
            let start = if top { Start::Zero } else { Start::Accumulate };
            let around = self.decoder_around(i, 1);
            flow = self.cross_attention_backward(layer.cross, acts.cross, around, memory, start, flow, grads)?;
            let around = self.decoder_around(i, 0);
            flow = self.self_attention_backward(layer.attention, acts.attention, around, Mask::Causal, flow, grads)?;
        }
        self.embed_backward(Side::Target, flow, grads)?;
        // The memory's gradient is the encoder's output's.
        let mut flow = Flow { g: self.plan.grad.memory, sum: self.plan.grad.sum, stream: false };
        for (i, layer) in self.layout.encoder.iter().enumerate().rev() {
            let acts = self.plan.encoder[i];
            let around = self.encoder_around(i, 1);
            flow = self.feed_forward_backward(layer.feed_forward, acts.feed_forward, around, flow, grads)?;
            let around = self.encoder_around(i, 0);
            flow = self.self_attention_backward(layer.attention, acts.attention, around, Mask::None, flow, grads)?;
        }
        self.embed_backward(Side::Source, flow, grads)
    }

    /// The loss and the negative log-likelihood of every target, without gradients.
    pub(crate) fn evaluate(&mut self, smoothing: f32) -> Result<(), Error> {
        let (d, tokens, v) = (self.device, self.tokens, self.config.vocab_size);
        self.forward()?;
        for chunk in self.chunks() {
            let logits = self.logits(chunk)?;
            let [loss, nll] =
                d.split(self.stats, [self.plan.loss, self.plan.nll].map(|span| Self::part(span, 1, chunk)));
            let targets = Targets { ids: &tokens.tgt_out, first: chunk.0, ignore: PAD, smoothing };
            d.cross_entropy_evaluate(d.act(self.arena, logits), v, targets, loss, nll)?;
        }
        Ok(())
    }
}
