//! Operands to slots.

use super::{Binding, Frames, Home, Lower, LowerError, bits};
use crate::{
    ops,
    program::{Slot, Special},
    ptx::ast::{Immediate, Initializer, Operand, Space, Type, Variable},
};

/// Where an access goes: a register (or the constant zero) plus an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The register.
    pub base: Slot,
    /// Whether it is a long; else a word, to be zero-extended.
    pub wide: bool,
    /// Bytes added.
    pub offset: i64,
    /// What the base was, where it was a variable by name.
    pub home: Option<Home>,
}

/// A predicate that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PredicateSource {
    /// The register, or a constant.
    pub slot: Slot,
    /// `!p`.
    pub negated: bool,
}

impl<'a> Lower<'_, '_, 'a> {
    /// The slot of a register by name, which must have as many bits as `ty`.
    pub fn register(&mut self, name: &str, ty: Type) -> Result<Slot, LowerError> {
        let (slot, declared) = self.any_register(name)?;
        if bits(declared) != bits(ty) {
            return Err(self.error(format!(
                "{name} has {} bits where the instruction takes {}",
                bits(declared),
                bits(ty)
            )));
        }
        Ok(slot)
    }

    /// The slot of a register by name, and its type.
    pub fn any_register(&mut self, name: &str) -> Result<(Slot, Type), LowerError> {
        let (ty, declaration, index) = match self.lookup(name) {
            Some(Binding::Register(ty, declaration)) => (ty, declaration, 0),
            Some(_) => return Err(self.error(format!("{name} is not a register"))),
            None => {
                let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
                // A family may itself be named with digits, as `%rd1_<4>`: try each split.
                let found = (1..=digits.min(9)).rev().find_map(|digits| {
                    let (prefix, number) = name.split_at(name.len() - digits);
                    let number: u32 = number.parse().ok()?;
                    match self.lookup(prefix) {
                        Some(Binding::Family(ty, declaration, count)) if number < count => {
                            Some((ty, declaration, number))
                        }
                        _ => None,
                    }
                });
                found.ok_or_else(|| self.error(format!("{name} is not declared")))?
            }
        };
        if let Some(&slot) = self.registers.get(&(declaration, index)) {
            return Ok((slot, ty));
        }
        let slot = match bits(ty) {
            1 => self.frames.new_predicate(),
            64 => self.frames.new_long(),
            128 => return Err(self.error(format!("{name}: registers of 128 bits are not supported"))),
            _ => self.frames.new_word(),
        };
        self.registers.insert((declaration, index), slot);
        Ok((slot, ty))
    }

    /// A register that is written; a slot of its own for `_`.
    pub fn destination(&mut self, operand: &Operand<'a>, ty: Type) -> Result<Slot, LowerError> {
        match operand {
            Operand::Name(name) => self.register(name, ty),
            Operand::Sink => Ok(self.scratch(ty)),
            _ => Err(self.error("the destination must be a register")),
        }
    }

    /// A register written by an instruction that allows it to be wider than its type: slot and the register's type.
    pub fn destination_at_least(&mut self, operand: &Operand<'a>, ty: Type) -> Result<(Slot, Type), LowerError> {
        match operand {
            Operand::Name(name) => {
                let (slot, declared) = self.any_register(name)?;
                if bits(declared) < bits(ty) || declared == Type::Pred {
                    return Err(self.error(format!("{name} is too narrow for {ty:?}")));
                }
                Ok((slot, declared))
            }
            Operand::Sink => Ok((self.scratch(ty), ty)),
            _ => Err(self.error("the destination must be a register")),
        }
    }

    /// A slot that nothing else uses.
    pub fn scratch(&mut self, ty: Type) -> Slot {
        match bits(ty) {
            1 => self.frames.new_predicate(),
            64 => self.frames.new_long(),
            _ => self.frames.new_word(),
        }
    }

    /// The slot that holds a 32-bit constant.
    pub fn word(&mut self, value: u32) -> Slot {
        self.frames.word(value)
    }

    /// The slot that holds a 64-bit constant.
    pub fn long(&mut self, value: u64) -> Slot {
        self.frames.long(value)
    }

    /// The slot of a constant special register that is read as a word.
    pub fn special_word(&mut self, special: Special) -> Slot {
        self.frames.word_special(special)
    }

    /// A value that is read: a register of the type's size, a constant, a special register, a variable's address.
    pub fn source(&mut self, operand: &Operand<'a>, ty: Type) -> Result<Slot, LowerError> {
        Ok(self.source_sized(operand, ty, false)?.0)
    }

    /// The same for instructions that allow a register wider than their type: slot and the register's type.
    pub fn source_at_least(&mut self, operand: &Operand<'a>, ty: Type) -> Result<(Slot, Type), LowerError> {
        self.source_sized(operand, ty, true)
    }

    fn source_sized(&mut self, operand: &Operand<'a>, ty: Type, wider: bool) -> Result<(Slot, Type), LowerError> {
        match operand {
            Operand::Immediate(immediate) => Ok((self.constant(*immediate, ty)?, ty)),
            Operand::Name(name) => self.named_source(name, 0, ty, wider),
            Operand::NameOffset(name, offset) => self.named_source(name, *offset, ty, wider),
            _ => Err(self.error("the operand must be a register or a constant")),
        }
    }

    fn named_source(&mut self, name: &'a str, offset: i64, ty: Type, wider: bool) -> Result<(Slot, Type), LowerError> {
        if let Some(special) = special_named(name) {
            return Ok((
                match bits(ty) {
                    64 => self.frames.long_special(special),
                    32 => self.frames.word_special(special),
                    16 if matches!(
                        special,
                        Special::Tid(_) | Special::Ntid(_) | Special::Ctaid(_) | Special::Nctaid(_)
                    ) =>
                    {
                        self.frames.word_special(special)
                    }
                    _ => return Err(self.error(format!("{name} does not fit {ty:?}"))),
                },
                ty,
            ));
        }
        if let Some(value) = constant_named(name) {
            return Ok((self.constant(Immediate::Integer(value), ty)?, ty));
        }
        if let Some(home) = self.home(name)? {
            return Ok((self.address_of(home, offset, ty)?, ty));
        }
        if let Some(address) = self.builder.function_address(name).filter(|_| bits(ty) == 64) {
            return Ok((self.long(address), ty));
        }
        let (slot, declared) = self.any_register(name)?;
        if bits(declared) != bits(ty) && !(wider && bits(declared) > bits(ty)) {
            return Err(self.error(format!(
                "{name} has {} bits where the instruction takes {}",
                bits(declared),
                bits(ty)
            )));
        }
        Ok((slot, declared))
    }

    /// A variable's address as a value.
    fn address_of(&mut self, home: Home, offset: i64, ty: Type) -> Result<Slot, LowerError> {
        let value = match home {
            Home::Device(address) => address,
            Home::Shared(at) | Home::KernelParam(at) => u64::from(at),
            Home::DynamicShared => {
                if offset != 0 {
                    return Err(self.error("an offset from dynamic shared memory must be added by an instruction"));
                }
                return Ok(self.builder.dynamic_shared(&mut self.frames, bits(ty) == 64));
            }
            Home::Frame(at) => {
                let wide = bits(ty) == 64;
                let slot = self.scratch(ty);
                ops::frame_address(self, slot, wide, u64::from(at).wrapping_add_signed(offset));
                return Ok(slot);
            }
        }
        .wrapping_add_signed(offset);
        match bits(ty) {
            64 => Ok(self.long(value)),
            32 if value <= u64::from(u32::MAX) => Ok(self.word(value as u32)),
            _ => Err(self.error("the address does not fit the type")),
        }
    }

    /// The slot of a constant of a type.
    pub fn constant(&mut self, immediate: Immediate, ty: Type) -> Result<Slot, LowerError> {
        let value = match (immediate, ty) {
            (Immediate::Integer(value), Type::Pred) => return Ok(self.frames.predicate(value != 0)),
            (Immediate::Integer(_), Type::F32 | Type::F64) => {
                return Err(self.error("a floating-point operand can't be an integer constant"));
            }
            (Immediate::Integer(value), _) => value,
            (Immediate::F32(value), Type::F64) => f64::from(f32::from_bits(value)).to_bits(),
            (Immediate::F32(value), _) => u64::from(value),
            (Immediate::F64(value), Type::F32) => u64::from((f64::from_bits(value) as f32).to_bits()),
            (Immediate::F64(value), _) if bits(ty) == 64 => value,
            (Immediate::F64(_), _) => return Err(self.error("a 64-bit constant does not fit the type")),
        };
        Ok(match bits(ty) {
            64 => self.long(value),
            32 => self.word(value as u32),
            16 => self.word(value as u32 & 0xffff),
            8 => self.word(value as u32 & 0xff),
            _ => return Err(self.error(format!("constants of type {ty:?} are not supported"))),
        })
    }

    /// A predicate that is written; a slot of its own for `_`.
    pub fn predicate_destination(&mut self, name: &str) -> Result<Slot, LowerError> {
        if name == "_" { Ok(self.frames.new_predicate()) } else { self.register(name, Type::Pred) }
    }

    /// A predicate that is read: `p`, `!p` or a constant.
    pub fn predicate(&mut self, operand: &Operand<'a>) -> Result<PredicateSource, LowerError> {
        match operand {
            Operand::Name(name) => Ok(PredicateSource { slot: self.register(name, Type::Pred)?, negated: false }),
            Operand::Negated(name) => Ok(PredicateSource { slot: self.register(name, Type::Pred)?, negated: true }),
            Operand::Immediate(immediate) => {
                Ok(PredicateSource { slot: self.constant(*immediate, Type::Pred)?, negated: false })
            }
            _ => Err(self.error("the operand must be a predicate")),
        }
    }

    /// Whether a name is a predicate.
    pub fn is_predicate(&mut self, name: &str) -> bool {
        self.any_register(name).is_ok_and(|(_, ty)| ty == Type::Pred)
    }

    /// Whether an operand is a register of 64 bits.
    pub fn is_long(&mut self, operand: &Operand<'a>) -> bool {
        matches!(operand, Operand::Name(name) if self.any_register(name).is_ok_and(|(_, ty)| bits(ty) == 64))
    }

    /// Where an access goes.
    pub fn address(&mut self, operand: &Operand<'a>) -> Result<Address, LowerError> {
        let Operand::Address { base, offset } = operand else {
            return Err(self.error("the operand must be an address in brackets"));
        };
        if base.is_empty() {
            return Ok(Address { base: self.long(0), wide: true, offset: *offset, home: None });
        }
        if let Some(home) = self.home(base)? {
            let (base, wide, at) = match home {
                Home::Device(address) => (self.long(0), true, address as i64),
                Home::Shared(at) | Home::KernelParam(at) => (self.long(0), true, i64::from(at)),
                Home::DynamicShared => (self.builder.dynamic_shared(&mut self.frames, true), true, 0),
                Home::Frame(at) => (Frames::LOCAL_BASE, true, i64::from(at)),
            };
            return Ok(Address { base, wide, offset: at.wrapping_add(*offset), home: Some(home) });
        }
        let (base_slot, ty) = self.any_register(base)?;
        match bits(ty) {
            64 => Ok(Address { base: base_slot, wide: true, offset: *offset, home: None }),
            32 => Ok(Address { base: base_slot, wide: false, offset: *offset, home: None }),
            _ => Err(self.error(format!("{base} can't hold an address"))),
        }
    }

    /// Where a variable is, by name.
    pub(super) fn home(&mut self, name: &str) -> Result<Option<Home>, LowerError> {
        match self.lookup(name) {
            Some(Binding::Variable(home)) => Ok(Some(home)),
            Some(_) => Ok(None),
            None => self.builder.module_home(name, self.position),
        }
    }

    /// Declares registers or a variable in the present scope.
    pub(super) fn declare(&mut self, variable: &Variable<'a>) -> Result<(), LowerError> {
        self.position = variable.position;
        let binding = match variable.space {
            Space::Register => {
                self.declarations += 1;
                if variable.vector != 1 || !variable.dimensions.is_empty() {
                    return Err(self.error(format!("{}: vectors of registers are not supported", variable.name)));
                }
                match variable.count {
                    Some(count) => Binding::Family(variable.ty, self.declarations, count),
                    None => Binding::Register(variable.ty, self.declarations),
                }
            }
            Space::Local | Space::Param => {
                let (bytes, align) = self.builder.size_of(variable)?;
                let at = self
                    .frames
                    .local(bytes, align)
                    .ok_or_else(|| self.error(format!("{}: too much local memory", variable.name)))?;
                if variable.space == Space::Param {
                    self.frames.param(at, bytes);
                }
                Binding::Variable(Home::Frame(at))
            }
            Space::Shared => Binding::Variable(self.builder.place_shared(variable)?),
            Space::Global | Space::Const => match self.builder.scoped_address(self.function, variable) {
                Some(address) => Binding::Variable(Home::Device(address)),
                None => return Err(self.error(format!("{} has no address", variable.name))),
            },
        };
        if matches!(
            variable.initializer,
            Some(Initializer::Value(_) | Initializer::List(_) | Initializer::Address { .. })
        ) && !matches!(variable.space, Space::Global | Space::Const)
        {
            return Err(self.error(format!("{}: only .global and .const variables have initial values", variable.name)));
        }
        self.bind(variable.name, binding, variable.position)
    }

    /// Declares the function's own parameters.
    pub(super) fn declare_parameters(&mut self) -> Result<(), LowerError> {
        let function = self.function;
        let mut offset = 0u32;
        for variable in function.params.iter().chain(&function.returns) {
            self.position = variable.position;
            if variable.space == Space::Register {
                return Err(self.error(format!("{}: parameters in registers are not supported", variable.name)));
            }
            if function.kernel {
                let (bytes, align) = self.builder.size_of(variable)?;
                offset = offset.next_multiple_of(align.max(1));
                self.bind(variable.name, Binding::Variable(Home::KernelParam(offset)), variable.position)?;
                offset = u64::from(offset)
                    .checked_add(bytes)
                    .filter(|&end| end <= 32_764)
                    .ok_or_else(|| self.error("a kernel's parameters take more than 32764 bytes"))?
                    as u32;
            } else {
                self.declare(variable)?;
            }
        }
        Ok(())
    }
}

/// The special registers that do not change while a warp runs.
fn special_named(name: &str) -> Option<Special> {
    let axis = |name: &str| match name {
        "x" => Some(0),
        "y" => Some(1),
        "z" => Some(2),
        _ => None,
    };
    if !name.starts_with('%') {
        return None;
    }
    if let Some((register, component)) = name.split_once('.') {
        let axis = axis(component)?;
        return Some(match register {
            "%tid" => Special::Tid(axis),
            "%ntid" => Special::Ntid(axis),
            "%ctaid" | "%clusterid" => Special::Ctaid(axis),
            "%nctaid" | "%nclusterid" => Special::Nctaid(axis),
            // Without clusters, each block is a cluster of one.
            "%cluster_ctaid" => Special::Zero,
            "%cluster_nctaid" => Special::One,
            _ => return None,
        });
    }
    Some(match name {
        "%laneid" => Special::LaneId,
        "%warpid" => Special::WarpId,
        "%nwarpid" => Special::NumWarps,
        "%smid" => Special::SmId,
        "%nsmid" => Special::NumSms,
        "%gridid" => Special::GridId,
        "%lanemask_eq" => Special::LanemaskEq,
        "%lanemask_le" => Special::LanemaskLe,
        "%lanemask_lt" => Special::LanemaskLt,
        "%lanemask_ge" => Special::LanemaskGe,
        "%lanemask_gt" => Special::LanemaskGt,
        "%dynamic_smem_size" => Special::DynamicSharedBytes,
        "%total_smem_size" | "%aggr_smem_size" => Special::TotalSharedBytes,
        "%cluster_ctarank" => Special::Zero,
        "%cluster_nctarank" => Special::One,
        _ => return None,
    })
}

/// The predefined constants.
fn constant_named(name: &str) -> Option<u64> {
    (name == "WARP_SZ").then_some(32)
}
