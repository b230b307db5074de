//! Asynchronous copies into shared memory that were not waited for yet.

use super::{Access, Op, findings::Side, pieces::Piece, record::LINE};
use crate::lanes::{LANES, Mask, Row, lanes};

/// A copy by some lanes of a warp.
#[derive(Clone, Debug)]
struct Copy {
    pc: u32,
    bytes: u32,
    base: u64,
    addresses: Row<u64>,
    /// The lines from the first to the last that it may touch.
    lines: (u64, u64),
    /// Where those of all lanes are on end.
    run: Option<(u64, u64)>,
    /// Those that have not waited for it.
    lanes: Mask,
    /// The number of the group that it will be committed with; [`NO_GROUP`] of a copy that no thread waits for.
    group: u32,
    /// Phases of barriers in memory with which it is done too.
    phases: Vec<u64>,
}

/// The number of no group: counting them stops here.
const NO_GROUP: u32 = u32::MAX;

/// Copies of a warp that are remembered. A loop that never waits begins ever more; the older half is forgotten then.
const MOST: usize = 1024;

impl Copy {
    /// What some lanes of an access begin.
    fn of(access: &Access<'_>, mask: Mask, group: u32, phases: Vec<u64>) -> Self {
        let &Access { pc, bytes, base, .. } = access;
        let starts = || lanes(mask).map(|lane| access.addresses.0[lane].wrapping_sub(base));
        let (first, last) = (starts().min().unwrap_or(0), starts().max().unwrap_or(0));
        let lines = (first / LINE, last.saturating_add(bytes.into()) / LINE);
        let run = access.run.filter(|_| mask == access.mask);
        Self { pc, bytes, base, addresses: *access.addresses, lines, run, lanes: mask, group, phases }
    }

    /// The writes that it is for lanes that have waited for it.
    fn access(&self, warp: u32, mask: Mask) -> Access<'_> {
        let &Self { pc, bytes, base, ref addresses, .. } = self;
        let run = self.run.filter(|_| mask == self.lanes);
        Access { mask, bytes, base, run, ..Access::weak(Op::Write, pc, warp, addresses) }
    }

    /// Whether another is the same but for when it began, so that one of them says all.
    fn repeats(&self, other: &Self) -> bool {
        (self.pc, self.lanes, self.group, self.bytes, self.base)
            == (other.pc, other.lanes, other.group, other.bytes, other.base)
            && self.phases == other.phases
            && lanes(self.lanes).all(|lane| self.addresses.0[lane] == other.addresses.0[lane])
    }

    /// The words of a line that a lane's bytes touch.
    fn words(&self, lane: usize, line: u64) -> u32 {
        let start = self.addresses.0[lane].wrapping_sub(self.base);
        let end = start.saturating_add(self.bytes.into()).div_ceil(4);
        let in_line = |word: u64| word.saturating_sub(line * (LINE / 4)).min(LINE / 4);
        // Ones from the first word up, less those from the end up.
        (((1u64 << in_line(end)) - 1) & !((1u64 << in_line(start / 4)) - 1)) as u32
    }
}

/// Groups that lanes have committed.
#[derive(Clone, Debug)]
enum Committed {
    /// As many by each.
    Even(u32),
    ByLane([u32; LANES]),
}

#[derive(Clone, Debug)]
struct Warp {
    copies: Vec<Copy>,
    committed: Committed,
}

impl Warp {
    /// Remembers a copy. Gives by how many they are more, or fewer.
    fn add(&mut self, copy: Copy) -> isize {
        let before = self.copies.len() as isize;
        if !self.copies.iter().any(|known| known.repeats(&copy)) {
            if before as usize == MOST {
                self.copies.drain(..MOST / 2);
            }
            self.copies.push(copy);
        }
        self.copies.len() as isize - before
    }
}

impl Committed {
    fn by(&self, lane: usize) -> u32 {
        match self {
            Self::Even(groups) => *groups,
            Self::ByLane(groups) => groups[lane],
        }
    }

    /// The lanes of `mask` whose count passes a test.
    fn lanes(&self, mask: Mask, test: impl Fn(u32) -> bool) -> Mask {
        match self {
            Self::Even(groups) => {
                if test(*groups) {
                    mask
                } else {
                    0
                }
            }
            Self::ByLane(groups) => {
                lanes(mask).filter(|&lane| test(groups[lane])).fold(0, |mask, lane| mask | 1 << lane)
            }
        }
    }
}

/// All of a block's.
#[derive(Debug, Default)]
pub(super) struct Copies {
    warps: Vec<Warp>,
    /// How many copies there are.
    pending: usize,
}

impl Copies {
    pub fn begin(&mut self, warps: usize) {
        self.warps.clear();
        self.warps.resize(warps, Warp { copies: Vec::new(), committed: Committed::Even(0) });
        self.pending = 0;
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// A copy begins.
    pub fn issue(&mut self, access: &Access<'_>) {
        let Some(warp) = self.warps.get_mut(access.warp as usize) else { return };
        let mut rest = access.mask;
        while rest != 0 {
            let group = warp.committed.by(rest.trailing_zeros() as usize);
            let together = warp.committed.lanes(rest, |committed| committed == group);
            rest &= !together;
            let copy = Copy::of(access, together, group, Vec::new());
            self.pending = self.pending.saturating_add_signed(warp.add(copy));
        }
    }

    /// A copy begins that is done with a phase of a barrier in memory, and not for anybody's waiting.
    pub fn issue_for_phase(&mut self, access: &Access<'_>, phase: u64) {
        let Some(warp) = self.warps.get_mut(access.warp as usize) else { return };
        let copy = Copy::of(access, access.mask, NO_GROUP, vec![phase]);
        self.pending = self.pending.saturating_add_signed(warp.add(copy));
    }

    /// What lanes have begun to copy is done with a phase of a barrier in memory too.
    pub fn join_phase(&mut self, warp: u32, mask: Mask, phase: u64) {
        let Some(warp) = self.warps.get_mut(warp as usize) else { return };
        let joins = |copy: &mut Copy| copy.group != NO_GROUP && copy.lanes & mask != 0 && !copy.phases.contains(&phase);
        let joining: Vec<_> = warp.copies.extract_if(.., joins).collect();
        let before = warp.copies.len() + joining.len();
        for mut copy in joining {
            if copy.lanes & !mask != 0 {
                copy.run = None;
                warp.add(Copy { lanes: copy.lanes & !mask, ..copy.clone() });
                copy.lanes &= mask;
            }
            copy.phases.push(phase);
            warp.add(copy);
        }
        self.pending = self.pending + warp.copies.len() - before;
    }

    /// A phase of a barrier in memory is over. What is finished by that is told.
    pub fn finish_phase(&mut self, phase: u64, mut finished: impl FnMut(&Access<'_>)) {
        for (index, warp) in (0..).zip(&mut self.warps) {
            let before = warp.copies.len();
            warp.copies.retain(|copy| {
                let over = copy.phases.contains(&phase);
                if over {
                    finished(&copy.access(index, copy.lanes));
                }
                !over
            });
            self.pending -= before - warp.copies.len();
        }
    }

    /// Lanes commit their copies as a group. `live` are those of the warp that have not ended.
    pub fn commit(&mut self, warp: u32, mask: Mask, live: Mask) {
        let Some(warp) = self.warps.get_mut(warp as usize) else { return };
        match &mut warp.committed {
            // Those that ended will not ask.
            Committed::Even(groups) if mask & live == live => *groups = groups.saturating_add(1),
            committed => {
                let mut groups: [u32; LANES] = std::array::from_fn(|lane| committed.by(lane));
                lanes(mask).for_each(|lane| groups[lane] = groups[lane].saturating_add(1));
                let mut live = lanes(live).map(|lane| groups[lane]);
                let first = live.next().unwrap_or(0);
                *committed =
                    if live.all(|other| other == first) { Committed::Even(first) } else { Committed::ByLane(groups) };
            }
        }
    }

    /// Lanes wait for all but their `newest` groups, or `None`: for all copies, committed or not. What is finished by
    /// that is told in the order it began.
    pub fn wait(&mut self, index: u32, mask: Mask, newest: Option<u32>, mut finished: impl FnMut(&Access<'_>)) {
        let Some(warp) = self.warps.get_mut(index as usize) else { return };
        for copy in &mut warp.copies {
            let over = match newest {
                Some(newest) => {
                    let older = u64::from(copy.group) + u64::from(newest);
                    warp.committed.lanes(copy.lanes & mask, |committed| older < u64::from(committed))
                }
                None if copy.group == NO_GROUP => 0,
                None => copy.lanes & mask,
            };
            if over != 0 {
                finished(&copy.access(index, over));
                copy.lanes &= !over;
                copy.run = None;
            }
        }
        let before = warp.copies.len();
        warp.copies.retain(|copy| copy.lanes != 0);
        self.pending -= before - warp.copies.len();
    }

    /// Who copies to one of `words` of a piece's line.
    #[cold]
    pub fn find(&self, block: u32, line: u64, words: u32) -> Option<(Side, u8)> {
        for (warp, copies) in self.warps.iter().enumerate() {
            for copy in copies.copies.iter().filter(|copy| (copy.lines.0..=copy.lines.1).contains(&line)) {
                for lane in lanes(copy.lanes) {
                    let hit = copy.words(lane, line) & words;
                    if hit != 0 {
                        let side = Side { block, pc: copy.pc, warp: warp as u32, lane: lane as u32 };
                        return Some((side, hit.trailing_zeros() as u8 * 4));
                    }
                }
            }
        }
        None
    }
}

/// The lane of a piece that touches a word.
pub(super) fn lane_of(piece: &Piece, byte: u8) -> u32 {
    let byte = byte.clamp(piece.start, piece.end - 1);
    piece.lanes.at(byte).trailing_zeros() % LANES as u32
}
