//! Operands.

use super::{Parser, expression::Symbols};
use crate::ptx::{
    ast::{Immediate, Operand, Position},
    constant::Value,
    error::{ParseError, ParseErrorKind},
    lexer::{Kind, Token},
};

impl<'a> Parser<'a> {
    /// An operand of an instruction. In a call, parentheses hold arguments or results; elsewhere an expression.
    pub(super) fn operand(&mut self, call: bool) -> Result<Operand<'a>, ParseError> {
        match self.token.kind {
            Kind::LeftBracket => self.address(),
            Kind::LeftBrace => self.vector(),
            Kind::LeftParen if call => {
                self.advance()?;
                if self.accept(Kind::RightParen)? {
                    return Ok(Operand::List(Vec::new()));
                }
                let arguments = self.comma_separated(Self::scalar)?;
                self.expect(Kind::RightParen, "`,` or `)`")?;
                Ok(Operand::List(arguments))
            }
            _ => self.scalar(),
        }
    }

    /// `{a, b}`.
    fn vector(&mut self) -> Result<Operand<'a>, ParseError> {
        self.advance()?;
        let elements = self.comma_separated(Self::scalar)?;
        self.expect(Kind::RightBrace, "`,` or `}`")?;
        Ok(Operand::Vector(elements))
    }

    /// `[base + offset]`, `[offset]` or `[base, operand, ...]`.
    fn address(&mut self) -> Result<Operand<'a>, ParseError> {
        const EXPECTED: &str = "`+`, `,` or `]`";
        self.advance()?;
        let position = self.token.position;
        let first = match self.scalar()? {
            first @ (Operand::Name(_) | Operand::NameOffset(..)) => first,
            first @ Operand::Immediate(Immediate::Integer(_)) => first,
            _ => {
                let kind = ParseErrorKind::Constant("an address is a register, a variable or an integer");
                return Err(ParseError { position, kind });
            }
        };
        if !self.at(Kind::Comma) {
            self.expect(Kind::RightBracket, EXPECTED)?;
            return Ok(match first {
                Operand::Name(base) => Operand::Address { base, offset: 0 },
                Operand::NameOffset(base, offset) => Operand::Address { base, offset },
                Operand::Immediate(Immediate::Integer(address)) => {
                    Operand::Address { base: "", offset: address as i64 }
                }
                other => other,
            });
        }
        let mut operands = vec![first];
        while self.accept(Kind::Comma)? {
            operands.push(if self.at(Kind::LeftBrace) { self.vector()? } else { self.scalar()? });
        }
        self.expect(Kind::RightBracket, "`,` or `]`")?;
        Ok(Operand::AddressList(operands))
    }

    /// An operand without brackets of any kind around it.
    fn scalar(&mut self) -> Result<Operand<'a>, ParseError> {
        match self.token.kind {
            Kind::Name if self.token.text != "WARP_SZ" => self.named(),
            Kind::Not | Kind::Minus => {
                let operator = self.advance()?;
                if self.at(Kind::Name) && self.token.text != "WARP_SZ" {
                    return Ok(Operand::Negated(self.component()?.text));
                }
                let position = operator.position;
                let first = self.unary_after(operator.kind, position, Symbols::No)?;
                let value = self.expression_after(first, Symbols::No)?;
                Ok(Operand::Immediate(self.immediate(value, position)?))
            }
            Kind::Number | Kind::Plus | Kind::Tilde | Kind::LeftParen | Kind::Name | Kind::Dot => {
                let position = self.token.position;
                let value = self.expression(Symbols::No)?;
                Ok(Operand::Immediate(self.immediate(value, position)?))
            }
            _ => Err(self.unexpected("an operand")),
        }
    }

    /// An operand that begins with a name.
    fn named(&mut self) -> Result<Operand<'a>, ParseError> {
        let name = self.component()?.text;
        match self.token.kind {
            Kind::Or => {
                self.advance()?;
                let second = self.component()?.text;
                Ok(Operand::Pair(name, second))
            }
            Kind::Plus | Kind::Minus if name != "_" => Ok(Operand::NameOffset(name, self.displacement(name)?)),
            _ if name == "_" => Ok(Operand::Sink),
            _ => Ok(Operand::Name(name)),
        }
    }

    /// A name with what follows it directly, dots included: `%tid.x`, `r.b0`.
    fn component(&mut self) -> Result<Token<'a>, ParseError> {
        let mut name = self.name("a name")?;
        let mut end = name.end();
        while self.at(Kind::Dot) && self.token.start == end {
            end = self.advance()?.end();
        }
        name.text = self.lexer.text(name.start, end);
        Ok(name)
    }

    /// A value that must be a constant and no address.
    pub(super) fn immediate(&self, value: Value<'a>, position: Position) -> Result<Immediate, ParseError> {
        let kind = ParseErrorKind::Constant("an address can't stand here");
        value.immediate().ok_or(ParseError { position, kind })
    }
}
