//! Instructions: guard, opcode, modifiers, operands.

use super::Parser;
use crate::ptx::{
    ast::{Guard, Instruction},
    error::ParseError,
    lexer::{Kind, Token},
};

impl<'a> Parser<'a> {
    /// `@p` or `@!p`.
    pub(super) fn guard(&mut self) -> Result<Guard<'a>, ParseError> {
        self.advance()?;
        let negated = self.accept(Kind::Not)?;
        let register = self.name("a predicate register")?.text;
        Ok(Guard { negated, register })
    }

    /// The rest of an instruction whose opcode has been taken; its first token is `start`.
    pub(super) fn instruction(
        &mut self,
        guard: Option<Guard<'a>>,
        opcode: &Token<'a>,
        start: &Token<'a>,
    ) -> Result<Instruction<'a>, ParseError> {
        let mut modifiers = Vec::new();
        while self.at(Kind::Dot) {
            modifiers.push(&self.advance()?.text[1..]);
        }
        let mut operands = Vec::new();
        if !self.at(Kind::Semicolon) {
            let call = opcode.text == "call";
            operands.push(self.operand(call)?);
            while self.accept(Kind::Comma)? {
                operands.push(self.operand(call)?);
            }
            if !self.at(Kind::Semicolon) {
                return Err(self.unexpected("`,` or `;`"));
            }
        }
        let text = self.lexer.text(start.start, self.token.end());
        self.advance()?;
        Ok(Instruction { guard, opcode: opcode.text, modifiers, operands, position: start.position, text })
    }
}
