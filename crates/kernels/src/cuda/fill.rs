//! Setting all values of a view.

use super::{Element, Kernel, Queue, ViewMut, driver};
use crate::Error;
use cudarc::driver::{LaunchConfig, PushKernelArg};

const OP: &str = "fill";

/// Threads a block, as `fill.cu` is compiled for, and bytes that a thread stores at once.
const THREADS: u64 = 256;
const VECTOR: u64 = 16;

/// Blocks a multiprocessor: as many as have room there.
const BLOCKS_EACH: u32 = 8;

/// The kernels that fill views, loaded.
#[derive(Debug)]
pub struct Fill {
    four_bytes: Kernel,
    two_bytes: Kernel,
}

impl Fill {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`], as [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(OP, include_str!("fill.ptx"))?;
        Ok(Fill { four_bytes: module.function("fill_4")?, two_bytes: module.function("fill_2")? })
    }

    /// Sets every value of `x` to `value`, rounded to `T`, in the queue's order.
    ///
    /// # Errors
    /// [`Error::Queue`] for memory of another queue; [`Error::Driver`].
    pub fn fill<T: Element>(&self, queue: &Queue, mut x: ViewMut<'_, T>, value: f32) -> Result<(), Error> {
        x.check_queue(OP, "x", queue)?;
        if x.is_empty() {
            return Ok(());
        }
        let value = T::from_f32(value);
        let (kernel, word) = match size_of::<T>() {
            4 => (&self.four_bytes, value.bits()),
            _ => (&self.two_bytes, value.bits() * 0x0001_0001),
        };
        let n = x.len() as u64;
        let most = u64::from(queue.multiprocessors() * BLOCKS_EACH);
        let blocks = (n * size_of::<T>() as u64).div_ceil(VECTOR * THREADS).clamp(1, most) as u32;
        let launch = LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS as u32, 1, 1), shared_mem_bytes: 0 };
        let mut args = queue.launch(kernel)?;
        args.arg(x.pointer()).arg(&n).arg(&word);
        // SAFETY: `args` lists the parameters of `fill_4` and `fill_2` in number, order and type. x holds n values of
        // so many bytes, is borrowed mutably and memory of this queue; the kernel writes values below n.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching it"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::{Bf16, Buffer, F16};
    use crate::testing::cuda::device;

    fn exactly_the_view_is_filled<T: Element>() {
        let queue = device();
        let fill = Fill::load(&queue).unwrap();
        // At the end, more than one round of as many blocks as the device holds.
        let round = (queue.multiprocessors() * BLOCKS_EACH) as usize * THREADS as usize * 16 / size_of::<T>();
        for n in [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 1023, 1024, 1025, round + 1003] {
            for before in if n < round { 0..9 } else { 3..4 } {
                let host: Vec<T> = (0..before + n + 9).map(|i| T::from_f32((i % 100) as f32)).collect();
                let mut x = Buffer::from_host(&queue, &host).unwrap();
                let [view] = x.view_mut().split([(before, n)]);
                fill.fill(&queue, view, -2.5).unwrap();
                let mut want = host;
                want[before..before + n].fill(T::from_f32(-2.5));
                assert!(x.read().unwrap() == want, "{n} values from {before} on");
            }
        }
    }

    #[test]
    fn views_of_every_type_are_filled() {
        exactly_the_view_is_filled::<f32>();
        exactly_the_view_is_filled::<Bf16>();
        exactly_the_view_is_filled::<F16>();
        let queue = device();
        let fill = Fill::load(&queue).unwrap();
        let other = Queue::new(0).unwrap();
        let mut x = Buffer::<f32>::zeros(&other, 3).unwrap();
        assert!(matches!(fill.fill(&queue, x.view_mut(), 1.0), Err(Error::Queue { op: "fill", arg: "x" })));
    }
}
