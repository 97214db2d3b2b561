//! `--mount`: binds, file systems in memory, images; and what spreads between host and container.

use crate::archive::Tar;
use crate::support::{place, within};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A tmpfs of the host; unmounted at the end, also that of a test that fails.
struct Mounted(PathBuf);

impl Mounted {
    fn at(path: &Path, flags: MsFlags) -> Mounted {
        fs::create_dir_all(path).unwrap();
        let none: Option<&str> = None;
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), none).unwrap();
        let mounted = Mounted(path.to_owned());
        mount(none, path, none, flags, none).unwrap();
        mounted
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

fn bind(source: &Path, rest: &str) -> String {
    format!("type=bind,source={},{rest}", source.display())
}

#[test]
fn binds() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    fs::write(dir.join("a,b"), "text").unwrap();
    on.sh(
        &["--mount", &bind(&dir, "target=/v")],
        "cat /v/a,b; touch /v/new",
    );
    assert!(dir.join("new").exists());
    for read_only in ["readonly", "ro", "readonly=true", "ro=1"] {
        let done = on.run(
            &["--mount", &bind(&dir, &format!("dst=/v,{read_only}"))],
            &["touch", "/v/x"],
        );
        assert!(done.err.contains("Read-only"), "{read_only}: {done:?}");
    }
    // A field with a comma, a file over a file and where nothing is.
    let quoted = format!(
        "type=bind,\"src={}/a,b\",destination=/etc/passwd",
        dir.display()
    );
    assert_eq!(on.sh(&["--mount", &quoted], "cat /etc/passwd"), "text");
    let new = quoted.replace("/etc/passwd", "/not/there/yet");
    assert_eq!(
        on.sh(&["--mount", &new, "--read-only"], "cat /not/there/yet"),
        "text"
    );
    // What is not there is not made.
    let missing = dir.join("missing");
    let error = on.refused(&["--mount", &bind(&missing, "target=/v")], &["true"]);
    let text = format!("bind source path does not exist: {}", missing.display());
    assert!(
        error.to_string() == text && error.exit_code() == 125,
        "{error}"
    );
    assert!(!missing.exists());
    let error = on.refused(
        &["-v", "/tmp:/x", "--mount", &bind(&dir, "target=/x")],
        &["true"],
    );
    assert!(
        error.to_string().contains("duplicate mount point: /x"),
        "{error}"
    );
}

#[test]
fn one_in_another() {
    let Some(on) = place() else { return };
    let (outer, inner) = (on.scratch(), on.scratch());
    fs::write(inner.join("inner"), "").unwrap();
    fs::create_dir(outer.join("sub")).unwrap();
    let (outer, inner) = (bind(&outer, "target=/v"), bind(&inner, "target=/v/sub"));
    let tmpfs = "type=tmpfs,target=/v/sub/deep";
    for order in [[&*outer, &*inner, tmpfs], [tmpfs, &*inner, &*outer]] {
        let options: Vec<&str> = order.iter().flat_map(|mount| ["--mount", mount]).collect();
        assert_eq!(
            on.sh(&options, "ls /v/sub; stat -f -c %T /v/sub/deep"),
            "deep\ninner\ntmpfs"
        );
    }
}

#[test]
fn mounts_below_the_source() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    let below = Mounted::at(&dir.join("below"), MsFlags::MS_PRIVATE);
    fs::write(below.0.join("deep"), "").unwrap();
    let see = |fields: &str| {
        let mount = bind(&dir, &format!("target=/v,{fields}"));
        on.run(
            &["--mount", &mount],
            &[
                "sh",
                "-c",
                "ls /v/below; touch /v/x && echo top; touch /v/below/x && echo below",
            ],
        )
    };
    assert_eq!(see("bind-recursive=enabled").out, "deep\ntop\nbelow\n");
    fs::remove_file(below.0.join("x")).unwrap();
    for left_out in [
        "bind-recursive=disabled",
        "bind-nonrecursive",
        "bind-nonrecursive=true",
    ] {
        assert_eq!(see(left_out).out, "top\nbelow\n", "{left_out}");
        fs::remove_file(dir.join("x")).unwrap();
        umount_and_clear(&below);
    }
    assert_eq!(see("readonly").out, "deep\n");
    assert_eq!(
        see("readonly,bind-recursive=readonly,bind-propagation=rprivate").out,
        "deep\n"
    );
    assert_eq!(see("readonly,bind-recursive=writable").out, "deep\nbelow\n");
}

/// What was written to the directory that a mount of the host hides is not for the next look.
fn umount_and_clear(below: &Mounted) {
    let none: Option<&str> = None;
    let aside = below.0.parent().unwrap();
    let copy = aside.with_extension("aside");
    fs::create_dir_all(&copy).unwrap();
    mount(Some(aside), &copy, none, MsFlags::MS_BIND, none).unwrap();
    fs::remove_file(copy.join("below/x")).unwrap();
    umount2(&copy, MntFlags::MNT_DETACH).unwrap();
}

#[test]
fn what_spreads() {
    let Some(on) = place() else { return };
    let top = Mounted::at(&on.scratch(), MsFlags::MS_SHARED);
    let new = top.0.join("new");
    // By default nothing does, though the host's mount is shared.
    for (fields, spreads) in [
        ("target=/v", false),
        ("target=/v,bind-propagation=rprivate", false),
        ("target=/v,bind-propagation=private", false),
        ("target=/v,bind-propagation=rslave", true),
        ("target=/v,bind-propagation=slave", true),
        ("target=/v,bind-propagation=rshared", true),
        ("target=/v,bind-propagation=shared", true),
    ] {
        let (_prepared, mut container) = on.start(
            &["--mount", &bind(&top.0, fields)],
            "echo ready; read x; ls /v/new; exit 0",
        );
        let out = container.take_stdout().unwrap();
        let mut ready = [0u8; 6];
        nix::unistd::read(&out, &mut ready).unwrap();
        let mounted = Mounted::at(&new, MsFlags::MS_PRIVATE);
        fs::write(new.join("seen"), "").unwrap();
        drop(container.take_stdin());
        container
            .wait(Some(Duration::from_secs(10)), &mut || false)
            .unwrap()
            .unwrap();
        let mut seen = [0u8; 64];
        let n = nix::unistd::read(&out, &mut seen).unwrap();
        assert_eq!(&seen[..n] == b"seen\n", spreads, "{fields}");
        drop(mounted);
    }
    // What root inside mounts stays inside, unless it is to spread.
    for (fields, spreads) in [
        ("target=/v", false),
        ("target=/v,bind-propagation=rshared", true),
    ] {
        let mount = bind(&top.0, fields);
        let (_prepared, mut container) = on.start(
            &["--privileged", "--mount", &mount],
            "mount -t tmpfs of-the-container /v/new && echo ready; read x",
        );
        let out = container.take_stdout().unwrap();
        let mut ready = [0u8; 6];
        assert_eq!(nix::unistd::read(&out, &mut ready), Ok(6));
        let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let seen = table.lines().any(|line| line.contains("of-the-container"));
        if seen {
            umount2(&new, MntFlags::MNT_DETACH).unwrap();
        }
        assert_eq!(seen, spreads, "{fields}");
        drop(container);
    }
    let private = Mounted::at(&on.scratch(), MsFlags::MS_PRIVATE);
    for word in ["rshared", "rslave", "shared", "slave"] {
        let volume = format!("{}:/v:{word}", private.0.display());
        let error = on.refused(&["-v", &volume], &["true"]);
        assert!(error.to_string().contains("is not shared"), "{error}");
    }
}

#[test]
fn file_systems_in_memory() {
    let Some(on) = place() else { return };
    let see = |fields: &str, script: &str| {
        on.run(
            &["--mount", &format!("type=tmpfs,target=/t,{fields}")],
            &["sh", "-c", script],
        )
    };
    let done = see(
        "tmpfs-size=1m,tmpfs-mode=1750",
        "stat -c %a /t; df -k /t | tail -n1 | tr -s ' ' | cut -d' ' -f2",
    );
    assert_eq!(done.out, "1750\n1024\n", "{done:?}");
    assert!(see("readonly", "touch /t/x").err.contains("Read-only"));
    assert!(
        see("tmpfs-size=8m", "cp /bin/busybox /t/b && /t/b true")
            .err
            .contains("ermission denied")
    );
    assert!(
        on.run(
            &["--read-only", "--mount", "type=tmpfs,dst=/t"],
            &["touch", "/t/x"]
        )
        .code
            == 0
    );
}

#[test]
fn images() {
    let Some(on) = place() else { return };
    let outside = on.scratch();
    fs::write(outside.join("secret"), "secret").unwrap();
    let tar = Tar::new()
        .dir("app")
        .file("app/data", b"of the image")
        .dir("app/sub")
        .file("app/sub/file", b"deep")
        .symlink("link", "app/sub")
        .symlink("out", outside.display().to_string());
    on.import("shown", tar);
    for ids in [&[][..], &["--userns", "host"], &["--read-only"]] {
        let see = |fields: &str, script: &str| {
            let mount = format!("type=image,source=shown,target=/i{fields}");
            let options = [ids, &["--mount", &mount]].concat();
            on.run(&options, &["sh", "-c", script])
        };
        let done = see("", "cat /i/app/data; stat -c ' %u' /i/app; touch /i/x");
        assert!(
            done.out == "of the image 0\n" && done.err.contains("Read-only"),
            "{ids:?} {done:?}"
        );
        assert_eq!(see(",image-subpath=app/sub", "cat /i/file").out, "deep");
        assert_eq!(see(",image-subpath=link", "cat /i/file").out, "deep");
        assert_eq!(
            see("/file,image-subpath=app/data", "cat /i/file").out,
            "of the image"
        );
    }
    for (fields, text) in [
        (
            "source=shown,target=/i,image-subpath=nowhere",
            "has no \"nowhere\"",
        ),
        ("source=shown,target=/i,image-subpath=out", "has no \"out\""),
        (
            "source=shown,target=/i,image-subpath=../x",
            "invalid value for image-subpath",
        ),
        ("source=no-such-image,target=/i", "no-such-image"),
        ("target=/i", "source is required"),
    ] {
        let error = on.refused(&["--mount", &format!("type=image,{fields}")], &["true"]);
        assert!(
            error.to_string().contains(text) && error.exit_code() == 125,
            "{fields}: {error}"
        );
    }
    // It is held as long as it is mounted.
    let line = [
        "--mount",
        "type=image,source=shown,target=/i",
        "busybox",
        "sleep",
        "100",
    ];
    let prepared = on.prepare(&line).unwrap();
    let store = on.engine.store();
    let held = store.resolve("shown").unwrap();
    drop(held);
    assert!(store.remove("shown", false).is_err());
    drop(prepared);
    assert!(within(Duration::from_secs(5), || store
        .remove("shown", false)
        .is_ok()));
}

#[test]
fn targets_through_links() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    fs::write(dir.join("file"), "mine").unwrap();
    let outside = on.scratch();
    let tar = crate::support::base(&crate::support::busybox().unwrap())
        .symlink("data", outside.display().to_string())
        .symlink("up", "../../../../../../etc")
        .symlink("fds", "/proc/self/fd")
        .symlink("loop", "loop");
    on.import("linked", tar);
    let see = |target: &str, script: &str| {
        let mount = bind(&dir, &format!("target={target}"));
        on.line(&["--mount", &mount, "linked", "sh", "-c", script])
    };
    // Where it leads in the container, never on the host.
    assert_eq!(see("/data", "cat /data/file").unwrap().out, "mine");
    assert_eq!(see("/up", "cat /etc/file").unwrap().out, "mine");
    assert_eq!(see("/data/new", "cat /data/new/file").unwrap().out, "mine");
    for target in ["/loop", "/fds/0", "/fds/3"] {
        let error = see(target, "true").unwrap_err();
        assert_eq!(error.exit_code(), 125, "{error}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    // In a bind, where somebody else can put one, a link is not followed at all.
    symlink("/etc", dir.join("link")).unwrap();
    let outer = bind(&dir, "target=/v");
    let error = on.refused(
        &["--mount", &outer, "--mount", "type=tmpfs,target=/v/link"],
        &["true"],
    );
    assert!(error.to_string().contains("/v/link"), "{error}");
}
