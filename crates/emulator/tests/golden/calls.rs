//! Calls: in divergent code, of structures, recursive, through pointers.

use crate::{
    common::{Arg, Device, Plain, Random},
    ways::{assert_same, integers, same},
};

const N: usize = 167;

/// Runs a kernel of `calls.cu` whose last parameters are y and n.
fn y<T: Plain>(device: &Device, name: &str, inputs: &[&[i32]]) -> Vec<T> {
    let y = device.allocate::<T>(N);
    let mut args: Vec<Arg> = inputs.iter().map(|input| device.upload(input).into()).collect();
    args.extend([y.into(), (N as i32).into()]);
    device.clean(name, [3, 1, 1], [64, 1, 1], 0, &args);
    device.download(y, N)
}

#[test]
fn functions_are_called_from_both_sides_of_a_branch() {
    let x = integers(&mut Random(10), N);
    let expected: Vec<i32> = (0..)
        .zip(&x)
        .map(|(i, &x): (i32, _)| {
            let square_plus = |a: i32, b: i32| a.wrapping_mul(a).wrapping_add(b);
            if x % 2 == 0 { square_plus(x, i) } else { square_plus(i, x).wrapping_mul(3) }
        })
        .collect();
    same("calls", |device| y(device, "call_functions", &[&x]), |got: &Vec<i32>| assert_same(got, &expected));
}

#[test]
fn structures_are_passed_and_returned() {
    let expected: Vec<f64> = (0..N).map(|i| i as f64 * 0.5 - i as f64 + 10.0).collect();
    same("calls", |device| y(device, "call_structures", &[]), |got: &Vec<f64>| assert_same(got, &expected));
}

#[test]
fn each_lane_recurses_as_deep_as_it_needs() {
    fn ackermann(m: u64, n: u64) -> u64 {
        match (m, n) {
            (0, _) => n + 1,
            (_, 0) => ackermann(m - 1, 1),
            _ => ackermann(m - 1, ackermann(m, n - 1)),
        }
    }
    let expected: Vec<u64> = (0..N as u64).map(|i| ackermann(i % 3, i / 3 % 4)).collect();
    same("calls", |device| y(device, "recurse", &[]), |got: &Vec<u64>| assert_same(got, &expected));
}

#[test]
fn each_frame_has_its_own_array() {
    fn frames(depth: i32, seed: i32) -> i32 {
        let own: [i32; 4] = std::array::from_fn(|i| seed * 4 + i as i32);
        let below = if depth > 0 { frames(depth - 1, seed + own[seed as usize & 3]) } else { 0 };
        below + own[(seed + depth) as usize & 3]
    }
    let expected: Vec<i32> = (0..N as i32).map(|i| frames(i % 5, i)).collect();
    same("calls", |device| y(device, "recurse_with_arrays", &[]), |got: &Vec<i32>| assert_same(got, &expected));
}

#[test]
fn lanes_call_different_functions_through_pointers() {
    let mut random = Random(11);
    let x = integers(&mut random, N);
    let which: Vec<i32> = (0..N).map(|_| (random.next() % 1000) as i32).collect();
    let expected: Vec<i32> = x
        .iter()
        .zip(&which)
        .map(|(&x, which)| match which % 3 {
            0 => x.wrapping_add(1),
            1 => x.wrapping_mul(2),
            _ => x.wrapping_neg(),
        })
        .collect();
    same("calls", |device| y(device, "call_pointers", &[&x, &which]), |got: &Vec<i32>| assert_same(got, &expected));
}
