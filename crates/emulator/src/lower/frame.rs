//! A function's frame: slots handed out, each constant and special register once.

use std::collections::HashMap;

use crate::program::{Frame, Slot, Special};

/// Bytes of local memory that a device gives a thread at most.
pub const MOST_LOCAL: u64 = 512 << 10;

/// A frame in the making.
#[derive(Debug)]
pub struct Frames {
    frame: Frame,
    words: HashMap<u32, Slot>,
    longs: HashMap<u64, Slot>,
    predicates: HashMap<bool, Slot>,
    word_specials: HashMap<Special, Slot>,
    long_specials: HashMap<Special, Slot>,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            // Long 0 is the frame's own place in local memory.
            frame: Frame { longs: 1, ..Frame::default() },
            words: HashMap::new(),
            longs: HashMap::new(),
            predicates: HashMap::new(),
            word_specials: HashMap::new(),
            long_specials: HashMap::new(),
        }
    }
}

impl Frames {
    /// The long that holds the frame's place in local memory.
    pub const LOCAL_BASE: Slot = Slot(0);

    /// A word of its own.
    pub fn new_word(&mut self) -> Slot {
        self.frame.words += 1;
        Slot(self.frame.words - 1)
    }

    /// A long of its own.
    pub fn new_long(&mut self) -> Slot {
        self.frame.longs += 1;
        Slot(self.frame.longs - 1)
    }

    /// A predicate of its own.
    pub fn new_predicate(&mut self) -> Slot {
        self.frame.predicates += 1;
        Slot(self.frame.predicates - 1)
    }

    /// The word that holds a constant.
    pub fn word(&mut self, value: u32) -> Slot {
        if let Some(&slot) = self.words.get(&value) {
            return slot;
        }
        let slot = self.new_word();
        self.words.insert(value, slot);
        self.frame.word_constants.push((slot, value));
        slot
    }

    /// The long that holds a constant.
    pub fn long(&mut self, value: u64) -> Slot {
        if let Some(&slot) = self.longs.get(&value) {
            return slot;
        }
        let slot = self.new_long();
        self.longs.insert(value, slot);
        self.frame.long_constants.push((slot, value));
        slot
    }

    /// The predicate that holds a constant.
    pub fn predicate(&mut self, value: bool) -> Slot {
        if let Some(&slot) = self.predicates.get(&value) {
            return slot;
        }
        let slot = self.new_predicate();
        self.predicates.insert(value, slot);
        self.frame.predicate_constants.push((slot, value));
        slot
    }

    /// The word that holds a special register.
    pub fn word_special(&mut self, special: Special) -> Slot {
        if let Some(&slot) = self.word_specials.get(&special) {
            return slot;
        }
        let slot = self.new_word();
        self.word_specials.insert(special, slot);
        self.frame.word_specials.push((slot, special));
        slot
    }

    /// The long that holds a special register.
    pub fn long_special(&mut self, special: Special) -> Slot {
        if let Some(&slot) = self.long_specials.get(&special) {
            return slot;
        }
        let slot = self.new_long();
        self.long_specials.insert(special, slot);
        self.frame.long_specials.push((slot, special));
        slot
    }

    /// Room in local memory. `None` where the frame would pass what a thread can have.
    pub fn local(&mut self, bytes: u64, align: u32) -> Option<u32> {
        let align = u64::from(align.max(1));
        let start = u64::from(self.frame.local_bytes).div_ceil(align) * align;
        let end = start.checked_add(bytes).filter(|&end| end <= MOST_LOCAL)?;
        self.frame.local_bytes = end as u32;
        Some(start as u32)
    }

    /// Notes that a parameter or a result lies at a place.
    pub fn param(&mut self, at: u32, bytes: u64) {
        self.frame.params.push((at, bytes as u32));
    }

    /// Bytes of the parameter or result at a place; 0 where there is none.
    pub fn param_bytes(&self, at: u32) -> u32 {
        // Of several at one place all but the last are empty.
        let known = self.frame.params.iter().rev().find(|&&(place, _)| place == at);
        known.map_or(0, |&(_, bytes)| bytes)
    }

    /// Whether a parameter or a result lies at a place.
    pub fn is_param(&self, at: u32) -> bool {
        self.frame.params.iter().any(|&(place, _)| place == at)
    }

    /// The finished frame.
    pub fn finish(self) -> Frame {
        self.frame
    }
}
