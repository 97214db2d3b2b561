//! Any archive, through the real unpacker into a store of its own.

mod change;
pub mod entries;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::LazyLock;

use fastbox_engine::image::{Image, ImageError, ImportOptions, Limits, Reference, locate};

use crate::confined::{Confined, SENTINEL, World};

pub use change::mutate;

static CONFINED: LazyLock<Confined> = LazyLock::new(|| Confined::start("tar"));

/// Bounds of each import.
pub const LIMITS: Limits = Limits {
    max_bytes: 1 << 20,
    max_entries: 200,
};

/// Paths that an archive may have led somewhere else.
const PATHS: [&str; 8] = [
    "/outside/sentinel",
    "/etc/passwd",
    "a",
    "d/f",
    "s/sentinel",
    "d/up/outside/sentinel",
    "h",
    "x/../../outside/sentinel",
];

/// Imports an archive.
pub fn run(data: &[u8]) {
    let archive = whole(data);
    CONFINED.run(move |world| import(world, &archive));
}

/// An archive of whole blocks gets right checksums and an end, so that changes to its fields get
/// past them; any other stays as it is.
pub fn whole(data: &[u8]) -> Vec<u8> {
    match data.len() % entries::BLOCK {
        0 => entries::with_sums(data),
        _ => data.to_vec(),
    }
}

fn import(world: &World, archive: &[u8]) {
    let name = Reference::parse("fuzz").expect("a name");
    let options = ImportOptions {
        limits: LIMITS,
        ..ImportOptions::default()
    };
    match world.store.import(archive, &name, options) {
        Ok(imported) => {
            assert!(imported.bytes <= LIMITS.max_bytes && imported.entries <= LIMITS.max_entries);
            check_image(&imported.image);
            drop(imported);
            world.store.remove("fuzz", true).expect("an image goes");
        }
        Err(error) => check_error(&error),
    }
    world.check_empty();
    world.check_outside();
}

/// An image's files take no more room than allowed, and no path leads outside.
pub fn check_image(image: &Image) {
    for layer in &image.layers {
        let most = LIMITS.max_bytes + 8192 * LIMITS.max_entries;
        assert!(room(layer) <= most, "{} bytes on disk", room(layer));
    }
    for path in PATHS {
        if let Ok(Some(found)) = image.read_file(path, 4096) {
            assert_ne!(found, SENTINEL.as_bytes(), "{path} was read from outside");
        }
        if let Ok(located) = locate(&image.layers, Path::new(path)) {
            let steps = located.path.components();
            assert!(steps.skip(1).all(|step| step.as_os_str() != ".."));
        }
    }
}

/// Errors are short, and the disk was not what set the limit.
pub fn check_error(error: &ImageError) {
    let text = error.to_string();
    assert!(!text.contains("os error 28"), "{text}");
    assert!(text.len() < 16384, "an error of {} bytes", text.len());
}

/// Bytes that files and directories take.
fn room(path: &Path) -> u64 {
    let meta = fs::symlink_metadata(path).expect("what was unpacked is there");
    let mut bytes = meta.blocks() * 512;
    if meta.is_dir() {
        for entry in fs::read_dir(path).expect("root reads all") {
            bytes += room(&entry.expect("listed").path());
        }
    }
    bytes
}
