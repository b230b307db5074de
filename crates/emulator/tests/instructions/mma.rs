//! `mma.sync`: every shape, with fragments laid out as the ISA's text says and the product of whole matrices.

use crate::{
    common::{Arg, Device, Random},
    exact::{BF16, F16, F32, F64, Format, Mode, Number},
    float::fused,
    integer::{Int, S32},
};

/// Row and column of a lane's element, from its group (lane / 4), its number in the group (lane % 4), and the index.
type Place = fn(usize, usize, usize) -> (usize, usize);

/// One shape: m, n, k, how many elements of A and B a lane has, and where they lie.
struct Shape {
    name: &'static str,
    m: usize,
    n: usize,
    k: usize,
    a: (usize, Place),
    b: (usize, Place),
}

/// C and D, of 16 rows: elements 0 and 1 in row g, 2 and 3 eight rows further down.
fn sums(g: usize, t: usize, i: usize) -> (usize, usize) {
    (if i < 2 { g } else { g + 8 }, t * 2 + (i & 1))
}

const K8_HALF: Shape = Shape {
    name: "m16n8k8",
    m: 16,
    n: 8,
    k: 8,
    a: (4, |g, t, i| (if i < 2 { g } else { g + 8 }, t * 2 + (i & 1))),
    b: (2, |g, t, i| (t * 2 + i, g)),
};
const K16_HALF: Shape = Shape {
    name: "m16n8k16",
    m: 16,
    n: 8,
    k: 16,
    a: (8, |g, t, i| {
        let upper = matches!(i, 0 | 1 | 4 | 5);
        (if upper { g } else { g + 8 }, t * 2 + (i & 1) + if i >= 4 { 8 } else { 0 })
    }),
    b: (4, |g, t, i| (t * 2 + (i & 1) + if i >= 2 { 8 } else { 0 }, g)),
};
const K4_TF32: Shape = Shape {
    name: "m16n8k4",
    m: 16,
    n: 8,
    k: 4,
    a: (2, |g, t, i| (if i == 0 { g } else { g + 8 }, t)),
    b: (1, |g, t, _| (t, g)),
};
const K8_TF32: Shape = Shape {
    name: "m16n8k8",
    m: 16,
    n: 8,
    k: 8,
    a: (4, |g, t, i| (if i % 2 == 0 { g } else { g + 8 }, if i < 2 { t } else { t + 4 })),
    b: (2, |g, t, i| (if i == 0 { t } else { t + 4 }, g)),
};
const K16_BYTES: Shape = Shape {
    name: "m16n8k16",
    m: 16,
    n: 8,
    k: 16,
    a: (8, |g, t, i| (if i < 4 { g } else { g + 8 }, t * 4 + (i & 3))),
    b: (4, |g, t, i| (t * 4 + i, g)),
};
const K32_BYTES: Shape = Shape {
    name: "m16n8k32",
    m: 16,
    n: 8,
    k: 32,
    a: (16, |g, t, i| {
        let upper = i < 4 || (8..12).contains(&i);
        (if upper { g } else { g + 8 }, t * 4 + (i & 3) + if i >= 8 { 16 } else { 0 })
    }),
    b: (8, |g, t, i| (t * 4 + (i & 3) + if i >= 4 { 16 } else { 0 }, g)),
};
const DOUBLES: Shape = Shape { name: "m8n8k4", m: 8, n: 8, k: 4, a: (1, |g, t, _| (g, t)), b: (1, |g, t, _| (t, g)) };

/// A matrix of bits, row after row.
#[derive(Clone)]
struct Matrix {
    columns: usize,
    values: Vec<u64>,
}

impl Matrix {
    fn of(rows: usize, columns: usize, mut value: impl FnMut() -> u64) -> Self {
        Self { columns, values: (0..rows * columns).map(|_| value()).collect() }
    }

    fn at(&self, (row, column): (usize, usize)) -> u64 {
        self.values[row * self.columns + column]
    }

    /// The lanes' elements of `bits` each, packed into memory lane after lane.
    fn fragments(&self, elements: usize, bits: u32, place: Place) -> Vec<u8> {
        (0..32)
            .flat_map(|lane| (0..elements).map(move |i| place(lane / 4, lane % 4, i)))
            .flat_map(|place| self.at(place).to_le_bytes()[..bits as usize / 8].to_vec())
            .collect()
    }
}

type Dot = dyn Fn(&[u64], &[u64], u64) -> u64;
type Sample = dyn Fn(&mut Random, usize, bool) -> u64;

/// An instruction: its shape, types by name with the bits of their elements, and one element of D from a row of A, a
/// column of B and an element of C.
struct Case {
    shape: Shape,
    modifiers: &'static str,
    /// D (and C), A, B.
    types: [(&'static str, u32); 3],
    dot: Box<Dot>,
    /// A value for A, B, C: the number says which, and whether any bits may come.
    sample: Box<Sample>,
}

fn check(cases: &[Case]) {
    let mut ptx = ".version 8.0\n.target sm_90\n.address_size 64\n".to_owned();
    for (index, Case { shape, modifiers, types, .. }) in cases.iter().enumerate() {
        let [d, a, b] = types.map(|(name, _)| name);
        let double = d == "f64";
        let register = if double { 64 } else { 32 };
        let sum_elements = if double { 2 } else { 4 };
        let registers = |elements: usize, bits: u32| elements * bits as usize / register;
        let counts =
            [registers(shape.a.0, types[1].1), registers(shape.b.0, types[2].1), registers(sum_elements, types[0].1)];
        let mut loads = String::new();
        let mut lists = Vec::new();
        for (name, count) in ["a", "b", "c"].into_iter().zip(counts) {
            loads += &format!(
                ".reg .b{register} %{name}<{count}>;\nld.param.u64 %at, [p{name}];\nmad.wide.u32 %at, %t, {}, %at;\n",
                count * register / 8
            );
            for at in 0..count {
                loads += &format!("ld.global.b{register} %{name}{at}, [%at+{}];\n", at * register / 8);
            }
            lists.push(format!("{{{}}}", (0..count).map(|at| format!("%{name}{at}")).collect::<Vec<_>>().join(", ")));
        }
        // D in the registers of C: an instruction may write what it reads.
        let stores: String =
            (0..counts[2]).map(|at| format!("st.global.b{register} [%at+{}], %c{at};\n", at * register / 8)).collect();
        ptx += &format!(
            ".visible .entry k{index}(.param .u64 pa, .param .u64 pb, .param .u64 pc)\n{{\n.reg .b32 %t;\n.reg .b64 %at;\n\
             mov.u32 %t, %tid.x;\n{loads}mma.sync.aligned.{}.row.col{modifiers}.{d}.{a}.{b}.{d} {}, {}, {}, {};\n\
             {stores}ret;\n}}\n",
            shape.name, lists[2], lists[0], lists[1], lists[2]
        );
    }
    for device in [Device::new(&ptx), Device::portable(&ptx)] {
        for (index, case) in cases.iter().enumerate() {
            let mut random = Random(index as u64);
            for round in 0..16 {
                run(&device, index, case, &mut random, round >= 12);
            }
        }
    }
}

fn run(device: &Device, index: usize, case: &Case, random: &mut Random, any: bool) {
    let Case { shape, types, dot, sample, modifiers } = case;
    let a = Matrix::of(shape.m, shape.k, || sample(random, 0, any));
    let b = Matrix::of(shape.k, shape.n, || sample(random, 1, any));
    let c = Matrix::of(shape.m, shape.n, || sample(random, 2, any));
    let sum_elements = if shape.m == 8 { 2 } else { 4 };
    let out = device.upload(&c.fragments(sum_elements, types[0].1, sums));
    let args = [
        device.upload(&a.fragments(shape.a.0, types[1].1, shape.a.1)),
        device.upload(&b.fragments(shape.b.0, types[2].1, shape.b.1)),
        out,
    ];
    device.clean(&format!("k{index}"), [1; 3], [32, 1, 1], 0, &args.map(Arg::from));
    let expected = Matrix {
        columns: shape.n,
        values: (0..shape.m * shape.n)
            .map(|at| {
                let (row, column) = (at / shape.n, at % shape.n);
                let column: Vec<u64> = (0..shape.k).map(|k| b.at((k, column))).collect();
                dot(&a.values[row * shape.k..][..shape.k], &column, c.values[at])
            })
            .collect(),
    };
    let expected = expected.fragments(sum_elements, types[0].1, sums);
    let result = device.download::<u8>(out, expected.len());
    for (at, (result, expected)) in result.chunks(4).zip(expected.chunks(4)).enumerate() {
        assert_eq!(result, expected, "{}{modifiers} of {types:?}: word {at}, any bits: {any}", shape.name);
    }
}

/// One chain of fused multiply-adds in f32 that begins with C, as the crate's documentation promises.
fn chain(format: Format, mask: u64, a: &[u64], b: &[u64], c: f32) -> f32 {
    let value = |bits: u64| match format.number(bits & mask) {
        Number::Nan(_) => f32::NAN,
        number => number.to_f64() as f32,
    };
    a.iter().zip(b).fold(c, |sum, (&a, &b)| value(a).mul_add(value(b), sum))
}

fn bits32(x: f32) -> u64 {
    if x.is_nan() { F32.nan() } else { x.to_bits().into() }
}

/// A number of moderate size, so that sums neither overflow nor lose all of a term.
fn moderate(format: Format, random: &mut Random) -> u64 {
    let raw = random.next();
    let bias = (1u64 << (format.exponent_bits - 1)) - 1;
    let fraction = raw >> 8 & ((1 << format.fraction_bits) - 1);
    ((raw >> 63) * format.sign()) | ((bias - 3 + raw % 7) << format.fraction_bits) | fraction
}

fn any_bits(format: Format, random: &mut Random) -> u64 {
    let bits = random.next() >> (64 - format.bits());
    // A NaN that is one by bits that a tensor core does not read is left out.
    if format.is_nan(bits) { format.nan() } else { bits }
}

fn sampled(format: Format, random: &mut Random, any: bool) -> u64 {
    if any && random.next().is_multiple_of(8) { any_bits(format, random) } else { moderate(format, random) }
}

#[test]
fn f32_sums() {
    let mut cases = Vec::new();
    for (name, format, bits, mask, shapes) in [
        ("f16", F16, 16, u64::MAX, [K8_HALF, K16_HALF]),
        ("bf16", BF16, 16, u64::MAX, [K8_HALF, K16_HALF]),
        // The low 13 bits of a tf32 do not count.
        ("tf32", F32, 32, !0x1fff, [K4_TF32, K8_TF32]),
    ] {
        for shape in shapes {
            cases.push(Case {
                shape,
                modifiers: "",
                types: [("f32", 32), (name, bits), (name, bits)],
                dot: Box::new(move |a, b, c| bits32(chain(format, mask, a, b, f32::from_bits(c as u32)))),
                sample: Box::new(move |random, which, any| sampled(if which == 2 { F32 } else { format }, random, any)),
            });
        }
    }
    check(&cases);
}

#[test]
fn f16_sums() {
    let cases = [K8_HALF, K16_HALF].map(|shape| Case {
        shape,
        modifiers: "",
        types: [("f16", 16); 3],
        dot: Box::new(|a, b, c| {
            let c = match F16.number(c) {
                Number::Nan(_) => f32::NAN,
                c => c.to_f64() as f32,
            };
            let sum = chain(F16, u64::MAX, a, b, c);
            F16.round(F32.number(sum.to_bits().into()), Mode::Nearest)
        }),
        sample: Box::new(|random, _, any| sampled(F16, random, any)),
    });
    check(&cases);
}

#[test]
fn integer_sums() {
    let mut cases = Vec::new();
    for (modifiers, saturate) in [("", false), (".satfinite", true)] {
        for a_signed in [false, true] {
            for b_signed in [false, true] {
                for shape in [K16_BYTES, K32_BYTES] {
                    let byte = |signed| Int { name: "", bits: 8, signed };
                    let name = |signed| if signed { "s8" } else { "u8" };
                    cases.push(Case {
                        shape,
                        modifiers,
                        types: [("s32", 32), (name(a_signed), 8), (name(b_signed), 8)],
                        dot: Box::new(move |a, b, c| {
                            let product = |(&a, &b)| byte(a_signed).value(a) * byte(b_signed).value(b);
                            let sum = a.iter().zip(b).map(product).sum::<i128>() + S32.value(c);
                            if saturate { S32.saturate(sum) } else { S32.wrap(sum) }
                        }),
                        // Sums near both ends of the range too.
                        sample: Box::new(|random, which, _| match (which, random.next()) {
                            (2, raw) if raw % 2 == 0 => 0x7fff_ffff + random.next() % 50_000 - 25_000,
                            (2, raw) => raw >> 32,
                            (_, raw) => raw >> 56,
                        }),
                    });
                }
            }
        }
    }
    check(&cases);
}

#[test]
fn f64_sums() {
    let mut cases = Vec::new();
    let modes = Mode::ALL.into_iter().zip([".rn", ".rz", ".rm", ".rp"]).map(|((_, mode), name)| (name, mode));
    for (modifiers, mode) in modes.chain([("", Mode::Nearest)]) {
        cases.push(Case {
            shape: DOUBLES,
            modifiers,
            types: [("f64", 64); 3],
            dot: Box::new(move |a, b, c| {
                a.iter()
                    .zip(b)
                    .fold(c, |sum, (&a, &b)| F64.round(fused(&[a, b, sum].map(|x| F64.number(x)), mode), mode))
            }),
            sample: Box::new(|random, _, any| sampled(F64, random, any)),
        });
    }
    check(&cases);
}
