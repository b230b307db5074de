//! Decoded code: what the parser's tree becomes before it runs.
//!
//! A kernel is one vector of instructions, its own body first, then every function it can reach. Registers are slots
//! in three files (32-bit words, 64-bit longs, predicates); constants and special registers are slots too, filled
//! before the first instruction, so that every source of an instruction is a row of 32 lanes.

use std::{collections::HashMap, sync::Arc};

use crate::{
    exec::{Base, Cx},
    lanes::Mask,
    ptx::ast,
};

/// A register: an index into one of the three files of its function's frame. Which file, the instruction knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Hash)]
pub struct Slot(pub u32);

/// Whether an instruction is executed, by its guard predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// No guard.
    Always,
    /// `@p`.
    If(Slot),
    /// `@!p`.
    Unless(Slot),
}

/// What follows an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next instruction.
    Next,
    /// The next instruction, after others had their turn: the lanes wait for something.
    Yield,
    /// The kernel ends: `Cx::stop` says why.
    Stop,
}

/// An instruction's execution on the lanes of a mask.
///
/// # Safety
/// The machine must have the instruction set of the [`Level`](crate::ops::Level) the function was made for.
pub type Run = unsafe fn(&mut Cx<'_, '_>, &Inst, Mask) -> Flow;

/// Lanes that take part in an instruction of a group of lanes. The compiler may have made several instructions of one
/// (by unrolling a loop, say), so that lanes at different places meet: each part has its own operands.
#[derive(Clone, Copy, Debug)]
pub struct Part<'p> {
    /// The instruction these lanes execute.
    pub inst: &'p Inst,
    /// Their frame.
    pub base: Base,
    /// The lanes.
    pub lanes: Mask,
}

/// The execution of an instruction of a group of lanes, given all of its parts and all lanes.
///
/// # Safety
/// As [`Run`].
pub type RunTogether = unsafe fn(&mut Cx<'_, '_>, &[Part<'_>], Mask) -> Flow;

/// How an instruction acts on its warp.
#[derive(Debug)]
pub enum Action {
    /// Works on the lanes that are here, whichever they are.
    Run(Run),
    /// Works on the lanes that the mask in this slot (a word) names, once they all are here: `shfl.sync` and the like.
    Gather(RunTogether, Slot),
    /// Works on the whole warp, once all of it is here: `mma.sync.aligned` and the like.
    Whole(Run),
    /// A barrier of the block.
    Barrier(Barrier),
    /// Jumps.
    Branch(u32),
    /// `brx.idx`: jumps to the target that the word in `args[0]` selects.
    Switch(Box<[u32]>),
    /// Calls a function.
    Call(Box<Call>),
    /// Returns from a function; ends the lanes in a kernel's own body.
    Return,
    /// Ends the lanes.
    Exit,
    /// `trap` (or an assertion): ends the kernel with an error.
    Trap,
}

/// What a barrier instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Barrier {
    /// Waits, announces, or reduces.
    pub kind: BarrierKind,
    /// All lanes of a warp must be here (`.aligned`, and `bar`).
    pub aligned: bool,
    /// The barrier's number, a word.
    pub id: Slot,
    /// How many threads take part, a word; all of the block without it.
    pub count: Option<Slot>,
}

/// See [`Barrier::kind`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierKind {
    /// Waits for all.
    Sync,
    /// Announces and goes on.
    Arrive,
    /// Waits, and counts the threads whose predicate `args[1]` (negated where `imm` is 1) holds: into word `args[0]`.
    Count,
    /// Waits; predicate `args[0]` becomes whether it holds for all.
    All,
    /// Waits; predicate `args[0]` becomes whether it holds for any.
    Any,
}

/// A call.
#[derive(Debug)]
pub struct Call {
    /// The function, as an index into [`Kernel::functions`]; or the long that holds such an index.
    pub target: CallTarget,
    /// For each parameter: the place in the caller's frame, in the callee's, and bytes.
    pub arguments: Vec<(u32, u32, u32)>,
    /// For each result: the place in the callee's frame, in the caller's, and bytes.
    pub results: Vec<(u32, u32, u32)>,
}

/// See [`Call::target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallTarget {
    /// This one.
    Direct(u32),
    /// The one whose address this long holds.
    Indirect(Slot),
}

/// What an instruction is, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // The names say it.
pub enum Class {
    Integer,
    Float16,
    Float32,
    Float64,
    Convert,
    Move,
    Predicate,
    Control,
    Barrier,
    Warp,
    LoadGlobal,
    StoreGlobal,
    LoadShared,
    StoreShared,
    LoadLocal,
    StoreLocal,
    LoadConst,
    Atomic,
    AtomicFloat,
    AsyncCopy,
    Tensor,
    Other,
}

impl Class {
    /// How many there are.
    pub const COUNT: usize = Self::Other as usize + 1;
}

/// An instruction.
#[derive(Debug)]
pub struct Inst {
    /// What it does.
    pub action: Action,
    /// Whether it does it.
    pub guard: Guard,
    /// What the counters call it.
    pub class: Class,
    /// Destinations first, then sources, in PTX's order.
    pub args: [Slot; 5],
    /// Choices that the execution function reads (width of an address register, negated predicates).
    pub flags: u32,
    /// An address's offset, or another constant.
    pub imm: u64,
    /// More slots, where five are not enough (vectors, fragments of matrices).
    pub more: Box<[Slot]>,
}

impl Inst {
    /// An instruction without a guard.
    pub fn new(class: Class, action: Action) -> Self {
        Self { action, guard: Guard::Always, class, args: [Slot::default(); 5], flags: 0, imm: 0, more: Box::default() }
    }

    /// The same with operands.
    pub fn with<const N: usize>(mut self, args: [Slot; N]) -> Self {
        self.args[..N].copy_from_slice(&args);
        self
    }

    /// The same with a constant.
    pub fn imm(mut self, imm: u64) -> Self {
        self.imm = imm;
        self
    }

    /// The same with flags.
    pub fn flags(mut self, flags: u32) -> Self {
        self.flags |= flags;
        self
    }

    /// The same with more operands.
    pub fn more(mut self, more: Vec<Slot>) -> Self {
        self.more = more.into();
        self
    }
}

/// A special register that is constant while a warp runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names are PTX's own.
pub enum Special {
    Tid(usize),
    Ntid(usize),
    Ctaid(usize),
    Nctaid(usize),
    LaneId,
    WarpId,
    NumWarps,
    SmId,
    NumSms,
    GridId,
    LanemaskEq,
    LanemaskLe,
    LanemaskLt,
    LanemaskGe,
    LanemaskGt,
    DynamicSharedBytes,
    TotalSharedBytes,
    Zero,
    One,
}

/// What fills a frame's constant slots.
#[derive(Debug, Default)]
pub struct Frame {
    /// Rows of words in the frame.
    pub words: u32,
    /// Rows of longs in the frame. Long 0 holds the frame's place in local memory.
    pub longs: u32,
    /// Predicates in the frame.
    pub predicates: u32,
    /// Words and their value.
    pub word_constants: Vec<(Slot, u32)>,
    /// Longs and their value.
    pub long_constants: Vec<(Slot, u64)>,
    /// Predicates and their value, the same in all lanes.
    pub predicate_constants: Vec<(Slot, bool)>,
    /// Words and the special register they hold.
    pub word_specials: Vec<(Slot, Special)>,
    /// Longs and the special register they hold, zero-extended.
    pub long_specials: Vec<(Slot, Special)>,
    /// Bytes of local memory: parameters, results, `.local` variables.
    pub local_bytes: u32,
    /// Where parameters and results of calls lie in it: place and bytes.
    pub params: Vec<(u32, u32)>,
}

/// A function in a kernel's code.
#[derive(Debug, Default)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its first instruction.
    pub start: u32,
    /// Its registers and local memory.
    pub frame: Frame,
}

/// Where an instruction comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Index into [`Kernel::files`] plus 1; 0 where the module has no line information.
    pub file: u32,
    /// The line there.
    pub line: u32,
    /// The column there.
    pub column: u32,
    /// Where it stands in the PTX text.
    pub ptx: ast::Position,
    /// Its text there: first byte and length.
    pub text: (u32, u32),
}

/// A kernel's parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its place in the parameter block, in bytes.
    pub offset: u32,
    /// Its size in bytes.
    pub bytes: u32,
    /// Its alignment in bytes.
    pub align: u32,
}

/// A kernel, ready to run.
#[derive(Debug, Default)]
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// Its body first, then the functions it reaches.
    pub code: Vec<Inst>,
    /// One for each instruction.
    pub places: Vec<Place>,
    /// The kernel itself, then the functions it reaches.
    pub functions: Vec<Function>,
    /// The functions' addresses, and their index in `functions`.
    pub function_addresses: HashMap<u64, u32>,
    /// Names of source files.
    pub files: Arc<[String]>,
    /// The module's text.
    pub source: Arc<str>,
    /// Parameters.
    pub params: Vec<Param>,
    /// Bytes of the parameter block.
    pub param_bytes: u32,
    /// Bytes of static shared memory.
    pub shared_bytes: u32,
    /// Whether it uses dynamic shared memory, and from which offset.
    pub dynamic_shared: Option<u32>,
    /// `.maxntid`'s product, or `.reqntid`'s.
    pub max_threads: Option<u32>,
    /// `.reqntid`.
    pub required_threads: Option<[u32; 3]>,
    /// Registers a thread would need if none were used twice, in units of 32 bits, at most 255: more than ptxas allots.
    pub registers: u32,
}

impl Kernel {
    /// The text of an instruction.
    pub fn text(&self, pc: u32) -> &str {
        let Some(place) = self.places.get(pc as usize) else { return "" };
        let start = place.text.0 as usize;
        self.source.get(start..start + place.text.1 as usize).unwrap_or("")
    }

    /// The source line of an instruction, as `file:line`, where the module has line information.
    pub fn line(&self, pc: u32) -> Option<String> {
        let place = self.places.get(pc as usize)?;
        let file = self.files.get(place.file.checked_sub(1)? as usize)?;
        Some(format!("{file}:{}", place.line))
    }
}
