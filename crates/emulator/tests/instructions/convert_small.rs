//! `cvt` to and from the formats of tensor cores, by searching the list of their values; and `cvt.pack`.

use crate::{
    exact::{BF16, F16, F32, Format, Mode, Number},
    integer::Int,
    patterns::Of,
    table::{Case, Expected, case, check, check_all16, judged},
};

const NAN: u64 = 0x7f;

/// An 8-bit format: its name, exponent bits and bias, and its largest number.
#[derive(Clone, Copy)]
struct Small {
    name: &'static str,
    exponent_bits: u32,
    bias: i32,
    largest: u64,
}

const SMALL: [Small; 2] = [
    Small { name: "e4m3", exponent_bits: 4, bias: 7, largest: 0x7e },
    Small { name: "e5m2", exponent_bits: 5, bias: 15, largest: 0x7b },
];

impl Small {
    /// The value of a magnitude's bits.
    fn value(self, bits: u64) -> f64 {
        let fraction_bits = 7 - self.exponent_bits;
        let (exponent, fraction) = (bits >> fraction_bits, (bits & ((1 << fraction_bits) - 1)) as f64);
        let scale = 2f64.powi(exponent.max(1) as i32 - self.bias - fraction_bits as i32);
        scale * (fraction + if exponent == 0 { 0.0 } else { f64::from(1 << fraction_bits) })
    }

    /// The nearest of all values, the even one of two; beyond the largest that.
    fn nearest(self, number: Number, relu: bool) -> u64 {
        if number.is_nan() {
            return NAN;
        }
        if relu && number.negative() {
            return 0;
        }
        let sign = if number.negative() { 0x80 } else { 0 };
        let magnitude = number.to_f64().abs().min(self.value(self.largest));
        let near = (0..=self.largest).min_by(|&a, &b| {
            let distance = |bits| (self.value(bits) - magnitude).abs();
            distance(a).total_cmp(&distance(b)).then((a & 1).cmp(&(b & 1)))
        });
        sign | near.expect("there are values")
    }
}

#[test]
fn to_8_bits() {
    let mut cases = Vec::new();
    for small in SMALL {
        for (steps, relu) in [("", false), (".relu", true)] {
            let f32_text = format!("cvt.rn.satfinite{steps}.{}x2.f32 %d, %a, %b;", small.name);
            cases.push(case(f32_text, Of::B16, &[Of::F32; 2], move |v| {
                small.nearest(F32.number(v[0]), relu) << 8 | small.nearest(F32.number(v[1]), relu)
            }));
            for (ty, format, of) in [("f16x2", F16, Of::F16x2), ("bf16x2", BF16, Of::Bf16x2)] {
                let text = format!("cvt.rn.satfinite{steps}.{}x2.{ty} %d, %a;", small.name);
                cases.push(case(text, Of::B16, &[of], move |v| {
                    let half = |at: u32| small.nearest(format.number(v[0] >> at & 0xffff), relu);
                    half(16) << 8 | half(0)
                }));
            }
        }
    }
    check(cases);
}

#[test]
fn all_pairs_of_8_bits() {
    let mut cases = Vec::new();
    for small in SMALL {
        for (steps, relu) in [("", false), (".relu", true)] {
            let element = move |bits: u64| {
                let magnitude = bits & 0x7f;
                let infinite = small.name == "e5m2" && magnitude == 0x7c;
                if magnitude > small.largest && !infinite {
                    return F16.nan();
                }
                let value = if infinite { f64::INFINITY } else { small.value(magnitude) };
                let value = if bits & 0x80 == 0 { value } else { -value };
                let bits = F16.round(crate::exact::F64.number(value.to_bits()), Mode::Nearest);
                if relu { F16.relu(bits) } else { bits }
            };
            let text = format!("cvt.rn{steps}.f16x2.{}x2 %d, %a;", small.name);
            cases.push(case(text, Of::F16x2, &[Of::B16], move |v| element(v[0] >> 8) << 16 | element(v[0] & 0xff)));
        }
    }
    check_all16(cases);
}

/// f32 with 10 fraction bits: what rounding to a format of 8 and 10 bits leaves, in its upper 19 bits.
#[test]
fn to_tf32() {
    const TF32: Format = Format { exponent_bits: 8, fraction_bits: 10 };
    fn away(number: Number) -> u64 {
        // Ties away from zero: up in magnitude, if the half below the last place does not round to nearest so.
        let Number::Finite { negative, mantissa, exponent, .. } = number else {
            return TF32.round(number, Mode::Nearest);
        };
        let toward = TF32.round(number, Mode::Zero);
        let from = TF32.round(number, if negative { Mode::Down } else { Mode::Up });
        let doubled = Number::Finite { negative, mantissa: mantissa * 2, exponent, sticky: false };
        // Past the largest number there is infinity, which would be 2^128.
        let value = |bits: u64| match TF32.number(bits) {
            Number::Infinite { negative } => {
                if negative {
                    -(2f64.powi(128))
                } else {
                    2f64.powi(128)
                }
            }
            number => number.to_f64(),
        };
        let middle = value(toward) + value(from);
        if doubled.to_f64().abs() >= middle.abs() { from } else { toward }
    }
    fn tf32(steps: &str, round: fn(Number) -> u64, after: fn(u64) -> u64) -> Case {
        judged(format!("cvt.{steps}.tf32.f32 %d, %a;"), Of::B32, &[Of::F32], move |v| {
            let number = F32.number(v[0]);
            if number.is_nan() {
                return Expected::Within("a NaN".into(), Box::new(|bits| F32.is_nan(bits)));
            }
            Expected::Bits(after(round(number)) << 13)
        })
    }
    let rn = |x| TF32.round(x, Mode::Nearest);
    let rz = |x| TF32.round(x, Mode::Zero);
    check(vec![
        tf32("rn", rn, |x| x),
        tf32("rz", rz, |x| x),
        tf32("rna", away, |x| x),
        tf32("rna.satfinite", away, |x| TF32.finite(x)),
        tf32("rn.relu", rn, |x| TF32.relu(x)),
        tf32("rz.relu", rz, |x| TF32.relu(x)),
        tf32("rn.satfinite", rn, |x| TF32.finite(x)),
        tf32("rz.satfinite", rz, |x| TF32.finite(x)),
        tf32("rn.satfinite.relu", rn, |x| TF32.relu(TF32.finite(x))),
        tf32("rz.satfinite.relu", rz, |x| TF32.relu(TF32.finite(x))),
    ]);
}

#[test]
fn packing() {
    let mut cases = Vec::new();
    for signed in [false, true] {
        let letter = if signed { "s" } else { "u" };
        for bits in [16u32, 8, 4, 2] {
            let clamp = move |x: u64| Int { name: "", bits, signed }.saturate(i128::from(x as u32 as i32));
            if bits == 16 {
                let text = format!("cvt.pack.sat.{letter}16.s32 %d, %a, %b;");
                cases.push(case(text, Of::B32, &[Of::B32; 2], move |v| clamp(v[0]) << 16 | clamp(v[1])));
            } else {
                let text = format!("cvt.pack.sat.{letter}{bits}.s32.b32 %d, %a, %b, %c;");
                cases.push(case(text, Of::B32, &[Of::B32; 3], move |v| {
                    (v[2] << (2 * bits) | clamp(v[0]) << bits | clamp(v[1])) & 0xffff_ffff
                }));
            }
        }
    }
    check(cases);
}
