//! The cross-entropy on a CUDA device: a block a row. `cross_entropy.cu` says how.

#[cfg(test)]
mod tests;

use super::{EVALUATE, FORWARD_BACKWARD, LOG_SOFTMAX, check, check_evaluate, check_rows};
use crate::Error;
use crate::cuda::{ByElement, Element, Indices, Kernel, Queue, View, ViewMut, WARP, driver, int};
use crate::device::Targets;
use crate::error::check_len;
use cudarc::driver::{LaunchConfig, PushKernelArg};

const TOTAL: &str = "cross_entropy (total)";

/// Shared memory that a block has besides the rows': more than `cross_entropy.cu` declares.
const OTHER_BYTES: u32 = 512;

/// Values of the ring of exponentials: two chunks, as in `cross_entropy.cu`.
const RING: u32 = 2 * 14 * 32 * 4;

/// The kernels, loaded.
#[derive(Debug)]
pub struct Kernels {
    forward_backward: ByElement<Entry>,
    evaluate: ByElement<Entry>,
    log_softmax: ByElement<Entry>,
    total: Kernel,
    /// Dynamic shared memory that a block can have.
    shared_bytes: u32,
}

/// One kernel twice: for rows that fit into shared memory, and for longer ones.
#[derive(Debug)]
struct Entry {
    kept: Kernel,
    reread: Kernel,
    /// Values of the ring that the first needs besides the row; the second needs a ring alone.
    ring: u32,
}

impl Entry {
    /// The kernel for rows of V values, and the launch of N of them.
    fn choose(&self, n: i32, v: i32, shared_bytes: u32) -> (&Kernel, LaunchConfig) {
        // A row starts up to three values behind the start of shared memory.
        let kept = 4 * (u64::from(self.ring) + v as u64 + 3);
        let (kernel, bytes) = match u32::try_from(kept) {
            Ok(kept) if kept <= shared_bytes => (&self.kept, kept),
            _ => (&self.reread, 4 * RING),
        };
        // Two warps add, the others share some thousand values a barrier; small rows have several blocks a
        // multiprocessor.
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
        let entry = |op: &str, ring| {
            ByElement::load(|name| {
                let kept = module.function_with_shared(&format!("{op}_{name}"), shared_bytes)?;
                let reread = module.function(&format!("{op}_{name}_reread"))?;
                Ok(Entry { kept, reread, ring })
            })
        };
        Ok(Kernels {
            forward_backward: entry("cross_entropy_forward_backward", 0)?,
            evaluate: entry("cross_entropy_evaluate", 0)?,
            log_softmax: entry("log_softmax", RING)?,
            total: module.function("total_loss")?,
            shared_bytes,
        })
    }

    /// [`super::forward_backward`], of logits of any type, for the rows of `targets` from `targets.first` on, as many
    /// as `loss` has. `grad_scale` is one value in device memory; if it is not finite, so is the gradient.
    ///
    /// # Errors
    /// Those of [`super::forward_backward`], but for the scale; [`Error::Length`] if there are fewer targets or
    /// `grad_scale` is not one value; [`Error::Size`] for sizes beyond 2^31; [`Error::Queue`]; [`Error::Driver`].
    pub fn forward_backward<T: Element>(
        &self,
        queue: &Queue,
        mut logits: ViewMut<'_, T>,
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
        logits.check_queue(OP, "logits", queue)?;
        loss.check_queue(OP, "loss", queue)?;
        grad_scale.check_queue(OP, "grad_scale", queue)?;
        ids.check_queue(OP, "targets", queue)?;
        let (n, v) = (int(OP, "N", loss.len())?, int(OP, "V", v)?);
        if n == 0 {
            return Ok(());
        }
        let (kernel, launch) = self.forward_backward.of::<T>().choose(n, v, self.shared_bytes);
        let mut args = queue.launch(kernel)?;
        args.arg(logits.pointer()).arg(loss.pointer()).arg(ids.pointer()).arg(grad_scale.pointer());
        args.arg(&targets.ignore).arg(&targets.smoothing).arg(&v);
        // SAFETY: the kernel's parameters in number, order and type, T being its own. logits hold N * V values, loss
        // and ids N, grad_scale one, as checked, and block n of N touches row n alone: the kernel keeps a target that
        // is not `ignore` below V, whatever the device's copy holds. The launch has the shared memory that `choose`
        // counts for the row. logits and loss are borrowed mutably, and all is memory of this queue.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }

    /// [`super::evaluate`], with targets as for [`Kernels::forward_backward`]: writes `loss`, `nll` and `hit`.
    ///
    /// # Errors
    /// Those of [`super::evaluate`], and as [`Kernels::forward_backward`].
    pub fn evaluate<T: Element>(
        &self,
        queue: &Queue,
        logits: View<'_, T>,
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
        let (kernel, launch) = self.evaluate.of::<T>().choose(n, v, self.shared_bytes);
        let mut args = queue.launch(kernel)?;
        args.arg(logits.pointer()).arg(loss.pointer()).arg(nll.pointer()).arg(hit.pointer()).arg(ids.pointer());
        args.arg(&targets.ignore).arg(&targets.smoothing).arg(&v);
        // SAFETY: as in `forward_backward`; nll and hit hold N values too, and logits are only read.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }

    /// [`super::log_softmax_rows`], in place.
    ///
    /// # Errors
    /// Those of [`super::log_softmax_rows`]; [`Error::Size`] for sizes beyond 2^31; [`Error::Queue`];
    /// [`Error::Driver`].
    pub fn log_softmax_rows(&self, queue: &Queue, mut x: ViewMut<'_>, v: usize) -> Result<(), Error> {
        let n = check_rows(x.len(), v)?;
        x.check_queue(LOG_SOFTMAX, "x", queue)?;
        let address = *x.pointer();
        // SAFETY: x holds N * V values, as checked. It is both: a block reads the values of its row before it writes
        // them, and a value is written by the thread that has read it last. It is borrowed mutably, and memory of this
        // queue.
        unsafe { self.launch_log_softmax::<f32>(queue, (address, address), n, v) }
    }

    /// [`super::log_softmax_rows`] of logits of any type into `out`, of as many values.
    ///
    /// # Errors
    /// As [`Kernels::log_softmax_rows`]; [`Error::Length`] if `out` has another length.
    pub fn log_softmax<T: Element>(
        &self,
        queue: &Queue,
        x: View<'_, T>,
        v: usize,
        mut out: ViewMut<'_>,
    ) -> Result<(), Error> {
        let n = check_rows(x.len(), v)?;
        check_len(LOG_SOFTMAX, "out", "(N, V)", out.len(), x.len())?;
        x.check_queue(LOG_SOFTMAX, "x", queue)?;
        out.check_queue(LOG_SOFTMAX, "out", queue)?;
        // SAFETY: x and out hold N * V values each, as checked. out is borrowed mutably, and both are memory of this
        // queue.
        unsafe { self.launch_log_softmax::<T>(queue, (*out.pointer(), *x.pointer()), n, v) }
    }

    /// # Safety
    /// The addresses are those of N * V f32 to write and N * V values of T to read, memory of this queue that nothing
    /// else reads or writes meanwhile; one and the same, or apart from each other.
    unsafe fn launch_log_softmax<T: Element>(
        &self,
        queue: &Queue,
        (out, x): (u64, u64),
        n: usize,
        v: usize,
    ) -> Result<(), Error> {
        const OP: &str = LOG_SOFTMAX;
        let (n, v) = (int(OP, "N", n)?, int(OP, "V", v)?);
        if n == 0 {
            return Ok(());
        }
        let (kernel, launch) = self.log_softmax.of::<T>().choose(n, v, self.shared_bytes);
        let mut args = queue.launch(kernel)?;
        args.arg(&out).arg(&x).arg(&v);
        // SAFETY: the kernel's parameters in number, order and type, T being its own. Block n of N touches row n of
        // both alone, which the caller vouches for. The launch has the shared memory that `choose` counts for row and
        // ring.
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
        let mut args = queue.launch(&self.total)?;
        args.arg(total.pointer()).arg(loss.pointer()).arg(&n);
        // SAFETY: the kernel's parameters in number, order and type; it reads N values of loss and writes one of total,
        // which is borrowed mutably. Both are memory of this queue.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }
}
