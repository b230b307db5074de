//! Floating-point functions.

mod approximate;
mod conversions;
mod library;
mod packed;
mod rounding;

use crate::common::{Arg, Device, Plain, Random};

/// Numbers at which functions do what is special, and some of all sizes.
fn numbers(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random(seed);
    let mut x = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        -1.5,
        1e-45,
        -1e-40,
        f32::MIN_POSITIVE,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1.000_000_1,
        0.999_999_94,
        1e-20,
        3e30,
        16_777_217.0,
        2_147_483_648.0,
        -2.5,
        3.5,
    ];
    while x.len() < count {
        x.push(match x.len() % 3 {
            0 => f32::from_bits(random.next() as u32),
            1 => random.uniform() * 8.0,
            _ => random.uniform() * 200.0,
        });
    }
    x
}

/// Runs a kernel with one thread an element, and gives `words` numbers an element.
fn y<X: Plain, Y: Plain>(device: &Device, name: &str, inputs: &[&[X]], words: usize) -> Vec<Y> {
    let n = inputs[0].len();
    let y = device.allocate::<Y>(n * words);
    let mut args: Vec<Arg> = inputs.iter().map(|input| device.upload(input).into()).collect();
    args.extend([y.into(), (n as i32).into()]);
    device.clean(name, [n.div_ceil(64) as u32, 1, 1], [64, 1, 1], 0, &args);
    device.download(y, n * words)
}
