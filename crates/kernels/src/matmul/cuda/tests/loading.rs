//! Kernels are loaded by the first launch that needs them.

use super::super::linear::Linear;
use super::*;
use crate::cuda::{Bf16, F16, Tf32};
use crate::device::LinearSizes;
use crate::dropout::Dropout;

/// 2 x 3.
fn product<T: Element>(queue: &Queue, kernels: &Kernels) -> Result<(), Error> {
    let [a, b] = [2.0, 3.0].map(|x| Buffer::from_host(queue, &[T::from_f32(x)]).unwrap());
    let mut c = Buffer::<T>::zeros(queue, 1)?;
    let (a, b) = (Lhs::Rows(a.view()), Rhs::Rows(b.view()));
    kernels.matmul(queue, Shape { m: 1, n: 1, k: 1 }, a, b, Start::Zero, Epilogue::None, c.view_mut())?;
    assert_eq!(c.read()?, [T::from_f32(6.0)]);
    Ok(())
}

#[test]
fn what_is_not_launched_is_not_loaded() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let mut loaded = vec![queue.loaded()];
    for launch in [product::<Bf16>, product::<Bf16>, product::<f32>, product::<Tf32>, product::<F16>] {
        launch(&queue, &kernels).unwrap();
        loaded.push(queue.loaded());
    }
    assert_eq!(loaded, [0, 1, 1, 2, 3, 4]);
    // A linear layer is a product, unless something is dropped behind it.
    for (p, want) in [(0.0, 4), (0.5, 5)] {
        let x = Buffer::from_host(&queue, &[1.0f32]).unwrap();
        let mut y = Buffer::<f32>::zeros(&queue, 1).unwrap();
        let sizes = LinearSizes { rows: 1, d_out: 1, d_in: 1 };
        let linear = Linear { sizes, x: x.view(), w: x.view(), bias: x.view() };
        kernels.linear_relu_dropout(&queue, linear, Dropout::new(p, 1, 1, 1).unwrap(), y.view_mut()).unwrap();
        assert_eq!(queue.loaded(), want);
    }
}

/// The same operands for every launch, since a capture cannot hold an allocation either.
#[test]
fn a_capture_refuses_to_load_and_takes_what_was_launched_once() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let x = Buffer::from_host(&queue, &[3.0f32]).unwrap();
    let mut c = Buffer::<f32>::zeros(&queue, 1).unwrap();
    let mut launch = || {
        let (a, b) = (Lhs::Rows(x.view()), Rhs::Rows(x.view()));
        kernels.matmul(&queue, Shape { m: 1, n: 1, k: 1 }, a, b, Start::Accumulate, Epilogue::None, c.view_mut())
    };
    let refused = queue.capture(&mut launch);
    assert!(matches!(refused, Err(Error::Capture { doing: "loading kernels" })), "{refused:?}");
    assert_eq!(queue.loaded(), 0);
    launch().unwrap();
    let mut graph = queue.capture(&mut launch).unwrap();
    queue.replay(&mut graph).unwrap();
    assert_eq!(c.read().unwrap(), [18.0]);
}
