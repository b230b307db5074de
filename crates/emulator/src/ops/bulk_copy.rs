//! `cp.async.bulk`: a thread's copies of any length between global and shared memory.
//!
//! The bytes are moved at once, which is one of the orders that hardware may choose. The checks treat those into shared
//! memory as not there until somebody has waited for their barrier's phase; those out of it as read and written by
//! their thread when they begin. Proxies are not told apart: a missing `fence.proxy.async` is not found. The counters
//! see a copy as accesses of 16 bytes, one after the other.

use super::{
    Execute, lift,
    load_store::{NARROW_BASE, addresses, request_space, space_flags},
    mbarrier::Barriers,
};
use crate::{
    check::Scope,
    exec::Cx,
    finding::Kind,
    lanes::{LANES, Mask, Row, lanes},
    lower::{Address, Lower, LowerError, Modifiers},
    memory::{self, Op, Request, Sharing, Space},
    program::{Action, Class, Flow, Inst, Slot},
    ptx::ast::{Operand, Type},
};

/// Bytes that a copy is a multiple of, and that its addresses are multiples of.
const UNIT: usize = 16;

/// Copies to `args[0]` (plus the low half of `imm`) from `args[1]` (plus its high half) the bytes that `args[2]` says;
/// with [`ON_BARRIER`] they complete on the barrier at `args[3]` plus `args[4]`.
struct Bulk;

/// The source's space and width are in the flags this much higher than the target's.
const SOURCE: u32 = 1;
const SOURCE_SPACE: u32 = 3;
const NARROW_BARRIER: u32 = NARROW_BASE << 2;
const ON_BARRIER: u32 = 1 << 16;

impl Bulk {
    fn copy(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Result<(), Flow> {
        let to = addresses(cx, inst.flags, inst.args[0], i64::from(inst.imm as i32) as u64);
        let from = addresses(cx, inst.flags >> SOURCE, inst.args[1], i64::from((inst.imm >> 32) as i32) as u64);
        let sizes = *cx.registers.word(inst.args[2]);
        let barriers = if inst.flags & ON_BARRIER != 0 {
            let offsets = *cx.registers.word(inst.args[4]);
            let mut places = addresses(cx, inst.flags >> NARROW_BARRIER.trailing_zeros(), inst.args[3], 0);
            for lane in 0..LANES {
                places.0[lane] = places.0[lane].wrapping_add(i64::from(offsets.0[lane] as i32) as u64);
            }
            Some(Barriers::locate(cx, places, Space::Shared, Op::Load, mask)?)
        } else {
            None
        };
        for lane in lanes(mask) {
            let bytes = sizes.0[lane];
            if !(bytes as usize).is_multiple_of(UNIT) {
                let detail = format!("a bulk copy of {bytes} bytes, which is not a multiple of {UNIT}");
                let finding = cx.finding(Kind::InvalidOperand, lane, detail);
                return Err(cx.fail(Box::new(finding)));
            }
            let phase = match &barriers {
                Some(barriers) => {
                    let (now, _) = barriers.change(cx, lane, Ok)?;
                    Some(barriers.phase(lane, now.parity()))
                }
                None => None,
            };
            Self::move_bytes(cx, inst, lane, [to.0[lane], from.0[lane]], bytes, phase)?;
            if let Some(barriers) = &barriers {
                barriers.change(cx, lane, |state| state.complete(bytes))?;
            }
        }
        Ok(())
    }

    /// One lane's copy, which completes on a phase of a barrier, if it does.
    fn move_bytes(
        cx: &mut Cx<'_, '_>,
        inst: &Inst,
        lane: usize,
        [to, from]: [u64; 2],
        bytes: u32,
        phase: Option<u64>,
    ) -> Result<(), Flow> {
        let (pc, warp, local_top) = (cx.pc, cx.warp, cx.local_top);
        let (to_space, from_space) = (request_space(inst.flags), request_space(inst.flags >> SOURCE_SPACE));
        let op = if phase.is_some() { Op::AsyncStore } else { Op::Store };
        let sharing = Sharing { scope: Scope::Device, phase, ..Sharing::default() };
        let mut pieces = [to, from].map(Row::splat);
        let mut pointers = [Row([std::ptr::null_mut(); LANES]); 2];
        for at in (0..u64::from(bytes)).step_by(UNIT) {
            pieces[0].0[lane] = to.wrapping_add(at);
            pieces[1].0[lane] = from.wrapping_add(at);
            let [to_row, from_row] = &pieces;
            let source = Request {
                space: from_space,
                op: Op::Load,
                bytes: UNIT as u32,
                addresses: from_row,
                mask: 1 << lane,
                pc,
                warp,
                strong: false,
                local_top,
            };
            let target = Request { space: to_space, op, addresses: to_row, ..source };
            let [to_pointers, from_pointers] = &mut pointers;
            cx.memory
                .resolve_into(&source, &sharing, from_pointers)
                .and_then(|()| cx.memory.resolve_into(&target, &sharing, to_pointers))
                .map_err(|finding| cx.fail(finding))?;
            // SAFETY: both were resolved just now for `UNIT` bytes of this lane, the target for writing.
            unsafe { memory::copy_unit(to_pointers.0[lane], from_pointers.0[lane]) };
        }
        Ok(())
    }
}

impl Execute for Bulk {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        match Self::copy(cx, inst, mask) {
            Ok(()) => Flow::Next,
            Err(flow) => flow,
        }
    }
}

/// Groups of copies out of shared memory: they are done already.
struct Done;

impl Execute for Done {
    #[inline(always)]
    fn run(_: &mut Cx<'_, '_>, _: &Inst, _: Mask) -> Flow {
        Flow::Next
    }
}

/// Decodes `cp.async.bulk`, after those words.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let group = modifiers.take_one_of(&["commit_group", "wait_group"]);
    if let Some(which) = group {
        modifiers.take("read");
        modifiers.finish(lower)?;
        match operands {
            [] if which == 0 => {}
            [groups] if which == 1 => {
                lower.source(groups, Type::U32)?;
            }
            _ => return Err(lower.error("cp.async.bulk.wait_group takes a number of groups, commit_group nothing")),
        }
        lower.push(Inst::new(Class::AsyncCopy, Action::Run(lift::<Done>(level))));
        return Ok(());
    }
    if modifiers.peek() == Some("tensor") {
        return Err(lower.error("cp.async.bulk.tensor is not supported"));
    }
    const SPACES: [&str; 3] = ["global", "shared::cta", "shared::cluster"];
    let (to, from) = (modifiers.take_one_of(&SPACES), modifiers.take_one_of(&SPACES));
    let on_barrier = modifiers.take("mbarrier::complete_tx::bytes");
    let in_group = modifiers.take("bulk_group");
    // The policy that comes with this changes no result.
    let policy = usize::from(modifiers.take("L2::cache_hint"));
    modifiers.finish(lower)?;
    let (to_space, from_space) = match (to, from) {
        (Some(1 | 2), Some(0)) if on_barrier && !in_group => (Space::Shared, Space::Global),
        (Some(2), Some(1)) if on_barrier && !in_group => (Space::Shared, Space::Shared),
        (Some(0), Some(1)) if in_group && !on_barrier => (Space::Global, Space::Shared),
        _ => {
            return Err(lower.error(
                "cp.async.bulk copies from .global to .shared::cluster, and from .shared::cta to it, with \
                 .mbarrier::complete_tx::bytes, or from .shared::cta to .global with .bulk_group",
            ));
        }
    };
    if operands.len() != 3 + usize::from(on_barrier) + policy {
        return Err(lower.error(format!("cp.async.bulk does not take {} operands here", operands.len())));
    }
    let [to, from] = [lower.address(&operands[0])?, lower.address(&operands[1])?];
    let size = lower.source(&operands[2], Type::U32)?;
    let mut flags = space_flags(to_space) | space_flags(from_space) << SOURCE_SPACE;
    flags |= if to.wide { 0 } else { NARROW_BASE } | if from.wide { 0 } else { NARROW_BASE << SOURCE };
    let imm = u64::from(offset(lower, &to)?) | u64::from(offset(lower, &from)?) << 32;
    let (mut barrier, mut barrier_offset) = (Slot::default(), Slot::default());
    if on_barrier {
        let at = lower.address(&operands[3])?;
        flags |= ON_BARRIER | if at.wide { 0 } else { NARROW_BARRIER };
        barrier = at.base;
        let at = offset(lower, &at)?;
        barrier_offset = lower.word(at);
    }
    if policy == 1 {
        lower.source(&operands[operands.len() - 1], Type::B64)?;
    }
    lower.push(
        Inst::new(Class::AsyncCopy, Action::Run(lift::<Bulk>(level)))
            .with([to.base, from.base, size, barrier, barrier_offset])
            .imm(imm)
            .flags(flags),
    );
    Ok(())
}

/// An address's offset in 32 bits.
fn offset(lower: &Lower<'_, '_, '_>, address: &Address) -> Result<u32, LowerError> {
    let offset = i32::try_from(address.offset);
    offset
        .map(|offset| offset as u32)
        .map_err(|_| lower.error("cp.async.bulk needs addresses in registers, with offsets of 32 bits"))
}
