//! Which kernel a launch takes, with how many blocks, threads and bytes of shared memory: as the sources' headers say.

use super::{Checked, HEAD_SIZE_MAX};
use crate::Error;
use crate::cuda::{Kernel, Module, Queue, WARP, int};
use crate::error::product;
use cudarc::driver::LaunchConfig;

/// Rows of a strip of queries, and of the tiles of keys that `attention_forward.cu`, `attention_weights.cu` and
/// `attention_backward.cu` take.
const STRIP: usize = 32;
const FORWARD_TILE: usize = 64;
const BACKWARD_TILE: usize = 32;

/// Keys of a tile on tensor cores, and rows of a warp: queries forward, keys backward.
const TENSOR_TILE: usize = 64;
const WARP_ROWS: usize = 16;

/// So many keys, and less, are one tile of backward on tensor cores: one launch.
pub(crate) const ONE_TILE: usize = 128;

/// No tile has more rows.
pub(super) const TILE_MAX: usize = 128;

/// Threads a block, but where tensor cores have few rows or `ONE_TILE`.
const THREADS: u32 = 128;

/// Columns of scores that the forward of f32 keeps in shared memory. With 256, two blocks of the largest head size fit
/// on a multiprocessor of sm_80; longer rows of scores are computed twice.
pub(super) const KEPT_SCORES: usize = 256;

/// The largest head sizes that kernels are made for: those of f32, and those on tensor cores.
const SIZES: [usize; 2] = [64, 128];
const TENSOR_SIZES: [usize; 3] = [32, 64, 128];

/// A kernel for each of several largest head sizes, ascending.
#[derive(Debug)]
struct BySize(Vec<(usize, Kernel)>);

impl BySize {
    /// `NAME_SIZE_TYPE`, with the shared memory that each may ask for at most.
    fn load(
        module: &Module,
        (name, element): (&str, &str),
        sizes: &[usize],
        bytes: impl Fn(usize) -> usize,
    ) -> Result<Self, Error> {
        let load = |&size: &usize| {
            let name = format!("attention_{name}_{size}_{element}");
            Ok((size, module.function_with_shared(&name, bytes(size) as u32)?))
        };
        Ok(BySize(sizes.iter().map(load).collect::<Result<_, Error>>()?))
    }

    /// The kernel for this head size, and the largest that it takes. `Checked` has refused those above all.
    fn of(&self, hs: usize) -> (usize, &Kernel) {
        let (size, kernel) = self.0.iter().find(|(size, _)| hs <= *size).expect("a head size that was checked");
        (*size, kernel)
    }
}

/// Forward of one element type.
#[derive(Debug)]
pub(super) struct Forward {
    tensor_cores: bool,
    kernels: BySize,
}

/// Backward of one element type.
#[derive(Debug)]
pub(super) struct Backward {
    tensor_cores: bool,
    queries: BySize,
    keys: BySize,
}

/// The weights of one element type.
#[derive(Debug)]
pub(super) struct Weights(Kernel);

/// A launch to be made.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    pub kernel: &'a Kernel,
    pub launch: LaunchConfig,
    /// `Sizes::width`.
    pub width: usize,
}

/// Floats from one row of a tile to the next: `row_pitch` of attention.cuh.
fn pitch(hs: usize) -> usize {
    4 * (hs.div_ceil(4) | 1)
}

fn forward_bytes(hs: usize, width: usize) -> usize {
    4 * ((STRIP + FORWARD_TILE) * pitch(hs) + STRIP * width)
}

fn weights_bytes(hs: usize) -> usize {
    4 * (STRIP + FORWARD_TILE) * pitch(hs)
}

/// `matrices`: how many of a strip by a tile are kept, 1 for dq and 2 for dk and dv.
fn backward_bytes(hs: usize, matrices: usize) -> usize {
    4 * (2 * (STRIP + BACKWARD_TILE) * pitch(hs) + matrices * STRIP * BACKWARD_TILE)
}

/// `stages`: how many tiles of keys are there at a time.
fn tensor_forward_bytes(columns: usize, queries: usize, stages: usize) -> usize {
    2 * columns * (queries + 2 * TENSOR_TILE * stages)
}

/// `keys`: those of a tile.
fn tensor_backward_bytes(columns: usize, keys: usize) -> usize {
    2 * (columns * 2 * (STRIP + keys) + STRIP * keys)
}

/// By which name a type's kernels end: there are none of tf32, which is f32 to them.
fn stored(element: &'static str) -> &'static str {
    if element == "tf32" { "f32" } else { element }
}

impl Forward {
    pub(super) fn load(queue: &Queue, element: &'static str) -> Result<Self, Error> {
        let element = stored(element);
        let ptx = match element {
            "f32" => include_str!("../attention_forward.ptx"),
            "bf16" => include_str!("../attention_forward_bf16.ptx"),
            _ => include_str!("../attention_forward_f16.ptx"),
        };
        let (module, name) = (queue.load("attention", ptx)?, ("forward", element));
        let tensor_cores = element != "f32";
        let kernels = if tensor_cores {
            BySize::load(&module, name, &TENSOR_SIZES, |columns| tensor_forward_bytes(columns, TENSOR_TILE, 2))?
        } else {
            BySize::load(&module, name, &SIZES, |hs| forward_bytes(hs, KEPT_SCORES))?
        };
        Ok(Forward { tensor_cores, kernels })
    }

    pub(super) fn plan(&self, op: &'static str, checked: &Checked) -> Result<Plan<'_>, Error> {
        let (t, s, hs) = (checked.dims.t, checked.dims.s, checked.dims.hs);
        let (size, kernel) = self.kernels.of(hs);
        if self.tensor_cores {
            let queries = t.next_multiple_of(WARP_ROWS).min(TENSOR_TILE);
            let bytes = tensor_forward_bytes(size, queries, if s > TENSOR_TILE { 2 } else { 1 });
            let mut launch = launch(op, checked, t.div_ceil(queries), bytes)?;
            launch.block_dim.0 = threads_of(queries);
            return Ok(Plan { kernel, launch, width: 0 });
        }
        let width = s.next_multiple_of(FORWARD_TILE).min(KEPT_SCORES);
        let launch = launch(op, checked, t.div_ceil(STRIP), forward_bytes(hs, width))?;
        Ok(Plan { kernel, launch, width })
    }
}

impl Backward {
    pub(super) fn load(queue: &Queue, element: &'static str) -> Result<Self, Error> {
        let element = stored(element);
        let ptx = match element {
            "f32" => include_str!("../attention_backward.ptx"),
            "bf16" => include_str!("../attention_backward_bf16.ptx"),
            _ => include_str!("../attention_backward_f16.ptx"),
        };
        let module = queue.load("attention", ptx)?;
        let (queries, keys) = (("backward_queries", element), ("backward_keys", element));
        let tensor_cores = element != "f32";
        let [queries, keys] = if tensor_cores {
            [
                BySize::load(&module, queries, &TENSOR_SIZES, |columns| tensor_backward_bytes(columns, TENSOR_TILE))?,
                BySize::load(&module, keys, &TENSOR_SIZES, |columns| tensor_backward_bytes(columns, ONE_TILE))?,
            ]
        } else {
            [
                BySize::load(&module, queries, &SIZES, |hs| backward_bytes(hs, 1))?,
                BySize::load(&module, keys, &SIZES, |hs| backward_bytes(hs, 2))?,
            ]
        };
        Ok(Backward { tensor_cores, queries, keys })
    }

    /// The queries' launch, if there is one, and then that of the keys.
    pub(super) fn plans(&self, op: &'static str, checked: &Checked) -> Result<[Option<Plan<'_>>; 2], Error> {
        let (t, s, hs) = (checked.dims.t, checked.dims.s, checked.dims.hs);
        let ((size, queries), (_, keys)) = (self.queries.of(hs), self.keys.of(hs));
        let plan =
            |kernel, blocks, bytes| Ok(Some(Plan { kernel, launch: launch(op, checked, blocks, bytes)?, width: 0 }));
        if self.tensor_cores {
            if s > ONE_TILE {
                let bytes = tensor_backward_bytes(size, TENSOR_TILE);
                return Ok([plan(queries, t.div_ceil(STRIP), bytes)?, plan(keys, s.div_ceil(TENSOR_TILE), bytes)?]);
            }
            let tile = s.next_multiple_of(WARP_ROWS);
            let mut launch = launch(op, checked, 1, tensor_backward_bytes(size, tile))?;
            launch.block_dim.0 = threads_of(tile);
            return Ok([None, Some(Plan { kernel: keys, launch, width: 0 })]);
        }
        let first = if s <= BACKWARD_TILE { None } else { plan(queries, t.div_ceil(STRIP), backward_bytes(hs, 1))? };
        Ok([first, plan(keys, s.div_ceil(BACKWARD_TILE), backward_bytes(hs, 2))?])
    }
}

impl Weights {
    pub(super) fn load(queue: &Queue, element: &'static str) -> Result<Self, Error> {
        let module = queue.load("attention", include_str!("../attention_weights.ptx"))?;
        let name = format!("attention_weights_{}", stored(element));
        Ok(Weights(module.function_with_shared(&name, weights_bytes(HEAD_SIZE_MAX) as u32)?))
    }

    pub(super) fn plan(&self, op: &'static str, checked: &Checked) -> Result<Plan<'_>, Error> {
        let blocks = checked.dims.t.div_ceil(STRIP);
        let launch = launch(op, checked, blocks, weights_bytes(checked.dims.hs))?;
        Ok(Plan { kernel: &self.0, launch, width: 0 })
    }
}

/// Threads for so many rows on tensor cores.
fn threads_of(rows: usize) -> u32 {
    (rows / WARP_ROWS) as u32 * WARP
}

/// So many blocks for each head.
fn launch(op: &'static str, checked: &Checked, blocks: usize, bytes: usize) -> Result<LaunchConfig, Error> {
    let blocks = product(op, "blocks", &[checked.heads, blocks])?;
    let blocks = int(op, "the number of blocks", blocks)? as u32;
    Ok(LaunchConfig { grid_dim: (blocks, 1, 1), block_dim: (THREADS, 1, 1), shared_mem_bytes: bytes as u32 })
}
