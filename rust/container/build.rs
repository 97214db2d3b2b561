//! Gives filters that are kept in files the version of the compiler that made them: a hash of its source.
use std::path::Path;

fn main() -> std::io::Result<()> {
    let folder = Path::new("src/security/seccomp");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    for folder in [folder, &folder.join("tables")] {
        for entry in std::fs::read_dir(folder)? {
            files.push(entry?.path());
        }
    }
    files.retain(|file| file.extension().is_some_and(|end| end == "rs"));
    files.sort();
    // FNV-1a, 64 bit.
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in files {
        for byte in std::fs::read(file)? {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    println!("cargo:rustc-env=SECCOMP_COMPILER={hash:016x}");
    Ok(())
}
