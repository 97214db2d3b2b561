//! Directories and files of the host inside, and whose the files are.

use crate::support::place;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;

fn owner(path: &Path) -> (u32, u32) {
    let meta = fs::symlink_metadata(path).unwrap();
    (meta.uid(), meta.gid())
}

fn volume(dir: &Path, rest: &str) -> String {
    format!("{}:{rest}", dir.display())
}

#[test]
fn files_belong_to_whom_docker_would_give_them() {
    let Some(on) = place() else { return };
    for options in [&[][..], &["--userns", "host"]] {
        let dir = on.scratch();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(dir.join("roots"), "1").unwrap();
        fs::write(dir.join("users"), "2").unwrap();
        chown(dir.join("users"), Some(1000), Some(33)).unwrap();
        let volume = volume(&dir, "/v");
        let with = [options, &["-v", &volume]].concat();
        assert_eq!(
            on.sh(&with, "stat -c %u:%g /v /v/roots /v/users"),
            "0:0\n0:0\n1000:33"
        );
        on.sh(&with, "echo x >/v/by-root; mkdir /v/dir; touch /v/given; chown 33:1000 /v/given; ln -s x /v/link");
        let user = [&with[..], &["-u", "1000:1000"]].concat();
        on.sh(&user, "echo x >/v/by-user; echo more >>/v/users");
        let done = on.run(&user, &["sh", "-c", "echo x >>/v/roots"]);
        assert!(done.err.contains("Permission denied"), "{done:?}");
        for (name, ids) in [
            ("by-root", (0, 0)),
            ("dir", (0, 0)),
            ("link", (0, 0)),
            ("given", (33, 1000)),
            ("by-user", (1000, 1000)),
        ] {
            assert_eq!(owner(&dir.join(name)), ids, "{name} {options:?}");
        }
        assert_eq!(fs::read_to_string(dir.join("users")).unwrap(), "2more\n");
        // A file of an id that no container has.
        fs::write(dir.join("far"), "").unwrap();
        chown(dir.join("far"), Some(200_000), Some(200_000)).unwrap();
        let seen = if options.is_empty() {
            "65534:65534"
        } else {
            "200000:200000"
        };
        assert_eq!(on.sh(&with, "stat -c %u:%g /v/far"), seen);
    }
}

#[test]
fn read_only_and_single_files() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    fs::create_dir(dir.join("sub")).unwrap();
    fs::write(dir.join("file"), "of the host\n").unwrap();
    let read_only = volume(&dir, "/v:ro");
    for script in [
        "touch /v/x",
        "rm /v/file",
        "touch /v/sub/x",
        "mount -o remount,rw /v",
        "mount -o remount,bind,rw /v",
    ] {
        let done = on.run(&["-v", &read_only], &["sh", "-c", script]);
        assert!(done.code != 0, "{script}: {done:?}");
    }
    let file = dir.join("file");
    // Over a file of the image, over one that is not there, below a directory that is not there.
    for at in ["/etc/passwd", "/etc/new", "/made/up/path"] {
        let volume = volume(&file, at);
        assert_eq!(on.sh(&["-v", &volume], &format!("cat {at}")), "of the host");
        on.sh(&["-v", &volume, "--read-only"], &format!("cat {at}"));
    }
    let writable = volume(&file, "/etc/new");
    on.sh(&["-v", &writable], "echo changed >/etc/new");
    assert_eq!(fs::read_to_string(&file).unwrap(), "changed\n");
    let read_only = volume(&file, "/etc/new:ro");
    assert!(
        on.run(&["-v", &read_only], &["sh", "-c", "echo x >/etc/new"])
            .err
            .contains("Read-only")
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "changed\n");
    // A missing source is made as a directory, as in Docker.
    let missing = dir.join("not/there");
    on.sh(&["-v", &volume(&missing, "/v")], "touch /v/x");
    assert!(missing.join("x").exists());
}

#[test]
fn one_below_another() {
    let Some(on) = place() else { return };
    let (outer, inner) = (on.scratch(), on.scratch());
    fs::write(outer.join("outer"), "").unwrap();
    fs::write(inner.join("inner"), "").unwrap();
    fs::create_dir(outer.join("sub")).unwrap();
    let (one, other) = (volume(&outer, "/v"), volume(&inner, "/v/sub"));
    for options in [["-v", &one, "-v", &other], ["-v", &other, "-v", &one]] {
        assert_eq!(
            on.sh(&options, "ls /v /v/sub | tr '\\n' ' '"),
            "/v: outer sub  /v/sub: inner"
        );
    }
    let into = volume(&inner, "/var/lib/deep/in/it");
    assert_eq!(on.sh(&["-v", &into], "ls /var/lib/deep/in/it"), "inner");
    // Where the outer one has no place for it, one is made there, as Docker does.
    let other = volume(&inner, "/v/missing");
    assert_eq!(on.sh(&["-v", &one, "-v", &other], "ls /v/missing"), "inner");
    let tmpfs = on.sh(
        &["-v", &one, "--tmpfs", "/v/sub"],
        "ls /v/sub; stat -f -c %T /v/sub",
    );
    assert_eq!(tmpfs, "tmpfs");
}

/// Unmounted at the end, also that of a test that fails.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        nix::mount::umount2(self.0, nix::mount::MntFlags::MNT_DETACH).unwrap();
    }
}

#[test]
fn mounts_below_a_source_are_seen() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    let below = dir.join("below");
    fs::create_dir(&below).unwrap();
    let none: Option<&str> = None;
    nix::mount::mount(
        Some("tmpfs"),
        &below,
        Some("tmpfs"),
        nix::mount::MsFlags::empty(),
        none,
    )
    .unwrap();
    let _mounted = Mounted(&below);
    fs::write(below.join("deep"), "x").unwrap();
    let seen = on.run(&["-v", &volume(&dir, "/v")], &["ls", "/v/below"]);
    let read_only = on.run(&["-v", &volume(&dir, "/v:ro")], &["touch", "/v/below/x"]);
    assert_eq!(seen.out, "deep\n", "{seen:?}");
    assert!(read_only.err.contains("Read-only"), "{read_only:?}");
}

#[test]
fn places_of_the_systems_own() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    fs::write(dir.join("mine"), "x").unwrap();
    for at in [
        "/sys",
        "/dev/shm",
        "/etc",
        "/tmp",
        "/root",
        "/sys/fs/cgroup",
    ] {
        let seen = on.run(&["-v", &volume(&dir, at)], &["cat", &format!("{at}/mine")]);
        assert_eq!(seen.out, "x", "{at}: {seen:?}");
    }
    let file = volume(&dir.join("mine"), "/etc/hosts");
    assert_eq!(on.sh(&["-v", &file], "cat /etc/hosts"), "x");
    // /dev is one for all containers and cannot be written.
    let device = volume(&dir.join("mine"), "/dev/mine");
    let error = on.refused(&["-v", &device], &["true"]);
    assert!(
        error.to_string().contains("/dev/mine") && error.exit_code() == 125,
        "{error}"
    );
    for at in ["/proc", "/proc/sys", "/"] {
        let error = on.refused(&["-v", &volume(&dir, at)], &["true"]);
        assert_eq!(error.exit_code(), 125, "{error}");
    }
}

#[test]
fn a_source_that_is_a_link_is_what_it_leads_to() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    fs::create_dir(dir.join("real")).unwrap();
    fs::write(dir.join("real/x"), "x").unwrap();
    symlink("real", dir.join("link")).unwrap();
    assert_eq!(
        on.sh(&["-v", &volume(&dir.join("link"), "/v")], "cat /v/x"),
        "x"
    );
    symlink("nowhere", dir.join("dangling")).unwrap();
    let error = on.refused(&["-v", &volume(&dir.join("dangling"), "/v")], &["true"]);
    assert!(error.to_string().contains("dangling"), "{error}");
}
