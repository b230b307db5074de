//! Calls through the C interface, as a program in C makes them. Every test has a context of its own; settings are the
//! process's, so they are the same for all: every check on, nothing written anywhere.

mod abi;
mod capture;
mod graph;
mod launch;
mod memcpy;
mod memory;
mod module;
mod stream;

use std::sync::Once;

use super::{context::*, initialization::*, types::*};
use crate::{
    driver::{
        self,
        error::Code,
        report::Report,
        settings::{Settings, Sink},
        thread,
    },
    finding::Checks,
};

/// A context that is current until it is dropped.
struct TestContext(CuContext);

impl Drop for TestContext {
    fn drop(&mut self) {
        // SAFETY: the function takes no pointer.
        unsafe { cuCtxDestroy_v2(self.0) };
    }
}

/// Begins a test.
fn start() -> TestContext {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let settings = Settings { checks: Checks::ALL, report: Sink::None, count: true, ..Settings::default() };
        driver::configure(settings).expect("nothing has used the driver before");
    });
    let mut context = CuContext::NULL;
    // SAFETY: the pointers are to variables, or null.
    unsafe {
        ok(cuInit(0));
        ok(cuCtxCreate_v4(Out::to(&mut context), In::null(), 0, 0));
    }
    assert_eq!(thread::current_handle(), context);
    TestContext(context)
}

/// The call has succeeded.
#[track_caller]
fn ok(result: u32) {
    assert_eq!(Code::from_number(result), Some(Code::Success), "{:?}", reports());
}

/// The call has failed so.
#[track_caller]
fn fails(result: u32, code: Code) {
    assert_eq!(Code::from_number(result), Some(code));
}

/// The reports that this thread's calls have caused, which are then forgotten.
fn reports() -> Vec<Report> {
    let here = std::thread::current().id();
    driver::driver().journal.take_reports(|report| report.caller == here)
}

/// A buffer of the test's as a source or target of copies.
fn host<T>(values: &[T]) -> Host {
    // SAFETY: the tests copy no more than there is, and keep it for as long as a graph can use it.
    unsafe { Host::new(values.as_ptr().cast()) }
}

/// A buffer of the test's as a target of copies.
fn host_mut<T>(values: &mut [T]) -> Host {
    // SAFETY: as above.
    unsafe { Host::new(values.as_mut_ptr().cast_const().cast()) }
}

/// Device memory of so many bytes.
fn device_memory(bytes: usize) -> CuDevicePtr {
    let mut address = 0;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { super::memory::cuMemAlloc_v2(Out::to(&mut address), bytes) });
    address
}

/// Device memory that holds these values.
fn on_device<T>(values: &[T]) -> CuDevicePtr {
    let address = device_memory(size_of_val(values));
    // SAFETY: the range is that of the values.
    ok(unsafe { super::memcpy::cuMemcpyHtoD_v2(address, host(values), size_of_val(values)) });
    address
}

/// What device memory holds.
fn from_device<T: Default + Copy>(address: CuDevicePtr, count: usize) -> Vec<T> {
    let mut values = vec![T::default(); count];
    // SAFETY: the range is that of the values.
    ok(unsafe { super::memcpy::cuMemcpyDtoH_v2(host_mut(&mut values), address, count * size_of::<T>()) });
    values
}

fn free(address: CuDevicePtr) {
    // SAFETY: the function takes no pointer of the host's.
    ok(unsafe { super::memory::cuMemFree_v2(address) });
}

#[test]
fn a_panic_becomes_a_result() {
    let _context = start();
    let result = super::entry::call("cuTest", super::entry::When::Always, || panic!("on purpose"));
    fails(result, Code::Unknown);
}

#[test]
fn errors_have_names_and_words() {
    let mut text = 0;
    // SAFETY: the pointer is to a variable.
    unsafe {
        ok(cuGetErrorName(700, Out::to(&mut text)));
        let name = std::ffi::CStr::from_ptr(std::ptr::with_exposed_provenance(text));
        assert_eq!(name.to_str(), Ok("CUDA_ERROR_ILLEGAL_ADDRESS"));
        ok(cuGetErrorString(700, Out::to(&mut text)));
        let words = std::ffi::CStr::from_ptr(std::ptr::with_exposed_provenance(text));
        assert_eq!(words.to_str(), Ok("an illegal memory access was encountered"));
        fails(cuGetErrorName(123_456, Out::to(&mut text)), Code::InvalidValue);
        assert_eq!(text, 0);
        fails(cuGetErrorName(1, Out::null()), Code::InvalidValue);
    }
}

/// The module of `kernels.ptx`.
fn load() -> CuModule {
    let mut module = CuModule::NULL;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { super::module::cuModuleLoadData(Out::to(&mut module), kernels()) });
    module
}

fn kernels() -> ImageData<'static> {
    const TEXT: &str = concat!(include_str!("kernels.ptx"), "\0");
    ImageData::from(std::ffi::CStr::from_bytes_with_nul(TEXT.as_bytes()).expect("PTX has no zero bytes"))
}

fn function(module: CuModule, name: &std::ffi::CStr) -> CuFunction {
    let mut function = CuFunction::NULL;
    // SAFETY: the pointer is to a variable.
    ok(unsafe { super::module::cuModuleGetFunction(Out::to(&mut function), module, Text::from(name)) });
    function
}

/// A pointer to a parameter.
fn arg<T>(value: &T) -> *const u8 {
    (&raw const *value).cast()
}

/// Launches a kernel in the null stream, with pointers to its parameters.
fn run_kernel(function: CuFunction, grid: [u32; 3], block: [u32; 3], shared: u32, params: &[*const u8]) {
    let ([x, y, z], [bx, by, bz]) = (grid, block);
    // SAFETY: the tests give as many parameters as the kernel has, of its types.
    unsafe {
        let params = KernelParams::new(params.as_ptr());
        let stream = CuStream::NULL;
        ok(super::launch::cuLaunchKernel(function, x, y, z, bx, by, bz, shared, stream, params, Extra::NULL));
        ok(cuCtxSynchronize());
    }
}
