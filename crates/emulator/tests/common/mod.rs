//! A device for tests: memory, a module, launches, with every check on.

#![allow(dead_code)] // Each test file uses a part of it.

use std::{cell::RefCell, sync::Arc};

use noam_emulator::{
    counters::Counters,
    exec::{self, Launch, Options, Outcome},
    memory::{AllocationKind, Memory},
    module::Module,
};

/// A device with a module loaded.
pub struct Device {
    pub memory: Arc<Memory>,
    pub module: Module,
    pub options: Options,
    /// What each launch counted, in order.
    pub counted: RefCell<Vec<Counters>>,
}

/// A value that memory and parameters hold.
pub trait Plain: Copy {
    fn bytes(self) -> Vec<u8>;
    fn of(bytes: &[u8]) -> Self;
}

macro_rules! plain {
    ($($ty:ty)*) => {$(
        impl Plain for $ty {
            fn bytes(self) -> Vec<u8> {
                self.to_le_bytes().to_vec()
            }
            fn of(bytes: &[u8]) -> Self {
                Self::from_le_bytes(bytes.try_into().expect("as many bytes as the type has"))
            }
        }
    )*};
}

plain!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

/// A kernel's parameter.
#[derive(Clone, Debug)]
pub struct Arg(pub Vec<u8>);

impl<T: Plain> From<T> for Arg {
    fn from(value: T) -> Self {
        Self(value.bytes())
    }
}

impl Device {
    /// Loads a module.
    pub fn new(ptx: &str) -> Self {
        let memory = Arc::new(Memory::new(8 << 30));
        let module = Module::load(ptx, &memory).unwrap_or_else(|error| panic!("{error}"));
        Self { memory, module, options: Options::default(), counted: RefCell::default() }
    }

    /// Loads a module with execution functions that use nothing a machine may lack.
    pub fn portable(ptx: &str) -> Self {
        let memory = Arc::new(Memory::new(8 << 30));
        let module = Module::load_portable(ptx, &memory).unwrap_or_else(|error| panic!("{error}"));
        Self { memory, module, options: Options::default(), counted: RefCell::default() }
    }

    /// Memory with these values.
    pub fn upload<T: Plain>(&self, values: &[T]) -> u64 {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.bytes()).collect();
        let address = self.memory.allocate(bytes.len() as u64, AllocationKind::Device).expect("memory");
        self.memory.write(address, &bytes).expect("a fresh allocation can be written");
        address
    }

    /// Memory that nothing has written.
    pub fn allocate<T: Plain>(&self, count: usize) -> u64 {
        self.memory.allocate((count * size_of::<T>()) as u64, AllocationKind::Device).expect("memory")
    }

    /// What memory holds.
    pub fn download<T: Plain>(&self, address: u64, count: usize) -> Vec<T> {
        let mut bytes = vec![0; count * size_of::<T>()];
        self.memory.read(address, &mut bytes).expect("the allocation is that long");
        bytes.chunks(size_of::<T>()).map(T::of).collect()
    }

    /// Launches a kernel.
    pub fn launch(&self, name: &str, grid: [u32; 3], block: [u32; 3], shared: u32, args: &[Arg]) -> Outcome {
        self.run(name, Launch { grid, block, shared_bytes: shared, cooperative: false, params: &[] }, args)
    }

    /// Launches a kernel whose blocks may wait for each other, and expects that nothing is wrong.
    pub fn cooperative(&self, name: &str, grid: [u32; 3], block: [u32; 3], shared: u32, args: &[Arg]) -> Outcome {
        self.expect_clean(name, Launch { grid, block, shared_bytes: shared, cooperative: true, params: &[] }, args)
    }

    /// Launches a kernel and expects that nothing is wrong.
    pub fn clean(&self, name: &str, grid: [u32; 3], block: [u32; 3], shared: u32, args: &[Arg]) -> Outcome {
        self.expect_clean(name, Launch { grid, block, shared_bytes: shared, cooperative: false, params: &[] }, args)
    }

    fn expect_clean(&self, name: &str, launch: Launch<'_>, args: &[Arg]) -> Outcome {
        let outcome = self.run(name, launch, args);
        assert!(outcome.findings.is_empty(), "{name}: {:#?}", outcome.findings);
        assert!(outcome.failure.is_none(), "{name}: {:#?}", outcome.failure);
        outcome
    }

    fn run(&self, name: &str, launch: Launch<'_>, args: &[Arg]) -> Outcome {
        let kernel = self.module.kernel(name).unwrap_or_else(|| panic!("no kernel {name}"));
        let code = self.module.code(kernel);
        assert_eq!(code.params.len(), args.len(), "{name} takes {} parameters", code.params.len());
        let mut params = vec![0; code.param_bytes as usize];
        for (param, arg) in code.params.iter().zip(args) {
            assert_eq!(param.bytes as usize, arg.0.len(), "{name}: a parameter of {} bytes", param.bytes);
            params[param.offset as usize..][..arg.0.len()].copy_from_slice(&arg.0);
        }
        let outcome = exec::run(code, &self.memory.map(), Launch { params: &params, ..launch }, &self.options);
        self.counted.borrow_mut().push(outcome.counters.clone());
        outcome
    }
}

/// Pseudo-random numbers: splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between -1 and 1.
    pub fn uniform(&mut self) -> f32 {
        ((self.next() >> 40) as f32 / (1u64 << 24) as f32) * 2.0 - 1.0
    }

    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.uniform()).collect()
    }
}
