//! The operands and results of an attention, each for itself, as tests and bounds look at them.

use super::{Attention, Mask};

/// Operands of one call, each for itself: q, d_o (B*T, C); k, v (B*S, C).
#[derive(Debug)]
pub struct Operands<F> {
    pub q: Vec<F>,
    pub k: Vec<F>,
    pub v: Vec<F>,
    pub d_o: Vec<F>,
}

/// What forward and backward give.
pub struct Results<F> {
    pub o: Vec<F>,
    pub lse: Vec<F>,
    pub weights: Vec<F>,
    pub dq: Vec<F>,
    pub dk: Vec<F>,
    pub dv: Vec<F>,
}

/// Whether query i of sentence b sees key j.
pub fn visible(attention: &Attention<'_>, b: usize, i: usize, j: usize) -> bool {
    j < attention.key_lengths[b] as usize
        && attention.query_lengths.is_none_or(|lengths| i < lengths[b] as usize)
        && (attention.mask == Mask::None || j <= i)
}
