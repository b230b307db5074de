//! A counter-based generator: every sentence starts from its own key, so any one can be made alone.

/// SplitMix64 (Steele, Lea & Flood 2014): a Weyl sequence through a 64-bit mixing function.
///
/// Integer arithmetic only, so that the same key gives the same draws on every machine.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

/// The odd constant of the Weyl sequence: 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Mixes the bits of `z` so that every input bit reaches every output bit.
pub fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A 64-bit hash of some text: FNV-1a, then [`mix`] so that the low bits can be used alone.
pub fn hash_text(text: &str) -> u64 {
    let fnv = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    mix(fnv)
}

impl Rng {
    /// A generator whose draws depend on all of `key`.
    pub fn new(key: [u64; 3]) -> Self {
        let state = key.iter().fold(0, |state: u64, &part| mix(state.wrapping_add(GAMMA) ^ mix(part)));
        Self { state }
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A number in `0..n`: the high half of a 64 by 64-bit product. Its bias is below n / 2^64.
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// A number in `low..=high`.
    pub fn between(&mut self, low: u8, high: u8) -> u8 {
        low + self.below(usize::from(high - low) + 1) as u8
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, each as likely as the next.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// One of the values, in proportion to its weight.
    pub fn weighted<T: Copy>(&mut self, table: &[(usize, T)]) -> T {
        let total = table.iter().map(|&(weight, _)| weight).sum();
        let mut left = self.below(total);
        for &(weight, value) in table {
            if left < weight {
                return value;
            }
            left -= weight;
        }
        table[table.len() - 1].1
    }
}
