//! The cross-entropy on a CUDA device: a block a row. `cross_entropy.cu` says how.

#[cfg(test)]
mod tests;

use super::{EVALUATE, FORWARD_BACKWARD, LOG_SOFTMAX, check, check_evaluate, check_rows};
use crate::Error;
use crate::cuda::{Indices, Queue, View, ViewMut, WARP, driver, int};
use crate::device::Targets;
use crate::error::check_len;
use cudarc::driver::{CudaFunction, LaunchConfig, PushKernelArg};

const TOTAL: &str = "cross_entropy (total)";

/// Shared memory that a block has besides the rows': more than `cross_entropy.cu` declares.
const OTHER_BYTES: u32 = 512;

/// Values of the ring of exponentials: two chunks, as in `cross_entropy.cu`.
const RING: u32 = 2 * 14 * 32 * 4;

/// The kernels, loaded.
#[derive(Debug)]
pub struct Kernels {
    forward_backward: Entry,
    evaluate: Entry,
    log_softmax: Entry,
    total: CudaFunction,
    /// Dynamic shared memory that a block can have.
    shared_bytes: u32,
}

/// One kernel twice: for rows that fit into shared memory, and for longer ones.
#[derive(Debug)]
struct Entry {
    kept: CudaFunction,
    reread: CudaFunction,
    /// Values of the ring that the first needs besides the row; the second needs a ring alone.
    ring: u32,
}

impl Entry {
    /// The kernel for rows of V values, and the launch of N of them.
    fn choose(&self, n: i32, v: i32, shared_bytes: u32) -> (&CudaFunction, LaunchConfig) {
        // A row starts up to three values behind the start of shared memory.
        let kept = 4 * (u64::from(self.ring) + v as u64 + 3);
        let (kernel, bytes) = match u32::try_from(kept) {
            Ok(kept) if kept <= shared_bytes => (&self.kept, kept),
            _ => (&self.reread, 4 * RING),
        };
        // Two warps add, the others share some thousand values a barrier; small rows have several blocks a multiprocessor.
        let warps = (v as u32).div_ceil(1024).clamp(4, 16);
        let block_dim = (warps * WARP, 1, 1);
        (kernel, LaunchConfig { grid_dim: (n as u32, 1, 1), block_dim, shared_mem_bytes: bytes })
    }
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`] as [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(FORWARD_BACKWARD, include_str!("cross_entropy.ptx"))?;
        let shared_bytes = queue.shared_bytes().saturating_sub(OTHER_BYTES);
        let entry = |name: &str, ring| -> Result<Entry, Error> {
            let kept = module.function_with_shared(&format!("{name}_f32"), shared_bytes)?;
            let reread = module.function(&format!("{name}_f32_reread"))?;
            Ok(Entry { kept, reread, ring })
        };
        Ok(Kernels {
            forward_backward: entry("cross_entropy_forward_backward", 0)?,
            evaluate: entry("cross_entropy_evaluate", 0)?,
            log_softmax: entry("log_softmax", RING)?,
            total: module.function("total_loss")?,
            shared_bytes,
        })
    }

    /// [`super::forward_backward`], for the rows of `targets` from `targets.first` on, as many as `loss` has. `grad_scale`
    /// is one value in device memory; if it is not finite, so is the gradient.
    ///
    /// # Errors
    /// Those of [`super::forward_backward`], but for the scale; [`Error::Length`] if there are fewer targets or `grad_scale`
    /// is not one value; [`Error::Size`] for sizes beyond 2^31; [`Error::Queue`]; [`Error::Driver`].
    pub fn forward_backward(
        &self,
        queue: &Queue,
        mut logits: ViewMut<'_>,
        v: usize,
        targets: &Targets<'_, Indices>,
        grad_scale: View<'_>,
        mut loss: ViewMut<'_>,
    ) -> Result<(), Error> {
        const OP: &str = FORWARD_BACKWARD;
        let rows = targets.rows(targets.ids.host(), loss.len())?;
        check(OP, logits.len(), v, rows, loss.len())?;
        check_len(OP, "grad_scale", "(1)", grad_scale.len(), 1)?;
        let ids = targets.ids.view().part(targets.first, loss.len());
        for (arg, view) in [("logits", &logits), ("loss", &loss)] {
            view.check_queue(OP, arg, queue)?;
        }
        grad_scale.check_queue(OP, "grad_scale", queue)?;
        ids.check_queue(OP, "targets", queue)?;
        let (n, v) = (int(OP, "N", loss.len())?, int(OP, "V", v)?);
        if n == 0 {
            return Ok(());
        }
        let (kernel, launch) = self.forward_backward.choose(n, v, self.shared_bytes);
        let mut args = queue.stream().launch_builder(kernel);
        args.arg(logits.pointer()).arg(loss.pointer()).arg(ids.pointer()).arg(grad_scale.pointer());
        args.arg(&targets.ignore).arg(&targets.smoothing).arg(&v);
        // SAFETY: the kernel's parameters in number, order and type. logits hold N * V values, loss and ids N, grad_scale
        // one, as checked, and block n of N touches row n alone; a target that is not `ignore` is below V, by the host's
        // copy, which the device's equals. The launch has the shared memory that `choose` counts for the row. logits and
        // loss are borrowed mutably, and all is memory of this queue.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }

    /// [`super::evaluate`], with targets as for [`Kernels::forward_backward`]: writes `loss`, `nll` and `hit`.
    ///
    /// # Errors
    /// Those of [`super::evaluate`], and as [`Kernels::forward_backward`].
    pub fn evaluate(
        &self,
        queue: &Queue,
        logits: View<'_>,
        v: usize,
        targets: &Targets<'_, Indices>,
        (mut loss, mut nll, mut hit): (ViewMut<'_>, ViewMut<'_>, ViewMut<'_, u32>),
    ) -> Result<(), Error> {
        const OP: &str = EVALUATE;
        let rows = targets.rows(targets.ids.host(), loss.len())?;
        check_evaluate(logits.len(), v, rows, [loss.len(), nll.len(), hit.len()])?;
        let ids = targets.ids.view().part(targets.first, loss.len());
        logits.check_queue(OP, "logits", queue)?;
        for (arg, view) in [("loss", &loss), ("nll", &nll)] {
            view.check_queue(OP, arg, queue)?;
        }
        hit.check_queue(OP, "hit", queue)?;
        ids.check_queue(OP, "targets", queue)?;
        let (n, v) = (int(OP, "N", loss.len())?, int(OP, "V", v)?);
        if n == 0 {
            return Ok(());
        }
        let (kernel, launch) = self.evaluate.choose(n, v, self.shared_bytes);
        let mut args = queue.stream().launch_builder(kernel);
        args.arg(logits.pointer()).arg(loss.pointer()).arg(nll.pointer()).arg(hit.pointer()).arg(ids.pointer());
        args.arg(&targets.ignore).arg(&targets.smoothing).arg(&v);
        // SAFETY: as in `forward_backward`; nll and hit hold N values too, and logits are only read.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }

    /// [`super::log_softmax_rows`].
    ///
    /// # Errors
    /// Those of [`super::log_softmax_rows`]; [`Error::Size`] for sizes beyond 2^31; [`Error::Queue`]; [`Error::Driver`].
    pub fn log_softmax_rows(&self, queue: &Queue, mut x: ViewMut<'_>, v: usize) -> Result<(), Error> {
        const OP: &str = LOG_SOFTMAX;
        let n = check_rows(x.len(), v)?;
        x.check_queue(OP, "x", queue)?;
        let (n, v) = (int(OP, "N", n)?, int(OP, "V", v)?);
        if n == 0 {
            return Ok(());
        }
        let (kernel, launch) = self.log_softmax.choose(n, v, self.shared_bytes);
        let mut args = queue.stream().launch_builder(kernel);
        args.arg(x.pointer()).arg(&v);
        // SAFETY: the kernel's parameters in number, order and type. x holds N * V values, as checked, and block n of N
        // touches row n alone. The launch has the shared memory that `choose` counts for the row and the ring. x is
        // borrowed mutably, and is memory of this queue.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }

    /// [`super::total_loss`] into one value in device memory.
    ///
    /// # Errors
    /// [`Error::Length`] if `total` is not one value; [`Error::Size`] for more than 2^31 rows; [`Error::Queue`];
    /// [`Error::Driver`].
    pub fn total_loss(&self, queue: &Queue, loss: View<'_>, mut total: ViewMut<'_, f64>) -> Result<(), Error> {
        const OP: &str = TOTAL;
        check_len(OP, "total", "(1)", total.len(), 1)?;
        loss.check_queue(OP, "loss", queue)?;
        total.check_queue(OP, "total", queue)?;
        let n = int(OP, "N", loss.len())?;
        let launch = LaunchConfig { grid_dim: (1, 1, 1), block_dim: (WARP, 1, 1), shared_mem_bytes: 0 };
        let mut args = queue.stream().launch_builder(&self.total);
        args.arg(total.pointer()).arg(loss.pointer()).arg(&n);
        // SAFETY: the kernel's parameters in number, order and type; it reads N values of loss and writes one of total,
        // which is borrowed mutably. Both are memory of this queue.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }
}
