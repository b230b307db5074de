//! Attention on a CUDA device: one launch forward, two backward, one for the weights.
//!
//! `attention_forward.cu` and `attention_backward.cu` say how. In f32 the bits are those of [`super::forward`],
//! [`super::backward()`] and [`super::weights`]. Head sizes go up to [`HEAD_SIZE_MAX`]; the numbers of queries and keys
//! have no limit but memory's.

#[cfg(test)]
mod tests;

use super::{Dims, Mask, check_packed};
use crate::Error;
use crate::cuda::{Element, Indices, Module, Queue, View, ViewMut, driver, int};
use crate::error::{check_len, product};
use cudarc::driver::{CudaFunction, DeviceRepr, LaunchConfig, PushKernelArg};

/// What is computed: sizes, visibility and dropout, as [`super::Attention`], with the lengths on the device.
pub type Attention<'a> = crate::device::Attention<'a, Indices>;

/// The largest head size that kernels take.
pub const HEAD_SIZE_MAX: usize = 128;

/// Threads a block, rows of a strip and of a tile, as the `.cu` files have them.
const THREADS: u32 = 128;
const STRIP: usize = 32;
const FORWARD_TILE: usize = 64;
const BACKWARD_TILE: usize = 32;

/// Columns of scores that forward keeps in shared memory. With 256, two blocks of the largest head size fit on a
/// multiprocessor of sm_80; longer rows of scores are computed twice.
const KEPT_SCORES: usize = 256;

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

impl<T: Element> Inputs<'_, T> {
    /// Checks the buffers.
    fn places(
        &self,
        op: &'static str,
        queue: &Queue,
        dims: Dims,
        (q_len, k_len): (usize, usize),
    ) -> Result<Places, Error> {
        let c = dims.nh * dims.hs;
        match self {
            Inputs::Packed { qkv } => {
                check_packed(op, dims)?;
                check_len(op, "qkv", "(B*T, 3C)", qkv.len(), 3 * q_len)?;
                qkv.check_queue(op, "qkv", queue)?;
                Ok(Places::packed(*qkv.pointer(), size_of::<T>(), c))
            }
            Inputs::Cross { q, kv } => {
                check_len(op, "q", "(B*T, C)", q.len(), q_len)?;
                check_len(op, "kv", "(B*S, 2C)", kv.len(), 2 * k_len)?;
                q.check_queue(op, "q", queue)?;
                kv.check_queue(op, "kv", queue)?;
                Ok(Places::cross(*q.pointer(), *kv.pointer(), size_of::<T>(), c))
            }
        }
    }
}

impl<T: Element> Gradients<'_, T> {
    /// Checks the buffers.
    fn places(
        &mut self,
        op: &'static str,
        queue: &Queue,
        dims: Dims,
        (q_len, k_len): (usize, usize),
    ) -> Result<Places, Error> {
        let c = dims.nh * dims.hs;
        match self {
            Gradients::Packed { dqkv } => {
                check_packed(op, dims)?;
                check_len(op, "dqkv", "(B*T, 3C)", dqkv.len(), 3 * q_len)?;
                dqkv.check_queue(op, "dqkv", queue)?;
                Ok(Places::packed(*dqkv.pointer(), size_of::<T>(), c))
            }
            Gradients::Cross { dq, dkv } => {
                check_len(op, "dq", "(B*T, C)", dq.len(), q_len)?;
                check_len(op, "dkv", "(B*S, 2C)", dkv.len(), 2 * k_len)?;
                dq.check_queue(op, "dq", queue)?;
                dkv.check_queue(op, "dkv", queue)?;
                Ok(Places::cross(*dq.pointer(), *dkv.pointer(), size_of::<T>(), c))
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
    /// B*T*C and B*S*C.
    lens: (usize, usize),
    heads: usize,
    sizes: Sizes,
    key_lengths: u64,
    /// 0 if there are none.
    query_lengths: u64,
    /// Floats from one row of a tile to the next: `row_pitch` of attention.cuh.
    pitch: usize,
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
        int(op, "S", dims.s + FORWARD_TILE)?;
        int(op, "T", dims.t + STRIP)?;
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
        let pitch = 4 * (dims.hs.div_ceil(4) | 1);
        Ok(Checked { lens, heads: dims.b * dims.nh, sizes, key_lengths: *lengths.pointer(), query_lengths, pitch })
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

    /// A block for every `tile` of `rows` rows of each head, with dynamic shared memory of so many floats.
    fn launch(&self, op: &'static str, rows: usize, tile: usize, shared: usize) -> Result<LaunchConfig, Error> {
        let blocks = product(op, "blocks", &[self.heads, rows.div_ceil(tile)])?;
        let blocks = int(op, "the number of blocks", blocks)? as u32;
        Ok(LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: (4 * shared) as u32 })
    }
}

/// The kernels of one element type: for head sizes up to 64, and up to 128.
#[derive(Debug)]
struct Typed {
    forward: [CudaFunction; 2],
    backward_queries: [CudaFunction; 2],
    backward_keys: [CudaFunction; 2],
    weights: CudaFunction,
}

/// Floats of dynamic shared memory of a block, as the `.cu` files' headers say.
fn forward_shared(pitch: usize, width: usize) -> usize {
    (STRIP + FORWARD_TILE) * pitch + STRIP * width
}

fn weights_shared(pitch: usize) -> usize {
    (STRIP + FORWARD_TILE) * pitch
}

/// `matrices`: how many of 32 by 32 are kept, 1 for dq and 2 for dk and dv.
fn backward_shared(pitch: usize, matrices: usize) -> usize {
    2 * (STRIP + BACKWARD_TILE) * pitch + matrices * STRIP * BACKWARD_TILE
}

impl Typed {
    fn load(forward: &Module, backward: &Module, name: &str) -> Result<Self, Error> {
        let function = |module: &Module, kernel: &str, shared: usize| {
            module.function_with_shared(&format!("attention_{kernel}_{name}"), 4 * shared as u32)
        };
        const PITCHES: [usize; 2] = [68, 132];
        let both = |module: &Module, kernel: &str, shared: &dyn Fn(usize) -> usize| {
            let [small, large] = PITCHES.map(shared);
            Ok::<_, Error>([
                function(module, &format!("{kernel}_64"), small)?,
                function(module, &format!("{kernel}_128"), large)?,
            ])
        };
        Ok(Typed {
            forward: both(forward, "forward", &|pitch| forward_shared(pitch, KEPT_SCORES))?,
            backward_queries: both(backward, "backward_queries", &|pitch| backward_shared(pitch, 1))?,
            backward_keys: both(backward, "backward_keys", &|pitch| backward_shared(pitch, 2))?,
            weights: function(forward, "weights", weights_shared(PITCHES[1]))?,
        })
    }
}

/// The kernels, loaded.
#[derive(Debug)]
pub struct Kernels {
    f32: Typed,
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`] if the driver takes no PTX of ISA 8.0 (it is older than 525), the device is older than sm_80,
    /// or has less shared memory than sm_80.
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        const OP: &str = "attention";
        let forward = queue.load(OP, include_str!("attention_forward.ptx"))?;
        let backward = queue.load(OP, include_str!("attention_backward.ptx"))?;
        Ok(Kernels { f32: Typed::load(&forward, &backward, "f32")? })
    }

    /// [`super::forward`].
    ///
    /// # Errors
    /// As there; [`Error::Size`] also for a head size above [`HEAD_SIZE_MAX`]; [`Error::Queue`], [`Error::Driver`].
    pub fn forward(
        &self,
        queue: &Queue,
        attention: &Attention<'_>,
        inputs: Inputs<'_>,
        out: Output<'_>,
    ) -> Result<(), Error> {
        const OP: &str = "attention forward";
        let Output { mut o, mut lse } = out;
        let checked = Checked::new(OP, queue, attention)?;
        let dims = attention.dims;
        let places = inputs.places(OP, queue, dims, checked.lens)?;
        check_len(OP, "o", "(B*T, C)", o.len(), checked.lens.0)?;
        check_len(OP, "lse", "(B, NH, T)", lse.len(), checked.heads * dims.t)?;
        o.check_queue(OP, "o", queue)?;
        lse.check_queue(OP, "lse", queue)?;
        let width = dims.s.next_multiple_of(FORWARD_TILE).min(KEPT_SCORES);
        let sizes = checked.sizes(&places, width);
        let launch = checked.launch(OP, dims.t, STRIP, forward_shared(checked.pitch, width))?;
        let dropout = queue.dropout(attention.dropout)?;
        let kernel = &self.f32.forward[usize::from(dims.hs > 64)];
        let mut args = queue.stream().launch_builder(kernel);
        args.arg(o.pointer()).arg(lse.pointer()).arg(&places.q).arg(&places.k).arg(&places.v);
        args.arg(&checked.key_lengths).arg(&checked.query_lengths).arg(&sizes).arg(&dropout);
        // SAFETY: `args` lists the parameters of `attention_forward_*` in number, order and type, for the element type
        // that names the kernel. `Checked::new` and `places` have shown that q, k and v hold T or S rows for each of B
        // sentences, the given strides apart, with NH * HS columns from where they begin; o holds B*T*C values and lse
        // B*NH*T; key_lengths and query_lengths, where given, hold B. The kernel indexes only rows below T and S,
        // columns of its head, and keys and queries below lengths that it cuts to S and T. The head size is at most
        // what this kernel takes, and the block has the shared memory that its header asks for. o and lse are borrowed
        // mutably. All is memory of this queue.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }

    /// [`super::backward()`]. `scratch`: at least [`backward_scratch_len`] values; its content is of no consequence.
    ///
    /// # Errors
    /// As [`Kernels::forward`]; [`Error::Size`] also if the gradients are laid out otherwise than the inputs.
    pub fn backward(
        &self,
        queue: &Queue,
        attention: &Attention<'_>,
        inputs: Inputs<'_>,
        saved: Saved<'_>,
        mut scratch: ViewMut<'_>,
        mut gradients: Gradients<'_>,
    ) -> Result<(), Error> {
        const OP: &str = "attention backward";
        let Saved { o, lse, d_o } = saved;
        let checked = Checked::new(OP, queue, attention)?;
        let dims = attention.dims;
        let places = inputs.places(OP, queue, dims, checked.lens)?;
        let rows = checked.heads * dims.t;
        check_len(OP, "o", "(B*T, C)", o.len(), checked.lens.0)?;
        check_len(OP, "lse", "(B, NH, T)", lse.len(), rows)?;
        check_len(OP, "d_o", "(B*T, C)", d_o.len(), checked.lens.0)?;
        super::check_scratch(OP, scratch.len(), backward_scratch_len(&dims))?;
        let out = gradients.places(OP, queue, dims, checked.lens)?;
        if out.q_row_stride != places.q_row_stride {
            let limit = "those of the inputs: packed for packed, cross for cross";
            return Err(Error::Size { op: OP, what: "the gradients' row stride", got: out.q_row_stride, limit });
        }
        o.check_queue(OP, "o", queue)?;
        lse.check_queue(OP, "lse", queue)?;
        d_o.check_queue(OP, "d_o", queue)?;
        scratch.check_queue(OP, "scratch", queue)?;
        let sizes = checked.sizes(&places, 0);
        let dropout = queue.dropout(attention.dropout)?;
        let kernels = &self.f32;
        let large = usize::from(dims.hs > 64);

        let launch = checked.launch(OP, dims.t, STRIP, backward_shared(checked.pitch, 1))?;
        let mut args = queue.stream().launch_builder(&kernels.backward_queries[large]);
        args.arg(&out.q).arg(scratch.pointer()).arg(&places.q).arg(&places.k).arg(&places.v);
        args.arg(o.pointer()).arg(lse.pointer()).arg(d_o.pointer());
        args.arg(&checked.key_lengths).arg(&checked.query_lengths).arg(&sizes).arg(&dropout);
        // SAFETY: as in `forward`, for `attention_backward_queries_*`: o and d_o hold B*T*C values, lse B*NH*T and
        // scratch as many; dq is laid out as q is, in a buffer as long, and with scratch borrowed mutably.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching the queries' part"))?;

        let launch = checked.launch(OP, dims.s, BACKWARD_TILE, backward_shared(checked.pitch, 2))?;
        let mut args = queue.stream().launch_builder(&kernels.backward_keys[large]);
        args.arg(&out.k).arg(&out.v).arg(&places.q).arg(&places.k).arg(&places.v);
        args.arg(lse.pointer()).arg(scratch.pointer()).arg(d_o.pointer());
        args.arg(&checked.key_lengths).arg(&checked.query_lengths).arg(&sizes).arg(&dropout);
        // SAFETY: as above, for `attention_backward_keys_*`: dk and dv are laid out as k and v are. It reads of scratch
        // what the launch before has written, on the same stream: the values of the queries that see something.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching the keys' part"))?;
        Ok(())
    }

    /// [`super::weights`], in f32.
    ///
    /// # Errors
    /// As [`Kernels::forward`].
    pub fn weights(
        &self,
        queue: &Queue,
        attention: &Attention<'_>,
        inputs: Inputs<'_>,
        lse: View<'_>,
        mut out: ViewMut<'_>,
    ) -> Result<(), Error> {
        const OP: &str = "attention weights";
        let checked = Checked::new(OP, queue, attention)?;
        let dims = attention.dims;
        let places = inputs.places(OP, queue, dims, checked.lens)?;
        check_len(OP, "lse", "(B, NH, T)", lse.len(), checked.heads * dims.t)?;
        let want = product(OP, "B * NH * T * S", &[checked.heads, dims.t, dims.s])?;
        check_len(OP, "out", "(B, NH, T, S)", out.len(), want)?;
        lse.check_queue(OP, "lse", queue)?;
        out.check_queue(OP, "out", queue)?;
        let sizes = checked.sizes(&places, 0);
        let launch = checked.launch(OP, dims.t, STRIP, weights_shared(checked.pitch))?;
        let mut args = queue.stream().launch_builder(&self.f32.weights);
        args.arg(out.pointer()).arg(&places.q).arg(&places.k).arg(lse.pointer());
        args.arg(&checked.key_lengths).arg(&checked.query_lengths).arg(&sizes);
        // SAFETY: as in `forward`, for `attention_weights_*`: lse holds B*NH*T values, and out, which is borrowed
        // mutably, B*NH*T*S.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }
}
