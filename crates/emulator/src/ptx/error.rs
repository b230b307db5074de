//! Why a text is not PTX.

use std::fmt;

use super::ast::Position;

/// Why a text is not PTX, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Where the parser stopped.
    pub position: Position,
    /// What it met there.
    pub kind: ParseErrorKind,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// Something else than what the language allows here.
    Unexpected {
        /// What stands there, quoted, or "the end of the text".
        found: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A directive that the language does not have, or not in this place.
    Directive {
        /// The directive, with its dot.
        name: String,
        /// The place.
        place: &'static str,
    },
    /// A character that begins nothing.
    Character(char),
    /// A comment or a string without an end.
    Unterminated(&'static str),
    /// A number that is not well-formed or too large.
    Number {
        /// The number, as written.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A constant expression without a value.
    Constant(&'static str),
    /// Blocks, lists or expressions within one another deeper than the parser follows.
    TooDeep {
        /// How deep it goes.
        limit: u32,
    },
    /// A text of 4 GiB or more.
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.position.line, self.position.column)?;
        match &self.kind {
            ParseErrorKind::Unexpected { found, expected } => write!(f, "found {found}, expected {expected}"),
            ParseErrorKind::Directive { name, place } => {
                write!(f, "the directive `{name}` is not known, or not allowed, in {place}")
            }
            ParseErrorKind::Character(found) => write!(f, "found the character {found:?}, which begins nothing in PTX"),
            ParseErrorKind::Unterminated(what) => write!(f, "the {what} that begins here has no end"),
            ParseErrorKind::Number { text, reason } => write!(f, "the number {text}: {reason}"),
            ParseErrorKind::Constant(reason) => write!(f, "this constant expression has no value: {reason}"),
            ParseErrorKind::TooDeep { limit } => write!(f, "nested more than {limit} deep"),
            ParseErrorKind::TooLong { bytes } => write!(f, "a module of {bytes} bytes; the limit is 4 GiB"),
        }
    }
}

impl std::error::Error for ParseError {}

/// A piece of source text in backquotes, cut where it is long: an error must not carry a megabyte of name.
pub(super) fn quoted(text: &str) -> String {
    const LIMIT: usize = 60;
    match text.char_indices().nth(LIMIT) {
        Some((cut, _)) => format!("`{}...`", &text[..cut]),
        None => format!("`{text}`"),
    }
}
