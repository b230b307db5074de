//! The instruction set, a family a module: how an instruction is decoded, beside how it is executed.
//!
//! A family's `lower` takes the opcode's modifiers one by one, its operands as slots, and appends the decoded
//! instruction; what it does not know it refuses, by name.

mod async_copy;
mod atomic;
mod barrier;
mod bits;
mod bulk_copy;
mod carry;
mod compare;
mod control;
mod convert;
mod convert_small;
mod float;
mod half;
mod integer;
mod intrinsic;
mod lift;
mod load_store;
mod matrix_memory;
mod mbarrier;
mod mbarrier_state;
mod mma;
mod mov;
mod warp;

pub use intrinsic::lower as intrinsic;
pub use lift::{
    Alone, COMBINE_AND, COMBINE_OR, COMBINE_XOR, Execute, ExecuteTogether, Level, NEGATE, SECOND, lift, lift_together,
    map1, map2, map3, test_rows, test2,
};
pub use mov::{copy_predicate, frame_address};

use crate::{
    lower::{Lower, LowerError, Modifiers},
    ptx::ast::{Instruction, Operand},
};

/// Decodes an instruction.
pub fn lower<'a>(lower: &mut Lower<'_, '_, 'a>, instruction: &Instruction<'a>) -> Result<(), LowerError> {
    let modifiers = Modifiers::new(instruction);
    let operands = instruction.operands.as_slice();
    match instruction.opcode {
        "bra" | "brx" | "call" | "ret" | "exit" | "trap" | "brkpt" | "nanosleep" | "pmevent" => {
            control::lower(lower, instruction.opcode, modifiers, operands)
        }
        "mov" | "cvta" | "isspacep" => mov::lower(lower, instruction.opcode, modifiers, operands),
        "ld" | "ldu" | "st" => load_store::lower(lower, instruction.opcode, modifiers, operands),
        "addc" | "subc" | "madc" => carry::lower(lower, instruction.opcode, modifiers, operands),
        "add" | "sub" | "mad" if instruction.modifiers.contains(&"cc") => {
            carry::lower(lower, instruction.opcode, modifiers, operands)
        }
        "bar" | "barrier" | "membar" | "fence" => barrier::lower(lower, instruction.opcode, modifiers, operands),
        "shfl" | "vote" | "match" | "redux" | "activemask" | "elect" => {
            warp::lower(lower, instruction.opcode, modifiers, operands)
        }
        "cvt" => convert::lower(lower, modifiers, operands),
        "mma" => mma::lower(lower, modifiers, operands),
        "movmatrix" => mma::lower_movmatrix(lower, modifiers, operands),
        "ldmatrix" | "stmatrix" => matrix_memory::lower(lower, instruction.opcode, modifiers, operands),
        "atom" | "red" => atomic::lower(lower, instruction.opcode, modifiers, operands),
        "cp" => async_copy::lower(lower, modifiers, operands),
        "mbarrier" => mbarrier::lower(lower, modifiers, operands),
        "setp" | "set" | "selp" | "slct" => compare::lower(lower, instruction.opcode, modifiers, operands),
        "add" | "sub" | "mul" | "fma" | "min" | "max" | "abs" | "neg" | "ex2" | "tanh"
            if instruction.modifiers.iter().any(|name| matches!(*name, "f16" | "f16x2" | "bf16" | "bf16x2")) =>
        {
            half::lower(lower, instruction.opcode, modifiers, operands)
        }
        "fma" | "rcp" | "sqrt" | "rsqrt" | "sin" | "cos" | "lg2" | "ex2" | "tanh" | "copysign" | "testp" => {
            float::lower(lower, instruction.opcode, modifiers, operands)
        }
        "add" | "sub" | "mul" | "mad" | "div" | "min" | "max" | "abs" | "neg"
            if instruction.modifiers.iter().any(|name| matches!(*name, "f32" | "f64")) =>
        {
            float::lower(lower, instruction.opcode, modifiers, operands)
        }
        "add" | "sub" | "mul" | "mad" | "min" | "max" | "abs" | "neg" | "div" | "rem" | "sad" | "mul24" | "mad24"
        | "dp4a" | "dp2a" => integer::lower(lower, instruction.opcode, modifiers, operands),
        "and" | "or" | "xor" | "not" | "cnot" | "lop3" | "shl" | "shr" | "shf" | "prmt" | "bfe" | "bfi" | "bmsk"
        | "szext" | "popc" | "clz" | "bfind" | "fns" | "brev" => {
            bits::lower(lower, instruction.opcode, modifiers, operands)
        }
        opcode => Err(lower.error(format!("unknown instruction {opcode}"))),
    }
}

/// Checks how many operands there are.
pub fn expect<'o, 'a, const N: usize>(
    lower: &Lower<'_, '_, '_>,
    operands: &'o [Operand<'a>],
) -> Result<&'o [Operand<'a>; N], LowerError> {
    operands.try_into().map_err(|_| lower.error(format!("{N} operands expected, {} found", operands.len())))
}
