//! 32-byte sectors: how many a request touches, and how few it could.

use crate::lanes::{Mask, Row, lanes};

/// Bytes of a sector.
pub(super) const SECTOR: u64 = 32;

/// The sectors of a run of bytes, and those that as many bytes need at least.
pub(super) fn of_run(start: u64, bytes: u64) -> (u64, u64) {
    ((start + bytes - 1) / SECTOR - start / SECTOR + 1, bytes.div_ceil(SECTOR))
}

/// The different sectors of a request, and how many its different bytes need at least.
///
/// An aligned access of at most 32 bytes is in one sector, and two accesses are to the same bytes or to different ones.
pub(super) fn of_request(addresses: &Row<u64>, mask: Mask, bytes: u32) -> (u64, u64) {
    let mut list = [0; 32];
    let (mut count, mut sorted, mut last) = (0, true, 0);
    for lane in lanes(mask) {
        let address = addresses.0[lane];
        list[count] = address;
        sorted &= last <= address;
        last = address;
        count += 1;
    }
    let list = &mut list[..count];
    if !sorted {
        list.sort_unstable();
    }
    let (mut places, mut sectors, mut last) = (0, 0, u64::MAX);
    for &mut address in list {
        places += u64::from(address != last);
        sectors += u64::from(address / SECTOR != last / SECTOR);
        last = address;
    }
    (sectors, (places * u64::from(bytes)).div_ceil(SECTOR))
}

/// The sectors of a request to local memory, and those it would take if all lanes were at one offset.
///
/// The device keeps the same word of 32 threads side by side: 8 lanes share a sector where they are at one word.
pub(super) fn of_local(offsets: &Row<u64>, mask: Mask, bytes: u32) -> (u64, u64) {
    let words = u64::from(bytes.div_ceil(4));
    let mut ideal = 0;
    let mut sectors = 0;
    for octet in 0..4 {
        let lanes = lanes(mask & 0xff << (octet * 8));
        let mut list = [0; 8];
        let mut count = 0;
        for lane in lanes {
            list[count] = offsets.0[lane] / 4;
            count += 1;
        }
        let list = &mut list[..count];
        list.sort_unstable();
        let mut different = u64::from(count > 0);
        different += list.windows(2).filter(|pair| pair[0] != pair[1]).count() as u64;
        ideal += words * u64::from(count > 0);
        sectors += words * different;
    }
    (sectors, ideal)
}
