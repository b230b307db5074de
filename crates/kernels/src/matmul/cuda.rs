//! Matrix products on a CUDA device: in f32 the bits of the CPU's, by `matmul.cu`; on tensor cores, with sums in f32, of
//! bf16 and f16 by `matmul_bf16.cu` and `matmul_f16.cu`, and of f32 rounded to tf32 by `matmul_tf32.cu`. Linear layers
//! with what follows them are in `linear.cu`, `linear_bf16.cu`, `linear_f16.cu` and `linear_tf32.cu`.

#[cfg(feature = "cublaslt")]
mod cublaslt;
mod linear;
#[cfg(test)]
mod tests;
mod tile;

pub use linear::{Linear, SublayerEnd};

use super::{Epilogue, Lhs, OP, Rhs, Shape, Start, check};
use crate::Error;
use crate::cuda::{DropoutWords, Element, Kernel, OnceByElement, Queue, View, ViewMut, driver, int};
use crate::device::LinearSizes;
use crate::error::check_len;
use crate::layer_norm::cuda::NormWords;
use cudarc::driver::{LaunchConfig, PushKernelArg};
use linear::Followed;
use tile::Tile;

/// Rows of tiles that blocks go through together: `GROUP` of `product.cuh`.
const GROUP: usize = 8;

/// How entries name the layouts: a letter for A and for B, `t` for a transposed one.
const LAYOUTS: [&str; 4] = ["matmul_nn", "matmul_nt", "matmul_tn", "matmul_tt"];

/// The kernels of matrix products.
#[derive(Debug)]
pub struct Kernels {
    products: OnceByElement<Family>,
    followed: Followed,
    #[cfg(feature = "cublaslt")]
    cublaslt: Option<cublaslt::CublasLt>,
}

type Operands<'a, T> = (Lhs<View<'a, T>>, Rhs<View<'a, T>, View<'a, T>>);

/// What a launch ends with.
enum End<'a, T> {
    Epilogue(Epilogue<View<'a, T>, View<'a>>),
    /// No epilogue, and the sums of A's columns beside the product.
    ColumnSums(ViewMut<'a>),
    /// A linear layer's bias and ReLU, then dropout.
    Dropped(View<'a>, DropoutWords),
    /// A linear layer's bias, then the norm.
    Normalized(View<'a>, NormWords),
}

/// Those of a type.
#[derive(Debug)]
struct Family {
    tiles: &'static [Tile],
    /// By layout, if there are several, then by tile.
    functions: Vec<Kernel>,
}

impl Family {
    /// The entries that are named so, but for the tile and the type.
    fn load(queue: &Queue, ptx: &'static str, prefixes: &[&str], name: &str) -> Result<Self, Error> {
        let (module, tiles) = (queue.load(OP, ptx)?, Tile::all(name));
        let entries = prefixes.iter().flat_map(|prefix| tiles.iter().map(move |tile| (prefix, tile)));
        let load = |(prefix, tile): (&&str, &Tile)| {
            module.function_with_shared(&format!("{prefix}_{}_{name}", tile.name), tile.shared_bytes)
        };
        Ok(Family { tiles, functions: entries.map(load).collect::<Result<_, _>>()? })
    }
}

/// The products of a type.
fn load_products(queue: &Queue, name: &'static str) -> Result<Family, Error> {
    let ptx = match name {
        "f32" => include_str!("matmul.ptx"),
        "tf32" => include_str!("matmul_tf32.ptx"),
        "bf16" => include_str!("matmul_bf16.ptx"),
        _ => include_str!("matmul_f16.ptx"),
    };
    Family::load(queue, ptx, &LAYOUTS, name)
}

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

impl Kernels {
    /// Makes room for them. They are loaded by the first launch of a type: see [`Queue::capture`].
    ///
    /// # Errors
    /// [`Error::Driver`] if there is no memory for the counters of rows of tiles; [`Error::Capture`].
    pub fn load(queue: &Queue) -> Result<Self, Error> {
        Ok(Kernels {
            products: OnceByElement::new(load_products),
            followed: Followed::load(queue)?,
            #[cfg(feature = "cublaslt")]
            cublaslt: None,
        })
    }

    /// The same with NVIDIA's cuBLASLt for the products that it has: without an epilogue, or with a bias and C in f32, and
    /// nothing behind it. For this queue alone. Results are the library's, in f32 too, and what is said of them below is so of
    /// ours only.
    ///
    /// # Errors
    /// [`Error::NoCublasLt`] if the library is not found; [`Error::CublasLtDevice`] on the emulated device;
    /// [`Error::CublasLt`]; [`Error::Driver`].
    #[cfg(feature = "cublaslt")]
    pub fn with_cublaslt(self, queue: &Queue) -> Result<Self, Error> {
        Ok(Kernels { cublaslt: Some(cublaslt::CublasLt::new(queue)?), ..self })
    }

    /// [`matmul`](super::matmul) of device memory. `b` may be packed: that is its (N, K) as it is.
    ///
    /// In f32 the bits are the same. In 16 bits sums are f32 in the hardware's order, which may truncate: at most
    /// K 2^-23 Σ|A·B| off. The present C is added to the sum, then comes the epilogue, in f32, then one rounding. Of
    /// [`Tf32`](crate::cuda::Tf32) so are the sums, of A and B rounded; C, bias and activations are f32 as they are.
    ///
    /// # Errors
    /// As there; [`Error::Queue`] for memory of another queue; [`Error::Size`] for a dimension near 2^31 or more;
    /// [`Error::Driver`], of the first launch in a type as in [`Queue::load`]; [`Error::Capture`] if that is to be
    /// captured.
    #[allow(clippy::too_many_arguments)] // the product's own, and the queue
    pub fn matmul<T: Element>(
        &self,
        queue: &Queue,
        shape: Shape,
        a: Lhs<View<'_, T>>,
        b: Rhs<View<'_, T>, View<'_, T>>,
        start: Start,
        epilogue: Epilogue<View<'_, T>, View<'_>>,
        c: ViewMut<'_, T>,
    ) -> Result<(), Error> {
        self.launch(queue, None, shape, (a, b), start, End::Epilogue(epilogue), c)
    }

    /// The same with C in f32, whatever the operands are: for gradients of weights, which add up.
    ///
    /// # Errors
    /// As [`Kernels::matmul`].
    #[allow(clippy::too_many_arguments)] // as above
    pub fn matmul_to_f32<T: Element>(
        &self,
        queue: &Queue,
        shape: Shape,
        a: Lhs<View<'_, T>>,
        b: Rhs<View<'_, T>, View<'_, T>>,
        start: Start,
        epilogue: Epilogue<View<'_, T>, View<'_>>,
        c: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.launch(queue, None, shape, (a, b), start, End::Epilogue(epilogue), c)
    }

    /// A linear layer's gradients: `dw += dyᵀ x`, as [`matmul`](super::matmul) of a transposed operand adds, and `db += sum of
    /// dy's rows`, as [`column_sum`](crate::column_sum::column_sum) adds; in f32 with the bits of both. One launch, which reads
    /// dy once for both.
    ///
    /// # Shapes
    /// `dy` (N, C), `x` (N, K), `dw` (C, K), `db` (C).
    ///
    /// # Errors
    /// As [`Kernels::matmul`], with dy as `a`, x as `b` and dw as `c`; [`Error::Length`] also for `db`.
    pub fn linear_gradients<T: Element>(
        &self,
        queue: &Queue,
        sizes: LinearSizes,
        dy: View<'_, T>,
        x: View<'_, T>,
        dw: ViewMut<'_>,
        db: ViewMut<'_>,
    ) -> Result<(), Error> {
        self.launch_gradients(queue, None, sizes, (dy, x), dw, db)
    }

    /// By the tile of this number, as [`Kernels::launch`].
    fn launch_gradients<T: Element>(
        &self,
        queue: &Queue,
        tile: Option<usize>,
        LinearSizes { rows, d_out, d_in }: LinearSizes,
        (dy, x): (View<'_, T>, View<'_, T>),
        dw: ViewMut<'_>,
        db: ViewMut<'_>,
    ) -> Result<(), Error> {
        check_len(OP, "db", "(M)", db.len(), d_out)?;
        if d_in == 0 {
            // There are no tiles of C whose blocks would add up.
            return Err(Error::Size { op: OP, what: "N", got: 0, limit: "at least 1, where columns are summed" });
        }
        let shape = Shape { m: d_out, n: d_in, k: rows };
        let operands = (Lhs::Transposed(dy), Rhs::Rows(x));
        self.launch(queue, tile, shape, operands, Start::Accumulate, End::ColumnSums(db), dw)
    }

    /// By the tile of this number; by the one that suits the shape if that is `None`. `C` is T or f32.
    #[allow(clippy::too_many_arguments)] // as above, and the tile
    fn launch<T: Element, C: Element>(
        &self,
        queue: &Queue,
        tile: Option<usize>,
        shape: Shape,
        (a, b): Operands<'_, T>,
        start: Start,
        mut end: End<'_, T>,
        mut c: ViewMut<'_, C>,
    ) -> Result<(), Error> {
        let b = match b {
            Rhs::Rows(b) => Rhs::Rows(b),
            Rhs::Transposed(b) | Rhs::Packed(b) => Rhs::Transposed(b),
        };
        let len = |view: View<'_, T>| view.len();
        let lengths = match &end {
            End::Epilogue(epilogue) => epilogue.map(len, |bias| bias.len()),
            End::ColumnSums(_) => Epilogue::None,
            End::Dropped(bias, _) | End::Normalized(bias, _) => Epilogue::Bias(bias.len()),
        };
        check(shape, a.map(len), b.map(len, |_| [0; 2]), lengths, c.len())?;
        let (a, a_transposed) = match a {
            Lhs::Rows(a) => (a, 0),
            Lhs::Transposed(a) => (a, 1),
        };
        let (b, b_transposed) = match b {
            Rhs::Rows(b) => (b, 0),
            Rhs::Transposed(b) | Rhs::Packed(b) => (b, 1),
        };
        a.check_queue(OP, "a", queue)?;
        b.check_queue(OP, "b", queue)?;
        match &end {
            End::Epilogue(Epilogue::None) => {}
            End::Epilogue(Epilogue::Bias(bias) | Epilogue::BiasRelu(bias))
            | End::Dropped(bias, _)
            | End::Normalized(bias, _) => bias.check_queue(OP, "bias", queue)?,
            End::Epilogue(Epilogue::ReluGradient { activation, .. }) => {
                activation.check_queue(OP, "activation", queue)?
            }
            End::ColumnSums(sums) => sums.check_queue(OP, "db", queue)?,
        }
        c.check_queue(OP, "c", queue)?;
        let (m, n, k) = (size("M", shape.m)?, size("N", shape.n)?, size("K", shape.k)?);
        if m == 0 || n == 0 {
            return Ok(());
        }
        #[cfg(feature = "cublaslt")]
        if let (Some(library), None, Some(finish)) = (&self.cublaslt, tile, cublaslt::Finish::of::<T, C>(&end))
            && k > 0
        {
            let (a, b) = ((*a.pointer(), a_transposed == 1), (*b.pointer(), b_transposed == 1));
            let accumulate = start == Start::Accumulate;
            let call = cublaslt::Call { shape, a, b, c: *c.pointer(), accumulate, finish };
            // SAFETY: `check` has shown that a holds M K values, b K N, c M N and a bias N; all of it is memory of
            // this queue, as checked, and c is borrowed mutably.
            return unsafe { library.launch::<T, C>(queue, call) };
        }
        let (families, layout) = match &end {
            End::Epilogue(_) | End::ColumnSums(_) => (&self.products, 2 * a_transposed + b_transposed),
            End::Dropped(..) => (&self.followed.dropped, 0),
            End::Normalized(..) => (&self.followed.normalized, 0),
        };
        let family = families.of::<T>(queue)?;
        let index = tile.unwrap_or_else(|| Tile::of(family.tiles, shape, queue.multiprocessors() as usize));
        let tile = &family.tiles[index];
        let (rows, columns) = tile.counts(shape);
        int(OP, "the number of tiles of C", rows.next_multiple_of(GROUP).saturating_mul(columns))?;
        let launch = LaunchConfig {
            grid_dim: ((rows * columns) as u32, 1, 1),
            block_dim: (tile.threads, 1, 1),
            shared_mem_bytes: tile.shared_bytes,
        };
        let arrived = self.followed.counters(queue, &end, rows)?;
        let (kind, other, scale) = match &mut end {
            End::Epilogue(Epilogue::None) => (0, 0, 1.0f32),
            End::Epilogue(Epilogue::Bias(bias)) => (1, *bias.pointer(), 1.0),
            End::Epilogue(Epilogue::BiasRelu(bias)) => (2, *bias.pointer(), 1.0),
            End::Epilogue(Epilogue::ReluGradient { activation, scale }) => (3, *activation.pointer(), *scale),
            End::ColumnSums(sums) => (4, *sums.pointer(), 1.0),
            End::Dropped(bias, _) | End::Normalized(bias, _) => (0, *bias.pointer(), 1.0),
        };
        let (c_is_f32, accumulate) = (i32::from(size_of::<C>() == 4), i32::from(start == Start::Accumulate));
        let function = &family.functions[layout * family.tiles.len() + index];
        let mut args = queue.launch(function)?;
        args.arg(c.pointer()).arg(a.pointer()).arg(b.pointer()).arg(&other).arg(&m).arg(&n).arg(&k);
        match &end {
            End::Epilogue(_) | End::ColumnSums(_) => args.arg(&c_is_f32).arg(&accumulate).arg(&kind).arg(&scale),
            End::Dropped(_, dropout) => args.arg(dropout),
            End::Normalized(_, norm) => args.arg(norm).arg(&arrived),
        };
        // SAFETY: `args` lists the parameters of the `matmul_*`, `linear_relu_dropout_*` or `linear_norm_*` entries in
        // number, order and type; those of T read a and b as T, and c as f32 or T as they are told, of which `matmul`
        // and `matmul_to_f32` leave no third; those that are not told have c of T, as `linear.rs` gives them. `check`
        // has shown that a holds M K values, b K N, c M N, a bias N and activations M N, and the kernel indexes only
        // rows < M, columns < N and terms < K of these; without an epilogue it does not read `other`. Column sums hold
        // M values, as `launch_gradients` has seen, which alone asks for them, and for the entries that make them:
        // those of a transposed A and a B as it is. A norm's M rows and N columns are those of all that it reads and
        // writes, as `launch_norm` and `NormWords::of` have seen, its sum is c, and there is a counter for each row of
        // tiles, which no other launch uses at the same time, since all are on one stream. What is written is borrowed
        // mutably: c and column sums by `launch`, the norm's output by `launch_norm` beyond this. All of it is memory of
        // this queue, as checked. The grid is one block for each tile of C.
        unsafe { args.launch(launch) }.map_err(driver(OP, "launching the product"))?;
        Ok(())
    }
}
