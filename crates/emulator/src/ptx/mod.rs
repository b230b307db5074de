//! PTX text: its syntax tree and its parser.
//!
//! [`parse`] takes a whole module to its syntax tree ([`ast`]). It knows the language's syntax, constant expressions
//! included, but not the instruction set: an instruction is an opcode, modifiers and operands.
//!
//! Any text gives a tree or an error, in time and memory proportional to its length.

pub mod ast;
mod constant;
mod error;
mod lexer;
mod parser;

pub use error::{ParseError, ParseErrorKind};
pub use parser::parse;

#[cfg(test)]
mod tests;
