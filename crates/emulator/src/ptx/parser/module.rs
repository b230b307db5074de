//! Directives at module scope.

use super::Parser;
use crate::ptx::{
    ast::{Alias, Linkage, Module},
    constant,
    error::{ParseError, ParseErrorKind, quoted},
    lexer::Kind,
};

impl<'a> Parser<'a> {
    /// The whole text.
    pub(super) fn module(mut self) -> Result<Module<'a>, ParseError> {
        let mut module = Module { address_size: 32, ..Module::default() };
        if !self.accept_word(".version")? {
            return Err(self.unexpected("`.version`, which begins a module"));
        }
        module.version = self.version()?;
        if !self.at_word(".target") {
            return Err(self.unexpected("`.target`"));
        }
        while !self.at(Kind::End) {
            self.module_item(&mut module)?;
        }
        Ok(module)
    }

    fn module_item(&mut self, module: &mut Module<'a>) -> Result<(), ParseError> {
        const PLACE: &str = "a module";
        let linkage = self.linkage()?;
        if let Some(space) = self.variable_space() {
            return self.declaration(space, linkage, &mut module.variables);
        }
        match self.token.text {
            _ if !self.at(Kind::Dot) => return Err(self.unexpected("a directive of the module")),
            ".entry" | ".func" => {
                let function = self.function(linkage)?;
                module.functions.push(function);
                return Ok(());
            }
            _ if linkage != Linkage::Internal => return Err(self.unexpected("a function or a variable")),
            ".target" => self.target(module)?,
            ".address_size" => self.address_size(module)?,
            ".file" => {
                let file = self.file()?;
                module.files.push(file);
            }
            ".loc" => drop(self.location()?),
            ".section" => self.section()?,
            ".pragma" => drop(self.pragma()?),
            ".alias" => {
                let alias = self.alias()?;
                module.aliases.push(alias);
            }
            _ => return Err(self.unknown_directive(PLACE)),
        }
        Ok(())
    }

    /// A linkage directive, if there is one.
    pub(super) fn linkage(&mut self) -> Result<Linkage, ParseError> {
        let linkage = match self.token.text {
            ".visible" => Linkage::Visible,
            ".extern" => Linkage::Extern,
            ".weak" => Linkage::Weak,
            ".common" => Linkage::Common,
            _ => return Ok(Linkage::Internal),
        };
        self.advance()?;
        Ok(linkage)
    }

    fn version(&mut self) -> Result<(u32, u32), ParseError> {
        let token = self.token;
        let version = token.text.split_once('.').and_then(|(major, minor)| {
            let number = |text: &str| text.parse::<u32>().ok().filter(|_| text.len() <= 4);
            Some((number(major)?, number(minor)?))
        });
        match version {
            Some(version) if self.at(Kind::Number) => {
                self.advance()?;
                Ok(version)
            }
            _ => Err(self.unexpected("a version such as 8.0")),
        }
    }

    /// `.target sm_80, debug`.
    fn target(&mut self, module: &mut Module<'a>) -> Result<(), ParseError> {
        self.advance()?;
        let names = self.comma_separated(|parser| parser.name("a target such as `sm_80`"))?;
        let mut architectures = 0;
        for name in names {
            let Some(architecture) = name.text.strip_prefix("sm_") else {
                module.target_options.push(name.text);
                continue;
            };
            architectures += 1;
            let digits = architecture.trim_end_matches(['a', 'f']);
            let suffix = &architecture[digits.len()..];
            match digits.parse::<u32>() {
                Ok(number) if number < 10_000 && suffix.len() <= 1 && architectures == 1 => {
                    module.target = number;
                    module.target_suffix = suffix.chars().next();
                }
                _ => {
                    let expected = "one architecture, such as `sm_80` or `sm_90a`";
                    let kind = ParseErrorKind::Unexpected { found: quoted(name.text), expected };
                    return Err(ParseError { position: name.position, kind });
                }
            }
        }
        if module.target == 0 {
            return Err(self.unexpected("an architecture, such as `sm_80`, in `.target`"));
        }
        Ok(())
    }

    fn address_size(&mut self, module: &mut Module<'a>) -> Result<(), ParseError> {
        self.advance()?;
        const EXPECTED: &str = "an address size, 32 or 64";
        module.address_size = match constant::literal(self.token.text).and_then(constant::Value::bits) {
            Ok(32) if self.at(Kind::Number) => 32,
            Ok(64) if self.at(Kind::Number) => 64,
            _ => return Err(self.unexpected(EXPECTED)),
        };
        self.advance()?;
        Ok(())
    }

    /// `.alias name, function;`
    fn alias(&mut self) -> Result<Alias<'a>, ParseError> {
        self.advance()?;
        let name = self.name("the name of an alias")?;
        self.expect(Kind::Comma, "`,`")?;
        let function = self.name("the name of a function")?.text;
        self.semicolon()?;
        Ok(Alias { name: name.text, function, position: name.position })
    }
}
