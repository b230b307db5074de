//! The accesses to a line that are remembered, and how a new one joins them.

use super::{
    order::Order,
    record::{Clash, Class, Lanes, Record, Releases},
};
use crate::lanes::lanes;

/// How many accesses of a class, without order among them, are kept of one place, if they are of two blocks, or of two
/// warps of the only block.
///
/// Whoever comes next without order races with one of those that are kept then. An access that is forgotten can be
/// missed only by a thread that is ordered after all of these, or is one of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep(pub usize);

/// Accesses of the new one's class that cover it and have no order with it.
#[derive(Default)]
struct Others {
    number: usize,
    first: Option<(u32, u8)>,
    blocks_differ: bool,
    warps_differ: bool,
}

impl Others {
    fn count(&mut self, old: &Record) {
        self.number += 1;
        let (block, warp) = *self.first.get_or_insert((old.block, old.warp));
        self.blocks_differ |= block != old.block;
        self.warps_differ |= warp != old.warp;
    }

    fn are_enough(&self, new: &Record, Keep(keep): Keep) -> bool {
        let Some((block, warp)) = self.first else { return false };
        self.number >= keep && (self.blocks_differ || block == new.block && (self.warps_differ || warp == new.warp))
    }
}

/// Whether it is seen at a glance that a list holds nothing but accesses like the new one, and enough of them.
#[inline]
fn are_plainly_enough(list: &[Record], new: &Record, order: &Order, keep: Keep) -> bool {
    if list.len() < keep.0 {
        return false;
    }
    let mut others = Others::default();
    for old in list {
        if old.kind.class != new.kind.class || old.kind.narrow || new.kind.narrow {
            return false;
        }
        let covers = old.start <= new.start && new.end <= old.end;
        let apart = (old.block, old.warp) != (new.block, new.warp);
        if covers && apart && order.is_plainly_unknown(u32::from(new.warp), old.block, u32::from(old.warp), old.clock) {
            others.count(old);
        }
    }
    others.are_enough(new, keep)
}

/// What was remembered of a new access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    Yes,
    /// Enough like it are known: it is not needed.
    Enough,
}

/// Adds an access to those of a line, in the order they happened, and tells of each old one that it races with.
pub(super) fn add(
    List { records: list, forgot }: &mut List,
    mut new: Record,
    order: &Order,
    keep: Keep,
    race: &mut impl FnMut(&Record, &Record, Clash),
) -> Added {
    if are_plainly_enough(list, &new, order, keep) {
        *forgot |= new.kind.acquires;
        return Added::Enough;
    }
    let mut others = Others::default();
    // Lanes that made the same access before, to be remembered with the new ones.
    let mut companions = 0;
    // Strong reads that give way to the new access, but may have acquired what it is compared with.
    let mut acquirers = Vec::new();
    let mut index = 0;
    while index < list.len() {
        let old = list[index];
        let Some((from, to)) = old.overlap(&new) else {
            index += 1;
            continue;
        };
        let clash = if old.is_acquired_by(&new) { None } else { old.clash(&new, order, from, to) };
        if let Some(clash) = clash
            && old.conflicts(&new)
        {
            if old.kind.releases == Releases::Nothing {
                race(&old, &new, clash);
            } else if !old.kind.acquired
                && !*forgot
                && let Some(clash) = clash_of_release(list, &acquirers, &old, &new, (from, to), order)
            {
                race(&old, &new, clash);
            }
        }
        // An atomic access stands for one whose release it acquires: it was made after it, as it was told after it.
        if new.kind.supersedes(old.kind) && (clash.is_none() || new.kind.class == Class::Write) {
            if old.kind.acquires {
                acquirers.push(old);
            }
            match (old.start < from, to < old.end) {
                (false, false) => {
                    list.swap_remove(index);
                    continue;
                }
                (true, false) => list[index].end = from,
                (false, true) => list[index].start = to,
                (true, true) => {
                    list[index].end = from;
                    list.push(Record { start: to, ..old });
                }
            }
        } else if old.kind.class == new.kind.class
            && old.kind.is_as_narrow(new.kind)
            && (from, to) == (new.start, new.end)
        {
            let together = old.lanes.shift().is_none() && new.lanes.shift().is_none() && old.lanes.mask != 0;
            if together && old.is_one_moment(&new) && (old.start, old.end) == (new.start, new.end) {
                companions |= old.lanes.mask;
                list.swap_remove(index);
                continue;
            }
            if clash.is_some() {
                others.count(&old);
            }
        }
        index += 1;
    }
    if !acquirers.is_empty() {
        // Whoever comes after a strong read may rely on what it acquired; the new access does not stand for that.
        for write in list.iter_mut().filter(|write| write.kind.releases > Releases::Nothing) {
            write.kind.acquired |=
                acquirers.iter().any(|read| write.overlap(read).is_some() && write.is_acquired_by(read));
        }
    }
    if companions == 0 && others.are_enough(&new, keep) {
        *forgot |= new.kind.acquires;
        return Added::Enough;
    }
    new.lanes.mask |= companions;
    list.push(new);
    Added::Yes
}

/// Where an access has no order with `write`, a strong one that released what came before it: neither by itself nor
/// through a strong access that read what it wrote. Whether that one came later is not asked: blocks run at the same
/// time, and only atomic accesses are told in quite the order in which they happen.
#[cold]
fn clash_of_release(
    list: &[Record],
    gone: &[Record],
    write: &Record,
    new: &Record,
    (from, to): (u8, u8),
    order: &Order,
) -> Option<Clash> {
    let knows = |of: &Record, byte: u8, lane: usize| {
        let view = order.view(u32::from(new.warp), of.block, u32::from(of.warp));
        of.lanes.at(byte) & view.lanes_at(of.clock, lane)
    };
    let acquired = |byte: u8, lane: usize| {
        list.iter().chain(gone).any(|read| {
            (read.start..read.end).contains(&byte) && write.is_acquired_by(read) && knows(read, byte, lane) != 0
        })
    };
    for byte in from..to {
        for new_lane in lanes(new.lanes.at(byte)) {
            let unknown = write.lanes.at(byte) & !knows(write, byte, new_lane);
            if unknown != 0 && !acquired(byte, new_lane) {
                return Some(Clash { byte, old_lane: unknown.trailing_zeros(), new_lane: new_lane as u32 });
            }
        }
    }
    None
}

/// Accesses to some bytes.
#[derive(Debug, Default)]
pub(super) struct List {
    records: Vec<Record>,
    /// Strong reads are missing that may have acquired something.
    forgot: bool,
}

/// The accesses to a line: of ranges, or where these have become many, word by word.
#[derive(Debug)]
pub(super) enum Detail {
    Ranges(List),
    Words(Box<[List; 32]>),
}

/// Ranges kept in one list.
const RANGES: usize = 12;

impl Default for Detail {
    fn default() -> Self {
        Self::Ranges(List::default())
    }
}

impl Detail {
    pub fn clear(&mut self) {
        match self {
            Self::Ranges(list) => {
                list.records.clear();
                list.forgot = false;
            }
            Self::Words(_) => *self = Self::default(),
        }
    }

    /// Whether all that is known of an access's place is accesses like it, of at least two blocks.
    pub fn is_enough(&self, new: &Record) -> bool {
        let of = |list: &List, start: u8, end: u8| {
            let there = list.records.iter().filter(|record| record.start < end && start < record.end);
            let whole = |record: &&Record| record.start <= start && end <= record.end;
            let writes = new.kind.class.writes();
            let mut alike = there.clone().filter(whole).filter(|record| record.kind.class.writes() == writes);
            let first = alike.next().map(|record| record.block);
            alike.any(|record| Some(record.block) != first)
                && there.clone().all(|record| {
                    record.kind.class.is_strong() == new.kind.class.is_strong()
                        && !record.kind.narrow
                        && (record.kind.class != Class::Write)
                })
        };
        match self {
            Self::Ranges(list) => of(list, new.start, new.end),
            Self::Words(words) => {
                let mut all = true;
                in_words(new, |word, part| all &= of(&words[word], part.start, part.end));
                all
            }
        }
    }

    /// Adds an access of which nothing is asked.
    pub fn put(&mut self, record: Record) {
        match self {
            Self::Ranges(list) => {
                list.records.push(record);
                self.split();
            }
            Self::Words(words) => in_words(&record, |word, part| words[word].records.push(part)),
        }
    }

    /// Goes over to words where there are many ranges.
    fn split(&mut self) {
        let Self::Ranges(list) = self else { return };
        if list.records.len() > RANGES {
            let mut words: Box<[List; 32]> = Default::default();
            words.iter_mut().for_each(|word| word.forgot = list.forgot);
            list.records.iter().for_each(|record| in_words(record, |word, part| words[word].records.push(part)));
            *self = Self::Words(words);
        }
    }

    /// Adds an access; see [`add`].
    pub fn add(
        &mut self,
        new: Record,
        order: &Order,
        keep: Keep,
        race: &mut impl FnMut(&Record, &Record, Clash),
    ) -> Added {
        match self {
            Self::Ranges(list) => {
                let added = add(list, new, order, keep, race);
                self.split();
                added
            }
            Self::Words(words) => {
                let mut all = Added::Enough;
                in_words(&new, |word, part| {
                    if add(&mut words[word], part, order, keep, race) == Added::Yes {
                        all = Added::Yes;
                    }
                });
                all
            }
        }
    }
}

/// Cuts an access into one a lane in each word.
fn in_words(record: &Record, mut part: impl FnMut(usize, Record)) {
    let mut start = record.start;
    while start < record.end {
        let end = (start / 4 * 4 + 4).min(record.lanes.next(start)).min(record.end);
        part(usize::from(start / 4), Record { start, end, lanes: Lanes::together(record.lanes.at(start)), ..*record });
        start = end;
    }
}
