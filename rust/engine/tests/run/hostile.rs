//! Images made to break out: refused or contained, and a sentinel of the host's never changes.

use crate::archive::{Header, Tar};
use crate::support::{Place, base, busybox, place};
use std::fs;
use std::path::PathBuf;

/// A directory of the host that no container was given, with a file in it.
struct Sentinel(PathBuf);

impl Sentinel {
    fn new(on: &Place) -> Sentinel {
        let dir = on.scratch();
        fs::write(dir.join("sentinel"), "untouched").unwrap();
        Sentinel(dir)
    }

    fn check(&self) {
        let names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["sentinel"]);
        assert_eq!(
            fs::read_to_string(self.0.join("sentinel")).unwrap(),
            "untouched"
        );
    }
}

fn image(on: &Place, name: &str, change: impl FnOnce(Tar) -> Tar) {
    on.import(name, change(base(&busybox().unwrap())));
}

#[test]
fn links_where_the_system_mounts() {
    let Some(on) = place() else { return };
    let sentinel = Sentinel::new(on);
    let out = sentinel.0.display().to_string();
    let up = format!("../../../../../../..{out}");
    for (number, target) in [
        out.as_str(),
        &up,
        "/",
        "..",
        "/etc",
        "/nowhere",
        "proc",
        "/tmp/../dev",
    ]
    .into_iter()
    .enumerate()
    {
        for place in ["proc", "dev", "sys"] {
            let name = format!("links-{number}-{place}");
            image(on, &name, |tar| tar.symlink(place, target));
            let script = "test -d /proc/1 -a -c /dev/null -a ! -L /proc -a ! -L /dev -a ! -L /sys && grep -c ' /proc proc ' /proc/mounts";
            let done = on.line(&[&name, "sh", "-c", script]).unwrap();
            assert_eq!(done.out, "1\n", "{place} -> {target}: {done:?}");
            sentinel.check();
        }
    }
    for (place, kind) in [("proc", b'0'), ("dev", b'6'), ("sys", b'0')] {
        let name = format!("odd-{place}");
        image(on, &name, |tar| tar.header(&Header::new(kind, place)));
        assert_eq!(
            on.line(&[
                &name,
                "sh",
                "-c",
                "test -d /proc/1 -a -d /dev/pts -a -d /sys && echo fine"
            ])
            .unwrap()
            .out,
            "fine\n"
        );
    }
}

#[test]
fn an_etc_that_leads_away() {
    let Some(on) = place() else { return };
    let sentinel = Sentinel::new(on);
    let out = sentinel.0.display().to_string();
    let busybox = busybox().unwrap();
    let bare = || {
        let mut header = Header::new(b'0', "bin/busybox");
        header.mode = 0o755;
        Tar::new()
            .dir("bin")
            .with_data(header, &fs::read(&busybox).unwrap())
            .symlink("bin/sh", "busybox")
    };
    for (number, target) in [
        out.as_str(),
        "/proc/self/root",
        "/",
        "../../../..",
        "/proc/1/cwd",
        "etc",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("etc-{number}");
        on.import(&name, bare().symlink("etc", target));
        match on.line(&[&name, "/bin/busybox", "cat", "/etc/hosts"]) {
            Ok(done) => assert!(
                done.code != 0 || done.out.contains("localhost"),
                "{target}: {done:?}"
            ),
            Err(error) => assert_eq!(error.exit_code(), 125, "{target}: {error}"),
        }
        sentinel.check();
    }
    for (number, file) in ["hosts", "hostname", "resolv.conf"].into_iter().enumerate() {
        let name = format!("etc-file-{number}");
        on.import(
            &name,
            bare()
                .dir("etc")
                .symlink(format!("etc/{file}"), format!("{out}/sentinel")),
        );
        let done = on
            .line(&[&name, "/bin/busybox", "cat", &format!("/etc/{file}")])
            .unwrap();
        assert!(
            done.code == 0 && !done.out.contains("untouched"),
            "{done:?}"
        );
        sentinel.check();
    }
}

#[test]
fn volumes_onto_links() {
    let Some(on) = place() else { return };
    let (sentinel, given) = (Sentinel::new(on), on.scratch());
    fs::write(given.join("given"), "given").unwrap();
    let out = sentinel.0.display().to_string();
    image(on, "onto", |tar| {
        tar.symlink("abs", &out)
            .symlink("up", format!("../../../../..{out}"))
            .symlink("to-etc", "/etc")
            .symlink("self", "/proc/self/cwd")
            .symlink("root", "/proc/1/root")
            .symlink("loop", "loop")
            .symlink("file", format!("{out}/sentinel"))
    });
    let volume = |at: &str| format!("{}:{at}", given.display());
    for at in [
        "/abs",
        "/abs/below",
        "/up",
        "/up/below",
        "/to-etc",
        "/to-etc/below",
        "/self/below",
        "/root/below",
        "/loop",
        "/loop/below",
        "/file",
    ] {
        for options in [&[][..], &["--userns", "host"]] {
            let (volume, file) = (volume(at), format!("{at}/given"));
            let line = [options, &["-v", &volume, "onto", "cat", &file]].concat();
            match on.line(&line) {
                Ok(done) => assert!(done.out == "given" || done.code != 0, "{at}: {done:?}"),
                Err(error) => assert_eq!(error.exit_code(), 125, "{at}: {error}"),
            }
            sentinel.check();
        }
    }
    // The container's own view of the path, as in Docker.
    for at in ["/abs", "/up", "/to-etc"] {
        let done = on
            .line(&["-v", &volume(at), "onto", "cat", &format!("{at}/given")])
            .unwrap();
        assert_eq!(done.out, "given", "{at}: {done:?}");
    }
    let tmpfs = on
        .line(&["--tmpfs", "/up", "onto", "touch", "/up/x"])
        .unwrap();
    assert_eq!(tmpfs.code, 0, "{tmpfs:?}");
    sentinel.check();
}

#[test]
fn a_volume_below_another_through_its_link() {
    let Some(on) = place() else { return };
    let (sentinel, given) = (Sentinel::new(on), on.scratch());
    std::os::unix::fs::symlink(&sentinel.0, given.join("link")).unwrap();
    std::os::unix::fs::symlink("/proc/self/fd", given.join("fds")).unwrap();
    let outer = format!("{}:/v", given.display());
    for below in ["link", "link/x", "fds/3", "../v/link"] {
        let inner = format!("{}:/v/{below}", on.scratch().display());
        match on.line(&["-v", &outer, "-v", &inner, "busybox", "true"]) {
            Ok(done) => assert_eq!(done.code, 0),
            Err(error) => assert_eq!(error.exit_code(), 125, "{error}"),
        }
        sentinel.check();
    }
}

#[test]
fn working_directories() {
    let Some(on) = place() else { return };
    let sentinel = Sentinel::new(on);
    image(on, "cwd", |tar| {
        tar.symlink("out", sentinel.0.display().to_string())
            .symlink("fd", "/proc/self/fd/7")
            .symlink("dev-null", "/dev/null")
    });
    let fds: Vec<String> = (0..40).map(|n| format!("/proc/self/fd/{n}")).collect();
    let more = [
        "/proc/1/cwd",
        "/proc/self/root",
        "/fd",
        "/fd/../..",
        "/out",
        "/out/made",
        "/proc/self/task/1/root/..",
        "/proc/thread-self/fd/7/..",
    ];
    for directory in fds.iter().map(String::as_str).chain(more) {
        // Wherever it begins, all that can be seen from there is the container's.
        let script = "test \"$(stat -c %d:%i /)\" = \"$(cd ../../../../../..; stat -c %d:%i .)\" && ! ls | grep -q sentinel && ! ls ../.. | grep -q sentinel && echo inside";
        match on.line(&["-w", directory, "cwd", "sh", "-c", script]) {
            Ok(done) => assert_eq!(done.out, "inside\n", "{directory}: {done:?}"),
            Err(error) => assert_eq!(error.exit_code(), 125, "{directory}: {error}"),
        }
        sentinel.check();
    }
}

#[test]
fn devices_of_the_image_count_for_nothing() {
    let Some(on) = place() else { return };
    image(on, "devices", |tar| {
        let mut disk = Header::new(b'4', "disk");
        (disk.device, disk.mode) = ((8, 0), 0o666);
        let mut memory = Header::new(b'3', "mem");
        (memory.device, memory.mode) = ((1, 1), 0o666);
        let mut null = Header::new(b'3', "dev/null");
        (null.device, null.mode) = ((1, 1), 0o666);
        tar.dir("dev")
            .header(&disk)
            .header(&memory)
            .header(&null)
            .symlink("dev/zero", "/etc/passwd")
    });
    let done = on
        .line(&[
            "devices",
            "sh",
            "-c",
            "stat -c %t:%T /dev/null; head -c1 /dev/zero | xxd -p; head -c1 /mem; head -c1 /disk",
        ])
        .unwrap();
    assert_eq!(done.out, "1:3\n00\n", "{done:?}");
    assert!(
        done.err.matches("ermi").count() + done.err.matches("No such device").count() >= 2,
        "{done:?}"
    );
}

#[test]
fn users_files_that_lie() {
    let Some(on) = place() else { return };
    image(on, "liars", |tar| {
        let passwd = "root:x:0:0::/root:/bin/sh\nlong:x:99999999999999999999:0::/:\nneg:x:-1:-1::/:\n::::::\nok:x:1:1::relative:\n\0\0:x:0:0\nuser:x:1000\n";
        tar.file("etc/passwd", passwd.as_bytes()).file(
            "etc/group",
            b"bad\n:::\nx:x:notanumber:ok\ngood:x:7:ok,ok,\n",
        )
    });
    for user in ["long", "neg", "user", ""] {
        let line = ["-u", user, "liars", "id", "-u"];
        match on.line(&line) {
            Ok(done) => assert!(user.is_empty() && done.out == "0\n", "{user}: {done:?}"),
            Err(error) => assert!(error.to_string().contains(user), "{error}"),
        }
    }
    assert_eq!(
        on.line(&["-u", "ok", "liars", "sh", "-c", "id -u; id -G; echo $HOME"])
            .unwrap()
            .out,
        "1\n1 7\nrelative\n"
    );
    let sentinel = Sentinel::new(on);
    let path = sentinel.0.join("sentinel").display().to_string();
    image(on, "away", |tar| {
        tar.symlink("etc/passwd", &path)
            .symlink("etc/group", "/dev/zero")
    });
    let error = on.line(&["-u", "untouched", "away", "true"]).unwrap_err();
    assert!(error.to_string().contains("unable to find user"), "{error}");
    let done = on.line(&["-u", "1:1", "away", "true"]).unwrap();
    assert_eq!(done.code, 0);
    sentinel.check();
}
