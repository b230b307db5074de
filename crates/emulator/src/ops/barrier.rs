//! Barriers of a block, and fences.

use std::sync::atomic::{Ordering, fence};

use super::{Execute, expect, integer::unsupported, lift, warp};
use crate::{
    exec::Cx,
    lanes::Mask,
    lower::{Lower, LowerError, Modifiers},
    program::{Action, Barrier, BarrierKind, Class, Flow, Inst},
    ptx::ast::{Operand, Type},
};

/// Orders a thread's accesses for others.
struct Fence;

impl Execute for Fence {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, _: &Inst, mask: Mask) -> Flow {
        fence(Ordering::SeqCst);
        cx.memory.fence(cx.warp, mask);
        Flow::Next
    }
}

/// Decodes `bar`, `barrier`, `membar`, `fence`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    match opcode {
        "bar" | "barrier" => barrier(lower, opcode, modifiers, operands),
        "membar" => {
            if modifiers.take_one_of(&["cta", "gl", "sys"]).is_none() {
                return Err(lower.error("membar needs .cta, .gl or .sys"));
            }
            modifiers.finish(lower)?;
            push_fence(lower, operands)
        }
        _ => {
            // A fence of another proxy, or of a mbarrier's initialisation, orders no less here.
            let proxy = modifiers.take("proxy");
            if proxy {
                match modifiers.take_one_of(&["alias", "async", "async::generic"]) {
                    Some(0) => {}
                    Some(1) => {
                        modifiers.take_one_of(&["global", "shared::cta", "shared::cluster"]);
                    }
                    Some(_) => {
                        modifiers.take_one_of(&["sync_restrict::shared::cta", "sync_restrict::shared::cluster"]);
                    }
                    None => return Err(lower.error("fence.proxy needs .alias or .async")),
                }
            }
            modifiers.take("mbarrier_init");
            modifiers.take_one_of(&["sc", "acq_rel", "acquire", "release"]);
            let scope = modifiers.take_one_of(&["cta", "cluster", "gpu", "sys"]);
            modifiers.finish(lower)?;
            if !proxy && scope.is_none() {
                return Err(lower.error("fence needs a scope"));
            }
            push_fence(lower, operands)
        }
    }
}

fn push_fence<'a>(lower: &mut Lower<'_, '_, 'a>, operands: &[Operand<'a>]) -> Result<(), LowerError> {
    let level = lower.level();
    let [] = expect(lower, operands)?;
    lower.push(Inst::new(Class::Barrier, Action::Run(lift::<Fence>(level))));
    Ok(())
}

fn barrier<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    if opcode == "bar" && modifiers.take("warp") {
        if !modifiers.take("sync") {
            return Err(lower.error("bar.warp needs .sync"));
        }
        modifiers.finish(lower)?;
        return warp::warp_barrier(lower, operands);
    }
    let cluster = modifiers.take("cluster");
    modifiers.take("cta");
    if cluster {
        return Err(lower.error("barriers of clusters are not supported"));
    }
    // `bar` is `barrier` with `.aligned`.
    let aligned = modifiers.take("aligned") || opcode == "bar";
    let Some(kind) = modifiers.take_one_of(&["sync", "arrive", "red"]) else {
        return Err(lower.error(format!("{opcode} needs .sync, .arrive or .red")));
    };
    if kind < 2 {
        modifiers.finish(lower)?;
        let (id, count) = match operands {
            [id] if kind == 0 => (id, None),
            [id, count] => (id, Some(count)),
            _ => return Err(lower.error(format!("{opcode} takes a barrier and a number of threads"))),
        };
        let id = lower.source(id, Type::B32)?;
        let count = count.map(|count| lower.source(count, Type::B32)).transpose()?;
        let kind = if kind == 0 { BarrierKind::Sync } else { BarrierKind::Arrive };
        lower.push(Inst::new(Class::Barrier, Action::Barrier(Barrier { kind, aligned, id, count })));
        return Ok(());
    }
    let Some(operation) = modifiers.take_one_of(&["popc", "and", "or"]) else {
        return Err(lower.error(format!("{opcode}.red needs .popc, .and or .or")));
    };
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let (d, id, count, predicate) = match operands {
        [d, id, count, predicate] => (d, id, Some(count), predicate),
        [d, id, predicate] => (d, id, None, predicate),
        _ => return Err(lower.error(format!("{opcode}.red takes a result, a barrier, a count and a predicate"))),
    };
    let (kind, d) = match (operation, ty, d) {
        (0, Type::U32, d) => (BarrierKind::Count, lower.destination(d, ty)?),
        (1, Type::Pred, Operand::Name(name)) => (BarrierKind::All, lower.predicate_destination(name)?),
        (2, Type::Pred, Operand::Name(name)) => (BarrierKind::Any, lower.predicate_destination(name)?),
        _ => return Err(unsupported(lower, opcode, ty)),
    };
    let id = lower.source(id, Type::B32)?;
    let count = count.map(|count| lower.source(count, Type::B32)).transpose()?;
    let predicate = lower.predicate(predicate)?;
    lower.push(
        Inst::new(Class::Barrier, Action::Barrier(Barrier { kind, aligned, id, count }))
            .with([d, predicate.slot])
            .imm(u64::from(predicate.negated)),
    );
    Ok(())
}
