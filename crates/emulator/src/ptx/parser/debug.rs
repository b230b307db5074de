//! Directives that describe the source, and pragmas.

use super::Parser;
use crate::ptx::{
    ast::{Inlined, Location},
    error::ParseError,
    lexer::Kind,
};

impl<'a> Parser<'a> {
    /// `.file index "name"`, with a time and a size perhaps, which are of no use.
    pub(super) fn file(&mut self) -> Result<(u32, &'a str), ParseError> {
        self.advance()?;
        let index = self.plain_number("a file's index")?;
        let name = self.string("a file's name in quotes")?;
        if self.accept(Kind::Comma)? {
            self.expect(Kind::Number, "a file's time")?;
            self.expect(Kind::Comma, "`,` and a file's size")?;
            self.expect(Kind::Number, "a file's size")?;
        }
        Ok((index, name))
    }

    /// `.loc file line column`, and for inlined code
    /// `, function_name label {+ offset}, inlined_at file line column`.
    pub(super) fn location(&mut self) -> Result<Location<'a>, ParseError> {
        self.advance()?;
        let (file, line, column) = self.place()?;
        let inlined = if self.accept(Kind::Comma)? { Some(self.inlined()?) } else { None };
        Ok(Location { file, line, column, inlined })
    }

    fn place(&mut self) -> Result<(u32, u32, u32), ParseError> {
        let file = self.plain_number("a file's index")?;
        let line = self.plain_number("a line number")?;
        let column = self.plain_number("a column number")?;
        Ok((file, line, column))
    }

    fn inlined(&mut self) -> Result<Inlined<'a>, ParseError> {
        if self.token.text != "function_name" {
            return Err(self.unexpected("`function_name`"));
        }
        self.advance()?;
        let function = self.name("the label of a function's name")?.text;
        let offset = if self.accept(Kind::Plus)? { self.plain_number("an offset")? } else { 0 };
        self.expect(Kind::Comma, "`,` and `inlined_at`")?;
        if self.token.text != "inlined_at" {
            return Err(self.unexpected("`inlined_at`"));
        }
        self.advance()?;
        let (file, line, column) = self.place()?;
        Ok(Inlined { function, offset: offset.into(), file, line, column })
    }

    /// `.section name { ... }`: data for debuggers, passed over.
    pub(super) fn section(&mut self) -> Result<(), ParseError> {
        self.advance()?;
        if !matches!(self.token.kind, Kind::Dot | Kind::Name | Kind::Text) {
            return Err(self.unexpected("a section's name"));
        }
        while matches!(self.token.kind, Kind::Dot | Kind::Name | Kind::Text) {
            self.advance()?;
        }
        self.expect(Kind::LeftBrace, "`{`")?;
        let mut open = 1u64;
        while open > 0 {
            match self.token.kind {
                Kind::LeftBrace => open += 1,
                Kind::RightBrace => open -= 1,
                Kind::End => return Err(self.unexpected("`}`, the end of the section")),
                _ => {}
            }
            self.advance()?;
        }
        Ok(())
    }

    /// `.pragma "...", "...";`
    pub(super) fn pragma(&mut self) -> Result<Vec<&'a str>, ParseError> {
        self.advance()?;
        let texts = self.comma_separated(|parser| parser.string("a pragma in quotes"))?;
        self.semicolon()?;
        Ok(texts)
    }
}
