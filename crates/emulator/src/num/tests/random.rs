//! Operands: random bits, special values, and numbers close to each other.

/// SplitMix64 (Steele, Lea and Flood 2014).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Bits of a float of `1 + exponent + fraction` bits: one in eight a special value or next to one, the others random,
    /// half of these with an exponent near the middle (so that operands meet) and many with few or many 1s.
    pub fn float(&mut self, exponent: u32, fraction: u32) -> u64 {
        let infinity = ((1u64 << exponent) - 1) << fraction;
        let sign = (self.next() & 1) << (exponent + fraction);
        let specials = [0, 1, 2, (1 << fraction) - 1, 1 << fraction, infinity - 1, infinity, infinity + 1];
        let one = ((1u64 << (exponent - 1)) - 1) << fraction;
        let magnitude = match self.below(16) {
            0 => specials[self.below(8) as usize],
            1 => one + self.below(5) - 2,
            2 => infinity | self.next() & ((1 << fraction) - 1),
            3 => self.next() & ((1 << fraction) - 1),
            4..8 => self.next() & (infinity | ((1 << fraction) - 1)),
            kind => {
                let near = (1u64 << (exponent - 1)) - 9 + self.below(16);
                let ones = match kind % 4 {
                    0 => self.next() & self.next() & self.next(),
                    1 => self.next() | self.next() | self.next(),
                    _ => self.next(),
                };
                near << fraction | ones & ((1 << fraction) - 1)
            }
        };
        sign | magnitude
    }

    pub fn f32(&mut self) -> f32 {
        f32::from_bits(self.float(8, 23) as u32)
    }

    pub fn f64(&mut self) -> f64 {
        f64::from_bits(self.float(11, 52))
    }

    /// A float near `-a * b`, where a fused multiply-add cancels.
    pub fn near(&mut self, x: f64) -> f64 {
        f64::from_bits(x.to_bits().wrapping_add(self.below(9)).wrapping_sub(4))
    }
}
