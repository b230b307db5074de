//! From a function of one lane to an instruction of 32: [`map1`], [`map2`], [`map3`] and [`test2`] turn a closure over
//! scalars into a [`Run`], compiled once for any machine and once for AVX2 with fused multiply-adds.
//!
//! The closure is evaluated in all lanes, active or not, so it must have a value for every input: no division by
//! zero, no panic. Only active lanes are written.

use std::ptr::NonNull;

use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    program::{Flow, Inst, Part, Run, RunTogether},
};

/// The instruction set that execution functions are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// What every machine has.
    Portable,
    /// AVX2, FMA, F16C, BMI and POPCNT.
    Avx2,
}

impl Level {
    /// The best this machine has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("f16c")
            && std::arch::is_x86_feature_detected!("bmi1")
            && std::arch::is_x86_feature_detected!("bmi2")
            && std::arch::is_x86_feature_detected!("lzcnt")
            && std::arch::is_x86_feature_detected!("popcnt")
        {
            return Self::Avx2;
        }
        Self::Portable
    }
}

/// The value of a closure type without state.
#[inline(always)]
fn stateless<F: Copy>() -> F {
    const { assert!(size_of::<F>() == 0, "the closure must not capture anything") };
    // SAFETY: F has no bytes (checked above), so reading it from any aligned, non-null pointer reads nothing. A value
    // of F exists: every caller was instantiated by `lift`, which was given one; and F is Copy, so making one more is
    // allowed.
    unsafe { NonNull::<F>::dangling().as_ptr().read() }
}

/// An execution function with a body for each level: `run::<T>` is inlined into both.
pub trait Execute: 'static {
    /// Executes on the lanes of `mask`.
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow;
}

unsafe fn portable<E: Execute>(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
    E::run(cx, inst, mask)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn avx2<E: Execute>(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
    E::run(cx, inst, mask)
}

/// `E` compiled for `level`.
pub fn lift<E: Execute>(level: Level) -> Run {
    match level {
        Level::Portable => portable::<E>,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => avx2::<E>,
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2 => portable::<E>,
    }
}

/// An execution function of lanes that meet.
pub trait ExecuteTogether: 'static {
    /// Executes on all lanes of the parts, which are those of `mask`.
    fn run(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], mask: Mask) -> Flow;
}

unsafe fn together_portable<E: ExecuteTogether>(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], mask: Mask) -> Flow {
    E::run(cx, parts, mask)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn together_avx2<E: ExecuteTogether>(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], mask: Mask) -> Flow {
    E::run(cx, parts, mask)
}

/// `E` compiled for `level`.
pub fn lift_together<E: ExecuteTogether>(level: Level) -> RunTogether {
    match level {
        Level::Portable => together_portable::<E>,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => together_avx2::<E>,
        #[cfg(not(target_arch = "x86_64"))]
        Level::Avx2 => together_portable::<E>,
    }
}

/// The same for the lanes that happen to be here: instructions without `.sync`.
pub struct Alone<E>(std::marker::PhantomData<E>);

impl<E: ExecuteTogether> Execute for Alone<E> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let base = cx.registers.base;
        E::run(cx, &[Part { inst, base, lanes: mask }], mask)
    }
}

struct Map1<A, R, F>(std::marker::PhantomData<(A, R, F)>);

impl<A: Value, R: Value, F: Fn(A) -> R + Copy + 'static> Execute for Map1<A, R, F> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let f = stateless::<F>();
        let a = A::get(cx.registers, inst.args[1]);
        let mut row = Row::default();
        for lane in 0..LANES {
            row.0[lane] = f(a.0[lane]);
        }
        R::set(cx.registers, inst.args[0], &row, mask);
        Flow::Next
    }
}

/// `args[0] = f(args[1])`.
pub fn map1<A: Value, R: Value, F: Fn(A) -> R + Copy + 'static>(level: Level, _: F) -> Run {
    lift::<Map1<A, R, F>>(level)
}

struct Map2<A, B, R, F>(std::marker::PhantomData<(A, B, R, F)>);

impl<A: Value, B: Value, R: Value, F: Fn(A, B) -> R + Copy + 'static> Execute for Map2<A, B, R, F> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let f = stateless::<F>();
        let a = A::get(cx.registers, inst.args[1]);
        let b = B::get(cx.registers, inst.args[2]);
        let mut row = Row::default();
        for lane in 0..LANES {
            row.0[lane] = f(a.0[lane], b.0[lane]);
        }
        R::set(cx.registers, inst.args[0], &row, mask);
        Flow::Next
    }
}

/// `args[0] = f(args[1], args[2])`.
pub fn map2<A: Value, B: Value, R: Value, F: Fn(A, B) -> R + Copy + 'static>(level: Level, _: F) -> Run {
    lift::<Map2<A, B, R, F>>(level)
}

struct Map3<A, B, C, R, F>(std::marker::PhantomData<(A, B, C, R, F)>);

impl<A: Value, B: Value, C: Value, R: Value, F: Fn(A, B, C) -> R + Copy + 'static> Execute for Map3<A, B, C, R, F> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let f = stateless::<F>();
        let a = A::get(cx.registers, inst.args[1]);
        let b = B::get(cx.registers, inst.args[2]);
        let c = C::get(cx.registers, inst.args[3]);
        let mut row = Row::default();
        for lane in 0..LANES {
            row.0[lane] = f(a.0[lane], b.0[lane], c.0[lane]);
        }
        R::set(cx.registers, inst.args[0], &row, mask);
        Flow::Next
    }
}

/// `args[0] = f(args[1], args[2], args[3])`.
pub fn map3<A: Value, B: Value, C: Value, R: Value, F: Fn(A, B, C) -> R + Copy + 'static>(level: Level, _: F) -> Run {
    lift::<Map3<A, B, C, R, F>>(level)
}

/// The lanes in which `f` holds.
#[inline(always)]
pub fn test_rows<A: Value, F: Fn(A, A) -> bool>(a: &Row<A>, b: &Row<A>, f: F) -> Mask {
    let bits: [u32; LANES] = std::array::from_fn(|lane| u32::from(f(a.0[lane], b.0[lane])) << lane);
    bits.iter().fold(0, |mask, bit| mask | bit)
}

/// Combines a comparison with the predicate of `setp.and`, `.or`, `.xor`: the operator in the flags' low two bits.
pub const COMBINE_AND: u32 = 1;
/// See [`COMBINE_AND`].
pub const COMBINE_OR: u32 = 2;
/// See [`COMBINE_AND`].
pub const COMBINE_XOR: u32 = 3;
/// The third source predicate is negated.
pub const NEGATE: u32 = 4;
/// There is a second destination, `args[4]`: the comparison's opposite, combined likewise.
pub const SECOND: u32 = 8;

struct Test2<A, F>(std::marker::PhantomData<(A, F)>);

impl<A: Value, F: Fn(A, A) -> bool + Copy + 'static> Execute for Test2<A, F> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = A::get(cx.registers, inst.args[1]);
        let b = A::get(cx.registers, inst.args[2]);
        let holds = test_rows(&a, &b, stateless::<F>());
        let combine = |value: Mask, cx: &Cx<'_, '_>| {
            let other = || {
                let other = cx.registers.predicate(inst.args[3]);
                if inst.flags & NEGATE != 0 { !other } else { other }
            };
            match inst.flags & 3 {
                COMBINE_AND => value & other(),
                COMBINE_OR => value | other(),
                COMBINE_XOR => value ^ other(),
                _ => value,
            }
        };
        let (first, second) = (combine(holds, cx), combine(!holds, cx));
        cx.registers.set_predicate(inst.args[0], first, mask);
        if inst.flags & SECOND != 0 {
            cx.registers.set_predicate(inst.args[4], second, mask);
        }
        Flow::Next
    }
}

/// `setp`: predicate `args[0] = f(args[1], args[2])`, combined with predicate `args[3]` as the flags say.
pub fn test2<A: Value, F: Fn(A, A) -> bool + Copy + 'static>(level: Level, _: F) -> Run {
    lift::<Test2<A, F>>(level)
}
