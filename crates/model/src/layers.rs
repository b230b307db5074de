//! The three sublayers, forward and backward.

use crate::Error;
use crate::engine::{Around, Engine, Flow, Place};
use crate::params::{CrossAttention, FeedForward, Linear, SelfAttention};
use crate::plan::{CrossActs, EndActs, FeedForwardActs, SelfActs};
use noam_kernels::attention::Mask;
use noam_kernels::device::{Attention, Device, Span};
use noam_kernels::matmul::{Epilogue, Lhs, Rhs, Shape, Start};

impl<'a, D: Device> Engine<'a, D> {
    /// The attention of a stack on itself: the encoder's without a mask, the decoder's with the causal one.
    pub(crate) fn own_attention(&self, mask: Mask, place: Place) -> Result<Attention<'a, D::Indices>, Error> {
        let side = match mask {
            Mask::None => (self.plan.s, &self.tokens.src_lengths),
            Mask::Causal => (self.plan.t, &self.tokens.tgt_lengths),
        };
        self.attention(side, side, mask, place)
    }

    /// The attention of the decoder on the encoder.
    pub(crate) fn attention_on_memory(&self, place: Place) -> Result<Attention<'a, D::Indices>, Error> {
        let (tokens, plan) = (self.tokens, self.plan);
        self.attention((plan.t, &tokens.tgt_lengths), (plan.s, &tokens.src_lengths), Mask::None, place)
    }

    /// Backward of [`Engine::end`], up to the linear layer's parameters: the gradient of that layer's output.
    fn finish_backward(
        &mut self,
        inner: Span,
        layer: Linear,
        around: Around,
        acts: EndActs,
        flow: Flow,
        grads: &mut D::Buffer,
    ) -> Result<Span, Error> {
        let dsub = self.end_backward(around, acts, flow, grads)?;
        self.linear_gradients(inner, layer, around.n, dsub, grads)?;
        Ok(dsub)
    }

    /// Backward of the linear layer that reads a sublayer's input, from the gradient of its output: every sublayer's last
    /// step back.
    fn begin_backward(
        &mut self,
        layer: Linear,
        around: Around,
        dy: Span,
        flow: Flow,
        grads: &mut D::Buffer,
    ) -> Result<Flow, Error> {
        let n = around.n;
        self.linear_gradients(around.x, layer, n, dy, grads)?;
        let (dx, start, below) = self.below(flow);
        self.linear_input(layer, n, dy, start, dx.first(n * self.config.d_model))?;
        Ok(below)
    }

    /// Self-attention of the encoder ([`Mask::None`]) or the decoder ([`Mask::Causal`]).
    pub(crate) fn self_attention(
        &mut self,
        layer: SelfAttention,
        acts: SelfActs,
        around: Around,
        mask: Mask,
    ) -> Result<(), Error> {
        let d = self.device;
        self.linear(around.x, layer.qkv, around.n, acts.qkv)?;
        let attention = self.own_attention(mask, around.place)?;
        let [qkv, heads] = d.split_acts(self.arena, [acts.qkv, acts.heads]);
        let [lse] = d.split(self.stats, [acts.lse]);
        d.self_attention(attention, d.read_act(qkv), heads, lse)?;
        self.end(acts.heads, layer.out, around, acts.end)
    }

    /// Backward of [`Engine::self_attention`].
    pub(crate) fn self_attention_backward(
        &mut self,
        layer: SelfAttention,
        acts: SelfActs,
        around: Around,
        mask: Mask,
        flow: Flow,
        grads: &mut D::Buffer,
    ) -> Result<Flow, Error> {
        let (d, n, c) = (self.device, around.n, self.config.d_model);
        let dsub = self.finish_backward(acts.heads, layer.out, around, acts.end, flow, grads)?;
        let (dheads, dqkv) = (self.plan.grad.heads.first(n * c), self.plan.grad.qkv.first(n * 3 * c));
        self.linear_input(layer.out, n, dsub, Start::Zero, dheads)?;
        let attention = self.own_attention(mask, around.place)?;
        {
            let [dout, qkv, heads, dqkv] = d.split_acts(self.arena, [dheads, acts.qkv, acts.heads, dqkv]);
            let [dout, qkv, heads] = [dout, qkv, heads].map(|act| d.read_act(act));
            d.self_attention_backward(attention, dout, qkv, heads, d.view(self.stats, acts.lse), dqkv)?;
        }
        self.begin_backward(layer.qkv, around, dqkv, flow, grads)
    }

    /// Attention of the decoder on `memory`, the encoder's output.
    pub(crate) fn cross_attention(
        &mut self,
        layer: CrossAttention,
        acts: CrossActs,
        around: Around,
        memory: Span,
    ) -> Result<(), Error> {
        let (d, plan) = (self.device, self.plan);
        self.linear(around.x, layer.q, around.n, acts.q)?;
        self.linear(memory, layer.kv, plan.b * plan.s, acts.kv)?;
        let attention = self.attention_on_memory(around.place)?;
        let [q, kv, heads] = d.split_acts(self.arena, [acts.q, acts.kv, acts.heads]);
        let [lse] = d.split(self.stats, [acts.lse]);
        d.cross_attention(attention, d.read_act(q), d.read_act(kv), heads, lse)?;
        self.end(acts.heads, layer.out, around, acts.end)
    }

    /// Backward of [`Engine::cross_attention`]; the gradient of the memory is set by the first layer to come (the top one)
    /// and added to by the others.
    #[allow(clippy::too_many_arguments)] // a sublayer's own, and the memory's
    pub(crate) fn cross_attention_backward(
        &mut self,
        layer: CrossAttention,
        acts: CrossActs,
        around: Around,
        memory: Span,
        memory_start: Start,
        flow: Flow,
        grads: &mut D::Buffer,
    ) -> Result<Flow, Error> {
        let (d, plan) = (self.device, self.plan);
        let (n, ns, c) = (around.n, plan.b * plan.s, self.config.d_model);
        let dsub = self.finish_backward(acts.heads, layer.out, around, acts.end, flow, grads)?;
        let (dheads, dq, dkv) = (plan.grad.heads.first(n * c), plan.grad.qkv.first(n * c), plan.grad.kv);
        self.linear_input(layer.out, n, dsub, Start::Zero, dheads)?;
        let attention = self.attention_on_memory(around.place)?;
        {
            let spans = [dheads, acts.q, acts.kv, acts.heads, dq, dkv];
            let [dout, q, kv, heads, dq, dkv] = d.split_acts(self.arena, spans);
            let [dout, q, kv, heads] = [dout, q, kv, heads].map(|act| d.read_act(act));
            d.cross_attention_backward(attention, dout, q, kv, heads, d.view(self.stats, acts.lse), dq, dkv)?;
        }
        self.linear_gradients(memory, layer.kv, ns, dkv, grads)?;
        self.linear_input(layer.kv, ns, dkv, memory_start, plan.grad.memory)?;
        self.begin_backward(layer.q, around, dq, flow, grads)
    }

    /// `W2 dropout(max(W1 x + b1, 0)) + b2`, the paper's equation 2.
    pub(crate) fn feed_forward(
        &mut self,
        layer: FeedForward,
        acts: FeedForwardActs,
        around: Around,
    ) -> Result<(), Error> {
        let dropout = self.dropout(self.config.activation_dropout, around.place.inner())?;
        self.linear_relu_dropout(around.x, layer.up, around.n, dropout, acts.hidden)?;
        self.end(acts.hidden, layer.down, around, acts.end)
    }

    /// Backward of [`Engine::feed_forward`].
    pub(crate) fn feed_forward_backward(
        &mut self,
        layer: FeedForward,
        acts: FeedForwardActs,
        around: Around,
        flow: Flow,
        grads: &mut D::Buffer,
    ) -> Result<Flow, Error> {
        let (d, n, c, f) = (self.device, around.n, self.config.d_model, self.config.d_ff);
        let dsub = self.finish_backward(acts.hidden, layer.down, around, acts.end, flow, grads)?;
        let dhidden = self.plan.grad.hidden.first(n * f);
        {
            // What dropout left of the activations tells both masks: zero where either struck.
            let scale = self.dropout(self.config.activation_dropout, around.place.inner())?.scale();
            let [dy, hidden, dx] = d.split_acts(self.arena, [dsub, acts.hidden, dhidden]);
            let epilogue = Epilogue::ReluGradient { activation: d.read_act(hidden), scale };
            let weight = Rhs::Rows(d.weight(self.params, layer.down.weight));
            d.matmul(Shape { m: n, n: f, k: c }, Lhs::Rows(d.read_act(dy)), weight, Start::Zero, epilogue, dx)?;
        }
        self.begin_backward(layer.up, around, dhidden, flow, grads)
    }
}
