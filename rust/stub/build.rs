//! The stub brings its own entry point, before any C library's, and asks for no dynamic linker: where it runs there
//! is none, whatever the target it was built for.
fn main() {
    println!("cargo:rustc-link-arg-bins=-Wl,-e,stub_start,-s,--no-dynamic-linker");
    println!("cargo:rerun-if-changed=build.rs");
}
