//! A step of decoding on a CUDA device: a block a row and head. `decode.cu` says how.

#[cfg(test)]
mod tests;

use super::cpu::score_scale;
use crate::Error;
use crate::cuda::{ByElement, Element, Indices, Kernel, Queue, View, ViewMut, driver, int};
use crate::device::{CACHED_ATTENTION, Cache, REORDER_CACHE};
use cudarc::driver::{LaunchConfig, PushKernelArg};

/// Threads a block, as `decode.cu` is compiled for.
const ATTENTION_THREADS: u32 = 128;
const REORDER_THREADS: u32 = 256;

/// Bytes that a block copies.
const PART_BYTES: usize = 16 << 10;

/// Shared memory that a block has besides the query and the scores: the tiles of `decode.cu`.
const TILE_BYTES: u32 = 4 * 32 * 33 * 4;

/// The kernels, loaded.
#[derive(Debug)]
pub struct Kernels {
    attention: ByElement<Kernel>,
    /// For values of 32 and of 16 bits.
    reorder: [Kernel; 2],
    /// Dynamic shared memory that a block can have.
    shared_bytes: u32,
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`] as [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(CACHED_ATTENTION, include_str!("decode.ptx"))?;
        let shared_bytes = queue.shared_bytes().saturating_sub(TILE_BYTES);
        Ok(Kernels {
            attention: ByElement::load(|name| {
                module.function_with_shared(&format!("cached_attention_{name}"), shared_bytes)
            })?,
            reorder: [module.function("reorder_cache_32")?, module.function("reorder_cache_16")?],
            shared_bytes,
        })
    }

    /// [`Device::cached_attention`](crate::device::Device::cached_attention): writes the keys and values of `qkv`, (R,
    /// 3C), at position `at` of `cache`, (R, max_len, 2C), then attends to the positions up to it; `out` is (R, C).
    ///
    /// # Errors
    /// [`Error::Length`] names the buffer whose length disagrees with the sizes; [`Error::Index`] if there is no room
    /// for position `at`; [`Error::Size`] if NH does not divide C, or for sizes that the device or a block's shared
    /// memory cannot hold; [`Error::Queue`]; [`Error::Driver`].
    pub fn cached_attention<T: Element>(
        &self,
        queue: &Queue,
        cache_dims: Cache,
        n_heads: usize,
        at: usize,
        qkv: View<'_, T>,
        (mut cache, mut out): (ViewMut<'_, T>, ViewMut<'_, T>),
    ) -> Result<(), Error> {
        const OP: &str = CACHED_ATTENTION;
        let Cache { rows, max_len, c } = cache_dims;
        let hs = cache_dims.check_attention(n_heads, at, qkv.len(), cache.len(), out.len())?;
        qkv.check_queue(OP, "qkv", queue)?;
        cache.check_queue(OP, "cache", queue)?;
        out.check_queue(OP, "out", queue)?;
        int(OP, "3C", c.saturating_mul(3))?;
        let blocks = int(OP, "R * NH", rows.saturating_mul(n_heads))?;
        let (nh, hs, max_len, at) =
            (int(OP, "NH", n_heads)?, int(OP, "HS", hs)?, int(OP, "max_len", max_len)?, int(OP, "at", at)?);
        let floats = hs as usize + max_len as usize;
        if 4 * floats > self.shared_bytes as usize {
            let limit = "what a block's shared memory holds, some 36,000 with compute capability 8.0";
            return Err(Error::Size { op: OP, what: "HS + max_len", got: floats, limit });
        }
        if blocks == 0 {
            return Ok(());
        }
        let scale = score_scale(hs as usize);
        let launch = LaunchConfig {
            grid_dim: (blocks as u32, 1, 1),
            block_dim: (ATTENTION_THREADS, 1, 1),
            shared_mem_bytes: 4 * floats as u32,
        };
        let mut args = queue.launch(self.attention.of::<T>())?;
        args.arg(out.pointer()).arg(cache.pointer()).arg(qkv.pointer());
        args.arg(&nh).arg(&hs).arg(&max_len).arg(&at).arg(&scale);
        // SAFETY: the kernel's parameters in number, order and type. By the checks qkv holds R rows of 3C values, cache
        // R of max_len * 2C, out R of C, with C = NH * HS; a block touches its row of each and its head's columns, and
        // positions up to `at`, which is below max_len. The launch has shared memory for HS + max_len floats. cache and
        // out are borrowed mutably, and all is memory of this queue.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }

    /// [`Device::reorder_cache`](crate::device::Device::reorder_cache): row `r` of `to` becomes the first `len`
    /// positions of row `parents[r]` of `from`.
    ///
    /// # Errors
    /// [`Error::Length`] names the buffer whose length disagrees with the sizes; [`Error::Index`] for a parent that is
    /// no row; [`Error::Size`] if `len` is more than max_len, or for sizes that the device cannot count;
    /// [`Error::Queue`]; [`Error::Driver`].
    pub fn reorder_cache<T: Element>(
        &self,
        queue: &Queue,
        cache_dims: Cache,
        len: usize,
        parents: &Indices,
        from: View<'_, T>,
        mut to: ViewMut<'_, T>,
    ) -> Result<(), Error> {
        const OP: &str = REORDER_CACHE;
        let row = cache_dims.check_reorder(len, parents.host(), from.len(), to.len())?;
        let parents = parents.view();
        from.check_queue(OP, "from", queue)?;
        to.check_queue(OP, "to", queue)?;
        parents.check_queue(OP, "parents", queue)?;
        let n = len * 2 * cache_dims.c;
        let parts = n.div_ceil(PART_BYTES / size_of::<T>());
        let blocks = int(OP, "the number of parts of a row, times R,", cache_dims.rows.saturating_mul(parts))?;
        let (row, n, parts) = (int(OP, "max_len·2C", row)?, int(OP, "len·2C", n)?, int(OP, "parts", parts)?);
        if blocks == 0 {
            return Ok(());
        }
        let launch =
            LaunchConfig { grid_dim: (blocks as u32, 1, 1), block_dim: (REORDER_THREADS, 1, 1), shared_mem_bytes: 0 };
        let kernel = &self.reorder[usize::from(size_of::<T>() == 2)];
        let mut args = queue.launch(kernel)?;
        args.arg(to.pointer()).arg(from.pointer()).arg(parents.pointer()).arg(&row).arg(&n).arg(&parts);
        // SAFETY: the kernel's parameters in number, order and type. from and to hold R rows of `row` values, as
        // checked, and a block touches `n` or fewer of one row of each: its own of `to`, its parent's of `from`, which
        // the kernel keeps below R, the number of blocks over `parts`, whatever the device's copy holds. `to` is
        // borrowed mutably, and all is memory of this queue.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching"))?;
        Ok(())
    }
}
