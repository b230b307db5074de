//! What a PTX module says, as it says it: names unresolved, instructions as an opcode, modifiers and operands.
//!
//! Names and strings borrow from the source text. Every item keeps its place in the text, so that later stages can
//! name line and column too.

/// A place in the PTX text, both counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column, in bytes.
    pub column: u32,
}

/// A whole module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module<'a> {
    /// `.version major.minor`.
    pub version: (u32, u32),
    /// `.target sm_NN`: the architecture, as 80 for `sm_80` and `sm_80a`.
    pub target: u32,
    /// Whether the target has the suffix `a` (architecture-specific) or `f` (family-specific).
    pub target_suffix: Option<char>,
    /// What else `.target` names (`debug`, `texmode_independent`).
    pub target_options: Vec<&'a str>,
    /// `.address_size`, in bits; 32 where the module does not say.
    pub address_size: u32,
    /// The `.file` directives: index and name.
    pub files: Vec<(u32, &'a str)>,
    /// Module-scope variables.
    pub variables: Vec<Variable<'a>>,
    /// Functions and kernels, declarations (without a body) included.
    pub functions: Vec<Function<'a>>,
    /// The `.alias` directives: a function's other name, and its own.
    pub aliases: Vec<Alias<'a>>,
}

/// `.alias name, function;`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias<'a> {
    /// The other name, which a declaration without a body gives a signature.
    pub name: &'a str,
    /// The function that it stands for.
    pub function: &'a str,
    /// Where it is declared.
    pub position: Position,
}

/// A state space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// `.reg`.
    Register,
    /// `.param`: a kernel's or a function's parameter.
    Param,
    /// `.shared`.
    Shared,
    /// `.local`.
    Local,
    /// `.global`.
    Global,
    /// `.const`.
    Const,
}

/// A fundamental type, or an opaque one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names are PTX's own.
pub enum Type {
    Pred,
    B8,
    B16,
    B32,
    B64,
    B128,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F16x2,
    Bf16,
    Bf16x2,
    Tf32,
    F32,
    F32x2,
    F64,
    U16x2,
    S16x2,
    E4m3x2,
    E5m2x2,
}

/// How a symbol is seen by other modules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Linkage {
    /// Of this module only.
    #[default]
    Internal,
    /// `.visible`.
    Visible,
    /// `.extern`: defined elsewhere.
    Extern,
    /// `.weak`.
    Weak,
    /// `.common`.
    Common,
}

/// A variable, or a family of registers.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable<'a> {
    /// Where it lives.
    pub space: Space,
    /// How other modules see it.
    pub linkage: Linkage,
    /// `.align`, in bytes; 0 where it is the type's own.
    pub align: u32,
    /// Its type, or an element's.
    pub ty: Type,
    /// 2 or 4 for `.v2` and `.v4`, else 1.
    pub vector: u32,
    /// Its name. `%r` for `%r<8>`.
    pub name: &'a str,
    /// `Some(8)` for `%r<8>`: the registers `%r0` to `%r7`. The language allows it in the other state spaces too.
    pub count: Option<u32>,
    /// Array dimensions, outermost first; `None` for an empty pair of brackets (an extern shared array, or one whose
    /// length its initialiser gives).
    pub dimensions: Vec<Option<u64>>,
    /// `= ...`.
    pub initializer: Option<Initializer<'a>>,
    /// For a pointer parameter with `.ptr`: the state space and alignment it promises.
    pub pointer: Option<(Option<Space>, u32)>,
    /// `.attribute(.managed)`: host and device share the variable.
    pub managed: bool,
    /// Where it is declared.
    pub position: Position,
}

/// A variable's initial value.
#[derive(Clone, Debug, PartialEq)]
pub enum Initializer<'a> {
    /// A number.
    Value(Immediate),
    /// The address of a symbol, plus an offset; `generic(symbol)` where the flag is set. `mask` is `0xFF`-style byte
    /// selection of an address, as in `0xFF00(symbol)`, else `None`.
    Address {
        /// The symbol.
        symbol: &'a str,
        /// Bytes added.
        offset: i64,
        /// Whether it was written `generic(symbol)`.
        generic: bool,
        /// The byte of the address selected by a mask operator.
        mask: Option<u64>,
    },
    /// `{ ... }`.
    List(Vec<Initializer<'a>>),
}

/// A constant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Immediate {
    /// An integer, as 64 bits; signed where the constant was written or computed as a signed one.
    Integer(u64),
    /// `0fXXXXXXXX`: the bits of an f32.
    F32(u32),
    /// `0dXXXXXXXXXXXXXXXX` or a decimal floating-point constant: the bits of an f64.
    F64(u64),
}

/// A function or a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Function<'a> {
    /// Whether it is an `.entry`, a kernel.
    pub kernel: bool,
    /// How other modules see it.
    pub linkage: Linkage,
    /// Its name.
    pub name: &'a str,
    /// Return parameters (`.param` or `.reg`).
    pub returns: Vec<Variable<'a>>,
    /// Parameters.
    pub params: Vec<Variable<'a>>,
    /// `.maxntid`, missing dimensions as 1.
    pub max_threads: Option<[u32; 3]>,
    /// `.reqntid`, missing dimensions as 1.
    pub required_threads: Option<[u32; 3]>,
    /// `.minnctapersm`.
    pub min_blocks: Option<u32>,
    /// `.maxnreg`.
    pub max_registers: Option<u32>,
    /// `.reqnctapercluster`, missing dimensions as 1.
    pub required_cluster: Option<[u32; 3]>,
    /// `.explicitcluster`: a launch has to name a cluster's size.
    pub explicit_cluster: bool,
    /// `.blocksareclusters`: a launch's grid is counted in clusters.
    pub blocks_are_clusters: bool,
    /// `.maxclusterrank`.
    pub max_cluster_rank: Option<u32>,
    /// `.noreturn`.
    pub no_return: bool,
    /// The statements; `None` for a declaration.
    pub body: Option<Vec<Statement<'a>>>,
    /// Where it is declared.
    pub position: Position,
}

/// A statement of a function's body.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement<'a> {
    /// A declaration of registers or of a variable.
    Variable(Variable<'a>),
    /// `name:`.
    Label(&'a str, Position),
    /// An instruction.
    Instruction(Instruction<'a>),
    /// `{ ... }`: a scope of its own for names.
    Block(Vec<Statement<'a>>),
    /// `.loc`: the source line of what follows.
    Location(Location<'a>),
    /// `.pragma "..."`.
    Pragma(&'a str),
    /// `name: .branchtargets a, b, c;`
    BranchTargets(&'a str, Vec<&'a str>, Position),
    /// `name: .calltargets f, g;`
    CallTargets(&'a str, Vec<&'a str>, Position),
    /// `name: .callprototype (...) _ (...);`
    CallPrototype {
        /// The label.
        name: &'a str,
        /// Return parameters.
        returns: Vec<Variable<'a>>,
        /// Parameters.
        params: Vec<Variable<'a>>,
        /// Where it stands.
        position: Position,
    },
}

/// A `.loc` directive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    /// The index of a `.file`.
    pub file: u32,
    /// The line there.
    pub line: u32,
    /// The column there.
    pub column: u32,
    /// `function_name LABEL {+ offset}, inlined_at file line column`.
    pub inlined: Option<Inlined<'a>>,
}

/// Where a `.loc`'s code was inlined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inlined<'a> {
    /// The label of the inlined function's name in the debug strings.
    pub function: &'a str,
    /// Bytes from that label to the name.
    pub offset: u64,
    /// The index of a `.file`.
    pub file: u32,
    /// The line there.
    pub line: u32,
    /// The column there.
    pub column: u32,
}

/// An instruction.
#[derive(Clone, Debug, PartialEq)]
pub struct Instruction<'a> {
    /// `@p` or `@!p`.
    pub guard: Option<Guard<'a>>,
    /// The opcode up to the first dot: `ld` of `ld.global.v4.f32`.
    pub opcode: &'a str,
    /// The rest, without dots: `global`, `v4`, `f32`. A `::` stays inside its modifier: `shared::cta`.
    pub modifiers: Vec<&'a str>,
    /// The operands, in order.
    pub operands: Vec<Operand<'a>>,
    /// Where it stands, guard included.
    pub position: Position,
    /// Its text, guard and semicolon included.
    pub text: &'a str,
}

/// A guard predicate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard<'a> {
    /// `@!p`.
    pub negated: bool,
    /// The predicate register.
    pub register: &'a str,
}

/// An operand.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand<'a> {
    /// A register, special register, variable, label or function by name. A special register's component is part of
    /// the name: `%tid.x`.
    Name(&'a str),
    /// `name+4` outside brackets (the address of a variable plus an offset).
    NameOffset(&'a str, i64),
    /// A number, or a constant expression's value. A minus sign is folded in.
    Immediate(Immediate),
    /// `!p`, or `-r` where an instruction allows it.
    Negated(&'a str),
    /// `[base+offset]`; `base` is a name, or empty for `[immediate]` with the address in `offset`.
    Address {
        /// A register or variable.
        base: &'a str,
        /// Bytes added.
        offset: i64,
    },
    /// `[base, {x, y}]` and the like: an address with further operands inside its brackets (tensor maps, textures).
    AddressList(Vec<Operand<'a>>),
    /// `{a, b, c, d}`.
    Vector(Vec<Operand<'a>>),
    /// `p|q`: two destinations; either may be `_`.
    Pair(&'a str, &'a str),
    /// `(a, b)`: arguments or results of a call.
    List(Vec<Operand<'a>>),
    /// `_`: a result not wanted.
    Sink,
}
