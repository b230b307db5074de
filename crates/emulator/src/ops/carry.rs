//! Arithmetic with carry: `add.cc`, `addc`, `sub.cc`, `subc`, `mad.cc`, `madc`, in 32 and 64 bits.
//!
//! The condition code's carry flag is a predicate of the frame: each lane has its own.

use std::marker::PhantomData;

use super::{Execute, lift};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    lower::{Lower, LowerError, Modifiers},
    program::{Action, Class, Flow, Inst, Run},
    ptx::ast::{Operand, Type},
};

/// The instruction uses the carry flag.
const CARRY_IN: u32 = 1;
/// The instruction sets the carry flag.
const CARRY_OUT: u32 = 2;

/// An unsigned integer with carries.
trait Carrying: Value {
    fn add(self, other: Self, carry: bool) -> (Self, bool);
    fn sub(self, other: Self, borrow: bool) -> (Self, bool);
    fn product(self, other: Self, part: u64) -> Self;
}

macro_rules! carrying {
    ($($ty:ty: $signed:ty, $wide:ty, $wide_signed:ty;)*) => {$(
        impl Carrying for $ty {
            #[inline(always)]
            fn add(self, other: Self, carry: bool) -> (Self, bool) {
                let (sum, first) = self.overflowing_add(other);
                let (sum, second) = sum.overflowing_add(Self::from(carry));
                (sum, first | second)
            }
            #[inline(always)]
            fn sub(self, other: Self, borrow: bool) -> (Self, bool) {
                let (difference, first) = self.overflowing_sub(other);
                let (difference, second) = difference.overflowing_sub(Self::from(borrow));
                (difference, first | second)
            }
            #[inline(always)]
            fn product(self, other: Self, part: u64) -> Self {
                match part {
                    LOW => self.wrapping_mul(other),
                    HIGH => (<$wide>::from(self) * <$wide>::from(other) >> Self::BITS) as Self,
                    _ => {
                        let (a, b) = (<$wide_signed>::from(self as $signed), <$wide_signed>::from(other as $signed));
                        (a * b >> Self::BITS) as Self
                    }
                }
            }
        }
    )*};
}

carrying! {
    u32: i32, u64, i64;
    u64: i64, u128, i128;
}

/// Low half of a product, in `Inst::imm`.
const LOW: u64 = 0;
/// High half of an unsigned one.
const HIGH: u64 = 1;
/// High half of a signed one.
const HIGH_SIGNED: u64 = 2;

/// What is done with `args[1]`, `args[2]` (and `args[3]`), the carry flag in the last of `more`.
trait Operation<T> {
    fn apply(inst: &Inst, a: T, b: T, c: T, carry: bool) -> (T, bool);
}

struct Add;
struct Sub;
struct Mad;

impl<T: Carrying> Operation<T> for Add {
    #[inline(always)]
    fn apply(_: &Inst, a: T, b: T, _: T, carry: bool) -> (T, bool) {
        a.add(b, carry)
    }
}

impl<T: Carrying> Operation<T> for Sub {
    #[inline(always)]
    fn apply(_: &Inst, a: T, b: T, _: T, borrow: bool) -> (T, bool) {
        a.sub(b, borrow)
    }
}

impl<T: Carrying> Operation<T> for Mad {
    #[inline(always)]
    fn apply(inst: &Inst, a: T, b: T, c: T, carry: bool) -> (T, bool) {
        a.product(b, inst.imm).add(c, carry)
    }
}

struct WithCarry<T, O>(PhantomData<(T, O)>);

impl<T: Carrying, O: Operation<T> + 'static> Execute for WithCarry<T, O> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = T::get(cx.registers, inst.args[1]);
        let b = T::get(cx.registers, inst.args[2]);
        let c = T::get(cx.registers, inst.args[3]);
        let flag = inst.more[0];
        let carry = if inst.flags & CARRY_IN != 0 { cx.registers.predicate(flag) } else { 0 };
        let mut row = Row::<T>::default();
        let mut out = 0;
        for lane in 0..LANES {
            let (value, carry) = O::apply(inst, a.0[lane], b.0[lane], c.0[lane], carry >> lane & 1 == 1);
            row.0[lane] = value;
            out |= u32::from(carry) << lane;
        }
        T::set(cx.registers, inst.args[0], &row, mask);
        if inst.flags & CARRY_OUT != 0 {
            cx.registers.set_predicate(flag, out, mask);
        }
        Flow::Next
    }
}

/// Decodes `add.cc`, `addc`, `sub.cc`, `subc`, `mad.cc`, `madc`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let product = opcode.starts_with("mad");
    let part = if product { modifiers.take_one_of(&["lo", "hi"]) } else { Some(0) };
    let Some(part) = part else { return Err(lower.error(format!("{opcode} needs .lo or .hi"))) };
    let out = modifiers.take("cc");
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let wide = match ty {
        Type::U32 | Type::S32 | Type::B32 => false,
        Type::U64 | Type::S64 | Type::B64 => true,
        _ => return Err(lower.error(format!("{opcode} is not supported for {ty:?}"))),
    };
    let run: Run = match (&opcode[..3], wide) {
        ("add", false) => lift::<WithCarry<u32, Add>>(level),
        ("add", true) => lift::<WithCarry<u64, Add>>(level),
        ("sub", false) => lift::<WithCarry<u32, Sub>>(level),
        ("sub", true) => lift::<WithCarry<u64, Sub>>(level),
        (_, false) => lift::<WithCarry<u32, Mad>>(level),
        (_, true) => lift::<WithCarry<u64, Mad>>(level),
    };
    let sources = if product { 3 } else { 2 };
    if operands.len() != sources + 1 {
        return Err(lower.error(format!("{opcode} takes {} operands", sources + 1)));
    }
    let mut args = [lower.destination(&operands[0], ty)?; 4];
    for (arg, source) in args[1..].iter_mut().zip(&operands[1..]) {
        *arg = lower.source(source, ty)?;
    }
    let part = match (part, ty) {
        (0, _) => LOW,
        (_, Type::S32 | Type::S64) => HIGH_SIGNED,
        _ => HIGH,
    };
    let flag = lower.carry_flag();
    let flags = if opcode.ends_with('c') { CARRY_IN } else { 0 } | if out { CARRY_OUT } else { 0 };
    lower.push(Inst::new(Class::Integer, Action::Run(run)).with(args).imm(part).flags(flags).more(vec![flag]));
    Ok(())
}
