//! Random numbers without state: Philox 4x32-10.
//!
//! Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). A block of four 32-bit words is
//! a pure function of a counter (128 bits) and a key (64 bits), so any element's number can be made anywhere, in any
//! order, again in backward, and on a GPU.

use crate::lanes::LANES;

const M0: u32 = 0xD251_1F53;
const M1: u32 = 0xCD9E_8D57;
const W0: u32 = 0x9E37_79B9;
const W1: u32 = 0xBB67_AE85;

/// The four words of `counter` under `key`.
#[inline(always)]
pub fn block(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut c0, mut c1, mut c2, mut c3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let p0 = u64::from(M0) * u64::from(c0);
        let p1 = u64::from(M1) * u64::from(c2);
        (c0, c1, c2, c3) = ((p1 >> 32) as u32 ^ c1 ^ k0, p1 as u32, (p0 >> 32) as u32 ^ c3 ^ k1, p0 as u32);
        k0 = k0.wrapping_add(W0);
        k1 = k1.wrapping_add(W1);
    }
    [c0, c1, c2, c3]
}

/// The blocks of 32 consecutive values of the counter's second word, a lane each: `result[w][l]` is word `w` of
/// `block([c[0], c[1] + l, c[2], c[3]], key)`.
#[inline(always)]
pub fn blocks(c: [u32; 4], key: [u32; 2]) -> [[u32; LANES]; 4] {
    let mut c0 = [c[0]; LANES];
    let mut c1 = [c[1]; LANES];
    for (l, c1) in c1.iter_mut().enumerate() {
        *c1 = c1.wrapping_add(l as u32);
    }
    let mut c2 = [c[2]; LANES];
    let mut c3 = [c[3]; LANES];
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        for l in 0..LANES {
            let p0 = u64::from(M0) * u64::from(c0[l]);
            let p1 = u64::from(M1) * u64::from(c2[l]);
            c0[l] = (p1 >> 32) as u32 ^ c1[l] ^ k0;
            c2[l] = (p0 >> 32) as u32 ^ c3[l] ^ k1;
            c1[l] = p1 as u32;
            c3[l] = p0 as u32;
        }
        k0 = k0.wrapping_add(W0);
        k1 = k1.wrapping_add(W1);
    }
    [c0, c1, c2, c3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // The known-answer vectors that the authors publish for philox4x32-10.
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, want) in cases {
            assert_eq!(block(counter, key), want);
        }
    }

    #[test]
    fn lanes_are_blocks() {
        let (c, key) = ([7, u32::MAX - 5, 3, 99], [0x1234_5678, 0x9abc_def0]);
        let wide = blocks(c, key);
        for l in 0..LANES {
            let one = block([c[0], c[1].wrapping_add(l as u32), c[2], c[3]], key);
            assert_eq!(wide.map(|word| word[l]), one);
        }
    }
}
