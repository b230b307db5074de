//! Tokens to the syntax tree, by recursive descent with one token of lookahead.

mod body;
mod debug;
mod expression;
mod function;
mod instruction;
mod module;
mod operand;
mod variable;

use super::{
    ast::{Module, Position},
    error::{ParseError, ParseErrorKind, quoted},
    lexer::{Kind, Lexer, Token},
};

/// How deep blocks, lists of initial values and expressions may be nested.
const DEPTH_LIMIT: u32 = 64;

/// Parses a module.
///
/// # Errors
/// Where the text is not PTX; the error names line and column.
///
/// # Example
/// ```
/// use noam_emulator::ptx;
///
/// let text = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry nop() { ret; }\n";
/// let module = ptx::parse(text)?;
/// assert_eq!(module.target, 80);
/// assert_eq!(module.functions[0].name, "nop");
/// # Ok::<(), ptx::ParseError>(())
/// ```
pub fn parse(source: &str) -> Result<Module<'_>, ParseError> {
    if u32::try_from(source.len()).is_err() {
        let kind = ParseErrorKind::TooLong { bytes: source.len() };
        return Err(ParseError { position: Position { line: 1, column: 1 }, kind });
    }
    let mut lexer = Lexer::new(source);
    let token = lexer.next()?;
    Parser { lexer, token, depth: 0 }.module()
}

/// The parser's place in the text.
struct Parser<'a> {
    lexer: Lexer<'a>,
    /// The token not yet taken.
    token: Token<'a>,
    depth: u32,
}

impl<'a> Parser<'a> {
    /// Takes a token.
    fn advance(&mut self) -> Result<Token<'a>, ParseError> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn at(&self, kind: Kind) -> bool {
        self.token.kind == kind
    }

    /// Whether the next token is this directive or modifier, with its dot.
    fn at_word(&self, word: &str) -> bool {
        self.token.kind == Kind::Dot && self.token.text == word
    }

    /// Takes a token of a kind if it is next.
    fn accept(&mut self, kind: Kind) -> Result<bool, ParseError> {
        let found = self.at(kind);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes a directive or modifier if it is next.
    fn accept_word(&mut self, word: &str) -> Result<bool, ParseError> {
        let found = self.at_word(word);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes a token that must be of a kind.
    fn expect(&mut self, kind: Kind, expected: &'static str) -> Result<Token<'a>, ParseError> {
        if self.at(kind) { self.advance() } else { Err(self.unexpected(expected)) }
    }

    fn name(&mut self, expected: &'static str) -> Result<Token<'a>, ParseError> {
        self.expect(Kind::Name, expected)
    }

    fn semicolon(&mut self) -> Result<(), ParseError> {
        self.expect(Kind::Semicolon, "`;`").map(|_| ())
    }

    /// A string's text, without its quotes; an escaped character stays as it is written.
    fn string(&mut self, expected: &'static str) -> Result<&'a str, ParseError> {
        let text = self.expect(Kind::Text, expected)?.text;
        Ok(&text[1..text.len() - 1])
    }

    fn error(&self, kind: ParseErrorKind) -> ParseError {
        ParseError { position: self.token.position, kind }
    }

    /// The error that the next token is not what may stand here.
    fn unexpected(&self, expected: &'static str) -> ParseError {
        let found = match self.token.kind {
            Kind::End => "the end of the text".to_owned(),
            _ => quoted(self.token.text),
        };
        self.error(ParseErrorKind::Unexpected { found, expected })
    }

    /// The error that the next token is a directive not known in a place.
    fn unknown_directive(&self, place: &'static str) -> ParseError {
        let quoted = quoted(self.token.text);
        self.error(ParseErrorKind::Directive { name: quoted.trim_matches('`').to_owned(), place })
    }

    /// Runs a part of the parser one level deeper, or refuses to.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.depth == DEPTH_LIMIT {
            return Err(self.error(ParseErrorKind::TooDeep { limit: DEPTH_LIMIT }));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    /// `item, item, ...`: at least one.
    fn comma_separated<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<T, ParseError>,
    ) -> Result<Vec<T>, ParseError> {
        let mut items = vec![item(self)?];
        while self.accept(Kind::Comma)? {
            items.push(item(self)?);
        }
        Ok(items)
    }
}
