//! Puts the stub (`FASTBOX_STUB`, built before) into the launcher. Without it, as in a build of the whole workspace,
//! the launcher hands everything over, unless `FASTBOX_PROGRAMS` says where the programs are.
use std::path::Path;

fn main() -> std::io::Result<()> {
    // Nine tenths of the file would be for debuggers.
    println!("cargo:rustc-link-arg-bins=-s");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=FASTBOX_STUB");
    let folder = std::env::var_os("OUT_DIR").unwrap_or_default();
    let copy = Path::new(&folder).join("fastbox-stub");
    match std::env::var_os("FASTBOX_STUB") {
        Some(stub) => {
            println!("cargo:rerun-if-changed={}", Path::new(&stub).display());
            std::fs::copy(stub, copy).map(drop)
        }
        None => std::fs::write(copy, []),
    }
}
