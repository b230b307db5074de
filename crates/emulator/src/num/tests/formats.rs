//! The 16-bit and 8-bit formats: widening of every value, and narrowing of every value, tie and neighbour of one, of a
//! stride through all f32, and of random f64.

use std::cmp::Ordering;

use super::exact::{Exact, Format, ROUNDS};
use super::full;
use super::random::Random;
use crate::num::tf32::Tf32Round;
use crate::num::{Round, bf16, cvt, f16, fp8, tf32};

#[test]
fn every_f16_and_bf16_widens() {
    for bits in 0..=u16::MAX {
        let want = Format::F16.decode_f64(u64::from(bits));
        let got = f16::to_f32(bits);
        match bits & 0x7fff {
            0x7c00 => assert_eq!(got, f32::INFINITY.copysign(want as f32)),
            0x7c01.. => assert_eq!(got.to_bits(), 0x7fff_ffff),
            _ => assert_eq!(f64::from(got).to_bits(), want.to_bits(), "{bits:#x}"),
        }
        assert_eq!(f16::is_nan(bits), got.is_nan());
        let want = Format::BF16.decode_f64(u64::from(bits));
        let got = bf16::to_f32(bits);
        match bits & 0x7fff {
            0x7f80 => assert_eq!(got, f32::INFINITY.copysign(want as f32)),
            0x7f81.. => assert!(got.is_nan()),
            _ => assert_eq!(f64::from(got).to_bits(), want.to_bits(), "{bits:#x}"),
        }
        assert_eq!(bf16::is_nan(bits), got.is_nan());
    }
}

#[test]
fn every_8_bit_float_widens() {
    for bits in 0..=u8::MAX {
        let (e4m3, e5m2) = (fp8::e4m3_to_f32(bits), fp8::e5m2_to_f32(bits));
        let want = Format::E4M3.decode_f64(u64::from(bits));
        if bits & 0x7f == 0x7f {
            assert_eq!((e4m3.to_bits(), fp8::e4m3_to_f16(bits)), (0x7fff_ffff, 0x7fff));
        } else {
            assert_eq!(f64::from(e4m3).to_bits(), want.to_bits(), "{bits:#x}");
            let half = Format::F16.decode_f64(u64::from(fp8::e4m3_to_f16(bits)));
            assert_eq!(half.to_bits(), want.to_bits(), "{bits:#x}");
        }
        let want = Format::E5M2.decode_f64(u64::from(bits));
        match bits & 0x7f {
            0x7c => assert_eq!((e5m2, fp8::e5m2_to_f16(bits) & 0x7fff), (f32::INFINITY.copysign(e5m2), 0x7c00)),
            0x7d.. => assert_eq!((e5m2.to_bits(), fp8::e5m2_to_f16(bits)), (0x7fff_ffff, 0x7fff)),
            _ => {
                assert_eq!(f64::from(e5m2).to_bits(), want.to_bits(), "{bits:#x}");
                let half = Format::F16.decode_f64(u64::from(fp8::e5m2_to_f16(bits)));
                assert_eq!(half.to_bits(), want.to_bits(), "{bits:#x}");
            }
        }
    }
    assert_eq!(fp8::e4m3_to_f32(0x7e), 448.0);
    assert_eq!(fp8::e5m2_to_f32(0x7b), 57344.0);
}

/// The finite magnitudes of a format as f64, which are exact, and what would follow the largest.
fn grid(format: Format) -> Vec<f64> {
    (0..=format.infinity()).map(|bits| format.decode_f64(bits)).collect()
}

/// The bits that `x` rounds to, by searching the grid.
fn search(grid: &[f64], sign: u64, x: f64, round: Round) -> u64 {
    let largest = grid.len() - 2;
    let magnitude = x.abs();
    // The last grid point that is not above.
    let below = grid.partition_point(|&g| g <= magnitude) - 1;
    let up = match round {
        Round::Nearest if below <= largest => {
            // Exact: grid points have 12 bits at most, and their mean one more.
            let middle = (grid[below] + grid[below + 1]) / 2.0;
            magnitude > middle || magnitude == middle && below % 2 == 1
        }
        Round::Nearest => false,
        Round::Zero => false,
        Round::Down => x < 0.0 && magnitude > grid[below],
        Round::Up => x > 0.0 && magnitude > grid[below],
    };
    let away = round == Round::Nearest || round == Round::Down && x < 0.0 || round == Round::Up && x > 0.0;
    let bits = if below > largest && !away { largest } else { (below + usize::from(up)).min(largest + 1) };
    bits as u64 | if x.is_sign_negative() { sign } else { 0 }
}

/// The f32 to try: a stride through all, every grid point and every middle between two, and the neighbours of these.
fn samples(grids: &[&[f64]]) -> Vec<f32> {
    let mut samples: Vec<f32> = (0..=u32::MAX).step_by(9973).map(f32::from_bits).collect();
    for pair in grids.iter().flat_map(|grid| grid.windows(2)) {
        for x in [pair[0], (pair[0] + pair[1]) / 2.0] {
            let bits = (x as f32).to_bits();
            for near in [bits.wrapping_sub(1), bits, bits + 1] {
                samples.extend([f32::from_bits(near), -f32::from_bits(near)]);
            }
        }
    }
    samples.extend([f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MAX, f32::MIN, 0.0, -0.0]);
    samples
}

/// All f32 under `NOAM_FULL_TESTS=1`, else the samples.
fn for_each_sample(grids: &[&[f64]], mut check: impl FnMut(f32)) {
    if full() {
        (0..=u32::MAX).map(f32::from_bits).for_each(check);
    } else {
        samples(grids).into_iter().for_each(&mut check);
    }
}

#[test]
fn f32_narrows_to_f16() {
    let f16_grid = grid(Format::F16);
    for_each_sample(&[&f16_grid], |x| {
        for round in ROUNDS {
            let got = f16::from_f32(x, round);
            if x.is_nan() {
                assert_eq!(got, 0x7fff);
            } else if x.is_infinite() {
                assert_eq!(got, if x > 0.0 { 0x7c00 } else { 0xfc00 });
            } else {
                let want = search(&f16_grid, 0x8000, f64::from(x), round);
                assert_eq!(u64::from(got), want, "{x:e} {round:?}");
            }
        }
    });
}

#[test]
fn f32_narrows_to_bf16() {
    let bf16_grid = grid(Format::BF16);
    for_each_sample(&[&bf16_grid], |x| {
        for round in ROUNDS {
            let got = bf16::from_f32(x, round);
            if x.is_nan() {
                assert_eq!(got, 0x7fff);
            } else if x.is_infinite() {
                assert_eq!(got, if x > 0.0 { 0x7f80 } else { 0xff80 });
            } else {
                let want = search(&bf16_grid, 0x8000, f64::from(x), round);
                assert_eq!(u64::from(got), want, "{x:e} {round:?}");
            }
        }
    });
}

#[test]
fn f32_narrows_to_8_bits() {
    // e4m3 has a number where others have infinity, up to 448; the last code is NaN.
    let e4m3: Vec<f64> = (0..=0x7f).map(|bits| Format::E4M3.decode_f64(bits)).collect();
    let e5m2 = grid(Format::E5M2);
    for_each_sample(&[&e4m3, &e5m2], |x| {
        let got = (fp8::e4m3_from_f32(x), fp8::e5m2_from_f32(x));
        if x.is_nan() {
            assert_eq!(got, (0x7f, 0x7f));
            return;
        }
        let finite = |bits: u64, max: u64| (bits & 0x7f).min(max) as u8 | (bits & 0x80) as u8;
        let clamped = f64::from(x).clamp(-1e9, 1e9);
        let want = (
            finite(search(&e4m3, 0x80, clamped, Round::Nearest), 0x7e),
            finite(search(&e5m2, 0x80, clamped, Round::Nearest), 0x7b),
        );
        assert_eq!(got, want, "{x:e}");
    });
}

#[test]
fn f32_narrows_to_tf32() {
    let mut random = Random(11);
    let tie = |x: f32| f32::from_bits(x.to_bits() & !0x1fff | 0x1000);
    for _ in 0..100_000 {
        let any = random.f32();
        for x in [any, tie(any), f32::from_bits(tie(any).to_bits() ^ 1)] {
            let got =
                [Tf32Round::Nearest, Tf32Round::NearestAway, Tf32Round::Zero].map(|round| tf32::from_f32(x, round));
            if x.is_nan() {
                assert_eq!(got.map(f32::to_bits), [0x7fff_ffff; 3]);
                assert_eq!(tf32::truncate(x).to_bits(), 0x7fff_ffff);
                continue;
            }
            assert!(got.iter().all(|y| y.to_bits() & 0x1fff == 0));
            assert_eq!(tf32::truncate(x).to_bits(), got[2].to_bits());
            if x.is_infinite() || x == 0.0 {
                assert_eq!(got.map(f32::to_bits), [x.to_bits(); 3]);
                continue;
            }
            let exact = Exact::of(f64::from(x));
            let compare = |other: &Exact| exact.compare_magnitude(other);
            let short = |y: f32| u64::from(y.to_bits() >> 13);
            let rounded = |y, round| Format::TF32.is_rounded(short(y), x.is_sign_negative(), round, compare);
            assert!(rounded(got[0], Round::Nearest), "{x:e} gave {:e}", got[0]);
            assert!(rounded(got[2], Round::Zero), "{x:e} gave {:e}", got[2]);
            // Away from zero in a tie, else to nearest.
            let (down, up) = (Format::TF32.decode(short(got[2])), Format::TF32.decode(short(got[2]) + 1));
            let middle = down.plus(&up).times(&Exact::new(false, 1, -1));
            let is_tie = compare(&middle) == Ordering::Equal;
            let want = if is_tie { f32::from_bits(got[2].to_bits() + 0x2000) } else { got[0] };
            assert_eq!(got[1], want, "{x:e}");
        }
    }
    assert_eq!(tf32::saturate_finite(tf32::from_f32(f32::MAX, Tf32Round::NearestAway)).to_bits(), 0x7f7f_e000);
    assert_eq!(tf32::saturate_finite(f32::NEG_INFINITY).to_bits(), 0xff7f_e000);
    assert_eq!(tf32::saturate_finite(1.0), 1.0);
    assert!(tf32::saturate_finite(f32::NAN).is_nan());
}

/// An f64 of which the bits below f32's decide, so that rounding twice would show.
fn beside(x: f64, random: &mut Random) -> f64 {
    f64::from_bits(x.to_bits().wrapping_add(random.below(3)).wrapping_sub(1))
}

#[test]
fn f64_narrows_once() {
    let mut random = Random(12);
    let middle = |format: Format, bits: u64| {
        (format.decode_f64(bits & (format.infinity() - 1)) + format.decode_f64((bits & (format.infinity() - 1)) + 1))
            / 2.0
    };
    for _ in 0..40_000 {
        let any = random.next();
        let of_f16 = beside(middle(Format::F16, any & 0x7fff), &mut random);
        let of_bf16 = beside(middle(Format::BF16, any & 0x7fff), &mut random);
        let of_f32 = beside(f64::from(random.f32().abs()) * (1.0 + f64::EPSILON * 268_435_456.0), &mut random);
        for x in [of_f16, of_bf16, of_f32, -of_f16, -of_bf16, -of_f32, random.f64(), f64::from(random.f32())] {
            for round in ROUNDS {
                let got = (f16::from_f64(x, round), bf16::from_f64(x, round), cvt::f32_from_f64(x, round));
                let (half, brain, single) = (u64::from(got.0), u64::from(got.1), u64::from(got.2.to_bits()));
                let case = format!("{x:e} {round:?} gave {got:x?}");
                if x.is_nan() {
                    assert_eq!((half, brain, single), (0x7fff, 0x7fff, 0x7fff_ffff), "{case}");
                } else if x.is_infinite() || x == 0.0 {
                    let sign = |width: u32| u64::from(x.is_sign_negative()) << width;
                    let inf = u64::from(x.is_infinite());
                    let want = (sign(15) + inf * 0x7c00, sign(15) + inf * 0x7f80, sign(31) + inf * 0x7f80_0000);
                    assert_eq!((half, brain, single), want, "{case}");
                } else {
                    let exact = Exact::of(x);
                    let compare = |other: &Exact| exact.compare_magnitude(other);
                    assert!(Format::F16.is_rounded(half, exact.negative, round, compare), "{case}");
                    assert!(Format::BF16.is_rounded(brain, exact.negative, round, compare), "{case}");
                    assert!(Format::F32.is_rounded(single, exact.negative, round, compare), "{case}");
                }
            }
        }
    }
}

#[test]
fn known_encodings() {
    for (x, half, brain) in [
        (1.0f32, 0x3c00, 0x3f80),
        (-2.0, 0xc000, 0xc000),
        (65504.0, 0x7bff, 0x4780),
        (65520.0, 0x7c00, 0x4780),
        (65519.99, 0x7bff, 0x4780),
        (1.0 / 3.0, 0x3555, 0x3eab),
        (6.0e-8, 0x0001, 0x3381),
        (2.980_232_2e-8, 0x0000, 0x3300),
    ] {
        assert_eq!((f16::from_f32(x, Round::Nearest), bf16::from_f32(x, Round::Nearest)), (half, brain), "{x:e}");
    }
    assert_eq!(f16::saturate_finite(f16::from_f32(1e6, Round::Nearest)), 0x7bff);
    assert_eq!(f16::saturate_finite(0xfc00), 0xfbff);
    assert_eq!(f16::saturate_finite(0x7fff), 0x7fff);
    assert_eq!(bf16::saturate_finite(0x7f80), 0x7f7f);
    assert_eq!(bf16::saturate_finite(0xff80), 0xff7f);
    assert_eq!(fp8::relu(-1.0).to_bits(), 0);
    assert_eq!(fp8::relu(-0.0).to_bits(), 0);
    assert_eq!(fp8::relu(2.0), 2.0);
    assert!(fp8::relu(-f32::NAN).is_nan());
}
