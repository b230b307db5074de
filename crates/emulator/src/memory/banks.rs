//! Shared memory's banks: how many wavefronts a request takes.
//!
//! Memory has 32 banks of 4-byte words, a word a wavefront each. A request is served in passes of as many lanes as 128
//! bytes make: all 32 with up to 4 bytes a lane, half a warp with 8, a quarter with 16. A pass takes as many wavefronts
//! as its busiest bank has different words to give; lanes at the same word share it.

use crate::lanes::{LANES, Mask, Row, lanes};

/// The lanes of each pass that has active ones.
fn passes(mask: Mask, bytes: u32) -> impl Iterator<Item = Mask> {
    let width = (128 / bytes).min(LANES as u32);
    let pass = move |at: u32| mask & (u32::MAX >> (LANES as u32 - width)) << (at * width);
    (0..LANES as u32 / width).map(pass).filter(|&pass| pass != 0)
}

/// The wavefronts of a request without conflicts: its passes.
pub(super) fn ideal(mask: Mask, bytes: u32) -> u64 {
    passes(mask, bytes).count() as u64
}

/// The wavefronts of a request.
pub(super) fn wavefronts(addresses: &Row<u64>, mask: Mask, bytes: u32) -> u64 {
    passes(mask, bytes).map(|pass| busiest(addresses, pass, bytes)).sum()
}

/// The most different words that a pass wants of one bank.
fn busiest(addresses: &Row<u64>, pass: Mask, bytes: u32) -> u64 {
    // Aligned accesses of several words have all their words in common or none, so banks are taken in groups.
    let unit = bytes.max(4).trailing_zeros();
    let (shift, groups) = (7 - unit, 128 >> unit);
    // Mostly each group is met once.
    let (mut met, mut again) = (0u32, 0);
    for lane in lanes(pass) {
        let group = 1 << (addresses.0[lane] >> unit & (groups - 1));
        again |= met & group;
        met |= group;
    }
    if again == 0 {
        return 1;
    }
    // The units of each group side by side, the same ones too.
    let mut list = [0; LANES];
    let mut count = 0;
    for lane in lanes(pass) {
        let wanted = addresses.0[lane] >> unit;
        list[count] = (wanted & (groups - 1)) << 56 | wanted >> shift;
        count += 1;
    }
    let list = &mut list[..count];
    list.sort_unstable();
    let (mut longest, mut length, mut last) = (0, 0, u64::MAX);
    for &mut wanted in list {
        length = if wanted >> 56 == last >> 56 { length + u64::from(wanted != last) } else { 1 };
        longest = longest.max(length);
        last = wanted;
    }
    longest
}
