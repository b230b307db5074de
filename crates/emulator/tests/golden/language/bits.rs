//! Integer operations: quotients, bit fields, permutations, wide products.

use super::y;
use crate::{
    common::Random,
    ways::{assert_same, integers, same},
};

const N: usize = 250;

#[test]
fn quotients_of_32_bits() {
    let mut random = Random(100);
    let (a, mut b) = (integers(&mut random, N), integers(&mut random, N));
    // The least number by -1 has no quotient.
    b.iter_mut().zip(&a).filter(|(b, a)| **b == 0 || (**b == -1 && **a == i32::MIN)).for_each(|(b, _)| *b = 7);
    let results = |(&a, &b): (&i32, &i32)| [a / b, a % b, (a as u32 / b as u32) as i32, (a as u32 % b as u32) as i32];
    let expected: Vec<i32> = a.iter().zip(&b).flat_map(results).collect();
    same("language", |device| y(device, "divide_32", &[&a, &b], N, 4), |got: &Vec<i32>| assert_same(got, &expected));
}

#[test]
fn quotients_of_64_bits() {
    let mut random = Random(101);
    // Short and long ones, which take different ways.
    let mut numbers = || -> Vec<i64> { (0..N).map(|_| random.next() as i64 >> (random.next() % 64)).collect() };
    let (a, mut b) = (numbers(), numbers());
    b.iter_mut().zip(&a).filter(|(b, a)| **b == 0 || (**b == -1 && **a == i64::MIN)).for_each(|(b, _)| *b = 7);
    let results = |(&a, &b): (&i64, &i64)| [a / b, a % b, (a as u64 / b as u64) as i64, (a as u64 % b as u64) as i64];
    let expected: Vec<i64> = a.iter().zip(&b).flat_map(results).collect();
    same("language", |device| y(device, "divide_64", &[&a, &b], N, 4), |got: &Vec<i64>| assert_same(got, &expected));
}

/// Bit `at` of x.
fn bit(x: u32, at: u32) -> u32 {
    if at < 32 { x >> at & 1 } else { 0 }
}

/// Bits put together from the lowest.
fn word(bit: impl Fn(u32) -> u32) -> u32 {
    (0..32).map(|at| bit(at) << at).sum()
}

/// Byte `at` of x.
fn byte(x: u32, at: u32) -> u32 {
    x >> (8 * at) & 0xff
}

fn expected(a: u32, b: u32, c: u32) -> [u32; 20] {
    let (position, length) = (b & 63, c & 63);
    // What fills a signed field is its highest bit, or that of the word where it reaches beyond.
    let fill = if length == 0 { 0 } else { bit(a, (position + length - 1).min(31)) };
    let (start, width) = (c & 31, c >> 8 & 31);
    let pair = [a, b];
    let both = u64::from(b) << 32 | u64::from(a);
    let wide = u64::from(a) << 32 | u64::from(b);
    let each = |f: &dyn Fn(u32) -> u32| (0..4).map(|i| f(i) << (8 * i)).sum::<u32>();
    let product = |i| i32::from(byte(a, i) as i8).wrapping_mul(byte(b, i) as i32);
    [
        each(&|i| {
            let selector = c >> (4 * i) & 7;
            byte(pair[(selector / 4) as usize], selector % 4)
        }),
        (both << (c & 31) >> 32) as u32,
        (both >> (c & 31)) as u32,
        (0..32).map(|at| bit(a, at)).sum(),
        (0..32).rev().take_while(|&at| bit(a, at) == 0).count() as u32,
        (0..32).find(|&at| bit(a, at) == 1).map_or(0, |at| at + 1),
        word(|at| bit(a, 31 - at)),
        ((u64::from(a) * u64::from(b)) >> 32) as u32,
        ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as u32,
        (u64::from(a & 0xff_ffff) * u64::from(b & 0xff_ffff)) as u32,
        word(|at| if bit(a, at) == 1 { bit(b, at) } else { bit(c, at) }),
        word(|at| (bit(a, at) + bit(b, at) + bit(c, at)) % 2),
        word(|at| if at < length { bit(a, position + at) } else { 0 }),
        word(|at| if at < length && position + at < 32 { bit(a, position + at) } else { fill }),
        word(|at| if (start..start + width).contains(&at) { bit(a, at - start) } else { bit(b, at) }),
        (a as i32).abs_diff(b as i32).wrapping_add(c),
        each(&|i| (byte(a, i) + byte(b, i)).min(255)),
        (0..4).fold(c as i32, |sum, i| sum.wrapping_add(product(i))) as u32,
        (0..64).map(|at| (wide >> at & 1) as u32).sum::<u32>(),
        ((0..64).fold(0u64, |x, at| x << 1 | wide >> at & 1) >> 7) as u32,
    ]
}

#[test]
fn fields_permutations_and_products() {
    let mut random = Random(102);
    let mut words = || -> Vec<u32> { integers(&mut random, N).into_iter().map(|x| x as u32).collect() };
    let (a, b, c) = (words(), words(), words());
    let expected: Vec<u32> = (0..N).flat_map(|i| expected(a[i], b[i], c[i])).collect();
    same("language", |device| y(device, "bits", &[&a, &b, &c], N, 20), |got: &Vec<u32>| assert_same(got, &expected));
}
