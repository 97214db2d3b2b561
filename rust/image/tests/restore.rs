//! Stores as a machine leaves them that stops before their files are on the disk: the blobs are there,
//! layers, notes and trees may be anything.

mod common;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::images::{Files, named, packed};
use common::{Scratch, Tar, list, name};
use fastbox_image::{Digest, ImageError, Store};
use serde_json::Value;

/// A file of an image, which only an upper layer changes.
const TEXT: &str = "etc/text";

fn low() -> Vec<u8> {
    let tar = Tar::new().dir(".").dir("etc").file(TEXT, b"low");
    let tar = tar.file("big", &vec![7; 300_000]).hard_link("same", "big");
    tar.symlink("link", "big").end()
}

fn top() -> Vec<u8> {
    let tar = Tar::new().file(TEXT, b"top").file("etc/.wh.gone", b"");
    // Into the layer below: only the notes know of it.
    tar.hard_link("linked", "big").end()
}

/// An OCI archive of an image, its layers compressed so that no view of Docker's can have them.
fn archive(tag: &str, layers: &[Vec<u8>]) -> Vec<u8> {
    let (files, manifest) = Files::default().image(layers, |layer| packed("zstd", layer));
    files.layout(&[named(manifest, tag)]).tar()
}

/// All records of files that may not be on the disk say that another boot of the kernel wrote them.
fn other_boot(store: &Store) {
    assert!(marks(store).iter().any(|mark| mark["boot"].is_string()));
    for file in list(&store.root().join("refs")) {
        let path = store.root().join("refs").join(file);
        let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if let Some(boot) = record.pointer_mut("/unsettled/boot") {
            *boot = "00000000-0000-0000-0000-000000000000".into();
        }
        std::fs::write(&path, record.to_string()).unwrap();
    }
}

/// What ext4 leaves of files whose data was never written: their names.
fn empty(directory: &Path) {
    for path in walk(directory) {
        if path.symlink_metadata().unwrap().is_file() {
            File::create(&path).unwrap();
        }
    }
}

/// The machine stops too early.
fn stop(store: &Store) {
    other_boot(store);
    for part in ["layers", "trees", "notes"] {
        empty(&store.root().join(part));
    }
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for name in list(directory) {
        let path = directory.join(name);
        if path.symlink_metadata().unwrap().is_dir() {
            found.extend(walk(&path));
        }
        found.push(path);
    }
    found
}

type Listing = BTreeMap<PathBuf, (Vec<i64>, Digest)>;

/// Everything below the unpacked parts of a store, by path: attributes, and digest of the contents.
/// What has no entry in an archive gets the time it is made at: notes, directories and
/// whiteouts of a layer.
fn listing(store: &Store) -> Listing {
    let mut listing = Listing::new();
    for part in ["layers", "trees", "notes"] {
        for path in walk(&store.root().join(part)) {
            let meta = path.symlink_metadata().unwrap();
            let mut numbers = [meta.mode(), meta.uid(), meta.gid()]
                .map(i64::from)
                .to_vec();
            if part == "trees" || (part == "layers" && (meta.is_file() || meta.is_symlink())) {
                numbers.extend([meta.mtime(), meta.mtime_nsec()]);
            }
            let contents = match (meta.is_file(), meta.is_symlink()) {
                (true, _) => std::fs::read(&path).unwrap(),
                (_, true) => std::fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes(),
                _ => Vec::new(),
            };
            if meta.is_file() {
                numbers.push(meta.nlink() as i64);
            }
            listing.insert(path, (numbers, Digest::of(&contents)));
        }
    }
    listing
}

/// The same listing as before, or the first path that differs.
fn is_as(store: &Store, before: &Listing) {
    let now = listing(store);
    let paths = now.keys().chain(before.keys());
    for path in paths {
        assert_eq!(now.get(path), before.get(path), "{}", path.display());
    }
}

fn text(store: &Store, image: &str) -> Vec<u8> {
    let image = store.resolve(image).unwrap();
    image.read_file(TEXT, 99).unwrap().unwrap()
}

fn marks(store: &Store) -> Vec<Value> {
    let refs = store.root().join("refs");
    let read = |file: &String| std::fs::read(refs.join(file)).unwrap();
    let records = list(&refs).into_iter().map(|file| read(&file));
    let records = records.map(|text| serde_json::from_slice::<Value>(&text).unwrap());
    records.map(|record| record["unsettled"].clone()).collect()
}

#[test]
fn a_loaded_image_is_unpacked_again_as_it_was() {
    let scratch = Scratch::new("restore-load");
    scratch.load(archive("a:1", &[low(), top()])).unwrap();
    let (before, blobs) = (
        listing(&scratch.store),
        walk(&scratch.store.root().join("blobs")),
    );
    stop(&scratch.store);
    assert_ne!(listing(&scratch.store), before);
    assert_eq!(text(&scratch.store, "a:1"), b"top");
    is_as(&scratch.store, &before);
    assert_eq!(walk(&scratch.store.root().join("blobs")), blobs);
    assert!(list(&scratch.store.root().join("tmp")).is_empty());
    // Once is enough.
    let tree = || scratch.store.resolve("a:1").unwrap().layers[0].clone();
    let inode = |path: PathBuf| path.metadata().unwrap().ino();
    assert_eq!(inode(tree()), inode(tree()));
}

#[test]
fn files_that_are_missing_altogether_come_back() {
    let scratch = Scratch::new("restore-missing");
    scratch.load(archive("a:1", &[low(), top()])).unwrap();
    let before = listing(&scratch.store);
    other_boot(&scratch.store);
    for part in ["layers", "trees", "notes"] {
        std::fs::remove_dir_all(scratch.store.root().join(part)).unwrap();
        std::fs::create_dir(scratch.store.root().join(part)).unwrap();
    }
    assert_eq!(text(&scratch.store, "a:1"), b"top");
    is_as(&scratch.store, &before);
}

#[test]
fn an_imported_image_is_unpacked_again_as_it_was() {
    let scratch = Scratch::new("restore-import");
    drop(scratch.import(&packed("xz", &low())).unwrap());
    let before = listing(&scratch.store);
    stop(&scratch.store);
    assert_eq!(text(&scratch.store, "test"), b"low");
    is_as(&scratch.store, &before);
}

#[test]
fn an_archive_imported_or_loaded_again_mends_the_image() {
    let scratch = Scratch::new("restore-again");
    drop(scratch.import(&low()).unwrap());
    scratch.load(archive("a:1", &[low(), top()])).unwrap();
    let before = listing(&scratch.store);
    stop(&scratch.store);
    assert!(!scratch.import(&low()).unwrap().unchanged);
    scratch.load(archive("a:1", &[low(), top()])).unwrap();
    is_as(&scratch.store, &before);
    assert_eq!(text(&scratch.store, "test"), b"low");
    assert_eq!(text(&scratch.store, "a:1"), b"top");
}

#[test]
fn whoever_comes_at_the_same_time_gets_the_same() {
    let scratch = Scratch::new("restore-threads");
    scratch.load(archive("a:1", &[low(), top()])).unwrap();
    scratch.load(archive("b:1", &[low()])).unwrap();
    for _ in 0..5 {
        stop(&scratch.store);
        let start = std::sync::Barrier::new(8);
        let trees: Vec<(&str, u64)> = std::thread::scope(|scope| {
            let look = |number: usize| {
                let name = ["a:1", "b:1"][number % 2];
                // Each as another process has it.
                let store = Store::open(scratch.store.root()).unwrap();
                start.wait();
                let image = store.resolve(name).unwrap();
                let text = image.read_file(TEXT, 99).unwrap().unwrap();
                assert_eq!(text, [&b"top"[..], b"low"][number % 2]);
                (name, image.layers[0].metadata().unwrap().ino())
            };
            let threads: Vec<_> = (0..8).map(|n| scope.spawn(move || look(n))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        for name in ["a:1", "b:1"] {
            let mut of_name: Vec<_> = trees.iter().filter(|(n, _)| *n == name).collect();
            of_name.dedup();
            assert_eq!(of_name.len(), 1, "unpacked again under somebody: {trees:?}");
        }
        assert!(list(&scratch.store.root().join("tmp")).is_empty());
    }
}

#[test]
fn a_layer_that_another_image_uses_stays_where_it_is() {
    let scratch = Scratch::new("restore-shared");
    scratch.load(archive("low:1", &[low()])).unwrap();
    scratch.load(archive("both:1", &[low(), top()])).unwrap();
    stop(&scratch.store);
    let used = scratch.store.resolve("low:1").unwrap();
    let inode = || used.layers[0].metadata().unwrap().ino();
    let before = inode();
    assert_eq!(text(&scratch.store, "both:1"), b"top");
    assert_eq!(inode(), before);
    assert_eq!(used.read_file(TEXT, 9).unwrap().unwrap(), b"low");
}

#[test]
fn what_is_loaded_beside_lost_files_does_not_use_them() {
    let scratch = Scratch::new("restore-beside");
    scratch.load(archive("low:1", &[low()])).unwrap();
    stop(&scratch.store);
    scratch.load(archive("both:1", &[low(), top()])).unwrap();
    assert_eq!(text(&scratch.store, "both:1"), b"top");
    let image = scratch.store.resolve("both:1").unwrap();
    assert_eq!(
        image.read_file("linked", 1 << 20).unwrap().unwrap(),
        vec![7; 300_000]
    );
    assert_eq!(text(&scratch.store, "low:1"), b"low");
}

#[test]
fn a_broken_blob_is_named_and_loading_again_helps() {
    let scratch = Scratch::new("restore-broken");
    let archive = archive("a:1", &[low(), top()]);
    scratch.load(&archive).unwrap();
    let before = listing(&scratch.store);
    let digest = Digest::of(&packed("zstd", &top()));
    let blob = scratch.store.root().join("blobs/sha256").join(digest.hex());
    for damage in [
        &b""[..],
        b"\x28\xb5\x2f\xfdnonsense",
        &packed("zstd", b"else"),
    ] {
        stop(&scratch.store);
        std::fs::write(&blob, damage).unwrap();
        let error = scratch.store.resolve("a:1").unwrap_err();
        assert!(matches!(error, ImageError::Lost { .. }), "{error:?}");
        let message = error.to_string();
        for word in ["a:1", &digest.hex(), "load or import it again"] {
            assert!(message.contains(word), "{message}");
        }
        assert!(list(&scratch.store.root().join("tmp")).is_empty());
        scratch.load(&archive).unwrap();
        is_as(&scratch.store, &before);
        assert_eq!(text(&scratch.store, "a:1"), b"top");
    }
    stop(&scratch.store);
    let manifest = scratch.store.get("a:1").unwrap().manifest.hex();
    for lost in [
        blob,
        scratch.store.root().join("blobs/sha256").join(manifest),
    ] {
        std::fs::remove_file(&lost).unwrap();
        let error = scratch.store.resolve("a:1").unwrap_err();
        assert!(matches!(error, ImageError::Lost { .. }), "{error:?}");
    }
    scratch.store.remove("a:1", false).unwrap();
    scratch.check_empty();
}

#[test]
fn saving_tagging_and_removing_need_no_files() {
    let scratch = Scratch::new("restore-verbs");
    scratch.load(archive("a:1", &[low(), top()])).unwrap();
    let save = || {
        let mut out = Vec::new();
        scratch.store.save(&["a:1"], &mut out, None).unwrap();
        out
    };
    let before = save();
    stop(&scratch.store);
    assert!(before == save());
    scratch.store.tag("a:1", &name("b:1")).unwrap();
    assert_eq!(text(&scratch.store, "b:1"), b"top");
    // The other name is the same image's.
    assert!(
        marks(&scratch.store)
            .iter()
            .all(|mark| mark == &marks(&scratch.store)[0])
    );
    stop(&scratch.store);
    scratch.store.remove("a:1", false).unwrap();
    scratch.store.remove("b:1", false).unwrap();
    scratch.check_empty();
}

#[test]
fn what_is_on_the_disk_is_left_as_it_is() {
    let scratch = Scratch::new("restore-settled");
    scratch.load(archive("a:1", &[low(), top()])).unwrap();
    let tagged = scratch.store.get("a:1").unwrap().tagged;
    Store::settle(scratch.store.root()).unwrap();
    assert_eq!(marks(&scratch.store), [Value::Null]);
    assert_eq!(scratch.store.get("a:1").unwrap().tagged, tagged);
    let tree = || scratch.store.resolve("a:1").unwrap().layers[0].clone();
    let before = tree().metadata().unwrap().ino();

    scratch.load(archive("b:1", &[low()])).unwrap();
    other_boot(&scratch.store);
    // What another boot left is nobody's to call written.
    Store::settle(scratch.store.root()).unwrap();
    let mut marks = marks(&scratch.store);
    marks.retain(|mark| !mark.is_null());
    assert_eq!(marks.len(), 1);
    assert_eq!(text(&scratch.store, "b:1"), b"low");
    assert_eq!(text(&scratch.store, "a:1"), b"top");
    assert_eq!(tree().metadata().unwrap().ino(), before);
}

#[test]
fn settling_where_no_store_is_makes_none() {
    let scratch = Scratch::new("restore-nowhere");
    let nowhere = scratch.path.join("nowhere");
    assert!(Store::settle(&nowhere).is_err());
    assert!(!nowhere.exists());
}
