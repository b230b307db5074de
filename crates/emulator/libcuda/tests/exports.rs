//! The shared library, loaded as programs load it.
#![cfg(target_os = "linux")]

use std::path::PathBuf;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW, Symbol};
use noam_emulator::libcuda::lookup;

/// To `dlopen`: only what is loaded already.
const RTLD_NOLOAD: i32 = 4;

fn library() -> Library {
    // Cargo builds it beside the tests.
    let folder = std::env::current_exe().ok().and_then(|path| path.parent().map(PathBuf::from));
    let path = folder.expect("a test is in a folder").join("libcuda.so");
    // SAFETY: the library runs no code of its own when it is loaded.
    unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) }.expect("the library can be loaded")
}

#[test]
fn every_function_is_exported() {
    let library = library();
    let missing: Vec<_> = lookup::entries()
        // SAFETY: nothing is done with the symbols.
        .filter(|entry| unsafe { library.get::<*const ()>(entry.name.as_bytes()) }.is_err())
        .map(|entry| entry.name)
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn it_is_found_by_its_name_and_answers() {
    let library = library();
    // SAFETY: the library is loaded already; the functions have these types.
    unsafe {
        let named = Library::open(Some("libcuda.so"), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
        let named = named.expect("a loaded library has the name libcuda.so");
        let version: Symbol<unsafe extern "C" fn(*mut i32) -> u32> =
            named.get(b"cuDriverGetVersion").expect("exported");
        let init: Symbol<unsafe extern "C" fn(u32) -> u32> = library.get(b"cuInit").expect("exported");
        let count: Symbol<unsafe extern "C" fn(*mut i32) -> u32> = library.get(b"cuDeviceGetCount").expect("exported");
        let (mut number, mut devices) = (0, 0);
        assert_eq!(version(&raw mut number), 0);
        assert_eq!(number, 13050);
        assert_eq!(count(&raw mut devices), 3, "not initialized");
        assert_eq!(init(0), 0);
        assert_eq!(count(&raw mut devices), 0);
        assert_eq!(devices, 1);
    }
}
