//! Forward and backward of the layers over one plan: the paper's figure 1, written out.
//!
//! A sublayer f with its residual and norm is `y = LN(x + dropout(f(x)))` with post-norm. With pre-norm the residual stream
//! runs past the norms, and it is grouped by what can be fused: a sublayer reads the normalized `y`, adds to the stream, and
//! ends with the *next* norm. Either way a sublayer ends with one fused operation; only which norm and which residual differ.

use crate::params::{LayerNorm, Layout, Linear};
use crate::plan::{EndActs, NormActs, Plan};
use crate::{Config, Error, Norm};
use noam_kernels::attention::{Dims, Mask};
use noam_kernels::device::{
    self, Attention, Device, LinearSizes, NormGradients, NormInput, NormOutput, Span, SublayerEnd,
};
use noam_kernels::dropout::Dropout;
use noam_kernels::layer_norm::Write;
use noam_kernels::matmul::{Epilogue, Lhs, Rhs, Shape, Start};

/// Tokens and lengths of a batch, in the device's memory.
#[derive(Debug)]
pub(crate) struct Tokens<I> {
    pub src: I,
    pub src_lengths: I,
    pub tgt_in: I,
    pub tgt_out: I,
    pub tgt_lengths: I,
}

/// What decides a dropout's numbers: a place in the model and a step, never a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Noise {
    pub seed: u64,
    pub step: u32,
    pub micro_batch: u16,
    /// Off when a model is used, not trained.
    pub active: bool,
}

/// The places of dropout in the model. The micro-batch takes the upper half of a place's number.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    SourceEmbedding,
    TargetEmbedding,
    Encoder { layer: usize, sublayer: u32, weights: bool },
    Decoder { layer: usize, sublayer: u32, weights: bool },
}

impl Place {
    fn number(self) -> u32 {
        match self {
            Place::SourceEmbedding => 1,
            Place::TargetEmbedding => 2,
            // At most 1000 layers of 8 places each: the ranges do not meet.
            Place::Encoder { layer, sublayer, weights } => 0x10 + 8 * layer as u32 + 2 * sublayer + u32::from(weights),
            Place::Decoder { layer, sublayer, weights } => {
                0x4000 + 8 * layer as u32 + 2 * sublayer + u32::from(weights)
            }
        }
    }

    /// The same sublayer's inner dropout: of the attention weights, or after the ReLU.
    pub(crate) fn inner(self) -> Place {
        match self {
            Place::Encoder { layer, sublayer, .. } => Place::Encoder { layer, sublayer, weights: true },
            Place::Decoder { layer, sublayer, .. } => Place::Decoder { layer, sublayer, weights: true },
            place => place,
        }
    }
}

/// What a sublayer begins and ends with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around {
    /// What it reads, and its residual with post-norm.
    pub x: Span,
    /// The residual stream, with pre-norm.
    pub stream: Span,
    /// The norm that ends it.
    pub norm: LayerNorm,
    /// Its dropout.
    pub place: Place,
    /// Rows.
    pub n: usize,
}

/// Two spans that trade places: the gradient of a sublayer's output, and that of its residual sum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub g: Span,
    pub sum: Span,
    /// Whether `sum` already holds the gradient of the residual stream (pre-norm, below the top).
    pub stream: bool,
}

impl Flow {
    /// How a norm's backward writes to `sum`.
    fn write(self) -> Write {
        if self.stream { Write::Add } else { Write::Set }
    }
}

/// What a norm's backward reads, of which `statistics` are the sum's mean and rstd.
fn norm_input<'v, D: Device>(
    d: &'v D,
    [dy, sum]: [D::ActMut<'v>; 2],
    statistics: [D::ViewMut<'v>; 2],
    gamma: D::View<'v>,
) -> NormInput<D::Act<'v>, D::View<'v>> {
    let [mean, rstd] = statistics.map(|view| d.read(view));
    NormInput { dy: d.read_act(dy), sum: d.read_act(sum), mean, rstd, gamma }
}

/// A pass over one batch: the model, the arena it works in, and where gradients go.
pub(crate) struct Engine<'a, D: Device> {
    pub device: &'a D,
    pub config: &'a Config,
    pub layout: &'a Layout,
    pub params: &'a D::Parameters,
    pub positions: &'a D::Buffer,
    pub plan: &'a Plan,
    pub tokens: &'a Tokens<D::Indices>,
    /// The weights of the linear layers, packed, by number: for decoding, where many products share them.
    pub packed: Option<&'a [D::Packed]>,
    pub arena: &'a mut D::Activations,
    pub stats: &'a mut D::Buffer,
    pub noise: Noise,
}

impl<'a, D: Device> Engine<'a, D> {
    pub(crate) fn dropout(&self, p: f64, place: Place) -> Result<Dropout, Error> {
        if !self.noise.active || p == 0.0 {
            return Ok(Dropout::NONE);
        }
        let number = place.number() | u32::from(self.noise.micro_batch) << 16;
        Ok(Dropout::new(p as f32, self.noise.seed, self.noise.step, number)?)
    }

    /// An attention of `t` queries on `s` keys, and the lengths of both.
    pub(crate) fn attention(
        &self,
        (t, query_lengths): (usize, &'a D::Indices),
        (s, key_lengths): (usize, &'a D::Indices),
        mask: Mask,
        place: Place,
    ) -> Result<Attention<'a, D::Indices>, Error> {
        let dims = Dims { b: self.plan.b, nh: self.config.n_heads, hs: self.config.head_size(), t, s };
        let dropout = self.dropout(self.config.attention_dropout, place.inner())?;
        Ok(Attention { dims, mask, key_lengths, query_lengths: Some(query_lengths), dropout })
    }

    /// `y = x Wᵀ + b`.
    pub(crate) fn linear(&mut self, x: Span, layer: Linear, n: usize, y: Span) -> Result<(), Error> {
        let d = self.device;
        let device::Linear { sizes: LinearSizes { rows, d_out, d_in }, w, packed, bias, .. } = self.layer(layer, n);
        let w = packed.map_or(Rhs::Transposed(w), Rhs::Packed);
        let [x, y] = d.split_acts(self.arena, [x, y]);
        let shape = Shape { m: rows, n: d_out, k: d_in };
        Ok(d.matmul(shape, Lhs::Rows(d.read_act(x)), w, Start::Zero, Epilogue::Bias(bias), y)?)
    }

    /// `y = dropout(max(x Wᵀ + b, 0))`.
    pub(crate) fn linear_relu_dropout(
        &mut self,
        x: Span,
        layer: Linear,
        n: usize,
        dropout: Dropout,
        y: Span,
    ) -> Result<(), Error> {
        let (d, linear) = (self.device, self.layer(layer, n));
        let [x, y] = d.split_acts(self.arena, [x, y]);
        Ok(d.linear_relu_dropout(linear.of(d.read_act(x)), dropout, y)?)
    }

    /// A linear layer that reads `n` rows of whatever.
    fn layer(&self, layer: Linear, n: usize) -> device::Linear<(), D::Act<'a>, &'a D::Packed, D::View<'a>> {
        let (d, params) = (self.device, self.params);
        device::Linear {
            sizes: LinearSizes { rows: n, d_out: layer.d_out, d_in: layer.d_in },
            x: (),
            w: d.weight(params, layer.weight),
            packed: self.packed.map(|packed| &packed[layer.number]),
            bias: d.parameter(params, layer.bias),
        }
    }

    /// `dW += dyᵀ x`, `db += sum of dy's rows`.
    pub(crate) fn linear_gradients(
        &mut self,
        x: Span,
        layer: Linear,
        n: usize,
        dy: Span,
        grads: &mut D::Buffer,
    ) -> Result<(), Error> {
        let d = self.device;
        let sizes = LinearSizes { rows: n, d_out: layer.d_out, d_in: layer.d_in };
        let (x, dy) = (d.act(self.arena, x), d.act(self.arena, dy));
        let [dw, db] = d.split(grads, [layer.weight, layer.bias]);
        Ok(d.linear_gradients(sizes, dy, x, dw, db)?)
    }

    /// `dx = dy W`, or added to `dx`.
    pub(crate) fn linear_input(
        &mut self,
        layer: Linear,
        n: usize,
        dy: Span,
        start: Start,
        dx: Span,
    ) -> Result<(), Error> {
        let d = self.device;
        let shape = Shape { m: n, n: layer.d_in, k: layer.d_out };
        let [dy, dx] = d.split_acts(self.arena, [dy, dx]);
        let weight = Rhs::Rows(d.weight(self.params, layer.weight));
        Ok(d.matmul(shape, Lhs::Rows(d.read_act(dy)), weight, start, Epilogue::None, dx)?)
    }

    fn norm_params(&self, norm: LayerNorm) -> device::Norm<D::View<'a>> {
        let (d, params) = (self.device, self.params);
        device::Norm {
            gamma: d.parameter(params, norm.gamma),
            beta: d.parameter(params, norm.beta),
            eps: self.config.norm_eps as f32,
        }
    }

    /// The end of a sublayer: `sum = residual + dropout(inner Wᵀ + b)`, `y = LN(sum)`.
    pub(crate) fn end(&mut self, inner: Span, layer: Linear, around: Around, acts: EndActs) -> Result<(), Error> {
        let d = self.device;
        let residual = match self.config.norm {
            Norm::Post => around.x,
            Norm::Pre => around.stream,
        };
        let linear = self.layer(layer, around.n);
        let dropout = self.dropout(self.config.dropout, around.place)?;
        let norm = self.norm_params(around.norm);
        let NormActs { y, mean, rstd } = acts.norm;
        let [inner, residual, sum, y] = d.split_acts(self.arena, [inner, residual, acts.sum, y]);
        let [mean, rstd] = d.split(self.stats, [mean, rstd]);
        let residual = d.read_act(residual);
        let end = SublayerEnd { residual, sum, dropout, norm, out: NormOutput { y, mean, rstd } };
        Ok(d.linear_norm(linear.of(d.read_act(inner)), end)?)
    }

    /// Backward of [`Engine::end`]: from `flow.g` to the gradient of the sum and, in `grad.sub`, of the sublayer's output.
    pub(crate) fn end_backward(
        &mut self,
        around: Around,
        acts: EndActs,
        flow: Flow,
        grads: &mut D::Buffer,
    ) -> Result<Span, Error> {
        let d = self.device;
        let dropout = self.dropout(self.config.dropout, around.place)?;
        let nc = around.n * self.config.d_model;
        let dsub = self.plan.grad.sub.first(nc);
        let spans = [flow.g.first(nc), acts.sum, flow.sum.first(nc), dsub];
        let [dy, sum, dsum, sub] = d.split_acts(self.arena, spans);
        let statistics = d.split(self.stats, [acts.norm.mean, acts.norm.rstd]);
        let input = norm_input(d, [dy, sum], statistics, d.parameter(self.params, around.norm.gamma));
        let [dgamma, dbeta] = d.split(grads, [around.norm.gamma, around.norm.beta]);
        let out = NormGradients { dsum, dgamma, dbeta };
        d.residual_layer_norm_backward(input, dropout, flow.write(), out, sub)?;
        Ok(dsub)
    }

    /// Where a sublayer's input gradient goes, and the flow below it.
    pub(crate) fn below(&self, flow: Flow) -> (Span, Start, Flow) {
        match self.config.norm {
            // The residual sum's gradient is the input's own; the sublayer's comes on top.
            Norm::Post => (flow.sum, Start::Accumulate, Flow { g: flow.sum, sum: flow.g, stream: false }),
            // The stream's gradient goes on beside it.
            Norm::Pre => (flow.g, Start::Zero, Flow { stream: true, ..flow }),
        }
    }

    /// A stack's norm on its own: pre-norm's first.
    pub(crate) fn norm(&mut self, x: Span, norm: LayerNorm, acts: NormActs) -> Result<(), Error> {
        let d = self.device;
        let norm = self.norm_params(norm);
        let [x, y] = d.split_acts(self.arena, [x, acts.y]);
        let [mean, rstd] = d.split(self.stats, [acts.mean, acts.rstd]);
        Ok(d.layer_norm(d.read_act(x), norm, NormOutput { y, mean, rstd })?)
    }

    /// Backward of [`Engine::norm`], into the gradient of the stream, where it ends.
    pub(crate) fn norm_backward(
        &mut self,
        x: Span,
        norm: LayerNorm,
        acts: NormActs,
        n: usize,
        flow: Flow,
        grads: &mut D::Buffer,
    ) -> Result<Flow, Error> {
        let d = self.device;
        let nc = n * self.config.d_model;
        let [dy, sum, dsum] = d.split_acts(self.arena, [flow.g.first(nc), x, flow.sum.first(nc)]);
        let statistics = d.split(self.stats, [acts.mean, acts.rstd]);
        let input = norm_input(d, [dy, sum], statistics, d.parameter(self.params, norm.gamma));
        let [dgamma, dbeta] = d.split(grads, [norm.gamma, norm.beta]);
        d.layer_norm_backward(input, flow.write(), NormGradients { dsum, dgamma, dbeta })?;
        Ok(Flow { g: flow.sum, sum: flow.g, stream: false })
    }
}
