//! The stub brings its own entry point, before any C library's.
fn main() {
    println!("cargo:rustc-link-arg-bins=-Wl,-e,stub_start,-s");
    println!("cargo:rerun-if-changed=build.rs");
}
