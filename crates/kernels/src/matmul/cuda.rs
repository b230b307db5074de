//! Matrix products on a CUDA device: the bits of the CPU's in f32, by `matmul.cu`.

#[cfg(test)]
mod tests;

use super::{Epilogue, Lhs, OP, Rhs, Shape, Start, check};
use crate::Error;
use crate::cuda::{Module, Queue, View, ViewMut, driver, int};
use cudarc::driver::{CudaFunction, LaunchConfig, PushKernelArg};

/// Rows of tiles that blocks go through together: `GROUP` of `product.cuh`.
const GROUP: usize = 8;

/// A tile of C, a block's work in `matmul.cu`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tile {
    Large,
    Medium,
    Small,
}

impl Tile {
    const ALL: [Tile; 3] = [Tile::Large, Tile::Medium, Tile::Small];

    fn name(self) -> &'static str {
        match self {
            Tile::Large => "large",
            Tile::Medium => "medium",
            Tile::Small => "small",
        }
    }

    /// Rows, and as many columns.
    fn side(self) -> usize {
        match self {
            Tile::Large => 128,
            Tile::Medium => 64,
            Tile::Small => 32,
        }
    }

    fn threads(self) -> u32 {
        match self {
            Tile::Large => 256,
            Tile::Medium | Tile::Small => 64,
        }
    }

    /// How many rows and columns of tiles C is cut into.
    fn counts(self, Shape { m, n, .. }: Shape) -> (usize, usize) {
        (m.div_ceil(self.side()), n.div_ceil(self.side()))
    }

    /// The tile for a shape: that by which the busiest multiprocessor is done first. It takes its blocks'
    /// multiply-adds, four warps at a time at least, since fewer leave some of its four schedulers idle; and smaller
    /// tiles have more instructions and more traffic for each: in tenths, 10, 11, 16 by the count of both in
    /// `matmul.cu`.
    fn of(shape: Shape, multiprocessors: usize) -> Tile {
        let cost = |tile: Tile| {
            let (rows, columns) = tile.counts(shape);
            let blocks = rows.saturating_mul(columns).div_ceil(multiprocessors).max(4 * 32 / tile.threads() as usize);
            let tenths = match tile {
                Tile::Large => 10,
                Tile::Medium => 11,
                Tile::Small => 16,
            };
            blocks.saturating_mul(tile.side() * tile.side() * tenths)
        };
        Tile::ALL.into_iter().min_by_key(|&tile| cost(tile)).unwrap_or(Tile::Large)
    }
}

/// The kernels of matrix products.
#[derive(Debug)]
pub struct Kernels {
    /// By layout, then by tile.
    f32: [[CudaFunction; 3]; 4],
}

/// How entries name the layouts: a letter for A and for B, `t` for a transposed one.
const LAYOUTS: [&str; 4] = ["nn", "nt", "tn", "tt"];

/// A dimension as kernels take it: rounded up to whole tiles it must fit 32 bits, signed.
fn size(what: &'static str, got: usize) -> Result<i32, Error> {
    const LIMIT: i32 = i32::MAX - 128;
    i32::try_from(got).ok().filter(|&size| size <= LIMIT).ok_or(Error::Size {
        op: OP,
        what,
        got,
        limit: "less than 2^31 - 128 on a CUDA device",
    })
}

/// All of `[T; N]`, or the first error.
fn all<T: std::fmt::Debug, const N: usize>(make: impl FnMut(usize) -> Result<T, Error>) -> Result<[T; N], Error> {
    let made = (0..N).map(make).collect::<Result<Vec<_>, _>>()?;
    Ok(made.try_into().expect("N have been made"))
}

impl Kernels {
    /// Loads them.
    ///
    /// # Errors
    /// [`Error::Driver`] as in [`Queue::load`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        let module = queue.load(OP, include_str!("matmul.ptx"))?;
        let function = |module: &Module, layout: usize, tile: usize| {
            module.function(&format!("matmul_{}_{}_f32", LAYOUTS[layout], Tile::ALL[tile].name()))
        };
        Ok(Kernels { f32: all(|layout| all(|tile| function(&module, layout, tile)))? })
    }

    /// [`matmul`](super::matmul) of device memory, with the same bits. `b` may be packed: that is its (N, K) as it
    /// is.
    ///
    /// # Errors
    /// As there; [`Error::Queue`] for memory of another queue; [`Error::Size`] for a dimension near 2^31 or more;
    /// [`Error::Driver`].
    #[allow(clippy::too_many_arguments)] // the product's own, and the queue
    pub fn matmul(
        &self,
        queue: &Queue,
        shape: Shape,
        a: Lhs<View<'_>>,
        b: Rhs<View<'_>, View<'_>>,
        start: Start,
        epilogue: Epilogue<View<'_>>,
        c: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.launch(queue, Tile::of(shape, queue.multiprocessors() as usize), shape, (a, b), start, epilogue, c)
    }

    #[allow(clippy::too_many_arguments)] // as above, and the tile
    fn launch(
        &self,
        queue: &Queue,
        tile: Tile,
        shape: Shape,
        (a, b): (Lhs<View<'_>>, Rhs<View<'_>, View<'_>>),
        start: Start,
        epilogue: Epilogue<View<'_>>,
        mut c: ViewMut<'_>,
    ) -> Result<(), Error> {
        let b = match b {
            Rhs::Rows(b) => Rhs::Rows(b),
            Rhs::Transposed(b) | Rhs::Packed(b) => Rhs::Transposed(b),
        };
        let len = |view: View<'_>| view.len();
        check(shape, a.map(len), b.map(len, |_| [0; 2]), epilogue.map(len, len), c.len())?;
        let (a, a_transposed) = match a {
            Lhs::Rows(a) => (a, 0),
            Lhs::Transposed(a) => (a, 1),
        };
        let (b, b_transposed) = match b {
            Rhs::Rows(b) => (b, 0),
            Rhs::Transposed(b) | Rhs::Packed(b) => (b, 1),
        };
        let (kind, arg, other, scale) = match epilogue {
            Epilogue::None => (0, "", None, 1.0f32),
            Epilogue::Bias(bias) => (1, "bias", Some(bias), 1.0),
            Epilogue::BiasRelu(bias) => (2, "bias", Some(bias), 1.0),
            Epilogue::ReluGradient { activation, scale } => (3, "activation", Some(activation), scale),
        };
        a.check_queue(OP, "a", queue)?;
        b.check_queue(OP, "b", queue)?;
        if let Some(other) = other {
            other.check_queue(OP, arg, queue)?;
        }
        c.check_queue(OP, "c", queue)?;
        let (m, n, k) = (size("M", shape.m)?, size("N", shape.n)?, size("K", shape.k)?);
        if m == 0 || n == 0 {
            return Ok(());
        }
        let (rows, columns) = tile.counts(shape);
        int(OP, "the number of tiles of C", rows.next_multiple_of(GROUP).saturating_mul(columns))?;
        let launch = LaunchConfig {
            grid_dim: ((rows * columns) as u32, 1, 1),
            block_dim: (tile.threads(), 1, 1),
            shared_mem_bytes: 0,
        };
        let accumulate = i32::from(start == Start::Accumulate);
        let none = 0u64;
        let other = other.as_ref().map_or(&none, View::pointer);
        let mut args = queue.stream().launch_builder(&self.f32[2 * a_transposed + b_transposed][tile as usize]);
        args.arg(c.pointer()).arg(a.pointer()).arg(b.pointer()).arg(other).arg(&m).arg(&n).arg(&k);
        args.arg(&accumulate).arg(&kind).arg(&scale);
        // SAFETY: `args` lists the parameters of the `matmul_*_f32` entries in number, order and type. `check` has
        // shown that a holds M K values, b K N, c M N, a bias N and activations M N, and the kernel indexes only rows
        // < M, columns < N and terms < K of these; without an epilogue it does not read `other`. c is borrowed
        // mutably. All of it is memory of this queue, as checked. The grid is one block for each tile of C.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching the product"))?;
        Ok(())
    }
}
