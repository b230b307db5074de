//! `cvt` between integers, and packed halves.

use super::random::Random;
use crate::num::cvt;

#[test]
fn saturation_clamps_to_the_width() {
    let mut random = Random(51);
    for case in 0..100_000 {
        let x = if case % 2 == 0 { random.next() } else { random.next() >> random.below(64) };
        for width in [8u32, 16, 32, 64] {
            let (low, high) = (-(1i128 << (width - 1)), (1i128 << (width - 1)) - 1);
            let unsigned_high = (1i128 << width) - 1;
            let signed = i128::from(x as i64);
            assert_eq!(i128::from(cvt::saturate_signed(x as i64, width)), signed.clamp(low, high));
            assert_eq!(i128::from(cvt::saturate_to_unsigned(x as i64, width)), signed.clamp(0, unsigned_high));
            assert_eq!(i128::from(cvt::saturate_to_signed(x, width)), i128::from(x).min(high));
            assert_eq!(i128::from(cvt::saturate_unsigned(x, width)), i128::from(x).min(unsigned_high));
        }
    }
}

#[test]
fn halves_are_packed_upper_first() {
    assert_eq!(cvt::pack16(0x1234, 0xabcd), 0x1234_abcd);
    assert_eq!(cvt::unpack16(0x1234_abcd), (0x1234, 0xabcd));
}
