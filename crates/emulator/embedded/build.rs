//! Says where cargo puts the shared library of `noam-libcuda`, which may not be built yet.

use std::env;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CARGO_INCREMENTAL");
    println!("cargo:rustc-check-cfg=cfg(embedded)");
    let target = |part: &str| env::var(format!("CARGO_CFG_TARGET_{part}")).unwrap_or_default();
    // Elsewhere the emulator has no shared library that a program could find as its driver.
    if target("OS") != "linux" || target("ENV") != "gnu" {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // PROFILE/build/noam-libcuda-embedded-HASH/out, beside PROFILE/deps.
    let profile = out.ancestors().nth(3).unwrap_or(Path::new(""));
    let library = profile.join("deps/libcuda.so");
    // It becomes a string of the assembler.
    let path = library.to_str().expect("the target folder's name is UTF-8").replace('\\', "\\\\").replace('"', "\\\"");
    println!("cargo:rustc-env=NOAM_LIBCUDA={path}");
    println!("cargo:rustc-env=NOAM_LIBCUDA_BUILD={}", build());
    println!("cargo:rustc-cfg=embedded");
}

/// What is another text for every build, where the compiler would otherwise keep the bytes of an old one.
fn build() -> u128 {
    // The profiles switch incremental compilation off, and this variable overrides them.
    if env::var("CARGO_INCREMENTAL").as_deref() != Ok("1") {
        return 0;
    }
    // A file that is never there: cargo runs this script each time.
    println!("cargo:rerun-if-changed=no-such-file");
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}
