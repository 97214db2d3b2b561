//! Names, leases, removal, crashes and full disks.

mod common;

use std::ops::ControlFlow;

use common::{Scratch, Tar, is_root, list, name};
use fastbox_image::{Config, ImageError, ImportOptions, Store, change};

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
    assert_eq!(names, ["two:latest", "one:1"]);
    assert_eq!(list[1].size, 1);
    assert_eq!(list[1].layer_sizes, [1]);
}

#[test]
fn a_digest_after_a_name_means_that_repositorys_image() {
    let scratch = Scratch::new("pinned");
    let made = scratch.import(&archive("1")).unwrap().image;
    let manifest = made.manifest.to_string();
    for text in [
        format!("test@{manifest}"),
        format!("test:any@{manifest}"),
        format!("docker.io/library/test@{manifest}"),
        format!("sha256:{}", made.id.short()),
    ] {
        assert_eq!(scratch.store.resolve(&text).unwrap().id, made.id, "{text}");
    }
    for text in [
        format!("other@{manifest}"),
        format!("test@{}", made.id),
        format!("test@sha256:{}", "0".repeat(64)),
    ] {
        let error = scratch.store.resolve(&text).unwrap_err();
        assert!(
            matches!(error, ImageError::NotFound { .. }),
            "{text}: {error:?}"
        );
    }
    let hex = made.manifest.hex();
    for text in [
        format!("test@{hex}"),
        format!("Test@{manifest}"),
        "test@sha256:12".to_owned(),
    ] {
        let error = scratch.store.resolve(&text).unwrap_err();
        assert!(
            matches!(error, ImageError::InvalidReference { .. }),
            "{text}: {error:?}"
        );
    }
}

#[test]
fn tags_are_given_moved_and_refused() {
    let scratch = Scratch::new("tag");
    let store = &scratch.store;
    let first = scratch.import(&archive("1")).unwrap().image.id;
    assert_eq!(store.tag("test", &name("other:x")).unwrap(), first);
    let names = |text: &str| -> Vec<String> {
        let image = store.get(text).unwrap();
        image.names.iter().map(|n| n.short()).collect()
    };
    assert_eq!(names("test"), ["other:x", "test:latest"]);
    // Another image takes both names, and the first is found by its id only.
    let second = scratch.import(&archive("2")).unwrap().image.id;
    assert_eq!(
        store.tag(&second.short(), &name("other:x")).unwrap(),
        second
    );
    assert!(names(&first.short()).is_empty());
    assert_eq!(names("other:x"), ["other:x", "test:latest"]);
    // A nameless one has a name again, and no record of having had none.
    store.tag(&first.to_string(), &name("back")).unwrap();
    assert_eq!(names("back"), ["back:latest"]);
    assert_eq!(list(&store.root().join("refs")).len(), 3);
    let error = store.tag("nothing", &name("x")).unwrap_err();
    assert!(matches!(error, ImageError::NotFound { .. }));
    for error in [
        store.tag("test", &name("host")).unwrap_err(),
        store
            .import(
                &archive("3")[..],
                &name("docker.io/library/host"),
                ImportOptions::default(),
            )
            .unwrap_err(),
    ] {
        assert!(matches!(error, ImageError::Reserved { .. }));
    }
    store.tag("test", &name("host:2")).unwrap();
    store.tag("test", &name("me/host")).unwrap();
}

#[test]
fn force_takes_the_name_of_an_image_in_use() {
    let scratch = Scratch::new("force");
    let store = &scratch.store;
    let held = scratch.import(&archive("1")).unwrap().image;
    let id = held.id.to_string();
    for force in [false, true] {
        let error = store.remove(&id, force).unwrap_err();
        assert!(matches!(error, ImageError::InUse { .. }));
    }
    let removed = store.remove("test", true).unwrap();
    assert_eq!(removed.untagged, ["test:latest"]);
    assert_eq!((removed.image, removed.layers.len()), (None, 0));
    assert!(store.get(&id).unwrap().names.is_empty());
    let error = store.remove(&id, true).unwrap_err();
    assert!(matches!(error, ImageError::InUse { .. }));
    drop(held);
    assert!(store.remove(&id, false).unwrap().image.is_some());
    scratch.check_empty();
}

#[test]
fn changes_and_platform_are_in_the_document() {
    let scratch = Scratch::new("changes");
    let mut config = Config::default();
    let changes = [
        r#"CMD ["a"]"#,
        "HEALTHCHECK CMD x",
        "ONBUILD RUN y",
        "ENV a=b",
    ];
    change::apply(&mut config, &changes).unwrap();
    let options = ImportOptions {
        config,
        platform: "linux/arm/v7".parse().unwrap(),
        ..ImportOptions::default()
    };
    let made = scratch
        .store
        .import(&archive("1")[..], &name("x"), options)
        .unwrap();
    let config = made.image.config.config().as_ref().unwrap();
    assert_eq!(config.cmd().as_deref(), Some(&["a".to_owned()][..]));
    let text = scratch.store.document(&made.image.id).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["architecture"], "arm");
    assert_eq!(document["variant"], "v7");
    assert_eq!(
        document["config"],
        serde_json::json!({"Cmd": ["a"], "Env": ["a=b"], "OnBuild": ["RUN y"],
                           "Healthcheck": {"Test": ["CMD-SHELL", "x"]}})
    );
    let again: Config = serde_json::from_value(document["config"].clone()).unwrap();
    assert_eq!(serde_json::to_value(again).unwrap(), document["config"]);
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
