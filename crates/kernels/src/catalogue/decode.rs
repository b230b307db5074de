//! A step of decoding: attention over the cache, and caches that go on as others. The CPU's bits; in 16 bits those of
//! its f32, rounded once.

use super::data::{Data, as_type, made, rounded};
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work, every_element};
use crate::Error;
use crate::attention::decode_cuda::Kernels;
use crate::cuda::{Element, Indices, Queue};
use crate::device::{Cache, Cpu, Device};

/// Reads the positions up to `at`, that one too, which it has written before.
fn attention<T: Element>(dims: Cache, nh: usize, at: usize, offset: usize) -> Case {
    let Cache { rows, max_len, c } = dims;
    let e = size_of::<T>();
    let work = Work::bytes((3 * c + 2 * (at + 1) * c) * rows * e, 3 * c * rows * e);
    let shape = format!("R{rows}_L{max_len}_NH{nh}_HS{}_at{at}", c / nh);
    Case::new::<T, _>("cached_attention", shape, work, move |queue| {
        Ok(Attention {
            kernels: Kernels::load(queue)?,
            dims,
            nh,
            at,
            qkv: Data::input(queue, &as_type::<T>(&made::<T>(rows * 3 * c, 1)), offset)?,
            cache: Data::changed(queue, &as_type::<T>(&made::<T>(rows * max_len * 2 * c, 2)), offset)?,
            out: Data::output(queue, rows * c, offset)?,
        })
    })
}

struct Attention<T> {
    kernels: Kernels,
    dims: Cache,
    nh: usize,
    at: usize,
    qkv: Data<T>,
    cache: Data<T>,
    out: Data<T>,
}

impl<T: Element> Run for Attention<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.cache.reset()?;
        self.out.reset()
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let written = (self.cache.view_mut(), self.out.view_mut());
        self.kernels.cached_attention(queue, self.dims, self.nh, self.at, self.qkv.view(), written)
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![self.out.read("out")?, self.cache.read("cache")?])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let Cache { rows, max_len, c } = self.dims;
        let qkv = made::<T>(rows * 3 * c, 1);
        let (mut cache, mut out) = (made::<T>(rows * max_len * 2 * c, 2), vec![0.0; rows * c]);
        Cpu::new().cached_attention(self.dims, self.nh, self.at, &qkv, &mut cache, &mut out)?;
        Ok(vec![Wanted::exactly(&rounded::<T>(&out)), Wanted::exactly(&cache)])
    }
}

/// Every row goes on as the one behind it.
fn parents(rows: usize) -> Vec<u32> {
    (0..rows).map(|row| ((row + 1) % rows) as u32).collect()
}

fn reorder<T: Element>(dims: Cache, len: usize, offset: usize) -> Case {
    let Cache { rows, max_len, c } = dims;
    let bytes = rows * len * 2 * c * size_of::<T>();
    let shape = format!("R{rows}_L{max_len}_C{c}_len{len}");
    Case::new::<T, _>("reorder_cache", shape, Work::bytes(bytes + 4 * rows, bytes), move |queue| {
        let size = rows * max_len * 2 * c;
        Ok(Reorder {
            kernels: Kernels::load(queue)?,
            dims,
            len,
            parents: Indices::from_host(queue, &parents(rows))?,
            from: Data::input(queue, &as_type::<T>(&made::<T>(size, 3)), offset)?,
            to: Data::changed(queue, &as_type::<T>(&made::<T>(size, 4)), offset)?,
        })
    })
}

struct Reorder<T> {
    kernels: Kernels,
    dims: Cache,
    len: usize,
    parents: Indices,
    from: Data<T>,
    to: Data<T>,
}

impl<T: Element> Run for Reorder<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.to.reset()
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        self.kernels.reorder_cache(queue, self.dims, self.len, &self.parents, self.from.view(), self.to.view_mut())
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![self.to.read("to")?])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let Cache { rows, max_len, c } = self.dims;
        let size = rows * max_len * 2 * c;
        let (from, mut to) = (made::<T>(size, 3), made::<T>(size, 4));
        Cpu::new().reorder_cache(self.dims, self.len, &parents(rows), &from, &mut to)?;
        Ok(vec![Wanted::exactly(&to)])
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    // Rows, heads, their size, room, and the position.
    let shapes: &[(usize, usize, usize, usize, usize)] = match grid {
        Grid::Awkward => &[(1, 1, 1, 1, 0), (3, 2, 31, 40, 30), (2, 3, 33, 70, 64)],
        // Whole tiles of keys.
        Grid::Small => &[(8, SMALL.nh, SMALL.c / SMALL.nh, 70, 63)],
        Grid::Base => &[(256, BASE.nh, BASE.c / BASE.nh, 128, 63)],
    };
    for &(rows, nh, hs, max_len, at) in shapes {
        let dims = Cache { rows, max_len, c: nh * hs };
        every_element!(cases, attention(dims, nh, at, grid.offset()));
        every_element!(cases, reorder(dims, at, grid.offset()));
    }
}
