//! Accesses that are remembered, and what a new one means to them.

use super::order::{Order, View};
use crate::lanes::{LANES, Mask, lanes};

/// Bytes in a line, the unit that accesses are remembered by.
pub(super) const LINE: u64 = 128;

/// Kinds of access, as far as races are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Read,
    Write,
    StrongRead,
    /// A strong store or an atomic update.
    StrongWrite,
}

impl Class {
    pub fn is_strong(self) -> bool {
        matches!(self, Self::StrongRead | Self::StrongWrite)
    }

    pub fn writes(self) -> bool {
        matches!(self, Self::Write | Self::StrongWrite)
    }
}

/// To whom a strong write also releases what was fenced before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Releases {
    Nothing,
    ToBlock,
    ToDevice,
}

/// Which lanes access which bytes of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lanes {
    /// All of these access every byte, where `shift` is `TOGETHER`; otherwise of no meaning.
    pub mask: Mask,
    /// Added to a byte, it gives the byte's lane, shifted by `shift`.
    anchor: i16,
    shift: u8,
}

const TOGETHER: u8 = u8::MAX;

impl Lanes {
    /// Every byte by all of these lanes. None: by one of the warp, it is not known which.
    pub fn together(mask: Mask) -> Self {
        Self { mask, anchor: 0, shift: TOGETHER }
    }

    /// Lanes side by side, `1 << shift` bytes each: the byte at `byte` belongs to `lane`, and begins its part.
    pub fn each(byte: i64, lane: u32, shift: u8) -> Self {
        Self { mask: 0, anchor: ((i64::from(lane) << shift) - byte) as i16, shift }
    }

    /// The lanes of a byte.
    #[inline]
    pub fn at(&self, byte: u8) -> Mask {
        if self.shift == TOGETHER { self.mask } else { 1 << self.lane(byte) }
    }

    fn lane(&self, byte: u8) -> u32 {
        ((i16::from(byte) + self.anchor) >> self.shift) as u32 & 31
    }

    /// Where the lanes change after a byte.
    pub fn next(&self, byte: u8) -> u8 {
        if self.shift == TOGETHER {
            return u8::MAX;
        }
        (((((i16::from(byte) + self.anchor) >> self.shift) + 1) << self.shift) - self.anchor).min(255) as u8
    }

    /// Whether every byte has one lane, and the same in both.
    fn is_same_lane(&self, other: &Self) -> bool {
        self == other && (self.shift != TOGETHER || self.mask.count_ones() == 1)
    }

    /// The place of a byte in the row of its lanes, which begins at lane 0.
    pub fn place(&self, byte: u8) -> i16 {
        i16::from(byte) + self.anchor
    }

    /// All lanes, where each accesses every byte.
    pub fn all(&self) -> Option<Mask> {
        (self.shift == TOGETHER).then_some(self.mask)
    }

    /// Bytes a lane, as a power of two, where lanes are side by side.
    pub fn shift(&self) -> Option<u8> {
        (self.shift != TOGETHER).then_some(self.shift)
    }
}

/// An access to a range of bytes of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub block: u32,
    pub clock: u32,
    pub pc: u32,
    pub lanes: Lanes,
    /// Bytes of the line: the first, and the one past the last.
    pub start: u8,
    pub end: u8,
    pub warp: u8,
    pub kind: Kind,
}

/// What kind of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub class: Class,
    /// A strong access that only threads of its own block see as such.
    pub narrow: bool,
    /// A strong access that reads.
    pub acquires: bool,
    pub releases: Releases,
    /// What it released was acquired by an access that is no longer remembered.
    pub acquired: bool,
}

impl Kind {
    pub fn weak(class: Class) -> Self {
        Self { class, narrow: false, acquires: false, releases: Releases::Nothing, acquired: false }
    }

    /// Whether whatever races with an `old` access that is ordered before one of this kind races with the latter too,
    /// so that the old one can be forgotten.
    pub fn supersedes(self, old: Self) -> bool {
        match self.class {
            Class::Write => true,
            Class::Read => !old.class.writes(),
            Class::StrongWrite => old.class.is_strong() && self.is_as_narrow(old),
            Class::StrongRead => old.class == Class::StrongRead && self.is_as_narrow(old),
        }
    }

    /// Whether this does not see strong accesses that `old` does not see.
    pub fn is_as_narrow(self, old: Self) -> bool {
        self.narrow || !old.narrow
    }
}

/// A place where two accesses meet without order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clash {
    pub byte: u8,
    pub old_lane: u32,
    pub new_lane: u32,
}

impl Record {
    pub fn overlap(&self, other: &Self) -> Option<(u8, u8)> {
        let (from, to) = (self.start.max(other.start), self.end.min(other.end));
        (from < to).then_some((from, to))
    }

    pub fn conflicts(&self, new: &Self) -> bool {
        let (old, new_class) = (self.kind.class, new.kind.class);
        if !old.writes() && !new_class.writes() {
            return false;
        }
        !(old.is_strong() && new_class.is_strong()) || self.block != new.block && (self.kind.narrow || new.kind.narrow)
    }

    /// Whether `new`, a strong access that reads, sees what this strong write released.
    pub fn is_acquired_by(&self, new: &Self) -> bool {
        let reached = if self.block == new.block { Releases::ToBlock } else { Releases::ToDevice };
        new.kind.acquires && self.kind.releases >= reached
    }

    /// Where two lanes of the accesses, both in `from..to`, have no order.
    pub fn clash(&self, new: &Self, order: &Order, from: u8, to: u8) -> Option<Clash> {
        let view = order.view(u32::from(new.warp), self.block, u32::from(self.warp));
        if self.clock <= view.known.all || view.same && self.lanes.is_same_lane(&new.lanes) {
            return None;
        }
        if self.lanes == Lanes::together(0) {
            return self.clash_of_unknown(new, &view, from);
        }
        let mut byte = from;
        while byte < to {
            let (old, now) = (self.lanes.at(byte), new.lanes.at(byte));
            let observers = if view.is_uniform() { now & now.wrapping_neg() } else { now };
            for lane in lanes(observers) {
                let unknown = old & !view.lanes_at(self.clock, lane);
                if unknown != 0 {
                    return Some(Clash { byte, old_lane: unknown.trailing_zeros(), new_lane: lane as u32 });
                }
            }
            byte = self.lanes.next(byte).min(new.lanes.next(byte));
        }
        None
    }

    /// The same where this was one of its warp's lanes, it is not known which.
    fn clash_of_unknown(&self, new: &Self, view: &View<'_>, byte: u8) -> Option<Clash> {
        let now = new.lanes.at(byte);
        let new_lane = now.trailing_zeros().min(LANES as u32 - 1);
        let unknown = !view.same && view.lanes_at(self.clock, new_lane as usize) == 0;
        unknown.then_some(Clash { byte, old_lane: 0, new_lane })
    }

    pub fn is_one_moment(&self, new: &Self) -> bool {
        self.block == new.block && self.warp == new.warp && self.clock == new.clock && self.kind == new.kind
    }
}
