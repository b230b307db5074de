//! From the syntax tree to decoded code: names to slots and addresses, labels to indices, each instruction to the
//! function that executes it. What is not known is an error here, when a module is loaded, never a wrong result later.

mod call;
mod frame;
mod kernel;
mod modifiers;
mod operand;
mod types;

use std::{collections::HashMap, fmt};

pub use frame::Frames;
pub use kernel::{Addresses, KernelBuilder, Names, kernel, size_of};
pub use modifiers::Modifiers;
pub use operand::{Address, PredicateSource};
pub use types::{bits, is_float, is_movable, is_signed, type_named};

use crate::{
    ops::{self, Level},
    program::{Action, Guard, Inst, Place, Slot},
    ptx::ast::{self, Position, Statement},
};

/// Why a module can't be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LowerError {
    /// Where in the PTX text.
    pub position: Position,
    /// What.
    pub message: String,
}

impl fmt::Display for LowerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.position.line, self.position.column, self.message)
    }
}

impl std::error::Error for LowerError {}

/// Where a variable is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Home {
    /// A `.global` or `.const` variable: a device address.
    Device(u64),
    /// A `.shared` variable: a place in the block's shared memory.
    Shared(u32),
    /// An `extern .shared` array: the place is known when all static variables are.
    DynamicShared,
    /// A `.local` variable, or a parameter of a call: a place in the function's frame.
    Frame(u32),
    /// A kernel's parameter: a place in the parameter block.
    KernelParam(u32),
}

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Binding {
    /// One register; the number tells registers of one name in several scopes apart.
    Register(ast::Type, u32),
    /// `%r<count>`.
    Family(ast::Type, u32, u32),
    /// A variable.
    Variable(Home),
    /// A label.
    Label(usize),
    /// A list of branch or call targets.
    Targets(usize),
    /// A call's prototype.
    Prototype(usize),
}

/// One function being decoded. The families of instructions in [`ops`] see it as their source of slots.
pub struct Lower<'k, 'm, 'a> {
    builder: &'k mut KernelBuilder<'m, 'a>,
    function: &'m ast::Function<'a>,
    scopes: Vec<HashMap<&'a str, Binding>>,
    frames: Frames,
    /// Registers by the number of their declaration and their index in it.
    registers: HashMap<(u32, u32), Slot>,
    declarations: u32,
    /// Where labels are, once met.
    labels: Vec<Option<u32>>,
    /// Branches to labels: the instruction, and which of its targets.
    fixups: Vec<(u32, usize, Position)>,
    switches: Vec<(u32, Vec<usize>, Position)>,
    targets: Vec<Vec<&'a str>>,
    prototypes: Vec<(&'m [ast::Variable<'a>], &'m [ast::Variable<'a>])>,
    carry: Option<Slot>,
    position: Position,
    guard: Guard,
    place: Place,
}

impl<'k, 'm, 'a> Lower<'k, 'm, 'a> {
    /// Decodes `function` to the end of the builder's code.
    fn function(
        builder: &'k mut KernelBuilder<'m, 'a>,
        function: &'m ast::Function<'a>,
        index: usize,
    ) -> Result<(), LowerError> {
        let mut lower = Self {
            builder,
            function,
            scopes: vec![HashMap::new()],
            frames: Frames::default(),
            registers: HashMap::new(),
            declarations: 0,
            labels: Vec::new(),
            fixups: Vec::new(),
            switches: Vec::new(),
            targets: Vec::new(),
            prototypes: Vec::new(),
            carry: None,
            position: function.position,
            guard: Guard::Always,
            place: Place::default(),
        };
        lower.builder.functions[index].start = lower.next_pc();
        lower.declare_parameters()?;
        let Some(body) = &function.body else {
            return Err(lower.error(format!("function {} has no body in this module", function.name)));
        };
        lower.block(body)?;
        // Falling off the end returns.
        lower.guard = Guard::Always;
        lower.push(Inst::new(crate::program::Class::Control, Action::Return));
        lower.patch()?;
        let frame = lower.frames.finish();
        lower.builder.functions[index].frame = frame;
        Ok(())
    }

    /// An error at the present instruction.
    pub fn error(&self, message: impl Into<String>) -> LowerError {
        LowerError { position: self.position, message: message.into() }
    }

    /// The instruction set that execution functions are to be made for.
    pub fn level(&self) -> Level {
        self.builder.level
    }

    /// The predicate that is the carry flag.
    pub fn carry_flag(&mut self) -> Slot {
        *self.carry.get_or_insert_with(|| self.frames.new_predicate())
    }

    /// Whether the function is a kernel.
    pub fn in_kernel(&self) -> bool {
        self.function.kernel
    }

    /// Whether a parameter or a result of this function, or of a call that it makes, lies at a place of its frame.
    pub fn is_param(&self, at: u32) -> bool {
        self.frames.is_param(at)
    }

    /// Appends an instruction, with the guard of the PTX instruction being decoded.
    pub fn push(&mut self, mut inst: Inst) {
        inst.guard = self.guard;
        self.builder.code.push(inst);
        self.builder.places.push(self.place);
    }

    /// Appends a copy of one predicate to another.
    pub fn copy_predicate(&mut self, to: Slot, from: Slot) {
        ops::copy_predicate(self, to, from);
    }

    /// How many instructions there are: the index of the next.
    pub fn pushed(&self) -> usize {
        self.builder.code.len()
    }

    /// Sets flags of the instruction at an index.
    pub fn set_flags(&mut self, at: usize, flags: u32) {
        if let Some(inst) = self.builder.code.get_mut(at) {
            inst.flags |= flags;
        }
    }

    fn next_pc(&self) -> u32 {
        self.builder.code.len() as u32
    }

    fn block(&mut self, statements: &'m [Statement<'a>]) -> Result<(), LowerError> {
        // Labels are known in all of their block, before their line too.
        for statement in statements {
            let (name, position, binding) = match statement {
                Statement::Label(name, position) => {
                    self.labels.push(None);
                    (*name, *position, Binding::Label(self.labels.len() - 1))
                }
                Statement::CallPrototype { name, returns, params, position } => {
                    self.prototypes.push((params, returns));
                    (*name, *position, Binding::Prototype(self.prototypes.len() - 1))
                }
                Statement::BranchTargets(name, targets, position) | Statement::CallTargets(name, targets, position) => {
                    self.targets.push(targets.clone());
                    (*name, *position, Binding::Targets(self.targets.len() - 1))
                }
                _ => continue,
            };
            self.bind(name, binding, position)?;
        }
        for statement in statements {
            match statement {
                Statement::Variable(variable) => self.declare(variable)?,
                Statement::Label(name, _) => {
                    if let Some(Binding::Label(label)) = self.lookup(name) {
                        self.labels[label] = Some(self.next_pc());
                    }
                }
                Statement::Instruction(instruction) => self.instruction(instruction)?,
                Statement::Block(inner) => {
                    if self.scopes.len() > 100 {
                        return Err(self.error("more than 100 nested blocks"));
                    }
                    self.scopes.push(HashMap::new());
                    self.block(inner)?;
                    self.scopes.pop();
                }
                Statement::Location(location) => {
                    self.place.file = self.builder.file(location.file);
                    self.place.line = location.line;
                    self.place.column = location.column;
                }
                Statement::Pragma(_)
                | Statement::BranchTargets(..)
                | Statement::CallTargets(..)
                | Statement::CallPrototype { .. } => {}
            }
        }
        Ok(())
    }

    fn bind(&mut self, name: &'a str, binding: Binding, position: Position) -> Result<(), LowerError> {
        let scope = self.scopes.last_mut().expect("a function has a scope");
        if scope.insert(name, binding).is_some() {
            return Err(LowerError { position, message: format!("{name} is declared twice") });
        }
        Ok(())
    }

    fn lookup(&self, name: &str) -> Option<Binding> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name).copied())
    }

    fn instruction(&mut self, instruction: &'m ast::Instruction<'a>) -> Result<(), LowerError> {
        self.position = instruction.position;
        self.place.ptx = instruction.position;
        self.place.text = self.builder.span(instruction.text);
        self.guard = match instruction.guard {
            None => Guard::Always,
            Some(guard) => {
                let slot = self.register(guard.register, ast::Type::Pred)?;
                if guard.negated { Guard::Unless(slot) } else { Guard::If(slot) }
            }
        };
        ops::lower(self, instruction)
    }

    /// Parameters and results of a prototype, or of the first function of a list of call targets.
    fn prototype(&self, name: &str) -> Option<(Vec<&'m ast::Variable<'a>>, Vec<&'m ast::Variable<'a>>)> {
        match self.lookup(name) {
            Some(Binding::Prototype(index)) => {
                let (params, returns) = self.prototypes[index];
                Some((params.iter().collect(), returns.iter().collect()))
            }
            Some(Binding::Targets(list)) => {
                let first = self.targets[list].first().and_then(|name| self.builder.declared(name));
                first.map(|function| (function.params.iter().collect(), function.returns.iter().collect()))
            }
            _ => None,
        }
    }

    /// Appends a jump to a label.
    pub fn branch(&mut self, label: &str) -> Result<(), LowerError> {
        let Some(Binding::Label(label)) = self.lookup(label) else {
            return Err(self.error(format!("{label} is not a label of this function")));
        };
        self.fixups.push((self.next_pc(), label, self.position));
        self.push(Inst::new(crate::program::Class::Control, Action::Branch(0)));
        Ok(())
    }

    /// Appends a jump to one of the labels that `targets` lists, by the word in `index`.
    pub fn switch(&mut self, index: Slot, targets: &str) -> Result<(), LowerError> {
        let Some(Binding::Targets(list)) = self.lookup(targets) else {
            return Err(self.error(format!("{targets} is not a list of branch targets")));
        };
        let mut labels = Vec::new();
        for name in self.targets[list].clone() {
            match self.lookup(name) {
                Some(Binding::Label(label)) => labels.push(label),
                _ => return Err(self.error(format!("{name} is not a label of this function"))),
            }
        }
        self.switches.push((self.next_pc(), labels, self.position));
        self.push(Inst::new(crate::program::Class::Control, Action::Switch(Box::default())).with([index]));
        Ok(())
    }

    fn patch(&mut self) -> Result<(), LowerError> {
        let resolve = |label: usize, position: Position| {
            self.labels[label].ok_or(LowerError { position, message: "label without a place".into() })
        };
        for &(pc, label, position) in &self.fixups {
            self.builder.code[pc as usize].action = Action::Branch(resolve(label, position)?);
        }
        for (pc, labels, position) in &self.switches {
            let targets: Result<Box<[u32]>, _> = labels.iter().map(|&label| resolve(label, *position)).collect();
            self.builder.code[*pc as usize].action = Action::Switch(targets?);
        }
        Ok(())
    }
}
