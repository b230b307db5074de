//! Layer norm, alone and behind a residual addition with dropout, forward and backward.

use super::data::{Data, as_type, made, rounded};
use super::verdict::wide;
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work, every_element};
use crate::Error;
use crate::cuda::{Element, Queue};
use crate::dropout::{self, Dropout};
use crate::layer_norm::bounds::{Exact, Rows};
use crate::layer_norm::cuda::{self, Kernels};
use crate::layer_norm::{self, Affine, Backward, CHUNK, Gradients, Output as HostOutput, Write, scratch_len};

pub(super) const EPS: f32 = 1e-5;

/// Which of the launchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Forward,
    Residual,
    Backward(Write),
    ResidualBackward(Write),
}

impl Form {
    fn operation(self) -> &'static str {
        match self {
            Form::Forward => "layer_norm_forward",
            Form::Residual => "layer_norm_residual_forward",
            Form::Backward(Write::Set) => "layer_norm_backward",
            Form::Backward(Write::Add) => "layer_norm_backward_add",
            Form::ResidualBackward(Write::Set) => "layer_norm_residual_backward",
            Form::ResidualBackward(Write::Add) => "layer_norm_residual_backward_add",
        }
    }

    fn is_residual(self) -> bool {
        matches!(self, Form::Residual | Form::ResidualBackward(_))
    }

    /// What backward does with dsum; nothing for forward.
    fn write(self) -> Option<Write> {
        match self {
            Form::Backward(write) | Form::ResidualBackward(write) => Some(write),
            Form::Forward | Form::Residual => None,
        }
    }

    /// The partial sums of chunks, which the contract's order asks for, are written and read.
    fn work<T: Element>(self, n: usize, c: usize) -> Work {
        let rows = n * c * size_of::<T>();
        let residual = usize::from(self.is_residual());
        match self.write() {
            None => Work::bytes((1 + residual) * rows + 8 * c, (1 + residual) * rows + 8 * n),
            Some(write) => {
                let partials = 8 * c * n.div_ceil(CHUNK);
                let old = if write == Write::Add { rows } else { 0 };
                Work::bytes(2 * rows + old + 8 * n + 12 * c + partials, (1 + residual) * rows + 8 * c + partials)
            }
        }
    }
}

fn case<T: Element>(form: Form, n: usize, c: usize, offset: usize) -> Case {
    Case::new::<T, _>(form.operation(), format!("N{n}_C{c}"), form.work::<T>(n, c), move |queue| {
        Operands::<T>::new(queue, form, (n, c), offset)
    })
}

/// The operands' values, and what forward makes of them.
struct Host {
    x: Vec<f32>,
    sub: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    dy: Vec<f32>,
    /// What dsum, dgamma and dbeta hold before.
    old: [Vec<f32>; 3],
    dropout: Dropout,
    /// What is normalized, as T has it.
    sum: Vec<f32>,
    y: Vec<f32>,
    mean: Vec<f32>,
    rstd: Vec<f32>,
}

impl Host {
    fn new<T: Element>(form: Form, n: usize, c: usize) -> Result<Self, Error> {
        let x = made::<T>(n * c, 1);
        let sub = made::<T>(n * c, 2);
        let gamma: Vec<f32> = made::<f32>(c, 3).iter().map(|x| 1.0 + x / 2.0).collect();
        let beta = made::<f32>(c, 4);
        let dropout = if form.is_residual() { Dropout::new(0.1, 3, 5, 7)? } else { Dropout::NONE };
        let mut sum = x.clone();
        if form.is_residual() {
            // The residual form leaves x + factor * sub.
            sum.copy_from_slice(&sub);
            let [mut y, mut mean, mut rstd] = [n * c, n, n].map(|len| vec![0.0; len]);
            let out = HostOutput { y: &mut y, mean: &mut mean, rstd: &mut rstd };
            let affine = Affine { gamma: &gamma, beta: &beta };
            layer_norm::residual_forward(&x, &mut sum, dropout, affine, EPS, out)?;
            sum = rounded::<T>(&sum);
        }
        let [mut y, mut mean, mut rstd] = [n * c, n, n].map(|len| vec![0.0; len]);
        let out = HostOutput { y: &mut y, mean: &mut mean, rstd: &mut rstd };
        layer_norm::forward(&sum, Affine { gamma: &gamma, beta: &beta }, EPS, out)?;
        let dsum = if form.write() == Some(Write::Add) { made::<T>(n * c, 6) } else { vec![f32::NAN; n * c] };
        let old = [dsum, made::<f32>(c, 7), made::<f32>(c, 8)];
        Ok(Host { x, sub, gamma, beta, dy: made::<T>(n * c, 5), old, dropout, sum, y, mean, rstd })
    }

    fn bounds<T: Element>(&self) -> Bounds {
        Bounds::new::<T>([&self.sum, &self.mean, &self.rstd, &self.gamma])
    }
}

struct Operands<T> {
    kernels: Kernels,
    form: Form,
    dims: (usize, usize),
    dropout: Dropout,
    gamma: Data,
    beta: Data,
    /// Forward: x, and sum where there is a residual. Backward: dy and sum.
    x: Data<T>,
    sum: Data<T>,
    mean: Data,
    rstd: Data,
    /// Forward: y. Backward: dsum, and dsub where there is a residual.
    rows: Data<T>,
    dsub: Data<T>,
    dgamma: Data,
    dbeta: Data,
    scratch: Data,
}

impl<T: Element> Operands<T> {
    fn new(queue: &Queue, form: Form, (n, c): (usize, usize), offset: usize) -> Result<Self, Error> {
        let host = Host::new::<T>(form, n, c)?;
        let forward = form.write().is_none();
        let [dsum, dgamma, dbeta] = &host.old;
        let statistics = |values: &[f32]| {
            if forward { Data::output(queue, n, offset) } else { Data::input(queue, values, offset) }
        };
        let dsub = if form.is_residual() && !forward { n * c } else { 0 };
        Ok(Operands {
            kernels: Kernels::load(queue)?,
            form,
            dims: (n, c),
            dropout: host.dropout,
            gamma: Data::input(queue, &host.gamma, offset)?,
            beta: Data::input(queue, &host.beta, offset)?,
            x: Data::input(queue, &as_type(if forward { &host.x } else { &host.dy }), offset)?,
            sum: match form {
                Form::Residual => Data::changed(queue, &as_type(&host.sub), offset)?,
                _ => Data::input(queue, &as_type(&host.sum), offset)?,
            },
            mean: statistics(&host.mean)?,
            rstd: statistics(&host.rstd)?,
            rows: Data::changed(queue, &as_type(dsum), offset)?,
            dsub: Data::output(queue, dsub, offset)?,
            dgamma: Data::changed(queue, dgamma, offset)?,
            dbeta: Data::changed(queue, dbeta, offset)?,
            scratch: Data::scratch(queue, scratch_len(n, c), offset)?,
        })
    }
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        for data in [&mut self.sum, &mut self.rows, &mut self.dsub] {
            data.reset()?;
        }
        [&mut self.mean, &mut self.rstd, &mut self.dgamma, &mut self.dbeta].into_iter().try_for_each(Data::reset)
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let affine = cuda::Affine { gamma: self.gamma.view(), beta: self.beta.view() };
        match self.form {
            Form::Forward | Form::Residual => {
                let out =
                    cuda::Output { y: self.rows.view_mut(), mean: self.mean.view_mut(), rstd: self.rstd.view_mut() };
                if self.form == Form::Forward {
                    return self.kernels.forward(queue, self.x.view(), affine, EPS, out);
                }
                let (x, sum) = (self.x.view(), self.sum.view_mut());
                self.kernels.residual_forward(queue, x, sum, self.dropout, affine, EPS, out)
            }
            Form::Backward(write) | Form::ResidualBackward(write) => {
                let input = cuda::Backward {
                    dy: self.x.view(),
                    sum: self.sum.view(),
                    mean: self.mean.view(),
                    rstd: self.rstd.view(),
                    gamma: affine.gamma,
                };
                let out = cuda::Gradients {
                    dsum: self.rows.view_mut(),
                    dgamma: self.dgamma.view_mut(),
                    dbeta: self.dbeta.view_mut(),
                };
                let scratch = self.scratch.view_mut();
                if !self.form.is_residual() {
                    return self.kernels.backward(queue, input, write, out, scratch);
                }
                let dsub = self.dsub.view_mut();
                self.kernels.residual_backward(queue, input, self.dropout, write, out, dsub, scratch)
            }
        }
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        let mut outputs = if self.form.write().is_none() {
            vec![self.rows.read("y")?, self.mean.read("mean")?, self.rstd.read("rstd")?]
        } else {
            vec![self.rows.read("dsum")?, self.dgamma.read("dgamma")?, self.dbeta.read("dbeta")?]
        };
        if self.form == Form::Residual {
            outputs.push(self.sum.read("sum")?);
        } else if self.form.is_residual() {
            outputs.push(self.dsub.read("dsub")?);
        }
        Ok(outputs)
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let (n, c) = self.dims;
        let host = Host::new::<T>(self.form, n, c)?;
        match self.form.write() {
            None => {
                let bounds = || host.bounds::<T>().forward(&host.y);
                let mut wanted = either::<T>([&host.y, &host.mean, &host.rstd], bounds);
                if self.form.is_residual() {
                    // An f32 operation, rounded once.
                    wanted.push(Wanted::exactly(&host.sum));
                }
                Ok(wanted)
            }
            Some(write) => {
                let [mut dsum, mut dgamma, mut dbeta] = host.old.clone();
                let input =
                    Backward { dy: &host.dy, sum: &host.sum, mean: &host.mean, rstd: &host.rstd, gamma: &host.gamma };
                let out = Gradients { dsum: &mut dsum, dgamma: &mut dgamma, dbeta: &mut dbeta };
                layer_norm::backward(input, write, out, &mut vec![0.0; scratch_len(n, c)])?;
                let bounds = host.bounds::<T>();
                let mut wanted = either::<T>([&dsum, &dgamma, &dbeta], || bounds.backward(&host, &dsum));
                if self.form.is_residual() {
                    let mut dsub = dsum;
                    dropout::apply(&mut dsub, c, host.dropout)?;
                    wanted.push(match &wanted[0].bound {
                        None => Wanted::exactly(&dsub),
                        Some(dsum) => Wanted::within(wide(&dsub), bounds.through_dropout(&host, dsum, &dsub)),
                    });
                }
                Ok(wanted)
            }
        }
    }
}

/// The CPU's bits in f32, and within the bounds otherwise.
pub(super) fn either<T: Element>(values: [&[f32]; 3], bounds: impl FnOnce() -> [Vec<f64>; 3]) -> Vec<Wanted> {
    if size_of::<T>() == 4 {
        return values.map(Wanted::exactly).into();
    }
    values.into_iter().zip(bounds()).map(|(values, bound)| Wanted::within(wide(values), bound)).collect()
}

/// What the device and the CPU may be from each other: as far as both from exact values, which differ from the CPU's by
/// so little that it is less than the 1.01 that all is multiplied by.
pub(super) struct Bounds {
    s: Vec<f64>,
    mean: Vec<f64>,
    rstd: Vec<f64>,
    gamma: Vec<f64>,
    device: Rows,
    cpu: Rows,
}

impl Bounds {
    /// For `s`, its means, its rstd, and gamma.
    pub(super) fn new<T: Element>(values: [&[f32]; 4]) -> Self {
        // Half a unit in the last place, as a part of the value, and of the least number.
        let (unit, least) =
            if T::NAME == "bf16" { (0.5f64.powi(8), 0.5f64.powi(134)) } else { (0.5f64.powi(11), 0.5f64.powi(25)) };
        // In 16 bits a lane adds eight neighbouring columns of each 256.
        let [s, mean, rstd, gamma] = values.map(wide);
        let c = gamma.len();
        let device = Rows { chain: 8 * c.div_ceil(256), unit, least };
        Bounds { s, mean, rstd, gamma, device, cpu: Rows::f32(c) }
    }

    fn exact(&self) -> Exact<'_> {
        Exact { s: &self.s, mean: &self.mean, rstd: &self.rstd, gamma: &self.gamma }
    }

    /// Of forward, which gives `y`, the means and rstd.
    pub(super) fn forward(&self, y: &[f32]) -> [Vec<f64>; 3] {
        let y = wide(y);
        let [device, cpu] = [self.device, self.cpu].map(|rows| self.exact().forward(&y, rows));
        [(device.y, cpu.y), (device.mean, cpu.mean), (device.rstd, cpu.rstd)].map(both)
    }

    fn backward(&self, host: &Host, dsum: &[f32]) -> [Vec<f64>; 3] {
        let (dy, dsum) = (wide(&host.dy), wide(dsum));
        // What was there before is below 1.
        let [device, cpu] = [self.device, self.cpu].map(|rows| self.exact().backward(&dy, &dsum, 1.0, rows));
        [(device.dsum, cpu.dsum), (device.dgamma, cpu.dgamma), (device.dbeta, cpu.dbeta)].map(both)
    }

    /// Of dsub = factor * dsum, where dsum is off by so much: a product rounded to f32 on either side, and to 16 bits.
    fn through_dropout(&self, host: &Host, dsum: &[f64], dsub: &[f32]) -> Vec<f64> {
        let scale = f64::from(host.dropout.scale());
        let one = |(off, &dsub): (&f64, &f32)| {
            let (off, dsub) = (scale * off, f64::from(dsub).abs());
            let off = off + 2.0 * 0.5f64.powi(24) * (dsub + off);
            off + self.device.error(dsub + off)
        };
        dsum.iter().zip(dsub).map(one).collect()
    }
}

fn both((device, cpu): (Vec<f64>, Vec<f64>)) -> Vec<f64> {
    device.iter().zip(&cpu).map(|(device, cpu)| 1.01 * (device + cpu)).collect()
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    // Around a warp, and the widths that registers hold.
    let shapes: &[(usize, usize)] = match grid {
        Grid::Awkward => &[(1, 1), (33, 31), (9, 513), (40, 1027)],
        Grid::Small => &[(SMALL.b * SMALL.t, BASE.c)],
        Grid::Base => &[(BASE.b * BASE.t, BASE.c), (BASE.b * BASE.t, 2 * BASE.c)],
    };
    let set = [Form::Forward, Form::Residual, Form::Backward(Write::Set), Form::ResidualBackward(Write::Set)];
    let add = [Form::Backward(Write::Add), Form::ResidualBackward(Write::Add)];
    for &(n, c) in shapes {
        for form in set.into_iter().chain(add) {
            every_element!(cases, case(form, n, c, grid.offset()));
        }
    }
}
