//! Less common PTX: local arrays, module variables, dynamic shared memory, switches, divisions, bit operations,
//! structures as parameters, generic addresses, traps.

mod bits;
mod flow;
mod spaces;

use crate::common::{Arg, Device, Plain};

/// Runs a kernel of one thread an element, with input buffers, y of `words` numbers an element, and n.
fn y<X: Plain, Y: Plain>(device: &Device, name: &str, inputs: &[&[X]], n: usize, words: usize) -> Vec<Y> {
    let y = device.allocate::<Y>(n * words);
    let mut args: Vec<Arg> = inputs.iter().map(|input| device.upload(input).into()).collect();
    args.extend([y.into(), (n as i32).into()]);
    device.clean(name, [n.div_ceil(96) as u32, 1, 1], [96, 1, 1], 0, &args);
    device.download(y, n * words)
}
