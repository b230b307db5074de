//! The emulator's `libcuda.so` as bytes in a program, for it to write where other programs find it.
//!
//! Cargo builds the shared library of `noam-libcuda` first, since this crate depends on it; then the assembler takes
//! the file in. `include_bytes!` would do, but for `cargo check`, `cargo clippy` and `cargo doc`, which build no shared
//! libraries: they run no assembler either.
//!
//! Incremental compilation does not know that the assembler reads a file, and would keep an old one: the workspace's
//! profiles switch it off for this crate, and with `CARGO_INCREMENTAL=1` the assembler's text is another one each time.

#[cfg(embedded)]
mod bytes {
    std::arch::global_asm!(
        ".pushsection .rodata.noam_libcuda,\"a\"",
        ".balign 16",
        ".globl noam_libcuda_start",
        ".hidden noam_libcuda_start",
        "noam_libcuda_start:",
        concat!(".incbin \"", env!("NOAM_LIBCUDA"), "\" /* ", env!("NOAM_LIBCUDA_BUILD"), " */"),
        ".globl noam_libcuda_end",
        ".hidden noam_libcuda_end",
        "noam_libcuda_end:",
        ".byte 0",
        ".popsection",
        options(raw),
    );

    unsafe extern "C" {
        /// The first byte of the file.
        #[link_name = "noam_libcuda_start"]
        safe static START: u8;
        /// The byte after the last one of the file.
        #[link_name = "noam_libcuda_end"]
        safe static END: u8;
    }

    pub fn library() -> &'static [u8] {
        let (start, end) = (&raw const START, &raw const END);
        // SAFETY: the assembler has put the file's bytes between the two labels, and nothing else, in a section that is
        // loaded with the program, stays as long as it and is never written. The end is past the start, and both are of
        // one section, so that their distance is the file's length.
        unsafe { std::slice::from_raw_parts(start, end.addr() - start.addr()) }
    }
}

/// The shared library; none if this program is for another system than Linux with glibc.
pub fn library() -> Option<&'static [u8]> {
    #[cfg(embedded)]
    return Some(bytes::library());
    #[cfg(not(embedded))]
    None
}
