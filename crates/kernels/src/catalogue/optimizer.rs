//! The gradients' norm with the factor that clips them, and Adam's update.

use super::data::{Data, made, rounded};
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work};
use crate::Error;
use crate::adam::cuda::{CudaAdam, CudaState, gradient_words};
use crate::adam::{Adam, Config, GradScale, Gradients, Outcome, State};
use crate::cuda::{Bf16, Buffer, Element, F16, Queue};
use crate::grad_norm::cuda::{Kernels, scratch_len};
use crate::grad_norm::{clip_factor, grad_norm};
use noam_schedule::Noam;

const MAX_NORM: f64 = 1.0;

/// The scale of the loss that is taken out again.
const UNSCALE: f32 = 1.0 / 1024.0;

struct Clip {
    kernels: Kernels,
    n: usize,
    grads: Data,
    unscale: Option<Data>,
    scratch: Data<f64>,
    words: Buffer<u64>,
}

fn clip(n: usize, unscale: bool, offset: usize) -> Case {
    let operation = if unscale { "grad_norm_unscale" } else { "grad_norm" };
    let work = Work::bytes(4 * n + if unscale { 4 } else { 0 }, 16);
    Case::new::<f32, _>(operation, format!("N{n}"), work, move |queue| {
        Ok(Clip {
            kernels: Kernels::load(queue)?,
            n,
            grads: Data::input(queue, &made::<f32>(n, 1), offset)?,
            unscale: if unscale { Some(Data::input(queue, &[UNSCALE], offset)?) } else { None },
            scratch: Data::scratch(queue, scratch_len(n), offset)?,
            words: Buffer::zeros(queue, 2)?,
        })
    })
}

impl Run for Clip {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.words.view_mut().write(&[u64::MAX; 2])
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let unscale = self.unscale.as_ref().map(Data::view);
        let (scratch, words) = (self.scratch.view_mut(), self.words.view_mut());
        self.kernels.clip(queue, self.grads.view(), MAX_NORM, unscale, scratch, words)
    }

    /// Norm and scale, as Adam reads them.
    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        let words = self.words.read()?;
        let scale = f64::from(f32::from_bits(words[1] as u32));
        let one = |name, element, value| Output { name, element, values: vec![value], intact: true };
        Ok(vec![one("norm", "f64", f64::from_bits(words[0])), one("scale", "f32", scale)])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let unscale = if self.unscale.is_some() { UNSCALE } else { 1.0 };
        let norm = grad_norm(&made::<f32>(self.n, 1)) * f64::from(unscale);
        let scale = clip_factor(norm, MAX_NORM)? * unscale;
        let one = |value| Wanted { values: vec![value], bound: None };
        Ok(vec![one(norm), one(f64::from(scale))])
    }
}

/// Updates before the one that is launched.
const UPDATES: u64 = 7;

const GRADIENT: GradScale = GradScale { norm: 1.0, scale: 0.75, after: Gradients::Keep };

fn config() -> Config {
    Config { weight_decay: 0.01, ..Config::default() }
}

fn schedule() -> Noam {
    Noam::new(512, 4000, 1.0).expect("the paper's schedule is one")
}

/// Params, grads, m and v, of the sizes that training has.
fn state(n: usize) -> [Vec<f32>; 4] {
    let of = |seed, size: f32| made::<f32>(n, seed).iter().map(|x| size * x).collect::<Vec<f32>>();
    [of(1, 1.0), of(2, 0.1), of(3, 0.01), of(4, 1e-4).iter().map(|v| v.abs()).collect()]
}

struct Update<T> {
    adam: CudaAdam,
    n: usize,
    after: Gradients,
    state: [Data; 4],
    /// Nothing where there is no copy.
    copy: Option<Data<T>>,
    words: Buffer<u64>,
}

fn update<T: Element>(n: usize, after: Gradients, copies: bool, offset: usize) -> Case {
    let cleared = if after == Gradients::Clear { 4 * n } else { 0 };
    let copy = if copies { n * size_of::<T>() } else { 0 };
    let operation = match (after, copies) {
        (Gradients::Keep, false) => "adam",
        (Gradients::Clear, false) => "adam_clear",
        (Gradients::Keep, true) => "adam_copy",
        (Gradients::Clear, true) => "adam_clear_copy",
    };
    Case::new::<T, _>(operation, format!("N{n}"), Work::bytes(16 * n, 12 * n + cleared + copy), move |queue| {
        let [params, grads, m, v] = state(n);
        let put = |values: &[f32]| Data::changed(queue, values, offset);
        Ok(Update {
            adam: CudaAdam::resume(queue, config(), UPDATES)?,
            n,
            after,
            state: [put(&params)?, put(&grads)?, put(&m)?, put(&v)?],
            copy: if copies { Some(Data::<T>::output(queue, n, offset)?) } else { None },
            words: Buffer::from_host(queue, &gradient_words(GRADIENT.norm, GRADIENT.scale))?,
        })
    })
}

impl<T: Element> Run for Update<T> {
    /// With the count as it was, and the next rate on the device.
    fn reset(&mut self, queue: &Queue) -> Result<(), Error> {
        self.adam = CudaAdam::resume(queue, config(), UPDATES)?;
        self.adam.prepare(&schedule())?;
        if let Some(copy) = &mut self.copy {
            copy.reset()?;
        }
        self.state.iter_mut().try_for_each(Data::reset)
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let [params, grads, m, v] = self.state.each_mut().map(Data::view_mut);
        let (state, gradient) = (CudaState { params, grads, m, v }, self.words.view());
        match &mut self.copy {
            None => self.adam.enqueue(queue, &gradient, self.after, state),
            Some(copy) => self.adam.enqueue_with_copy(queue, &gradient, self.after, state, copy.view_mut()),
        }
    }

    /// The buffers, and the count of updates.
    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        let [params, grads, m, v] = &self.state;
        let mut outputs = vec![params.read("params")?, grads.read("grads")?, m.read("m")?, v.read("v")?];
        if let Some(copy) = &self.copy {
            outputs.push(copy.read("copy")?);
        }
        let progress = self.adam.progress()?;
        let applied = matches!(progress.last, Some(Outcome::Applied { finite: true, .. }));
        let values = vec![progress.updates as f64, f64::from(u8::from(applied))];
        outputs.push(Output { name: "updates", element: "u32", values, intact: true });
        Ok(outputs)
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let [mut params, mut grads, mut m, mut v] = state(self.n);
        let mut adam = Adam::resume(config(), UPDATES)?;
        let buffers = State { params: &mut params, grads: &mut grads, m: &mut m, v: &mut v };
        let outcome = adam.update(&schedule(), GradScale { after: self.after, ..GRADIENT }, buffers)?;
        let applied = matches!(outcome, Outcome::Applied { finite: true, .. });
        let mut wanted: Vec<_> = [&params, &grads, &m, &v].map(|x| Wanted::exactly(x)).into();
        if self.copy.is_some() {
            wanted.push(Wanted::exactly(&rounded::<T>(&params)));
        }
        wanted.push(Wanted { values: vec![adam.updates() as f64, f64::from(u8::from(applied))], bound: None });
        Ok(wanted)
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    // Around a vector, a block of threads, and a block of the norm's order.
    let sizes: &[usize] = match grid {
        Grid::Awkward => &[0, 1, 5, 1027, 8195],
        Grid::Small => &[SMALL.v * SMALL.c],
        // The embedding table, more than a quarter of the base model's parameters.
        Grid::Base => &[BASE.v * BASE.c],
    };
    let offset = grid.offset();
    for &n in sizes {
        cases.push(clip(n, false, offset));
        cases.push(clip(n, true, offset));
        for after in [Gradients::Keep, Gradients::Clear] {
            cases.push(update::<f32>(n, after, false, offset));
            cases.push(update::<f32>(n, after, true, offset));
            cases.push(update::<Bf16>(n, after, true, offset));
            cases.push(update::<F16>(n, after, true, offset));
        }
    }
}
