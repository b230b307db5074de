//! Ranges of addresses, and what backs them.

use super::{
    request::{Request, Space},
    span::Span,
};

/// What an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The map's allocation of that index.
    Global(u32),
    Shared,
    Local,
    Param,
}

/// A range of addresses that one piece of memory backs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Region {
    pub(super) span: Span,
    pub(super) writable: bool,
    pub(super) target: Target,
}

impl Region {
    /// No addresses.
    pub(super) const NONE: Self = Self {
        span: Span { base: 0, bytes: 0, pointer: std::ptr::null_mut() },
        writable: false,
        target: Target::Param,
    };

    /// Whether a request's operation may be done on it.
    #[inline(always)]
    pub(super) fn allows(&self, request: &Request<'_>) -> bool {
        !request.op.writes() || self.writable && request.space != Space::Const
    }

    /// The same at other addresses.
    pub(super) fn at(self, base: u64) -> Self {
        Self { span: Span { base, ..self.span }, ..self }
    }
}
