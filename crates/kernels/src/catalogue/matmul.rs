//! Matrix products: the linear layers of a training step, forward and backward.

use super::data::{Data, as_type, made};
use super::verdict::wide;
use super::{BASE, Case, Grid, Output, Run, SMALL, Sizes, Wanted, Work, every_element, whole_products};
use crate::Error;
use crate::cuda::{Bf16, Element, F16, Queue, Tf32};
use crate::matmul::cuda::Kernels;
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start, matmul};

/// An epilogue by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    None,
    Bias,
    BiasRelu,
    ReluGradient,
}

/// Dropout's 1 / (1 - p) for p = 0.2, exactly.
const SCALE: f32 = 1.25;

impl End {
    fn with<V, B>(self, activation: V, bias: B) -> Epilogue<V, B> {
        match self {
            End::None => Epilogue::None,
            End::Bias => Epilogue::Bias(bias),
            End::BiasRelu => Epilogue::BiasRelu(bias),
            End::ReluGradient => Epilogue::ReluGradient { activation, scale: SCALE },
        }
    }
}

/// Whose products.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Us,
    /// See [`Kernels::with_cublaslt`].
    #[cfg(feature = "cublaslt")]
    CublasLt,
}

impl By {
    fn load(self, queue: &Queue) -> Result<Kernels, Error> {
        let kernels = Kernels::load(queue)?;
        match self {
            By::Us => Ok(kernels),
            #[cfg(feature = "cublaslt")]
            By::CublasLt => kernels.with_cublaslt(queue),
        }
    }

    /// Whether they have products with such an end, of results that are f32 or not.
    fn makes(self, _end: End, _f32: bool) -> bool {
        match self {
            By::Us => true,
            #[cfg(feature = "cublaslt")]
            By::CublasLt => _end == End::None || (_f32 && _end != End::ReluGradient),
        }
    }
}

/// A product; how its operands are stored is two letters, `t` for a transposed one.
#[derive(Clone, Copy, Debug)]
struct Product {
    layout: &'static str,
    shape: Shape,
    start: Start,
    end: End,
    /// Whether C is f32, whatever the operands are.
    to_f32: bool,
}

impl Product {
    fn lhs<V>(&self, a: V) -> Lhs<V> {
        if self.layout.starts_with('t') { Lhs::Transposed(a) } else { Lhs::Rows(a) }
    }

    fn rhs<V, P>(&self, b: V) -> Rhs<V, P> {
        if self.layout.ends_with('t') { Rhs::Transposed(b) } else { Rhs::Rows(b) }
    }

    fn operation(&self, by: By) -> &'static str {
        match (by, self.to_f32) {
            (By::Us, false) => "matmul",
            (By::Us, true) => "matmul_to_f32",
            #[cfg(feature = "cublaslt")]
            (By::CublasLt, false) => "matmul_cublaslt",
            #[cfg(feature = "cublaslt")]
            (By::CublasLt, true) => "matmul_to_f32_cublaslt",
        }
    }

    fn name(&self) -> String {
        let Shape { m, n, k } = self.shape;
        let start = if self.start == Start::Accumulate { "_accumulate" } else { "" };
        let end = match self.end {
            End::None => "",
            End::Bias => "_bias",
            End::BiasRelu => "_bias_relu",
            End::ReluGradient => "_relu_gradient",
        };
        format!("{}_M{m}_N{n}_K{k}{start}{end}", self.layout)
    }

    fn work<T: Element>(&self) -> Work {
        let Shape { m, n, k } = self.shape;
        let (e, c) = (size_of::<T>(), m * n * if self.to_f32 { 4 } else { size_of::<T>() });
        let other = match self.end {
            End::None => 0,
            End::Bias | End::BiasRelu => 4 * n,
            End::ReluGradient => m * n * e,
        };
        let before = if self.start == Start::Accumulate { c } else { 0 };
        // Beside the products: a bias or what was there is added, and the larger of the sum and 0 taken.
        let work = Work::bytes((m * k + k * n) * e + other + before, c);
        work.multiply_adds::<T>(m * n * k, whole_products::<T>(m, n, k), 2 * m * n)
    }
}

fn case<T: Element>(product: Product, offset: usize, by: By) -> Case {
    Case::new::<T, _>(product.operation(by), product.name(), product.work::<T>(), move |queue| {
        Operands::<T>::new(by.load(queue)?, queue, product, offset)
    })
}

/// C in memory: of the operands' type, or f32.
enum Target<T> {
    Same(Data<T>),
    Wide(Data<f32>),
}

struct Operands<T> {
    kernels: Kernels,
    product: Product,
    a: Data<T>,
    b: Data<T>,
    bias: Data,
    activation: Data<T>,
    c: Target<T>,
}

impl<T: Element> Operands<T> {
    fn new(kernels: Kernels, queue: &Queue, product: Product, offset: usize) -> Result<Self, Error> {
        let Host { a, b, bias, activation, c } = Host::new::<T>(product);
        Ok(Operands {
            kernels,
            product,
            a: Data::input(queue, &as_type(&a), offset)?,
            b: Data::input(queue, &as_type(&b), offset)?,
            bias: Data::input(queue, &bias, offset)?,
            activation: Data::input(queue, &as_type(&activation), offset)?,
            c: if product.to_f32 {
                Target::Wide(Data::changed(queue, &c, offset)?)
            } else {
                Target::Same(Data::changed(queue, &as_type(&c), offset)?)
            },
        })
    }
}

/// The operands' values.
struct Host {
    a: Vec<f32>,
    b: Vec<f32>,
    bias: Vec<f32>,
    activation: Vec<f32>,
    c: Vec<f32>,
}

impl Host {
    fn new<T: Element>(product: Product) -> Self {
        let Shape { m, n, k } = product.shape;
        let of = |needed: bool, len: usize| if needed { len } else { 0 };
        let biased = matches!(product.end, End::Bias | End::BiasRelu);
        Host {
            a: made::<T>(m * k, 1),
            b: made::<T>(k * n, 2),
            bias: made::<f32>(of(biased, n), 3),
            activation: made::<T>(of(product.end == End::ReluGradient, m * n), 4),
            // What is not read must not show.
            c: match (product.start, product.to_f32) {
                (Start::Zero, _) => vec![f32::NAN; m * n],
                (Start::Accumulate, true) => made::<f32>(m * n, 5),
                (Start::Accumulate, false) => made::<T>(m * n, 5),
            },
        }
    }
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        match &mut self.c {
            Target::Same(c) => c.reset(),
            Target::Wide(c) => c.reset(),
        }
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let Product { shape, start, end, .. } = self.product;
        let (a, b) = (self.product.lhs(self.a.view()), self.product.rhs(self.b.view()));
        let epilogue = end.with(self.activation.view(), self.bias.view());
        match &mut self.c {
            Target::Same(c) => self.kernels.matmul(queue, shape, a, b, start, epilogue, c.view_mut()),
            Target::Wide(c) => self.kernels.matmul_to_f32(queue, shape, a, b, start, epilogue, c.view_mut()),
        }
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![match &self.c {
            Target::Same(c) => c.read("c")?,
            Target::Wide(c) => c.read("c")?,
        }])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let Product { shape, start, end, to_f32, .. } = self.product;
        let Host { a, b, bias, activation, c } = Host::new::<T>(self.product);
        let product = |a: &[f32], b: &[f32], start: Start, epilogue: Epilogue<&[f32]>, c: &mut [f32]| {
            matmul(shape, self.product.lhs(a), self.product.rhs(b), start, epilogue, c)
        };
        let (a, b) = (factors::<T>(&a), factors::<T>(&b));
        let mut want = c.clone();
        product(&a, &b, start, end.with(&activation, &bias), &mut want)?;
        if T::NAME == "f32" {
            return Ok(vec![Wanted::exactly(&want)]);
        }
        let magnitudes = |x: &[f32]| x.iter().map(|x| x.abs()).collect::<Vec<f32>>();
        let mut sums = vec![0.0; want.len()];
        product(&magnitudes(&a), &magnitudes(&b), Start::Zero, Epilogue::None, &mut sums)?;
        let bound = |at: usize| {
            let c = if start == Start::Accumulate { c[at] } else { 0.0 };
            let bias = bias.get(at % shape.n).copied().unwrap_or(0.0);
            let other = f64::from(c.abs()) + f64::from(bias.abs());
            let factor = match end {
                End::ReluGradient if activation[at] > 0.0 => f64::from(SCALE),
                End::ReluGradient => 0.0,
                _ => 1.0,
            };
            bound::<T>(shape.k, f64::from(sums[at]), other, factor, f64::from(want[at]), to_f32)
        };
        let bound = (0..want.len()).map(bound).collect();
        Ok(vec![Wanted::within(wide(&want), bound)])
    }
}

/// What products of T multiply, of values that T has.
pub(super) fn factors<T: Element>(values: &[f32]) -> Vec<f32> {
    values.iter().map(|&x| T::from_f32(x).factor()).collect()
}

/// The relative error of rounding to T, and the absolute one where T has no smaller exponents left.
pub(super) fn rounding<T: Element>() -> (f64, f64) {
    match T::NAME {
        "bf16" => (2f64.powi(-8), 2f64.powi(-134)),
        "f16" => (2f64.powi(-11), 2f64.powi(-25)),
        _ => (2f64.powi(-24), 2f64.powi(-150)),
    }
}

/// How far tensor cores and the CPU may be from each other.
///
/// Both multiply exactly. The hardware adds K terms in some order and may truncate each sum, which is never more than
/// `sum`, that of the magnitudes: K 2^-23 times it. The CPU's chain rounds K times, half as much each, and starts from
/// the old C. Then come at most three roundings on either side, of values within `sum + other`, `other` being old C and
/// bias: six times 2^-24. ReLU brings values no further apart. The device's last one is to C's type. `sum` itself is
/// from f32, and errors are made of values that are off: less than the 1.01 that all is multiplied by, K being below 2^15.
pub(super) fn bound<T: Element>(k: usize, sum: f64, other: f64, factor: f64, want: f64, to_f32: bool) -> f64 {
    let k = k as f64;
    let off = 1.01 * factor * (k * 2f64.powi(-23) + (k + 6.0) * 2f64.powi(-24)) * (sum + other);
    let (relative, absolute) = if to_f32 { rounding::<f32>() } else { rounding::<T>() };
    off + relative * (want.abs() + off) + absolute
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    match grid {
        Grid::Awkward => awkward(cases),
        Grid::Small => layers(SMALL, By::Us, cases),
        Grid::Base => layers(BASE, By::Us, cases),
    }
}

/// Those of [`Grid::Base`] that cuBLASLt has.
#[cfg(feature = "cublaslt")]
pub(super) fn by_cublaslt() -> Vec<Case> {
    let mut cases = Vec::new();
    layers(BASE, By::CublasLt, &mut cases);
    cases
}

const LAYOUTS: [&str; 4] = ["nn", "nt", "tn", "tt"];

/// Every layout with every start and every epilogue, around the sides of tiles and chunks of terms.
fn awkward(cases: &mut Vec<Case>) {
    let mut count = 0;
    for (m, n, k) in [(1, 1, 1), (3, 5, 0), (33, 35, 41), (65, 9, 70)] {
        for layout in LAYOUTS {
            for start in [Start::Zero, Start::Accumulate] {
                // The epilogues in turn: over the shapes, every layout and start meet every one.
                let end = [End::None, End::Bias, End::BiasRelu, End::ReluGradient][count % 4];
                let product = Product { layout, shape: Shape { m, n, k }, start, end, to_f32: false };
                let offset = Grid::Awkward.offset();
                every_element!(cases, case(product, offset, By::Us));
                cases.push(case::<Tf32>(product, offset, By::Us));
                let product = Product { to_f32: true, ..product };
                cases.push(case::<Tf32>(product, offset, By::Us));
                cases.push(case::<Bf16>(product, offset, By::Us));
                cases.push(case::<F16>(product, offset, By::Us));
                count += 1;
            }
        }
        count += 1;
    }
}

/// The linear layers: of queries, keys and values, of the feed-forward network, and of the logits.
fn layers(sizes: Sizes, by: By, cases: &mut Vec<Case>) {
    let Sizes { b, t, c, f, v, rows, .. } = sizes;
    let n = b * t;
    let of = |layout, m, n, k, start, end, to_f32| Product { layout, shape: Shape { m, n, k }, start, end, to_f32 };
    let (zero, add) = (Start::Zero, Start::Accumulate);
    for product in [
        of("nt", n, 3 * c, c, zero, End::Bias, false),
        of("nt", n, f, c, zero, End::BiasRelu, false),
        of("nt", n, c, f, zero, End::Bias, false),
        of("nt", rows, v, c, zero, End::None, false),
        of("nn", n, f, c, zero, End::ReluGradient, false),
        of("nn", n, c, f, zero, End::None, false),
        of("nn", rows, c, v, zero, End::None, false),
        of("nn", n, c, 3 * c, add, End::None, false),
    ] {
        if by.makes(product.end, true) {
            cases.push(case::<f32>(product, 0, by));
            cases.push(case::<Tf32>(product, 0, by));
        }
        if by.makes(product.end, false) {
            cases.push(case::<Bf16>(product, 0, by));
            cases.push(case::<F16>(product, 0, by));
        }
    }
    // Gradients of weights, which are f32.
    for (m, n, k) in [(3 * c, c, n), (f, c, n), (c, f, n), (v, c, rows)] {
        let product = |to_f32| of("tn", m, n, k, add, End::None, to_f32);
        cases.push(case::<f32>(product(false), 0, by));
        cases.push(case::<Tf32>(product(true), 0, by));
        cases.push(case::<Bf16>(product(true), 0, by));
        cases.push(case::<F16>(product(true), 0, by));
    }
}

pub(super) fn square(n: usize, element: &str) -> Vec<Case> {
    let product =
        |layout| Product { layout, shape: Shape { m: n, n, k: n }, start: Start::Zero, end: End::None, to_f32: false };
    let of = match element {
        "tf32" => case::<Tf32>,
        "bf16" => case::<Bf16>,
        "f16" => case::<F16>,
        _ => case::<f32>,
    };
    ["nt", "nn", "tn"].map(|layout| of(product(layout), 0, By::Us)).into()
}
