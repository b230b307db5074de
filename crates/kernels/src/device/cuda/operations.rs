//! The operations of a [`Cuda`] device: each takes its scratch and calls its launcher.

use super::graphs::Graphs;
use super::{Cuda, Scratch, grown};
use crate::adam::cuda::{CudaAdam, CudaState};
use crate::adam::{self, Gradients as After, Outcome};
use crate::attention::cuda as attention;
use crate::cuda::{Buffer, Indices, View, ViewMut};
use crate::device::{
    Attention, Cache, Device, Embedding, Moving, Norm, NormGradients, NormInput, NormOutput, OpTime, Optimized, Span,
    Targets,
};
use crate::dropout::Dropout;
use crate::error::check_len;
use crate::layer_norm::Write;
use crate::layer_norm::cuda as norm;
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start};
use crate::{Error, column_sum, embedding, grad_norm, layer_norm, top_k};
use noam_schedule::Schedule;

fn affine<'a>(norm: &Norm<View<'a>>) -> norm::Affine<'a> {
    norm::Affine { gamma: norm.gamma, beta: norm.beta }
}

fn output<'a>(out: NormOutput<ViewMut<'a>>) -> norm::Output<'a> {
    let NormOutput { y, mean, rstd } = out;
    norm::Output { y, mean, rstd }
}

fn backward<'a>(input: NormInput<View<'a>>) -> norm::Backward<'a> {
    let NormInput { dy, sum, mean, rstd, gamma } = input;
    norm::Backward { dy, sum, mean, rstd, gamma }
}

fn gradients<'a>(out: NormGradients<ViewMut<'a>>) -> norm::Gradients<'a> {
    let NormGradients { dsum, dgamma, dbeta } = out;
    norm::Gradients { dsum, dgamma, dbeta }
}

impl Device for Cuda {
    type Buffer = Buffer<f32>;
    type Indices = Indices;
    /// A copy: products take weights as they are.
    type Packed = Buffer<f32>;
    type View<'a> = View<'a>;
    type ViewMut<'a> = ViewMut<'a>;
    type Adam = CudaAdam;
    type Graphs = Graphs;

    fn another(&self) -> Self {
        self.clone()
    }

    /// Nothing: operations run after the calls that enqueue them. A profiler of the device knows more.
    fn profile(&self) -> Vec<(&'static str, OpTime)> {
        Vec::new()
    }

    fn replay<E: From<Error>>(
        &self,
        graphs: &mut Graphs,
        key: &[u64],
        moving: Moving,
        work: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        self.queue().set_step(moving.step)?;
        self.scratch().set_grad_scale(moving.grad_scale)?;
        graphs.replay(self.queue(), key, work)
    }

    fn zeros(&self, len: usize) -> Result<Buffer<f32>, Error> {
        Buffer::zeros(self.queue(), len)
    }

    fn len(&self, buffer: &Buffer<f32>) -> usize {
        buffer.len()
    }

    fn upload(&self, values: &[f32], buffer: &mut Buffer<f32>, span: Span) -> Result<(), Error> {
        check_len("upload", "values", "(span)", values.len(), span.len)?;
        let [mut to] = self.split(buffer, [span]);
        to.write(values)
    }

    fn download(&self, buffer: &Buffer<f32>, span: Span, values: &mut [f32]) -> Result<(), Error> {
        check_len("download", "values", "(span)", values.len(), span.len)?;
        self.view(buffer, span).read(values)
    }

    fn indices(&self, len: usize) -> Result<Indices, Error> {
        Indices::new(self.queue(), len)
    }

    fn set_indices(&self, values: &[u32], indices: &mut Indices) -> Result<(), Error> {
        indices.set(self.queue(), values)
    }

    fn pack(&self, w: View<'_>, k: usize, n: usize) -> Result<Buffer<f32>, Error> {
        check_len("matmul", "w", "(N, K)", w.len(), crate::error::product("matmul", "K·N", &[k, n])?)?;
        let mut packed = Buffer::zeros(self.queue(), w.len())?;
        packed.view_mut().copy(w)?;
        Ok(packed)
    }

    fn view<'a>(&'a self, buffer: &'a Buffer<f32>, span: Span) -> View<'a> {
        buffer.view().part(span.offset, span.len)
    }

    fn split<'a, const N: usize>(&'a self, buffer: &'a mut Buffer<f32>, spans: [Span; N]) -> [ViewMut<'a>; N] {
        buffer.view_mut().split(spans.map(|span| (span.offset, span.len)))
    }

    fn read<'a>(&'a self, view: ViewMut<'a>) -> View<'a> {
        view.into_view()
    }

    fn fill(&self, view: ViewMut<'_>, value: f32) -> Result<(), Error> {
        self.fill()?.fill(self.queue(), view, value)
    }

    fn matmul(
        &self,
        shape: Shape,
        a: Lhs<View<'_>>,
        b: Rhs<View<'_>, &Buffer<f32>>,
        start: Start,
        epilogue: Epilogue<View<'_>>,
        c: ViewMut<'_>,
    ) -> Result<(), Error> {
        let b = match b {
            Rhs::Rows(b) => Rhs::Rows(b),
            Rhs::Transposed(b) => Rhs::Transposed(b),
            Rhs::Packed(b) => Rhs::Packed(b.view()),
        };
        self.matmul()?.matmul(self.queue(), shape, a, b, start, epilogue, c)
    }

    fn column_sum(&self, dy: View<'_>, db: ViewMut<'_>) -> Result<(), Error> {
        let len = column_sum::scratch_len(dy.len() / db.len().max(1), db.len())?;
        let scratch = &mut *self.scratch();
        self.column_sum()?.column_sum(self.queue(), dy, grown(self.queue(), &mut scratch.floats, len)?, db)
    }

    fn dropout(&self, x: ViewMut<'_>, c: usize, dropout: Dropout) -> Result<(), Error> {
        self.dropout()?.apply(self.queue(), x, c, dropout)
    }

    fn embedding_forward(
        &self,
        input: Embedding<'_, View<'_>, Indices>,
        dropout: Dropout,
        y: ViewMut<'_>,
    ) -> Result<(), Error> {
        let Embedding { dims, ids, lengths, table, positions, offset, scale } = input;
        let tables = embedding::cuda::Tables { table, positions, offset, scale };
        self.embedding()?.forward(self.queue(), dims, ids, lengths, tables, dropout, y)
    }

    fn embedding_backward(
        &self,
        dims: embedding::Dims,
        ids: &Indices,
        lengths: &Indices,
        dy: View<'_>,
        scale: f32,
        dropout: Dropout,
        dtable: ViewMut<'_>,
    ) -> Result<(), Error> {
        let len = embedding::cuda::scratch_len(ids.host().len());
        let scratch = &mut *self.scratch();
        let scratch = grown(self.queue(), &mut scratch.integers, len)?;
        self.embedding()?.backward(self.queue(), dims, ids, lengths, dy, scale, dropout, dtable, scratch)
    }

    fn layer_norm(&self, x: View<'_>, norm: Norm<View<'_>>, out: NormOutput<ViewMut<'_>>) -> Result<(), Error> {
        self.layer_norm()?.forward(self.queue(), x, affine(&norm), norm.eps, output(out))
    }

    fn layer_norm_backward(
        &self,
        input: NormInput<View<'_>>,
        write: Write,
        out: NormGradients<ViewMut<'_>>,
    ) -> Result<(), Error> {
        let len = layer_norm::scratch_len(input.mean.len(), input.gamma.len());
        let scratch = &mut *self.scratch();
        let scratch = grown(self.queue(), &mut scratch.floats, len)?;
        self.layer_norm()?.backward(self.queue(), backward(input), write, gradients(out), scratch)
    }

    fn residual_layer_norm(
        &self,
        x: View<'_>,
        sum: ViewMut<'_>,
        dropout: Dropout,
        norm: Norm<View<'_>>,
        out: NormOutput<ViewMut<'_>>,
    ) -> Result<(), Error> {
        let kernels = self.layer_norm()?;
        kernels.residual_forward(self.queue(), x, sum, dropout, affine(&norm), norm.eps, output(out))
    }

    fn residual_layer_norm_backward(
        &self,
        input: NormInput<View<'_>>,
        dropout: Dropout,
        write: Write,
        out: NormGradients<ViewMut<'_>>,
        dsub: ViewMut<'_>,
    ) -> Result<(), Error> {
        let len = layer_norm::scratch_len(input.mean.len(), input.gamma.len());
        let scratch = &mut *self.scratch();
        let scratch = grown(self.queue(), &mut scratch.floats, len)?;
        let (kernels, input, out) = (self.layer_norm()?, backward(input), gradients(out));
        kernels.residual_backward(self.queue(), input, dropout, write, out, dsub, scratch)
    }

    fn self_attention(
        &self,
        attention: Attention<'_, Indices>,
        qkv: View<'_>,
        o: ViewMut<'_>,
        lse: ViewMut<'_>,
    ) -> Result<(), Error> {
        let inputs = attention::Inputs::Packed { qkv };
        self.attention()?.forward(self.queue(), &attention, inputs, attention::Output { o, lse })
    }

    fn self_attention_backward(
        &self,
        attention: Attention<'_, Indices>,
        d_o: View<'_>,
        qkv: View<'_>,
        o: View<'_>,
        lse: View<'_>,
        dqkv: ViewMut<'_>,
    ) -> Result<(), Error> {
        let saved = attention::Saved { o, lse, d_o };
        let gradients = attention::Gradients::Packed { dqkv };
        self.attention_backward(attention, attention::Inputs::Packed { qkv }, saved, gradients)
    }

    fn cross_attention(
        &self,
        attention: Attention<'_, Indices>,
        q: View<'_>,
        kv: View<'_>,
        o: ViewMut<'_>,
        lse: ViewMut<'_>,
    ) -> Result<(), Error> {
        let inputs = attention::Inputs::Cross { q, kv };
        self.attention()?.forward(self.queue(), &attention, inputs, attention::Output { o, lse })
    }

    fn cross_attention_backward(
        &self,
        attention: Attention<'_, Indices>,
        d_o: View<'_>,
        q: View<'_>,
        kv: View<'_>,
        o: View<'_>,
        lse: View<'_>,
        dq: ViewMut<'_>,
        dkv: ViewMut<'_>,
    ) -> Result<(), Error> {
        let saved = attention::Saved { o, lse, d_o };
        let gradients = attention::Gradients::Cross { dq, dkv };
        self.attention_backward(attention, attention::Inputs::Cross { q, kv }, saved, gradients)
    }

    fn self_attention_weights(
        &self,
        attention: Attention<'_, Indices>,
        qkv: View<'_>,
        lse: View<'_>,
        weights: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.attention()?.weights(self.queue(), &attention, attention::Inputs::Packed { qkv }, lse, weights)
    }

    fn cross_attention_weights(
        &self,
        attention: Attention<'_, Indices>,
        q: View<'_>,
        kv: View<'_>,
        lse: View<'_>,
        weights: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.attention()?.weights(self.queue(), &attention, attention::Inputs::Cross { q, kv }, lse, weights)
    }

    fn cached_attention(
        &self,
        cache_dims: Cache,
        n_heads: usize,
        at: usize,
        qkv: View<'_>,
        cache: ViewMut<'_>,
        out: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.decode()?.cached_attention(self.queue(), cache_dims, n_heads, at, qkv, (cache, out))
    }

    fn reorder_cache(
        &self,
        cache_dims: Cache,
        len: usize,
        parents: &Indices,
        from: View<'_>,
        to: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.decode()?.reorder_cache(self.queue(), cache_dims, len, parents, from, to)
    }

    fn cross_entropy(
        &self,
        logits: ViewMut<'_>,
        v: usize,
        targets: Targets<'_, Indices>,
        grad_scale: f32,
        loss: ViewMut<'_>,
    ) -> Result<(), Error> {
        let scratch = &mut *self.scratch();
        let grad_scale = scratch.set_grad_scale(grad_scale)?;
        self.cross_entropy()?.forward_backward(self.queue(), logits, v, &targets, grad_scale, loss)
    }

    fn cross_entropy_evaluate(
        &self,
        logits: View<'_>,
        v: usize,
        targets: Targets<'_, Indices>,
        loss: ViewMut<'_>,
        nll: ViewMut<'_>,
    ) -> Result<(), Error> {
        let scratch = &mut *self.scratch();
        let hit = grown(self.queue(), &mut scratch.integers, loss.len())?;
        self.cross_entropy()?.evaluate(self.queue(), logits, v, &targets, (loss, nll, hit))
    }

    fn total_loss(&self, loss: View<'_>) -> Result<f64, Error> {
        let scratch = &mut *self.scratch();
        let mut total = [0.0];
        self.cross_entropy()?.total_loss(self.queue(), loss, scratch.total.view_mut())?;
        scratch.total.view().read(&mut total)?;
        Ok(total[0])
    }

    fn log_softmax(&self, logits: ViewMut<'_>, v: usize) -> Result<(), Error> {
        self.cross_entropy()?.log_softmax_rows(self.queue(), logits, v)
    }

    fn top_k(
        &self,
        scores: View<'_>,
        v: usize,
        k: usize,
        values: &mut [f32],
        indices: &mut [u32],
    ) -> Result<(), Error> {
        let Scratch { floats, integers, .. } = &mut *self.scratch();
        let mut best = grown(self.queue(), floats, values.len())?;
        let mut places = grown(self.queue(), integers, indices.len())?;
        let out = top_k::cuda::CudaOutput { values: best.reborrow(), indices: places.reborrow() };
        self.top_k()?.top_k(self.queue(), scores, v, k, out)?;
        best.as_view().read(values)?;
        places.as_view().read(indices)
    }

    fn adam(&self, config: adam::Config, updates: u64) -> Result<CudaAdam, Error> {
        CudaAdam::resume(self.queue(), config, updates)
    }

    fn updates(&self, adam: &CudaAdam) -> u64 {
        adam.updates()
    }

    fn adam_update<S: Schedule + ?Sized>(
        &self,
        adam: &mut CudaAdam,
        schedule: &S,
        max_norm: f64,
        state: Optimized<'_, Buffer<f32>>,
    ) -> Result<(f64, Outcome), Error> {
        let Optimized { params, grads, m, v } = state;
        let Scratch { doubles, words, .. } = &mut *self.scratch();
        let sums = grown(self.queue(), doubles, grad_norm::cuda::scratch_len(grads.len()))?;
        adam.prepare(schedule)?;
        self.grad_norm()?.clip(self.queue(), grads.view(), max_norm, None, sums, words.view_mut())?;
        let [params, grads, m, v] = [params, grads, m, v].map(Buffer::view_mut);
        adam.enqueue(self.queue(), &words.view(), After::Clear, CudaState { params, grads, m, v })?;
        adam.outcome()
    }
}

impl Cuda {
    fn attention_backward(
        &self,
        attention: Attention<'_, Indices>,
        inputs: attention::Inputs<'_>,
        saved: attention::Saved<'_>,
        gradients: attention::Gradients<'_>,
    ) -> Result<(), Error> {
        let scratch = &mut *self.scratch();
        let len = attention::backward_scratch_len(&attention.dims);
        let scratch = grown(self.queue(), &mut scratch.floats, len)?;
        self.attention()?.backward(self.queue(), &attention, inputs, saved, scratch, gradients)
    }
}
