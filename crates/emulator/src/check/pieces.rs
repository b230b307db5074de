//! A warp's access, cut into ranges of bytes within lines.

use super::{
    Access,
    record::{LINE, Lanes},
};
use crate::lanes::{Mask, lanes};

/// A part of an access that lies in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    /// The line's number.
    pub line: u64,
    /// Bytes of the line: the first, and the one past the last.
    pub start: u8,
    pub end: u8,
    pub lanes: Lanes,
}

impl Piece {
    /// The words of the line that it touches, a bit each.
    pub fn words(&self) -> u32 {
        let (first, last) = (u32::from(self.start / 4), u32::from((self.end - 1) / 4));
        (u32::MAX >> (31 - last)) & (u32::MAX << first)
    }

    /// The words of the line that lie in it.
    pub fn whole_words(&self) -> u32 {
        let (start, end) = (self.start.div_ceil(4) * 4, self.end / 4 * 4);
        if start < end { Self { start, end, ..*self }.words() } else { 0 }
    }
}

/// Lanes whose bytes lie on end, or at one place.
#[derive(Clone, Copy)]
struct Run {
    start: u64,
    end: u64,
    first: u32,
    /// Of lanes at one place; those of a row of lanes are not needed.
    mask: Mask,
    row: bool,
}

impl Run {
    fn cut(&self, bytes: u32, to: &mut Vec<Piece>) {
        let shift = bytes.trailing_zeros() as u8;
        let mut start = self.start;
        while start < self.end {
            let line = start / LINE;
            let end = self.end.min((line + 1) * LINE);
            let lanes = if self.row {
                Lanes::each(self.start as i64 - (line * LINE) as i64, self.first, shift)
            } else {
                Lanes::together(self.mask)
            };
            to.push(Piece { line, start: (start - line * LINE) as u8, end: (end - line * LINE) as u8, lanes });
            start = end;
        }
    }
}

/// Cuts an access into pieces, with offsets from its base.
pub(super) fn cut(access: &Access<'_>, to: &mut Vec<Piece>) {
    let (bytes, first) = (access.bytes, access.mask.trailing_zeros());
    if bytes == 0 || access.mask == 0 {
        return;
    }
    // Parts of lanes that are not aligned do not follow from where they are.
    let regular = bytes.is_power_of_two() && bytes <= 32;
    if let Some((start, length)) = access.run {
        let start = start.wrapping_sub(access.base);
        let row = length > u64::from(bytes);
        if !row || regular && start.is_multiple_of(u64::from(bytes)) {
            return Run { start, end: start + length, first, mask: access.mask, row }.cut(bytes, to);
        }
    }
    let mut run: Option<Run> = None;
    for lane in lanes(access.mask) {
        let (lane, bit) = (lane as u32, 1 << lane);
        let start = access.addresses.0[lane as usize].wrapping_sub(access.base);
        let end = start.wrapping_add(u64::from(bytes));
        if let Some(run) = &mut run {
            let count = run.mask.count_ones();
            if start == run.start && !run.row {
                run.mask |= bit;
                continue;
            }
            let fits =
                regular && start == run.end && lane == run.first + count && start.is_multiple_of(u64::from(bytes));
            if fits && (run.row || count == 1) {
                (run.end, run.mask, run.row) = (end, run.mask | bit, true);
                continue;
            }
            run.cut(bytes, to);
        }
        run = Some(Run { start, end, first: lane, mask: bit, row: false });
    }
    if let Some(run) = run {
        run.cut(bytes, to);
    }
}

/// The same where lanes share places without being neighbours: each place is one piece by all of its lanes, or they
/// would seem to race with each other.
pub(super) fn cut_twins(access: &Access<'_>, to: &mut Vec<Piece>) {
    let mut rest = access.mask;
    while rest != 0 {
        let address = access.addresses.0[rest.trailing_zeros() as usize];
        let same = |&lane: &usize| access.addresses.0[lane] == address;
        let mask = lanes(rest).filter(same).fold(0, |mask, lane| mask | 1 << lane);
        rest &= !mask;
        cut(&Access { mask, run: Some((address, u64::from(access.bytes))), ..*access }, to);
    }
}

/// The lanes of an access that share their place with a lower one, by that lane: stores by several lanes to one place.
/// Of overlaps without alignment nothing is said.
pub(super) fn twins(access: &Access<'_>, mut pair: impl FnMut(usize, usize)) {
    if access.run.is_some_and(|(_, length)| length > u64::from(access.bytes)) {
        return;
    }
    // Most stores have none: a place that falls on a free bit is new.
    let mut seen = [0u64; 16];
    let unit = access.bytes.max(1).ilog2();
    let mut before: Mask = 0;
    for lane in lanes(access.mask) {
        let address = access.addresses.0[lane];
        let hash = (address >> unit) as usize % 1024;
        if seen[hash / 64] >> (hash % 64) & 1 == 1
            && let Some(other) = lanes(before).find(|&other| access.addresses.0[other] == address)
        {
            pair(other, lane);
        }
        seen[hash / 64] |= 1 << (hash % 64);
        before |= 1 << lane;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::{Op, Scope, Strength},
        lanes::Row,
    };

    fn access(addresses: &Row<u64>, mask: Mask, bytes: u32) -> Access<'_> {
        Access {
            op: Op::Read,
            strength: Strength::Weak,
            scope: Scope::Device,
            pc: 0,
            warp: 0,
            mask,
            bytes,
            addresses,
            base: 1000 * 128,
            run: None,
        }
    }

    /// Every byte of every lane is in the pieces, and nothing else is.
    fn check(addresses: &[u64; 32], mask: Mask, bytes: u32, run: Option<(u64, u64)>) -> usize {
        let row = Row(addresses.map(|address| address + 1000 * 128));
        let run = run.map(|(start, length)| (start + 1000 * 128, length));
        let mut expected: Vec<(u64, Mask)> = Vec::new();
        for lane in lanes(mask) {
            for byte in addresses[lane]..addresses[lane] + u64::from(bytes) {
                match expected.iter_mut().find(|(known, _)| *known == byte) {
                    Some((_, mask)) => *mask |= 1 << lane,
                    None => expected.push((byte, 1 << lane)),
                }
            }
        }
        let mut found: Vec<(u64, Mask)> = Vec::new();
        let mut count = 0;
        let mut pieces = Vec::new();
        cut(&Access { run, ..access(&row, mask, bytes) }, &mut pieces);
        for piece in pieces {
            count += 1;
            assert!(piece.start < piece.end && piece.end <= 128);
            for byte in piece.start..piece.end {
                let (at, lanes) = (piece.line * 128 + u64::from(byte), piece.lanes.at(byte));
                match found.iter_mut().find(|(known, _)| *known == at) {
                    Some((_, mask)) => *mask |= lanes,
                    None => found.push((at, lanes)),
                }
            }
        }
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "{bytes} bytes at {addresses:?}, mask {mask:#x}");
        count
    }

    #[test]
    fn pieces_cover_what_the_lanes_access() {
        for bytes in [1u32, 2, 4, 8, 16, 32] {
            for mask in [Mask::MAX, 1, 0x8000_0000, 0x00ff_ff00, 0x5555_5555, 0xff0f_00f1] {
                for start in [0u64, 32, 96, 128] {
                    let on_end: [u64; 32] = std::array::from_fn(|lane| start + lane as u64 * u64::from(bytes));
                    check(&on_end, mask, bytes, None);
                    check(&on_end.map(|_| start), mask, bytes, None);
                    check(&std::array::from_fn(|lane| start + lane as u64 * 256), mask, bytes, None);
                    check(&std::array::from_fn(|lane| start + (lane as u64 * 7 % 5) * 64), mask, bytes, None);
                    check(&std::array::from_fn(|lane| on_end[31 - lane]), mask, bytes, None);
                    check(&std::array::from_fn(|lane| on_end[lane / 2]), mask, bytes, None);
                }
            }
        }
    }

    #[test]
    fn runs_that_are_told_need_no_search() {
        let on_end: [u64; 32] = std::array::from_fn(|lane| 64 + lane as u64 * 4);
        assert_eq!(check(&on_end, Mask::MAX, 4, Some((64, 128))), 2);
        let first = on_end[8];
        assert_eq!(check(&on_end, 0x0000_ff00, 4, Some((first, 32))), 1);
        assert_eq!(check(&[64; 32], Mask::MAX, 4, Some((64, 4))), 1);
    }

    #[test]
    fn words_of_ranges() {
        for start in 0..128u8 {
            for end in start + 1..=128 {
                let piece = Piece { line: 0, start, end, lanes: Lanes::together(1) };
                let touches = |word: u8| start < word * 4 + 4 && word * 4 < end;
                let holds = |word: u8| start <= word * 4 && word * 4 + 4 <= end;
                let bits =
                    |test: &dyn Fn(u8) -> bool| (0..32).filter(|&word| test(word)).fold(0, |set, word| set | 1 << word);
                assert_eq!(piece.words(), bits(&touches), "{start}..{end}");
                assert_eq!(piece.whole_words(), bits(&holds), "{start}..{end}");
            }
        }
    }

    #[test]
    fn places_off_their_alignment_are_covered_too() {
        check(&std::array::from_fn(|lane| 126 + lane as u64 * 4), Mask::MAX, 4, None);
        check(&std::array::from_fn(|lane| 1 + lane as u64 * 2), Mask::MAX, 8, None);
    }

    #[test]
    fn twins_are_the_lanes_at_one_place() {
        let row = Row(std::array::from_fn(|lane| 128_000 + 4096 * (lane as u64 % 20)));
        let mut found = Vec::new();
        twins(&access(&row, Mask::MAX & !1, 4), |one, other| found.push((one, other)));
        assert_eq!(found, (21..32).map(|lane| (lane - 20, lane)).collect::<Vec<_>>());
    }
}
