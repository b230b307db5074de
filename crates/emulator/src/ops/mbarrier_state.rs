//! A barrier in shared memory (`mbarrier`) as the 64 bits it is kept in. PTX leaves their meaning open; here it is:
//!
//! | bits | what |
//! | --- | --- |
//! | 0 to 19 | arrivals pending in this phase |
//! | 20 to 39 | arrivals expected in each phase |
//! | 40 to 60 | bytes of transactions expected and not complete, signed |
//! | 61 | the phase's parity |
//! | 62, 63 | 1 and 0: neither zeros nor what unwritten memory holds are a barrier |
//!
//! The state that an arrival returns is the barrier before it.

/// The highest count of arrivals or of bytes.
const MAX: u32 = (1 << 20) - 1;
const EXPECTED: u32 = 20;
const BYTES: u32 = 40;
const PARITY: u32 = 61;
const VALID: u32 = 62;

/// What a barrier counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pending: u32,
    expected: u32,
    bytes: i32,
    parity: bool,
}

impl State {
    /// A barrier in its first phase.
    pub fn new(count: u32) -> Result<Self, String> {
        let count = in_range(count, "a count of arrivals")?;
        Ok(Self { pending: count, expected: count, bytes: 0, parity: false })
    }

    /// The barrier in a word, if there is one.
    pub fn of(word: u64) -> Option<Self> {
        let bytes = (word << (64 - PARITY)) as i64 >> (64 - PARITY + BYTES);
        (word >> VALID == 1).then_some(Self {
            pending: pending_count(word),
            expected: (word >> EXPECTED) as u32 & MAX,
            bytes: bytes as i32,
            parity: parity_of(word),
        })
    }

    /// The word it is kept in.
    pub fn word(self) -> u64 {
        let bytes = u64::from(self.bytes as u32) & ((1 << (PARITY - BYTES)) - 1);
        u64::from(self.pending)
            | u64::from(self.expected) << EXPECTED
            | bytes << BYTES
            | u64::from(self.parity) << PARITY
            | 1 << VALID
    }

    /// The parity of the phase it is in.
    pub fn parity(self) -> bool {
        self.parity
    }

    /// `count` arrivals, which later phases expect no more where they are dropped.
    pub fn arrive(mut self, count: u32, drop: bool) -> Result<Self, String> {
        let count = in_range(count, "a count of arrivals")?;
        if drop {
            let Some(left) = self.expected.checked_sub(count) else {
                return Err(format!("{count} arrivals are dropped where {} are expected", self.expected));
            };
            self.expected = left;
        }
        let Some(left) = self.pending.checked_sub(count) else {
            return Err(format!("{count} arrivals where {} are pending", self.pending));
        };
        self.pending = left;
        Ok(self.settled())
    }

    /// More bytes are expected in this phase.
    pub fn expect(self, bytes: u32) -> Result<Self, String> {
        self.count(i64::from(bytes))
    }

    /// Bytes have arrived.
    pub fn complete(self, bytes: u32) -> Result<Self, String> {
        self.count(-i64::from(bytes))
    }

    fn count(mut self, more: i64) -> Result<Self, String> {
        let bytes = i64::from(self.bytes) + more;
        if bytes.unsigned_abs() > u64::from(MAX) {
            return Err(format!("{bytes} bytes are outstanding, more than {MAX}"));
        }
        self.bytes = bytes as i32;
        Ok(self.settled())
    }

    /// Begins the next phase when nothing is left of this one.
    fn settled(self) -> Self {
        if self.pending == 0 && self.bytes == 0 {
            Self { pending: self.expected, parity: !self.parity, ..self }
        } else {
            self
        }
    }
}

fn in_range(value: u32, what: &str) -> Result<u32, String> {
    if (1..=MAX).contains(&value) { Ok(value) } else { Err(format!("{what} of {value}, must be 1 to {MAX}")) }
}

/// The parity of the phase in which an arrival returned a state.
pub fn parity_of(state: u64) -> bool {
    state >> PARITY & 1 == 1
}

/// The arrivals that were pending when an arrival returned a state.
pub fn pending_count(state: u64) -> u32 {
    state as u32 & MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_every_count() {
        for pending in [0, 1, 77, MAX] {
            for bytes in [0, 1, -1, MAX as i32, -(MAX as i32)] {
                for parity in [false, true] {
                    let state = State { pending, expected: MAX - pending, bytes, parity };
                    assert_eq!(State::of(state.word()), Some(state));
                    assert_eq!((pending_count(state.word()), parity_of(state.word())), (pending, parity));
                }
            }
        }
        assert_eq!(State::of(0), None);
        assert_eq!(State::of(u64::MAX), None);
    }
}
