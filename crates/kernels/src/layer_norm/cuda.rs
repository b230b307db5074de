//! Layer norm on a CUDA device: one launch forward, two backward. The kernels are in `layer_norm.cu`.

#[cfg(test)]
mod tests;

use super::{
    BACKWARD_OP, BackwardLens, CHUNK, ForwardLens, OP, RESIDUAL_BACKWARD_OP, RESIDUAL_OP, Write, check_backward,
    check_forward,
};
use crate::Error;
use crate::cuda::{Module, Queue, View, ViewMut, WARP, driver, int};
use crate::dropout::Dropout;
use crate::error::check_len;
use cudarc::driver::{CudaFunction, LaunchConfig, PushKernelArg};

pub use super::scratch_len;

/// Rows that a block has in flight, and its warps.
const ROWS: u32 = 8;

/// The columns that the first two kernels of each kind keep in registers; the third takes any number.
const WIDTHS: [usize; 2] = [512, 1024];

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
pub struct Output<'a> {
    /// The normalized rows, (N, C).
    pub y: ViewMut<'a>,
    /// The mean of each row, (N).
    pub mean: ViewMut<'a>,
    /// One over the deviation of each row, (N).
    pub rstd: ViewMut<'a>,
}

/// What backward reads: [`super::Backward`].
#[derive(Clone, Copy, Debug)]
pub struct Backward<'a> {
    /// The gradient of `y`, (N, C).
    pub dy: View<'a>,
    /// What forward normalized, (N, C).
    pub sum: View<'a>,
    /// Forward's mean, (N).
    pub mean: View<'a>,
    /// Forward's rstd, (N).
    pub rstd: View<'a>,
    /// Forward's scale, (C).
    pub gamma: View<'a>,
}

/// What backward writes: [`super::Gradients`].
#[derive(Debug)]
pub struct Gradients<'a> {
    /// The gradient of `sum`, (N, C): set or added to.
    pub dsum: ViewMut<'a>,
    /// The gradient of `gamma`, (C): added to.
    pub dgamma: ViewMut<'a>,
    /// The gradient of `beta`, (C): added to.
    pub dbeta: ViewMut<'a>,
}

/// The kernels, loaded.
#[derive(Debug)]
pub struct Kernels {
    f32: Widths,
    add_partials: CudaFunction,
}

/// The kernels of one type, for rows of up to [`WIDTHS`] columns and wider.
#[derive(Debug)]
struct Widths {
    forward: [CudaFunction; 3],
    backward: [CudaFunction; 3],
}

impl Widths {
    fn load(module: &Module, element: &str) -> Result<Self, Error> {
        let forward = |width: &str| module.function(&format!("layer_norm_forward_{width}_{element}"));
        let backward = |width: &str, columns: usize| {
            module.function_with_shared(&format!("layer_norm_backward_{width}_{element}"), shared_bytes(columns))
        };
        Ok(Widths {
            forward: [forward("c512")?, forward("c1024")?, forward("wide")?],
            backward: [backward("c512", WIDTHS[0])?, backward("c1024", WIDTHS[1])?, backward("wide", 0)?],
        })
    }
}

/// What a block of backward keeps of its rows: dy and x^.
fn shared_bytes(columns: usize) -> u32 {
    ROWS * 2 * 4 * columns as u32
}

/// N and C as kernels take them: row numbers up to whole chunks, and 2 C, fit in 31 bits.
fn sizes(op: &'static str, n: usize, c: usize) -> Result<(i32, i32), Error> {
    int(op, "N, up to whole chunks,", n.next_multiple_of(CHUNK))?;
    int(op, "2 C", c.saturating_mul(2))?;
    Ok((int(op, "N", n)?, int(op, "C", c)?))
}

/// Which kernel takes rows of `c` columns.
fn width(c: usize) -> usize {
    WIDTHS.iter().position(|&width| c <= width).unwrap_or(WIDTHS.len())
}

fn grid(blocks: usize, shared_mem_bytes: u32) -> LaunchConfig {
    LaunchConfig { grid_dim: (blocks as u32, 1, 1), block_dim: (ROWS * WARP, 1, 1), shared_mem_bytes }
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`], as [`Queue::load`]; also if a block cannot have 64 KiB of shared memory.
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(OP, include_str!("layer_norm.ptx"))?;
        Ok(Kernels { f32: Widths::load(&module, "f32")?, add_partials: module.function("layer_norm_add_partials")? })
    }

    /// [`layer_norm::forward`](super::forward), enqueued.
    ///
    /// # Errors
    /// Its errors; [`Error::Queue`] for memory of another queue; [`Error::Size`] from 2^31 rows or 2^30 columns on;
    /// [`Error::Driver`].
    pub fn forward(
        &self,
        queue: &Queue,
        x: View<'_>,
        affine: Affine<'_>,
        eps: f32,
        out: Output<'_>,
    ) -> Result<(), Error> {
        self.normalize(OP, queue, x, None, Dropout::NONE, affine, eps, out)
    }

    /// [`layer_norm::residual_forward`](super::residual_forward), enqueued.
    ///
    /// # Errors
    /// As [`Kernels::forward`].
    #[allow(clippy::too_many_arguments)] // its operands
    pub fn residual_forward(
        &self,
        queue: &Queue,
        x: View<'_>,
        sum: ViewMut<'_>,
        dropout: Dropout,
        affine: Affine<'_>,
        eps: f32,
        out: Output<'_>,
    ) -> Result<(), Error> {
        self.normalize(RESIDUAL_OP, queue, x, Some(sum), dropout, affine, eps, out)
    }

    #[allow(clippy::too_many_arguments)] // its operands
    fn normalize(
        &self,
        op: &'static str,
        queue: &Queue,
        x: View<'_>,
        mut sum: Option<ViewMut<'_>>,
        dropout: Dropout,
        affine: Affine<'_>,
        eps: f32,
        out: Output<'_>,
    ) -> Result<(), Error> {
        let Output { mut y, mut mean, mut rstd } = out;
        let Affine { gamma, beta } = affine;
        let (n, c) = (mean.len(), gamma.len());
        let len = ForwardLens { x: x.len(), gamma: c, beta: beta.len(), y: y.len(), mean: n, rstd: rstd.len() };
        check_forward(op, len, eps)?;
        if let Some(sum) = &sum {
            check_len(op, "sum", "(N, C)", sum.len(), x.len())?;
            sum.check_queue(op, "sum", queue)?;
        }
        for (arg, view) in [("x", &x), ("gamma", &gamma), ("beta", &beta)] {
            view.check_queue(op, arg, queue)?;
        }
        for (arg, view) in [("y", &y), ("mean", &mean), ("rstd", &rstd)] {
            view.check_queue(op, arg, queue)?;
        }
        let (rows, columns) = sizes(op, n, c)?;
        if n == 0 {
            return Ok(());
        }
        let dropout = queue.dropout(dropout)?;
        let sum = sum.as_mut().map_or(&0, ViewMut::pointer);
        let mut args = queue.stream().launch_builder(&self.f32.forward[width(c)]);
        args.arg(sum).arg(y.pointer()).arg(mean.pointer()).arg(rstd.pointer());
        args.arg(x.pointer()).arg(gamma.pointer()).arg(beta.pointer()).arg(&eps).arg(&rows).arg(&columns).arg(&dropout);
        // SAFETY: `args` lists the parameters of `layer_norm_forward_*` in number, order and type. x, y and sum (unless
        // it is null, which the kernel then leaves alone) hold n * c values, gamma and beta c, mean and rstd n, as
        // `check_forward` has shown, and the kernel indexes only rows below n and columns below c; with `width`, c is
        // no more than the kernel has registers for. What it writes is borrowed mutably; all is memory of this queue.
        unsafe { args.launch(grid(n.div_ceil(ROWS as usize), 0)) }.map_err(driver(op, "launching forward"))?;
        Ok(())
    }

    /// [`layer_norm::backward`](super::backward), enqueued; `scratch` holds [`scratch_len`] values or more.
    ///
    /// # Errors
    /// Its errors; [`Error::Queue`] for memory of another queue; [`Error::Size`] from 2^31 rows or 2^30 columns on;
    /// [`Error::Driver`].
    pub fn backward(
        &self,
        queue: &Queue,
        input: Backward<'_>,
        write: Write,
        out: Gradients<'_>,
        scratch: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.differentiate(BACKWARD_OP, queue, input, Dropout::NONE, write, out, None, scratch)
    }

    /// [`layer_norm::residual_backward`](super::residual_backward), enqueued.
    ///
    /// # Errors
    /// As [`Kernels::backward`].
    #[allow(clippy::too_many_arguments)] // its operands
    pub fn residual_backward(
        &self,
        queue: &Queue,
        input: Backward<'_>,
        dropout: Dropout,
        write: Write,
        out: Gradients<'_>,
        dsub: ViewMut<'_>,
        scratch: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.differentiate(RESIDUAL_BACKWARD_OP, queue, input, dropout, write, out, Some(dsub), scratch)
    }

    #[allow(clippy::too_many_arguments)] // its operands
    fn differentiate(
        &self,
        op: &'static str,
        queue: &Queue,
        input: Backward<'_>,
        dropout: Dropout,
        write: Write,
        out: Gradients<'_>,
        mut dsub: Option<ViewMut<'_>>,
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
        for (arg, view) in [("dy", &dy), ("sum", &sum), ("mean", &mean), ("rstd", &rstd), ("gamma", &gamma)] {
            view.check_queue(op, arg, queue)?;
        }
        for (arg, view) in [("dsum", &dsum), ("dgamma", &dgamma), ("dbeta", &dbeta), ("scratch", &scratch)] {
            view.check_queue(op, arg, queue)?;
        }
        let (rows, columns) = sizes(op, n, c)?;
        if n == 0 {
            return Ok(());
        }
        let (chunks, which, add) = (n.div_ceil(CHUNK), width(c), write == Write::Add);
        let dropout = queue.dropout(dropout)?;
        let dsub = dsub.as_mut().map_or(&0, ViewMut::pointer);
        let shared = WIDTHS.get(which).map_or(0, |&width| shared_bytes(width));
        let mut args = queue.stream().launch_builder(&self.f32.backward[which]);
        args.arg(dsum.pointer()).arg(dsub).arg(scratch.pointer()).arg(dy.pointer()).arg(sum.pointer());
        args.arg(mean.pointer()).arg(rstd.pointer()).arg(gamma.pointer());
        args.arg(&add).arg(&rows).arg(&columns).arg(&dropout);
        // SAFETY: `args` lists the parameters of `layer_norm_backward_*` in number, order and type (Rust's bool is a
        // byte of 0 or 1, as C++'s is). dy, sum, dsum and dsub (unless it is null, which the kernel then leaves alone)
        // hold n * c values, mean and rstd n, gamma c, scratch 2 c for each of the `chunks` blocks, as `check_backward`
        // has shown, and the kernel indexes only rows below n and columns below c; with `width`, c is no more than the
        // kernel has registers and shared memory for. What it writes is borrowed mutably; all is memory of this queue.
        unsafe { args.launch(grid(chunks, shared)) }.map_err(driver(op, "launching backward"))?;

        let chunks = chunks as i32;
        let mut args = queue.stream().launch_builder(&self.add_partials);
        args.arg(scratch.pointer()).arg(dgamma.pointer()).arg(dbeta.pointer()).arg(&chunks).arg(&columns);
        // SAFETY: `args` lists the parameters of `layer_norm_add_partials` in number, order and type. It reads the 2 c
        // values of each chunk that the launch before has written to `scratch`, and reads and writes c values of dgamma
        // and dbeta.
        unsafe { args.launch(grid((2 * c).div_ceil(WARP as usize), 0)) }
            .map_err(driver(op, "launching the sum of the partials"))?;
        Ok(())
    }
}
