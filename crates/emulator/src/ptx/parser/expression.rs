//! Constant expressions, evaluated while they are parsed.

use super::Parser;
use crate::ptx::{
    ast::Position,
    constant::{self, Address, Value},
    error::{ParseError, ParseErrorKind, quoted},
    lexer::Kind,
};

/// Whether names of symbols may stand in an expression, for their addresses.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbols {
    No,
    Yes,
}

/// How strongly a binary operator binds: as in C.
fn precedence(kind: Kind) -> Option<u8> {
    Some(match kind {
        Kind::OrOr => 1,
        Kind::AndAnd => 2,
        Kind::Or => 3,
        Kind::Caret => 4,
        Kind::And => 5,
        Kind::Equal | Kind::NotEqual => 6,
        Kind::Less | Kind::LessEqual | Kind::Greater | Kind::GreaterEqual => 7,
        Kind::ShiftLeft | Kind::ShiftRight => 8,
        Kind::Plus | Kind::Minus => 9,
        Kind::Star | Kind::Slash | Kind::Percent => 10,
        _ => return None,
    })
}

fn no_value(position: Position) -> impl FnOnce(&'static str) -> ParseError {
    move |reason| ParseError { position, kind: ParseErrorKind::Constant(reason) }
}

impl<'a> Parser<'a> {
    /// A whole expression.
    pub(super) fn expression(&mut self, symbols: Symbols) -> Result<Value<'a>, ParseError> {
        let left = self.unary(symbols)?;
        self.expression_after(left, symbols)
    }

    /// The rest of an expression whose first operand has been taken.
    pub(super) fn expression_after(&mut self, left: Value<'a>, symbols: Symbols) -> Result<Value<'a>, ParseError> {
        let condition = self.binary_after(left, 1, symbols)?;
        if !self.at(Kind::Question) {
            return Ok(condition);
        }
        let position = self.token.position;
        self.nested(|parser| {
            parser.advance()?;
            let yes = parser.expression(symbols)?;
            parser.expect(Kind::Colon, "`:` and the other value")?;
            let no = parser.expression(symbols)?;
            constant::select(condition, yes, no).map_err(no_value(position))
        })
    }

    /// Operators that bind at least as strongly as `weakest`, and their right operands.
    fn binary_after(&mut self, mut left: Value<'a>, weakest: u8, symbols: Symbols) -> Result<Value<'a>, ParseError> {
        loop {
            self.split_remainder()?;
            let Some(strength) = precedence(self.token.kind).filter(|strength| *strength >= weakest) else {
                return Ok(left);
            };
            let operator = self.advance()?;
            let right = self.unary(symbols)?;
            let right = self.binary_after(right, strength + 1, symbols)?;
            left = constant::binary(operator.kind, left, right).map_err(no_value(operator.position))?;
        }
    }

    /// In the place of an operator, the `%3` of `10 %3` is no name.
    fn split_remainder(&mut self) -> Result<(), ParseError> {
        let text = self.token.text.as_bytes();
        if self.at(Kind::Name) && text.len() > 1 && text[0] == b'%' && text[1].is_ascii_digit() {
            self.lexer.split(&self.token);
            self.token.kind = Kind::Percent;
            self.token.text = &self.token.text[..1];
        }
        Ok(())
    }

    /// A constant with its signs and casts.
    fn unary(&mut self, symbols: Symbols) -> Result<Value<'a>, ParseError> {
        match self.token.kind {
            Kind::Plus | Kind::Minus | Kind::Not | Kind::Tilde => {
                let operator = self.advance()?;
                self.unary_after(operator.kind, operator.position, symbols)
            }
            Kind::LeftParen => self.parenthesized(symbols),
            Kind::Number => self.number(symbols),
            Kind::Dot if self.at_fraction() => {
                self.token = self.lexer.fraction(&self.token);
                self.number(symbols)
            }
            Kind::Name if self.token.text == "WARP_SZ" => {
                self.advance()?;
                Ok(Value::Signed(32))
            }
            Kind::Name if symbols == Symbols::Yes => self.symbol(),
            _ => Err(self.unexpected("a constant")),
        }
    }

    /// Whether the next token, which looks like a modifier, can be a number: `.5`.
    fn at_fraction(&self) -> bool {
        self.at(Kind::Dot) && self.token.text.as_bytes()[1].is_ascii_digit()
    }

    /// The operand of a unary operator that has been taken.
    pub(super) fn unary_after(
        &mut self,
        operator: Kind,
        position: Position,
        symbols: Symbols,
    ) -> Result<Value<'a>, ParseError> {
        let value = self.nested(|parser| parser.unary(symbols))?;
        constant::unary(operator, value).map_err(no_value(position))
    }

    /// `(expression)`, or a cast and its operand.
    fn parenthesized(&mut self, symbols: Symbols) -> Result<Value<'a>, ParseError> {
        let position = self.token.position;
        self.nested(|parser| {
            parser.advance()?;
            if parser.at(Kind::Dot) && !parser.at_fraction() {
                let unsigned = match parser.token.text {
                    ".u64" => true,
                    ".s64" => false,
                    _ => return Err(parser.unexpected("a constant, or a cast to `.u64` or `.s64`")),
                };
                parser.advance()?;
                parser.expect(Kind::RightParen, "`)`")?;
                let value = parser.unary(symbols)?;
                return constant::cast(unsigned, value).map_err(no_value(position));
            }
            let value = parser.expression(symbols)?;
            parser.expect(Kind::RightParen, "`)`")?;
            Ok(value)
        })
    }

    /// A number, or where symbols are allowed a mask operator: `0xFF00(symbol)`, `0xFF00(131187)`.
    fn number(&mut self, symbols: Symbols) -> Result<Value<'a>, ParseError> {
        let token = self.token;
        let value = constant::literal(token.text)
            .map_err(|reason| self.error(ParseErrorKind::Number { text: quoted(token.text), reason }))?;
        self.advance()?;
        if symbols == Symbols::No || !self.at(Kind::LeftParen) {
            return Ok(value);
        }
        // One byte of an address: 0xFF, 0xFF00 and so on.
        let byte = |mask: u64| (0..64).step_by(8).any(|shift| mask == 0xFF << shift);
        let mask = value.bits().ok().filter(|mask| byte(*mask));
        let mask = mask.ok_or("a mask operator selects one byte").map_err(no_value(token.position))?;
        match self.parenthesized(symbols)? {
            Value::Address(address) if address.mask.is_none() => {
                Ok(Value::Address(Address { mask: Some(mask), ..address }))
            }
            value => match value.bits() {
                Ok(bits) => Ok(Value::Unsigned((bits & mask) >> mask.trailing_zeros())),
                Err(_) => Err(no_value(token.position)("a mask operator takes an address or an integer")),
            },
        }
    }

    /// `symbol` or `generic(symbol)`.
    fn symbol(&mut self) -> Result<Value<'a>, ParseError> {
        let name = self.advance()?;
        if name.text != "generic" || !self.at(Kind::LeftParen) {
            return Ok(Value::Address(Address { symbol: name.text, offset: 0, generic: false, mask: None }));
        }
        match self.parenthesized(Symbols::Yes)? {
            Value::Address(address) if address.mask.is_none() => {
                Ok(Value::Address(Address { generic: true, ..address }))
            }
            _ => Err(no_value(name.position)("`generic` takes an address")),
        }
    }

    /// An expression that must be an integer from 0 to the largest `u32`.
    pub(super) fn count(&mut self) -> Result<u32, ParseError> {
        let position = self.token.position;
        let value = self.length()?;
        u32::try_from(value).map_err(|_| no_value(position)("it must fit in 32 bits"))
    }

    /// An expression that must be an integer and not negative.
    pub(super) fn length(&mut self) -> Result<u64, ParseError> {
        let position = self.token.position;
        match self.expression(Symbols::No)? {
            Value::Signed(value) if value < 0 => Err(no_value(position)("it must not be negative")),
            value => value.bits().map_err(|_| no_value(position)("it must be an integer")),
        }
    }

    /// A plain number that fits in 32 bits, as in debug directives.
    pub(super) fn plain_number(&mut self, expected: &'static str) -> Result<u32, ParseError> {
        let token = self.expect(Kind::Number, expected)?;
        let value = constant::literal(token.text).and_then(Value::bits);
        value.and_then(|value| u32::try_from(value).map_err(|_| "it does not fit in 32 bits")).map_err(|reason| {
            ParseError { position: token.position, kind: ParseErrorKind::Number { text: quoted(token.text), reason } }
        })
    }

    /// The offset behind a name and a sign: the name's address, displaced.
    pub(super) fn displacement(&mut self, name: &'a str) -> Result<i64, ParseError> {
        let position = self.token.position;
        let base = Value::Address(Address { symbol: name, offset: 0, generic: false, mask: None });
        match self.expression_after(base, Symbols::No)? {
            Value::Address(address) => Ok(address.offset),
            _ => Err(no_value(position)("an offset is an integer")),
        }
    }
}
