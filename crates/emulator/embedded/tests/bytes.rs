//! What is embedded is what cargo has built.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

#[test]
fn the_library_is_the_file_beside_this_test() {
    let test = std::env::current_exe().expect("a test has a path");
    let file = std::fs::read(test.with_file_name("libcuda.so")).expect("cargo builds it beside the tests");
    let embedded = noam_libcuda_embedded::library().expect("there is one on Linux");
    assert_eq!(embedded.len(), file.len());
    assert!(embedded == file, "another build of the library is embedded");
}
