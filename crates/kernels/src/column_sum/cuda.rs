//! Column sums on a CUDA device: the bits of the CPU's for f32, by `column_sum.cu`.

#[cfg(test)]
mod tests;

use super::{OP, ROWS, check};
use crate::Error;
use crate::cuda::{ByElement, Element, Kernel, Queue, View, ViewMut, driver, int};
use cudarc::driver::{LaunchConfig, PushKernelArg};

/// Columns of a block that sums chunks, and of one that adds the partial sums.
const CHUNK_COLUMNS: usize = 256;
const ADD_COLUMNS: usize = 32;

/// The kernels of column sums.
#[derive(Debug)]
pub struct Kernels {
    chunks: ByElement<Kernel>,
    add: Kernel,
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`] as in [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(OP, include_str!("column_sum.ptx"))?;
        Ok(Kernels {
            chunks: ByElement::load(|name| module.function(&format!("column_sum_chunks_{name}")))?,
            add: module.function("column_sum_add")?,
        })
    }

    /// [`column_sum`](super::column_sum) of device memory: for f32 with the same bits, for other types with the sums
    /// that `dy`'s values would have in f32.
    ///
    /// # Errors
    /// As there; [`Error::Queue`] for memory of another queue; [`Error::Size`] for a dimension of 2^31 or more;
    /// [`Error::Driver`].
    pub fn column_sum<T: Element>(
        &self,
        queue: &Queue,
        dy: View<'_, T>,
        mut scratch: ViewMut<'_>,
        mut db: ViewMut<'_>,
    ) -> Result<(), Error> {
        let (n, c) = check(dy.len(), scratch.len(), db.len())?;
        dy.check_queue(OP, "dy", queue)?;
        scratch.check_queue(OP, "scratch", queue)?;
        db.check_queue(OP, "db", queue)?;
        let count = n.div_ceil(ROWS);
        if count == 0 {
            return Ok(());
        }
        let blocks = int(OP, "the number of blocks", count.saturating_mul(c.div_ceil(CHUNK_COLUMNS)))? as u32;
        let (n, c, count) = (int(OP, "N", n)?, int(OP, "C", c)?, int(OP, "ceil(N / 32)", count)?);
        let threads = (CHUNK_COLUMNS * size_of::<T>() / 16) as u32;
        let launch = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (threads, 1, 1), shared_mem_bytes: 0 };
        let mut args = queue.launch(self.chunks.of::<T>())?;
        args.arg(scratch.pointer()).arg(dy.pointer()).arg(&n).arg(&c);
        // SAFETY: `args` lists the parameters of the `column_sum_chunks_*` entry of T in number, order and type. dy
        // holds N rows of C, and scratch at least ceil(N / 32) of C, as `check` has shown; the kernel indexes only
        // those. scratch is borrowed mutably. Both are memory of this queue, as checked.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching the sums of chunks"))?;

        let blocks = (c as u32).div_ceil(ADD_COLUMNS as u32);
        let launch = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (256, 1, 1), shared_mem_bytes: 0 };
        let mut args = queue.launch(&self.add)?;
        args.arg(db.pointer()).arg(scratch.pointer()).arg(&count).arg(&c);
        // SAFETY: `args` lists the parameters of `column_sum_add` in number, order and type. It reads the partial
        // sums that the launch before has written, and reads and writes db's C values, borrowed mutably.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching the addition of partial sums"))?;
        Ok(())
    }
}
