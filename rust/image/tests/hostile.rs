//! Archives that lie, climb out or never end. Each is refused or contained, and a sentinel beside
//! the store stays as it was.

mod common;

use common::{Header, Scratch, Tar, list, sum};
use fastbox_image::{ImageError, Limits};

/// The archive is refused as `expected`, and nothing is left of it.
fn refused(test: &str, tar: impl AsRef<[u8]>, expected: fn(&ImageError) -> bool) {
    let scratch = Scratch::new(test);
    let error = scratch.import(tar.as_ref()).expect_err(test);
    assert!(expected(&error), "{test}: {error:?}");
    scratch.check_empty();
    scratch.check_outside();
}

fn is_refused(error: &ImageError) -> bool {
    matches!(error, ImageError::Refused { .. })
}

fn is_corrupt(error: &ImageError) -> bool {
    matches!(error, ImageError::Corrupt { .. })
}

fn is_truncated(error: &ImageError) -> bool {
    matches!(error, ImageError::Truncated { .. })
}

#[test]
fn names_that_climb_are_refused() {
    for name in [
        "../outside/new",
        "a/../../../outside/new",
        "/../outside/new",
        "..",
        "a/..",
    ] {
        refused("dotdot", Tar::new().file(name, b"x").end(), is_refused);
        refused("dotdot-dir", Tar::new().dir(name).end(), is_refused);
        refused(
            "dotdot-pax",
            Tar::new()
                .pax(&[("path", name.as_bytes())])
                .file("a", b"x")
                .end(),
            is_refused,
        );
        refused(
            "dotdot-gnu",
            Tar::new()
                .with_data(
                    Header::new(b'L', "././@LongLink"),
                    format!("{name}\0").as_bytes(),
                )
                .file("a", b"x")
                .end(),
            is_refused,
        );
    }
}

#[test]
fn absolute_names_stay_within() {
    let scratch = Scratch::new("absolute");
    let target = scratch.outside().join("new");
    let tar = Tar::new().file(target.to_str().unwrap().as_bytes(), b"x");
    let imported = scratch.import(&tar.end()).unwrap();
    let inside = imported.image.layers[0].join(target.strip_prefix("/").unwrap());
    assert_eq!(std::fs::read(inside).unwrap(), b"x");
    scratch.check_outside();
}

#[test]
fn symbolic_links_lead_nowhere_outside() {
    let scratch = Scratch::new("symlinks");
    let outside = scratch.outside();
    let outside = outside.to_str().unwrap();
    let up = format!("../../../../../../../../../../..{outside}");
    for target in [outside, up.as_str()] {
        let tar = Tar::new()
            .symlink("s", target)
            .file("s/new", b"x")
            .dir("s/made")
            .symlink("s/link", "x")
            .hard_link("s/hard", "s/new")
            .file("s/.wh.sentinel", b"")
            .file("s/.wh..wh..opq", b"");
        let imported = scratch.import(&tar.end()).unwrap();
        let layer = &imported.image.layers[0];
        let inside = layer.join(outside.strip_prefix('/').unwrap());
        assert_eq!(std::fs::read(inside.join("new")).unwrap(), b"x");
        assert_eq!(std::fs::read(inside.join("hard")).unwrap(), b"x");
        scratch.check_outside();
    }
}

#[test]
fn writing_through_links_replaces_the_link() {
    let scratch = Scratch::new("through");
    let sentinel = scratch.outside().join("sentinel");
    let sentinel = sentinel.to_str().unwrap();
    let dir = scratch.outside().join("dir");
    let mut mode = Header::new(b'5', "d");
    mode.mode = 0o777;
    let tar = Tar::new()
        .symlink("f", sentinel)
        .file("f", b"new")
        .symlink("d", dir.to_str().unwrap())
        .header(&mode)
        .file("d/x", b"x")
        // A kept directory must not outlive its name.
        .dir("k")
        .file("k/1", b"1")
        .symlink("k", dir.to_str().unwrap())
        .file("k/2", b"2")
        // Times and modes set last must not go through a link that came later.
        .dir("t")
        .dir("t/u")
        .symlink("t", scratch.path.to_str().unwrap());
    let before = std::fs::metadata(&dir).unwrap().modified().unwrap();
    let imported = scratch.import(&tar.end()).unwrap();
    let layer = &imported.image.layers[0];
    assert_eq!(std::fs::read(layer.join("f")).unwrap(), b"new");
    assert_eq!(std::fs::read(layer.join("d/x")).unwrap(), b"x");
    assert!(layer.join("k").symlink_metadata().unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&dir).unwrap().modified().unwrap(), before);
    scratch.check_outside();
}

#[test]
fn hard_links_to_outside_are_refused() {
    for target in [
        "../outside/sentinel",
        "/etc/passwd",
        "/proc/self/exe",
        "",
        "/",
        "missing",
        "a\0b",
        "a/..",
    ] {
        let tar = Tar::new().hard_link("h", target).end();
        refused("hardlink", tar, is_refused);
    }
    refused(
        "hardlink-pax",
        Tar::new()
            .pax(&[("linkpath", b"../../outside/sentinel")])
            .hard_link("h", "h2")
            .end(),
        is_refused,
    );
    let scratch = Scratch::new("hardlink-symlink");
    let outside = scratch.outside();
    let tar = Tar::new()
        .symlink("s", outside.to_str().unwrap())
        .hard_link("h", "s/sentinel");
    assert!(is_refused(&scratch.import(&tar.end()).unwrap_err()));
    // A link to the link itself is one more name of the link.
    let tar = Tar::new()
        .symlink("s", outside.join("sentinel").to_str().unwrap())
        .hard_link("h", "s")
        .file("h", b"x");
    scratch.import(&tar.end()).unwrap();
    scratch.check_outside();
    refused(
        "hardlink-dir",
        Tar::new().dir("d").hard_link("h", "d").end(),
        is_refused,
    );
}

#[test]
fn loops_depths_and_files_as_directories_are_refused() {
    refused(
        "loop",
        Tar::new()
            .symlink("a", "b")
            .symlink("b", "a")
            .file("a/x", b"")
            .end(),
        is_refused,
    );
    refused(
        "file-dir",
        Tar::new().file("f", b"").file("f/x", b"").end(),
        is_refused,
    );
    // Links to ever deeper directories would make paths that nobody can remove.
    let deep = "d/".repeat(900);
    let mut tar = Tar::new();
    let mut at = String::new();
    for step in 0..5 {
        let path = format!("{at}{deep}x");
        tar = tar.pax(&[("path", path.as_bytes())]).file("x", b"");
        let link = format!("s{step}");
        let target = format!("{at}{deep}");
        tar = tar
            .pax(&[("linkpath", target.as_bytes())])
            .symlink(&link, "");
        at = format!("{link}/");
    }
    refused("deep", tar.end(), is_refused);
    let scratch = Scratch::new("deep-ok");
    let path = "d/".repeat(2000) + "x";
    let tar = Tar::new()
        .pax(&[("path", path.as_bytes())])
        .file("x", b"")
        .symlink("d", "gone");
    let imported = scratch.import(&tar.end()).unwrap();
    assert_eq!(list(&imported.image.layers[0]), ["d"]);
}

#[test]
fn lying_numbers_are_refused() {
    let sized = |size: &[u8]| {
        let mut header = Header::new(b'0', "f");
        header.size = size.to_vec();
        Tar::new().header(&header).end()
    };
    let mut negative = [0xffu8; 12];
    refused("size-negative", sized(&negative), is_corrupt);
    negative[0] = 0xbf;
    refused("size-huge", sized(&negative), is_corrupt);
    refused("size-text", sized(b"zzz"), is_corrupt);
    let mut large = [0u8; 12];
    large[0] = 0x80;
    large[5] = 0x7f;
    refused("size-lies", sized(&large), is_truncated);
    for value in ["-1", "x", "99999999999999999999", "1 2"] {
        let tar = Tar::new()
            .pax(&[("size", value.as_bytes())])
            .file("f", b"x");
        refused("size-pax", tar.end(), is_corrupt);
    }
    let mut owner = Header::new(b'0', "f").block();
    owner[108..116].copy_from_slice(&[0xff; 8]);
    sum(&mut owner);
    refused("uid-negative", Tar::new().raw(&owner).end(), is_refused);
    let tar = Tar::new().pax(&[("uid", b"4294967295")]).file("f", b"");
    refused("uid-none", tar.end(), is_refused);
    let mut device = Header::new(b'3', "d");
    device.device = (0o7777777, 1);
    refused("device", Tar::new().header(&device).end(), is_refused);
}

#[test]
fn cut_and_damaged_archives_leave_nothing() {
    let tar = Tar::new().dir("d").file("d/f", &[7; 5000]).end();
    for cut in (0..tar.len() - 1023).step_by(512).chain([1, 511, 1600]) {
        refused("cut", &tar[..cut], is_truncated);
    }
    let mut flipped = tar.clone();
    flipped[512] ^= 1;
    refused("checksum", flipped, is_corrupt);
    refused("text", "this is no archive at all, ".repeat(40), is_corrupt);
    refused("short", "hello", is_truncated);
    let trailing = [&tar[..], &[1]].concat();
    refused("trailing", trailing, is_corrupt);
    let twice = [&tar[..], &tar[..]].concat();
    refused("twice", twice, is_corrupt);
    let hole = Tar::new().file("a", b"").raw(&[0; 512]).file("b", b"");
    refused("zero-block", hole.end(), is_corrupt);
    for magic in [
        &b"\x04\x22\x4d\x18"[..],
        b"PK\x03\x04rest.....",
        b"\x04\x22\x4d\x18lz4 data",
    ] {
        refused("compression", magic, |error| {
            matches!(error, ImageError::Unsupported { .. })
        });
    }
}

#[test]
fn header_tricks_are_refused() {
    for records in [
        &[("path", &b"a\0b"[..])][..],
        &[("GNU.sparse.major", b"1"), ("GNU.sparse.minor", b"0")],
        &[("GNU.sparse.map", b"0,1,0,1"), ("GNU.sparse.size", b"9")],
        &[("GNU.sparse.map", b"5,9"), ("GNU.sparse.size", b"6")],
        &[("GNU.sparse.map", b"0,9"), ("GNU.sparse.size", b"9")],
        &[
            ("GNU.sparse.size", b"9223372036854775808"),
            ("GNU.sparse.map", b""),
        ],
        &[("GNU.sparse.major", b"7"), ("GNU.sparse.size", b"1")],
    ] {
        let tar = Tar::new().pax(records).file("f", b"x").end();
        refused("pax", tar, is_corrupt);
    }
    let global = |key, value: &[u8]| {
        let header = Header::new(b'g', "g");
        let body = common::record(key, value);
        Tar::new().with_data(header, &body).file("f", b"x").end()
    };
    refused("global-path", global("path", b"../x"), is_corrupt);
    refused("global-size", global("size", b"0"), is_corrupt);
    let mut large = Header::new(b'x', "x");
    large.size = format!("{:011o}", 2 << 20).into_bytes();
    let tar = Tar::new().header(&large).raw(&vec![b'1'; 2 << 20]).end();
    refused("pax-large", tar, is_corrupt);
    refused(
        "pax-alone",
        Tar::new().pax(&[("path", b"a")]).end(),
        is_corrupt,
    );
    let mut tar = Tar::new();
    for _ in 0..100 {
        tar = tar.with_data(Header::new(b'L', "l"), b"name\0");
    }
    refused("long-names", tar.file("f", b"").end(), is_corrupt);
    for kind in [b'M', b'N', b'Z', b'9', 0xff] {
        let tar = Tar::new().header(&Header::new(kind, "f")).end();
        refused("kind", tar, is_refused);
    }
    refused("no-name", Tar::new().file("", b"").end(), is_refused);
    refused("root-file", Tar::new().file(".", b"").end(), is_refused);
    refused("root-link", Tar::new().symlink("./", "x").end(), is_refused);
    for name in [".wh.", ".wh..", ".wh...", "a/.wh.."] {
        refused("whiteout", Tar::new().file(name, b"").end(), is_refused);
    }
}

#[test]
fn overlays_own_attributes_are_left_out() {
    let scratch = Scratch::new("xattrs");
    let tar = Tar::new()
        .pax(&[
            ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
            ("SCHILY.xattr.user.overlay.metacopy", b""),
            ("SCHILY.xattr.security.selinux", b"label"),
        ])
        .file("f", b"x")
        .pax(&[("SCHILY.xattr.trusted.overlay.opaque", b"y")])
        .dir("d");
    let imported = scratch.import(&tar.end()).unwrap();
    assert_eq!(imported.skipped.total, 4, "{:?}", imported.skipped);
    let mut names = [0u8; 256];
    for path in ["f", "d"] {
        let path = imported.image.layers[0].join(path);
        assert_eq!(rustix::fs::listxattr(&path, &mut names[..]).unwrap(), 0);
    }
}

#[test]
fn limits_count_bytes_and_entries_never_holes() {
    let limits = Limits {
        max_bytes: 1000,
        max_entries: 3,
    };
    let exceeded = |tar: Vec<u8>, expected: &str| {
        let scratch = Scratch::new("limits");
        match scratch.import_within(&tar, limits) {
            Err(ImageError::LimitExceeded { option, .. }) => assert_eq!(option, expected),
            other => panic!("{other:?}"),
        }
        scratch.check_empty();
    };
    exceeded(Tar::new().file("f", &[1; 1001]).end(), "max_bytes");
    let two = Tar::new().file("a", &[1; 600]).file("b", &[1; 600]);
    exceeded(two.end(), "max_bytes");
    let four = Tar::new().dir("a").dir("b").dir("c").dir("d");
    exceeded(four.end(), "max_entries");
    // Zeros without end after the archive cost nothing on disk, but time.
    exceeded(
        Tar::new().dir("a").raw(&vec![0; 1 << 20]).end(),
        "max_bytes",
    );
    let scratch = Scratch::new("limits-sparse");
    let tar = Tar::new()
        .pax(&[
            ("GNU.sparse.size", b"1000000000000"),
            ("GNU.sparse.map", b"999999999000,1000"),
        ])
        .file("f", &[7; 1000]);
    let imported = scratch.import_within(&tar.end(), limits).unwrap();
    let file = imported.image.layers[0].join("f");
    assert_eq!(file.metadata().unwrap().len(), 1_000_000_000_000);
    assert_eq!(imported.bytes, 1000);
}
