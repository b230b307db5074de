//! `cp.async`: copies from global to shared memory that end when they are waited for.
//!
//! The bytes are moved at once, which is one of the orders that hardware may choose; the checks treat them as not
//! there until the thread has waited for its group.

use super::{
    Execute, bulk_copy, expect, lift,
    load_store::{NARROW_BASE, addresses, space_flags},
    mbarrier,
};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row, lanes},
    lower::{Lower, LowerError, Modifiers},
    memory::{self, Op, Request, Space},
    program::{Action, Class, Flow, Inst},
    ptx::ast::{Immediate, Operand, Type},
};

/// Copies to shared `args[0]` (plus the low half of `imm`) from global `args[1]` (plus its high half); `args[2]` the
/// bytes to read, the rest being zeros. The low 5 bits of flags 16 and up are the size.
struct Copy;

const SIZE_SHIFT: u32 = 16;
/// The global address is a word.
const NARROW_SOURCE: u32 = 2;
/// `args[2]` is a predicate: where it holds nothing is read.
const IGNORE: u32 = 4;

impl Execute for Copy {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let size = (inst.flags >> SIZE_SHIFT & 31) as usize;
        let to_offset = i64::from(inst.imm as i32) as u64;
        let from_offset = i64::from((inst.imm >> 32) as i32) as u64;
        let to = addresses(cx, inst.flags, inst.args[0], to_offset);
        let from = addresses(cx, inst.flags >> 1, inst.args[1], from_offset);
        let mut bytes = Row::<u32>::default();
        if inst.flags & IGNORE != 0 {
            let ignored = cx.registers.predicate(inst.args[2]);
            for lane in 0..LANES {
                bytes.0[lane] = if ignored >> lane & 1 == 1 { 0 } else { size as u32 };
            }
        } else {
            bytes = u32::get(cx.registers, inst.args[2]);
        }
        let mut request = Request {
            space: Space::Shared,
            op: Op::AsyncStore,
            bytes: size as u32,
            addresses: &to,
            mask,
            pc: cx.pc,
            warp: cx.warp,
            strong: false,
            local_top: cx.local_top,
        };
        let targets = match cx.memory.resolve(&request) {
            Ok(pointers) => pointers,
            Err(finding) => return cx.fail(finding),
        };
        // A lane that reads fewer bytes than it writes: whole accesses first, the partial ones byte by byte.
        let whole = lanes(mask).filter(|&lane| bytes.0[lane] >= size as u32).fold(0, |found, lane| found | 1 << lane);
        request = Request { space: Space::Global, op: Op::Load, addresses: &from, mask: whole, ..request };
        if whole != 0 {
            let sources = match cx.memory.resolve(&request) {
                Ok(pointers) => pointers,
                Err(finding) => return cx.fail(finding),
            };
            for offset in (0..size).step_by(4) {
                // SAFETY: sources and targets were resolved for `size` bytes, of which these are four.
                unsafe {
                    let words = memory::load::<u32>(&sources, offset, whole);
                    memory::store::<u32>(&targets, offset, whole, &words);
                }
            }
        }
        let partial = mask & !whole;
        for at in 0..if partial == 0 { 0 } else { size } {
            let here =
                lanes(partial).filter(|&lane| (at as u32) < bytes.0[lane]).fold(0, |found, lane| found | 1 << lane);
            let mut row = Row::<u8>::default();
            if here != 0 {
                let shifted = Row(from.0.map(|address| address.wrapping_add(at as u64)));
                let one = Request { bytes: 1, addresses: &shifted, mask: here, ..request };
                let sources = match cx.memory.resolve(&one) {
                    Ok(pointers) => pointers,
                    Err(finding) => return cx.fail(finding),
                };
                // SAFETY: resolved just now for one byte.
                row = unsafe { memory::load::<u8>(&sources, 0, here) };
            }
            // SAFETY: the targets were resolved for `size` bytes, of which this is one.
            unsafe { memory::store::<u8>(&targets, at, partial, &row) };
        }
        Flow::Next
    }
}

struct Commit;

impl Execute for Commit {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, _: &Inst, mask: Mask) -> Flow {
        cx.memory.async_commit(cx.warp, mask);
        Flow::Next
    }
}

/// Waits until at most `imm` groups are pending; all ones: for everything, committed or not.
struct Wait;

impl Execute for Wait {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let groups = (inst.imm != u64::MAX).then_some(inst.imm as u32);
        cx.memory.async_wait(cx.warp, mask, groups);
        Flow::Next
    }
}

/// Decodes `cp`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    if !modifiers.take("async") {
        return Err(lower.error("only cp.async is supported"));
    }
    if modifiers.take("bulk") {
        return bulk_copy::lower(lower, modifiers, operands);
    }
    if modifiers.take("mbarrier") {
        if !modifiers.take("arrive") {
            return Err(lower.error("cp.async.mbarrier needs .arrive"));
        }
        return mbarrier::lower_copies_arrive(lower, modifiers, operands);
    }
    if modifiers.take("commit_group") {
        modifiers.finish(lower)?;
        let [] = expect(lower, operands)?;
        lower.push(Inst::new(Class::AsyncCopy, Action::Run(lift::<Commit>(level))));
        return Ok(());
    }
    if modifiers.take("wait_all") {
        modifiers.finish(lower)?;
        let [] = expect(lower, operands)?;
        lower.push(Inst::new(Class::AsyncCopy, Action::Run(lift::<Wait>(level))).imm(u64::MAX));
        return Ok(());
    }
    if modifiers.take("wait_group") {
        modifiers.finish(lower)?;
        let [Operand::Immediate(Immediate::Integer(groups))] = expect(lower, operands)? else {
            return Err(lower.error("cp.async.wait_group takes a constant"));
        };
        lower.push(
            Inst::new(Class::AsyncCopy, Action::Run(lift::<Wait>(level))).imm((*groups).min(u64::from(u32::MAX))),
        );
        return Ok(());
    }
    let Some(cache) = modifiers.take_one_of(&["ca", "cg"]) else {
        return Err(lower.error("cp.async is supported with .ca or .cg, commit_group, wait_group and wait_all"));
    };
    modifiers.take_cache_hints();
    let spaces = modifiers.take_one_of(&["shared", "shared::cta"]).is_some() && modifiers.take("global");
    modifiers.finish(lower)?;
    let (to, from, size, rest) = match operands {
        [to, from, Operand::Immediate(Immediate::Integer(size)), rest @ ..] => (to, from, *size, rest),
        _ => return Err(lower.error("cp.async takes two addresses and a size")),
    };
    if !spaces || !matches!((cache, size), (_, 16) | (0, 4 | 8)) {
        return Err(lower.error("cp.async copies 4, 8 or 16 bytes (.cg only 16) from .global to .shared"));
    }
    let (to, from) = (lower.address(to)?, lower.address(from)?);
    let mut flags = (size as u32) << SIZE_SHIFT | space_flags(Space::Shared);
    // What may follow: the bytes to read or a predicate to ignore the source, then a cache policy.
    let bytes = match rest.first() {
        Some(Operand::Name(name)) if lower.is_predicate(name) => {
            flags |= IGNORE;
            lower.register(name, Type::Pred)?
        }
        Some(operand) if rest.len() == 1 && lower.is_long(operand) => lower.word(size as u32),
        Some(operand) => lower.source(operand, Type::U32)?,
        None => lower.word(size as u32),
    };
    let (Ok(to_offset), Ok(from_offset)) = (i32::try_from(to.offset), i32::try_from(from.offset)) else {
        return Err(lower.error("cp.async needs addresses in registers, with offsets of 32 bits"));
    };
    let imm = u64::from(to_offset as u32) | u64::from(from_offset as u32) << 32;
    flags |= if to.wide { 0 } else { NARROW_BASE } | if from.wide { 0 } else { NARROW_SOURCE };
    lower.push(
        Inst::new(Class::AsyncCopy, Action::Run(lift::<Copy>(level)))
            .with([to.base, from.base, bytes])
            .imm(imm)
            .flags(flags),
    );
    Ok(())
}
