//! The operations of a [`Cuda`] device: each takes its scratch and calls its launcher.

use super::arguments::{affine, backward, gradients, linear_of, output, product, typed, unpacked};
use super::graphs::Graphs;
use super::memory::{Act, ActMut, Activations, Parameters};
use super::{Cuda, Scratch, grown};
use crate::adam::cuda::{CudaAdam, CudaState};
use crate::adam::{self, Gradients as After, Outcome};
use crate::attention::cuda as attention;
use crate::cuda::{Bf16, Buffer, Element, F16, Indices, Tf32, View, ViewMut};
use crate::device::{
    Attention, Cache, Device, Embedding, Linear, LinearSizes, Moving, Norm, NormGradients, NormInput, NormOutput,
    OpTime, Optimized, Precision, Scaling, Span, SublayerEnd, Targets,
};
use crate::dropout::Dropout;
use crate::error::check_len;
use crate::layer_norm::Write;
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start, cuda as matmul};
use crate::{Error, embedding, grad_norm, layer_norm, top_k};
use noam_schedule::Schedule;

impl Device for Cuda {
    type Buffer = Buffer<f32>;
    type Activations = Activations;
    type Parameters = Parameters;
    type Indices = Indices;
    type Totals = Buffer<f64>;
    /// A copy: products take weights as they are.
    type Packed = Activations;
    type View<'a> = View<'a>;
    type ViewMut<'a> = ViewMut<'a>;
    type Act<'a> = Act<'a>;
    type ActMut<'a> = ActMut<'a>;
    type Adam = CudaAdam;
    type Graphs = Graphs;
    type Underway = ();

    fn another(&self) -> Self {
        self.clone()
    }

    fn precision(&self) -> Precision {
        self.precision
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
        self.scratch().grad_scale.set(moving.grad_scale)?;
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

    fn activations(&self, len: usize) -> Result<Activations, Error> {
        typed!(self, T => Activations::zeros::<T>(self.queue(), len))
    }

    fn totals(&self, count: usize) -> Result<Buffer<f64>, Error> {
        Buffer::zeros(self.queue(), count)
    }

    fn parameters(&self, values: &[f32]) -> Result<Parameters, Error> {
        let copy = match self.precision {
            Precision::F32 | Precision::Tf32 => None,
            Precision::Bf16 | Precision::F16 => Some(self.activations(values.len())?),
        };
        let mut parameters = Parameters { values: self.zeros(values.len())?, copy };
        self.set_parameters(values, &mut parameters, Span { offset: 0, len: values.len() })?;
        Ok(parameters)
    }

    fn set_parameters(&self, values: &[f32], parameters: &mut Parameters, span: Span) -> Result<(), Error> {
        self.upload(values, &mut parameters.values, span)?;
        if let Some(copy) = &mut parameters.copy {
            let [to] = self.split_acts(copy, [span]);
            typed!(self, T => {
                let rounded: Vec<T> = values.iter().map(|&value| T::from_f32(value)).collect();
                to.of::<T>().write(&rounded)
            })?;
        }
        Ok(())
    }

    fn read_parameters(&self, parameters: &Parameters, span: Span, values: &mut [f32]) -> Result<(), Error> {
        self.download(&parameters.values, span, values)
    }

    fn indices(&self, len: usize) -> Result<Indices, Error> {
        Indices::new(self.queue(), len)
    }

    fn set_indices(&self, values: &[u32], indices: &mut Indices) -> Result<(), Error> {
        indices.set(self.queue(), values)
    }

    fn pack(&self, w: Act<'_>, k: usize, n: usize) -> Result<Activations, Error> {
        check_len("matmul", "w", "(N, K)", w.len(), crate::error::product("matmul", "K·N", &[k, n])?)?;
        let mut packed = self.activations(w.len())?;
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

    fn act<'a>(&'a self, activations: &'a Activations, span: Span) -> Act<'a> {
        activations.view().part(span.offset, span.len)
    }

    fn split_acts<'a, const N: usize>(&'a self, activations: &'a mut Activations, spans: [Span; N]) -> [ActMut<'a>; N] {
        activations.view_mut().split(spans.map(|span| (span.offset, span.len)))
    }

    fn read_act<'a>(&'a self, act: ActMut<'a>) -> Act<'a> {
        act.into_view()
    }

    fn parameter<'a>(&'a self, parameters: &'a Parameters, span: Span) -> View<'a> {
        self.view(&parameters.values, span)
    }

    fn weight<'a>(&'a self, parameters: &'a Parameters, span: Span) -> Act<'a> {
        match &parameters.copy {
            Some(copy) => self.act(copy, span),
            None => Act::from(self.parameter(parameters, span)),
        }
    }

    fn fill(&self, view: ViewMut<'_>, value: f32) -> Result<(), Error> {
        self.fill()?.fill(self.queue(), view, value)
    }

    fn matmul(
        &self,
        shape: Shape,
        a: Lhs<Act<'_>>,
        b: Rhs<Act<'_>, &Activations>,
        start: Start,
        epilogue: Epilogue<Act<'_>, View<'_>>,
        c: ActMut<'_>,
    ) -> Result<(), Error> {
        product!(self, T => {
            let (a, b) = (a.map(Act::of::<T>), unpacked::<T>(b));
            let epilogue = epilogue.map(Act::of::<T>, |bias| bias);
            self.products()?.matmul(self.queue(), shape, a, b, start, epilogue, c.of())
        })
    }

    fn matmul_to_f32(
        &self,
        shape: Shape,
        a: Lhs<Act<'_>>,
        b: Rhs<Act<'_>, &Activations>,
        start: Start,
        c: ViewMut<'_>,
    ) -> Result<(), Error> {
        product!(self, T => {
            let (a, b) = (a.map(Act::of::<T>), unpacked::<T>(b));
            self.products()?.matmul_to_f32(self.queue(), shape, a, b, start, Epilogue::None, c)
        })
    }

    fn linear_gradients(
        &self,
        sizes: LinearSizes,
        dy: Act<'_>,
        x: Act<'_>,
        dw: ViewMut<'_>,
        db: ViewMut<'_>,
    ) -> Result<(), Error> {
        product!(self, T => self.products()?.linear_gradients(self.queue(), sizes, dy.of::<T>(), x.of(), dw, db))
    }

    fn linear_relu_dropout(
        &self,
        linear: Linear<Act<'_>, Act<'_>, &Activations, View<'_>>,
        dropout: Dropout,
        y: ActMut<'_>,
    ) -> Result<(), Error> {
        let kernels = self.matmul()?;
        product!(self, T => kernels.linear_relu_dropout(self.queue(), linear_of::<T>(linear), dropout, y.of()))
    }

    fn linear_norm(
        &self,
        linear: Linear<Act<'_>, Act<'_>, &Activations, View<'_>>,
        end: SublayerEnd<Act<'_>, ActMut<'_>, View<'_>, ViewMut<'_>>,
    ) -> Result<(), Error> {
        let SublayerEnd { residual, sum, dropout, norm, out } = end;
        let (kernels, affine, eps) = (self.matmul()?, affine(&norm), norm.eps);
        product!(self, T => {
            let (residual, sum, out) = (residual.of::<T>(), sum.of(), output(out));
            let end = matmul::SublayerEnd { residual, dropout, affine, eps, sum, out };
            kernels.linear_norm(self.queue(), linear_of(linear), end)
        })
    }

    fn embedding_forward(
        &self,
        input: Embedding<'_, View<'_>, Indices>,
        dropout: Dropout,
        y: ActMut<'_>,
    ) -> Result<(), Error> {
        let Embedding { dims, ids, lengths, table, positions, offset, scale } = input;
        let tables = embedding::cuda::Tables { table, positions, offset, scale };
        typed!(self, T => self.embedding()?.forward(self.queue(), dims, ids, lengths, tables, dropout, y.of::<T>()))
    }

    fn embedding_backward(
        &self,
        dims: embedding::Dims,
        ids: &Indices,
        lengths: &Indices,
        dy: Act<'_>,
        scale: f32,
        dropout: Dropout,
        dtable: ViewMut<'_>,
    ) -> Result<(), Error> {
        let len = embedding::cuda::scratch_len(ids.host().len());
        let scratch = &mut *self.scratch();
        let scratch = grown(self.queue(), &mut scratch.integers, len)?;
        let (kernels, queue) = (self.embedding()?, self.queue());
        typed!(self, T => {
            kernels.backward(queue, dims, ids, lengths, dy.of::<T>(), scale, dropout, dtable, scratch)
        })
    }

    fn layer_norm(
        &self,
        x: Act<'_>,
        norm: Norm<View<'_>>,
        out: NormOutput<ActMut<'_>, ViewMut<'_>>,
    ) -> Result<(), Error> {
        let (kernels, eps) = (self.layer_norm()?, norm.eps);
        typed!(self, T => kernels.forward(self.queue(), x.of::<T>(), affine(&norm), eps, output(out)))
    }

    fn layer_norm_backward(
        &self,
        input: NormInput<Act<'_>, View<'_>>,
        write: Write,
        out: NormGradients<ActMut<'_>, ViewMut<'_>>,
    ) -> Result<(), Error> {
        let len = layer_norm::scratch_len(input.mean.len(), input.gamma.len());
        let scratch = &mut *self.scratch();
        let scratch = grown(self.queue(), &mut scratch.floats, len)?;
        let kernels = self.layer_norm()?;
        typed!(self, T => kernels.backward(self.queue(), backward::<T>(input), write, gradients(out), scratch))
    }

    fn residual_layer_norm_backward(
        &self,
        input: NormInput<Act<'_>, View<'_>>,
        dropout: Dropout,
        write: Write,
        out: NormGradients<ActMut<'_>, ViewMut<'_>>,
        dsub: ActMut<'_>,
    ) -> Result<(), Error> {
        let len = layer_norm::scratch_len(input.mean.len(), input.gamma.len());
        let scratch = &mut *self.scratch();
        let scratch = grown(self.queue(), &mut scratch.floats, len)?;
        let kernels = self.layer_norm()?;
        typed!(self, T => {
            let (input, out) = (backward::<T>(input), gradients(out));
            kernels.residual_backward(self.queue(), input, dropout, write, out, dsub.of(), scratch)
        })
    }

    fn self_attention(
        &self,
        attention: Attention<'_, Indices>,
        qkv: Act<'_>,
        o: ActMut<'_>,
        lse: ViewMut<'_>,
    ) -> Result<(), Error> {
        typed!(self, T => {
            let (inputs, out) = (attention::Inputs::Packed { qkv: qkv.of::<T>() }, attention::Output { o: o.of(), lse });
            self.attention()?.forward(self.queue(), &attention, inputs, out)
        })
    }

    fn self_attention_backward(
        &self,
        attention: Attention<'_, Indices>,
        d_o: Act<'_>,
        qkv: Act<'_>,
        o: Act<'_>,
        lse: View<'_>,
        dqkv: ActMut<'_>,
    ) -> Result<(), Error> {
        typed!(self, T => {
            let saved = attention::Saved { o: o.of::<T>(), lse, d_o: d_o.of() };
            let gradients = attention::Gradients::Packed { dqkv: dqkv.of() };
            self.attention_backward(attention, attention::Inputs::Packed { qkv: qkv.of() }, saved, gradients)
        })
    }

    fn cross_attention(
        &self,
        attention: Attention<'_, Indices>,
        q: Act<'_>,
        kv: Act<'_>,
        o: ActMut<'_>,
        lse: ViewMut<'_>,
    ) -> Result<(), Error> {
        typed!(self, T => {
            let inputs = attention::Inputs::Cross { q: q.of::<T>(), kv: kv.of() };
            self.attention()?.forward(self.queue(), &attention, inputs, attention::Output { o: o.of(), lse })
        })
    }

    fn cross_attention_backward(
        &self,
        attention: Attention<'_, Indices>,
        d_o: Act<'_>,
        q: Act<'_>,
        kv: Act<'_>,
        o: Act<'_>,
        lse: View<'_>,
        dq: ActMut<'_>,
        dkv: ActMut<'_>,
    ) -> Result<(), Error> {
        typed!(self, T => {
            let saved = attention::Saved { o: o.of::<T>(), lse, d_o: d_o.of() };
            let gradients = attention::Gradients::Cross { dq: dq.of(), dkv: dkv.of() };
            let inputs = attention::Inputs::Cross { q: q.of(), kv: kv.of() };
            self.attention_backward(attention, inputs, saved, gradients)
        })
    }

    fn self_attention_weights(
        &self,
        attention: Attention<'_, Indices>,
        qkv: Act<'_>,
        lse: View<'_>,
        weights: ViewMut<'_>,
    ) -> Result<(), Error> {
        typed!(self, T => {
            let inputs = attention::Inputs::Packed { qkv: qkv.of::<T>() };
            self.attention()?.weights(self.queue(), &attention, inputs, lse, weights)
        })
    }

    fn cross_attention_weights(
        &self,
        attention: Attention<'_, Indices>,
        q: Act<'_>,
        kv: Act<'_>,
        lse: View<'_>,
        weights: ViewMut<'_>,
    ) -> Result<(), Error> {
        typed!(self, T => {
            let inputs = attention::Inputs::Cross { q: q.of::<T>(), kv: kv.of() };
            self.attention()?.weights(self.queue(), &attention, inputs, lse, weights)
        })
    }

    fn cached_attention(
        &self,
        cache_dims: Cache,
        n_heads: usize,
        at: usize,
        qkv: Act<'_>,
        cache: ActMut<'_>,
        out: ActMut<'_>,
    ) -> Result<(), Error> {
        let kernels = self.decode()?;
        typed!(self, T => {
            kernels.cached_attention(self.queue(), cache_dims, n_heads, at, qkv.of::<T>(), (cache.of(), out.of()))
        })
    }

    fn reorder_cache(
        &self,
        cache_dims: Cache,
        len: usize,
        parents: &Indices,
        from: Act<'_>,
        to: ActMut<'_>,
    ) -> Result<(), Error> {
        let kernels = self.decode()?;
        typed!(self, T => kernels.reorder_cache(self.queue(), cache_dims, len, parents, from.of::<T>(), to.of()))
    }

    fn cross_entropy(
        &self,
        logits: ActMut<'_>,
        v: usize,
        targets: Targets<'_, Indices>,
        grad_scale: f32,
        loss: ViewMut<'_>,
    ) -> Result<(), Error> {
        let scratch = &mut *self.scratch();
        let grad_scale = scratch.grad_scale.set(grad_scale)?;
        let kernels = self.cross_entropy()?;
        typed!(self, T => kernels.forward_backward(self.queue(), logits.of::<T>(), v, &targets, grad_scale, loss))
    }

    fn cross_entropy_evaluate(
        &self,
        logits: Act<'_>,
        v: usize,
        targets: Targets<'_, Indices>,
        loss: ViewMut<'_>,
        nll: ViewMut<'_>,
    ) -> Result<(), Error> {
        let scratch = &mut *self.scratch();
        let hit = grown(self.queue(), &mut scratch.integers, loss.len())?;
        let kernels = self.cross_entropy()?;
        typed!(self, T => kernels.evaluate(self.queue(), logits.of::<T>(), v, &targets, (loss, nll, hit)))
    }

    fn total_loss(&self, loss: View<'_>, totals: &mut Buffer<f64>, at: usize) -> Result<(), Error> {
        let [total] = totals.view_mut().split([(at, 1)]);
        self.cross_entropy()?.total_loss(self.queue(), loss, total)
    }

    fn read_totals(&self, totals: &Buffer<f64>, values: &mut [f64]) -> Result<(), Error> {
        totals.view().part(0, values.len()).read(values)
    }

    fn top_k_log_softmax(
        &self,
        logits: ActMut<'_>,
        v: usize,
        k: usize,
        values: &mut [f32],
        indices: &mut [u32],
    ) -> Result<(), Error> {
        // Log-probabilities are f32 whatever the logits are: in 16 bits many would be equal, and their sums of no use.
        let len = logits.len().checked_add(values.len()).ok_or(Error::Size {
            op: "top_k",
            what: "N·(V + k)",
            got: usize::MAX,
            limit: "a number of values that fits in memory",
        })?;
        let Scratch { floats, integers, .. } = &mut *self.scratch();
        let [mut scores, mut best] =
            grown(self.queue(), floats, len)?.split([(0, logits.len()), (logits.len(), values.len())]);
        let (kernels, logits) = (self.cross_entropy()?, logits.into_view());
        typed!(self, T => kernels.log_softmax(self.queue(), logits.of::<T>(), v, scores.reborrow()))?;
        let mut places = grown(self.queue(), integers, indices.len())?;
        let out = top_k::cuda::CudaOutput { values: best.reborrow(), indices: places.reborrow() };
        self.top_k()?.top_k(self.queue(), scores.as_view(), v, k, out)?;
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
        graphs: &mut Graphs,
        adam: &mut CudaAdam,
        schedule: &S,
        scaling: Scaling,
        state: Optimized<'_, Parameters, Buffer<f32>>,
    ) -> Result<(), Error> {
        let Optimized { params: Parameters { values, copy }, grads, m, v } = state;
        let Scaling { unscale, max_norm } = scaling;
        let (kernels, queue) = (self.grad_norm()?, self.queue());
        let Scratch { doubles, words, unscale: known, .. } = &mut *self.scratch();
        let mut sums = grown(queue, doubles, grad_norm::cuda::scratch_len(grads.len()))?;
        adam.prepare(schedule)?;
        let unscale = known.set(unscale)?;
        graphs.replay(queue, &[max_norm.to_bits()], || {
            kernels.clip(queue, grads.view(), max_norm, Some(unscale), sums.reborrow(), words.view_mut())?;
            let [params, grads, m, v] = [&mut *values, grads, m, v].map(Buffer::view_mut);
            let state = CudaState { params, grads, m, v };
            match copy {
                Some(copy) => typed!(self, T => {
                    let copy = copy.view_mut().of::<T>();
                    adam.enqueue_with_copy(queue, &words.view(), After::Clear, state, copy)
                }),
                None => adam.enqueue(queue, &words.view(), After::Clear, state),
            }
        })
    }

    fn adam_outcome(&self, adam: &mut CudaAdam, (): ()) -> Result<(f64, Outcome), Error> {
        adam.outcome()
    }
}

impl Cuda {
    fn attention_backward<T: Element>(
        &self,
        attention: Attention<'_, Indices>,
        inputs: attention::Inputs<'_, T>,
        saved: attention::Saved<'_, T>,
        gradients: attention::Gradients<'_, T>,
    ) -> Result<(), Error> {
        let scratch = &mut *self.scratch();
        let len = attention::backward_scratch_len(&attention.dims);
        let scratch = grown(self.queue(), &mut scratch.floats, len)?;
        self.attention()?.backward(self.queue(), &attention, inputs, saved, scratch, gradients)
    }
}
