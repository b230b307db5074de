//! Layer norm on a CUDA device, one launch each way. The kernels are in `layer_norm.cu`.
//!
//! Rows are f32, bf16 or f16; gamma, beta, their gradients and the statistics are f32, and so is all arithmetic. In f32
//! the bits are the CPU's. In 16 bits `sum` is rounded before it is normalized, so that backward sees what forward did;
//! y, dsum and dsub are rounded when written, and dsub is made from dsum as it was written. A lane then adds eight
//! neighbouring columns of every 256, ascending, before the butterfly; the sums over rows are in the order of f32.

#[cfg(test)]
mod tests;

use super::{
    BACKWARD_OP, BLOCK, BackwardLens, CHUNK, ForwardLens, OP, RESIDUAL_BACKWARD_OP, RESIDUAL_OP, Write, check_backward,
    check_forward,
};
use crate::Error;
use crate::cuda::{Buffer, ByElement, DropoutWords, Element, Kernel, Module, Queue, View, ViewMut, WARP, driver, int};
use crate::dropout::{Dropout, GROUP};
use crate::error::check_len;
use cudarc::driver::{DeviceRepr, LaunchConfig, PushKernelArg};

pub use super::scratch_len;

/// Blocks of chunks that there are counters for: 2^26 rows.
const BLOCKS: usize = 1 << 16;

/// Rows that a block has in flight, and its warps.
const ROWS: u32 = 8;

/// The learned scale and shift, (C) each.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// The scale.
    pub gamma: View<'a>,
    /// The shift.
    pub beta: View<'a>,
}

/// What forward writes: [`super::Output`].
#[derive(Debug)]
pub struct Output<'a, T = f32> {
    /// The normalized rows, (N, C).
    pub y: ViewMut<'a, T>,
    /// The mean of each row, (N).
    pub mean: ViewMut<'a>,
    /// One over the deviation of each row, (N).
    pub rstd: ViewMut<'a>,
}

/// What backward reads: [`super::Backward`].
#[derive(Clone, Copy, Debug)]
pub struct Backward<'a, T = f32> {
    /// The gradient of `y`, (N, C).
    pub dy: View<'a, T>,
    /// What forward normalized, (N, C).
    pub sum: View<'a, T>,
    /// Forward's mean, (N).
    pub mean: View<'a>,
    /// Forward's rstd, (N).
    pub rstd: View<'a>,
    /// Forward's scale, (C).
    pub gamma: View<'a>,
}

/// What backward writes: [`super::Gradients`].
#[derive(Debug)]
pub struct Gradients<'a, T = f32> {
    /// The gradient of `sum`, (N, C): set or added to.
    pub dsum: ViewMut<'a, T>,
    /// The gradient of `gamma`, (C): added to.
    pub dgamma: ViewMut<'a>,
    /// The gradient of `beta`, (C): added to.
    pub dbeta: ViewMut<'a>,
}

/// A normalization of rows of T as kernels take it: `Norm` of normalize.cuh.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct NormWords {
    x: u64,
    sum: u64,
    y: u64,
    gamma: u64,
    beta: u64,
    mean: u64,
    rstd: u64,
    dropout: DropoutWords,
    eps: f32,
    n: i32,
    c: i32,
    unused: i32,
}

// SAFETY: plain words laid out as `Norm` of normalize.cuh, without padding: 7 times 8, 32, and 4 times 4 bytes.
unsafe impl DeviceRepr for NormWords {}

impl NormWords {
    /// Of views that agree in N and C, all of this queue; without `sum`, `x` is normalized.
    #[allow(clippy::too_many_arguments)] // its operands
    pub(crate) fn of<T: Element>(
        op: &'static str,
        queue: &Queue,
        x: View<'_, T>,
        mut sum: Option<&mut ViewMut<'_, T>>,
        dropout: Dropout,
        affine: Affine<'_>,
        eps: f32,
        out: &mut Output<'_, T>,
    ) -> Result<Self, Error> {
        let Output { y, mean, rstd } = out;
        let Affine { gamma, beta } = affine;
        let (n, c) = (mean.len(), gamma.len());
        let len = ForwardLens { x: x.len(), gamma: c, beta: beta.len(), y: y.len(), mean: n, rstd: rstd.len() };
        check_forward(op, len, eps)?;
        if let Some(sum) = &sum {
            check_len(op, "sum", "(N, C)", sum.len(), x.len())?;
            sum.check_queue(op, "sum", queue)?;
        }
        x.check_queue(op, "x", queue)?;
        y.check_queue(op, "y", queue)?;
        for (arg, view) in [("gamma", gamma), ("beta", beta), ("mean", mean.as_view()), ("rstd", rstd.as_view())] {
            view.check_queue(op, arg, queue)?;
        }
        let (n, c) = sizes(op, n, c)?;
        Ok(NormWords {
            x: *x.pointer(),
            sum: sum.as_mut().map_or(0, |sum| *sum.pointer()),
            y: *y.pointer(),
            gamma: *gamma.pointer(),
            beta: *beta.pointer(),
            mean: *mean.pointer(),
            rstd: *rstd.pointer(),
            dropout: queue.dropout(dropout)?,
            eps,
            n,
            c,
            unused: 0,
        })
    }
}

/// The kernels, loaded.
#[derive(Debug)]
pub struct Kernels {
    widths: ByElement<Widths>,
    /// How many blocks have been added up, and how many chunks of each: all 0 between launches.
    arrived: Buffer<u32>,
}

/// The kernels of one type, for rows of up to so many columns, ascending; the last for any.
#[derive(Debug)]
struct Widths(Vec<Width>);

#[derive(Debug)]
struct Width {
    columns: usize,
    /// Slots of backward's shared memory for a group of columns.
    slots: usize,
    forward: Kernel,
    backward: Kernel,
}

impl Widths {
    fn load(module: &Module, element: &str) -> Result<Self, Error> {
        // In 16 bits 1024 columns take the registers that 512 take in f32, and `STRIDE` is 36.
        let (narrow, slots): (&[usize], usize) =
            if element == "f32" { (&[512, 1024], GROUP) } else { (&[1024], GROUP / 32 * 36) };
        let load = |name: &str, columns: usize, slots: usize| {
            let shared = shared_bytes(columns, slots);
            let forward = module.function(&format!("layer_norm_forward_{name}_{element}"))?;
            let backward = module.function_with_shared(&format!("layer_norm_backward_{name}_{element}"), shared)?;
            Ok(Width { columns, slots, forward, backward })
        };
        let narrow = narrow.iter().map(|&columns| load(&format!("c{columns}"), columns, slots));
        Ok(Widths(narrow.chain(std::iter::once_with(|| load("wide", usize::MAX, 0))).collect::<Result<_, _>>()?))
    }

    /// The kernels for rows of `c` columns at these addresses. 16-bit rows in registers must be aligned to 16 bytes.
    fn find<T: Element>(&self, c: usize, addresses: &[u64]) -> &Width {
        let aligned = addresses.iter().all(|address| address.is_multiple_of(16)) && c.is_multiple_of(8);
        let narrow = self.0.iter().find(|width| c <= width.columns && (aligned || size_of::<T>() == 4));
        narrow.unwrap_or(&self.0[self.0.len() - 1])
    }
}

/// What a block of backward keeps of its rows: dy and x^ in `slots` for each group of columns.
fn shared_bytes(columns: usize, slots: usize) -> u32 {
    if slots == 0 { 0 } else { ROWS * 2 * 4 * (columns.div_ceil(GROUP) * slots) as u32 }
}

/// N and C as kernels take them: row numbers up to whole chunks, and 2 C, fit in 31 bits.
fn sizes(op: &'static str, n: usize, c: usize) -> Result<(i32, i32), Error> {
    int(op, "N, up to whole chunks,", n.next_multiple_of(CHUNK))?;
    int(op, "2 C", c.saturating_mul(2))?;
    Ok((int(op, "N", n)?, int(op, "C", c)?))
}

fn grid(blocks: usize, shared_mem_bytes: u32) -> LaunchConfig {
    LaunchConfig { grid_dim: (blocks as u32, 1, 1), block_dim: (ROWS * WARP, 1, 1), shared_mem_bytes }
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`], as [`Queue::load`]; also if a block cannot have 72 KiB of shared memory.
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(OP, include_str!("layer_norm.ptx"))?;
        Ok(Kernels {
            widths: ByElement::load(|element| Widths::load(&module, element))?,
            arrived: Buffer::zeros(queue, 1 + BLOCKS)?,
        })
    }

    /// [`layer_norm::forward`](super::forward), enqueued.
    ///
    /// # Errors
    /// Its errors; [`Error::Queue`] for memory of another queue; [`Error::Size`] from 2^31 rows or 2^30 columns on;
    /// [`Error::Driver`].
    pub fn forward<T: Element>(
        &self,
        queue: &Queue,
        x: View<'_, T>,
        affine: Affine<'_>,
        eps: f32,
        out: Output<'_, T>,
    ) -> Result<(), Error> {
        self.normalize(OP, queue, x, None, Dropout::NONE, affine, eps, out)
    }

    /// [`layer_norm::residual_forward`](super::residual_forward), enqueued.
    ///
    /// # Errors
    /// As [`Kernels::forward`].
    #[allow(clippy::too_many_arguments)] // its operands
    pub fn residual_forward<T: Element>(
        &self,
        queue: &Queue,
        x: View<'_, T>,
        sum: ViewMut<'_, T>,
        dropout: Dropout,
        affine: Affine<'_>,
        eps: f32,
        out: Output<'_, T>,
    ) -> Result<(), Error> {
        self.normalize(RESIDUAL_OP, queue, x, Some(sum), dropout, affine, eps, out)
    }

    #[allow(clippy::too_many_arguments)] // its operands
    fn normalize<T: Element>(
        &self,
        op: &'static str,
        queue: &Queue,
        x: View<'_, T>,
        mut sum: Option<ViewMut<'_, T>>,
        dropout: Dropout,
        affine: Affine<'_>,
        eps: f32,
        mut out: Output<'_, T>,
    ) -> Result<(), Error> {
        let words = NormWords::of(op, queue, x, sum.as_mut(), dropout, affine, eps, &mut out)?;
        let (n, c) = (out.mean.len(), affine.gamma.len());
        if n == 0 {
            return Ok(());
        }
        let width = self.widths.of::<T>().find::<T>(c, &[words.sum, words.y, words.x, words.gamma, words.beta]);
        let mut args = queue.launch(&width.forward)?;
        args.arg(&words);
        // SAFETY: `layer_norm_forward_*` takes a `Norm` of T, which `words` is. x, y and sum (unless it is null, which
        // the kernel then leaves alone) hold n * c values, gamma and beta c, mean and rstd n, as `NormWords::of` has
        // seen, and the kernel indexes only rows below n and columns below c. `find` gives one that has registers for c
        // columns and, if it is for aligned rows only, rows that are. What it writes is borrowed mutably; all is memory
        // of this queue.
        unsafe { args.launch(grid(n.div_ceil(ROWS as usize), 0)) }.map_err(driver(op, "launching forward"))?;
        Ok(())
    }

    /// [`layer_norm::backward`](super::backward), enqueued; `scratch` holds [`scratch_len`] values or more.
    ///
    /// # Errors
    /// Its errors; [`Error::Queue`] for memory of another queue; [`Error::Size`] from 2^26 rows or 2^30 columns on;
    /// [`Error::Driver`].
    pub fn backward<T: Element>(
        &self,
        queue: &Queue,
        input: Backward<'_, T>,
        write: Write,
        out: Gradients<'_, T>,
        scratch: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.differentiate(BACKWARD_OP, queue, input, Dropout::NONE, write, out, None, scratch)
    }

    /// [`layer_norm::residual_backward`](super::residual_backward), enqueued.
    ///
    /// # Errors
    /// As [`Kernels::backward`].
    #[allow(clippy::too_many_arguments)] // its operands
    pub fn residual_backward<T: Element>(
        &self,
        queue: &Queue,
        input: Backward<'_, T>,
        dropout: Dropout,
        write: Write,
        out: Gradients<'_, T>,
        dsub: ViewMut<'_, T>,
        scratch: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.differentiate(RESIDUAL_BACKWARD_OP, queue, input, dropout, write, out, Some(dsub), scratch)
    }

    #[allow(clippy::too_many_arguments)] // its operands
    fn differentiate<T: Element>(
        &self,
        op: &'static str,
        queue: &Queue,
        input: Backward<'_, T>,
        dropout: Dropout,
        write: Write,
        out: Gradients<'_, T>,
        mut dsub: Option<ViewMut<'_, T>>,
        mut scratch: ViewMut<'_>,
    ) -> Result<(), Error> {
        let Backward { dy, sum, mean, rstd, gamma } = input;
        let Gradients { mut dsum, mut dgamma, mut dbeta } = out;
        let (n, c) = (mean.len(), gamma.len());
        let len = BackwardLens {
            dy: dy.len(),
            sum: sum.len(),
            mean: n,
            rstd: rstd.len(),
            gamma: c,
            dsum: dsum.len(),
            dgamma: dgamma.len(),
            dbeta: dbeta.len(),
            scratch: scratch.len(),
        };
        check_backward(op, len)?;
        if let Some(dsub) = &dsub {
            check_len(op, "dsub", "(N, C)", dsub.len(), sum.len())?;
            dsub.check_queue(op, "dsub", queue)?;
        }
        for (arg, view) in [("dy", dy), ("sum", sum), ("dsum", dsum.as_view())] {
            view.check_queue(op, arg, queue)?;
        }
        for (arg, view) in [("mean", mean), ("rstd", rstd), ("gamma", gamma)] {
            view.check_queue(op, arg, queue)?;
        }
        for (arg, view) in [("dgamma", &dgamma), ("dbeta", &dbeta), ("scratch", &scratch)] {
            view.check_queue(op, arg, queue)?;
        }
        let (rows, columns) = sizes(op, n, c)?;
        if n == 0 {
            return Ok(());
        }
        let (chunks, add) = (n.div_ceil(CHUNK), write == Write::Add);
        if n > BLOCKS * BLOCK * CHUNK {
            return Err(Error::Size { op, what: "N", got: n, limit: "2^26 at most on a CUDA device" });
        }
        let arrived = self.arrived.view();
        arrived.check_queue(op, "its own counters", queue)?;
        let dropout = queue.dropout(dropout)?;
        let dsub = dsub.as_mut().map_or(&0, ViewMut::pointer);
        let addresses = [*dsum.pointer(), *dsub, *dy.pointer(), *sum.pointer(), *gamma.pointer()];
        let width = self.widths.of::<T>().find::<T>(c, &addresses);
        let shared = shared_bytes(c, width.slots);
        let mut args = queue.launch(&width.backward)?;
        args.arg(dsum.pointer()).arg(dsub).arg(scratch.pointer()).arg(dgamma.pointer()).arg(dbeta.pointer());
        args.arg(arrived.pointer()).arg(dy.pointer()).arg(sum.pointer());
        args.arg(mean.pointer()).arg(rstd.pointer()).arg(gamma.pointer());
        args.arg(&add).arg(&rows).arg(&columns).arg(&dropout);
        // SAFETY: `args` lists the parameters of `layer_norm_backward_*` in number, order and type (Rust's bool is a
        // byte of 0 or 1, as C++'s is). dy, sum, dsum and dsub (unless it is null, which the kernel then leaves alone)
        // hold n * c values, mean and rstd n, gamma, dgamma and dbeta c, scratch 2 c for each of the `chunks` blocks of
        // threads, as `check_backward` has shown; the counters are one for each block of chunks and one more, which no
        // other launch uses at the same time, since all are on one stream; and the kernel indexes only rows below n and
        // columns below c. `find` gives one that has registers for c columns and, if it is for aligned rows only, rows
        // that are; `shared` is what it indexes of shared memory. What it writes is borrowed mutably; all is memory of
        // this queue.
        unsafe { args.launch(grid(chunks, shared)) }.map_err(driver(op, "launching backward"))?;
        Ok(())
    }
}
