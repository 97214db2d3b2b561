//! What an image's config says of directories: its volumes, its working directory.

use crate::archive::Header;
use crate::support::{Place, base, busybox, place};
use fastbox_image::ImportOptions;
use std::fs;

/// An image of this name with volumes, some of them through links.
fn import(on: &Place, image: &str, config: &str) {
    let owned = |kind, name: &str, mode| {
        let mut header = Header::new(kind, name);
        (header.mode, header.uid, header.gid) = (mode, 33, 29);
        header
    };
    let tar = base(&busybox().unwrap())
        .header(&owned(b'5', "data", 0o2750))
        .with_data(owned(b'0', "data/file", 0o640), b"of the image")
        .symlink("link", "data")
        .symlink("out", on.dir.display().to_string())
        .symlink("loop", "loop");
    let options = ImportOptions {
        config: serde_json::from_str(config).unwrap(),
        ..ImportOptions::default()
    };
    on.engine
        .store()
        .import(&tar.end()[..], &crate::archive::name(image), options)
        .unwrap();
}

const VOLUMES: &str = r#"{"Volumes": {"/data": {}, "/new/deep/": {}}, "WorkingDir": "/work/here"}"#;

#[test]
fn filled_writable_and_gone() {
    let Some(on) = place() else { return };
    import(on, "volumes", VOLUMES);
    let run = |options: &[&str], script: &str| {
        let done = on
            .line(&[options, &["volumes", "sh", "-c", script]].concat())
            .unwrap();
        assert_eq!(done.code, 0, "{options:?}: {done:?}");
        done.out
    };
    for options in [
        &[][..],
        &["--read-only"],
        &["--read-only", "--userns", "host"],
        &["--read-only", "--storage-opt", "size=8m"],
        &["--read-only", "--cap-add", "SYS_ADMIN"],
    ] {
        for _ in 0..2 {
            let script = "stat -c '%a %u:%g' /data /data/file; cat /data/file; ls /new/deep; \
                          echo x >/data/new; echo y >>/data/file; touch /new/deep/x; pwd; \
                          grep -c -E ' (/data|/new/deep) ' /proc/mounts; rm -r /data 2>/dev/null; test -d /data && echo there";
            assert_eq!(
                run(options, script),
                "2750 33:29\n640 33:29\nof the image/work/here\n2\nthere\n",
                "{options:?}"
            );
        }
        let sealed = options.contains(&"--read-only");
        let script = "touch /x 2>/dev/null && echo open; touch /work/here/x 2>/dev/null && echo open; mount -o remount,rw,bind / 2>/dev/null; true";
        assert_eq!(
            run(options, script),
            if sealed { "" } else { "open\nopen\n" },
            "{options:?}"
        );
    }
    // The user's mounts come first.
    let dir = on.scratch();
    fs::write(dir.join("mine"), "").unwrap();
    let volume = format!("{}:/data", dir.display());
    assert_eq!(run(&["-v", &volume], "ls /data"), "mine\n");
    assert_eq!(
        run(
            &["--tmpfs", "/data", "--read-only"],
            "ls /data; touch /data/x"
        ),
        ""
    );
    assert_eq!(
        run(&["--tmpfs", "/new", "--read-only"], "ls /new; touch /new/x"),
        ""
    );
    // One inside a volume lies over it.
    let inside = format!("{}:/data/inside", dir.display());
    assert_eq!(
        run(&["-v", &inside, "--read-only"], "ls /data /data/inside"),
        "/data:\nfile\ninside\n\n/data/inside:\nmine\n"
    );
}

#[test]
fn through_links() {
    let Some(on) = place() else { return };
    import(
        on,
        "linked-volume",
        r#"{"Volumes": {"/link": {}, "/out": {}}}"#,
    );
    let script = "cat /link/file; echo x >/data/new && echo wrote; touch /out/x && echo wrote";
    let done = on
        .line(&["--read-only", "linked-volume", "sh", "-c", script])
        .unwrap();
    assert_eq!(done.out, "of the imagewrote\nwrote\n", "{done:?}");
    assert!(!on.dir.join("x").exists());
}

#[test]
fn that_cannot_be() {
    let Some(on) = place() else { return };
    for (at, text) in [
        ("/proc/sys", "/proc/sys"),
        ("/dev", "/dev"),
        ("/sys/fs/../kernel", "/sys"),
        ("/", "\"/\""),
        ("relative", "absolute path"),
        ("/loop", "/loop"),
        ("/etc/passwd", "/etc/passwd"),
    ] {
        import(
            on,
            "bad-volume",
            &format!(r#"{{"Volumes": {{"{at}": {{}}}}}}"#),
        );
        let error = on.line(&["bad-volume", "true"]).unwrap_err();
        assert!(
            error.to_string().contains(text) && error.exit_code() == 125,
            "{at}: {error}"
        );
    }
}

#[test]
fn further_groups() {
    let Some(on) = place() else { return };
    for (options, groups) in [
        (&["--group-add", "audio"][..], "0 29"),
        (
            &[
                "--group-add",
                "audio",
                "--group-add",
                "777",
                "--group-add",
                "29",
            ],
            "0 29 777",
        ),
        (&["-u", "user", "--group-add", "tty"], "1000 29 5"),
        (&["-u", "1000:33", "--group-add", "33"], "33"),
        (&["-u", "4000", "--group-add", "www-data"], "0 33"),
    ] {
        let mut got: Vec<String> = on
            .sh(options, "id -G")
            .split(' ')
            .map(str::to_owned)
            .collect();
        let mut want: Vec<&str> = groups.split(' ').collect();
        got.sort();
        got.dedup();
        want.sort_unstable();
        assert_eq!(got, want, "{options:?}");
    }
    for (group, text) in [
        ("nobodys", "unable to find group nobodys"),
        ("-5", "-5"),
        ("99999999999", "99999999999"),
        ("70000", "70000"),
        ("", "must not be empty"),
    ] {
        let error = on.refused(&["--group-add", group], &["true"]);
        assert!(
            error.to_string().contains(text) && error.exit_code() == 125,
            "{error}"
        );
    }
}
