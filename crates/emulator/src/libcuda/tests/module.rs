//! Modules: what is loaded, what is refused, and what a module is asked.

use super::*;
use crate::libcuda::{function::*, module::*};

fn data(text: &std::ffi::CStr) -> ImageData<'_> {
    ImageData::from(text)
}

/// Loads an image with buffers for logs; gives the error log.
fn refused(image: ImageData<'_>, code: Code) -> String {
    let mut module = CuModule::NULL;
    let mut log = [7u8; 200];
    let names = [5u32, 6];
    let mut values = [OptionValue::of(log.as_mut_ptr().expose_provenance()), OptionValue::of(200)];
    // SAFETY: the log is as long as the options say.
    unsafe {
        let place = OutArray::to(&mut values);
        fails(cuModuleLoadDataEx(Out::to(&mut module), image, 2, In::from_slice(&names), place), code);
    }
    assert!(module.is_null());
    let bytes = values[1].number();
    assert!(bytes <= 200);
    if bytes == 200 && log[199] == 7 {
        return String::new();
    }
    assert_eq!(log[bytes - 1], 0);
    String::from_utf8_lossy(&log[..bytes - 1]).into_owned()
}

#[test]
fn an_image_that_is_no_ptx_for_the_device_is_refused_as_a_driver_does() {
    let _context = start();
    assert_eq!(refused(data(c"\x7fELF\x02\x01\x01"), Code::NoBinaryForGpu), "");
    assert_eq!(refused(data(c"\x50\xed\x55\xba\x01"), Code::NoBinaryForGpu), "");
    let report = reports().remove(0).to_string();
    assert!(report.contains("machine code"), "{report}");
    let log = refused(data(c"this is no program"), Code::InvalidPtx);
    assert!(log.starts_with("error: 1:1"), "{log}");
    let text = c".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k() {\n  frobnicate.b32 %r0;\n}";
    let log = refused(data(text), Code::InvalidPtx);
    assert!(log.contains("frobnicate") && (log.contains("5:3") || log.contains("line 5, column 3")), "{log}");
    let text = c".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry k() { ret; }";
    let log = refused(data(text), Code::InvalidPtx);
    assert!(log.contains("sm_90") && log.contains("sm_80"), "{log}");
    let text = c".version 9.6\n.target sm_80\n.address_size 64\n.visible .entry k() { ret; }";
    let log = refused(data(text), Code::UnsupportedPtxVersion);
    assert!(log.contains("9.6") && log.contains("9.5"), "{log}");
    let mut module = CuModule::NULL;
    // SAFETY: the pointers are to variables, text, or null.
    unsafe {
        fails(cuModuleLoadData(Out::null(), kernels()), Code::InvalidValue);
        fails(cuModuleLoad(Out::to(&mut module), Text::from(c"/nowhere/at/all.ptx")), Code::FileNotFound);
    }
}

#[test]
fn variables_are_found_read_and_written() {
    let _context = start();
    let module = load();
    let (mut address, mut bytes) = (0, 0);
    // SAFETY: the pointers are to variables.
    unsafe {
        ok(cuModuleGetGlobal_v2(Out::to(&mut address), Out::to(&mut bytes), module, Text::from(c"table")));
        let missing = cuModuleGetGlobal_v2(Out::to(&mut address), Out::null(), module, Text::from(c"tables"));
        fails(missing, Code::NotFound);
    }
    assert_eq!(bytes, 16);
    assert_eq!(from_device::<u32>(address, 4), [10, 20, 30, 40]);
    // SAFETY: the range is that of the value.
    ok(unsafe { crate::libcuda::memcpy::cuMemcpyHtoD_v2(address + 8, host(&[33u32]), 4) });
    let out = device_memory(8);
    run_kernel(function(module, c"variables"), [1; 3], [1; 3], 0, &[arg(&out)]);
    assert_eq!(from_device::<u32>(out, 2), [33, 2.0f32.to_bits()]);
    free(out);
    // SAFETY: the function takes no pointer of the host's.
    unsafe {
        fails(crate::libcuda::memory::cuMemFree_v2(address), Code::InvalidValue);
        ok(cuModuleUnload(module));
        fails(cuModuleUnload(module), Code::InvalidHandle);
    }
}

#[test]
fn a_kernel_says_what_it_needs() {
    let _context = start();
    let module = load();
    let add = function(module, c"add");
    let get = |attribute, function| {
        let mut value = -7;
        // SAFETY: the pointer is to a variable.
        ok(unsafe { cuFuncGetAttribute(Out::to(&mut value), attribute, function) });
        value
    };
    assert_eq!(get(0, add), 1024);
    assert_eq!(get(0, function(module, c"bounded")), 64);
    assert_eq!(get(1, function(module, c"shared40")), 40960);
    assert_eq!(get(2, add), 4, "bytes of constant variables");
    assert_eq!((get(5, add), get(6, add)), (80, 80));
    assert!((1..=16).contains(&get(4, add)), "registers");
    assert_eq!(get(8, function(module, c"shared40")), 8192);
    let (mut offset, mut bytes, mut name, mut again) = (0, 0, 0, CuFunction::NULL);
    // SAFETY: the pointers are to variables.
    unsafe {
        let mixed = function(module, c"mixed");
        for (at, expected) in [(0, 1), (8, 8), (16, 2), (20, 4)].into_iter().enumerate() {
            ok(cuFuncGetParamInfo(mixed, at, Out::to(&mut offset), Out::to(&mut bytes)));
            assert_eq!((offset, bytes), expected);
        }
        fails(cuFuncGetParamInfo(mixed, 4, Out::to(&mut offset), Out::to(&mut bytes)), Code::InvalidValue);
        ok(cuFuncGetName(Out::to(&mut name), mixed));
        assert_eq!(std::ffi::CStr::from_ptr(std::ptr::with_exposed_provenance(name)), c"mixed");
        ok(cuModuleGetFunction(Out::to(&mut again), module, Text::from(c"add")));
        assert_eq!(again, add, "the same kernel has one handle");
        fails(cuModuleGetFunction(Out::to(&mut again), module, Text::from(c"sub")), Code::NotFound);
        fails(cuFuncSetAttribute(add, 8, 166_913), Code::InvalidValue);
        fails(cuFuncSetAttribute(add, 8, -1), Code::InvalidValue);
        ok(cuFuncSetAttribute(add, 8, 166_912));
        fails(cuFuncSetAttribute(add, 4, 12), Code::InvalidValue);
        ok(cuModuleUnload(module));
        fails(cuFuncGetAttribute(Out::to(&mut 0), 0, add), Code::InvalidHandle);
    }
}

#[test]
fn libraries_hold_kernels_without_a_context() {
    let _context = start();
    let (mut library, mut kernel, mut count) = (CuLibrary::NULL, CuFunction::NULL, 0);
    // SAFETY: the pointers are to variables, or null.
    unsafe {
        let place = Out::to(&mut library);
        ok(cuLibraryLoadData(place, kernels(), In::null(), OutArray::null(), 0, In::null(), In::null(), 0));
        ok(cuLibraryGetKernelCount(Out::to(&mut count), library));
        let mut all = vec![CuFunction::NULL; count as usize];
        ok(cuLibraryEnumerateKernels(OutArray::to(&mut all), count, library));
        ok(cuLibraryGetKernel(Out::to(&mut kernel), library, Text::from(c"add")));
        assert!(all.contains(&kernel));
        let (mut function, mut back) = (CuFunction::NULL, CuLibrary::NULL);
        ok(cuKernelGetFunction(Out::to(&mut function), kernel));
        ok(cuKernelGetLibrary(Out::to(&mut back), kernel));
        assert_eq!(back, library);
        let words = on_device(&[1u32, 2]);
        run_kernel(function, [1; 3], [2, 1, 1], 0, &[arg(&words), arg(&5u32), arg(&2u32)]);
        assert_eq!(from_device::<u32>(words, 2), [6, 7]);
        free(words);
        ok(cuLibraryUnload(library));
        fails(cuKernelGetFunction(Out::to(&mut function), kernel), Code::InvalidHandle);
    }
}

#[test]
fn linked_text_is_loaded_like_any_other() {
    let _context = start();
    let first = c"
        .version 8.0
        .target sm_80
        .address_size 64
        .extern .func (.param .u32 r) twice(.param .u32 x);
        .visible .entry k(.param .u64 out)
        {
            .reg .b32 %r<2>;
            .reg .b64 %d<1>;
            ld.param.u64 %d0, [out];
            {
                .param .u32 a;
                .param .u32 b;
                st.param.u32 [a], 21;
                call (b), twice, (a);
                ld.param.u32 %r0, [b];
            }
            st.global.u32 [%d0], %r0;
            ret;
        }";
    let second = c"
        .version 7.0
        .target sm_70
        .address_size 64
        .visible .func (.param .u32 r) twice(.param .u32 x)
        {
            .reg .b32 %r<2>;
            ld.param.u32 %r0, [x];
            add.u32 %r1, %r0, %r0;
            st.param.u32 [r], %r1;
            ret;
        }";
    let (mut state, mut image, mut bytes, mut module) = (CuLinkState::NULL, 0, 0, CuModule::NULL);
    // SAFETY: the pointers are to variables and text.
    unsafe {
        ok(cuLinkCreate_v2(0, In::null(), OutArray::null(), Out::to(&mut state)));
        for text in [first, second] {
            let (count, name) = (text.count_bytes() + 1, Text::from(c"input"));
            ok(cuLinkAddData_v2(state, 1, data(text), count, name, 0, In::null(), OutArray::null()));
        }
        let cubin = cuLinkAddData_v2(state, 0, data(first), 4, Text::from(c"x"), 0, In::null(), OutArray::null());
        fails(cubin, Code::NoBinaryForGpu);
        ok(cuLinkComplete(state, Out::to(&mut image), Out::to(&mut bytes)));
        let text = std::ffi::CStr::from_ptr(std::ptr::with_exposed_provenance(image));
        assert_eq!(text.count_bytes() + 1, bytes);
        ok(cuModuleLoadData(Out::to(&mut module), data(text)));
        ok(cuLinkDestroy(state));
    }
    let out = device_memory(4);
    run_kernel(function(module, c"k"), [1; 3], [1; 3], 0, &[arg(&out)]);
    assert_eq!(from_device::<u32>(out, 1), [42]);
    free(out);
}
