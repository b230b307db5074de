//! Declarations: variables, registers, parameters, and initial values.

use super::{Parser, expression::Symbols};
use crate::ptx::{
    ast::{Initializer, Linkage, Position, Space, Type, Variable},
    constant::{Address, Value},
    error::{ParseError, ParseErrorKind},
    lexer::{Kind, Token},
};

/// The type that a directive names, its dot included.
fn type_named(word: &str) -> Option<Type> {
    Some(match word {
        ".pred" => Type::Pred,
        ".b8" => Type::B8,
        ".b16" => Type::B16,
        ".b32" => Type::B32,
        ".b64" => Type::B64,
        ".b128" => Type::B128,
        ".u8" => Type::U8,
        ".u16" => Type::U16,
        ".u32" => Type::U32,
        ".u64" => Type::U64,
        ".s8" => Type::S8,
        ".s16" => Type::S16,
        ".s32" => Type::S32,
        ".s64" => Type::S64,
        ".f16" => Type::F16,
        ".f16x2" => Type::F16x2,
        ".bf16" => Type::Bf16,
        ".bf16x2" => Type::Bf16x2,
        ".tf32" => Type::Tf32,
        ".f32" => Type::F32,
        ".f32x2" => Type::F32x2,
        ".f64" => Type::F64,
        ".u16x2" => Type::U16x2,
        ".s16x2" => Type::S16x2,
        ".e4m3x2" => Type::E4m3x2,
        ".e5m2x2" => Type::E5m2x2,
        _ => return None,
    })
}

/// What stands before the name of a variable.
struct Specifiers {
    space: Space,
    linkage: Linkage,
    align: u32,
    ty: Type,
    vector: u32,
    pointer: Option<(Option<Space>, u32)>,
    managed: bool,
}

impl Specifiers {
    fn variable<'a>(&self, name: &Token<'a>) -> Variable<'a> {
        Variable {
            space: self.space,
            linkage: self.linkage,
            align: self.align,
            ty: self.ty,
            vector: self.vector,
            name: name.text,
            count: None,
            dimensions: Vec::new(),
            initializer: None,
            pointer: self.pointer,
            managed: self.managed,
            position: name.position,
        }
    }
}

impl<'a> Parser<'a> {
    /// The state space that the next token names, if it is one that variables can have.
    pub(super) fn variable_space(&self) -> Option<Space> {
        if !self.at(Kind::Dot) {
            return None;
        }
        Some(match self.token.text {
            ".reg" => Space::Register,
            ".param" => Space::Param,
            ".shared" => Space::Shared,
            ".local" => Space::Local,
            ".global" => Space::Global,
            ".const" => Space::Const,
            _ => return None,
        })
    }

    /// `.space specifiers name, name = value, ...;`
    pub(super) fn declaration(
        &mut self,
        space: Space,
        linkage: Linkage,
        variables: &mut Vec<Variable<'a>>,
    ) -> Result<(), ParseError> {
        let specifiers = self.specifiers(space, linkage)?;
        loop {
            let mut variable = self.declarator(&specifiers)?;
            if variable.count.is_none() && self.accept(Kind::Assign)? {
                variable.initializer = Some(self.initializer()?);
            }
            variables.push(variable);
            if self.accept(Kind::Semicolon)? {
                return Ok(());
            }
            self.expect(Kind::Comma, "`,` or `;`")?;
        }
    }

    /// `(parameter, parameter)`, or an empty pair of parentheses.
    pub(super) fn parameters(&mut self) -> Result<Vec<Variable<'a>>, ParseError> {
        self.expect(Kind::LeftParen, "`(`")?;
        if self.accept(Kind::RightParen)? {
            return Ok(Vec::new());
        }
        let parameters = self.comma_separated(|parser| match parser.variable_space() {
            Some(space @ (Space::Param | Space::Register)) => {
                let specifiers = parser.specifiers(space, Linkage::Internal)?;
                parser.declarator(&specifiers)
            }
            _ => Err(parser.unexpected("a parameter: `.param` or `.reg`")),
        })?;
        self.expect(Kind::RightParen, "`,` or `)`")?;
        Ok(parameters)
    }

    fn specifiers(&mut self, space: Space, linkage: Linkage) -> Result<Specifiers, ParseError> {
        self.advance()?;
        let (mut align, mut ty, mut vector, mut pointer, mut managed) = (None, None, None, None, false);
        while self.at(Kind::Dot) {
            match self.token.text {
                ".align" if align.is_none() => align = Some(self.alignment()?),
                ".v2" | ".v4" if vector.is_none() => {
                    vector = Some(if self.token.text == ".v2" { 2 } else { 4 });
                    self.advance()?;
                }
                ".attribute" => managed |= self.attributes()?,
                ".ptr" if space == Space::Param && pointer.is_none() => pointer = Some(self.pointer()?),
                word => match type_named(word) {
                    Some(named) if ty.is_none() => {
                        ty = Some(named);
                        self.advance()?;
                    }
                    _ => return Err(self.unknown_directive("this declaration")),
                },
            }
        }
        let Some(ty) = ty else { return Err(self.unexpected("a type")) };
        let (align, vector) = (align.unwrap_or(0), vector.unwrap_or(1));
        Ok(Specifiers { space, linkage, align, ty, vector, pointer, managed })
    }

    /// `.align bytes`.
    fn alignment(&mut self) -> Result<u32, ParseError> {
        self.advance()?;
        let position = self.token.position;
        match self.count()? {
            bytes if bytes.is_power_of_two() => Ok(bytes),
            _ => Err(ParseError { position, kind: ParseErrorKind::Constant("an alignment is a power of two") }),
        }
    }

    /// `.ptr {.space} {.align bytes}`.
    fn pointer(&mut self) -> Result<(Option<Space>, u32), ParseError> {
        self.advance()?;
        let space = self.variable_space().filter(|space| !matches!(space, Space::Register | Space::Param));
        if space.is_some() {
            self.advance()?;
        }
        // The ISA: 4 bytes where the directive does not say.
        let align = if self.at_word(".align") { self.alignment()? } else { 4 };
        Ok((space, align))
    }

    /// `.attribute(.managed, .unified(high, low))`; whether `.managed` is among them.
    pub(super) fn attributes(&mut self) -> Result<bool, ParseError> {
        self.advance()?;
        self.expect(Kind::LeftParen, "`(`")?;
        let mut managed = false;
        self.comma_separated(|parser| {
            if parser.accept_word(".managed")? {
                managed = true;
                return Ok(());
            }
            if !parser.at(Kind::Dot) {
                return Err(parser.unexpected("an attribute"));
            }
            if !parser.accept_word(".unified")? {
                return Err(parser.unknown_directive("`.attribute`"));
            }
            // An identity among linked modules: of no use here.
            parser.expect(Kind::LeftParen, "`(`")?;
            parser.comma_separated(|parser| parser.length())?;
            parser.expect(Kind::RightParen, "`)`").map(|_| ())
        })?;
        self.expect(Kind::RightParen, "`,` or `)`")?;
        Ok(managed)
    }

    /// A name, and behind it dimensions, or the count of a family such as `%r<8>`.
    fn declarator(&mut self, specifiers: &Specifiers) -> Result<Variable<'a>, ParseError> {
        let name = self.name("a name")?;
        let mut variable = specifiers.variable(&name);
        if self.accept(Kind::Less)? {
            variable.count = Some(self.plain_number("a number of variables")?);
            self.expect(Kind::Greater, "`>`")?;
            // The ISA allows neither an array nor an initial value here.
            return Ok(variable);
        }
        while self.accept(Kind::LeftBracket)? {
            variable.dimensions.push(if self.at(Kind::RightBracket) { None } else { Some(self.length()?) });
            self.expect(Kind::RightBracket, "`]`")?;
        }
        Ok(variable)
    }

    fn initializer(&mut self) -> Result<Initializer<'a>, ParseError> {
        if self.at(Kind::LeftBrace) {
            return self.nested(|parser| {
                parser.advance()?;
                if parser.accept(Kind::RightBrace)? {
                    return Ok(Initializer::List(Vec::new()));
                }
                let values = parser.comma_separated(Self::initializer)?;
                parser.expect(Kind::RightBrace, "`,` or `}`")?;
                Ok(Initializer::List(values))
            });
        }
        let value = self.expression(Symbols::Yes)?;
        Ok(match value {
            Value::Address(Address { symbol, offset, generic, mask }) => {
                Initializer::Address { symbol, offset, generic, mask }
            }
            value => Initializer::Value(self.immediate(value, Position::default())?),
        })
    }
}
