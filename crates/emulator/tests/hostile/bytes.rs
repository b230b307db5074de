//! Launches and parameters made of bytes that anyone may choose.

/// Bytes that are taken one after the other, and zeros after the last.
pub struct Bytes<'b> {
    left: &'b [u8],
}

impl<'b> Bytes<'b> {
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { left: bytes }
    }

    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.left.split_first() else { return 0 };
        self.left = rest;
        first
    }

    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    fn number(&mut self) -> u64 {
        (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte()))
    }

    /// A block of at most 128 threads, most often of whole warps in a row.
    pub fn block(&mut self) -> [u32; 3] {
        match self.below(8) {
            0..4 => [32, 1, 1],
            4 => [64, 1, 1],
            5 => [33, 1, 1],
            6 => [8, 4, 2],
            _ => [1 + self.below(16) as u32, 1 + self.below(4) as u32, 1 + self.below(2) as u32],
        }
    }

    /// A parameter: most often an address of those given where it has an address's size, a small number where it has
    /// an integer's.
    pub fn param(&mut self, size: usize, addresses: &[u64]) -> Vec<u8> {
        let number = match (size, self.below(8)) {
            (8, 0..5) => addresses[self.below(addresses.len())],
            (8, 5) => addresses[self.below(addresses.len())].wrapping_add(self.number() >> 52),
            (_, 0..6) => self.byte().into(),
            _ => self.number(),
        };
        let mut bytes: Vec<u8> = number.to_le_bytes().into_iter().cycle().take(size).collect();
        if size < 8 {
            bytes.copy_from_slice(&number.to_le_bytes()[..size]);
        }
        bytes
    }
}
