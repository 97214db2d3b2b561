//! `--security-opt`: filters from files, what is hidden and what is shown.

use crate::archive::Tar;
use crate::support::{busybox, place};
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn a_profile_with_conditions() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    // mkdir is refused to all but those who may kill; personality only with the argument 8; a rule for another kernel
    // and one for another machine do not count.
    let json = r#"{
        "defaultAction": "SCMP_ACT_ALLOW",
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
                    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}],
        "syscalls": [
            {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28,
             "excludes": {"caps": ["CAP_KILL"]}},
            {"names": ["symlink", "symlinkat"], "action": "SCMP_ACT_ERRNO", "includes": {"minKernel": "99.0"}},
            {"names": ["rmdir"], "action": "SCMP_ACT_ERRNO", "includes": {"arches": ["s390x"]}},
            {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
             "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]}
        ]}"#;
    fs::write(dir.join("profile.json"), json).unwrap();
    let option = format!("seccomp={}/profile.json", dir.display());
    let with = ["--security-opt", &option];
    let without_kill = ["--security-opt", &option, "--cap-drop", "KILL"];
    on.sh(&with, "mkdir /x && ln -s a /b && rmdir /x && kill -0 1");
    let done = on.run(&without_kill, &["mkdir", "/x"]);
    assert!(
        done.code != 0 && done.err.contains("No space left"),
        "{done:?}"
    );
    let done = on.run(&with, &["sh", "-c", "kill -USR1 1"]);
    assert!(
        done.code != 0 && done.err.contains("not permitted"),
        "{done:?}"
    );
    on.sh(&with, "trap 'exit 0' USR2; kill -USR2 $$; exit 1");
}

#[test]
fn bad_profiles_are_named() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    for (name, json, text) in [
        ("syntax", "{", "line 1 column 1"),
        ("action", r#"{"defaultAction": "ALLOW"}"#, "defaultAction"),
        (
            "argument",
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_KILL",
                "args": [{"index": 9, "value": 1, "op": "SCMP_CMP_EQ"}]}]}"#,
            "syscalls[0].args[0].index",
        ),
        (
            "errno",
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 70000}]}"#,
            "syscalls[0].errnoRet",
        ),
        (
            "notify",
            r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}]}"#,
            "SCMP_ACT_NOTIFY",
        ),
    ] {
        let file = dir.join(name);
        fs::write(&file, json).unwrap();
        let error = on.refused(
            &["--security-opt", &format!("seccomp={}", file.display())],
            &["true"],
        );
        assert!(
            error.to_string().contains(text) && error.exit_code() == 125,
            "{name}: {error}"
        );
    }
}

#[test]
fn other_words() {
    let Some(on) = place() else { return };
    on.sh(
        &[
            "--security-opt",
            "apparmor=unconfined",
            "--security-opt",
            "label=disable",
        ],
        "true",
    );
    on.sh(&["--security-opt", "label:disable"], "true");
    let has = fs::read("/sys/module/apparmor/parameters/enabled")
        .is_ok_and(|word| word.starts_with(b"Y"));
    if !has {
        let error = on.refused(&["--security-opt", "apparmor=docker-default"], &["true"]);
        assert!(
            error.to_string().contains("this kernel has no AppArmor"),
            "{error}"
        );
    }
    for (word, text) in [
        ("label=type:x", "only label=disable"),
        ("mask=relative", "'relative' cannot be hidden"),
        ("mask=/", "'/' cannot be hidden"),
        ("systempaths=none", "invalid --security-opt"),
        ("frob", "invalid --security-opt"),
    ] {
        let error = on.refused(&["--security-opt", word], &["true"]);
        assert!(
            error.to_string().contains(text) && error.exit_code() == 125,
            "{error}"
        );
    }
    let nnp = |word: &str| {
        on.sh(
            &["--security-opt", word],
            "grep NoNewPrivs /proc/self/status | cut -f2",
        )
    };
    for (word, value) in [
        ("no-new-privileges", "1"),
        ("no-new-privileges:true", "1"),
        ("no-new-privileges=true", "1"),
        ("no-new-privileges:false", "0"),
        ("no-new-privileges=false", "0"),
    ] {
        assert_eq!(nnp(word), value, "{word}");
    }
}

#[test]
fn what_is_shown() {
    let Some(on) = place() else { return };
    let below_proc = "grep -c ' /proc/' /proc/mounts || true";
    let count = |options: &[&str]| on.sh(options, below_proc).parse::<u32>().unwrap();
    let all = count(&[]);
    assert!(all > 3);
    assert_eq!(count(&["--security-opt", "systempaths=unconfined"]), 0);
    assert_eq!(count(&["--security-opt", "unmask=ALL"]), 0);
    assert_eq!(
        count(&["--security-opt", "unmask=/proc/sys:/proc/bus"]),
        all - 2
    );
    // Ids of its own still keep root inside from what is the machine's.
    let done = on.run(
        &["--security-opt", "systempaths=unconfined"],
        &["sh", "-c", "echo 1 >/proc/sys/vm/drop_caches"],
    );
    assert!(done.code != 0, "{done:?}");
}

#[test]
fn what_is_hidden() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    fs::create_dir(dir.join("d")).unwrap();
    fs::write(dir.join("d/secret"), "secret").unwrap();
    fs::write(dir.join("secret"), "secret").unwrap();
    let volume = format!("{}:/v", dir.display());
    let mask = "mask=/etc/passwd:/usr:/nowhere:/v/secret:/v/d:/proc/version:/sys/kernel";
    let script = "wc -c </etc/passwd; ls /usr /v/d /sys/kernel; wc -c </v/secret; wc -c </proc/version; \
                  echo x >/etc/passwd 2>/dev/null || echo kept; touch /usr/x 2>/dev/null || echo kept";
    for options in [&[][..], &["--userns", "host"], &["--read-only"]] {
        let options = [options, &["-v", &volume, "--security-opt", mask]].concat();
        assert_eq!(
            on.sh(&options, script),
            "0\n/sys/kernel:\n\n/usr:\n\n/v/d:\n0\n0\nkept\nkept",
            "{options:?}"
        );
    }
    assert_eq!(fs::read_to_string(dir.join("secret")).unwrap(), "secret");
}

#[test]
fn hidden_paths_through_links() {
    let Some(on) = place() else { return };
    let outside = on.scratch();
    fs::write(outside.join("secret"), "secret").unwrap();
    let tar = Tar::new()
        .dir("bin")
        .dir("data")
        .file("data/secret", b"secret")
        .symlink("link", "data/secret")
        .symlink("out", outside.display().to_string())
        .symlink("fds", "/proc/self/fd")
        .with_data(
            {
                let mut header = crate::archive::Header::new(b'0', "bin/busybox");
                header.mode = 0o755;
                header
            },
            &fs::read(busybox().unwrap()).unwrap(),
        );
    on.import("links", tar);
    let run = |option: &str, path: &str| {
        on.line(&[
            "--security-opt",
            option,
            "links",
            "/bin/busybox",
            "wc",
            "-c",
            path,
        ])
    };
    // The link's target is hidden, in the container and nowhere else.
    assert_eq!(
        run("mask=/link", "/data/secret").unwrap().out,
        "0 /data/secret\n"
    );
    let done = run("mask=/out/secret", "/data/secret").unwrap();
    assert_eq!(done.out, "6 /data/secret\n", "{done:?}");
    assert_eq!(
        fs::read_to_string(outside.join("secret")).unwrap(),
        "secret"
    );
    // Links of proc mean another thing to each process.
    for path in [
        "mask=/proc/mounts",
        "mask=/proc/self",
        "mask=/proc/self/root",
        "mask=/dev/stdin",
    ] {
        let error = run(path, "/data/secret").unwrap_err();
        assert!(
            error.to_string().contains("a link of the kernel's"),
            "{path}: {error}"
        );
    }
    let left_open = run("mask=/fds/3", "/data/secret").unwrap();
    assert_eq!(left_open.out, "6 /data/secret\n", "{left_open:?}");
    // In a volume, where another may put a link: refused at the start.
    let dir = on.scratch();
    symlink("/etc/passwd", dir.join("x")).unwrap();
    let volume = format!("{}:/v", dir.display());
    let error = on.refused(&["-v", &volume, "--security-opt", "mask=/v/x"], &["true"]);
    assert!(error.to_string().contains("/v/x"), "{error}");
}
