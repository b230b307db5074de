//! Tests of the parser. Expected trees are written by hand from the PTX ISA; positions are counted by eye.

mod constants;
mod declarations;
mod errors;
mod functions;
mod hostile;
mod lexical;
mod mutation;
mod operands;
mod samples;
mod statements;

use super::{
    ast::{Instruction, Module, Position, Statement, Variable},
    parse,
};

const HEAD: &str = ".version 8.0\n.target sm_80\n.address_size 64\n";

/// Parses a module that has these lines behind its head. They begin in line 4.
#[track_caller]
fn module(items: &str) -> Module<'static> {
    // A test may leak its little text; the tree borrows from it.
    let source: &'static str = Box::leak(format!("{HEAD}{items}").into_boxed_str());
    parse(source).unwrap_or_else(|error| panic!("{error}\n{source}"))
}

/// Parses statements in the body of a kernel. They begin in line 4, column 13.
#[track_caller]
fn body(statements: &str) -> Vec<Statement<'static>> {
    let mut module = module(&format!(".entry k() {{{statements}}}"));
    module.functions.remove(0).body.expect("a body")
}

/// Parses one instruction.
#[track_caller]
fn instruction(text: &str) -> Instruction<'static> {
    match body(text).as_slice() {
        [Statement::Instruction(instruction)] => instruction.clone(),
        other => panic!("{other:?}"),
    }
}

/// Parses one variable at module scope.
#[track_caller]
fn variable(text: &str) -> Variable<'static> {
    match module(text).variables.as_slice() {
        [variable] => variable.clone(),
        other => panic!("{other:?}"),
    }
}

/// The error of a whole text: its line, its column, and what it says.
#[track_caller]
fn error(source: &str) -> (u32, u32, String) {
    let error = parse(source).expect_err(source);
    let text = error.to_string();
    let Position { line, column } = error.position;
    let message = text.strip_prefix(&format!("{line}:{column}: ")).expect("the position first").to_owned();
    (line, column, message)
}

/// The message for statements in the body of a kernel that are refused.
#[track_caller]
fn body_error(statements: &str) -> String {
    error(&format!("{HEAD}.entry k() {{{statements}}}")).2
}

/// The message for items of a module that are refused.
#[track_caller]
fn module_error(items: &str) -> String {
    error(&format!("{HEAD}{items}")).2
}
