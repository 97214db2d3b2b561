//! Mounts, limits, names, profiles.

use oci_spec::runtime::{LinuxNamespaceType, LinuxSeccompAction};

use super::*;

#[test]
fn limits() {
    let resources = |line: &[&str]| linux(&spec("{}", line)).resources().clone().unwrap();
    let none = resources(&["-m", "0", "--cpus", "0", "--pids-limit", "-1", "img", "x"]);
    assert!(none.memory().is_none() && none.cpu().is_none() && none.pids().is_none());
    assert!(!none.devices().as_ref().unwrap()[0].allow());
    let some = resources(&[
        "-m",
        "64m",
        "--cpus",
        "1.5",
        "--pids-limit",
        "20",
        "img",
        "x",
    ]);
    let memory = some.memory().unwrap();
    assert_eq!(
        (memory.limit(), memory.swap()),
        (Some(64 << 20), Some(128 << 20))
    );
    let cpu = some.cpu().as_ref().unwrap();
    assert_eq!((cpu.quota(), cpu.period()), (Some(150_000), Some(100_000)));
    assert_eq!(some.pids().as_ref().unwrap().limit(), 20);
    let range = "range of CPUs is from 0.01 to 4.00, as there are only 4 CPUs available";
    for cpus in ["5", "4.1", "0.001"] {
        assert_eq!(error("{}", &["--cpus", cpus, "img", "x"]), range);
    }
    let files = process(&spec("{}", &["img", "x"]))
        .rlimits()
        .clone()
        .unwrap()[0];
    assert_eq!((files.soft(), files.hard()), (1024, 524_288));
}

#[test]
fn mounts_in_order() {
    let defaults = mount_lines(&spec("{}", &["img", "x"]));
    assert_eq!(defaults.len(), 7);
    assert_eq!(
        defaults[1],
        "/dev tmpfs tmpfs nosuid,strictatime,mode=755,size=65536k"
    );
    let got = mount_lines(&spec(
        "{}",
        &[
            "-v",
            "../x:/z/y/x:ro",
            "-v",
            "/a:/z",
            "--tmpfs",
            "/run:size=1m",
            "-v",
            "/s:/dev/shm",
            "img",
            "x",
        ],
    ));
    let shown: Vec<&str> = got[6..].iter().map(String::as_str).collect();
    assert_eq!(
        shown,
        [
            "/run tmpfs tmpfs noexec,nosuid,nodev,size=1m",
            "/z bind /a rbind,rprivate,rw",
            "/dev/shm bind /s rbind,rprivate,rw",
            "/z/y/x bind /home/x rbind,rprivate,ro,rro",
        ]
    );
    assert_eq!(
        got.iter()
            .filter(|line| line.starts_with("/dev/shm "))
            .count(),
        1
    );
    let dev: Vec<String> = mount_lines(&spec("{}", &["-v", "/dev:/dev", "img", "x"]));
    assert_eq!(
        dev.iter().filter(|line| line.starts_with("/dev")).count(),
        1
    );
}

#[test]
fn network_hostname_and_annotations() {
    let kinds = |spec: &Spec| -> Vec<LinuxNamespaceType> {
        linux(spec)
            .namespaces()
            .as_ref()
            .unwrap()
            .iter()
            .map(|n| n.typ())
            .collect()
    };
    let own = spec("{}", &["img", "x"]);
    assert_eq!(kinds(&own).len(), 6);
    assert!(!kinds(&own).contains(&LinuxNamespaceType::User));
    assert_eq!(
        (
            own.hostname(),
            annotation(&own, annotation::HOSTNAME_FROM_ID)
        ),
        (&None, Some("true"))
    );
    assert_eq!(annotation(&own, annotation::USERNS), Some("auto"));
    assert_eq!(
        annotation(&own, annotation::ETC),
        Some("hosts,hostname,resolv.conf")
    );
    let shared = spec("{}", &["--network", "host", "img", "x"]);
    assert!(!kinds(&shared).contains(&LinuxNamespaceType::Network));
    assert_eq!(shared.hostname().as_deref(), Some("machine"));
    assert_eq!(annotation(&shared, annotation::HOSTNAME_FROM_ID), None);
    assert_eq!(annotation(&shared, annotation::USERNS), Some("host"));
    let named = spec(
        "{}",
        &[
            "-h",
            "web",
            "--strict",
            "--storage-opt",
            "size=1m",
            "-v",
            "/h:/etc/hosts",
            "img",
            "x",
        ],
    );
    assert_eq!(named.hostname().as_deref(), Some("web"));
    assert_eq!(
        annotation(&named, annotation::ETC),
        Some("hostname,resolv.conf")
    );
    assert_eq!(
        annotation(&named, annotation::STORAGE_SIZE),
        Some("1048576")
    );
    assert_eq!(annotation(&named, annotation::STRICT), Some("true"));
    let etc = spec("{}", &["-v", "/e:/etc", "--userns", "host", "img", "x"]);
    assert_eq!(
        (
            annotation(&etc, annotation::ETC),
            annotation(&etc, annotation::USERNS)
        ),
        (Some(""), Some("host"))
    );
    let plain = parse_run(&["img"], &|_| None).unwrap().options;
    assert!(etc::hosts(Some("web"), &plain).ends_with("127.0.1.1\tweb\n"));
    assert_eq!(etc::hostname("web"), "web\n");
    assert!(etc::resolv_conf(&plain, b"nameserver 9.9.9.9\n").starts_with(b"#"));
}

#[test]
fn hidden_paths_root_and_version() {
    let plain = spec("{}", &["img", "x"]);
    assert!(
        linux(&plain)
            .masked_paths()
            .as_ref()
            .unwrap()
            .iter()
            .any(|path| path == "/proc/kcore")
    );
    assert!(
        linux(&plain)
            .readonly_paths()
            .as_ref()
            .unwrap()
            .iter()
            .any(|path| path == "/proc/sys")
    );
    assert_eq!(linux(&plain).devices().as_ref().unwrap().len(), 6);
    assert_eq!(plain.root().as_ref().unwrap().readonly(), Some(false));
    assert_eq!(process(&plain).no_new_privileges(), Some(false));
    let read_only = spec(
        "{}",
        &[
            "--read-only",
            "--security-opt",
            "no-new-privileges",
            "img",
            "x",
        ],
    );
    assert_eq!(read_only.root().as_ref().unwrap().readonly(), Some(true));
    assert_eq!(process(&read_only).no_new_privileges(), Some(true));
    // The document survives being written and read, as a bundle's config.json is.
    let json = serde_json::to_string(&plain).unwrap();
    assert_eq!(serde_json::from_str::<Spec>(&json).unwrap(), plain);
}

#[test]
fn seccomp_profiles() {
    let profile = |line: &[&str]| linux(&spec("{}", line)).seccomp().clone();
    let builtin = profile(&["img", "x"]).unwrap();
    assert_eq!(builtin.default_action(), LinuxSeccompAction::ScmpActErrno);
    assert_eq!(
        profile(&["--security-opt", "seccomp=unconfined", "img", "x"]),
        None
    );
    let own = profile(&["--security-opt", "seccomp=good.json", "img", "x"]).unwrap();
    assert_eq!(own.default_action(), LinuxSeccompAction::ScmpActAllow);
    for (file, text) in [
        (
            "none.json",
            "opening seccomp profile /home/me/none.json failed: entity not found",
        ),
        (
            "binary",
            "opening seccomp profile /home/me/binary failed: invalid data",
        ),
        ("bad.json", "/home/me/bad.json: seccomp profile: "),
    ] {
        let got = error(
            "{}",
            &["--security-opt", &format!("seccomp={file}"), "img", "x"],
        );
        assert!(got.starts_with(text), "{got}");
    }
    let untrusted = spec("{}", &["--preset", "untrusted", "img", "x"]);
    assert_ne!(linux(&untrusted).seccomp().as_ref(), Some(&builtin));
    assert_eq!(process(&untrusted).no_new_privileges(), Some(true));
    let memory = linux(&untrusted)
        .resources()
        .as_ref()
        .unwrap()
        .memory()
        .unwrap();
    assert_eq!(memory.limit(), memory.swap(), "no swap");
    assert_eq!(
        annotation(&untrusted, annotation::PRESET),
        Some("untrusted")
    );
}
