//! The norm on a CUDA device: two launches, which leave it and the clipping factor where Adam reads them, without the
//! host. The kernels are in `grad_norm.cu`.

#[cfg(test)]
mod tests;

use super::{BLOCK, OP, check_max_norm};
use crate::Error;
use crate::cuda::{Kernel, Queue, View, ViewMut, WARP, driver};
use crate::error::check_len;
use cudarc::driver::{LaunchConfig, PushKernelArg};

/// Warps a block of threads.
const WARPS: u32 = 8;

/// Values of scratch that [`Kernels::clip`] needs for `n` gradients: the blocks' sums.
pub fn scratch_len(n: usize) -> usize {
    n.div_ceil(BLOCK)
}

/// The kernels, loaded.
#[derive(Debug)]
pub struct Kernels {
    blocks: Kernel,
    finish: Kernel,
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`], as [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(OP, include_str!("grad_norm.ptx"))?;
        Ok(Kernels { blocks: module.function("grad_norm_blocks_f32")?, finish: module.function("grad_norm_finish")? })
    }

    /// Writes the two words of [`gradient_words`](crate::adam::cuda::gradient_words) that Adam's launch reads: the norm
    /// of the gradients, as [`grad_norm`](super::grad_norm) gives it, and their scale,
    /// [`clip_factor`](super::clip_factor) of that norm.
    ///
    /// With `unscale`, one value on the device, `grads` are taken to be gradients of a loss that was scaled: the norm
    /// is multiplied by it, in f64, before it is written and clipped by, and the scale is the clipping factor times it,
    /// in f32. A power of two loses nothing.
    ///
    /// `max_norm` is infinite for no clipping. `scratch` holds [`scratch_len`] values or more, whatever they are.
    ///
    /// # Errors
    /// [`Error::Scalar`] if `max_norm` is not greater than 0; [`Error::Length`] for a scratch that is too short, or
    /// another buffer of the wrong length; [`Error::Queue`] for memory of another queue; [`Error::Driver`].
    pub fn clip(
        &self,
        queue: &Queue,
        grads: View<'_>,
        max_norm: f64,
        unscale: Option<View<'_>>,
        mut scratch: ViewMut<'_, f64>,
        mut words: ViewMut<'_, u64>,
    ) -> Result<(), Error> {
        check_max_norm(max_norm)?;
        let blocks = scratch_len(grads.len());
        if scratch.len() < blocks {
            let (got, shape) = (scratch.len(), "(ceil(N / 4096)) or more");
            return Err(Error::Length { op: OP, arg: "scratch", shape, got, want: blocks });
        }
        check_len(OP, "words", "(2)", words.len(), 2)?;
        if let Some(unscale) = unscale {
            check_len(OP, "unscale", "(1)", unscale.len(), 1)?;
            unscale.check_queue(OP, "unscale", queue)?;
        }
        grads.check_queue(OP, "grads", queue)?;
        scratch.check_queue(OP, "scratch", queue)?;
        words.check_queue(OP, "words", queue)?;

        let threads = (WARP * WARPS, 1, 1);
        let (n, blocks) = (grads.len() as u64, blocks as u64);
        if n > 0 {
            // At most 2^44 bytes, which no device has, is what a grid of this kind reaches.
            let grid = blocks.div_ceil(u64::from(WARPS)) as u32;
            let mut args = queue.launch(&self.blocks)?;
            args.arg(scratch.pointer()).arg(grads.pointer()).arg(&n);
            // SAFETY: `args` lists the parameters of `grad_norm_blocks_f32` in number, order and type. It reads n
            // gradients and writes a sum for each block of 4096, for which `scratch` has room, as checked; `scratch` is
            // borrowed mutably, and both are memory of this queue.
            unsafe { args.launch(LaunchConfig { grid_dim: (grid, 1, 1), block_dim: threads, shared_mem_bytes: 0 }) }
                .map_err(driver(OP, "launching the blocks' sums"))?;
        }
        let unscale = unscale.as_ref().map_or(&0, View::pointer);
        let mut args = queue.launch(&self.finish)?;
        args.arg(words.pointer()).arg(scratch.pointer()).arg(unscale).arg(&blocks).arg(&max_norm);
        // SAFETY: `args` lists the parameters of `grad_norm_finish` in number, order and type. It reads the sums that
        // the launch before has written, and one value of `unscale` unless that is null, and writes two words, borrowed
        // mutably; all is memory of this queue.
        unsafe { args.launch(LaunchConfig { grid_dim: (1, 1, 1), block_dim: threads, shared_mem_bytes: 0 }) }
            .map_err(driver(OP, "launching their sum"))?;
        Ok(())
    }
}
