//! A linear layer and what follows it, by one launch: dropout behind the ReLU, or the end of a sublayer.

use super::data::{Data, as_type, made};
use super::layer_norm::{Bounds, EPS, either};
use super::matmul::{bound, factors, rounding};
use super::verdict::wide;
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work, every_element, whole_products};
use crate::Error;
use crate::cuda::{Element, Queue, Tf32};
use crate::device::LinearSizes;
use crate::dropout::{self, Dropout};
use crate::layer_norm::{self, cuda};
use crate::matmul::cuda::{Kernels, Linear, SublayerEnd};
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start, matmul};

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follows {
    Dropout,
    Norm,
}

fn case<T: Element>(follows: Follows, sizes: LinearSizes, offset: usize) -> Case {
    let LinearSizes { rows, d_out, d_in } = sizes;
    let (e, c) = (size_of::<T>(), rows * d_out);
    let product = Work::bytes((rows * d_in + d_out * d_in) * e + 4 * d_out, c * e);
    let (operation, work) = match follows {
        Follows::Dropout => ("linear_relu_dropout", product),
        // The residual, the sum, which rows of tiles write before they read it back, and what the norm writes.
        Follows::Norm => {
            let norm = Work::bytes(2 * c * e + 8 * d_out, c * e + 8 * rows);
            ("linear_norm", product.and(norm))
        }
    };
    let beside = if follows == Follows::Dropout { 8 * c } else { 16 * c + 512 * rows };
    let work = work.multiply_adds::<T>(c * d_in, whole_products::<T>(rows, d_out, d_in), beside);
    Case::new::<T, _>(operation, format!("N{rows}_C{d_out}_K{d_in}"), work, move |queue| {
        let host = Host::new::<T>(sizes)?;
        Ok(Operands::<T> {
            kernels: Kernels::load(queue)?,
            follows,
            sizes,
            dropout: host.dropout,
            x: Data::input(queue, &as_type(&host.x), offset)?,
            w: Data::input(queue, &as_type(&host.w), offset)?,
            bias: Data::input(queue, &host.bias, offset)?,
            residual: Data::input(queue, &as_type(&host.residual), offset)?,
            gamma: Data::input(queue, &host.gamma, offset)?,
            beta: Data::input(queue, &host.beta, offset)?,
            sum: Data::output(queue, if follows == Follows::Norm { c } else { 0 }, offset)?,
            y: Data::output(queue, c, offset)?,
            mean: Data::output(queue, rows, offset)?,
            rstd: Data::output(queue, rows, offset)?,
        })
    })
}

/// The operands' values.
struct Host {
    x: Vec<f32>,
    w: Vec<f32>,
    bias: Vec<f32>,
    residual: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    dropout: Dropout,
}

impl Host {
    fn new<T: Element>(LinearSizes { rows, d_out, d_in }: LinearSizes) -> Result<Self, Error> {
        Ok(Host {
            x: made::<T>(rows * d_in, 1),
            w: made::<T>(d_out * d_in, 2),
            bias: made::<f32>(d_out, 3),
            residual: made::<T>(rows * d_out, 4),
            gamma: made::<f32>(d_out, 5).iter().map(|x| 1.0 + x / 2.0).collect(),
            beta: made::<f32>(d_out, 6),
            dropout: Dropout::new(0.1, 3, 5, 7)?,
        })
    }
}

struct Operands<T> {
    kernels: Kernels,
    follows: Follows,
    sizes: LinearSizes,
    dropout: Dropout,
    x: Data<T>,
    w: Data<T>,
    bias: Data,
    residual: Data<T>,
    gamma: Data,
    beta: Data,
    sum: Data<T>,
    y: Data<T>,
    mean: Data,
    rstd: Data,
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.sum.reset()?;
        self.y.reset()?;
        [&mut self.mean, &mut self.rstd].into_iter().try_for_each(Data::reset)
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let (x, w, bias) = (self.x.view(), self.w.view(), self.bias.view());
        let linear = Linear { sizes: self.sizes, x, w, bias };
        if self.follows == Follows::Dropout {
            return self.kernels.linear_relu_dropout(queue, linear, self.dropout, self.y.view_mut());
        }
        let end = SublayerEnd {
            residual: self.residual.view(),
            dropout: self.dropout,
            affine: cuda::Affine { gamma: self.gamma.view(), beta: self.beta.view() },
            eps: EPS,
            sum: self.sum.view_mut(),
            out: cuda::Output { y: self.y.view_mut(), mean: self.mean.view_mut(), rstd: self.rstd.view_mut() },
        };
        self.kernels.linear_norm(queue, linear, end)
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        let mut outputs = vec![self.y.read("y")?];
        if self.follows == Follows::Norm {
            outputs.extend([self.mean.read("mean")?, self.rstd.read("rstd")?, self.sum.read("sum")?]);
        }
        Ok(outputs)
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let host = Host::new::<T>(self.sizes)?;
        match self.follows {
            Follows::Dropout => self.dropped(&host),
            Follows::Norm => self.normalized(&host),
        }
    }
}

impl<T: Element> Operands<T> {
    fn product(&self, x: &[f32], w: &[f32], epilogue: Epilogue<&[f32]>) -> Result<Vec<f32>, Error> {
        let LinearSizes { rows, d_out, d_in } = self.sizes;
        let mut c = vec![0.0; rows * d_out];
        let shape = Shape { m: rows, n: d_out, k: d_in };
        let (x, w) = (factors::<T>(x), factors::<T>(w));
        matmul(shape, Lhs::Rows(&x[..]), Rhs::Transposed(&w[..]), Start::Zero, epilogue, &mut c)?;
        Ok(c)
    }

    /// How far the product with its bias, `want`, times `factor`, may be off; rounded to T, or not.
    fn bounds(&self, host: &Host, want: &[f32], factor: f64) -> Result<Vec<f64>, Error> {
        let magnitudes = |x: &[f32]| x.iter().map(|x| x.abs()).collect::<Vec<f32>>();
        let sums = self.product(&magnitudes(&host.x), &magnitudes(&host.w), Epilogue::None)?;
        let LinearSizes { d_out, d_in, .. } = self.sizes;
        let one = |(at, (&sum, &want)): (usize, (&f32, &f32))| {
            let bias = f64::from(host.bias[at % d_out].abs());
            bound::<T>(d_in, f64::from(sum), bias, factor, f64::from(want), false)
        };
        Ok(sums.iter().zip(want).enumerate().map(one).collect())
    }

    fn dropped(&self, host: &Host) -> Result<Vec<Wanted>, Error> {
        let mut y = self.product(&host.x, &host.w, Epilogue::BiasRelu(&host.bias))?;
        dropout::apply(&mut y, self.sizes.d_out, host.dropout)?;
        if T::NAME == "f32" {
            return Ok(vec![Wanted::exactly(&y)]);
        }
        let bounds = self.bounds(host, &y, f64::from(host.dropout.scale()))?;
        Ok(vec![Wanted::within(wide(&y), bounds)])
    }

    /// The sum as far from the CPU's as the product is; the norm as far as one is from the other for the same sum, the
    /// device's own.
    fn normalized(&self, host: &Host) -> Result<Vec<Wanted>, Error> {
        let LinearSizes { rows, d_out, .. } = self.sizes;
        let affine = layer_norm::Affine { gamma: &host.gamma, beta: &host.beta };
        let [mut y, mut mean, mut rstd] = [rows * d_out, rows, rows].map(|len| vec![0.0; len]);
        let product = self.product(&host.x, &host.w, Epilogue::Bias(&host.bias))?;
        let mut sum = product.clone();
        let out = layer_norm::Output { y: &mut y, mean: &mut mean, rstd: &mut rstd };
        layer_norm::residual_forward(&host.residual, &mut sum, host.dropout, affine, EPS, out)?;
        if T::NAME == "f32" {
            return Ok([&y, &mean, &rstd, &sum].map(|values| Wanted::exactly(values)).into());
        }
        let (scale, (relative, absolute)) = (f64::from(host.dropout.scale()), rounding::<T>());
        let one = |(&off, &sum): (&f64, &f32)| {
            // A fused multiply-add on either side, and the device's rounding.
            let (off, sum) = (scale * off, f64::from(sum).abs());
            let off = off + 2.0 * 0.5f64.powi(24) * (sum + off);
            off + relative * (sum + off) + absolute
        };
        let bounds = self.bounds(host, &product, 1.0)?.iter().zip(&sum).map(one).collect();
        let want = Wanted::within(wide(&sum), bounds);

        let sum: Vec<f32> = self.sum.read("sum")?.values.iter().map(|&x| x as f32).collect();
        let out = layer_norm::Output { y: &mut y, mean: &mut mean, rstd: &mut rstd };
        layer_norm::forward(&sum, affine, EPS, out)?;
        let mut wanted =
            either::<T>([&y, &mean, &rstd], || Bounds::new::<T>([&sum, &mean, &rstd, &host.gamma]).forward(&y));
        wanted.push(want);
        Ok(wanted)
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    let layers = |sizes: super::Sizes| {
        let (n, c, f) = (sizes.b * sizes.t, sizes.c, sizes.f);
        // A norm's arithmetic is of whole groups of columns: 512, as the base model has, are some.
        (vec![(n, f, c)], vec![(n, BASE.c, c), (n, BASE.c, f)])
    };
    let (dropped, normalized) = match grid {
        Grid::Awkward => {
            let shapes = vec![(1, 1, 1), (33, 31, 5), (70, 130, 67), (3, 1027, 4)];
            (shapes.clone(), shapes)
        }
        Grid::Small => layers(SMALL),
        Grid::Base => layers(BASE),
    };
    for (follows, shapes) in [(Follows::Dropout, dropped), (Follows::Norm, normalized)] {
        for (rows, d_out, d_in) in shapes {
            let (sizes, offset) = (LinearSizes { rows, d_out, d_in }, grid.offset());
            every_element!(cases, case(follows, sizes, offset));
            cases.push(case::<Tf32>(follows, sizes, offset));
        }
    }
}
