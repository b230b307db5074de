//! `cvt` among integers and floats, by exact arithmetic; of f16 and bf16, on all their values.

use crate::{
    exact::{BF16, F16, F32, F64, Format, Mode, Number},
    integer::{self, Int},
    patterns::{Of, low},
    table::{Case, Expected, check, check_all16, check_few, check_on, judged},
};

/// A type that `cvt` knows.
#[derive(Clone, Copy)]
enum Kind {
    Integer(Int),
    Float(&'static str, Format),
}

use Kind::{Float, Integer};

const KINDS: [Kind; 12] = [
    Integer(Int { name: "u8", bits: 8, signed: false }),
    Integer(Int { name: "s8", bits: 8, signed: true }),
    Integer(integer::U16),
    Integer(integer::S16),
    Integer(integer::U32),
    Integer(integer::S32),
    Integer(integer::U64),
    Integer(integer::S64),
    Float("f16", F16),
    Float("bf16", BF16),
    Float("f32", F32),
    Float("f64", F64),
];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Integer(int) => int.name,
            Float(name, _) => name,
        }
    }

    fn bits(self) -> u32 {
        match self {
            Integer(int) => int.bits,
            Float(_, format) => format.bits(),
        }
    }

    /// A register of its size, of 16 bits for 8.
    fn of(self) -> Of {
        match self {
            Integer(int) if int.bits == 8 => Of::B16,
            Integer(int) => int.of(),
            Float("f16", _) => Of::F16,
            Float("bf16", _) => Of::Bf16,
            Float("f32", _) => Of::F32,
            Float(..) => Of::F64,
        }
    }

    fn is_f32(self) -> bool {
        self.name() == "f32"
    }

    /// What the low bits of a register stand for.
    fn number(self, bits: u64, ftz: bool) -> Number {
        match self {
            Integer(int) => Number::integer(int.value(bits)),
            Float(_, format) => {
                let bits = low(bits, format.bits());
                format.number(if ftz && self.is_f32() { format.flush(bits) } else { bits })
            }
        }
    }
}

/// The modifiers of one conversion.
#[derive(Clone, Copy, Default)]
struct Steps {
    mode: Option<Mode>,
    integral: bool,
    ftz: bool,
    sat: bool,
    relu: bool,
    satfinite: bool,
}

impl Steps {
    fn text(self) -> String {
        let mode = Mode::ALL.iter().find(|(_, mode)| Some(*mode) == self.mode).map(|(name, _)| *name);
        let mut text = mode.map_or(String::new(), |name| format!(".{name}"));
        if self.integral {
            text.push('i');
        }
        for (given, name) in
            [(self.ftz, ".ftz"), (self.relu, ".relu"), (self.satfinite, ".satfinite"), (self.sat, ".sat")]
        {
            text.push_str(if given { name } else { "" });
        }
        text
    }
}

/// The integer that a number becomes, out of range the nearest; a NaN as the ISA lists it.
fn to_integer(number: Number, int: Int, from: Kind, mode: Mode) -> u64 {
    match number.integral(mode) {
        Number::Nan(_) if from.name() != "f64" && int.bits != 64 => 0,
        Number::Nan(_) => 1 << (int.bits - 1),
        Number::Infinite { negative } => int.wrap(if negative { int.min() } else { int.max() }),
        Number::Finite { negative, mantissa, exponent, .. } => {
            let huge = mantissa != 0 && exponent + 128 - mantissa.leading_zeros() as i32 > 100;
            let magnitude = if huge { 1 << 100 } else { mantissa << exponent.max(0) } as i128;
            int.saturate(if negative { -magnitude } else { magnitude })
        }
    }
}

/// The result as the destination's type has it, without its extension to a wider register.
fn converted(to: Kind, from: Kind, steps: Steps, bits: u64) -> Expected {
    let number = from.number(bits, steps.ftz);
    let mode = steps.mode.unwrap_or(Mode::Nearest);
    match (to, from) {
        (Integer(to), Integer(from)) => {
            let value = from.value(bits);
            Expected::Bits(if steps.sat { to.saturate(value) } else { to.wrap(value) })
        }
        (Integer(to), Float(..)) => Expected::Bits(to_integer(number, to, from, mode)),
        (Float(_, format), _) => {
            let number = if steps.integral { number.integral(mode) } else { number };
            // Which NaN is open, but where a modifier says.
            if number.is_nan() && !steps.sat && !steps.relu {
                return Expected::Within("a NaN".into(), Box::new(move |bits| format.is_nan(bits)));
            }
            let mut result = if number.is_nan() { format.nan() } else { format.round(number, mode) };
            if steps.ftz && to.is_f32() {
                result = format.flush(result);
            }
            if steps.satfinite {
                result = format.finite(result);
            }
            if steps.sat {
                result = format.saturate(result);
            }
            Expected::Bits(if steps.relu { format.relu(result) } else { result })
        }
    }
}

fn conversion(to: Kind, from: Kind, steps: Steps) -> Case {
    wide_conversion(to, from, steps, to.of(), from.of())
}

/// The same with registers that may be wider than the types.
fn wide_conversion(to: Kind, from: Kind, steps: Steps, result: Of, source: Of) -> Case {
    let text = format!("cvt{}.{}.{} %d, %a;", steps.text(), to.name(), from.name());
    judged(text, result, &[source], move |v| match converted(to, from, steps, v[0]) {
        Expected::Bits(bits) => Expected::Bits(match to {
            Integer(int) => low(int.value(bits) as u64, result.bits()),
            Float(..) => bits,
        }),
        other => other,
    })
}

/// Every combination of modifiers that a pair of types has.
fn combinations(to: Kind, from: Kind) -> Vec<Steps> {
    let modes = |integral| Mode::ALL.map(|(_, mode)| Steps { mode: Some(mode), integral, ..Steps::default() }).to_vec();
    let none = vec![Steps::default()];
    let mut all = match (to, from) {
        (Integer(_), Integer(_)) => none,
        (Integer(_), Float(..)) => modes(true),
        (Float(..), Integer(_)) => modes(false),
        (Float(a, _), Float(b, _)) if a == b => [none, modes(true)].concat(),
        (Float(_, a), Float(_, b)) if a.bits() > b.bits() => none,
        _ => modes(false),
    };
    let mut with = |allowed: bool, set: fn(Steps) -> Steps| {
        if allowed {
            let more: Vec<_> = all.iter().map(|&steps| set(steps)).collect();
            all.extend(more);
        }
    };
    with(to.is_f32() || from.is_f32(), |steps| Steps { ftz: true, ..steps });
    with(to.name() != "bf16", |steps| Steps { sat: true, ..steps });
    if matches!(to.name(), "f16" | "bf16") && from.is_f32() {
        for mode in [Mode::Nearest, Mode::Zero] {
            let steps = Steps { mode: Some(mode), relu: true, ..Steps::default() };
            all.extend([steps, Steps { satfinite: true, ..steps }, Steps { relu: false, satfinite: true, ..steps }]);
        }
    }
    all
}

#[test]
fn every_pair_of_types() {
    let mut cases = Vec::new();
    for to in KINDS {
        for from in KINDS {
            if !matches!(from.name(), "f16" | "bf16") {
                cases.extend(combinations(to, from).into_iter().map(|steps| conversion(to, from, steps)));
            }
        }
    }
    check(cases);
}

#[test]
fn all_values_of_16_bit_floats() {
    let mut cases = Vec::new();
    for to in KINDS {
        for from in [Float("f16", F16), Float("bf16", BF16)] {
            cases.extend(combinations(to, from).into_iter().map(|steps| conversion(to, from, steps)));
        }
    }
    check_all16(cases);
}

/// f32 to a 16-bit float: every result, half way to the next, and as near to half way as f32 goes.
#[test]
fn every_result_in_16_bits() {
    for (name, format) in [("f16", F16), ("bf16", BF16)] {
        let value = |bits: u64| format.number(bits).to_f64();
        let mut column = Vec::new();
        for bits in 0..1 << 16 {
            let exact = if format.is_nan(bits) { f64::NAN } else { value(bits) };
            // Past the largest number the next would be, were there one, as far away as that before it.
            let half = match bits & 0x7fff {
                largest if largest == format.largest() => exact + (exact - value(bits - 1)) / 2.0,
                finite if finite < format.infinity() => (exact + value(bits + 1)) / 2.0,
                _ => exact,
            };
            let half = (half as f32).to_bits();
            column.extend([(exact as f32).to_bits(), half, half.wrapping_sub(1), half.wrapping_add(1)].map(u64::from));
        }
        let to = Float(name, format);
        let from = Float("f32", F32);
        let steps = Mode::ALL.map(|(_, mode)| Steps { mode: Some(mode), ..Steps::default() });
        check_on(steps.into_iter().map(|steps| conversion(to, from, steps)).collect(), &[column]);
    }
}

/// Registers wider than the types: the source's low bits count, the result is extended as its type says.
#[test]
fn wider_registers() {
    let mut cases = Vec::new();
    let wider = |kind: Kind| [Of::B8, Of::B16, Of::B32, Of::B64].into_iter().filter(move |of| of.bits() >= kind.bits());
    for to in KINDS {
        for from in KINDS {
            // The last has the most modifiers.
            let all = combinations(to, from);
            let steps = [all[0], all[all.len() - 1]];
            // A bf16 has a register of its own size.
            let results = wider(to).filter(|of| to.name() != "bf16" || of.bits() == 16);
            for result in results {
                for source in wider(from).filter(|of| from.name() != "bf16" || of.bits() == 16) {
                    for steps in steps {
                        cases.push(wide_conversion(to, from, steps, result, source));
                    }
                }
            }
        }
    }
    check_few(cases);
}

/// Two f32 into a pair: the first is the upper half.
#[test]
fn pairs() {
    let mut cases = Vec::new();
    for to in [Float("f16", F16), Float("bf16", BF16)] {
        for steps in combinations(to, Float("f32", F32)) {
            if steps.ftz || steps.sat || !matches!(steps.mode, Some(Mode::Nearest | Mode::Zero)) {
                continue;
            }
            let text = format!("cvt{}.{}x2.f32 %d, %a, %b;", steps.text(), to.name());
            cases.push(judged(text, Of::B32, &[Of::F32; 2], move |v| {
                let halves = [v[1], v[0]].map(|x| converted(to, Float("f32", F32), steps, x));
                let holds = move |bits: u64| {
                    halves.iter().zip([bits & 0xffff, bits >> 16]).all(|(half, bits)| match half {
                        Expected::Bits(expected) => bits == *expected,
                        Expected::Within(_, holds) => holds(bits),
                        Expected::Open => true,
                    })
                };
                Expected::Within("the halves converted".into(), Box::new(holds))
            }));
        }
    }
    check(cases);
}
