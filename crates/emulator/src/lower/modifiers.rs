//! An instruction's modifiers, taken one after another: what nobody takes is an error.

use super::{Lower, LowerError, type_named};
use crate::ptx::ast::{Instruction, Type};

/// The modifiers of an instruction that are not taken yet.
pub struct Modifiers<'a> {
    opcode: &'a str,
    rest: Vec<&'a str>,
}

impl<'a> Modifiers<'a> {
    /// All of an instruction's modifiers.
    pub fn new(instruction: &Instruction<'a>) -> Self {
        Self { opcode: instruction.opcode, rest: instruction.modifiers.clone() }
    }

    /// Whether `name` is among them; takes it.
    pub fn take(&mut self, name: &str) -> bool {
        match self.rest.iter().position(|&modifier| modifier == name) {
            Some(index) => {
                self.rest.remove(index);
                true
            }
            None => false,
        }
    }

    /// Takes the first that is one of `names`, and tells which.
    pub fn take_one_of(&mut self, names: &[&str]) -> Option<usize> {
        let (index, which) = self
            .rest
            .iter()
            .enumerate()
            .find_map(|(index, modifier)| Some((index, names.iter().position(|name| name == modifier)?)))?;
        self.rest.remove(index);
        Some(which)
    }

    /// Takes the first that maps to a value.
    pub fn take_map<T>(&mut self, map: impl Fn(&str) -> Option<T>) -> Option<T> {
        let (index, value) =
            self.rest.iter().enumerate().find_map(|(index, modifier)| Some((index, map(modifier)?)))?;
        self.rest.remove(index);
        Some(value)
    }

    /// Takes the first type.
    pub fn take_type(&mut self) -> Option<Type> {
        self.take_map(type_named)
    }

    /// Takes the first type, which must be there.
    pub fn expect_type(&mut self, lower: &Lower<'_, '_, '_>) -> Result<Type, LowerError> {
        let opcode = self.opcode;
        self.take_type().ok_or_else(|| lower.error(format!("{opcode} needs a type")))
    }

    /// 2, 4 or 8 for `.v2`, `.v4`, `.v8`, else 1.
    pub fn take_vector(&mut self) -> u32 {
        match self.take_one_of(&["v2", "v4", "v8"]) {
            Some(which) => 2 << which,
            None => 1,
        }
    }

    /// Takes cache and eviction hints, which change no result.
    pub fn take_cache_hints(&mut self) {
        while self
            .take_map(|name| {
                (matches!(name, "ca" | "cg" | "cs" | "lu" | "cv" | "wb" | "wt" | "nc")
                    || name.starts_with("L1::")
                    || name.starts_with("L2::"))
                .then_some(())
            })
            .is_some()
        {}
    }

    /// The next one, not taken.
    pub fn peek(&self) -> Option<&'a str> {
        self.rest.first().copied()
    }

    /// Those left, not taken.
    pub fn rest(&self) -> &[&'a str] {
        &self.rest
    }

    /// An error where one is left.
    pub fn finish(&self, lower: &Lower<'_, '_, '_>) -> Result<(), LowerError> {
        match self.rest.first() {
            None => Ok(()),
            Some(modifier) => Err(lower.error(format!("{} does not support .{modifier} here", self.opcode))),
        }
    }
}
