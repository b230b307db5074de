//! The comparisons of `setp` and `set` on floats. An f16 or bf16 is compared as the f32 it is.

/// A comparison operator of floating-point operands. Without `u` it is false where an operand is a NaN, with `u` true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `.eq`
    Eq,
    /// `.ne`: different, and neither is a NaN.
    Ne,
    /// `.lt`
    Lt,
    /// `.le`
    Le,
    /// `.gt`
    Gt,
    /// `.ge`
    Ge,
    /// `.equ`
    Equ,
    /// `.neu`
    Neu,
    /// `.ltu`
    Ltu,
    /// `.leu`
    Leu,
    /// `.gtu`
    Gtu,
    /// `.geu`
    Geu,
    /// `.num`: neither is a NaN.
    Num,
    /// `.nan`: one is a NaN.
    Nan,
}

/// `a op b` for two f32 or two f64.
#[inline(always)]
pub fn compare<T: PartialOrd>(a: T, b: T, op: Comparison) -> bool {
    let (less, equal, greater) = (a < b, a == b, a > b);
    let number = less | equal | greater;
    match op {
        Comparison::Eq => equal,
        Comparison::Ne => less | greater,
        Comparison::Lt => less,
        Comparison::Le => less | equal,
        Comparison::Gt => greater,
        Comparison::Ge => greater | equal,
        Comparison::Equ => equal | !number,
        Comparison::Neu => !equal,
        Comparison::Ltu => less | !number,
        Comparison::Leu => !greater,
        Comparison::Gtu => greater | !number,
        Comparison::Geu => !less,
        Comparison::Num => number,
        Comparison::Nan => !number,
    }
}
