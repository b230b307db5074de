//! The statements of a function's body.

use super::Parser;
use crate::ptx::{
    ast::{Linkage, Statement},
    error::ParseError,
    lexer::{Kind, Token},
};

impl<'a> Parser<'a> {
    /// `{ ... }`.
    pub(super) fn block(&mut self) -> Result<Vec<Statement<'a>>, ParseError> {
        self.nested(|parser| {
            parser.advance()?;
            let mut statements = Vec::new();
            while !parser.accept(Kind::RightBrace)? {
                parser.statement(&mut statements)?;
            }
            Ok(statements)
        })
    }

    fn statement(&mut self, statements: &mut Vec<Statement<'a>>) -> Result<(), ParseError> {
        match self.token.kind {
            Kind::Name => {
                let name = self.advance()?;
                if self.accept(Kind::Colon)? {
                    let statement = self.labelled(&name)?;
                    statements.push(statement);
                } else {
                    let instruction = self.instruction(None, &name, &name)?;
                    statements.push(Statement::Instruction(instruction));
                }
            }
            Kind::At => {
                let start = self.token;
                let guard = self.guard()?;
                let opcode = self.name("an instruction")?;
                let instruction = self.instruction(Some(guard), &opcode, &start)?;
                statements.push(Statement::Instruction(instruction));
            }
            Kind::LeftBrace => {
                let block = self.block()?;
                statements.push(Statement::Block(block));
            }
            // Left behind by `asm("...;");` and the like.
            Kind::Semicolon => drop(self.advance()?),
            Kind::Dot => self.directive(statements)?,
            _ => return Err(self.unexpected("a statement or `}`")),
        }
        Ok(())
    }

    fn directive(&mut self, statements: &mut Vec<Statement<'a>>) -> Result<(), ParseError> {
        match self.token.text {
            ".loc" => {
                let location = self.location()?;
                statements.push(Statement::Location(location));
            }
            ".pragma" => statements.extend(self.pragma()?.into_iter().map(Statement::Pragma)),
            _ => {
                let linkage = if self.at_word(".extern") { self.linkage()? } else { Linkage::Internal };
                let Some(space) = self.variable_space() else {
                    return Err(self.unknown_directive("the body of a function"));
                };
                let mut variables = Vec::new();
                self.declaration(space, linkage, &mut variables)?;
                statements.extend(variables.into_iter().map(Statement::Variable));
            }
        }
        Ok(())
    }

    /// What stands behind a label and its colon, where it belongs to the label; else the label alone.
    fn labelled(&mut self, label: &Token<'a>) -> Result<Statement<'a>, ParseError> {
        let (name, position) = (label.text, label.position);
        if self.accept_word(".branchtargets")? {
            Ok(Statement::BranchTargets(name, self.names("a label")?, position))
        } else if self.accept_word(".calltargets")? {
            Ok(Statement::CallTargets(name, self.names("a function's name")?, position))
        } else if self.accept_word(".callprototype")? {
            let returns = if self.at(Kind::LeftParen) { self.parameters()? } else { Vec::new() };
            self.name("`_`")?;
            let params = if self.at(Kind::LeftParen) { self.parameters()? } else { Vec::new() };
            while !self.accept(Kind::Semicolon)? {
                self.prototype_directive()?;
            }
            Ok(Statement::CallPrototype { name, returns, params, position })
        } else {
            Ok(Statement::Label(name, position))
        }
    }

    /// What a prototype may say of the functions called, none of which matters to a caller.
    fn prototype_directive(&mut self) -> Result<(), ParseError> {
        match self.token.text {
            ".noreturn" => drop(self.advance()?),
            ".abi_preserve" | ".abi_preserve_control" => {
                self.advance()?;
                self.count()?;
            }
            _ if self.at(Kind::Dot) => return Err(self.unknown_directive("`.callprototype`")),
            _ => return Err(self.unexpected("`;`")),
        }
        Ok(())
    }

    fn names(&mut self, expected: &'static str) -> Result<Vec<&'a str>, ParseError> {
        let names = self.comma_separated(|parser| Ok(parser.name(expected)?.text))?;
        self.semicolon()?;
        Ok(names)
    }
}
