//! Top k on a CUDA device: a block a row. `top_k.cu` says how.

#[cfg(test)]
mod tests;

use super::{OP, check};
use crate::Error;
use crate::cuda::{ByElement, Element, Kernel, Queue, View, ViewMut, WARP, driver, int};
use cudarc::driver::{LaunchConfig, PushKernelArg};

/// The kernels, loaded.
#[derive(Debug)]
pub struct Kernels {
    top_k: ByElement<Kernel>,
}

/// Where the results go.
#[derive(Debug)]
pub struct CudaOutput<'a> {
    /// The k largest values of each row, `(N, k)`, descending.
    pub values: ViewMut<'a>,
    /// Their indices in the row, `(N, k)`.
    pub indices: ViewMut<'a, u32>,
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`] as [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(OP, include_str!("top_k.ptx"))?;
        Ok(Kernels { top_k: ByElement::load(|name| module.function(&format!("top_k_{name}")))? })
    }

    /// [`super::top_k`], of scores of any type.
    ///
    /// # Errors
    /// Those of [`super::top_k`]; [`Error::Size`] for sizes beyond 2^31; [`Error::Queue`]; [`Error::Driver`].
    pub fn top_k<T: Element>(
        &self,
        queue: &Queue,
        scores: View<'_, T>,
        v: usize,
        k: usize,
        out: CudaOutput<'_>,
    ) -> Result<(), Error> {
        let CudaOutput { mut values, mut indices } = out;
        let n = check(scores.len(), v, k, values.len(), indices.len())?;
        scores.check_queue(OP, "scores", queue)?;
        values.check_queue(OP, "values", queue)?;
        indices.check_queue(OP, "indices", queue)?;
        // Eight values a thread, if there are not more than 1024 threads for them.
        let warps = v.div_ceil(8 * WARP as usize).clamp(1, 32) as u32;
        let (n, v, k) = (int(OP, "N", n)?, int(OP, "V", v)?, int(OP, "k", k)?);
        if n == 0 {
            return Ok(());
        }
        let launch = LaunchConfig { grid_dim: (n as u32, 1, 1), block_dim: (warps * WARP, 1, 1), shared_mem_bytes: 0 };
        let mut args = queue.launch(self.top_k.of::<T>())?;
        args.arg(values.pointer()).arg(indices.pointer()).arg(scores.pointer()).arg(&v).arg(&k);
        // SAFETY: the kernel's parameters in number, order and type, T being its own. scores hold N * V values, values
        // and indices N * k, as checked; block n of N reads row n of the former and writes row n of the latter, since k
        // is at most V. values and indices are borrowed mutably, and all is memory of this queue.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }
}
