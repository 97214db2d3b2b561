//! Names, leases, removal, crashes and full disks.

mod common;

use std::ops::ControlFlow;

use common::{Scratch, Tar, is_root, list, name};
use fastbox_image::{ImageError, ImportOptions, Store};

fn archive(text: &str) -> Vec<u8> {
    Tar::new()
        .dir("etc")
        .file("etc/text", text.as_bytes())
        .end()
}

#[test]
fn images_are_found_by_name_tag_id_and_digest() {
    let scratch = Scratch::new("resolve");
    let one = scratch
        .store
        .import(&archive("1")[..], &name("one:1"), ImportOptions::default())
        .unwrap()
        .image;
    scratch
        .store
        .import(&archive("2")[..], &name("two"), ImportOptions::default())
        .unwrap();
    let id = one.id.to_string();
    for text in [
        "one:1",
        "docker.io/library/one:1",
        &id,
        &one.id.hex(),
        &one.id.short(),
        &one.manifest.to_string(),
    ] {
        let found = scratch.store.resolve(text).unwrap();
        assert_eq!(found.id, one.id, "{text}");
        let content = found.read_file("/etc/text", 10).unwrap();
        assert_eq!(content.as_deref(), Some(&b"1"[..]));
    }
    for text in ["one", "two:2", "three", "fffffffffffff", &"0".repeat(64)] {
        let error = scratch.store.resolve(text).unwrap_err();
        assert!(matches!(error, ImageError::NotFound { .. }), "{error:?}");
    }
    let error = scratch.store.resolve("No Name").unwrap_err();
    assert!(matches!(error, ImageError::InvalidReference { .. }));
    let list = scratch.store.list().unwrap();
    let names: Vec<String> = list.iter().map(|i| i.names[0].short()).collect();
    assert_eq!(names, ["one:1", "two:latest"]);
    assert_eq!(list[0].size, 1);
}

#[test]
fn the_same_archive_again_changes_nothing() {
    let scratch = Scratch::new("again");
    let first = scratch.import(&archive("x")).unwrap();
    let again = scratch.import(&archive("x")).unwrap();
    assert!(again.unchanged && !first.unchanged);
    assert_eq!(first.image.id, again.image.id);
    let other = scratch.import(&archive("y")).unwrap();
    assert_eq!(other.replaced, Some(first.image.id));
    let list = scratch.store.list().unwrap();
    assert_eq!(list.len(), 2);
    assert!(list[1].names.is_empty() && list[1].id == first.image.id);
}

#[test]
fn removing_keeps_what_others_need() {
    let scratch = Scratch::new("remove");
    let store = &scratch.store;
    let import = |n: &str| {
        let options = ImportOptions {
            comment: Some(n.to_owned()),
            ..ImportOptions::default()
        };
        store.import(&archive("x")[..], &name(n), options).unwrap()
    };
    let (a, b) = (import("a"), import("b"));
    assert_ne!(a.image.id, b.image.id);
    assert_eq!(a.image.layers, b.image.layers);
    let error = store.remove("a", false).unwrap_err();
    assert!(matches!(error, ImageError::InUse { .. }));
    let id = a.image.id;
    drop(a);
    let removed = store.remove("a", false).unwrap();
    assert_eq!(removed.image, Some(id));
    assert!(removed.layers.is_empty());
    let text = b.image.read_file("etc/text", 9).unwrap();
    assert_eq!(text.as_deref(), Some(&b"x"[..]));
    let error = store.remove("a", false).unwrap_err();
    assert!(matches!(error, ImageError::NotFound { .. }));
    let short = b.image.id.short();
    drop(b);
    let removed = store.remove(&short, false).unwrap();
    assert_eq!(removed.layers.len(), 1);
    scratch.check_empty();
}

#[test]
fn garbage_of_dead_processes_is_cleaned_and_live_work_is_not() {
    let scratch = Scratch::new("garbage");
    let root = scratch.store.root().to_path_buf();
    scratch.import(&archive("x")).unwrap();
    let kept = list(&root.join("layers"));
    std::fs::create_dir_all(root.join("tmp/0123/layer/deep")).unwrap();
    let orphan = "a".repeat(64);
    std::fs::create_dir(root.join("layers").join(&orphan)).unwrap();
    std::fs::write(root.join("blobs/sha256").join(&orphan), b"").unwrap();
    let seen = std::cell::Cell::new(false);
    let mut progress = |_: u64| {
        // While an import is under way, others open the store.
        let during = Store::open(&root).unwrap();
        assert_eq!(list(&during.root().join("tmp")).len(), 1);
        seen.set(true);
        ControlFlow::Continue(())
    };
    let options = ImportOptions {
        progress: Some(&mut progress),
        ..ImportOptions::default()
    };
    let tar = archive("y");
    let other = scratch.store.import(&tar[..], &name("y"), options);
    other.unwrap();
    assert!(seen.get());
    assert!(list(&root.join("tmp")).is_empty());
    assert_eq!(list(&root.join("layers")).len(), kept.len() + 1);
    assert!(!root.join("layers").join(&orphan).exists());
    assert!(!root.join("blobs/sha256").join(&orphan).exists());
}

#[test]
fn cancelling_and_failing_reads_leave_nothing() {
    let scratch = Scratch::new("cancel");
    let mut progress = |_: u64| ControlFlow::Break(());
    let options = ImportOptions {
        progress: Some(&mut progress),
        ..ImportOptions::default()
    };
    let tar = archive("x");
    let error = scratch.store.import(&tar[..], &name("x"), options);
    assert!(matches!(error, Err(ImageError::Cancelled)));
    let directory = std::fs::File::open("/").unwrap();
    let error = scratch
        .store
        .import(directory, &name("x"), ImportOptions::default());
    assert!(matches!(error, Err(ImageError::Io { .. })));
    scratch.check_empty();
}

#[test]
fn newer_documents_are_not_misread() {
    let scratch = Scratch::new("version");
    scratch.import(&archive("x")).unwrap();
    let refs = scratch.store.root().join("refs");
    let path = refs.join(&list(&refs)[0]);
    std::fs::write(&path, br#"{"version":2}"#).unwrap();
    let error = scratch.store.resolve("test").unwrap_err();
    assert!(matches!(error, ImageError::Version { .. }));
    let error = scratch.store.remove("test", true).unwrap_err();
    assert!(matches!(error, ImageError::Version { .. }));
    assert_eq!(list(&scratch.store.root().join("layers")).len(), 1);
    let layout = scratch.store.root().join("oci-layout");
    std::fs::write(layout, br#"{"imageLayoutVersion":"9"}"#).unwrap();
    let error = Store::open(scratch.store.root()).unwrap_err();
    assert!(matches!(error, ImageError::Version { .. }));
}

#[test]
fn a_full_disk_is_said_and_nothing_is_left() {
    if !is_root() {
        return;
    }
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    // The mount lives in a namespace of this thread, and goes with it.
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_PRIVATE | MsFlags::MS_REC, none).unwrap();
    let disk = std::env::temp_dir().join(format!("fastbox-image-full-{}", std::process::id()));
    std::fs::create_dir_all(&disk).unwrap();
    let options = Some("size=4m");
    mount(
        Some("tmpfs"),
        &disk,
        Some("tmpfs"),
        MsFlags::empty(),
        options,
    )
    .unwrap();
    {
        let scratch = Scratch::at(disk.join("s"));
        // The blob fits beside nothing, or its files do not.
        for size in [3 << 20, 8 << 20] {
            let tar = Tar::new().file("f", &vec![7; size]).end();
            let error = scratch.import(&tar).unwrap_err();
            assert!(error.is_disk_full(), "{error:?}");
            scratch.check_empty();
        }
        scratch.import(&archive("fits")).unwrap();
    }
    nix::mount::umount2(&disk, nix::mount::MntFlags::MNT_DETACH).unwrap();
    std::fs::remove_dir(&disk).unwrap();
}
