//! The embedding on a CUDA device: one launch forward, three backward. The kernels are in `embedding.cu`.
//!
//! y and dy are f32, bf16 or f16; the tables and their gradient are f32, and so is all arithmetic. In f32 the bits are
//! the CPU's. In 16 bits y has the CPU's values, rounded once more, and the gradient is the CPU's for dy as it is.

#[cfg(test)]
mod tests;

use super::{BACKWARD_OP, Dims, OP, Tokens, check_backward, check_forward};
use crate::Error;
use crate::cuda::{ByElement, Element, Indices, Kernel, Queue, View, ViewMut, WARP, driver, int};
use crate::dropout::{Dropout, GROUP};
use cudarc::driver::{LaunchConfig, PushKernelArg};

/// Warps a block of all kernels but the sort.
const WARPS: usize = 8;
const THREADS: usize = WARPS * WARP as usize;

/// Rows that a block sorts, two a thread.
const TILE: usize = 1024;

/// Places of the sorted rows that a block of backward looks at.
const SPAN: usize = 16;

/// Blocks along a row, at most: the grid's limit.
const COLUMNS: usize = 65_535;

/// Values of scratch that [`Kernels::backward`] needs for `n` = B*T tokens: ids and rows, sorted in tiles and as a
/// whole.
pub fn scratch_len(n: usize) -> usize {
    n.saturating_mul(4)
}

/// What a token's embedding is made from: [`super::Tables`].
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    /// The embedding matrix, (V, C).
    pub table: View<'a>,
    /// The position table, (P, C) with P >= `offset` + T.
    pub positions: View<'a>,
    /// The position of t = 0.
    pub offset: usize,
    /// What table values are multiplied by.
    pub scale: f32,
}

/// V, as kernels take it: ids are 32 bits, so more rows than those count are none to an id.
fn rows(table_len: usize, c: usize) -> u32 {
    u32::try_from(table_len / c).unwrap_or(u32::MAX)
}

/// The kernels, loaded.
#[derive(Debug)]
pub struct Kernels {
    forward: ByElement<Kernel>,
    sort_tiles: Kernel,
    merge_tiles: Kernel,
    backward: ByElement<Kernel>,
}

/// N, T and C as kernels take them: row numbers up to whole tiles, and column numbers up to whole groups, fit in 31
/// bits.
fn sizes(op: &'static str, dims: Dims) -> Result<[i32; 3], Error> {
    let Dims { b, t, c } = dims;
    int(op, "B * T, up to whole tiles,", (b * t).next_multiple_of(TILE))?;
    int(op, "C, up to whole groups,", c.saturating_add(GROUP * COLUMNS))?;
    Ok([int(op, "B * T", b * t)?, int(op, "T", t)?, int(op, "C", c)?])
}

fn launch(blocks: usize, columns: usize, threads: usize) -> LaunchConfig {
    let grid_dim = (blocks as u32, columns.div_ceil(GROUP).min(COLUMNS) as u32, 1);
    LaunchConfig { grid_dim, block_dim: (threads as u32, 1, 1), shared_mem_bytes: 0 }
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`], as [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(OP, include_str!("embedding.ptx"))?;
        Ok(Kernels {
            forward: ByElement::load(|element| module.function(&format!("embedding_forward_{element}")))?,
            sort_tiles: module.function("embedding_sort_tiles")?,
            merge_tiles: module.function("embedding_merge_tiles")?,
            backward: ByElement::load(|element| module.function(&format!("embedding_backward_{element}")))?,
        })
    }

    /// [`embedding::forward`](super::forward), enqueued. The host's copies of `ids` and `lengths` are checked.
    ///
    /// # Errors
    /// Its errors; [`Error::Queue`] for memory of another queue; [`Error::Size`] from 2^31 tokens or columns on;
    /// [`Error::Driver`].
    #[allow(clippy::too_many_arguments)] // its operands
    pub fn forward<T: Element>(
        &self,
        queue: &Queue,
        dims: Dims,
        ids: &Indices,
        lengths: &Indices,
        tables: Tables<'_>,
        dropout: Dropout,
        mut y: ViewMut<'_, T>,
    ) -> Result<(), Error> {
        let Tables { table, positions, offset, scale } = tables;
        let tokens = Tokens { ids: ids.host(), lengths: lengths.host() };
        check_forward(dims, tokens, table.len(), positions.len(), offset, scale, y.len())?;
        let (ids, lengths) = (ids.view(), lengths.view());
        ids.check_queue(OP, "ids", queue)?;
        lengths.check_queue(OP, "lengths", queue)?;
        table.check_queue(OP, "table", queue)?;
        positions.check_queue(OP, "positions", queue)?;
        y.check_queue(OP, "y", queue)?;
        let [n, t, c] = sizes(OP, dims)?;
        if n == 0 {
            return Ok(());
        }
        let positions = positions.part(offset * dims.c, dims.t * dims.c);
        let v = rows(table.len(), dims.c);
        let dropout = queue.dropout(dropout)?;
        let mut args = queue.launch(self.forward.of::<T>())?;
        args.arg(y.pointer()).arg(ids.pointer()).arg(lengths.pointer()).arg(table.pointer()).arg(positions.pointer());
        args.arg(&scale).arg(&n).arg(&t).arg(&c).arg(&v).arg(&dropout);
        // SAFETY: `args` lists the parameters of `embedding_forward_*` in number, order and type. As checked, y holds
        // n * c values, ids n, lengths n / t, positions t * c, the table v * c; the kernel indexes only rows below n,
        // columns below c, and rows of the table below v, whatever the ids and lengths are. y is borrowed mutably; all is
        // memory of this queue.
        unsafe { args.launch(launch((n as usize).div_ceil(WARPS), dims.c, THREADS)) }
            .map_err(driver(OP, "launching forward"))?;
        Ok(())
    }

    /// [`embedding::backward`](super::backward), enqueued. The host's copies of `ids` and `lengths` are checked;
    /// `scratch` holds [`scratch_len`] values or more, whatever they are.
    ///
    /// # Errors
    /// Its errors; [`Error::Queue`] for memory of another queue; [`Error::Size`] from 2^31 tokens or columns on;
    /// [`Error::Driver`].
    #[allow(clippy::too_many_arguments)] // its operands
    pub fn backward<T: Element>(
        &self,
        queue: &Queue,
        dims: Dims,
        ids: &Indices,
        lengths: &Indices,
        dy: View<'_, T>,
        scale: f32,
        dropout: Dropout,
        mut dtable: ViewMut<'_>,
        scratch: ViewMut<'_, u32>,
    ) -> Result<(), Error> {
        const OP: &str = BACKWARD_OP;
        let tokens = Tokens { ids: ids.host(), lengths: lengths.host() };
        check_backward(dims, tokens, dy.len(), scale, dtable.len())?;
        let (tokens, want) = (ids.host().len(), scratch_len(ids.host().len()));
        if scratch.len() < want {
            let (got, shape) = (scratch.len(), "(4, B * T) or more");
            return Err(Error::Length { op: OP, arg: "scratch", shape, got, want });
        }
        let (ids, lengths) = (ids.view(), lengths.view());
        ids.check_queue(OP, "ids", queue)?;
        lengths.check_queue(OP, "lengths", queue)?;
        dy.check_queue(OP, "dy", queue)?;
        dtable.check_queue(OP, "dtable", queue)?;
        scratch.check_queue(OP, "scratch", queue)?;
        let [n, t, c] = sizes(OP, dims)?;
        if n == 0 {
            return Ok(());
        }
        let dropout = queue.dropout(dropout)?;
        let [mut tile_ids, mut tile_rows, mut all_ids, mut all_rows] =
            scratch.split([(0, tokens), (tokens, tokens), (2 * tokens, tokens), (3 * tokens, tokens)]);

        let mut args = queue.launch(&self.sort_tiles)?;
        let v = rows(dtable.len(), dims.c);
        args.arg(tile_ids.pointer()).arg(tile_rows.pointer()).arg(ids.pointer()).arg(lengths.pointer());
        args.arg(&n).arg(&t).arg(&v);
        // SAFETY: `args` lists the parameters of `embedding_sort_tiles` in number, order and type. As checked, ids
        // holds n values and lengths n / t; both parts of scratch hold n and are borrowed mutably, and the kernel
        // indexes only values below n. All is memory of this queue.
        unsafe { args.launch(launch(tokens.div_ceil(TILE), 1, TILE / 2)) }.map_err(driver(OP, "launching the sort"))?;

        let mut args = queue.launch(&self.merge_tiles)?;
        args.arg(all_ids.pointer()).arg(all_rows.pointer()).arg(tile_ids.pointer()).arg(tile_rows.pointer()).arg(&n);
        // SAFETY: `args` lists the parameters of `embedding_merge_tiles` in number, order and type. The four parts of
        // scratch hold n values each. The launch before has sorted each tile, so the places that this one computes are
        // those of a permutation of n.
        unsafe { args.launch(launch(tokens.div_ceil(THREADS), 1, THREADS)) }
            .map_err(driver(OP, "launching the merge"))?;

        let mut args = queue.launch(self.backward.of::<T>())?;
        args.arg(dtable.pointer()).arg(dy.pointer()).arg(all_ids.pointer()).arg(all_rows.pointer());
        args.arg(&scale).arg(&n).arg(&c).arg(&dropout);
        // SAFETY: `args` lists the parameters of `embedding_backward_*` in number, order and type. The launches
        // before have written n ids and n rows below n. The ids are rows of dtable or none, since the sort has made
        // those of other tokens none, and the kernel skips them; dy holds n * c values, and columns are below c. dtable is
        // borrowed mutably and memory of this queue, and the rows of one token are added by one warp or block alone.
        unsafe { args.launch(launch(tokens.div_ceil(SPAN), dims.c, THREADS)) }
            .map_err(driver(OP, "launching the sum"))?;
        Ok(())
    }
}
