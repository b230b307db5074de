//! Setting all values of a view.

use super::{Queue, ViewMut, driver};
use crate::Error;
use cudarc::driver::{CudaFunction, LaunchConfig, PushKernelArg};

const OP: &str = "fill";

/// Threads a block, as `fill.cu` is compiled for, and values a thread stores at once.
const THREADS: u32 = 256;
const VECTOR: u64 = 4;

/// Blocks a multiprocessor: as many as have room there.
const BLOCKS_EACH: u32 = 8;

/// The kernel that fills views, loaded.
#[derive(Debug)]
pub struct Fill {
    f32: CudaFunction,
}

impl Fill {
    /// Loads it.
    ///
    /// # Errors
    /// [`Error::Driver`], as [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        Ok(Fill { f32: queue.load(OP, include_str!("fill.ptx"))?.function("fill_f32")? })
    }

    /// Sets every value of `x`, in the queue's order.
    ///
    /// # Errors
    /// [`Error::Queue`] for memory of another queue; [`Error::Driver`].
    pub fn fill(&self, queue: &Queue, mut x: ViewMut<'_>, value: f32) -> Result<(), Error> {
        x.check_queue(OP, "x", queue)?;
        if x.is_empty() {
            return Ok(());
        }
        let n = x.len() as u64;
        let most = u64::from(queue.multiprocessors() * BLOCKS_EACH);
        let blocks = n.div_ceil(VECTOR * u64::from(THREADS)).clamp(1, most) as u32;
        let launch = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: 0 };
        let mut args = queue.stream().launch_builder(&self.f32);
        args.arg(x.pointer()).arg(&n).arg(&value);
        // SAFETY: `args` lists the parameters of `fill_f32` in number, order and type. x holds n values, is borrowed
        // mutably and memory of this queue; the kernel writes values below n.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching it"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::Buffer;
    use crate::testing::cuda::device;

    #[test]
    fn exactly_the_view_is_filled() {
        let queue = device();
        let fill = Fill::load(&queue).unwrap();
        // More than one round of the emulated device's blocks at the end.
        for n in [0, 1, 2, 3, 4, 5, 7, 8, 1023, 1024, 1025, 100_003] {
            for before in 0..5 {
                let host: Vec<f32> = (0..before + n + 5).map(|i| i as f32).collect();
                let mut x = Buffer::from_host(&queue, &host).unwrap();
                let [view] = x.view_mut().split([(before, n)]);
                fill.fill(&queue, view, -2.5).unwrap();
                let want: Vec<f32> =
                    host.iter().map(|&x| if (before..before + n).contains(&(x as usize)) { -2.5 } else { x }).collect();
                assert!(x.read().unwrap() == want, "{n} values from {before} on");
            }
        }
        let other = Queue::new(0).unwrap();
        let mut x = Buffer::zeros(&other, 3).unwrap();
        assert!(matches!(fill.fill(&queue, x.view_mut(), 1.0), Err(Error::Queue { op: "fill", arg: "x" })));
    }
}
