//! Conversions, against the language's own (which saturate and give 0 for NaN, as PTX does) and the formats' definition.

use super::{numbers, y};
use crate::{
    common::Random,
    format::{BF16, F16, F32, Format, Mode, TF32},
    ways::{assert_same, same},
};

/// What a conversion must give: these bits, or any NaN of a format.
enum Expected {
    Bits(u32),
    Nan(Format),
}

fn narrowed(format: Format, x: f32, mode: Mode) -> Expected {
    format.of(x.into(), mode).map_or(Expected::Nan(format), |bits| Expected::Bits(bits as u32))
}

fn expected(x: f32) -> [Expected; 12] {
    use Expected::*;
    let half = (x.to_bits() & 0xffff) as u16;
    [
        Bits(x.round_ties_even() as i32 as u32),
        Bits(x.trunc() as i32 as u32),
        Bits(x.floor() as i32 as u32),
        Bits(x.ceil() as i32 as u32),
        Bits(x as u32),
        Bits(x.round_ties_even() as i64 as u32),
        narrowed(F16, x, Mode::NearestEven),
        narrowed(BF16, x, Mode::NearestEven),
        // A tf32 is an f32 whose low bits are 0.
        match narrowed(TF32, x, Mode::NearestAway) {
            Bits(bits) => Bits(bits << 13),
            Nan(_) => Nan(F32),
        },
        match F16.value(half.into()) {
            x if x.is_nan() => Nan(F32),
            x => Bits((x as f32).to_bits()),
        },
        // A shift, of a NaN too.
        Bits(u32::from(half) << 16),
        // The upper half of an f64 is laid out like a format of 11 and 20 bits.
        if x.is_nan() {
            Nan(Format { exponent: 11, fraction: 20 })
        } else {
            Bits((f64::from(x).to_bits() >> 32) as u32)
        },
    ]
}

#[test]
fn of_f32() {
    let mut x = numbers(94, 400);
    // Ties of bf16, tf32 and f16, at all sizes of f16.
    x.extend(
        (0..100u32)
            .map(|i| f32::from_bits(0x3300_0000 + i * 0x0030_0000 + [0x8000, 0x1000, 0x1000, 0][i as usize % 4])),
    );
    let expected: Vec<Expected> = x.iter().copied().flat_map(expected).collect();
    same(
        "math",
        |device| y(device, "conversions", &[&x], 12),
        |got: &Vec<u32>| {
            for (at, (&got, expected)) in got.iter().zip(&expected).enumerate() {
                match expected {
                    Expected::Bits(bits) => assert!(got == *bits, "{at} of {}: {got:#x}, not {bits:#x}", x[at / 12]),
                    Expected::Nan(format) => assert!(format.is_nan(got.into()), "{at} of {}: {got:#x}", x[at / 12]),
                }
            }
        },
    );
}

#[test]
fn of_integers() {
    let mut random = Random(95);
    let mut x = vec![0, 1, -1, i64::MAX, i64::MIN, 0xffff_ff7f, 0xffff_ff80, 0x8000_0000, 16_777_217, 16_777_219];
    // Ties of f32 and of f64.
    x.extend([(1 << 53) + 1, (1 << 53) + 3, (1 << 40) + (1 << 16), -(1 << 62) - (1 << 9), (1 << 62) + (1 << 38) + 1]);
    x.extend((0..200).map(|_| random.next() as i64 >> (random.next() % 64)));
    let n = x.len();
    let singles: Vec<u32> = x
        .iter()
        .flat_map(|&x| [x as i32 as f32, x as u32 as f32, x as f32, x as u64 as f32])
        .map(f32::to_bits)
        .collect();
    let doubles: Vec<u64> = x.iter().flat_map(|&x| [x as f64, x as u64 as f64]).map(f64::to_bits).collect();
    same(
        "math",
        |device| {
            let (y, z) = (device.allocate::<f32>(n * 4), device.allocate::<f64>(n * 2));
            let args = [device.upload(&x).into(), y.into(), z.into(), (n as i32).into()];
            device.clean("from_integers", [n.div_ceil(64) as u32, 1, 1], [64, 1, 1], 0, &args);
            (device.download::<u32>(y, n * 4), device.download::<u64>(z, n * 2))
        },
        |(y, z)| {
            assert_same(y, &singles);
            assert_same(z, &doubles);
        },
    );
}
