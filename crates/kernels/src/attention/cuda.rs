//! Attention on a CUDA device: one launch forward, one or two backward, one for the weights.
//!
//! In f32 the bits are those of [`super::forward`], [`super::backward()`] and [`super::weights`];
//! `attention_forward.cu`, `attention_backward.cu` and `attention_weights.cu` say how. In bf16 and f16 products run on
//! tensor cores, but for the weights that are asked for, with weights rounded to 16 bits and everything else in f32;
//! `forward_tensor.cuh` and `backward_tensor.cuh` say how. The same elements are dropped. Results are as deterministic as
//! in f32; but a visible NaN may reach other rows of its sentence and head.
//!
//! Head sizes go up to [`HEAD_SIZE_MAX`]; the numbers of queries and keys have no limit but memory's.

pub(crate) mod bounds;
#[cfg(test)]
mod tests;
mod typed;

use super::{Dims, Mask, check_packed};
use crate::Error;
use crate::cuda::{Element, Indices, OnceByElement, Queue, View, ViewMut, driver, int};
use crate::error::{check_len, product};
use cudarc::driver::{DeviceRepr, PushKernelArg};
pub(crate) use typed::ONE_TILE;
use typed::{Backward, Forward, Weights};

/// What is computed: sizes, visibility and dropout, as [`super::Attention`], with the lengths on the device.
pub type Attention<'a> = crate::device::Attention<'a, Indices>;

/// The largest head size that kernels take.
pub const HEAD_SIZE_MAX: usize = 128;

/// Queries, keys and values on the device, as [`super::Inputs`]. All rows are contiguous.
#[derive(Clone, Copy, Debug)]
pub enum Inputs<'a, T = f32> {
    /// Self-attention: (B*T, 3C), a row being q, k, v. For T = S.
    Packed {
        /// All three.
        qkv: View<'a, T>,
    },
    /// Cross-attention.
    Cross {
        /// (B*T, C).
        q: View<'a, T>,
        /// (B*S, 2C), a row being k, v.
        kv: View<'a, T>,
    },
}

/// Where backward writes, as [`super::Gradients`]; laid out as the inputs are.
#[derive(Debug)]
pub enum Gradients<'a, T = f32> {
    /// Of [`Inputs::Packed`].
    Packed {
        /// (B*T, 3C), a row being dq, dk, dv.
        dqkv: ViewMut<'a, T>,
    },
    /// Of [`Inputs::Cross`].
    Cross {
        /// (B*T, C).
        dq: ViewMut<'a, T>,
        /// (B*S, 2C), a row being dk, dv.
        dkv: ViewMut<'a, T>,
    },
}

/// What forward writes.
#[derive(Debug)]
pub struct Output<'a, T = f32> {
    /// (B*T, C): the heads' results side by side.
    pub o: ViewMut<'a, T>,
    /// (B, NH, T): the logarithm of each query's sum of exponentials; backward reads it.
    pub lse: ViewMut<'a>,
}

/// What backward reads besides the inputs.
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a, T = f32> {
    /// (B*T, C), as forward wrote it.
    pub o: View<'a, T>,
    /// (B, NH, T), as forward wrote it.
    pub lse: View<'a>,
    /// (B*T, C): the gradient of `o`.
    pub d_o: View<'a, T>,
}

/// Values of scratch that [`Kernels::backward`] needs: one for each query of each head.
pub fn backward_scratch_len(dims: &Dims) -> usize {
    [dims.b, dims.nh, dims.t].into_iter().fold(1, usize::saturating_mul)
}

/// `Sizes` of attention.cuh.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Sizes {
    nh: i32,
    hs: i32,
    t: i32,
    s: i32,
    causal: i32,
    q_row_stride: i32,
    kv_row_stride: i32,
    width: i32,
}

// SAFETY: eight words laid out as `Sizes` of attention.cuh, without padding.
unsafe impl DeviceRepr for Sizes {}

/// Where q, k and v (or their gradients) begin, and how far apart rows are.
struct Places {
    q: u64,
    k: u64,
    v: u64,
    q_row_stride: usize,
    kv_row_stride: usize,
}

/// Two buffers at most, their names and addresses: of the inputs, or of their gradients.
enum Buffers<'a, T> {
    Packed(&'static str, View<'a, T>),
    Cross([(&'static str, View<'a, T>); 2]),
}

impl<T: Element> Inputs<'_, T> {
    fn buffers(&self) -> Buffers<'_, T> {
        match *self {
            Inputs::Packed { qkv } => Buffers::Packed("qkv", qkv),
            Inputs::Cross { q, kv } => Buffers::Cross([("q", q), ("kv", kv)]),
        }
    }
}

impl<T: Element> Gradients<'_, T> {
    fn buffers(&self) -> Buffers<'_, T> {
        match self {
            Gradients::Packed { dqkv } => Buffers::Packed("dqkv", dqkv.as_view()),
            Gradients::Cross { dq, dkv } => Buffers::Cross([("dq", dq.as_view()), ("dkv", dkv.as_view())]),
        }
    }
}

impl<T: Element> Buffers<'_, T> {
    /// Checks them against what the sizes ask for.
    fn places(self, op: &'static str, queue: &Queue, checked: &Checked) -> Result<Places, Error> {
        let (c, (q_len, k_len), bytes) = (checked.dims.nh * checked.dims.hs, checked.lens, size_of::<T>());
        match self {
            Buffers::Packed(name, qkv) => {
                check_packed(op, checked.dims)?;
                check_len(op, name, "(B*T, 3C)", qkv.len(), 3 * q_len)?;
                qkv.check_queue(op, name, queue)?;
                Ok(Places::packed(*qkv.pointer(), bytes, c))
            }
            Buffers::Cross([(q_name, q), (kv_name, kv)]) => {
                check_len(op, q_name, "(B*T, C)", q.len(), q_len)?;
                check_len(op, kv_name, "(B*S, 2C)", kv.len(), 2 * k_len)?;
                q.check_queue(op, q_name, queue)?;
                kv.check_queue(op, kv_name, queue)?;
                Ok(Places::cross(*q.pointer(), *kv.pointer(), bytes, c))
            }
        }
    }
}

impl Places {
    fn packed(qkv: u64, bytes: usize, c: usize) -> Self {
        let [k, v] = [1, 2].map(|part| qkv + (part * c * bytes) as u64);
        Places { q: qkv, k, v, q_row_stride: 3 * c, kv_row_stride: 3 * c }
    }

    fn cross(q: u64, kv: u64, bytes: usize, c: usize) -> Self {
        Places { q, k: kv, v: kv + (c * bytes) as u64, q_row_stride: c, kv_row_stride: 2 * c }
    }
}

/// What a launch is told of an attention, checked: its sizes, and where its lengths lie.
struct Checked {
    dims: Dims,
    /// B*T*C and B*S*C.
    lens: (usize, usize),
    heads: usize,
    sizes: Sizes,
    key_lengths: u64,
    /// 0 if there are none.
    query_lengths: u64,
}

impl Checked {
    fn new(op: &'static str, queue: &Queue, attention: &Attention<'_>) -> Result<Self, Error> {
        let dims = attention.dims;
        let host = super::Attention {
            dims,
            mask: attention.mask,
            key_lengths: attention.key_lengths.host(),
            query_lengths: attention.query_lengths.map(Indices::host),
            dropout: attention.dropout,
        };
        let lens = host.check(op)?;
        if dims.hs > HEAD_SIZE_MAX {
            return Err(Error::Size { op, what: "HS", got: dims.hs, limit: "at most 128 on a CUDA device" });
        }
        // What does not fit here is larger than any stride, or number of blocks, below.
        int(op, "3C", 3 * dims.nh * dims.hs)?;
        int(op, "S", dims.s + typed::TILE_MAX)?;
        int(op, "T", dims.t + typed::TILE_MAX)?;
        let lengths = attention.key_lengths.view();
        lengths.check_queue(op, "key_lengths", queue)?;
        let query_lengths = match attention.query_lengths {
            Some(lengths) => {
                lengths.view().check_queue(op, "query_lengths", queue)?;
                *lengths.view().pointer()
            }
            None => 0,
        };
        let sizes = Sizes {
            nh: int(op, "NH", dims.nh)?,
            hs: int(op, "HS", dims.hs)?,
            t: int(op, "T", dims.t)?,
            s: int(op, "S", dims.s)?,
            causal: i32::from(attention.mask == Mask::Causal),
            q_row_stride: 0,
            kv_row_stride: 0,
            width: 0,
        };
        Ok(Checked { dims, lens, heads: dims.b * dims.nh, sizes, key_lengths: *lengths.pointer(), query_lengths })
    }

    /// The sizes with the strides of these inputs.
    fn sizes(&self, places: &Places, width: usize) -> Sizes {
        Sizes {
            q_row_stride: places.q_row_stride as i32,
            kv_row_stride: places.kv_row_stride as i32,
            width: width as i32,
            ..self.sizes
        }
    }
}

/// The kernels, each loaded by its first launch in a type.
#[derive(Debug)]
pub struct Kernels {
    forward: OnceByElement<Forward>,
    backward: OnceByElement<Backward>,
    weights: OnceByElement<Weights>,
}

impl Kernels {
    /// Makes room for them: see [`Queue::capture`].
    ///
    /// # Errors
    /// None. It may fail where other operations' kernels are loaded.
    pub fn load(_queue: &Queue) -> Result<Self, Error> {
        Ok(Kernels {
            forward: OnceByElement::new(Forward::load),
            backward: OnceByElement::new(Backward::load),
            weights: OnceByElement::new(Weights::load),
        })
    }

    /// [`super::forward`].
    ///
    /// # Errors
    /// As there; [`Error::Size`] also for a head size above [`HEAD_SIZE_MAX`]; [`Error::Queue`]; [`Error::Driver`].
    ///
    /// Of the first launch in a type [`Error::Driver`] also if the driver takes no PTX of ISA 8.0 (it is older than 525),
    /// or the device is older than sm_80 or has less shared memory; [`Error::Capture`] if it is to be captured.
    pub fn forward<T: Element>(
        &self,
        queue: &Queue,
        attention: &Attention<'_>,
        inputs: Inputs<'_, T>,
        out: Output<'_, T>,
    ) -> Result<(), Error> {
        const OP: &str = "attention forward";
        let Output { mut o, mut lse } = out;
        let checked = Checked::new(OP, queue, attention)?;
        let dims = attention.dims;
        let places = inputs.buffers().places(OP, queue, &checked)?;
        check_len(OP, "o", "(B*T, C)", o.len(), checked.lens.0)?;
        check_len(OP, "lse", "(B, NH, T)", lse.len(), checked.heads * dims.t)?;
        o.check_queue(OP, "o", queue)?;
        lse.check_queue(OP, "lse", queue)?;
        let plan = self.forward.of::<T>(queue)?.plan(OP, &checked)?;
        let sizes = checked.sizes(&places, plan.width);
        let dropout = queue.dropout(attention.dropout)?;
        let mut args = queue.launch(plan.kernel)?;
        args.arg(o.pointer()).arg(lse.pointer()).arg(&places.q).arg(&places.k).arg(&places.v);
        args.arg(&checked.key_lengths).arg(&checked.query_lengths).arg(&sizes).arg(&dropout);
        // SAFETY: `args` lists the parameters of `attention_forward_*` in number, order and type, for the element type
        // that names the kernel. `Checked::new` and `places` have shown that q, k and v hold T or S rows for each of B
        // sentences, the given strides apart, with NH * HS columns from where they begin; o holds B*T*C values and lse
        // B*NH*T; key_lengths and query_lengths, where given, hold B. The kernel indexes only rows below T and S,
        // columns of its head, and keys and queries below lengths that it cuts to S and T. The head size is at most
        // what this kernel takes, and the block has the threads and the shared memory that its header asks for, as
        // `plan` has arranged. o and lse are borrowed mutably. All is memory of this queue.
        unsafe { args.launch(plan.launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }

    /// [`super::backward()`]. `scratch`: at least [`backward_scratch_len`] values; its content is of no consequence.
    ///
    /// # Errors
    /// As [`Kernels::forward`]; [`Error::Size`] also if the gradients are laid out otherwise than the inputs.
    pub fn backward<T: Element>(
        &self,
        queue: &Queue,
        attention: &Attention<'_>,
        inputs: Inputs<'_, T>,
        saved: Saved<'_, T>,
        mut scratch: ViewMut<'_>,
        gradients: Gradients<'_, T>,
    ) -> Result<(), Error> {
        const OP: &str = "attention backward";
        let Saved { o, lse, d_o } = saved;
        let checked = Checked::new(OP, queue, attention)?;
        let dims = attention.dims;
        let places = inputs.buffers().places(OP, queue, &checked)?;
        check_len(OP, "o", "(B*T, C)", o.len(), checked.lens.0)?;
        check_len(OP, "lse", "(B, NH, T)", lse.len(), checked.heads * dims.t)?;
        check_len(OP, "d_o", "(B*T, C)", d_o.len(), checked.lens.0)?;
        super::check_scratch(OP, scratch.len(), backward_scratch_len(&dims))?;
        let out = gradients.buffers().places(OP, queue, &checked)?;
        if out.q_row_stride != places.q_row_stride {
            let limit = "that of the inputs: packed for packed, cross for cross";
            return Err(Error::Size { op: OP, what: "the gradients' row stride", got: out.q_row_stride, limit });
        }
        o.check_queue(OP, "o", queue)?;
        lse.check_queue(OP, "lse", queue)?;
        d_o.check_queue(OP, "d_o", queue)?;
        scratch.check_queue(OP, "scratch", queue)?;
        let plans = self.backward.of::<T>(queue)?.plans(OP, &checked)?;
        let sizes = checked.sizes(&places, 0);
        let dropout = queue.dropout(attention.dropout)?;
        // The queries' part if there is one, then that of the keys, which makes dq too if it is alone.
        let [queries, keys] = &plans;
        let dq_of_keys = if queries.is_some() { 0 } else { out.q };
        for (plan, dq) in [(queries.as_ref(), out.q), (keys.as_ref(), dq_of_keys)] {
            let Some(plan) = plan else { continue };
            let mut args = queue.launch(plan.kernel)?;
            args.arg(&dq).arg(&out.k).arg(&out.v).arg(scratch.pointer());
            args.arg(&places.q).arg(&places.k).arg(&places.v).arg(o.pointer()).arg(lse.pointer()).arg(d_o.pointer());
            args.arg(&checked.key_lengths).arg(&checked.query_lengths).arg(&sizes).arg(&dropout);
            // SAFETY: as in `forward`, for `attention_backward_queries_*` and `attention_backward_keys_*`: o and d_o
            // hold B*T*C values, lse B*NH*T and scratch as many; dq, dk and dv are laid out as q, k and v are, in
            // buffers as long; they and scratch are borrowed mutably. Of scratch the second kernel reads what the
            // first has written, on the same stream: the values of the queries that see something. A kernel of keys
            // that is alone, with a dq that is not null, has all keys of a head in a block, as `plan` has arranged,
            // and does not read scratch.
            unsafe { args.launch(plan.launch) }.map_err(driver(OP, "launching"))?;
        }
        Ok(())
    }

    /// [`super::weights`], in f32.
    ///
    /// # Errors
    /// As [`Kernels::forward`].
    pub fn weights<T: Element>(
        &self,
        queue: &Queue,
        attention: &Attention<'_>,
        inputs: Inputs<'_, T>,
        lse: View<'_>,
        mut out: ViewMut<'_>,
    ) -> Result<(), Error> {
        const OP: &str = "attention weights";
        let checked = Checked::new(OP, queue, attention)?;
        let dims = attention.dims;
        let places = inputs.buffers().places(OP, queue, &checked)?;
        check_len(OP, "lse", "(B, NH, T)", lse.len(), checked.heads * dims.t)?;
        let want = product(OP, "B * NH * T * S", &[checked.heads, dims.t, dims.s])?;
        check_len(OP, "out", "(B, NH, T, S)", out.len(), want)?;
        lse.check_queue(OP, "lse", queue)?;
        out.check_queue(OP, "out", queue)?;
        let plan = self.weights.of::<T>(queue)?.plan(OP, &checked)?;
        let sizes = checked.sizes(&places, 0);
        let mut args = queue.launch(plan.kernel)?;
        args.arg(out.pointer()).arg(&places.q).arg(&places.k).arg(lse.pointer());
        args.arg(&checked.key_lengths).arg(&checked.query_lengths).arg(&sizes);
        // SAFETY: as in `forward`, for `attention_weights_*`: lse holds B*NH*T values, and out, which is borrowed
        // mutably, B*NH*T*S.
        unsafe { args.launch(plan.launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }
}
