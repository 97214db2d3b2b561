//! What cannot be started: a clear sentence, the right exit code, nothing left.

use crate::archive::{Header, Tar};
use crate::support::{IMAGE, busybox, done, piped, place};
use fastbox_engine::run::Input;

#[test]
fn programs() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    std::fs::write(dir.join("text"), "no program\n").unwrap();
    let volume = format!("{}:/v", dir.display());
    let made = [
        ("plain", "echo ran"),
        ("script", "#!/bin/no-such-shell\n"),
        ("ours", "#!/bin/sh\necho ran $1\n"),
    ];
    for (name, text) in made {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(dir.join(name), text).unwrap();
        std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    for (program, code, word) in [
        ("no-such-program", 127, "no-such-program"),
        ("/no/such/path", 127, "/no/such/path"),
        ("./relative", 127, "relative"),
        ("/etc/passwd/x", 127, "/etc/passwd/x"),
        ("/v/script", 127, "/v/script"),
        ("/v/text", 126, "/v/text"),
        ("/etc", 126, "/etc"),
        ("/v/plain", 126, "/v/plain"),
    ] {
        for options in [
            &["-v", &*volume][..],
            &["-v", &*volume, "-u", "1000"],
            &["-v", &*volume, "--userns", "host"],
        ] {
            let error = on.refused(options, &[program]);
            assert_eq!(error.exit_code(), code, "{program}: {error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    }
    let done = on.run(&["-v", &volume], &["/v/ours", "x"]);
    assert_eq!(done.out, "ran x\n");
    // What may not be executed is passed over in PATH, what is no program is not.
    let path = ["-v", &*volume, "-e", "PATH=/nowhere:/v:/bin"];
    assert_eq!(on.run(&path, &["ours", "y"]).out, "ran y\n");
    assert_eq!(on.refused(&path, &["text"]).exit_code(), 126);
    let error = on.refused(&["-u", "1000"], &["/root/x"]);
    assert_eq!(error.exit_code(), 126, "{error}");
}

#[test]
fn users_images_and_options() {
    let Some(on) = place() else { return };
    for (options, text) in [
        (
            &["-u", "nobody-here"][..],
            "unable to find user nobody-here: no matching entries in passwd file",
        ),
        (
            &["-u", "0:no-group"],
            "unable to find group no-group: no matching entries in group file",
        ),
        (
            &["-u", "4294967295"],
            "4294967295: uids and gids must be in range 0-2147483647",
        ),
        (
            &["-m", "1m"],
            "minimum memory limit allowed is 6MB, 1048576 bytes were asked for",
        ),
        (
            &["-w", "relative"],
            "the working directory 'relative' is invalid, it needs to be an absolute path",
        ),
        (&["-v", "/tmp:relative"], "mount path must be absolute"),
        (
            &["-v", "/tmp:/a", "--tmpfs", "/a"],
            "duplicate mount point: /a",
        ),
        (&["--network", "bridge"], "network not found"),
        (
            &["--network", "host", "--userns", "auto"],
            "conflicting options",
        ),
        (&["-v", "/etc/passwd:/tmp"], "/tmp"),
        (&["-v", "/tmp:/etc/passwd"], "/etc/passwd"),
        (
            &["--security-opt", "seccomp=/no/such.json"],
            "/no/such.json",
        ),
    ] {
        let error = on.refused(options, &["true"]);
        assert!(error.to_string().contains(text), "{options:?}: {error}");
        assert_eq!(error.exit_code(), 125, "{error}");
    }
    for (image, word) in [
        ("no-such-image", "no-such-image"),
        ("busybox:other", "other"),
        ("BAD//name", "BAD//name"),
    ] {
        let error = on.line(&[image, "true"]).unwrap_err();
        assert!(
            error.exit_code() == 125 && error.to_string().contains(word),
            "{error}"
        );
    }
    // An id past the container's range.
    let error = on.refused(&["-u", "70000"], &["true"]);
    assert!(
        error.exit_code() == 125 && error.to_string().contains("70000"),
        "{error}"
    );
    assert_eq!(
        on.sh(&["-u", "70000", "--userns", "host"], "id -u"),
        "70000"
    );
}

#[test]
fn names_in_use() {
    let Some(on) = place() else { return };
    let prepared = on.prepare(&[IMAGE, "sleep", "100"]).unwrap();
    let named = || {
        let mut request = piped(Input::Null);
        request.name = Some("taken".into());
        prepared.start(request)
    };
    let first = named().unwrap();
    let error = named().err().unwrap();
    assert!(
        error.to_string().contains("taken") && error.to_string().contains(&first.id()[..12]),
        "{error}"
    );
    drop(first);
    drop(named().unwrap());
    // One that could not be started has no name any more.
    let nothing = on.prepare(&[IMAGE, "no-such-program"]).unwrap();
    let mut request = piped(Input::Null);
    request.name = Some("taken".into());
    assert!(nothing.start(request).is_err());
    drop(named().unwrap());
}

#[test]
fn an_image_without_anything() {
    let Some(on) = place() else { return };
    on.import("empty", Tar::new().dir("x"));
    let error = on.line(&["empty", "/bin/true"]).unwrap_err();
    assert_eq!(error.exit_code(), 127, "{error}");
    // Nothing but one program: every mount point is made.
    let mut header = Header::new(b'0', "busybox");
    header.mode = 0o755;
    let tar = Tar::new().with_data(header, &std::fs::read(busybox().unwrap()).unwrap());
    on.import("single", tar);
    let prepared = on.prepare(&["single", "/busybox", "ls", "/"]).unwrap();
    let seen = done(prepared.start(piped(Input::Null)).unwrap(), &prepared, None).unwrap();
    assert_eq!(
        seen.out.split_whitespace().collect::<Vec<_>>(),
        ["busybox", "dev", "etc", "proc", "sys"],
        "{seen:?}"
    );
}
