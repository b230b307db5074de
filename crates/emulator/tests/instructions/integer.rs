//! Integer arithmetic, by exact arithmetic in 128 bits.

use crate::{
    patterns::{Of, low},
    table::{Case, Expected, case, check, judged},
};

/// An integer type.
#[derive(Clone, Copy)]
pub struct Int {
    pub name: &'static str,
    pub bits: u32,
    pub signed: bool,
}

pub const U16: Int = Int { name: "u16", bits: 16, signed: false };
pub const S16: Int = Int { name: "s16", bits: 16, signed: true };
pub const U32: Int = Int { name: "u32", bits: 32, signed: false };
pub const S32: Int = Int { name: "s32", bits: 32, signed: true };
pub const U64: Int = Int { name: "u64", bits: 64, signed: false };
pub const S64: Int = Int { name: "s64", bits: 64, signed: true };
pub const ALL: [Int; 6] = [U16, S16, U32, S32, U64, S64];

impl Int {
    pub fn of(self) -> Of {
        match self.bits {
            8 => Of::B8,
            16 => Of::B16,
            32 => Of::B32,
            _ => Of::B64,
        }
    }

    /// The number that bits stand for.
    pub fn value(self, bits: u64) -> i128 {
        let value = i128::from(low(bits, self.bits));
        if self.signed && value >> (self.bits - 1) == 1 { value - (1 << self.bits) } else { value }
    }

    /// A number's bits, without those that do not fit.
    pub fn wrap(self, value: i128) -> u64 {
        low(value as u64, self.bits)
    }

    pub fn min(self) -> i128 {
        if self.signed { -(1 << (self.bits - 1)) } else { 0 }
    }

    pub fn max(self) -> i128 {
        if self.signed { (1 << (self.bits - 1)) - 1 } else { (1 << self.bits) - 1 }
    }

    /// The nearest number that fits.
    pub fn saturate(self, value: i128) -> u64 {
        self.wrap(value.clamp(self.min(), self.max()))
    }

    /// The type of twice the size.
    fn wide(self) -> Self {
        match (self.bits, self.signed) {
            (16, false) => U32,
            (16, true) => S32,
            (_, false) => U64,
            (_, true) => S64,
        }
    }
}

fn unary(name: &str, int: Int, f: fn(Int, i128) -> i128) -> Case {
    case(format!("{name}.{} %d, %a;", int.name), int.of(), &[int.of()], move |v| int.wrap(f(int, int.value(v[0]))))
}

fn binary(name: &str, int: Int, f: fn(Int, i128, i128) -> i128) -> Case {
    case(format!("{name}.{} %d, %a, %b;", int.name), int.of(), &[int.of(); 2], move |v| {
        int.wrap(f(int, int.value(v[0]), int.value(v[1])))
    })
}

fn ternary(name: &str, int: Int, f: fn(Int, i128, i128, i128) -> i128) -> Case {
    case(format!("{name}.{} %d, %a, %b, %c;", int.name), int.of(), &[int.of(); 3], move |v| {
        int.wrap(f(int, int.value(v[0]), int.value(v[1]), int.value(v[2])))
    })
}

/// The upper half of a product of 128 bits at most.
fn high(int: Int, a: i128, b: i128) -> i128 {
    // Of two u64 the product does not fit i128, but its bits do.
    ((a.wrapping_mul(b) as u128) >> int.bits) as i128
}

#[test]
fn addition_and_subtraction() {
    let mut cases = Vec::new();
    for int in ALL {
        cases.push(binary("add", int, |_, a, b| a + b));
        cases.push(binary("sub", int, |_, a, b| a - b));
    }
    cases.push(binary("add.sat", S32, |int, a, b| (a + b).clamp(int.min(), int.max())));
    cases.push(binary("sub.sat", S32, |int, a, b| (a - b).clamp(int.min(), int.max())));
    check(cases);
}

#[test]
fn products() {
    let mut cases = Vec::new();
    for int in ALL {
        cases.push(binary("mul.lo", int, |_, a, b| a.wrapping_mul(b)));
        cases.push(binary("mul.hi", int, high));
        cases.push(ternary("mad.lo", int, |_, a, b, c| a.wrapping_mul(b).wrapping_add(c)));
        cases.push(ternary("mad.hi", int, |int, a, b, c| high(int, a, b).wrapping_add(c)));
        if int.bits == 64 {
            continue;
        }
        let (narrow, wide, of) = (int.of(), int.wide().of(), int.wide());
        cases.push(case(format!("mul.wide.{} %d, %a, %b;", int.name), wide, &[narrow; 2], move |v| {
            of.wrap(int.value(v[0]) * int.value(v[1]))
        }));
        cases.push(case(format!("mad.wide.{} %d, %a, %b, %c;", int.name), wide, &[narrow, narrow, wide], move |v| {
            of.wrap(int.value(v[0]) * int.value(v[1]) + of.value(v[2]))
        }));
    }
    cases.push(ternary("mad.hi.sat", S32, |int, a, b, c| (((a * b) >> 32) + c).clamp(int.min(), int.max())));
    check(cases);
}

#[test]
fn products_of_24_bits() {
    /// The low 24 bits, as the type reads them.
    fn short(int: Int, value: i128) -> i128 {
        let value = value & 0xff_ffff;
        if int.signed && value >> 23 == 1 { value - (1 << 24) } else { value }
    }
    let mut cases = Vec::new();
    for int in [U32, S32] {
        cases.push(binary("mul24.lo", int, |int, a, b| short(int, a) * short(int, b)));
        cases.push(binary("mul24.hi", int, |int, a, b| (short(int, a) * short(int, b)) >> 16));
        cases.push(ternary("mad24.lo", int, |int, a, b, c| short(int, a) * short(int, b) + c));
        cases.push(ternary("mad24.hi", int, |int, a, b, c| ((short(int, a) * short(int, b)) >> 16) + c));
    }
    cases.push(ternary("mad24.hi.sat", S32, |int, a, b, c| {
        (((short(int, a) * short(int, b)) >> 16) + c).clamp(int.min(), int.max())
    }));
    check(cases);
}

#[test]
fn division() {
    let mut cases = Vec::new();
    for int in ALL {
        for (name, remainder) in [("div", false), ("rem", true)] {
            cases.push(judged(format!("{name}.{} %d, %a, %b;", int.name), int.of(), &[int.of(); 2], move |v| {
                let (a, b) = (int.value(v[0]), int.value(v[1]));
                match (b, remainder) {
                    // Division by zero gives whatever the machine likes, but the kernel goes on.
                    (0, _) => Expected::Open,
                    (_, false) => Expected::Bits(int.wrap(a / b)),
                    (_, true) => Expected::Bits(int.wrap(a % b)),
                }
            }));
        }
    }
    check(cases);
}

#[test]
fn order_and_sign() {
    let mut cases = Vec::new();
    for int in ALL {
        cases.push(binary("min", int, |_, a, b| a.min(b)));
        cases.push(binary("max", int, |_, a, b| a.max(b)));
        cases.push(ternary("sad", int, |_, a, b, c| c + (a - b).abs()));
        if int.signed {
            cases.push(unary("abs", int, |_, a| a.abs()));
            cases.push(unary("neg", int, |_, a| -a));
        }
    }
    cases.push(binary("min.relu", S32, |_, a, b| a.min(b).max(0)));
    cases.push(binary("max.relu", S32, |_, a, b| a.max(b).max(0)));
    check(cases);
}

#[test]
fn pairs() {
    fn pair(name: &str, ty: &str, int: Int, f: fn(i128, i128) -> i128) -> Case {
        case(format!("{name}.{ty} %d, %a, %b;"), Of::B16x2, &[Of::B16x2; 2], move |v| {
            let half = |at: u32| int.wrap(f(int.value(v[0] >> at), int.value(v[1] >> at))) << at;
            half(0) | half(16)
        })
    }
    check(vec![
        pair("add", "u16x2", U16, |a, b| a + b),
        pair("add", "s16x2", S16, |a, b| a + b),
        pair("min", "u16x2", U16, i128::min),
        pair("min", "s16x2", S16, i128::min),
        pair("max", "u16x2", U16, i128::max),
        pair("max", "s16x2", S16, i128::max),
        pair("min.relu", "s16x2", S16, |a, b| a.min(b).max(0)),
        pair("max.relu", "s16x2", S16, |a, b| a.max(b).max(0)),
    ]);
}

#[test]
fn dot_products() {
    let byte = |signed| Int { name: "", bits: 8, signed };
    let half = |signed| Int { name: "", bits: 16, signed };
    let mut cases = Vec::new();
    for a in [U32, S32] {
        for b in [U32, S32] {
            let types = format!("{}.{} %d, %a, %b, %c;", a.name, b.name);
            cases.push(case(format!("dp4a.{types}"), Of::B32, &[Of::B32; 3], move |v| {
                let product = |i: u32| byte(a.signed).value(v[0] >> (8 * i)) * byte(b.signed).value(v[1] >> (8 * i));
                S32.wrap((0..4).map(product).sum::<i128>() + i128::from(v[2]))
            }));
            for (part, first) in [("lo", 0), ("hi", 2)] {
                cases.push(case(format!("dp2a.{part}.{types}"), Of::B32, &[Of::B32; 3], move |v| {
                    let product = |i: u32| {
                        half(a.signed).value(v[0] >> (16 * i)) * byte(b.signed).value(v[1] >> (8 * (first + i)))
                    };
                    S32.wrap((0..2).map(product).sum::<i128>() + i128::from(v[2]))
                }));
            }
        }
    }
    check(cases);
}
