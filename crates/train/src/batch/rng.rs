//! Random numbers for shuffling: SplitMix64 (Steele, Lea & Flood 2014), whose whole state is one number.

/// A stream of random numbers that is a function of its seed.
#[derive(Debug, Clone)]
pub(super) struct Rng(u64);

impl Rng {
    /// The stream for one epoch of one run. The seed is mixed before the epoch is added, so that the streams of
    /// neighbouring seeds and epochs do not meet.
    pub(super) fn new(seed: u64, epoch: u64) -> Self {
        let mixed = Self(seed).next();
        Self(Self(mixed ^ epoch).next())
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, each equally likely (Lemire 2019, [arXiv:1805.10941](https://arxiv.org/abs/1805.10941)).
    pub(super) fn below(&mut self, n: u64) -> u64 {
        loop {
            let product = u128::from(self.next()) * u128::from(n);
            // The lowest 2^64 mod n products are one too many for some results.
            if product as u64 >= n.wrapping_neg() % n {
                return (product >> 64) as u64;
            }
        }
    }

    /// Fisher and Yates's shuffle.
    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_its_known_answers() {
        // The first outputs for seed 1234567, as in the reference implementation by Vigna.
        let mut rng = Rng(1_234_567);
        let want = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([rng.next(), rng.next(), rng.next()], want);
    }

    #[test]
    fn every_number_and_every_order_is_equally_likely() {
        let mut rng = Rng::new(1, 2);
        let mut counts = [0; 24];
        for _ in 0..24_000 {
            let mut items = [0, 1, 2, 3];
            rng.shuffle(&mut items);
            let rank = |a: usize, rest: &[usize]| rest.iter().filter(|&&b| b < a).count();
            let [a, b, c, d] = items;
            counts[rank(a, &[b, c, d]) * 6 + rank(b, &[c, d]) * 2 + rank(c, &[d])] += 1;
        }
        // Each is binomial with mean 1000 and deviation 31.
        assert!(counts.iter().all(|n| (850..1150).contains(n)), "{counts:?}");
        // Without the rejection step a range this large would favour its lower half three to one.
        let n = (1 << 63) + (1 << 62);
        let low = (0..10_000).filter(|_| rng.below(n) < n / 2).count();
        assert!((4800..5200).contains(&low), "{low}");
    }
}
