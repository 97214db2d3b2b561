//! Images of several layers: what their merged tree shows.

mod common;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::images::Files;
use common::{Header, Scratch, Tar, is_root, list};
use fastbox_image::ImageError;

/// The one directory of an image loaded from these layers.
fn tree(scratch: &Scratch, layers: &[Vec<u8>]) -> PathBuf {
    let loaded = scratch.load(Files::default().docker(&["merged"], layers).tar());
    let [image] = &loaded.unwrap()[..] else {
        panic!("not one image");
    };
    let [tree] = &image.image.layers[..] else {
        panic!("not one tree");
    };
    tree.clone()
}

/// Every path below, with the contents of files and the targets of links.
fn listing(tree: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![tree.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        for name in list(&dir) {
            let path = dir.join(name);
            let meta = path.symlink_metadata().unwrap();
            let what = if meta.is_dir() {
                waiting.push(path.clone());
                "directory".to_owned()
            } else if meta.is_symlink() {
                format!("-> {}", std::fs::read_link(&path).unwrap().display())
            } else if meta.is_file() {
                std::fs::read_to_string(&path).unwrap()
            } else {
                format!("node {}", meta.rdev())
            };
            let path = path.strip_prefix(tree).unwrap();
            found.insert(path.to_str().unwrap().to_owned(), what);
        }
    }
    found
}

fn expect(tree: &Path, expected: &[(&str, &str)]) {
    let expected = expected
        .iter()
        .map(|(path, what)| (path.to_string(), what.to_string()));
    assert_eq!(listing(tree), expected.collect());
}

#[test]
fn upper_layers_hide_replace_and_merge() {
    let scratch = Scratch::new("merge");
    let low = Tar::new()
        .dir("d")
        .file("d/low", b"1")
        .file("d/both", b"1")
        .file("d/gone", b"1")
        .dir("d/gone-dir")
        .file("d/gone-dir/x", b"1")
        .dir("opaque")
        .file("opaque/low", b"1")
        .dir("to-file")
        .file("to-file/x", b"1")
        .file("to-dir", b"1")
        .symlink("to-dir-from-link", "d")
        .dir("twice")
        .file("twice/x", b"1")
        .symlink("link", "d")
        .end();
    let mid = Tar::new()
        .file("d/both", b"2")
        .file("d/.wh.gone", b"")
        .file("d/.wh.gone-dir", b"")
        .dir("opaque")
        .file("opaque/.wh..wh..opq", b"")
        .file("opaque/mid", b"2")
        .file("to-file", b"2")
        .dir("to-dir")
        .file("to-dir/x", b"2")
        .dir("to-dir-from-link")
        .file(".wh.twice", b"")
        .file(".wh.never-there", b"")
        .end();
    let top = Tar::new()
        .dir("d/gone-dir")
        .file("d/gone-dir/new", b"3")
        .file("opaque/top", b"3")
        .file("twice", b"3")
        .symlink("link", "elsewhere")
        .end();
    let tree = tree(&scratch, &[low, mid, top]);
    expect(
        &tree,
        &[
            ("d", "directory"),
            ("d/both", "2"),
            ("d/gone-dir", "directory"),
            ("d/gone-dir/new", "3"),
            ("d/low", "1"),
            ("link", "-> elsewhere"),
            ("opaque", "directory"),
            ("opaque/mid", "2"),
            ("opaque/top", "3"),
            ("to-dir", "directory"),
            ("to-dir-from-link", "directory"),
            ("to-dir/x", "2"),
            ("to-file", "2"),
            ("twice", "3"),
        ],
    );
    scratch.check_outside();
}

#[test]
fn directories_have_the_uppermost_attributes_that_were_given() {
    let scratch = Scratch::new("attributes");
    let dir = |name: &str, mode, gid, mtime| {
        let mut header = Header::new(b'5', name);
        (header.mode, header.gid, header.mtime) = (mode, gid, mtime);
        header
    };
    let low = Tar::new()
        .header(&dir(".", 0o711, 0, 500))
        .pax(&[("SCHILY.xattr.user.low", b"1")])
        .header(&dir("kept", 0o2750, 7, 1000))
        .file("kept/f", b"1")
        .pax(&[("SCHILY.xattr.user.low", b"1"), ("mtime", b"1000.25")])
        .header(&dir("given", 0o700, 7, 1000))
        .file("given/f", b"1")
        .end();
    let top = Tar::new()
        // No entries for kept and the root: they stay as they are, though something changes in them.
        .file("kept/g", b"2")
        .pax(&[("SCHILY.xattr.user.top", b"2"), ("mtime", b"2000.5")])
        .header(&dir("given", 0o1777, 8, 2000))
        .file("given/g", b"2")
        .file("given/.wh.f", b"")
        .end();
    let tree = tree(&scratch, &[low, top]);
    let stat = |path: &str| tree.join(path).metadata().unwrap();
    assert_eq!(stat(".").mode() & 0o7777, 0o711);
    assert_eq!(stat(".").mtime(), 500);
    assert_eq!(stat("kept").mode() & 0o7777, 0o2750);
    assert_eq!(stat("kept").mtime(), 1000);
    assert_eq!(stat("given").mode() & 0o7777, 0o1777);
    assert_eq!(
        (stat("given").mtime(), stat("given").mtime_nsec()),
        (2000, 500_000_000)
    );
    if is_root() {
        assert_eq!((stat("kept").gid(), stat("given").gid()), (7, 8));
        assert_eq!(stat("kept/g").gid(), 0);
    }
    let mut names = [0u8; 256];
    let n = rustix::fs::listxattr(tree.join("given"), &mut names[..]).unwrap_or(0);
    let names = String::from_utf8_lossy(&names[..n]).into_owned();
    assert!(!names.contains("user.low"), "{names}");
    // Where the file system has any.
    assert!(names.is_empty() || names.contains("user.top"), "{names}");
    let mut value = [0u8; 8];
    let kept = rustix::fs::getxattr(tree.join("kept"), "user.low", &mut value[..]);
    assert!(names.is_empty() || kept == Ok(1), "{kept:?}");
}

#[test]
fn hard_links_within_and_across_layers() {
    let scratch = Scratch::new("across");
    let low = Tar::new()
        .dir("bin")
        .file("bin/real", b"1")
        .hard_link("bin/second", "bin/real")
        .file("replaced", b"old")
        .symlink("way", "bin")
        .end();
    let mid = Tar::new()
        // To a lower layer: as they were before this layer changes anything.
        .hard_link("sub/third", "bin/real")
        .hard_link("of-third", "sub/third")
        .hard_link("old", "replaced")
        .file("replaced", b"new")
        .file("bin/.wh.second", b"")
        .hard_link("through-link", "way/second")
        // An entry of the same name takes its place.
        .hard_link("taken", "bin/real")
        .file("taken", b"2")
        .end();
    let top = Tar::new()
        .hard_link("fourth", "sub/third")
        .hard_link("bin", "replaced")
        .end();
    let tree = tree(&scratch, &[low, mid, top]);
    expect(
        &tree,
        &[
            ("bin", "new"),
            ("fourth", "1"),
            ("of-third", "1"),
            ("old", "old"),
            ("replaced", "new"),
            ("sub", "directory"),
            ("sub/third", "1"),
            ("taken", "2"),
            ("through-link", "1"),
            ("way", "-> bin"),
        ],
    );
    let inode = |path: &str| tree.join(path).metadata().unwrap().ino();
    for path in ["of-third", "through-link", "fourth"] {
        assert_eq!(inode(path), inode("sub/third"), "{path}");
    }
    assert_eq!(inode("bin"), inode("replaced"));
    assert_ne!(inode("old"), inode("replaced"));
}

#[test]
fn hard_links_to_nothing_below_are_refused() {
    let file = Tar::new().file("d/f", b"1").symlink("loop", "loop").end();
    for (name, link) in [
        ("x", "nothing"),
        ("x", "d"),
        ("x", "d/f/g"),
        ("x", "loop/f"),
        ("x", "../d/f"),
        ("x", "d/../../f"),
        ("../x", "d/f"),
    ] {
        let scratch = Scratch::new("no-link");
        let link = Tar::new().hard_link(name, link).end();
        let archive = Files::default().docker(&["no"], &[file.clone(), link]);
        let error = scratch.load(archive.tar()).unwrap_err().to_string();
        assert!(error.contains("refused archive entry"), "{name}: {error}");
        scratch.check_empty();
        scratch.check_outside();
    }
    // The lowest layer has none below it.
    let scratch = Scratch::new("no-lower");
    let first = Tar::new().hard_link("x", "d/f").end();
    for layers in [vec![first.clone(), file.clone()], vec![first]] {
        let archive = Files::default().docker(&["no"], &layers);
        let error = scratch.load(archive.tar()).unwrap_err().to_string();
        assert!(error.contains("that no lower layer has"), "{error}");
        scratch.check_empty();
    }
}

#[test]
fn layers_and_trees_are_shared_and_go_with_the_last_image() {
    let scratch = Scratch::new("shared");
    let base = Tar::new().file("base", b"b").end();
    let (one, two) = (
        Tar::new().file("x", b"1").end(),
        Tar::new().file("x", b"2").end(),
    );
    let load = |name: &str, layers: &[Vec<u8>]| {
        let loaded = scratch.load(Files::default().docker(&[name], layers).tar());
        drop(loaded.unwrap());
    };
    load("one", &[base.clone(), one.clone()]);
    let root = scratch.store.root();
    let inode = |image: &str, path: &str| {
        let image = scratch.store.resolve(image).unwrap();
        image.layers[0].join(path).metadata().unwrap().ino()
    };
    let first = inode("one", "base");
    load("two", &[base.clone(), two]);
    load("again", &[base.clone(), one]);
    load("alone", &[base]);
    assert_eq!(list(&root.join("layers")).len(), 3);
    assert_eq!(list(&root.join("trees")).len(), 2);
    for image in ["one", "two", "again", "alone"] {
        assert_eq!(inode(image, "base"), first, "{image}");
    }
    assert_eq!(
        scratch
            .store
            .resolve("two")
            .unwrap()
            .read_file("x", 9)
            .unwrap()
            .unwrap(),
        b"2"
    );
    scratch.store.remove("two", false).unwrap();
    assert_eq!(list(&root.join("trees")).len(), 1);
    for image in ["one", "again", "alone"] {
        scratch.store.remove(image, false).unwrap();
    }
    scratch.check_empty();
}

#[test]
fn more_names_than_an_inode_can_have_are_copies() {
    let scratch = Scratch::new("emlink");
    // ext4 has 65,000 for layer and tree together.
    let count = 40_000;
    let mut many = Tar::new().file("f", b"shared");
    for number in 0..count {
        many = many.hard_link(format!("d/{number}"), "f");
    }
    let top = Tar::new().hard_link("last", "f").end();
    let tree = tree(&scratch, &[many.end(), top]);
    assert_eq!(list(&tree.join("d")).len(), count);
    let stat = |path: &str| tree.join(path).metadata().unwrap();
    for path in ["f", "d/0", "d/39999", "last"] {
        assert_eq!(std::fs::read(tree.join(path)).unwrap(), b"shared");
        assert_eq!(stat(path).mtime(), 1_000_000_000, "{path}");
    }
    let inode = stat("f").ino();
    for path in list(&tree.join("d")) {
        assert_eq!(stat(&format!("d/{path}")).ino(), inode, "{path}");
    }
    assert_eq!(stat("last").ino(), inode);
}

#[test]
fn sixty_four_layers_and_none() {
    let scratch = Scratch::new("sixty-four");
    let mut layers = Vec::new();
    for number in 0..64 {
        let text = number.to_string();
        let tar = Tar::new().file(format!("f{number}"), text.as_bytes());
        layers.push(tar.file("last", text.as_bytes()).end());
    }
    // The same layer twice.
    layers.push(layers[3].clone());
    let tree = tree(&scratch, &layers);
    assert_eq!(list(&tree).len(), 65);
    assert_eq!(std::fs::read(tree.join("last")).unwrap(), b"3");
    let none = scratch
        .load(Files::default().docker(&["none"], &[]).tar())
        .unwrap();
    assert!(list(&none[0].image.layers[0]).is_empty());
}

#[test]
fn limits_count_all_layers_together() {
    let scratch = Scratch::new("limits");
    let layers: Vec<Vec<u8>> = (0..4)
        .map(|n| Tar::new().file(format!("f{n}"), &[n; 1000]).end())
        .collect();
    let archive = Files::default().docker(&["limits"], &layers).tar();
    let load = |max_bytes, max_entries| {
        let mut options = fastbox_image::LoadOptions::default();
        (options.limits.max_bytes, options.limits.max_entries) = (max_bytes, max_entries);
        let from = fastbox_image::LoadFrom::Stream(&mut &archive[..]);
        scratch.store.load(from, options).map(drop)
    };
    for (bytes, entries, option) in [(3999, 100, "max_bytes"), (10_000, 3, "max_entries")] {
        let error = load(bytes, entries).unwrap_err();
        let ImageError::LimitExceeded { option: found, .. } = error else {
            panic!("{error:?}");
        };
        assert_eq!(found, option);
        scratch.check_empty();
    }
    load(4000, 4).unwrap();
}
