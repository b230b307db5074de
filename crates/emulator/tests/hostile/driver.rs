//! Hostile text through the C interface, called by address as a program does that has loaded a libcuda.

use std::{
    ffi::{CStr, CString, c_char},
    ptr::with_exposed_provenance,
};

use noam_emulator::{
    driver::{
        configure,
        control::take_reports,
        error::Code,
        model::Model,
        settings::{Settings, Sink},
    },
    finding::Checks,
    libcuda::lookup,
};

use crate::bytes::Bytes;

/// Instructions of warps that a kernel may take.
pub const STEPS: u64 = 4_000;

macro_rules! functions {
    ($($field:ident: $name:literal ($($arg:ty),*);)*) => {
        /// Functions of the API.
        #[derive(Clone, Copy)]
        pub struct Api {
            $($field: unsafe extern "C" fn($($arg),*) -> u32,)*
        }

        impl Api {
            fn find() -> Self {
                $(let $field = lookup::exact($name).expect("the function is there");)*
                // SAFETY: these are the functions' addresses, with the types that the API's header gives them.
                unsafe {
                    Self {
                        $($field: std::mem::transmute::<*const (), unsafe extern "C" fn($($arg),*) -> u32>(
                            with_exposed_provenance($field),
                        ),)*
                    }
                }
            }
        }
    };
}

functions! {
    init: "cuInit" (u32);
    ctx_create: "cuCtxCreate_v2" (*mut usize, u32, i32);
    ctx_destroy: "cuCtxDestroy_v2" (usize);
    ctx_synchronize: "cuCtxSynchronize" ();
    mem_alloc: "cuMemAlloc_v2" (*mut u64, usize);
    memset: "cuMemsetD8_v2" (u64, u8, usize);
    module_load: "cuModuleLoadData" (*mut usize, *const c_char);
    module_unload: "cuModuleUnload" (usize);
    module_count: "cuModuleGetFunctionCount" (*mut u32, usize);
    module_functions: "cuModuleEnumerateFunctions" (*mut usize, u32, usize);
    module_function: "cuModuleGetFunction" (*mut usize, usize, *const c_char);
    function_name: "cuFuncGetName" (*mut *const c_char, usize);
    param_info: "cuFuncGetParamInfo" (usize, usize, *mut usize, *mut usize);
    launch: "cuLaunchKernel"
        (usize, u32, u32, u32, u32, u32, u32, u32, usize, *const *const u8, *const *const u8);
}

/// What came of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it was loaded.
    pub loaded: bool,
    /// Kernels that ran to their end.
    pub ended: u32,
    /// Kernels that an error ended.
    pub failed: u32,
}

/// A thread's context with a buffer of memory.
pub struct Program {
    api: Api,
    context: usize,
    buffer: u64,
}

/// Bytes of the buffer.
const BUFFER: usize = 4096;

impl Program {
    /// Sets the process's driver up if it is not yet: every check on, every kernel's steps limited.
    pub fn new() -> Self {
        // Whoever is second finds it configured.
        let _ = configure(Settings {
            model: Model::H100,
            memory_bytes: 64 << 20,
            checks: Checks::ALL,
            count: true,
            report: Sink::None,
            threads: 1,
            step_budget: Some(STEPS),
            ..Settings::default()
        });
        let mut program = Self { api: Api::find(), context: 0, buffer: 0 };
        // SAFETY: the function takes no pointer.
        Self::succeeds(unsafe { (program.api.init)(0) });
        program.begin();
        program
    }

    /// A context: a kernel's failure ends the one before.
    fn begin(&mut self) {
        // SAFETY: the pointers are to variables.
        unsafe {
            Self::succeeds((self.api.ctx_create)(&mut self.context, 0, 0));
            Self::succeeds((self.api.mem_alloc)(&mut self.buffer, BUFFER));
            Self::succeeds((self.api.memset)(self.buffer, 1, BUFFER / 2));
        }
    }

    fn succeeds(result: u32) {
        assert_eq!(result, 0, "{:?}", Code::from_number(result));
    }

    /// A result that is one of the API's codes, and not that of a panic. Whether it is success.
    fn is_code(&self, result: u32) -> bool {
        let code = Code::from_number(result);
        assert!(code.is_some_and(|code| code != Code::Unknown), "{result}: {:?}", take_reports());
        result == 0
    }

    /// Loads a text and launches its kernels, with parameters made of `bytes`.
    pub fn run(&mut self, text: &str, bytes: &[u8]) -> Outcome {
        let mut outcome = Outcome::default();
        let Ok(text) = CString::new(text.split('\0').next().unwrap_or_default()) else { return outcome };
        let (mut module, mut count) = (0, 0);
        // SAFETY: the pointers are to a variable and to a text that a zero byte ends.
        outcome.loaded = self.is_code(unsafe { (self.api.module_load)(&mut module, text.as_ptr()) });
        if !outcome.loaded {
            drop(take_reports());
            return outcome;
        }
        let mut functions = [0; 4];
        // SAFETY: the pointers are to a variable and to as many as are said.
        unsafe {
            Self::succeeds((self.api.module_count)(&mut count, module));
            Self::succeeds((self.api.module_functions)(functions.as_mut_ptr(), functions.len() as u32, module));
        }
        let mut bytes = Bytes::new(bytes);
        let mut whole = true;
        for &function in &functions[..functions.len().min(count as usize)] {
            whole = self.kernel(module, function, &mut bytes);
            outcome.ended += u32::from(whole);
            outcome.failed += u32::from(!whole);
            if !whole {
                break;
            }
        }
        for report in take_reports() {
            assert!(!report.to_string().is_empty());
        }
        // SAFETY: the functions take no pointer.
        unsafe {
            if whole {
                Self::succeeds((self.api.module_unload)(module));
            } else {
                Self::succeeds((self.api.ctx_destroy)(self.context));
                drop(take_reports());
                self.begin();
            }
        }
        outcome
    }

    /// Launches a kernel. Whether the context is whole after it.
    fn kernel(&self, module: usize, function: usize, bytes: &mut Bytes<'_>) -> bool {
        let (mut name, mut found) = (std::ptr::null(), 0);
        // SAFETY: the pointers are to variables, and to the name that the driver gave.
        unsafe {
            Self::succeeds((self.api.function_name)(&mut name, function));
            let name = CStr::from_ptr(name);
            Self::succeeds((self.api.module_function)(&mut found, module, name.as_ptr()));
        }
        assert_eq!(function, found);
        let mut params: Vec<Vec<u8>> = Vec::new();
        let (mut offset, mut size) = (0, 0);
        // SAFETY: the pointers are to variables.
        while unsafe { (self.api.param_info)(function, params.len(), &mut offset, &mut size) } == 0 {
            params.push(bytes.param(size, &[self.buffer, self.buffer + 1024]));
        }
        let pointers: Vec<*const u8> = params.iter().map(|param| param.as_ptr()).collect();
        let [x, y, z] = bytes.block();
        let shared = [0, 256, 4096, 40_000][bytes.below(4)];
        // SAFETY: there is a pointer for each of the kernel's parameters, to as many bytes as it has.
        let launched = unsafe {
            let nothing = std::ptr::null();
            (self.api.launch)(function, 1 + (x & 1), 1, 1, x, y, z, shared, 0, pointers.as_ptr(), nothing)
        };
        self.is_code(launched);
        // SAFETY: the function takes no pointer.
        self.is_code(unsafe { (self.api.ctx_synchronize)() })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: the function takes no pointer.
        Self::succeeds(unsafe { (self.api.ctx_destroy)(self.context) });
    }
}
