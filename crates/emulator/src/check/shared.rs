//! What is remembered of accesses to a block's shared memory.
//!
//! Between two moments at which all threads of the block meet, either nobody meets anybody but the lanes of his own
//! warp: then [`Cells`] say all there is to say. Or some threads meet without the others, or accesses are strong, or
//! smaller than a word: then lines have lists of records, as global memory has.

use super::{
    Access,
    cells::{Cells, LAST_STEP, Moment, Readers, Stamp, WORDS, Who, end_of, lane, stamp, step, warp},
    findings::Side,
    list::{Detail, Keep},
    order::Order,
    pieces::Piece,
    record::{Class, Kind, LINE, Lanes, Record},
};
use crate::lanes::{LANES, Mask, lanes};

/// A warp's access in time.
#[derive(Clone, Copy, Debug)]
struct Step {
    pc: u32,
    clock: u32,
}

/// The accesses since all threads met: what the stamps of cells mean.
#[derive(Debug)]
struct Steps {
    /// The number of the first that is kept.
    first: u32,
    kept: Vec<Step>,
    /// The last one before all threads met.
    met: u32,
    /// The same for the lanes of each warp.
    warp_met: [u32; LANES],
}

impl Steps {
    fn now(&self) -> u32 {
        self.first + self.kept.len() as u32
    }

    fn meet(&mut self) {
        self.first = self.now();
        self.kept.clear();
        self.met = self.first - 1;
        self.warp_met = [self.met; LANES];
    }

    fn get(&self, stamp: Stamp) -> Option<&Step> {
        self.kept.get(step(stamp).wrapping_sub(self.first) as usize)
    }
}

/// The shared memory of a block, and of those after it.
#[derive(Debug)]
pub(super) struct Shared {
    cells: Vec<Cells>,
    lists: Vec<Option<Box<Detail>>>,
    steps: Steps,
}

impl Default for Shared {
    fn default() -> Self {
        let steps = Steps { first: 1, kept: Vec::new(), met: 0, warp_met: [0; LANES] };
        Self { cells: Vec::new(), lists: Vec::new(), steps }
    }
}

/// An access as it is added.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    moment: Moment,
    record: Record,
}

impl Shared {
    /// Begins a block with `bytes` of shared memory; copies of the one before it may be pending.
    pub fn begin(&mut self, bytes: u32, pending: bool) {
        let lines = u64::from(bytes).div_ceil(LINE) as usize;
        if self.cells.len() < lines {
            self.cells.resize_with(lines, Cells::default);
            self.lists.resize_with(lines, || None);
        }
        if pending {
            self.cells.iter_mut().for_each(|cells| cells.pending = 0);
        }
        self.meet();
    }

    /// All threads met.
    pub fn meet(&mut self) {
        self.steps.meet();
        if self.steps.now() > LAST_STEP / 2 {
            // Nothing is lost now.
            self.forget();
        }
    }

    /// The lanes of a warp met.
    pub fn meet_in_warp(&mut self, warp: u32) {
        self.steps.warp_met[warp as usize] = self.steps.now() - 1;
    }

    /// A warp's next access. Places and lanes follow with each of its pieces.
    #[inline(always)]
    pub fn enter(&mut self, order: &mut Order, warp: u32, pc: u32, kind: Kind) -> Entry {
        if self.steps.now() >= LAST_STEP {
            self.forget();
        }
        let clock = order.stamp(warp);
        let now = self.steps.now();
        self.steps.kept.push(Step { pc, clock });
        let warp_met = end_of(self.steps.warp_met[warp as usize]);
        let moment = Moment { now: stamp(now, warp), met: end_of(self.steps.met), warp_met };
        let lanes = Lanes::together(0);
        let record = Record { block: order.block, clock, pc, lanes, start: 0, end: 0, warp: warp as u8, kind };
        Entry { moment, record }
    }

    /// Begins to count anew. A block whose threads have not met for a million accesses is forgiven what it did before.
    #[cold]
    fn forget(&mut self) {
        self.cells.iter_mut().for_each(Cells::forget);
        self.steps = Steps { first: 1, met: 0, warp_met: [0; LANES], kept: std::mem::take(&mut self.steps.kept) };
        self.steps.kept.clear();
    }

    /// The words of a piece that an asynchronous copy is about to write.
    #[inline]
    pub fn pending(&self, piece: &Piece) -> u32 {
        match self.cells.get(piece.line as usize) {
            Some(cells) if cells.pending != 0 => cells.pending & piece.words(),
            _ => 0,
        }
    }

    /// Sets or clears that.
    pub fn set_pending(&mut self, piece: &Piece, pending: bool) {
        if let Some(cells) = self.cells.get_mut(piece.line as usize) {
            if pending {
                cells.pending |= piece.words();
            } else {
                cells.pending &= !piece.words();
            }
        }
    }

    /// Adds a piece of an access, and tells of each race: the other side, the lane of this one, and the byte.
    #[inline(always)]
    pub fn add(&mut self, order: &Order, entry: &Entry, piece: &Piece, mut race: impl FnMut(Side, u32, u8)) {
        let Entry { moment, record } = entry;
        let Some(cells) = self.cells.get_mut(piece.line as usize) else { return };
        let writes = record.kind.class == Class::Write;
        if (writes || record.kind.class == Class::Read)
            && !order.partial
            && cells.listed <= moment.met
            && let Some((who, first, count)) = words(piece, writes)
        {
            // A length that the compiler knows is worth a branch: vectors of four are the rows of matrix loads.
            let (first, count) = match count {
                WORDS => (0, WORDS),
                4 => (first.min(WORDS - 4), 4),
                _ => (first, count),
            };
            let racing = match count {
                WORDS => cells.may_race(0, WORDS, who, moment, writes),
                4 => cells.may_race(first, 4, who, moment, writes),
                _ => cells.may_race(first, count, who, moment, writes),
            };
            if racing {
                tell(cells, &self.steps, record.block, moment, who, first..first + count, writes, &mut race);
            }
            match count {
                WORDS => cells.put(0, WORDS, who, moment, writes),
                4 => cells.put(first, 4, who, moment, writes),
                _ => cells.put(first, count, who, moment, writes),
            }
            return;
        }
        self.add_to_list(order, entry, piece, &mut race);
    }

    /// Adds what lanes do at places of their own, where it is a matter of cells and no race; the lanes that are left
    /// have to be added otherwise.
    #[inline(always)]
    pub fn add_scattered(&mut self, order: &Order, entry: &Entry, access: &Access<'_>) -> Mask {
        let class = entry.record.kind.class;
        if order.partial
            || !matches!(class, Class::Read | Class::Write)
            || access.run.is_some()
            || !is_scattered(access)
        {
            return access.mask;
        }
        let writes = class == Class::Write;
        match access.bytes {
            4 => self.scatter::<1>(entry, access, writes),
            8 => self.scatter::<2>(entry, access, writes),
            16 => self.scatter::<4>(entry, access, writes),
            _ => access.mask,
        }
    }

    #[inline(always)]
    fn scatter<const N: usize>(&mut self, entry: &Entry, access: &Access<'_>, writes: bool) -> Mask {
        let moment = &entry.moment;
        let mut left = 0;
        for lane in lanes(access.mask) {
            let offset = access.addresses.0[lane].wrapping_sub(access.base);
            let first = (offset % LINE / 4) as usize;
            let who = Who::Together(1 << lane);
            match self.cells.get_mut((offset / LINE) as usize) {
                Some(cells)
                    if cells.listed <= moment.met
                        && cells.pending == 0
                        && first + N <= WORDS
                        && !cells.may_race(first, N, who, moment, writes) =>
                {
                    cells.put(first, N, who, moment, writes);
                }
                _ => left |= 1 << lane,
            }
        }
        left
    }

    #[inline(never)]
    fn add_to_list(&mut self, order: &Order, entry: &Entry, piece: &Piece, race: &mut dyn FnMut(Side, u32, u8)) {
        let Entry { moment, record } = entry;
        let index = piece.line as usize;
        let cells = &mut self.cells[index];
        let list = self.lists[index].get_or_insert_default();
        if cells.listed <= moment.met {
            list.clear();
            to_list(cells, &self.steps, order, moment, list);
            cells.listed = moment.now;
        }
        // While all meet at once whoever races with one of many races with one of a few.
        let keep = if order.partial { Keep(64) } else { Keep(2) };
        let new = Record { start: piece.start, end: piece.end, lanes: piece.lanes, ..*record };
        list.add(new, order, keep, &mut |old, _, clash| {
            let side = Side { block: old.block, pc: old.pc, warp: u32::from(old.warp), lane: clash.old_lane };
            race(side, clash.new_lane, clash.byte);
        });
    }
}

/// Tells of the races of an access with the words of a line.
#[inline(never)]
#[allow(clippy::too_many_arguments)] // Part of `Shared::add`, kept out of its way.
fn tell(
    cells: &Cells,
    steps: &Steps,
    block: u32,
    moment: &Moment,
    who: Who,
    words: std::ops::Range<usize>,
    writes: bool,
    race: &mut dyn FnMut(Side, u32, u8),
) {
    for (index, word) in words.enumerate() {
        let lanes = who.lanes(index);
        let by = lanes.trailing_zeros();
        let write = cells.racing_write(word, lanes, moment).map(|(stamp, new)| (stamp, lane(stamp), new));
        let read = cells.racing_read(word, by, moment).filter(|_| writes).map(|(stamp, old)| (stamp, old, by));
        for (stamp, old, new) in [write, read].into_iter().flatten() {
            if let Some(step) = steps.get(stamp) {
                race(Side { block, pc: step.pc, warp: warp(stamp), lane: old }, new, word as u8 * 4);
            }
        }
    }
}

/// Whether lanes access aligned places that are not neighbours of each other, for the most part.
#[inline(always)]
fn is_scattered(access: &Access<'_>) -> bool {
    let bytes = u64::from(access.bytes);
    let (mut low, mut near) = (0, 0);
    for lane in 0..LANES {
        let inside = u64::from(access.mask >> lane & 1).wrapping_neg();
        low |= access.addresses.0[lane].wrapping_sub(access.base) & inside;
        if lane > 0 {
            let step = access.addresses.0[lane].wrapping_sub(access.addresses.0[lane - 1]);
            near += u64::from((step == 0) | (step == bytes)) & inside;
        }
    }
    low & (bytes.wrapping_sub(1)) == 0 && near < u64::from(access.mask.count_ones() / 4 + 1)
}

/// A piece as whole words with their lanes, if it is that.
#[inline(always)]
fn words(piece: &Piece, writes: bool) -> Option<(Who, usize, usize)> {
    if !(piece.start | piece.end).is_multiple_of(4) {
        return None;
    }
    let (first, count) = (usize::from(piece.start / 4), usize::from((piece.end - piece.start) / 4));
    let who = match (piece.lanes.shift(), piece.lanes.all()) {
        (Some(shift @ 2..=5), _) => {
            Who::Row { words_log2: shift - 2, position: u16::try_from(piece.lanes.place(piece.start) / 4).ok()? }
        }
        // A word that several lanes write has no one lane to remember.
        (None, Some(mask)) if mask.is_power_of_two() || !writes && mask != 0 => Who::Together(mask),
        _ => return None,
    };
    Some((who, first, count))
}

/// Tells a list what the cells know.
fn to_list(cells: &Cells, steps: &Steps, order: &Order, moment: &Moment, list: &mut Detail) {
    // Neighbours are told as one where they were one access by one lane each, on end, or by one lane.
    let mut open: Option<Record> = None;
    let mut put = |new: Record| {
        if let Some(record) = &mut open {
            if record.end == new.start
                && (record.pc, record.clock, record.warp, record.kind) == (new.pc, new.clock, new.warp, new.kind)
                && (record.block, record.lanes) == (new.block, new.lanes)
            {
                record.end = new.end;
                return;
            }
            list.put(*record);
        }
        open = Some(new);
    };
    let row = |lane: u32, word: usize| Lanes::each(word as i64 * 4, lane, 2);
    let word_of = |stamp: Stamp, word: usize, class| {
        let step = steps.get(stamp)?;
        let (start, end) = (word as u8 * 4, word as u8 * 4 + 4);
        let (lanes, kind) = (row(lane(stamp), word), Kind::weak(class));
        let warp = warp(stamp) as u8;
        Some(Record { block: order.block, clock: step.clock, pc: step.pc, lanes, start, end, warp, kind })
    };
    for word in 0..WORDS {
        if let Some(write) = cells.writer(word, moment.met).and_then(|stamp| word_of(stamp, word, Class::Write)) {
            put(write);
        }
    }
    for word in 0..WORDS {
        match cells.readers(word, moment.met) {
            Some(Readers::Lanes(stamp, mask)) => {
                if let Some(read) = word_of(stamp, word, Class::Read) {
                    let lanes = if mask.is_power_of_two() { read.lanes } else { Lanes::together(mask) };
                    put(Record { lanes, ..read });
                }
            }
            Some(Readers::Warps(stamps, warps)) => {
                for reader in lanes(warps) {
                    let own = stamps.into_iter().find(|&stamp| warp(stamp) as usize == reader);
                    if let Some(read) = word_of(own.unwrap_or(stamps[0]), word, Class::Read) {
                        let clock = order.since[reader];
                        put(Record { clock, lanes: Lanes::together(0), warp: reader as u8, ..read });
                    }
                }
            }
            None => {}
        }
    }
    if let Some(record) = open {
        list.put(record);
    }
}
