//! Filters in files, for processes that live as long as one container: to compile one takes a fifth of its start.
//!
//! A file holds what it was made from, byte by byte, so that no filter is ever taken for another's; it is written
//! whole or not at all, in a directory of the user's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Arch, Filter, Instruction, MAX_INSTRUCTIONS};

/// Profiles that are kept; further ones are compiled each time.
const MOST: usize = 64;

static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();

/// Keeps filters that this process compiles in `directory`, and takes from there what others have compiled. The
/// directory must be this user's alone to change. The first call counts.
pub fn keep_filters_in(directory: PathBuf) {
    let _ = DIRECTORY.set(directory);
}

/// The filter of a document, if it is kept.
pub(super) fn find(arch: Arch, document: &str) -> Option<Filter> {
    read(&file(DIRECTORY.get()?, document), &head(arch, document))
}

/// Keeps one. That it cannot be is no error.
pub(super) fn keep(arch: Arch, document: &str, filter: &Filter) {
    if let Some(directory) = DIRECTORY.get() {
        let _ = write(directory, document, &head(arch, document), filter);
    }
}

/// Everything that a filter follows from.
fn head(arch: Arch, document: &str) -> Vec<u8> {
    let compiler = env!("SECCOMP_COMPILER");
    let mut head = format!("seccomp filter {compiler} {arch:?} {}\n", document.len()).into_bytes();
    head.extend_from_slice(document.as_bytes());
    head
}

fn file(directory: &Path, document: &str) -> PathBuf {
    // FNV-1a, 64 bit: where two meet, the one that came last is kept.
    let hash = document
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    directory.join(format!("{hash:016x}"))
}

fn read(file: &Path, head: &[u8]) -> Option<Filter> {
    let bytes = fs::read(file).ok()?;
    let (flags, program) = bytes.strip_prefix(head)?.split_first_chunk()?;
    let whole = program.len().is_multiple_of(8) && program.len() / 8 <= MAX_INSTRUCTIONS;
    (whole && !program.is_empty()).then(|| Filter {
        instructions: program.chunks_exact(8).map(instruction).collect(),
        flags: u32::from_ne_bytes(*flags),
    })
}

fn instruction(bytes: &[u8]) -> Instruction {
    Instruction {
        code: u16::from_ne_bytes([bytes[0], bytes[1]]),
        jt: bytes[2],
        jf: bytes[3],
        k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
    }
}

fn write(directory: &Path, document: &str, head: &[u8], filter: &Filter) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    if fs::read_dir(directory)?.count() >= MOST {
        return Ok(());
    }
    let mut bytes = head.to_vec();
    bytes.extend(filter.flags.to_ne_bytes());
    bytes.extend(filter.instructions.iter().flat_map(Instruction::bytes));
    let file = file(directory, document);
    let new = file.with_extension(std::process::id().to_string());
    let written = fs::write(&new, bytes).and_then(|()| fs::rename(&new, &file));
    written.inspect_err(|_| drop(fs::remove_file(&new)))
}

#[cfg(test)]
mod tests {
    use super::super::{KernelVersion, compile, default_profile};
    use super::*;
    use crate::security::caps::CapSet;

    #[test]
    fn what_is_kept_is_what_was_compiled_and_nothing_else_is_taken() {
        let directory = std::env::temp_dir().join(format!("fastbox-kept-{}", std::process::id()));
        let kernel = KernelVersion { major: 6, minor: 1 };
        let spec = default_profile().resolve(CapSet::DOCKER, Arch::X86_64, kernel);
        let document = serde_json::to_string(&spec).unwrap();
        let filter = compile(&spec, Arch::X86_64).unwrap();
        let whole = head(Arch::X86_64, &document);
        let place = file(&directory, &document);
        assert_eq!(read(&place, &whole), None);
        write(&directory, &document, &whole, &filter).unwrap();
        assert_eq!(read(&place, &whole), Some(filter.clone()));
        // Of another document of this hash, or another architecture.
        let other = document.replace("chmod", "chmoe");
        assert_eq!(read(&place, &head(Arch::X86_64, &other)), None);
        assert_eq!(read(&place, &head(Arch::Aarch64, &document)), None);
        // Damaged: cut, or longer than any program.
        let bytes = fs::read(&place).unwrap();
        for length in [0, 10, whole.len(), whole.len() + 4, bytes.len() - 3] {
            fs::write(&place, &bytes[..length]).unwrap();
            assert_eq!(read(&place, &whole), None, "{length}");
        }
        fs::write(&place, [&bytes[..], &[0; 8 * MAX_INSTRUCTIONS]].concat()).unwrap();
        assert_eq!(read(&place, &whole), None);
        fs::remove_dir_all(&directory).unwrap();
    }
}
