//! PTX text to tokens.
//!
//! A directive, a modifier and a register's component (`.reg`, `.f32`, `.x`) are one kind of token, with the dot; `::`
//! stays inside it. A percent sign begins a name where a character of a name follows, else it is the operator.

use super::{
    ast::Position,
    error::{ParseError, ParseErrorKind},
};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The end of the text.
    End,
    /// A name, an opcode or `_`.
    Name,
    /// `.word`.
    Dot,
    /// A number, not yet looked into.
    Number,
    /// `"..."`, quotes included.
    Text,
    Comma,
    Semicolon,
    Colon,
    At,
    Question,
    LeftParen,
    RightParen,
    LeftBracket,
    RightBracket,
    LeftBrace,
    RightBrace,
    Assign,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Not,
    Tilde,
    Caret,
    And,
    AndAnd,
    Or,
    OrOr,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    ShiftLeft,
    ShiftRight,
}

/// A token and its place.
#[derive(Clone, Copy, Debug)]
pub struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub text: &'a str,
    /// The offset of its first byte.
    pub start: usize,
    /// Its line and column.
    pub position: Position,
}

impl Token<'_> {
    /// The offset behind its last byte.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// A character that a name may have after its first.
fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$'
}

/// A character of a modifier.
fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Walks over the text.
pub struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: u32,
    line_start: usize,
}

impl<'a> Lexer<'a> {
    /// A lexer at the start of a text of less than 4 GiB.
    pub fn new(source: &'a str) -> Self {
        Self { source, at: 0, line: 1, line_start: 0 }
    }

    /// The text between two offsets that are a token's start and a token's end.
    pub fn text(&self, start: usize, end: usize) -> &'a str {
        &self.source[start..end]
    }

    /// Goes back to the byte behind the first of a token just read, which is split there. The first must be ASCII.
    pub fn split(&mut self, token: &Token<'a>) {
        self.at = token.start + 1;
    }

    /// Reads the last token again as a number that begins with its dot: `.5e-3`.
    pub fn fraction(&mut self, token: &Token<'a>) -> Token<'a> {
        self.at = token.start + 1;
        self.skip_number();
        Token { kind: Kind::Number, text: &self.source[token.start..self.at], ..*token }
    }

    fn peek(&self, ahead: usize) -> u8 {
        // A NUL is no character of PTX, so it can stand for the end; `next` tells them apart.
        self.source.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn position(&self, at: usize) -> Position {
        // Both fit: a text has less than 4 GiB.
        Position { line: self.line, column: (at - self.line_start) as u32 + 1 }
    }

    fn error(&self, at: usize, kind: ParseErrorKind) -> ParseError {
        ParseError { position: self.position(at), kind }
    }

    /// The next token. After the last one, `End` without an end.
    pub fn next(&mut self) -> Result<Token<'a>, ParseError> {
        self.skip_space()?;
        let start = self.at;
        let position = self.position(start);
        let kind = self.scan()?;
        Ok(Token { kind, text: &self.source[start..self.at], start, position })
    }

    fn skip_space(&mut self) -> Result<(), ParseError> {
        loop {
            match self.peek(0) {
                b'\n' => {
                    self.at += 1;
                    self.line += 1;
                    self.line_start = self.at;
                }
                b' ' | b'\t' | b'\r' | b'\x0b' | b'\x0c' => self.at += 1,
                b'/' if self.peek(1) == b'/' => {
                    let rest = &self.source.as_bytes()[self.at..];
                    self.at += rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
                }
                b'/' if self.peek(1) == b'*' => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_comment(&mut self) -> Result<(), ParseError> {
        let body = self.at + 2;
        let Some(length) = self.source[body..].find("*/") else {
            return Err(self.error(self.at, ParseErrorKind::Unterminated("comment")));
        };
        let end = body + length;
        for (index, byte) in self.source.as_bytes()[body..end].iter().enumerate() {
            if *byte == b'\n' {
                self.line += 1;
                self.line_start = body + index + 1;
            }
        }
        self.at = end + 2;
        Ok(())
    }

    /// Moves over one token.
    fn scan(&mut self) -> Result<Kind, ParseError> {
        let first = self.peek(0);
        match first {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'$' => {
                self.skip_while(in_name);
                Ok(Kind::Name)
            }
            b'%' if in_name(self.peek(1)) => {
                self.at += 1;
                self.skip_while(in_name);
                Ok(Kind::Name)
            }
            b'.' if in_word(self.peek(1)) => {
                self.at += 1;
                self.skip_while(in_word);
                while self.peek(0) == b':' && self.peek(1) == b':' && in_word(self.peek(2)) {
                    self.at += 2;
                    self.skip_while(in_word);
                }
                Ok(Kind::Dot)
            }
            b'0'..=b'9' => {
                self.skip_number();
                Ok(Kind::Number)
            }
            b'"' => self.skip_string(),
            _ => self.scan_sign(first),
        }
    }

    fn scan_sign(&mut self, first: u8) -> Result<Kind, ParseError> {
        let (kind, length) = match (first, self.peek(1)) {
            (b'&', b'&') => (Kind::AndAnd, 2),
            (b'|', b'|') => (Kind::OrOr, 2),
            (b'=', b'=') => (Kind::Equal, 2),
            (b'!', b'=') => (Kind::NotEqual, 2),
            (b'<', b'=') => (Kind::LessEqual, 2),
            (b'>', b'=') => (Kind::GreaterEqual, 2),
            (b'<', b'<') => (Kind::ShiftLeft, 2),
            (b'>', b'>') => (Kind::ShiftRight, 2),
            (b',', _) => (Kind::Comma, 1),
            (b';', _) => (Kind::Semicolon, 1),
            (b':', _) => (Kind::Colon, 1),
            (b'@', _) => (Kind::At, 1),
            (b'?', _) => (Kind::Question, 1),
            (b'(', _) => (Kind::LeftParen, 1),
            (b')', _) => (Kind::RightParen, 1),
            (b'[', _) => (Kind::LeftBracket, 1),
            (b']', _) => (Kind::RightBracket, 1),
            (b'{', _) => (Kind::LeftBrace, 1),
            (b'}', _) => (Kind::RightBrace, 1),
            (b'=', _) => (Kind::Assign, 1),
            (b'+', _) => (Kind::Plus, 1),
            (b'-', _) => (Kind::Minus, 1),
            (b'*', _) => (Kind::Star, 1),
            (b'/', _) => (Kind::Slash, 1),
            (b'%', _) => (Kind::Percent, 1),
            (b'!', _) => (Kind::Not, 1),
            (b'~', _) => (Kind::Tilde, 1),
            (b'^', _) => (Kind::Caret, 1),
            (b'&', _) => (Kind::And, 1),
            (b'|', _) => (Kind::Or, 1),
            (b'<', _) => (Kind::Less, 1),
            (b'>', _) => (Kind::Greater, 1),
            _ => {
                return match self.source[self.at..].chars().next() {
                    None => Ok(Kind::End),
                    Some(other) => Err(self.error(self.at, ParseErrorKind::Character(other))),
                };
            }
        };
        self.at += length;
        Ok(kind)
    }

    fn skip_while(&mut self, belongs: impl Fn(u8) -> bool) {
        let rest = &self.source.as_bytes()[self.at..];
        self.at += rest.iter().position(|&byte| !belongs(byte)).unwrap_or(rest.len());
    }

    /// Moves over a number: a run of letters and digits, and for a decimal one its fraction and exponent. What is wrong
    /// with it shows when it is read.
    fn skip_number(&mut self) {
        self.skip_while(|byte| byte.is_ascii_digit());
        // `8.b8` is a number and a type: a fraction has digits, or nothing that could be a word.
        if self.peek(0) == b'.' {
            let next = self.peek(1);
            let exponent = matches!(next, b'e' | b'E')
                && (self.peek(2).is_ascii_digit()
                    || matches!(self.peek(2), b'+' | b'-') && self.peek(3).is_ascii_digit());
            if next.is_ascii_digit() || exponent || !in_word(next) {
                self.at += 1;
                self.skip_while(|byte| byte.is_ascii_digit());
            }
        }
        // Not so in hexadecimal, `0x1e-3`: there an `x` stands before the first `e`.
        if matches!(self.peek(0), b'e' | b'E') && matches!(self.peek(1), b'+' | b'-') {
            self.at += 2;
        }
        self.skip_while(in_word);
    }

    fn skip_string(&mut self) -> Result<Kind, ParseError> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek(0) {
                b'"' => {
                    self.at += 1;
                    return Ok(Kind::Text);
                }
                b'\n' => break,
                // An escaped character never ends the string. A character of several bytes has no byte that is a
                // quote, a backslash or a newline, so it does no harm to step into it.
                b'\\' if self.peek(1) != b'\n' && self.at + 1 < self.source.len() => self.at += 2,
                _ if self.at >= self.source.len() => break,
                _ => self.at += 1,
            }
        }
        Err(self.error(start, ParseErrorKind::Unterminated("string")))
    }
}
