//! Every function of the driver API with nothing but zeros, before `cuInit` and after it: an error, or nothing to do.

use noam_emulator::{
    driver::{
        configure,
        error::Code,
        settings::{Settings, Sink},
    },
    libcuda::lookup,
};

/// More arguments than any function has. On the processors here the caller owns them, and who takes fewer leaves the
/// rest alone.
type Call = unsafe extern "C" fn(
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
    usize,
) -> u32;

fn call(address: usize) -> u32 {
    // SAFETY: the address is that of a function of the API. All its arguments are numbers or pointers, and zero is
    // allowed for each: no function takes a null pointer for anything but an absent one.
    unsafe {
        let function: Call = std::mem::transmute(std::ptr::with_exposed_provenance::<()>(address));
        function(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    }
}

#[test]
fn zeros_harm_nothing() {
    configure(Settings { report: Sink::None, ..Settings::default() }).expect("nothing has used the emulator before");
    let before: &[(&str, u32)] = &[
        ("cuGetErrorName", 1),
        ("cuGetErrorString", 1),
        ("cuDriverGetVersion", 1),
        ("cuGetProcAddress", 1),
        ("cuGetProcAddress_v2", 1),
        ("cuGetExportTable", 1),
        ("cuModuleGetLoadingMode", 1),
    ];
    let mut refused = 0;
    for entry in lookup::entries().filter(|entry| entry.name != "cuInit") {
        let result = call((entry.address)());
        match before.iter().find(|(name, _)| *name == entry.name) {
            Some(&(name, expected)) => assert_eq!(result, expected, "{name}"),
            None if result == Code::NotSupported as u32 => {}
            None => {
                assert_eq!(result, Code::NotInitialized as u32, "{}", entry.name);
                refused += 1;
            }
        }
    }
    assert!(refused > 300, "{refused}");
    for current in [false, true] {
        assert_eq!(call(lookup::exact("cuInit").expect("it is there")), 0);
        for entry in lookup::entries() {
            if current && !entry.name.starts_with("cuCtx") {
                let context = noam_emulator::driver::driver().device(0).expect("there is one").retain_primary();
                noam_emulator::driver::thread::set_current(context.handle);
            }
            let result = call((entry.address)());
            assert_ne!(result, Code::Unknown as u32, "{} has panicked", entry.name);
            assert!(Code::from_number(result).is_some(), "{} gives {result}", entry.name);
        }
    }
}
