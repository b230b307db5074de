//! `atom` and `red`: read, change and write in one step. The lanes of a warp do so one after the other, the lowest
//! first; threads of other blocks at any time between.

use std::{
    marker::PhantomData,
    sync::atomic::{Ordering, fence},
};

use super::{
    Execute, Level,
    integer::unsupported,
    lift,
    load_store::{NARROW_BASE, STRONG, access, addresses, space_flags, take_order, take_space},
};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row, lanes},
    lower::{Lower, LowerError, Modifiers, bits},
    memory::{self, Op, Space, window},
    num::{Round, bf16, double, f16, minmax, single},
    program::{Action, Class, Flow, Inst, Run, Slot},
    ptx::ast::{Operand, Type},
};

/// What memory becomes: from the old value, `b`, and `c` (the value `cas` stores).
trait Change<T>: 'static {
    fn change(old: T, b: T, c: T) -> T;
}

macro_rules! changes {
    ($($name:ident: $ty:ty, |$old:ident, $b:ident, $c:ident| $body:expr;)*) => {$(
        impl Change<$ty> for $name {
            #[inline(always)]
            fn change($old: $ty, $b: $ty, $c: $ty) -> $ty {
                $body
            }
        }
    )*};
}

struct And;
struct Or;
struct Xor;
struct Exchange;
struct CompareSwap;
struct Add;
struct Increment;
struct Decrement;
struct Min;
struct Max;
struct MinSigned;
struct MaxSigned;
struct AddFloat;
struct AddFlushed;
struct AddHalf;
struct AddBrain;
struct AddHalves;
struct AddBrains;
struct MinHalf;
struct MaxHalf;
struct MinBrain;
struct MaxBrain;

changes! {
    And: u32, |old, b, _c| old & b;
    And: u64, |old, b, _c| old & b;
    Or: u32, |old, b, _c| old | b;
    Or: u64, |old, b, _c| old | b;
    Xor: u32, |old, b, _c| old ^ b;
    Xor: u64, |old, b, _c| old ^ b;
    Exchange: u32, |_old, b, _c| b;
    Exchange: u64, |_old, b, _c| b;
    CompareSwap: u16, |old, b, c| if old == b { c } else { old };
    CompareSwap: u32, |old, b, c| if old == b { c } else { old };
    CompareSwap: u64, |old, b, c| if old == b { c } else { old };
    Add: u32, |old, b, _c| old.wrapping_add(b);
    Add: u64, |old, b, _c| old.wrapping_add(b);
    Increment: u32, |old, b, _c| if old >= b { 0 } else { old + 1 };
    Decrement: u32, |old, b, _c| if old == 0 || old > b { b } else { old - 1 };
    Min: u32, |old, b, _c| old.min(b);
    Min: u64, |old, b, _c| old.min(b);
    Max: u32, |old, b, _c| old.max(b);
    Max: u64, |old, b, _c| old.max(b);
    MinSigned: u32, |old, b, _c| (old as i32).min(b as i32) as u32;
    MinSigned: u64, |old, b, _c| (old as i64).min(b as i64) as u64;
    MaxSigned: u32, |old, b, _c| (old as i32).max(b as i32) as u32;
    MaxSigned: u64, |old, b, _c| (old as i64).max(b as i64) as u64;
    AddFloat: u32, |old, b, _c| single::add(f32::from_bits(old), f32::from_bits(b), Round::Nearest).to_bits();
    AddFloat: u64, |old, b, _c| double::add(f64::from_bits(old), f64::from_bits(b), Round::Nearest).to_bits();
    AddFlushed: u32, |old, b, _c| {
        let (old, b) = (single::flush(f32::from_bits(old)), single::flush(f32::from_bits(b)));
        single::flush(single::add(old, b, Round::Nearest)).to_bits()
    };
    AddHalf: u16, |old, b, _c| f16::add(old, b);
    AddBrain: u16, |old, b, _c| bf16::add(old, b);
    AddHalves: u32, |old, b, _c| halves(old, b, f16::add);
    AddBrains: u32, |old, b, _c| halves(old, b, bf16::add);
    MinHalf: u16, |old, b, _c| minmax::min_f16(old, b, minmax::Variant::default());
    MaxHalf: u16, |old, b, _c| minmax::max_f16(old, b, minmax::Variant::default());
    MinBrain: u16, |old, b, _c| minmax::min_bf16(old, b, minmax::Variant::default());
    MaxBrain: u16, |old, b, _c| minmax::max_bf16(old, b, minmax::Variant::default());
}

#[inline(always)]
fn halves(old: u32, b: u32, f: impl Fn(u16, u16) -> u16) -> u32 {
    u32::from(f((old >> 16) as u16, (b >> 16) as u16)) << 16 | u32::from(f(old as u16, b as u16))
}

/// A value that memory can change in one step.
trait Cell: Value {
    /// # Safety
    /// As [`memory::atomic_update32`].
    unsafe fn update(pointer: *mut u8, f: impl FnMut(Self) -> Self) -> Self;
}

macro_rules! cells {
    ($($ty:ty: $update:ident;)*) => {$(
        impl Cell for $ty {
            #[inline(always)]
            unsafe fn update(pointer: *mut u8, f: impl FnMut(Self) -> Self) -> Self {
                // SAFETY: the caller's promise is the same.
                unsafe { memory::$update(pointer, f) }
            }
        }
    )*};
}

cells! {
    u16: atomic_update16;
    u32: atomic_update32;
    u64: atomic_update64;
}

/// The old value into `args[0]` (with [`RESULT`]); address `args[1]`, operands `args[2]`, `args[3]`. Vectors have their
/// pieces in `more`: results first, then operands.
struct Update<T, C>(PhantomData<(T, C)>);

const RESULT: u32 = 1 << 16;

impl<T: Cell, C: Change<T>> Execute for Update<T, C> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let size = size_of::<T>();
        let count = (inst.more.len() / 2).max(1);
        let mut pointers = Row([std::ptr::null_mut(); LANES]);
        let bytes = (size * count) as u32;
        if let Err(flow) = access(cx, inst, inst.args[1], Op::Atomic, bytes, mask, None, &mut pointers) {
            return flow;
        }
        fence(Ordering::SeqCst);
        for piece in 0..count {
            let (to, from) = match inst.more.len() {
                0 => (inst.args[0], inst.args[2]),
                _ => (inst.more[piece], inst.more[count + piece]),
            };
            let b = T::get(cx.registers, from);
            let c = T::get(cx.registers, inst.args[3]);
            let mut row = Row::<T>::default();
            for lane in lanes(mask) {
                let pointer = pointers.0[lane].wrapping_add(piece * size);
                // SAFETY: the pointer was resolved just now for an atomic access of `count` values of `size` bytes.
                row.0[lane] = unsafe { T::update(pointer, |old| C::change(old, b.0[lane], c.0[lane])) };
            }
            if inst.flags & RESULT != 0 {
                T::set(cx.registers, to, &row, mask);
            }
        }
        fence(Ordering::SeqCst);
        cx.memory.made();
        Flow::Next
    }
}

/// `add` of f32 at generic addresses: like all of global memory it flushes subnormals, shared memory does not.
struct AddAnywhere;

impl Execute for AddAnywhere {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let addresses = addresses(cx, inst.flags, inst.args[1], inst.imm);
        let shared =
            lanes(mask).filter(|&lane| window::is_shared(addresses.0[lane])).fold(0, |found, lane| found | 1 << lane);
        let mut flow = Flow::Next;
        if shared != 0 {
            flow = Update::<u32, AddFloat>::run(cx, inst, shared);
        }
        if flow == Flow::Next && mask & !shared != 0 {
            flow = Update::<u32, AddFlushed>::run(cx, inst, mask & !shared);
        }
        flow
    }
}

const OPERATIONS: [&str; 10] = ["and", "or", "xor", "exch", "cas", "add", "inc", "dec", "min", "max"];

fn run_for(level: Level, operation: &str, ty: Type, space: Space) -> Option<Run> {
    let narrow = bits(ty) == 32;
    Some(match (operation, ty) {
        ("and", Type::B32) => lift::<Update<u32, And>>(level),
        ("and", Type::B64) => lift::<Update<u64, And>>(level),
        ("or", Type::B32) => lift::<Update<u32, Or>>(level),
        ("or", Type::B64) => lift::<Update<u64, Or>>(level),
        ("xor", Type::B32) => lift::<Update<u32, Xor>>(level),
        ("xor", Type::B64) => lift::<Update<u64, Xor>>(level),
        ("exch", Type::B32) => lift::<Update<u32, Exchange>>(level),
        ("exch", Type::B64) => lift::<Update<u64, Exchange>>(level),
        ("cas", Type::B16) => lift::<Update<u16, CompareSwap>>(level),
        ("cas", Type::B32) => lift::<Update<u32, CompareSwap>>(level),
        ("cas", Type::B64) => lift::<Update<u64, CompareSwap>>(level),
        ("add", Type::U32 | Type::S32) => lift::<Update<u32, Add>>(level),
        ("add", Type::U64 | Type::S64) => lift::<Update<u64, Add>>(level),
        ("add", Type::F32) => match space {
            Space::Shared => lift::<Update<u32, AddFloat>>(level),
            Space::Global => lift::<Update<u32, AddFlushed>>(level),
            _ => lift::<AddAnywhere>(level),
        },
        ("add", Type::F64) => lift::<Update<u64, AddFloat>>(level),
        ("add", Type::F16) => lift::<Update<u16, AddHalf>>(level),
        ("add", Type::Bf16) => lift::<Update<u16, AddBrain>>(level),
        ("add", Type::F16x2) => lift::<Update<u32, AddHalves>>(level),
        ("add", Type::Bf16x2) => lift::<Update<u32, AddBrains>>(level),
        ("inc", Type::U32) => lift::<Update<u32, Increment>>(level),
        ("dec", Type::U32) => lift::<Update<u32, Decrement>>(level),
        ("min", Type::U32 | Type::U64) if narrow => lift::<Update<u32, Min>>(level),
        ("min", Type::U32 | Type::U64) => lift::<Update<u64, Min>>(level),
        ("max", Type::U32 | Type::U64) if narrow => lift::<Update<u32, Max>>(level),
        ("max", Type::U32 | Type::U64) => lift::<Update<u64, Max>>(level),
        ("min", Type::S32 | Type::S64) if narrow => lift::<Update<u32, MinSigned>>(level),
        ("min", Type::S32 | Type::S64) => lift::<Update<u64, MinSigned>>(level),
        ("max", Type::S32 | Type::S64) if narrow => lift::<Update<u32, MaxSigned>>(level),
        ("max", Type::S32 | Type::S64) => lift::<Update<u64, MaxSigned>>(level),
        ("min", Type::F16) => lift::<Update<u16, MinHalf>>(level),
        ("max", Type::F16) => lift::<Update<u16, MaxHalf>>(level),
        ("min", Type::Bf16) => lift::<Update<u16, MinBrain>>(level),
        ("max", Type::Bf16) => lift::<Update<u16, MaxBrain>>(level),
        _ => return None,
    })
}

/// Decodes `atom` and `red`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let result = opcode == "atom";
    let order = take_order(&mut modifiers);
    modifiers.take_cache_hints();
    let keeps_subnormals = modifiers.take("noftz");
    let vector = modifiers.take_vector() as usize;
    let Some(operation) = modifiers.take_one_of(&OPERATIONS).map(|which| OPERATIONS[which]) else {
        return Err(lower.error(format!("{opcode} needs an operation, as .add")));
    };
    let ty = modifiers.expect_type(lower)?;
    let mut rest = operands.iter();
    let none = Operand::Sink;
    let destination = if result { rest.next() } else { Some(&none) };
    let (Some(destination), Some(at), Some(b)) = (destination, rest.next(), rest.next()) else {
        return Err(lower.error(format!("{opcode} takes an address and a value")));
    };
    let c = if operation == "cas" { rest.next() } else { None };
    // A cache policy may follow; it changes no result.
    if rest.len() > 1 || operation == "cas" && (c.is_none() || !result) {
        return Err(lower.error(format!("{opcode}.{operation} does not take {} operands", operands.len())));
    }
    let address = lower.address(at)?;
    let space = take_space(lower, &mut modifiers, Some(&address))?;
    modifiers.finish(lower)?;
    if !matches!(space, Space::Generic | Space::Global | Space::Shared) {
        return Err(lower.error(format!("{opcode} works on global and shared memory")));
    }
    let half = matches!(ty, Type::F16 | Type::F16x2 | Type::Bf16 | Type::Bf16x2);
    if keeps_subnormals != half {
        return Err(lower.error(format!("{opcode} of f16 and bf16 is written with .noftz, and nothing else is")));
    }
    if half && operation != "add" && vector == 1 {
        return Err(unsupported(lower, opcode, ty));
    }
    let Some(run) = run_for(level, operation, ty, space) else { return Err(unsupported(lower, opcode, ty)) };
    let mut more = Vec::new();
    let mut args = [Slot::default(), address.base, Slot::default(), Slot::default()];
    if vector > 1 {
        let floats = half || ty == Type::F32;
        let fits = bits(ty) * vector as u32 <= 128 && space != Space::Shared;
        let pieces = match b {
            Operand::Vector(pieces) if pieces.len() == vector && floats && fits => pieces,
            _ => return Err(unsupported(lower, opcode, ty)),
        };
        match destination {
            Operand::Vector(results) if results.len() == vector => {
                for piece in results {
                    more.push(lower.destination(piece, ty)?);
                }
            }
            _ => more.extend((0..vector).map(|_| lower.scratch(ty))),
        }
        for piece in pieces {
            more.push(lower.source(piece, ty)?);
        }
        args[3] = more[vector];
    } else {
        args[0] = lower.destination(destination, ty)?;
        args[2] = lower.source(b, ty)?;
        args[3] = match c {
            Some(c) => lower.source(c, ty)?,
            None => args[2],
        };
    }
    // What depends on the order in which threads get there is for programs to know of.
    let class = if half || matches!(ty, Type::F32 | Type::F64) { Class::AtomicFloat } else { Class::Atomic };
    lower.push(
        Inst::new(class, Action::Run(run))
            .with(args)
            .imm(address.offset as u64)
            .flags(
                space_flags(space)
                    | STRONG
                    | order
                    | if result { RESULT } else { 0 }
                    | if address.wide { 0 } else { NARROW_BASE },
            )
            .more(more),
    );
    Ok(())
}
