//! What is remembered of a line of shared memory, word by word, while all threads of a block meet at once or not at
//! all: then the order of two accesses follows from when they happened.
//!
//! A stamp says it all where a word was accessed by one thread. The rows are kept apart so that a warp's access to a
//! run of words is a few vector operations without branches.
#![allow(
    clippy::needless_range_loop,
    reason = "closures given to iterators are compiled without the vectors of their caller"
)]

/// Words of a line.
pub(super) const WORDS: usize = 32;

/// When a word was accessed, and by whom: the step (the number of the access among the block's), whether it was read by
/// others too, the warp, and the lane. Later stamps are greater.
pub(super) type Stamp = i32;

/// Steps are numbered up to here.
pub(super) const LAST_STEP: u32 = (1 << 20) - 1;
const STEP: u32 = 11;
/// The row's other fields say more: the word has several readers.
const MANY: Stamp = 1 << 10;
const WARP: u32 = 5;
const THREAD: Stamp = 0x3ff;

/// The stamp of a step of a warp, for its lane 0.
pub(super) fn stamp(step: u32, warp: u32) -> Stamp {
    (step << STEP | warp << WARP) as Stamp
}

/// The last stamp of a step.
pub(super) fn end_of(step: u32) -> Stamp {
    (step << STEP) as Stamp | ((1 << STEP) - 1)
}

pub(super) fn step(stamp: Stamp) -> u32 {
    stamp as u32 >> STEP
}

pub(super) fn warp(stamp: Stamp) -> u32 {
    stamp as u32 >> WARP & 31
}

pub(super) fn lane(stamp: Stamp) -> u32 {
    stamp as u32 & 31
}

/// A line.
#[derive(Debug, Default)]
pub(super) struct Cells {
    /// The last write.
    write: [Stamp; WORDS],
    /// The last read by a warp that had not read the word since all threads met.
    read: [Stamp; WORDS],
    /// With several readers: a read before that, by another warp.
    other: [Stamp; WORDS],
    /// With several readers: their warps.
    warps: [u32; WORDS],
    /// With several readers of one warp: its lanes, since these met.
    lanes: [u32; WORDS],
    /// The line's accesses are told to its list instead, if this is of after all threads met.
    pub listed: Stamp,
    /// Words that an asynchronous copy is about to write.
    pub pending: u32,
}

/// A warp's access, as the cells need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Its stamp, for lane 0.
    pub now: Stamp,
    /// The last stamp before all threads met.
    pub met: Stamp,
    /// The last stamp before the warp's lanes met.
    pub warp_met: Stamp,
}

impl Moment {
    #[inline(always)]
    fn warp_bit(&self) -> u32 {
        1 << warp(self.now)
    }
}

/// Words of a row of 32 lanes of 8 words, and a line more, so that any piece of it has a slice.
const TABLE: usize = 32 * 8 + WORDS;

/// The lanes of the words of a row of lanes: numbers and bits.
struct LaneTable {
    number: [Stamp; TABLE],
    bit: [u32; TABLE],
}

const fn table(words_log2: u32) -> LaneTable {
    let mut table = LaneTable { number: [0; TABLE], bit: [0; TABLE] };
    let mut index = 0;
    while index < TABLE {
        let lane = (index as u32 >> words_log2) & 31;
        table.number[index] = lane as Stamp;
        table.bit[index] = 1 << lane;
        index += 1;
    }
    table
}

/// For 1, 2, 4 and 8 words a lane.
static TABLES: [LaneTable; 4] = [table(0), table(1), table(2), table(3)];

/// The lanes of words in a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Who {
    /// Lanes side by side, `1 << words_log2` words each; `position` is that of the first word, from lane 0.
    Row { words_log2: u8, position: u16 },
    /// All of these access every word.
    Together(u32),
}

/// One reader of a word, whatever came before it; for reports and for lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// One warp's lanes, and the last read's stamp.
    Lanes(Stamp, u32),
    /// Warps, and stamps of two of them.
    Warps([Stamp; 2], u32),
}

impl Cells {
    /// Forgets all accesses; what is pending stays so.
    pub fn forget(&mut self) {
        *self = Self { pending: self.pending, ..Self::default() };
    }

    /// An access to `count` words from `first` on. Whether it may race: then [`Cells::racing_write`] and
    /// [`Cells::racing_read`] tell, to be asked before [`Cells::put`].
    #[inline(always)]
    pub fn may_race(&self, first: usize, count: usize, who: Who, moment: &Moment, writes: bool) -> bool {
        match who {
            Who::Row { words_log2, position } => {
                let table = &TABLES[usize::from(words_log2)];
                let at = usize::from(position);
                let (numbers, bits) = (&table.number[at..][..count], &table.bit[at..][..count]);
                self.any_race(first, count, moment, writes, |index| (numbers[index], bits[index]))
            }
            Who::Together(mask) => {
                // Of several lanes none is the one that accessed the word before.
                let number = if mask.is_power_of_two() { mask.trailing_zeros() as Stamp } else { THREAD + 1 };
                self.any_race(first, count, moment, writes, |_| (number, mask))
            }
        }
    }

    #[inline(always)]
    fn any_race(
        &self,
        first: usize,
        count: usize,
        moment: &Moment,
        writes: bool,
        lanes: impl Fn(usize) -> (Stamp, u32),
    ) -> bool {
        let own = moment.now & THREAD;
        let mut racing = 0;
        let of_one = |stamp: Stamp, number: Stamp| {
            let apart = (stamp ^ own) & THREAD;
            mask(apart == number) | mask(apart <= 31) & mask(stamp <= moment.warp_met)
        };
        let late = any_after(&self.write[first..][..count], count, moment.met);
        if late {
            let write = &self.write[first..][..count];
            for index in 0..count {
                let stamp = write[index];
                racing |= mask(stamp > moment.met) & !of_one(stamp, lanes(index).0);
            }
        }
        if writes && any_after(&self.read[first..][..count], count, moment.met) {
            let (read, warps, bits) =
                (&self.read[first..][..count], &self.warps[first..][..count], &self.lanes[first..][..count]);
            for index in 0..count {
                let (stamp, (number, bit)) = (read[index], lanes(index));
                let met = mask(stamp <= moment.warp_met) | mask(bits[index] & !bit == 0);
                let many = mask(warps[index] == moment.warp_bit()) & met;
                let fine = either(mask(stamp & MANY != 0), many, of_one(stamp, number));
                racing |= mask(stamp > moment.met) & !fine;
            }
        }
        racing != 0
    }

    /// The write to a word that an access by one of `lanes` races with, and which of them does.
    pub fn racing_write(&self, word: usize, lanes: u32, moment: &Moment) -> Option<(Stamp, u32)> {
        let stamp = self.write[word];
        let mut racing = lanes;
        if stamp <= moment.met {
            return None;
        }
        if warp(stamp) == warp(moment.now) {
            racing = if stamp <= moment.warp_met { 0 } else { lanes & !(1 << lane(stamp)) };
        }
        (racing != 0).then(|| (stamp, racing.trailing_zeros()))
    }

    /// The read of a word that a write by a lane races with, and its lane.
    pub fn racing_read(&self, word: usize, by: u32, moment: &Moment) -> Option<(Stamp, u32)> {
        match self.readers(word, moment.met)? {
            Readers::Lanes(stamp, lanes) if warp(stamp) == warp(moment.now) => {
                let others = if stamp <= moment.warp_met { 0 } else { lanes & !(1 << by) };
                (others != 0).then(|| (stamp, others.trailing_zeros()))
            }
            Readers::Lanes(stamp, _) => Some((stamp, lane(stamp))),
            Readers::Warps([last, before], _) => {
                let stamp = if warp(last) == warp(moment.now) { before } else { last };
                Some((stamp, lane(stamp)))
            }
        }
    }

    /// The last write to a word, if it is of after `met`.
    pub fn writer(&self, word: usize, met: Stamp) -> Option<Stamp> {
        Some(self.write[word]).filter(|&stamp| stamp > met)
    }

    /// Who read a word after `met`.
    pub fn readers(&self, word: usize, met: Stamp) -> Option<Readers> {
        let stamp = self.read[word];
        if stamp <= met {
            return None;
        }
        Some(if stamp & MANY == 0 {
            Readers::Lanes(stamp, 1 << lane(stamp))
        } else if self.warps[word].is_power_of_two() {
            Readers::Lanes(stamp, self.lanes[word])
        } else {
            Readers::Warps([stamp, self.other[word]], self.warps[word])
        })
    }

    /// Remembers an access.
    #[inline(always)]
    pub fn put(&mut self, first: usize, count: usize, who: Who, moment: &Moment, writes: bool) {
        match who {
            Who::Row { words_log2, position } => {
                let table = &TABLES[usize::from(words_log2)];
                let at = usize::from(position);
                let (numbers, bits) = (&table.number[at..][..count], &table.bit[at..][..count]);
                self.put_each(first, count, moment, writes, |index| (numbers[index], bits[index], 0));
            }
            Who::Together(mask) => {
                let number = (mask.trailing_zeros() & 31) as Stamp;
                let many = if mask.is_power_of_two() { 0 } else { MANY };
                self.put_each(first, count, moment, writes, |_| (number, mask, many));
            }
        }
    }

    #[inline(always)]
    fn put_each(
        &mut self,
        first: usize,
        count: usize,
        moment: &Moment,
        writes: bool,
        lanes: impl Fn(usize) -> (Stamp, u32, Stamp),
    ) {
        if writes {
            let write = &mut self.write[first..][..count];
            for index in 0..count {
                write[index] = moment.now | lanes(index).0;
            }
            return;
        }
        let reads = &mut self.read[first..][..count];
        let together = lanes(0).2 != 0;
        // Read by nobody since all met, or by the same threads.
        let own = moment.now & THREAD;
        let fresh = |stamp: Stamp| mask(stamp <= moment.met);
        let again = |stamp: Stamp, number| mask((stamp & (THREAD | MANY)) ^ own == number);
        let mut simple = -1;
        for index in 0..count {
            simple &= fresh(reads[index]) | again(reads[index], lanes(index).0);
        }
        if simple != 0 && !together {
            for index in 0..count {
                reads[index] = moment.now | lanes(index).0;
            }
            return;
        }
        self.put_reads(first, count, moment, lanes);
    }

    /// Remembers reads of words that others may have read. All choices are by masks, for the compiler to make vectors.
    #[inline(always)]
    fn put_reads(&mut self, first: usize, count: usize, moment: &Moment, lanes: impl Fn(usize) -> (Stamp, u32, Stamp)) {
        let (read, other) = (&mut self.read[first..][..count], &mut self.other[first..][..count]);
        let (warps, bits) = (&mut self.warps[first..][..count], &mut self.lanes[first..][..count]);
        let own = moment.warp_bit() as Stamp;
        for index in 0..count {
            let (stamp, (number, bit, several)) = (read[index], lanes(index));
            let (bit, known_warps, known_lanes) = (bit as Stamp, warps[index] as Stamp, bits[index] as Stamp);
            let many = mask(stamp & MANY != 0);
            let readers = either(many, known_warps, 1 << (stamp >> WARP & 31)) & mask(stamp > moment.met);
            let known_lanes = either(many, known_lanes, 1 << (stamp & 31));
            let kept = known_lanes & mask(stamp > moment.warp_met);
            let alone = mask(readers & !own == 0);
            let newcomer = mask(readers & own == 0);
            let all = either(alone, kept | bit, known_lanes);
            let several = either(alone & mask(all == bit), several, MANY);
            other[index] = either(newcomer & mask(readers != 0), stamp & !MANY, other[index]);
            read[index] = either(alone | newcomer, moment.now | number | several, stamp);
            warps[index] = (readers | own) as u32;
            bits[index] = all as u32;
        }
    }
}

/// All bits set, or none.
#[inline(always)]
fn mask(of: bool) -> Stamp {
    -Stamp::from(of)
}

/// The bits of `one` where `mask` has them, else of `other`.
#[inline(always)]
fn either(mask: Stamp, one: Stamp, other: Stamp) -> Stamp {
    one & mask | other & !mask
}

/// Whether any of `count` stamps is later than `met`.
#[inline(always)]
fn any_after(stamps: &[Stamp], count: usize, met: Stamp) -> bool {
    let mut any = 0;
    for index in 0..count {
        any |= mask(stamps[index] > met);
    }
    any != 0
}

impl Who {
    /// The lanes of a word.
    pub fn lanes(&self, index: usize) -> u32 {
        match *self {
            Self::Row { words_log2, position } => TABLES[usize::from(words_log2)].bit[usize::from(position) + index],
            Self::Together(mask) => mask,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(step: u32, warp: u32, warp_met: u32) -> Moment {
        Moment { now: stamp(step, warp), met: end_of(0), warp_met: end_of(warp_met) }
    }

    #[test]
    fn reads_remember_a_reader_of_another_warp() {
        let mut cells = Cells::default();
        let who = Who::Row { words_log2: 0, position: 0 };
        for (step, warp) in [(1, 4), (2, 7), (3, 4), (4, 4)] {
            cells.put(0, 32, who, &moment(step, warp, 0), false);
        }
        let Some(Readers::Warps([last, before], warps)) = cells.readers(5, end_of(0)) else { panic!("two warps") };
        assert_eq!((step(last), warp(last), lane(last)), (2, 7, 5));
        assert_eq!((step(before), warp(before), lane(before)), (1, 4, 5));
        assert_eq!(warps, 1 << 4 | 1 << 7);
    }

    #[test]
    fn reads_of_one_warp_gather_lanes_until_it_meets() {
        let mut cells = Cells::default();
        cells.put(3, 1, Who::Together(0b10), &moment(1, 0, 0), false);
        cells.put(3, 1, Who::Together(0b1000), &moment(2, 0, 0), false);
        assert_eq!(cells.readers(3, end_of(0)), Some(Readers::Lanes(stamp(2, 0) | MANY | 3, 0b1010)));
        cells.put(3, 1, Who::Row { words_log2: 0, position: 6 }, &moment(4, 0, 3), false);
        assert_eq!(cells.readers(3, end_of(0)), Some(Readers::Lanes(stamp(4, 0) | 6, 1 << 6)));
        assert_eq!(cells.readers(3, end_of(4)), None);
    }

    #[test]
    fn rows_of_wider_lanes() {
        for (words_log2, words) in [(0u8, 1), (1, 2), (2, 4), (3, 8)] {
            let who = Who::Row { words_log2, position: 2 * words as u16 };
            (0..30).for_each(|index| assert_eq!(who.lanes(index), 1 << (2 + index / words)));
        }
    }

    #[test]
    fn the_quick_answer_is_the_one_of_the_words() {
        let mut state = 0x1234_5678_9abc_def1u64;
        let mut below = |limit: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 20) % limit
        };
        for _ in 0..2000 {
            let mut cells = Cells::default();
            let mut warp_met = [0; 3];
            for step in 1..20 {
                let by = below(3) as u32;
                if below(4) == 0 {
                    warp_met[by as usize] = step - 1;
                }
                let moment = moment(step, by, warp_met[by as usize]);
                let (first, count) = (below(4) as usize, 1 + below(4) as usize);
                let writes = below(3) == 0;
                let who = match below(3) {
                    0 if !writes => Who::Together(below(7) as u32 + 1),
                    0 => Who::Together(1 << below(4)),
                    _ => Who::Row { words_log2: below(2) as u8, position: below(5) as u16 },
                };
                let races = (0..count).any(|index| {
                    let lanes = who.lanes(index);
                    cells.racing_write(first + index, lanes, &moment).is_some()
                        || writes && cells.racing_read(first + index, lanes.trailing_zeros(), &moment).is_some()
                });
                assert_eq!(cells.may_race(first, count, who, &moment, writes), races);
                if !races {
                    cells.put(first, count, who, &moment, writes);
                }
            }
        }
    }
}
