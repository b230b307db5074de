//! Blocks, tasks and scratch of the CPU's matrix product.

use super::micro::{self, Tile};
use super::pack::{ALayout, KC, NR, Packed, pack_block, pack_group};
use super::{Epilogue, Lhs, Rhs, Shape, Start};
use crate::buffer::Buffer;
use rayon::prelude::*;
use std::cell::RefCell;

/// Columns of C in a task: its panels of B, 256 x 256 values, take a quarter of a megabyte.
const NC: usize = 256;
/// Rows of C in a task, at most; its block of A takes as much as the panels of B.
const MC: usize = 266;
/// Tasks a product is cut into for each thread, where it is large enough: one more than needed evens out the ends, and each
/// task packs its own share of B, so fewer is better.
const TASKS_PER_THREAD: usize = 2;
/// Below this many multiply-adds a task is not worth another thread's waking.
const TASK_WORK: usize = 1 << 18;

thread_local! {
    /// Packed blocks of A and B.
    static SCRATCH: RefCell<(Buffer, Buffer)> = RefCell::default();
}

/// C, shared among tasks that write different tiles of it.
struct SharedC {
    start: *mut f32,
    len: usize,
}

// SAFETY: the pointer comes from a `&mut [f32]` that outlives all tasks, and `tile` hands each task tiles of its own rows
// and columns only: no two tasks touch the same element.
unsafe impl Send for SharedC {}
// SAFETY: as above.
unsafe impl Sync for SharedC {}

impl SharedC {
    /// The address of element (i, j), with `columns` elements of `rows` rows from there on inside C.
    fn at(&self, n: usize, (i, j): (usize, usize), (rows, columns): (usize, usize)) -> *mut f32 {
        assert!(rows > 0 && columns > 0 && (i + rows - 1) * n + j + columns <= self.len);
        // SAFETY: i * n + j is less than len, as just asserted, so the address stays inside the allocation.
        unsafe { self.start.add(i * n + j) }
    }
}

pub(super) fn run(
    shape: Shape,
    a: Lhs<&[f32]>,
    b: Rhs<&[f32], &Packed>,
    start: Start,
    epilogue: Epilogue<&[f32]>,
    c: &mut [f32],
) {
    let Shape { m, n, k } = shape;
    if m == 0 || n == 0 {
        return;
    }
    let kernel = micro::Kernel::active();
    let (rows, columns) = block_size(shape);
    let groups = n.div_ceil(columns);
    let blocks = m.div_ceil(rows);
    let c = SharedC { start: c.as_mut_ptr(), len: c.len() };
    let task = |t: usize| {
        let (block, group) = (t % blocks, t / blocks);
        let task = Task {
            shape,
            i: block * rows,
            rows: rows.min(m - block * rows),
            j: group * columns,
            columns: columns.min(n - group * columns),
        };
        SCRATCH.with_borrow_mut(|(pa, pb)| task.run(&kernel, a, b, start, epilogue, &c, pa, pb));
    };
    let tasks = groups * blocks;
    if tasks == 1 || m * n * k < 2 * TASK_WORK {
        (0..tasks).for_each(task);
    } else {
        (0..tasks).into_par_iter().with_max_len(1).for_each(task);
    }
}

/// Rows and columns of a task's block of C. Only speed depends on it.
fn block_size(Shape { m, n, k }: Shape) -> (usize, usize) {
    let work = m * n * k.max(1);
    let tasks = (work / TASK_WORK).clamp(1, TASKS_PER_THREAD * rayon::current_num_threads());
    if m <= MC / 4 {
        // Few rows, as in decoding: cutting them would leave tiles half empty.
        return (m, n.div_ceil(tasks).next_multiple_of(NR).min(NC));
    }
    let groups = n.div_ceil(NC);
    let blocks = tasks.div_ceil(groups).max(m.div_ceil(MC));
    // Even blocks and groups, so that the last is no sliver.
    (m.div_ceil(blocks), n.div_ceil(groups).next_multiple_of(NR))
}

/// One block of C: `rows` rows from `i` on, `columns` columns from `j` on (a multiple of NR).
struct Task {
    shape: Shape,
    i: usize,
    rows: usize,
    j: usize,
    columns: usize,
}

impl Task {
    #[allow(clippy::too_many_arguments)] // the product's own, and two scratch buffers
    fn run(
        &self,
        kernel: &micro::Kernel,
        a: Lhs<&[f32]>,
        b: Rhs<&[f32], &Packed>,
        start: Start,
        epilogue: Epilogue<&[f32]>,
        c: &SharedC,
        packed_a: &mut Buffer,
        packed_b: &mut Buffer,
    ) {
        let Shape { m, n, k } = self.shape;
        let layout = ALayout::of(&a);
        // Panels of even height: 128 rows are nine of 13 and one of 11, not nine of 14 and one of 2.
        let mr = self.rows.div_ceil(self.rows.div_ceil(kernel.mr));
        // The largest block's size at once: a thread allocates at its first product and never again.
        packed_a.grow(layout.block_len(MC, kernel.mr));
        packed_b.grow(NC * KC);
        let mut k0 = 0;
        loop {
            let ks = k0..(k0 + KC).min(k);
            let last = ks.end == k;
            pack_block(a, (m, k), self.i..self.i + self.rows, ks.clone(), mr, packed_a);
            if !matches!(b, Rhs::Packed(_)) {
                pack_group(b, (k, n), ks.clone(), self.j, self.columns, packed_b);
            }
            for j in (0..self.columns).step_by(NR) {
                let width = NR.min(self.columns - j);
                let panel = match b {
                    Rhs::Packed(b) => b.panel((self.j + j) / NR, ks.start),
                    _ => &packed_b[j * ks.len()..(j + NR) * ks.len()],
                };
                for i in (0..self.rows).step_by(mr) {
                    let height = mr.min(self.rows - i);
                    let (ci, cj) = (self.i + i, self.j + j);
                    let tile = Tile {
                        height,
                        width,
                        k: ks.len(),
                        a: &packed_a[layout.panel_offset(i, mr)..],
                        layout,
                        b: panel,
                        from_zero: k0 == 0 && start == Start::Zero,
                    };
                    let c = c.at(n, (ci, cj), (height, width));
                    // SAFETY: `at` has shown that `height` rows of `width` elements, n apart, lie within C from there on.
                    // Tasks have different (i, j) blocks, so no other thread reads or writes them meanwhile.
                    unsafe {
                        kernel.run(&tile, c, n);
                        if last {
                            finish(&epilogue, (ci, cj), (height, width), c, n);
                        }
                    }
                }
            }
            if last {
                return;
            }
            k0 = ks.end;
        }
    }
}

/// Applies the epilogue to a finished tile while it is in the first-level cache.
///
/// # Safety
/// `c` is the first of `height` rows of `width` elements, `n` apart, that nothing else uses meanwhile.
unsafe fn finish(
    epilogue: &Epilogue<&[f32]>,
    (i, j): (usize, usize),
    (height, width): (usize, usize),
    c: *mut f32,
    n: usize,
) {
    for r in 0..height {
        // SAFETY: row r of the tile, as the caller promises.
        let row = unsafe { std::slice::from_raw_parts_mut(c.add(r * n), width) };
        match *epilogue {
            Epilogue::None => return,
            Epilogue::Bias(bias) => micro::add_bias(row, &bias[j..j + width]),
            Epilogue::BiasRelu(bias) => micro::add_bias_relu(row, &bias[j..j + width]),
            Epilogue::ReluGradient { activation, scale } => {
                micro::relu_gradient(row, &activation[(i + r) * n + j..][..width], scale);
            }
        }
    }
}
