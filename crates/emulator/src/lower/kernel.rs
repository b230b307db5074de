//! One kernel with every function it can reach.

use std::{collections::HashMap, sync::Arc};

use super::{Frames, Home, Lower, LowerError, bits};
use crate::{
    ops::Level,
    program::{Function, Inst, Kernel, Param, Place, Slot},
    ptx::ast::{self, Linkage, Position, Space, Variable},
};

/// Device addresses of a module's variables: by the function that declares it (empty for the module) and by name.
pub type Addresses = HashMap<(String, String), u64>;

/// Bytes of shared memory that a kernel may declare: more than any device has, and few enough to be made.
const MOST_SHARED: u32 = 16 << 20;

/// What a module declares.
pub struct Names<'m, 'a> {
    /// Of several declarations of a function the one with a body.
    functions: HashMap<&'a str, &'m ast::Function<'a>>,
    function_addresses: HashMap<&'a str, u64>,
    variables: HashMap<&'a str, &'m Variable<'a>>,
    /// By the number in the text: the index plus 1 in [`Kernel::files`].
    files: HashMap<u32, u32>,
    /// [`Kernel::files`] of all kernels.
    file_names: Arc<[String]>,
}

impl<'m, 'a> Names<'m, 'a> {
    /// The names of a module.
    pub fn of(module: &'m ast::Module<'a>) -> Self {
        let (mut functions, mut function_addresses, mut files) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (at, function) in module.functions.iter().enumerate() {
            let known = functions.entry(function.name).or_insert(function);
            if known.body.is_none() {
                *known = function;
            }
            if !function.kernel {
                function_addresses.entry(function.name).or_insert(at as u64 + 1);
            }
        }
        for (at, &(file, _)) in module.files.iter().enumerate() {
            files.entry(file).or_insert(at as u32 + 1);
        }
        let variables = module.variables.iter().map(|variable| (variable.name, variable)).collect();
        let file_names = module.files.iter().map(|(_, name)| (*name).to_owned()).collect();
        Self { functions, function_addresses, variables, files, file_names }
    }

    /// What the address of a device function is: its number in the module, from 1.
    pub fn function_address(&self, name: &str) -> Option<u64> {
        self.function_addresses.get(name).copied()
    }
}

/// A kernel in the making.
pub struct KernelBuilder<'m, 'a> {
    pub(super) level: Level,
    pub(super) code: Vec<Inst>,
    pub(super) places: Vec<Place>,
    pub(super) functions: Vec<Function>,
    names: &'m Names<'m, 'a>,
    addresses: &'m Addresses,
    source: &'m str,
    reached: Vec<&'m ast::Function<'a>>,
    /// Indices in `reached`.
    indices: HashMap<&'a str, usize>,
    shared: HashMap<&'a str, Home>,
    shared_bytes: u64,
    dynamic_align: Option<u32>,
    dynamic_slots: Vec<(usize, Slot, bool)>,
    /// Whether a call goes through a register: any function of the module may be meant.
    pub(super) indirect: bool,
    current: usize,
}

/// Decodes `entry` and, of a kernel, what it reaches.
pub fn kernel<'m, 'a>(
    module: &'m ast::Module<'a>,
    names: &'m Names<'m, 'a>,
    addresses: &'m Addresses,
    entry: &'m ast::Function<'a>,
    source: &Arc<str>,
    text: &'m str,
    level: Level,
) -> Result<Kernel, LowerError> {
    let mut builder = KernelBuilder {
        level,
        code: Vec::new(),
        places: Vec::new(),
        functions: Vec::new(),
        names,
        addresses,
        source: text,
        reached: Vec::new(),
        indices: HashMap::new(),
        shared: HashMap::new(),
        shared_bytes: 0,
        dynamic_align: None,
        dynamic_slots: Vec::new(),
        indirect: false,
        current: 0,
    };
    builder.reach(entry);
    // A device function by itself can't run: what it calls is looked at for its own sake.
    let most = if entry.kernel { usize::MAX } else { 1 };
    while builder.current < builder.reached.len().min(most) {
        let function = builder.reached[builder.current];
        let index = builder.current;
        Lower::function(&mut builder, function, index)?;
        builder.current += 1;
        if builder.indirect && builder.current == builder.reached.len() {
            for function in module.functions.iter().filter(|function| !function.kernel && function.body.is_some()) {
                builder.function_index(function.name)?;
            }
        }
    }
    let mut addresses = HashMap::new();
    for (index, function) in builder.reached.iter().enumerate().filter(|(_, function)| !function.kernel) {
        addresses.extend(names.function_address(function.name).map(|address| (address, index as u32)));
    }
    let shared_bytes = builder.shared_bytes as u32;
    let dynamic = builder.dynamic_align.map(|align| {
        let at = u64::from(shared_bytes).next_multiple_of(align.max(16).into());
        u32::try_from(at).ok().filter(|&at| at <= MOST_SHARED).ok_or_else(|| LowerError {
            position: entry.position,
            message: format!("{}: dynamic shared memory aligned to {align} bytes begins beyond 16 MiB", entry.name),
        })
    });
    let dynamic = dynamic.transpose()?;
    for &(function, slot, wide) in &builder.dynamic_slots {
        let frame = &mut builder.functions[function].frame;
        let at = dynamic.unwrap_or(shared_bytes);
        if wide {
            frame.long_constants.push((slot, u64::from(at)));
        } else {
            frame.word_constants.push((slot, at));
        }
    }
    let mut params = Vec::new();
    let mut end = 0u32;
    for variable in &entry.params {
        let (bytes, align) = builder.size_of(variable)?;
        let offset = end.next_multiple_of(align.max(1));
        end = offset + bytes as u32;
        params.push(Param { offset, bytes: bytes as u32, align });
    }
    let frame = &builder.functions[0].frame;
    let own = |rows: u32, constants: usize| rows.saturating_sub(constants as u32);
    let registers = (own(frame.words, frame.word_constants.len()) + 2 * own(frame.longs, frame.long_constants.len()))
        .clamp(16, 255);
    let product = |threads: [u32; 3]| threads.iter().try_fold(1u32, |product, &n| product.checked_mul(n));
    Ok(Kernel {
        name: entry.name.to_owned(),
        code: builder.code,
        places: builder.places,
        functions: builder.functions,
        function_addresses: addresses,
        files: names.file_names.clone(),
        source: source.clone(),
        params,
        param_bytes: end,
        shared_bytes,
        dynamic_shared: dynamic,
        max_threads: entry.required_threads.or(entry.max_threads).and_then(product),
        required_threads: entry.required_threads,
        registers,
    })
}

impl<'m, 'a> KernelBuilder<'m, 'a> {
    /// The address of a device function.
    pub(super) fn function_address(&self, name: &str) -> Option<u64> {
        self.names.function_address(name)
    }

    fn reach(&mut self, function: &'m ast::Function<'a>) -> usize {
        self.reached.push(function);
        self.indices.insert(function.name, self.reached.len() - 1);
        self.functions.push(Function { name: function.name.to_owned(), ..Function::default() });
        self.reached.len() - 1
    }

    /// A function's index in this kernel, where the module has a function of that name; from now on it is part of
    /// the kernel.
    pub(super) fn function_index(&mut self, name: &str) -> Result<Option<u32>, LowerError> {
        let Some(&function) = self.names.functions.get(name) else { return Ok(None) };
        if function.kernel {
            return Err(LowerError {
                position: function.position,
                message: format!("{name} is a kernel: its address and calls to it are not supported"),
            });
        }
        let found = self.indices.get(name).copied();
        Ok(Some(found.unwrap_or_else(|| self.reach(function)) as u32))
    }

    /// The function that the module declares by that name.
    pub(super) fn declared(&self, name: &str) -> Option<&'m ast::Function<'a>> {
        self.names.functions.get(name).copied()
    }

    /// The index plus 1 of a `.file` in [`Kernel::files`].
    pub(super) fn file(&self, index: u32) -> u32 {
        self.names.files.get(&index).copied().unwrap_or(0)
    }

    /// A piece of the source text as first byte and length.
    pub(super) fn span(&self, text: &str) -> (u32, u32) {
        let start = (text.as_ptr() as usize).wrapping_sub(self.source.as_ptr() as usize);
        if start < self.source.len() { (start as u32, text.len() as u32) } else { (0, 0) }
    }

    /// A variable's size and alignment in bytes.
    pub(super) fn size_of(&self, variable: &Variable<'a>) -> Result<(u64, u32), LowerError> {
        size_of(variable)
    }

    /// Where a module-scope variable is.
    pub(super) fn module_home(&mut self, name: &str, position: Position) -> Result<Option<Home>, LowerError> {
        let Some(&variable) = self.names.variables.get(name) else { return Ok(None) };
        Ok(Some(match variable.space {
            Space::Shared => match self.shared.get(name) {
                Some(&home) => home,
                None => {
                    let home = self.place_shared(variable)?;
                    self.shared.insert(variable.name, home);
                    home
                }
            },
            Space::Global | Space::Const => {
                let key = (String::new(), name.to_owned());
                Home::Device(*self.addresses.get(&key).ok_or_else(|| LowerError {
                    position,
                    message: format!("{name} is declared here but defined in another module"),
                })?)
            }
            space => {
                return Err(LowerError {
                    position,
                    message: format!("{name}: {space:?} variables at module scope are not supported"),
                });
            }
        }))
    }

    /// The device address of a `.global` or `.const` variable declared in a function.
    pub(super) fn scoped_address(&self, function: &ast::Function<'a>, variable: &Variable<'a>) -> Option<u64> {
        self.addresses.get(&(function.name.to_owned(), variable.name.to_owned())).copied()
    }

    /// Gives a `.shared` variable its place.
    pub(super) fn place_shared(&mut self, variable: &Variable<'a>) -> Result<Home, LowerError> {
        if variable.linkage == Linkage::Extern && variable.dimensions.first().is_some_and(Option::is_none) {
            let align = size_of_element(variable);
            self.dynamic_align = Some(self.dynamic_align.unwrap_or(1).max(align));
            return Ok(Home::DynamicShared);
        }
        let (bytes, align) = size_of(variable)?;
        let start = self.shared_bytes.next_multiple_of(u64::from(align.max(1)));
        let end = start.checked_add(bytes).filter(|&end| end <= u64::from(MOST_SHARED)).ok_or_else(|| LowerError {
            position: variable.position,
            message: format!("{}: more than 16 MiB of shared memory", variable.name),
        })?;
        self.shared_bytes = end;
        Ok(Home::Shared(start as u32))
    }

    /// The slot that will hold where dynamic shared memory begins.
    pub(super) fn dynamic_shared(&mut self, frames: &mut Frames, wide: bool) -> Slot {
        let slot = if wide { frames.new_long() } else { frames.new_word() };
        self.dynamic_slots.push((self.current, slot, wide));
        slot
    }
}

fn size_of_element(variable: &Variable<'_>) -> u32 {
    let natural = bits(variable.ty).div_ceil(8) * variable.vector.max(1);
    if variable.align == 0 { natural } else { variable.align }
}

/// A variable's size and alignment in bytes.
pub fn size_of(variable: &Variable<'_>) -> Result<(u64, u32), LowerError> {
    let error = |message: String| LowerError { position: variable.position, message };
    let mut bytes = u64::from(bits(variable.ty).div_ceil(8) * variable.vector.max(1));
    let mut empty = false;
    for dimension in &variable.dimensions {
        let length = dimension.ok_or_else(|| error(format!("{} needs a length", variable.name)))?;
        // A part's size must be a number even where there is no such part.
        empty |= length == 0;
        bytes = bytes.checked_mul(length.max(1)).ok_or_else(|| error(format!("{} is too large", variable.name)))?;
    }
    let bytes = if empty { 0 } else { bytes };
    let align = size_of_element(variable);
    if !align.is_power_of_two() {
        return Err(error(format!("{}: alignment {align} is not a power of two", variable.name)));
    }
    Ok((bytes, align))
}
