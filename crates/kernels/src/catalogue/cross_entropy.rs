//! Cross-entropy with its gradient, its evaluation, their total, and log-softmax: the CPU's bits; the gradient of
//! 16-bit logits is rounded once.

use super::data::{Data, as_type, indices, made, rounded};
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work, every_element};
use crate::Error;
use crate::cross_entropy::cuda::Kernels;
use crate::cross_entropy::{self, IGNORE, Scores, Targets, log_softmax_rows, total_loss};
use crate::cuda::{Element, Indices, Queue};
use crate::device;

const SMOOTHING: f32 = 0.1;

/// Which of the launchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    ForwardBackward,
    Evaluate,
    LogSoftmax,
    /// In place, of f32.
    LogSoftmaxRows,
}

/// Logits in (-8, 8).
fn logits<T: Element>(n: usize, v: usize) -> Vec<f32> {
    made::<T>(n * v, 1).iter().map(|x| 8.0 * x).collect()
}

/// Every fifth row does not count, unless all do.
fn targets(n: usize, v: usize, all: bool) -> Vec<u32> {
    let ids = indices(n, v, 2);
    ids.into_iter().enumerate().map(|(row, id)| if !all && row % 5 == 3 { IGNORE } else { id }).collect()
}

fn grad_scale(n: usize) -> f32 {
    1.0 / n.max(1) as f32
}

fn case<T: Element>(call: Call, n: usize, v: usize, offset: usize) -> Case {
    let ids = targets(n, v, offset == 0);
    // Rows that do not count are not read.
    let counted = ids.iter().filter(|&&id| id != IGNORE).count();
    let (rows, all) = (counted * v * size_of::<T>(), n * v * size_of::<T>());
    let (operation, work) = match call {
        Call::ForwardBackward => ("cross_entropy_forward_backward", Work::bytes(rows + 4 * n + 4, all + 4 * n)),
        Call::Evaluate => ("cross_entropy_evaluate", Work::bytes(rows + 4 * n, 12 * n)),
        Call::LogSoftmax => ("log_softmax", Work::bytes(all, 4 * n * v)),
        Call::LogSoftmaxRows => ("log_softmax_rows", Work::bytes(all, all)),
    };
    Case::new::<T, _>(operation, format!("N{n}_V{v}"), work, move |queue| {
        let of = |calls: &[Call], len: usize| if calls.contains(&call) { len } else { 0 };
        let rows = [Call::ForwardBackward, Call::Evaluate];
        let values = as_type::<T>(&logits::<T>(n, v));
        Ok(Operands {
            kernels: Kernels::load(queue)?,
            call,
            v,
            logits: match call {
                Call::ForwardBackward => Data::changed(queue, &values, offset)?,
                _ => Data::input(queue, &values, offset)?,
            },
            in_place: Data::changed(queue, &logits::<f32>(n, v)[..of(&[Call::LogSoftmaxRows], n * v)], offset)?,
            out: Data::output(queue, of(&[Call::LogSoftmax], n * v), offset)?,
            indices: Indices::from_host(queue, &ids)?,
            grad_scale: Data::input(queue, &[grad_scale(n)], offset)?,
            loss: Data::output(queue, of(&rows, n), offset)?,
            nll: Data::output(queue, of(&rows, n), offset)?,
            hit: Data::output(queue, of(&rows, n), offset)?,
            ids: ids.clone(),
        })
    })
}

struct Operands<T> {
    kernels: Kernels,
    call: Call,
    v: usize,
    ids: Vec<u32>,
    logits: Data<T>,
    in_place: Data,
    out: Data,
    indices: Indices,
    grad_scale: Data,
    loss: Data,
    nll: Data,
    hit: Data<u32>,
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.logits.reset()?;
        self.hit.reset()?;
        [&mut self.in_place, &mut self.out, &mut self.loss, &mut self.nll].into_iter().try_for_each(Data::reset)
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let Operands { kernels, v, .. } = self;
        let targets = device::Targets { ids: &self.indices, first: 0, ignore: IGNORE, smoothing: SMOOTHING };
        match self.call {
            Call::ForwardBackward => {
                let (scale, loss) = (self.grad_scale.view(), self.loss.view_mut());
                kernels.forward_backward(queue, self.logits.view_mut(), *v, &targets, scale, loss)
            }
            Call::Evaluate => {
                let out = (self.loss.view_mut(), self.nll.view_mut(), self.hit.view_mut());
                kernels.evaluate(queue, self.logits.view(), *v, &targets, out)
            }
            Call::LogSoftmax => kernels.log_softmax(queue, self.logits.view(), *v, self.out.view_mut()),
            Call::LogSoftmaxRows => kernels.log_softmax_rows(queue, self.in_place.view_mut(), *v),
        }
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(match self.call {
            Call::ForwardBackward => vec![self.loss.read("loss")?, self.logits.read("dlogits")?],
            Call::Evaluate => vec![self.loss.read("loss")?, self.nll.read("nll")?, self.hit.read("hit")?],
            Call::LogSoftmax => vec![self.out.read("out")?],
            Call::LogSoftmaxRows => vec![self.in_place.read("x")?],
        })
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let (n, v) = (self.ids.len(), self.v);
        let targets = Targets { ids: &self.ids, ignore: IGNORE, smoothing: SMOOTHING };
        let mut x = logits::<T>(n, v);
        let (mut loss, mut nll, mut hit) = (vec![0.0; n], vec![0.0; n], vec![0; n]);
        Ok(match self.call {
            Call::ForwardBackward => {
                cross_entropy::forward_backward(&mut x, v, targets, grad_scale(n), &mut loss)?;
                vec![Wanted::exactly(&loss), Wanted::exactly(&rounded::<T>(&x))]
            }
            Call::Evaluate => {
                let out = Scores { loss: &mut loss, nll: &mut nll, hit: &mut hit };
                cross_entropy::evaluate(&x, v, targets, out)?;
                let hit = hit.into_iter().map(f64::from).collect();
                vec![Wanted::exactly(&loss), Wanted::exactly(&nll), Wanted { values: hit, bound: None }]
            }
            Call::LogSoftmax | Call::LogSoftmaxRows => {
                log_softmax_rows(&mut x, v)?;
                vec![Wanted::exactly(&x)]
            }
        })
    }
}

/// The total of the rows' losses, in f64.
struct Total {
    kernels: Kernels,
    n: usize,
    loss: Data,
    total: Data<f64>,
}

impl Run for Total {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.total.reset()
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        self.kernels.total_loss(queue, self.loss.view(), self.total.view_mut())
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![self.total.read("total")?])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        Ok(vec![Wanted { values: vec![total_loss(&made::<f32>(self.n, 3))], bound: None }])
    }
}

fn total(n: usize, offset: usize) -> Case {
    Case::new::<f32, _>("total_loss", format!("N{n}"), Work::bytes(4 * n, 8), move |queue| {
        Ok(Total {
            kernels: Kernels::load(queue)?,
            n,
            loss: Data::input(queue, &made::<f32>(n, 3), offset)?,
            total: Data::output(queue, 1, offset)?,
        })
    })
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    // Around a warp, four at a time, and a chunk; the base model's vocabulary in all but the awkward grid, since rows
    // as long as that are what the kernels are for.
    let (shapes, rows): (&[(usize, usize)], &[usize]) = match grid {
        Grid::Awkward => (&[(1, 1), (9, 33), (3, 1793)], &[0, 1, 129]),
        Grid::Small => (&[(4, BASE.v)], &[SMALL.b * SMALL.t]),
        Grid::Base => (&[(BASE.rows, BASE.v)], &[BASE.b * BASE.t]),
    };
    let offset = grid.offset();
    for &(n, v) in shapes {
        for call in [Call::ForwardBackward, Call::Evaluate, Call::LogSoftmax] {
            every_element!(cases, case(call, n, v, offset));
        }
        cases.push(case::<f32>(Call::LogSoftmaxRows, n, v, offset));
    }
    cases.extend(rows.iter().map(|&n| total(n, offset)));
}
