//! Honest archives: everything a root filesystem has arrives as it was.

mod common;

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::Command;

use common::{Header, Scratch, Tar, is_root, list};
use fastbox_image::Digest;

#[test]
fn names_modes_times_links_and_nodes() {
    let scratch = Scratch::new("metadata");
    let mut setuid = Header::new(b'0', "su");
    setuid.mode = 0o4755;
    (setuid.uid, setuid.gid) = (33, 34);
    let mut group = Header::new(b'5', "group");
    group.mode = 0o2775;
    group.gid = 50;
    let mut null = Header::new(b'3', "null");
    (null.device, null.mode) = ((1, 3), 0o666);
    let long = "long/".repeat(40) + "name";
    let tar = Tar::new()
        .header(&setuid)
        .header(&group)
        .file("group/f", b"x")
        .pax(&[
            ("path", b"bytes-\xff\xfe"),
            ("mtime", b"1234567890.123456789"),
            ("atime", b"-1.5"),
        ])
        .file("x", b"data")
        .with_data(Header::new(b'L', "l"), format!("{long}\0").as_bytes())
        .file("x", b"long")
        .hard_link("hard", "su")
        .symlink("soft", "/nowhere")
        .header(&null)
        .header(&Header::new(b'6', "fifo"))
        .pax(&[("SCHILY.xattr.user.key", b"value\0")])
        .file("attributes", b"")
        .file("old-style-dir/", b"");
    let imported = scratch.import(&tar.end()).unwrap();
    let layer = &imported.image.layers[0];
    let stat = |name: &str| layer.join(name).symlink_metadata().unwrap();
    assert_eq!(stat("su").mode() & 0o7777, 0o4755);
    assert_eq!(stat("su").ino(), stat("hard").ino());
    assert_eq!(stat("su").mtime(), 1_000_000_000);
    assert_eq!(stat("group").mode() & 0o7777, 0o2775);
    assert_eq!(stat("group").mtime(), 1_000_000_000);
    assert_eq!(std::fs::read(layer.join(&long)).unwrap(), b"long");
    assert!(stat("soft").is_symlink() && stat("fifo").file_type().is_fifo());
    assert!(stat("old-style-dir").is_dir());
    use std::os::unix::ffi::OsStrExt;
    let odd = layer.join(std::ffi::OsStr::from_bytes(b"bytes-\xff\xfe"));
    let odd = odd.metadata().unwrap();
    assert_eq!((odd.mtime(), odd.mtime_nsec()), (1234567890, 123456789));
    assert_eq!((odd.atime(), odd.atime_nsec()), (-2, 500_000_000));
    let mut value = [0u8; 16];
    match rustix::fs::getxattr(layer.join("attributes"), "user.key", &mut value[..]) {
        Ok(n) => assert_eq!(&value[..n], b"value\0"),
        Err(_) => assert!(imported.skipped.total > 0),
    }
    if is_root() {
        assert_eq!((stat("su").uid(), stat("su").gid()), (33, 34));
        assert_eq!((stat("group/f").uid(), stat("group/f").gid()), (0, 0));
        assert_eq!(stat("null").rdev(), rustix::fs::makedev(1, 3));
        assert_eq!(stat("null").mode() & 0o7777, 0o666);
    } else {
        assert_eq!(imported.skipped.first[0].0, "null");
        assert!(!layer.join("null").exists());
    }
}

#[test]
fn an_ordinary_user_can_read_and_remove_what_has_no_modes() {
    let scratch = Scratch::new("modes");
    let mut dir = Header::new(b'5', "closed");
    dir.mode = 0;
    let mut file = Header::new(b'0', "closed/f");
    file.mode = 0;
    let tar = Tar::new().header(&dir).with_data(file, b"x").end();
    let imported = scratch.import(&tar).unwrap();
    let content = imported.image.read_file("closed/f", 9).unwrap();
    assert_eq!(content.as_deref(), Some(&b"x"[..]));
    drop(imported);
    scratch.store.remove("test", false).unwrap();
    scratch.check_empty();
}

#[test]
fn whiteouts_become_overlays() {
    let scratch = Scratch::new("whiteouts");
    let tar = Tar::new()
        .file("gone/.wh.file", b"")
        .file("hidden/.wh..wh..opq", b"")
        .file("kept", b"x")
        .file(".wh.kept", b"")
        .file(".wh.again", b"")
        .dir("again")
        .file(".wh.implied", b"")
        .file("implied/f", b"")
        .file(".wh..wh.plnk", b"");
    let imported = scratch.import(&tar.end()).unwrap();
    let layer = &imported.image.layers[0];
    let stat = layer.join("gone/file").symlink_metadata().unwrap();
    assert!(stat.file_type().is_char_device() && stat.rdev() == 0);
    assert_eq!(std::fs::read(layer.join("kept")).unwrap(), b"x");
    let names = ["again", "gone", "hidden", "implied", "kept"];
    assert_eq!(list(layer), names);
    for name in ["hidden", "again", "implied"] {
        let get = |key: &str| {
            let mut value = [0u8; 4];
            rustix::fs::getxattr(layer.join(name), key, &mut value[..]).is_ok()
        };
        assert!(get("trusted.overlay.opaque") || get("user.overlay.opaque"));
    }
}

/// The tree GNU tar packed arrives the same, in each of its formats and compressions.
#[test]
fn what_gnu_tar_packs() {
    if std::env::var_os("FASTBOX_VM").is_some() {
        println!("skipped: the virtual machine has no GNU tar");
        return;
    }
    let scratch = Scratch::new("gnu");
    let tree = scratch.path.join("tree");
    let long = tree.join("directory".repeat(12)).join("sub".repeat(60));
    std::fs::create_dir_all(&long).unwrap();
    std::fs::write(long.join("file"), b"deep").unwrap();
    let noise: Vec<u8> = (0u32..700_000)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    std::fs::write(tree.join("large"), &noise).unwrap();
    std::fs::hard_link(tree.join("large"), tree.join("zz-hard")).unwrap();
    std::os::unix::fs::symlink("large", tree.join("link")).unwrap();
    let holes = std::fs::File::create(tree.join("sparse")).unwrap();
    use std::os::unix::fs::FileExt;
    for at in (0..30u64).map(|n| n * 1_000_000) {
        holes.write_all_at(b"island", at).unwrap();
    }
    holes.set_len(50_000_000).unwrap();
    let formats = [
        ("--format=gnu", "", ""),
        ("--format=posix", "", "-z"),
        ("--format=gnu", "-S", "--zstd"),
        ("--format=posix", "-S", "-J"),
        ("--format=posix", "--sparse-version=0.0", "-z"),
        ("--format=posix", "--sparse-version=0.1", "-z"),
        ("--format=posix", "--sparse-version=1.0", "-z"),
    ];
    for (format, sparse, compression) in formats {
        let mut command = Command::new("tar");
        command.arg("-C").arg(&tree).args(["-c", format]);
        for option in [sparse, compression] {
            command.args((!option.is_empty()).then_some(option));
        }
        if sparse.contains("version") {
            command.arg("-S");
        }
        let archive = command.arg(".").output().unwrap();
        assert!(archive.status.success(), "{archive:?}");
        let imported = scratch.import(&archive.stdout).unwrap();
        assert_eq!(imported.source.0, Digest::of(&archive.stdout));
        let layer = &imported.image.layers[0];
        let diff = Command::new("diff")
            .args(["-r", "--no-dereference"])
            .args([&tree, layer])
            .output()
            .unwrap();
        assert!(diff.status.success(), "{format} {sparse}: {diff:?}");
        let stat = |name: &str| layer.join(name).symlink_metadata().unwrap();
        assert_eq!(stat("large").ino(), stat("zz-hard").ino());
        let original = tree.join("sparse").metadata().unwrap();
        assert_eq!(stat("sparse").mtime_nsec() != 0, format.contains("posix"));
        assert_eq!(stat("sparse").mtime(), original.mtime());
        if !sparse.is_empty() {
            assert!(stat("sparse").blocks() * 512 < 2_000_000);
        }
        check_layout(&scratch, &imported.image);
    }
}

/// The store is an OCI layout: every descriptor's blob has its size and digest, and unpacking the
/// layer's blob gives the diff id.
fn check_layout(scratch: &Scratch, image: &fastbox_image::Image) {
    use serde_json::Value;
    let root = scratch.store.root();
    let read = |path: &str| std::fs::read(root.join(path)).unwrap();
    let index: Value = serde_json::from_slice(&read("index.json")).unwrap();
    let manifests = index["manifests"].as_array().unwrap();
    let blob = |descriptor: &Value| {
        let digest = Digest::parse(descriptor["digest"].as_str().unwrap()).unwrap();
        let bytes = read(&format!("blobs/sha256/{}", digest.hex()));
        assert_eq!(Digest::of(&bytes), digest);
        assert_eq!(descriptor["size"].as_u64().unwrap(), bytes.len() as u64);
        bytes
    };
    for manifest in manifests {
        blob(manifest);
    }
    let of_image = |m: &&Value| m["digest"].as_str().unwrap() == image.manifest.to_string();
    let manifest = manifests.iter().find(of_image).unwrap();
    let manifest: Value = serde_json::from_slice(&blob(manifest)).unwrap();
    let config: Value = serde_json::from_slice(&blob(&manifest["config"])).unwrap();
    let layer = &manifest["layers"][0];
    let packed = scratch.path.join("blob");
    std::fs::write(&packed, blob(layer)).unwrap();
    let cat = match layer["mediaType"].as_str().unwrap().rsplit_once('+') {
        Some((_, "gzip")) => "gzip -dc <",
        Some((_, "zstd")) => "zstd -dcq <",
        _ => "cat <",
    };
    let command = format!("{cat} {}", packed.display());
    let unpacked = Command::new("sh").args(["-c", &command]).output().unwrap();
    let diff_id = config["rootfs"]["diff_ids"][0].as_str().unwrap();
    assert_eq!(Digest::of(&unpacked.stdout).to_string(), diff_id);
    assert!(config["created"].is_string() && config["os"] == "linux");
}
