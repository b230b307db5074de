//! Loading a module: its text parsed, its variables placed in device memory, its kernels decoded.

use std::{collections::HashMap, fmt, sync::Arc};

use crate::{
    lower::{self, Addresses, LowerError, bits, size_of},
    memory::{AllocateError, AllocationKind, Memory},
    ops::Level,
    program::Kernel,
    ptx::{
        self,
        ast::{self, Immediate, Initializer, Position, Space, Statement, Variable},
    },
};

/// Why a module can't be loaded.
#[derive(Clone, Debug, PartialEq)]
pub enum LoadError {
    /// The text is not PTX.
    Parse(ptx::ParseError),
    /// It says something that can't be run: an unknown instruction, a name without a declaration.
    Lower(LowerError),
    /// The device's memory can't hold its variables.
    Memory(AllocateError),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parse(error) => error.fmt(f),
            Self::Lower(error) => error.fmt(f),
            Self::Memory(error) => write!(f, "the module's variables: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// What the driver tells of a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelInfo {
    /// Its name.
    pub name: String,
    /// Its parameters.
    pub params: Vec<crate::program::Param>,
    /// Bytes of its parameter block.
    pub param_bytes: u32,
    /// Registers a thread would need if none were used twice, in units of 32 bits, at most 255: more than ptxas allots.
    pub registers: u32,
    /// Bytes of static shared memory.
    pub shared_static: u32,
    /// Bytes of local memory a thread.
    pub local_bytes: u32,
    /// Bytes of `.const` variables of its module.
    pub const_bytes: u32,
    /// Threads a block may have.
    pub max_threads: u32,
    /// `.version`, as 80 for 8.0.
    pub ptx_version: u32,
    /// `.target`, as 80 for sm_80.
    pub binary_version: u32,
}

/// A loaded module. Its variables are freed with it.
pub struct Module {
    memory: Arc<Memory>,
    kernels: Vec<(Kernel, KernelInfo)>,
    variables: HashMap<String, (u64, u64)>,
    allocated: Vec<u64>,
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.kernels.iter().map(|(kernel, _)| &kernel.name).collect();
        f.debug_struct("Module").field("kernels", &names).finish_non_exhaustive()
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        for &address in &self.allocated {
            // A variable that the program freed by itself is gone already.
            let _ = self.memory.free(address);
        }
    }
}

impl Module {
    /// Loads PTX text.
    ///
    /// # Errors
    /// Where the text can't be parsed or run, or memory is short; the message names line and column.
    pub fn load(text: &str, memory: &Arc<Memory>) -> Result<Self, LoadError> {
        Self::load_for(text, memory, Level::detect())
    }

    /// Loads PTX text, with execution functions that use no more than every machine of this architecture has: for
    /// comparing, as they give the same bits as those [`load`](Self::load) takes and are slower.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_portable(text: &str, memory: &Arc<Memory>) -> Result<Self, LoadError> {
        Self::load_for(text, memory, Level::Portable)
    }

    /// Loads PTX text, with execution functions for a level that the machine must have.
    fn load_for(text: &str, memory: &Arc<Memory>, level: Level) -> Result<Self, LoadError> {
        let tree = ptx::parse(text).map_err(LoadError::Parse)?;
        if tree.address_size != 64 {
            return Err(LoadError::Lower(LowerError {
                position: Position::default(),
                message: format!(".address_size {} is not supported, only 64", tree.address_size),
            }));
        }
        let mut module =
            Self { memory: memory.clone(), kernels: Vec::new(), variables: HashMap::new(), allocated: Vec::new() };
        let names = lower::Names::of(&tree);
        let (addresses, const_bytes) = module.place_variables(&tree, &names)?;
        let source: Arc<str> = text.into();
        for function in tree.functions.iter().filter(|function| function.body.is_some()) {
            // A device function that no kernel calls is decoded too, to be refused if it can't run.
            let kernel =
                lower::kernel(&tree, &names, &addresses, function, &source, text, level).map_err(LoadError::Lower)?;
            if !function.kernel {
                continue;
            }
            let frame = &kernel.functions[0].frame;
            let info = KernelInfo {
                name: kernel.name.clone(),
                params: kernel.params.clone(),
                param_bytes: kernel.param_bytes,
                registers: kernel.registers,
                shared_static: kernel.shared_bytes,
                local_bytes: frame.local_bytes,
                const_bytes,
                max_threads: kernel.max_threads.unwrap_or(1024).min(1024),
                ptx_version: tree.version.0 * 10 + tree.version.1,
                binary_version: tree.target,
            };
            module.kernels.push((kernel, info));
        }
        Ok(module)
    }

    /// A kernel's number, by its name.
    pub fn kernel(&self, name: &str) -> Option<usize> {
        self.kernels.iter().position(|(kernel, _)| kernel.name == name)
    }

    /// All kernels, in the order of the text.
    pub fn kernels(&self) -> impl Iterator<Item = &Kernel> {
        self.kernels.iter().map(|(kernel, _)| kernel)
    }

    /// What the driver tells of a kernel.
    ///
    /// # Panics
    /// If there is no kernel of that number.
    pub fn info(&self, kernel: usize) -> &KernelInfo {
        &self.kernels[kernel].1
    }

    /// A kernel's code.
    ///
    /// # Panics
    /// If there is no kernel of that number.
    pub fn code(&self, kernel: usize) -> &Kernel {
        &self.kernels[kernel].0
    }

    /// Address and bytes of a variable at module scope.
    pub fn variable(&self, name: &str) -> Option<(u64, u64)> {
        self.variables.get(name).copied()
    }

    /// The memory that holds its variables.
    pub fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Allocates and fills all `.global` and `.const` variables.
    fn place_variables(
        &mut self,
        tree: &ast::Module<'_>,
        names: &lower::Names<'_, '_>,
    ) -> Result<(Addresses, u32), LoadError> {
        let mut variables: Vec<(&str, &Variable<'_>)> = Vec::new();
        variables.extend(tree.variables.iter().map(|variable| ("", variable)));
        for function in &tree.functions {
            collect(function.name, function.body.as_deref().unwrap_or_default(), &mut variables);
        }
        variables.retain(|(_, variable)| {
            matches!(variable.space, Space::Global | Space::Const) && variable.linkage != ast::Linkage::Extern
        });
        let mut addresses = Addresses::new();
        let mut const_bytes = 0u64;
        for (scope, variable) in &variables {
            let bytes = sized(variable).map_err(LoadError::Lower)?;
            let kind = match variable.space {
                Space::Const => AllocationKind::Constant,
                _ => AllocationKind::Global,
            };
            let address = self.memory.allocate(bytes.max(1), kind).map_err(LoadError::Memory)?;
            self.allocated.push(address);
            self.memory.label(address, &format!("variable `{}`", variable.name));
            if variable.space == Space::Const {
                const_bytes += bytes;
            }
            if scope.is_empty() {
                self.variables.insert(variable.name.to_owned(), (address, bytes));
            }
            addresses.insert(((*scope).to_owned(), variable.name.to_owned()), address);
        }
        for (scope, variable) in &variables {
            // What is not initialised is zero, as new memory is.
            let Some(initializer) = &variable.initializer else { continue };
            let bytes = sized(variable).map_err(LoadError::Lower)?;
            let address = addresses[&((*scope).to_owned(), variable.name.to_owned())];
            let (memory, run) = (&self.memory, Vec::new());
            let mut image =
                Image { names, variable, scope, addresses: &addresses, memory, address, bytes, start: 0, run };
            image.fill(initializer, 0, 0).map_err(LoadError::Lower)?;
            image.flush();
        }
        Ok((addresses, u32::try_from(const_bytes).unwrap_or(u32::MAX)))
    }
}

fn collect<'t, 'a>(scope: &'t str, body: &'t [Statement<'a>], variables: &mut Vec<(&'t str, &'t Variable<'a>)>) {
    for statement in body {
        match statement {
            Statement::Variable(variable) => variables.push((scope, variable)),
            Statement::Block(inner) => collect(scope, inner, variables),
            _ => {}
        }
    }
}

/// Bytes of a variable; an empty first dimension takes its length from the initial value.
fn sized(variable: &Variable<'_>) -> Result<u64, LowerError> {
    match (variable.dimensions.first(), &variable.initializer) {
        (Some(None), Some(Initializer::List(list))) => {
            let mut known = variable.clone();
            known.dimensions[0] = Some(list.len() as u64);
            Ok(size_of(&known)?.0)
        }
        _ => Ok(size_of(variable)?.0),
    }
}

/// A variable's initial values on their way to memory. What they take is proportional to the text, however large the
/// variable is.
struct Image<'i, 'a> {
    names: &'i lower::Names<'i, 'a>,
    variable: &'i Variable<'a>,
    scope: &'i str,
    addresses: &'i Addresses,
    memory: &'i Memory,
    /// Where the variable is.
    address: u64,
    /// Its size.
    bytes: u64,
    /// Values that follow on each other, and where the first belongs.
    start: u64,
    run: Vec<u8>,
}

impl Image<'_, '_> {
    /// Bytes of one element at a depth of nested lists.
    fn element(&self, depth: usize) -> u64 {
        let scalar = u64::from(bits(self.variable.ty).div_ceil(8));
        let inner = self.variable.dimensions.iter().skip(depth).flatten().product::<u64>();
        let vector = if depth > self.variable.dimensions.len() { 1 } else { u64::from(self.variable.vector.max(1)) };
        scalar * inner * vector
    }

    fn fill(&mut self, initializer: &Initializer<'_>, at: u64, depth: usize) -> Result<(), LowerError> {
        let scalar = bits(self.variable.ty).div_ceil(8) as usize;
        let value = match initializer {
            Initializer::List(list) => {
                let step = self.element(depth + 1);
                for (index, item) in list.iter().enumerate() {
                    self.fill(item, at.saturating_add(step.saturating_mul(index as u64)), depth + 1)?;
                }
                return Ok(());
            }
            Initializer::Value(Immediate::Integer(value)) => *value,
            Initializer::Value(Immediate::F32(value)) if scalar == 8 => f64::from(f32::from_bits(*value)).to_bits(),
            Initializer::Value(Immediate::F32(value)) => u64::from(*value),
            Initializer::Value(Immediate::F64(value)) if scalar == 4 => {
                u64::from((f64::from_bits(*value) as f32).to_bits())
            }
            Initializer::Value(Immediate::F64(value)) => *value,
            Initializer::Address { symbol, offset, mask, .. } => {
                let scoped = (self.scope.to_owned(), (*symbol).to_owned());
                let of_module = (String::new(), (*symbol).to_owned());
                let address = self.addresses.get(&scoped).or_else(|| self.addresses.get(&of_module));
                let function = || self.names.function_address(symbol);
                let Some(address) = address.copied().or_else(function) else {
                    return Err(self.error(format!("the address of {symbol} is not known here")));
                };
                let address = address.wrapping_add_signed(*offset);
                match mask {
                    Some(mask) if *mask != 0 => (address & mask) >> (mask.trailing_zeros() / 8 * 8),
                    _ => address,
                }
            }
        };
        if at.saturating_add(scalar as u64) > self.bytes {
            return Err(self.error("more initial values than it has room for".to_owned()));
        }
        if at != self.start + self.run.len() as u64 {
            self.flush();
            self.start = at;
        }
        self.run.extend(&value.to_le_bytes()[..scalar]);
        Ok(())
    }

    /// Writes the values so far.
    fn flush(&mut self) {
        // The allocation was made with these bytes a moment ago.
        let _ = self.memory.write(self.address + self.start, &self.run);
        self.run.clear();
    }

    fn error(&self, message: String) -> LowerError {
        LowerError { position: self.variable.position, message: format!("{}: {message}", self.variable.name) }
    }
}
