//! Every compiled module in the crate's tests parses, and as many statements as a plain search of the text finds.

use std::{fs, path::PathBuf};

use crate::ptx::{
    ast::{Instruction, Statement},
    parse,
};

/// The PTX files under a folder of the crate's tests, in order.
pub fn compiled(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "ptx") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What a body holds, blocks within it included.
#[derive(Default)]
struct Contents<'t, 'a> {
    instructions: Vec<&'t Instruction<'a>>,
    locations: usize,
    labels: usize,
}

impl<'t, 'a> Contents<'t, 'a> {
    fn add(&mut self, statements: &'t [Statement<'a>]) {
        for statement in statements {
            match statement {
                Statement::Instruction(instruction) => self.instructions.push(instruction),
                Statement::Block(inner) => self.add(inner),
                Statement::Location(_) => self.locations += 1,
                Statement::Label(..) | Statement::BranchTargets(..) | Statement::CallPrototype { .. } => {
                    self.labels += 1;
                }
                _ => {}
            }
        }
    }
}

/// The text without its comments, and without debug sections, which stand at the end.
fn code(source: &str) -> String {
    let source = source.split("\t.section").next().unwrap();
    source.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Whether what a semicolon ends is a directive: it has, outside of parentheses, a word with a dot in front that only
/// directives have. A modifier has no space in front.
fn is_directive(statement: &str) -> bool {
    let mut depth = 0;
    let outside: String = statement
        .chars()
        .filter(|character| {
            depth += i32::from(*character == '(') - i32::from(*character == ')');
            depth == 0
        })
        .collect();
    let words =
        [".reg", ".local", ".shared", ".param", ".global", ".const", ".pragma", ".branchtargets", ".callprototype"];
    let has = |word: &str| outside.split(['{', '}', ' ', '\t', '\n']).any(|piece| piece == word);
    words.into_iter().any(has) || outside.contains(".func") && !outside.contains('{')
}

#[test]
fn every_compiled_module_parses() {
    for folder in ["ptx", "bugs"] {
        let paths = compiled(folder);
        assert!(!paths.is_empty(), "no PTX in tests/{folder}");
        for path in paths {
            let source = fs::read_to_string(&path).unwrap();
            let module = parse(&source).unwrap_or_else(|error| panic!("{}:{error}", path.display()));
            let mut contents = Contents::default();
            for function in &module.functions {
                contents.add(function.body.as_deref().unwrap_or_default());
            }

            let code = code(&source);
            let statements: Vec<_> = code.split_inclusive(';').filter(|text| text.ends_with(';')).collect();
            let directives = statements.iter().filter(|text| is_directive(text)).count();
            let path = path.display();
            assert_eq!(contents.instructions.len(), statements.len() - directives, "{path}: instructions");
            let lines = |test: fn(&str) -> bool| code.lines().filter(|line| test(line.trim())).count();
            assert_eq!(contents.locations, lines(|line| line.starts_with(".loc\t")), "{path}: .loc");
            assert_eq!(module.files.len(), lines(|line| line.starts_with(".file\t")), "{path}: .file");
            assert_eq!(
                module.functions.iter().filter(|function| function.kernel).count(),
                lines(|line| line.starts_with(".visible .entry")),
                "{path}: kernels"
            );

            for instruction in contents.instructions {
                assert!(instruction.text.ends_with(';'), "{path}: {instruction:?}");
                let place = source.lines().nth(instruction.position.line as usize - 1).unwrap();
                let first = instruction.text.lines().next().unwrap();
                assert!(
                    place[instruction.position.column as usize - 1..].starts_with(first),
                    "{path}: {instruction:?}"
                );
            }
        }
    }
}
