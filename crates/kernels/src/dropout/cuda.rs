//! Dropout alone on a CUDA device. The kernel is in `dropout.cu`; fused with others, it is in `cuda/dropout.cuh`.

#[cfg(test)]
mod tests;

use super::{Dropout, GROUP, OP, check};
use crate::Error;
use crate::cuda::{ByElement, Element, Kernel, Queue, ViewMut, WARP, driver, int};
use cudarc::driver::{LaunchConfig, PushKernelArg};

/// Warps a block, a row each.
const ROWS: u32 = 8;

/// Blocks along a row, at most: the grid's limit.
const COLUMNS: usize = 65_535;

/// The kernel, loaded.
#[derive(Debug)]
pub struct Kernels {
    apply: ByElement<Kernel>,
}

impl Kernels {
    /// Loads it.
    ///
    /// # Errors
    /// [`Error::Driver`], as [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(OP, include_str!("dropout.ptx"))?;
        Ok(Kernels { apply: ByElement::load(|element| module.function(&format!("dropout_{element}")))? })
    }

    /// [`dropout::apply`](super::apply), enqueued. In 16 bits the product is rounded to f32, then to 16 bits.
    ///
    /// # Errors
    /// Its errors; [`Error::Queue`] for memory of another queue; [`Error::Size`] from 2^31 rows or columns on;
    /// [`Error::Driver`].
    pub fn apply<T: Element>(
        &self,
        queue: &Queue,
        mut x: ViewMut<'_, T>,
        c: usize,
        dropout: Dropout,
    ) -> Result<(), Error> {
        let n = check(x.len(), c)?;
        x.check_queue(OP, "x", queue)?;
        // Row and column numbers up to whole blocks fit in 31 bits.
        int(OP, "N, up to whole blocks,", n.next_multiple_of(ROWS as usize))?;
        int(OP, "C, up to whole groups,", c.saturating_add(GROUP * COLUMNS))?;
        if n == 0 || !dropout.is_active() {
            return Ok(());
        }
        let grid_dim = (n.div_ceil(ROWS as usize) as u32, c.div_ceil(GROUP).min(COLUMNS) as u32, 1);
        let launch = LaunchConfig { grid_dim, block_dim: (ROWS * WARP, 1, 1), shared_mem_bytes: 0 };
        let (rows, columns, dropout) = (n as i32, c as i32, queue.dropout(dropout)?);
        let mut args = queue.launch(self.apply.of::<T>())?;
        args.arg(x.pointer()).arg(&rows).arg(&columns).arg(&dropout);
        // SAFETY: `args` lists the parameters of `dropout_*` in number, order and type. x holds n * c values, as
        // `check` has shown, is borrowed mutably and memory of this queue; the kernel indexes only rows below n and
        // columns below c.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching it"))?;
        Ok(())
    }
}
