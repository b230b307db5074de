//! `ld`, `ldu`, `st`: every space, scalars and vectors, registers as wide as their type or wider.

use std::sync::atomic::{Ordering, fence};

use super::{Execute, Level, lift};
use crate::{
    check::Scope,
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    lower::{Address, Home, Lower, LowerError, Modifiers, bits, is_movable, is_signed},
    memory::{self, Element, Op, Request, Sharing, Space},
    program::{Action, Class, Flow, Inst, Run, Slot},
    ptx::ast::{Operand, Type},
};

/// The base is a word, to be zero-extended.
pub const NARROW_BASE: u32 = 1;
/// Other threads may access the same place at the same time: volatile, relaxed, acquire, release.
pub const STRONG: u32 = 2;
/// Acquire: later accesses stay behind it.
pub const ACQUIRE: u32 = 4;
/// Release: earlier accesses stay before it.
pub const RELEASE: u32 = 8;
/// `.cta`: other blocks need not see it.
const OF_BLOCK: u32 = 16;
const SPACE_SHIFT: u32 = 8;

/// The space of an access, in an instruction's flags.
pub fn space_flags(space: Space) -> u32 {
    let number = match space {
        Space::Generic => 0,
        Space::Global => 1,
        Space::Shared => 2,
        Space::Local => 3,
        Space::Const => 4,
        Space::Param => 5,
    };
    number << SPACE_SHIFT
}

/// The space that [`space_flags`] put there.
#[inline(always)]
pub fn request_space(flags: u32) -> Space {
    match flags >> SPACE_SHIFT & 7 {
        0 => Space::Generic,
        1 => Space::Global,
        2 => Space::Shared,
        3 => Space::Local,
        4 => Space::Const,
        _ => Space::Param,
    }
}

/// The addresses of an access: base register plus offset.
#[inline(always)]
pub fn addresses(cx: &Cx<'_, '_>, flags: u32, base: Slot, offset: u64) -> Row<u64> {
    let mut row = Row::default();
    if flags & NARROW_BASE != 0 {
        let base = cx.registers.word(base);
        for lane in 0..LANES {
            row.0[lane] = u64::from(base.0[lane]).wrapping_add(offset);
        }
    } else {
        let base = cx.registers.long(base);
        for lane in 0..LANES {
            row.0[lane] = base.0[lane].wrapping_add(offset);
        }
    }
    row
}

/// Pointers to what an instruction accesses, `bytes` a lane: the address is in `base` plus `inst.imm`, the space in
/// the flags. `same` tells whether two lanes store the same value.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // An access is all of this.
pub fn access(
    cx: &mut Cx<'_, '_>,
    inst: &Inst,
    base: Slot,
    op: Op,
    bytes: u32,
    mask: Mask,
    same: Option<&dyn Fn(usize, usize) -> bool>,
    pointers: &mut Row<*mut u8>,
) -> Result<(), Flow> {
    let addresses = addresses(cx, inst.flags, base, inst.imm);
    let request = Request {
        space: request_space(inst.flags),
        op,
        bytes,
        addresses: &addresses,
        mask,
        pc: cx.pc,
        warp: cx.warp,
        strong: inst.flags & STRONG != 0,
        local_top: cx.local_top,
    };
    let scope = if inst.flags & OF_BLOCK != 0 { Scope::Block } else { Scope::Device };
    if inst.flags & RELEASE != 0 {
        fence(Ordering::SeqCst);
        cx.memory.fence(cx.warp, mask);
    }
    cx.memory
        .resolve_into(&request, &Sharing { scope, same, phase: None }, pointers)
        .map_err(|finding| cx.fail(finding))
}

/// Loads one element into `args[0]`, or several into `more`; the address is `args[1]`.
struct Load<M, R>(std::marker::PhantomData<(M, R)>);

impl<M: Element + 'static, R: Value + Extend<M>> Execute for Load<M, R> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let size = size_of::<M>();
        let count = inst.more.len().max(1);
        let mut pointers = Row([std::ptr::null_mut(); LANES]);
        let bytes = (size * count) as u32;
        if let Err(flow) = access(cx, inst, inst.args[1], Op::Load, bytes, mask, None, &mut pointers) {
            return flow;
        }
        let put = |cx: &mut Cx<'_, '_>, slot: Slot, offset: usize| {
            // SAFETY: the pointers were resolved just now for `count` elements of `size` bytes and these lanes.
            let row = unsafe { memory::load::<M>(&pointers, offset, mask) };
            let mut wide = Row::<R>::default();
            for lane in 0..LANES {
                wide.0[lane] = R::extend(row.0[lane]);
            }
            R::set(cx.registers, slot, &wide, mask);
        };
        if inst.more.is_empty() {
            put(cx, inst.args[0], 0);
        } else {
            for (index, &slot) in inst.more.iter().enumerate() {
                put(cx, slot, index * size);
            }
        }
        if inst.flags & ACQUIRE != 0 {
            fence(Ordering::SeqCst);
        }
        Flow::Next
    }
}

/// Stores `args[0]`, or several of `more`; the address is `args[1]`.
struct Store<M, R>(std::marker::PhantomData<(M, R)>);

impl<M: Element + Truncate<R> + PartialEq + 'static, R: Value> Execute for Store<M, R> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let size = size_of::<M>();
        let count = inst.more.len().max(1);
        let mut pointers = Row([std::ptr::null_mut(); LANES]);
        let bytes = (size * count) as u32;
        let resolved = if cx.grid.options.checks.race {
            // Lanes that store to one place race, unless they store one value.
            let slots = if inst.more.is_empty() { &inst.args[..1] } else { &*inst.more };
            let values: Vec<Row<R>> = slots.iter().map(|&slot| R::get(cx.registers, slot)).collect();
            let same = |a: usize, b: usize| values.iter().all(|row| M::truncate(row.0[a]) == M::truncate(row.0[b]));
            access(cx, inst, inst.args[1], Op::Store, bytes, mask, Some(&same), &mut pointers)
        } else {
            access(cx, inst, inst.args[1], Op::Store, bytes, mask, None, &mut pointers)
        };
        if let Err(flow) = resolved {
            return flow;
        }
        let put = |cx: &Cx<'_, '_>, slot: Slot, offset: usize| {
            let wide = R::get(cx.registers, slot);
            let mut row = Row::<M>::default();
            for lane in 0..LANES {
                row.0[lane] = M::truncate(wide.0[lane]);
            }
            // SAFETY: the pointers were resolved just now, for a store of `count` elements of `size` bytes.
            unsafe { memory::store::<M>(&pointers, offset, mask, &row) };
        };
        if inst.more.is_empty() {
            put(cx, inst.args[0], 0);
        } else {
            for (index, &slot) in inst.more.iter().enumerate() {
                put(cx, slot, index * size);
            }
        }
        Flow::Next
    }
}

/// How a loaded value fills a register: with zeros or with its sign.
trait Extend<M> {
    fn extend(value: M) -> Self;
}

/// What a store takes of a register: the low bits.
trait Truncate<R> {
    fn truncate(value: R) -> Self;
}

macro_rules! widths {
    ($($memory:ty => $register:ty, $extend:expr;)*) => {$(
        impl Extend<$memory> for $register {
            #[inline(always)]
            fn extend(value: $memory) -> Self {
                let extend: fn($memory) -> $register = $extend;
                extend(value)
            }
        }
        impl Truncate<$register> for $memory {
            #[inline(always)]
            fn truncate(value: $register) -> Self {
                value as $memory
            }
        }
    )*};
}

widths! {
    u8 => u16, u16::from;
    u8 => u32, u32::from;
    u8 => u64, u64::from;
    i8 => u16, |v| v as u16;
    i8 => u32, |v| v as u32;
    i8 => u64, |v| v as u64;
    u16 => u32, u32::from;
    u16 => u64, u64::from;
    i16 => u32, |v| v as u32;
    i16 => u64, |v| v as u64;
    u32 => u32, |v| v;
    u32 => u64, u64::from;
    i32 => u64, |v| v as u64;
    u64 => u64, |v| v;
}

fn load_run(level: Level, ty: Type, register: u32) -> Option<Run> {
    // 8-bit registers lie in words as 16-bit ones do.
    let register = register.max(16);
    Some(match (bits(ty), is_signed(ty), register) {
        (8, false, 16) => lift::<Load<u8, u16>>(level),
        (8, false, 32) => lift::<Load<u8, u32>>(level),
        (8, false, 64) => lift::<Load<u8, u64>>(level),
        (8, true, 16) => lift::<Load<i8, u16>>(level),
        (8, true, 32) => lift::<Load<i8, u32>>(level),
        (8, true, 64) => lift::<Load<i8, u64>>(level),
        // A word's upper half is zero for a 16-bit register, so both widths are one.
        (16, false, 16 | 32) => lift::<Load<u16, u32>>(level),
        (16, false, 64) => lift::<Load<u16, u64>>(level),
        (16, true, 16) => lift::<Load<u16, u32>>(level),
        (16, true, 32) => lift::<Load<i16, u32>>(level),
        (16, true, 64) => lift::<Load<i16, u64>>(level),
        (32, _, 32) => lift::<Load<u32, u32>>(level),
        (32, false, 64) => lift::<Load<u32, u64>>(level),
        (32, true, 64) => lift::<Load<i32, u64>>(level),
        (64, _, 64) => lift::<Load<u64, u64>>(level),
        _ => return None,
    })
}

fn store_run(level: Level, ty: Type, register: u32) -> Option<Run> {
    let register = register.max(16);
    Some(match (bits(ty), register) {
        (8, 16 | 32) => lift::<Store<u8, u32>>(level),
        (8, 64) => lift::<Store<u8, u64>>(level),
        (16, 16 | 32) => lift::<Store<u16, u32>>(level),
        (16, 64) => lift::<Store<u16, u64>>(level),
        (32, 32) => lift::<Store<u32, u32>>(level),
        (32, 64) => lift::<Store<u32, u64>>(level),
        (64, 64) => lift::<Store<u64, u64>>(level),
        _ => return None,
    })
}

/// The space a modifier names, and what a variable by name says.
pub fn take_space(
    lower: &Lower<'_, '_, '_>,
    modifiers: &mut Modifiers<'_>,
    address: Option<&Address>,
) -> Result<Space, LowerError> {
    let home = address.and_then(|address| address.home);
    Ok(
        match modifiers.take_one_of(&[
            "global",
            "shared",
            "shared::cta",
            "local",
            "const",
            "param",
            "param::entry",
            "param::func",
            "shared::cluster",
        ]) {
            None => match home {
                // A generic access to a variable by name: its address in its own space is all that is known here.
                Some(Home::Shared(_) | Home::DynamicShared) => Space::Shared,
                Some(Home::Frame(_)) => Space::Local,
                Some(Home::KernelParam(_)) => Space::Param,
                Some(Home::Device(_)) | None => Space::Generic,
            },
            Some(0) => Space::Global,
            // Without clusters, the cluster's shared memory is the block's.
            Some(1 | 2 | 8) => Space::Shared,
            Some(3) => Space::Local,
            Some(4) => Space::Const,
            Some(5) => parameter_space(lower, home, Whose::Either)?,
            Some(6) => parameter_space(lower, home, Whose::Kernel)?,
            Some(_) => parameter_space(lower, home, Whose::Function)?,
        },
    )
}

/// Whose parameter an instruction says that it accesses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Either,
    Kernel,
    /// A function's own, or one of a call of a function.
    Function,
}

/// Where a parameter lies. A function's lies in the frame and is known by name alone; an address in a register is that
/// of a kernel's.
fn parameter_space(lower: &Lower<'_, '_, '_>, home: Option<Home>, whose: Whose) -> Result<Space, LowerError> {
    match home {
        Some(Home::KernelParam(_)) if whose != Whose::Function => Ok(Space::Param),
        Some(Home::KernelParam(_)) => Err(lower.error("a kernel's parameter is not .param::func")),
        Some(Home::Frame(at)) if lower.is_param(at) && whose != Whose::Kernel => Ok(Space::Local),
        Some(Home::Frame(at)) if lower.is_param(at) => Err(lower.error("a function's parameter is not .param::entry")),
        Some(_) => Err(lower.error("the variable is not a parameter")),
        None if whose == Whose::Kernel || whose == Whose::Either && lower.in_kernel() => Ok(Space::Param),
        None => Err(lower.error("a function's parameter must be named, or its address taken by mov and cvta")),
    }
}

/// What a memory-order modifier means, as flags.
pub fn take_order(modifiers: &mut Modifiers<'_>) -> u32 {
    let mut flags = 0;
    if modifiers.take("volatile") || modifiers.take("relaxed") {
        flags |= STRONG;
    }
    if modifiers.take("mmio") {
        flags |= STRONG;
    }
    if modifiers.take("acquire") {
        flags |= STRONG | ACQUIRE;
    }
    if modifiers.take("release") {
        flags |= STRONG | RELEASE;
    }
    modifiers.take("weak");
    if modifiers.take("acq_rel") {
        flags |= STRONG | ACQUIRE | RELEASE;
    }
    if modifiers.take_one_of(&["cta", "cluster", "gpu", "sys"]) == Some(0) {
        flags |= OF_BLOCK;
    }
    flags
}

/// `ld`, `ldu` and `st`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let storing = opcode == "st";
    let order = take_order(&mut modifiers);
    modifiers.take_cache_hints();
    let vector = modifiers.take_vector();
    let ty = modifiers.expect_type(lower)?;
    // A cache policy may follow; it changes no result.
    let (data, at) = match (operands, storing) {
        ([data, at] | [data, at, Operand::Name(_)], false) | ([at, data] | [at, data, Operand::Name(_)], true) => {
            (data, at)
        }
        _ => return Err(lower.error(format!("{opcode} takes a register and an address"))),
    };
    let address = lower.address(at)?;
    let space = take_space(lower, &mut modifiers, Some(&address))?;
    if storing && space == Space::Param {
        return Err(lower.error("a kernel's parameters can't be stored to"));
    }
    modifiers.take("unified");
    modifiers.finish(lower)?;
    let pieces: &[Operand<'a>] = match data {
        Operand::Vector(pieces) if pieces.len() == vector as usize => pieces,
        _ if vector == 1 => std::slice::from_ref(data),
        _ => return Err(lower.error(format!("{opcode}.v{vector} takes {vector} registers in braces"))),
    };
    if vector == 8 && bits(ty) != 32 || !is_movable(ty) {
        return Err(lower.error(format!("{opcode} of {vector} x {ty:?} is not supported")));
    }
    let mut slots = Vec::new();
    let mut register = 0;
    for piece in pieces {
        let (slot, declared) =
            if storing { lower.source_at_least(piece, ty)? } else { lower.destination_at_least(piece, ty)? };
        if register != 0 && bits(declared).max(16) != register && *piece != Operand::Sink {
            return Err(lower.error("the registers of a vector must have one size"));
        }
        register = register.max(bits(declared).max(16));
        slots.push(slot);
    }
    if !storing && pieces.contains(&Operand::Sink) {
        // A result not wanted takes the others' size.
        for (slot, piece) in slots.iter_mut().zip(pieces) {
            if *piece == Operand::Sink {
                *slot = lower.scratch(if register == 64 { Type::B64 } else { Type::B32 });
            }
        }
    }
    let run = if storing { store_run(level, ty, register) } else { load_run(level, ty, register) };
    let Some(run) = run else { return Err(lower.error(format!("{opcode} of {ty:?} is not supported"))) };
    let class = match (space, storing) {
        (Space::Generic | Space::Global, false) => Class::LoadGlobal,
        (Space::Generic | Space::Global, true) => Class::StoreGlobal,
        (Space::Shared, false) => Class::LoadShared,
        (Space::Shared, true) => Class::StoreShared,
        (Space::Local, false) => Class::LoadLocal,
        (Space::Local, true) => Class::StoreLocal,
        (Space::Const | Space::Param, _) => Class::LoadConst,
    };
    let mut inst = Inst::new(class, Action::Run(run))
        .with([slots[0], address.base])
        .imm(address.offset as u64)
        .flags(order | space_flags(space) | if address.wide { 0 } else { NARROW_BASE });
    if slots.len() > 1 {
        inst = inst.more(slots);
    }
    lower.push(inst);
    Ok(())
}
