//! Models of devices: what a program can ask a device about itself, and what limits its launches.

/// A kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// How settings name it.
    pub key: &'static str,
    /// Its name, as programs are told. It says that it is software.
    pub name: &'static str,
    /// Compute capability, major and minor.
    pub compute: (u32, u32),
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Threads that a multiprocessor holds.
    pub threads: u32,
    /// Blocks that a multiprocessor holds.
    pub blocks: u32,
    /// Bytes of shared memory of a multiprocessor.
    pub shared: u32,
    /// Bytes of shared memory that a block may ask for by attribute.
    pub shared_optin: u32,
    /// Bytes of shared memory that the system takes of each block.
    pub shared_reserved: u32,
    /// Bytes of the second-level cache.
    pub l2: u32,
    /// Bits of the memory's bus.
    pub bus_bits: u32,
    /// The memory's clock in kHz.
    pub memory_khz: u32,
    /// The multiprocessors' clock in kHz.
    pub clock_khz: u32,
    /// How many times as fast single precision is as double.
    pub double_ratio: u32,
    /// Engines that copy.
    pub copy_engines: u32,
    /// PCI device number, as the vendor gives it to the device the model is like.
    pub pci_id: u32,
}

/// Bytes of shared memory that every block may have.
pub const SHARED_PER_BLOCK: u32 = 48 << 10;
/// Registers of a multiprocessor, and the most of a block.
pub const REGISTERS: u32 = 65536;
/// Threads that a block may have.
pub const THREADS_PER_BLOCK: u32 = 1024;
/// Threads that a block may have in each direction.
pub const BLOCK_LIMITS: [u32; 3] = [1024, 1024, 64];
/// Blocks that a grid may have in each direction.
pub const GRID_LIMITS: [u32; 3] = [0x7fff_ffff, 65535, 65535];
/// Bytes of `.const` variables that a module may have.
pub const CONSTANT_BYTES: u32 = 64 << 10;
/// The largest number of an attribute.
const KNOWN_ATTRIBUTES: u32 = 161;

impl Model {
    /// sm_70.
    pub const V100: Self = Self {
        key: "v100",
        name: "noam emulator (V100-like, software)",
        compute: (7, 0),
        multiprocessors: 80,
        threads: 2048,
        blocks: 32,
        shared: 96 << 10,
        shared_optin: 96 << 10,
        shared_reserved: 0,
        l2: 6 << 20,
        bus_bits: 4096,
        memory_khz: 877_000,
        clock_khz: 1_530_000,
        double_ratio: 2,
        copy_engines: 6,
        pci_id: 0x1db1_10de,
    };

    /// sm_75.
    pub const T4: Self = Self {
        key: "t4",
        name: "noam emulator (T4-like, software)",
        compute: (7, 5),
        multiprocessors: 40,
        threads: 1024,
        blocks: 16,
        shared: 64 << 10,
        shared_optin: 64 << 10,
        shared_reserved: 0,
        l2: 4 << 20,
        bus_bits: 256,
        memory_khz: 5_001_000,
        clock_khz: 1_590_000,
        double_ratio: 32,
        copy_engines: 3,
        pci_id: 0x1eb8_10de,
    };

    /// sm_80: what a program gets that asks for nothing.
    pub const A100: Self = Self {
        key: "a100",
        name: "noam emulator (A100-like, software)",
        compute: (8, 0),
        multiprocessors: 108,
        threads: 2048,
        blocks: 32,
        shared: 164 << 10,
        shared_optin: 163 << 10,
        shared_reserved: 1 << 10,
        l2: 40 << 20,
        bus_bits: 5120,
        memory_khz: 1_215_000,
        clock_khz: 1_410_000,
        double_ratio: 2,
        copy_engines: 3,
        pci_id: 0x20b0_10de,
    };

    /// sm_89.
    pub const L4: Self = Self {
        key: "l4",
        name: "noam emulator (L4-like, software)",
        compute: (8, 9),
        multiprocessors: 58,
        threads: 1536,
        blocks: 24,
        shared: 100 << 10,
        shared_optin: 99 << 10,
        shared_reserved: 1 << 10,
        l2: 48 << 20,
        bus_bits: 192,
        memory_khz: 6_251_000,
        clock_khz: 2_040_000,
        double_ratio: 64,
        copy_engines: 2,
        pci_id: 0x27b8_10de,
    };

    /// sm_90.
    pub const H100: Self = Self {
        key: "h100",
        name: "noam emulator (H100-like, software)",
        compute: (9, 0),
        multiprocessors: 132,
        threads: 2048,
        blocks: 32,
        shared: 228 << 10,
        shared_optin: 227 << 10,
        shared_reserved: 1 << 10,
        l2: 50 << 20,
        bus_bits: 5120,
        memory_khz: 2_619_000,
        clock_khz: 1_980_000,
        double_ratio: 2,
        copy_engines: 3,
        pci_id: 0x2330_10de,
    };

    /// All models.
    pub const ALL: &[Self] = &[Self::V100, Self::T4, Self::A100, Self::L4, Self::H100];

    /// The model that settings call so.
    pub fn named(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|model| model.key.eq_ignore_ascii_case(key))
    }

    /// Compute capability as `.target` has it: 80 for sm_80.
    pub fn target(&self) -> u32 {
        self.compute.0 * 10 + self.compute.1
    }

    /// What a program is told when it asks for an attribute by its number in the API; `None` where the number is
    /// unknown. What textures, surfaces and the like could be is 0: there are none.
    pub fn attribute(&self, number: u32, ordinal: u32) -> Option<u32> {
        Some(match number {
            1 => THREADS_PER_BLOCK,
            2..=4 => BLOCK_LIMITS[number as usize - 2],
            5..=7 => GRID_LIMITS[number as usize - 5],
            8 => SHARED_PER_BLOCK,
            9 => CONSTANT_BYTES,
            10 => 32,
            11 => 0x7fff_ffff,
            12 | 82 => REGISTERS,
            13 => self.clock_khz,
            14 | 30 => 512,
            16 => self.multiprocessors,
            33 => ordinal + 1,
            36 => self.memory_khz,
            37 => self.bus_bits,
            38 => self.l2,
            39 => self.threads,
            40 => self.copy_engines,
            51 => 32,
            75 => self.compute.0,
            76 => self.compute.1,
            81 => self.shared,
            85 => ordinal,
            87 => self.double_ratio,
            97 => self.shared_optin,
            106 => self.blocks,
            111 => self.shared_reserved,
            126 => 1,
            130 | 131 | 134 => u32::MAX, // No NUMA node: -1 to the caller.
            139 => self.pci_id,
            // What this driver can do: overlap, map host memory, concurrent kernels, unified addressing, priorities,
            // caches, managed memory (also while a kernel runs), preemption, host pointers of registered memory,
            // cooperative launches, registration (also read-only), pools, writes that need no flush.
            15 | 19 | 31 | 41 | 78..=80 | 83 | 89..=91 | 95 | 98 | 99 | 113 | 115 => 1,
            // Its limits of access policies, and everything else that is known and is not there.
            _ if (1..=KNOWN_ATTRIBUTES).contains(&number) => 0,
            _ => return None,
        })
    }
}
