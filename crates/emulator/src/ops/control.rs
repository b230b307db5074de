//! Jumps, calls and ends.

use super::{Execute, expect, lift};
use crate::{
    exec::Cx,
    lanes::Mask,
    lower::{Lower, LowerError, Modifiers},
    program::{Action, Class, Flow, Inst},
    ptx::ast::{Operand, Type},
};

/// How long to wait is a hint: what matters is that others go first.
struct Sleep;

impl Execute for Sleep {
    #[inline(always)]
    fn run(_: &mut Cx<'_, '_>, _: &Inst, _: Mask) -> Flow {
        Flow::Yield
    }
}

struct Nothing;

impl Execute for Nothing {
    #[inline(always)]
    fn run(_: &mut Cx<'_, '_>, _: &Inst, _: Mask) -> Flow {
        Flow::Next
    }
}

/// `bra`, `brx.idx`, `call`, `ret`, `exit`, `trap`, `brkpt`, `nanosleep`, `pmevent`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    match opcode {
        "bra" => {
            modifiers.take("uni");
            modifiers.finish(lower)?;
            match expect(lower, operands)? {
                [Operand::Name(label)] => lower.branch(label),
                _ => Err(lower.error("bra takes a label")),
            }
        }
        "brx" => {
            if !modifiers.take("idx") {
                return Err(lower.error("only brx.idx is supported"));
            }
            modifiers.take("uni");
            modifiers.finish(lower)?;
            let [index, Operand::Name(targets)] = expect(lower, operands)? else {
                return Err(lower.error("brx.idx takes an index and a list of targets"));
            };
            let index = lower.source(index, Type::U32)?;
            lower.switch(index, targets)
        }
        "call" => {
            modifiers.take("uni");
            modifiers.finish(lower)?;
            lower.call(operands)
        }
        "ret" | "exit" | "trap" => {
            modifiers.take("uni");
            modifiers.finish(lower)?;
            let [] = expect(lower, operands)?;
            let action = match opcode {
                "ret" => Action::Return,
                "exit" => Action::Exit,
                _ => Action::Trap,
            };
            lower.push(Inst::new(Class::Control, action));
            Ok(())
        }
        "nanosleep" => {
            if modifiers.take_type() != Some(Type::U32) {
                return Err(lower.error("nanosleep takes the type .u32"));
            }
            modifiers.finish(lower)?;
            let [time] = expect(lower, operands)?;
            lower.source(time, Type::U32)?;
            lower.push(Inst::new(Class::Control, Action::Run(lift::<Sleep>(level))));
            Ok(())
        }
        // A break point without a debugger, and an event of a performance monitor: nothing happens.
        _ => {
            modifiers.take("mask");
            modifiers.finish(lower)?;
            lower.push(Inst::new(Class::Control, Action::Run(lift::<Nothing>(level))));
            Ok(())
        }
    }
}
