//! A device's arguments, whose type is known at run time, as those of launchers, which are compiled for a type each.

use super::memory::{Act, ActMut, Activations};
use crate::cuda::{Element, View, ViewMut};
use crate::device::{Linear, Norm, NormGradients, NormInput, NormOutput};
use crate::layer_norm::cuda as norm;
use crate::matmul::{Rhs, cuda as matmul};

pub(super) fn affine<'a>(norm: &Norm<View<'a>>) -> norm::Affine<'a> {
    norm::Affine { gamma: norm.gamma, beta: norm.beta }
}

pub(super) fn output<'a, T: Element>(out: NormOutput<ActMut<'a>, ViewMut<'a>>) -> norm::Output<'a, T> {
    let NormOutput { y, mean, rstd } = out;
    norm::Output { y: y.of(), mean, rstd }
}

pub(super) fn backward<'a, T: Element>(input: NormInput<Act<'a>, View<'a>>) -> norm::Backward<'a, T> {
    let NormInput { dy, sum, mean, rstd, gamma } = input;
    norm::Backward { dy: dy.of(), sum: sum.of(), mean, rstd, gamma }
}

pub(super) fn gradients<'a, T: Element>(out: NormGradients<ActMut<'a>, ViewMut<'a>>) -> norm::Gradients<'a, T> {
    let NormGradients { dsum, dgamma, dbeta } = out;
    norm::Gradients { dsum: dsum.of(), dgamma, dbeta }
}

/// A linear layer's operands; packed weights are a copy.
pub(super) fn linear_of<'a, T: Element>(
    Linear { sizes, x, w, bias, .. }: Linear<Act<'a>, Act<'a>, &'a Activations, View<'a>>,
) -> matmul::Linear<'a, T> {
    matmul::Linear { sizes, x: x.of(), w: w.of(), bias }
}

/// A packed weight is a copy as it is.
pub(super) fn unpacked<'a, T: Element>(b: Rhs<Act<'a>, &'a Activations>) -> Rhs<View<'a, T>, View<'a, T>> {
    b.map(Act::of, |packed| packed.view().of())
}

/// The expression, with `T` the type of the device's activations.
macro_rules! typed {
    ($device:ident, $T:ident => $body:expr) => {
        match $device.precision {
            Precision::F32 | Precision::Tf32 => {
                type $T = f32;
                $body
            }
            Precision::Bf16 => {
                type $T = Bf16;
                $body
            }
            Precision::F16 => {
                type $T = F16;
                $body
            }
        }
    };
}

/// The same for products, with `T` the type that they take factors for.
macro_rules! product {
    ($device:ident, $T:ident => $body:expr) => {
        if $device.precision == Precision::Tf32 {
            type $T = Tf32;
            $body
        } else {
            typed!($device, $T => $body)
        }
    };
}

pub(super) use {product, typed};
