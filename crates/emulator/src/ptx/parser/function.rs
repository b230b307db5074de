//! Functions and kernels: what stands before a body.

use super::Parser;
use crate::ptx::{
    ast::{Function, Linkage},
    error::ParseError,
    lexer::Kind,
};

impl<'a> Parser<'a> {
    /// `.entry` or `.func` and all that belongs to it.
    pub(super) fn function(&mut self, linkage: Linkage) -> Result<Function<'a>, ParseError> {
        let kernel = self.advance()?.text == ".entry";
        while self.at_word(".attribute") {
            self.attributes()?;
        }
        let returns = if !kernel && self.at(Kind::LeftParen) { self.parameters()? } else { Vec::new() };
        let name = self.name(if kernel { "a kernel's name" } else { "a function's name" })?;
        let params = if self.at(Kind::LeftParen) { self.parameters()? } else { Vec::new() };
        let mut function = Function {
            kernel,
            linkage,
            name: name.text,
            returns,
            params,
            max_threads: None,
            required_threads: None,
            min_blocks: None,
            max_registers: None,
            required_cluster: None,
            explicit_cluster: false,
            blocks_are_clusters: false,
            max_cluster_rank: None,
            no_return: false,
            body: None,
            position: name.position,
        };
        while self.at(Kind::Dot) {
            self.performance_directive(&mut function)?;
        }
        if self.at(Kind::LeftBrace) {
            function.body = Some(self.block()?);
        } else if !self.accept(Kind::Semicolon)? {
            return Err(self.unexpected("`{` and a body, or `;`"));
        }
        Ok(function)
    }

    fn performance_directive(&mut self, function: &mut Function<'a>) -> Result<(), ParseError> {
        match self.token.text {
            ".maxntid" => function.max_threads = Some(self.dimensions()?),
            ".reqntid" => function.required_threads = Some(self.dimensions()?),
            ".reqnctapercluster" => function.required_cluster = Some(self.dimensions()?),
            ".minnctapersm" => function.min_blocks = Some(self.counted()?),
            ".maxnreg" => function.max_registers = Some(self.counted()?),
            ".maxclusterrank" => function.max_cluster_rank = Some(self.counted()?),
            // A count of blocks for the compiler's heuristics, and the registers an ABI keeps: no meaning here.
            ".maxnctapersm" | ".abi_preserve" | ".abi_preserve_control" => drop(self.counted()?),
            ".explicitcluster" => {
                self.advance()?;
                function.explicit_cluster = true;
            }
            ".blocksareclusters" => {
                self.advance()?;
                function.blocks_are_clusters = true;
            }
            ".noreturn" => {
                self.advance()?;
                function.no_return = true;
            }
            ".pragma" => drop(self.pragma()?),
            ".attribute" => drop(self.attributes()?),
            _ => return Err(self.unknown_directive("the head of a function")),
        }
        Ok(())
    }

    fn counted(&mut self) -> Result<u32, ParseError> {
        self.advance()?;
        self.count()
    }

    /// One to three numbers behind a directive.
    fn dimensions(&mut self) -> Result<[u32; 3], ParseError> {
        let mut dimensions = [self.counted()?, 1, 1];
        for dimension in &mut dimensions[1..] {
            if !self.accept(Kind::Comma)? {
                break;
            }
            *dimension = self.count()?;
        }
        Ok(dimensions)
    }
}
