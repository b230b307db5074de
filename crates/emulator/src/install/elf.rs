//! A shared library made by hand: functions that jump through a table of pointers.
//!
//! The file has two parts, each loaded as it is. The first, to be read and executed: headers, symbols, their hash
//! table, names, and for every function a jump through its pointer in the table. The second, to be written: the
//! dynamic section and the table. The program that loads it fills the table. Nothing is to be relocated, since jumps
//! find the table by its distance.
//!
//! Layout after the System V ABI: ELF-64, little-endian, `DT_HASH` with as many buckets as symbols.

/// The processors for which such a library can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// x86-64.
    X86_64,
    /// 64-bit Arm.
    Aarch64,
}

impl Machine {
    /// The one this code runs on.
    pub fn here() -> Option<Self> {
        match std::env::consts::ARCH {
            "x86_64" => Some(Self::X86_64),
            "aarch64" => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// `e_machine`.
    fn number(self) -> u16 {
        match self {
            Self::X86_64 => 62,
            Self::Aarch64 => 183,
        }
    }

    /// What parts of the file are aligned to: the largest page there is.
    fn page(self) -> u64 {
        match self {
            Self::X86_64 => 0x1000,
            Self::Aarch64 => 0x1_0000,
        }
    }

    /// The instructions at `at` that jump to where the pointer at `slot` points.
    fn jump(self, at: u64, slot: u64) -> [u8; STUB] {
        let mut code = [0; STUB];
        match self {
            Self::X86_64 => {
                // endbr64; jmp *distance(%rip), counted from the next instruction; int3.
                let distance = slot.wrapping_sub(at + 10) as u32;
                code.fill(0xcc);
                code[..6].copy_from_slice(&[0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25]);
                code[6..10].copy_from_slice(&distance.to_le_bytes());
            }
            Self::Aarch64 => {
                // bti c; adrp x16, page of slot; ldr x16, [x16, slot within the page]; br x16.
                let pages = (slot >> 12).wrapping_sub(at >> 12) as u32;
                let adrp = 0x9000_0010 | (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5;
                let ldr = 0xf940_0210 | ((slot & 0xfff) as u32 / 8) << 10;
                for (to, word) in code.chunks_exact_mut(4).zip([0xd503_245f, adrp, ldr, 0xd61f_0200]) {
                    to.copy_from_slice(&u32::to_le_bytes(word));
                }
            }
        }
        code
    }
}

/// Bytes of a function.
const STUB: usize = 16;
const HEADER_BYTES: u64 = 64;
const SEGMENT_BYTES: u64 = 56;
const SYMBOL_BYTES: u64 = 24;
const SEGMENTS: u64 = 4;
/// Entries of the dynamic section.
const DYNAMIC: u64 = 7;

/// The name of the symbol that is the table.
pub const TABLE: &str = "noam_emulator_table";

/// Bytes with numbers at their end.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn u16(&mut self, value: u16) {
        self.0.extend(value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.0.extend(value.to_le_bytes());
    }

    fn u64s<const N: usize>(&mut self, values: [u64; N]) {
        values.iter().for_each(|value| self.0.extend(value.to_le_bytes()));
    }

    /// Zeros up to an offset that is not yet reached.
    fn pad_to(&mut self, offset: u64) {
        debug_assert!(self.0.len() as u64 <= offset, "parts do not overlap");
        self.0.resize(offset as usize, 0);
    }
}

/// The hash of a symbol's name in a `DT_HASH` table.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

/// The file's bytes: a library that is called `soname` and has a function of every name, and the table.
pub fn library(machine: Machine, soname: &str, names: &[&str]) -> Vec<u8> {
    let count = names.len() as u64;
    // Names: an empty one, the library's, the table's, the functions'.
    let mut strings = vec![0];
    let mut text = |name: &str| {
        let at = strings.len() as u32;
        strings.extend(name.bytes());
        strings.push(0);
        at
    };
    let soname_at = text(soname);
    let symbols: Vec<_> = std::iter::once(TABLE).chain(names.iter().copied()).map(|name| (name, text(name))).collect();

    // Symbol 0 is none.
    let symbol_count = symbols.len() as u64 + 1;
    let symbols_at = HEADER_BYTES + SEGMENTS * SEGMENT_BYTES;
    let hash_at = symbols_at + symbol_count * SYMBOL_BYTES;
    let strings_at = hash_at + 4 * (2 + 2 * symbol_count);
    let code_at = (strings_at + strings.len() as u64).next_multiple_of(16);
    let code_end = code_at + count * STUB as u64;
    let data_at = code_end.next_multiple_of(machine.page());
    let table_at = data_at + DYNAMIC * 16;
    let data_end = table_at + count * 8;

    let mut out = Bytes::default();
    // Header: 64 bits, little-endian, version 1; a shared object.
    out.0.extend([0x7f, b'E', b'L', b'F', 2, 1, 1]);
    out.pad_to(16);
    out.u16(3);
    out.u16(machine.number());
    out.u32(1);
    // No entry; program headers; no section headers.
    out.u64s([0, HEADER_BYTES, 0]);
    out.u32(0);
    for value in [HEADER_BYTES as u16, SEGMENT_BYTES as u16, SEGMENTS as u16, 64, 0, 0] {
        out.u16(value);
    }
    // Segments: type, flags, offset, address (twice), size in the file and in memory, alignment.
    let mut segment = |kind: u32, flags: u32, at: u64, end: u64, align: u64| {
        out.u32(kind);
        out.u32(flags);
        out.u64s([at, at, at, end - at, end - at, align]);
    };
    const LOAD: u32 = 1;
    const DYNAMIC_SEGMENT: u32 = 2;
    const STACK: u32 = 0x6474_e551;
    const X: u32 = 1;
    const W: u32 = 2;
    const R: u32 = 4;
    segment(LOAD, R | X, 0, code_end, machine.page());
    segment(LOAD, R | W, data_at, data_end, machine.page());
    segment(DYNAMIC_SEGMENT, R | W, data_at, table_at, 8);
    segment(STACK, R | W, 0, 0, 16);

    // Symbols: name, kind and binding, visibility, section, address, size. Any section that is not 0 means "defined
    // here".
    out.pad_to(symbols_at + SYMBOL_BYTES);
    const GLOBAL_OBJECT: u8 = 0x11;
    const GLOBAL_FUNCTION: u8 = 0x12;
    for (at, &(_, name)) in symbols.iter().enumerate() {
        let (kind, address, size) = match at.checked_sub(1) {
            None => (GLOBAL_OBJECT, table_at, count * 8),
            Some(at) => (GLOBAL_FUNCTION, code_at + at as u64 * STUB as u64, STUB as u64),
        };
        out.u32(name);
        out.0.extend([kind, 0]);
        out.u16(1);
        out.u64s([address, size]);
    }
    // Hash table: buckets, symbols, the first symbol of every bucket, the next after every symbol.
    let buckets = symbol_count as u32;
    let mut first = vec![0u32; buckets as usize];
    let mut next = vec![0u32; symbol_count as usize];
    for (at, (name, _)) in symbols.iter().enumerate() {
        let symbol = at as u32 + 1;
        next[symbol as usize] = std::mem::replace(&mut first[(hash(name) % buckets) as usize], symbol);
    }
    out.u32(buckets);
    out.u32(symbol_count as u32);
    first.into_iter().chain(next).for_each(|value| out.u32(value));
    out.0.extend(&strings);
    out.pad_to(code_at);
    for at in 0..count {
        let jump = machine.jump(code_at + at * STUB as u64, table_at + at * 8);
        out.0.extend(jump);
    }
    out.pad_to(data_at);
    // The dynamic section: SONAME, HASH, STRTAB, SYMTAB, STRSZ, SYMENT, the end.
    out.u64s([14, soname_at.into()]);
    out.u64s([4, hash_at]);
    out.u64s([5, strings_at]);
    out.u64s([6, symbols_at]);
    out.u64s([10, strings.len() as u64]);
    out.u64s([11, SYMBOL_BYTES]);
    out.u64s([0, 0]);
    out.pad_to(data_end);
    out.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_abi() {
        // Known from the System V ABI's function, worked out by hand for the shift out of the top nibble.
        assert_eq!(hash(""), 0);
        assert_eq!(hash("a"), 0x61);
        assert_eq!(hash("printf"), 0x077905a6);
        assert_eq!(hash("exit"), 0x0006cf04);
    }

    #[test]
    fn an_arm_stub_is_what_an_assembler_makes() {
        // adrp x16, +3 pages; ldr x16, [x16, #0x128]; br x16.
        let code = Machine::Aarch64.jump(0x1_0ff0, 0x1_3128);
        let words: Vec<_> = code.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        assert_eq!(words, [0xd503_245f, 0xf000_0010, 0xf940_9610, 0xd61f_0200]);
    }

    #[test]
    fn an_x86_stub_is_what_an_assembler_makes() {
        // jmp *0x2000(%rip).
        let code = Machine::X86_64.jump(0x1000, 0x300a);
        assert_eq!(code[..10], [0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0x25, 0x00, 0x20, 0x00, 0x00]);
    }
}
