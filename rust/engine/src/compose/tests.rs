//! Facts of composed documents, and every refusal.

use std::collections::BTreeMap;
use std::path::Path;

use oci_spec::runtime::{Capability, LinuxNamespaceType, LinuxSeccompAction};

use super::*;
use crate::options::parse_run;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n+\nbroken\nbad:x:-1:5::/bad:\n\
    # comment\nwww:x:33:33:web:/var/www:/bin/false\nann:x:1000:1001::/home/ann:\n1000:x:7:7::/seven:\nhomeless:x:9:9\n";
const GROUP: &str =
    "root:x:0:\nadm:x:4:ann, www\nwww:x:33:\nann:x:1001:ann\naudio:x:29:www,ann\nbad:x:no:ann\n";

fn host() -> Host {
    Host {
        hostname: "machine".into(),
        directory: "/home/me".into(),
        cpus: 4,
        processors: 2,
        swap_limit: true,
        open_files: 1 << 20,
        kernel: (6, 18),
    }
}

/// Composes `fastbox run LINE` for an image with this config (JSON).
fn try_compose(config: &str, line: &[&str]) -> Result<Spec, SpecError> {
    let config: Config = serde_json::from_str(config).unwrap();
    let run = parse_run(line, &|_| None).unwrap();
    let read = |path: &str| match path {
        "/etc/passwd" => Some(PASSWD.into()),
        "/etc/group" => Some(GROUP.into()),
        _ => None,
    };
    let read_host = |path: &Path| match path.to_str() {
        Some("/home/me/good.json") => Ok(br#"{"defaultAction": "SCMP_ACT_ALLOW"}"#.to_vec()),
        Some("/home/me/bad.json") => Ok(b"{}".to_vec()),
        Some("/home/me/binary") => Ok(b"\xff".to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let image = ImageView {
        config: Some(&config),
        mounts: &[],
        etc_files: &etc::FILES,
        read: &read,
    };
    compose(&run.options, &run.command, &image, &host(), &read_host)
}

fn spec(config: &str, line: &[&str]) -> Spec {
    try_compose(config, line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn error(config: &str, line: &[&str]) -> String {
    try_compose(config, line)
        .expect_err("must be refused")
        .to_string()
}

fn process(spec: &Spec) -> &oci_spec::runtime::Process {
    spec.process().as_ref().unwrap()
}

fn linux(spec: &Spec) -> &oci_spec::runtime::Linux {
    spec.linux().as_ref().unwrap()
}

/// `destination type source options` of every mount.
fn mount_lines(spec: &Spec) -> Vec<String> {
    let line = |mount: &Mount| {
        let source = mount.source().as_ref().unwrap().display().to_string();
        let options = mount.options().as_ref().unwrap().join(",");
        format!(
            "{} {} {source} {options}",
            mount.destination().display(),
            mount.typ().as_ref().unwrap()
        )
    };
    spec.mounts().as_ref().unwrap().iter().map(line).collect()
}

fn annotation<'a>(spec: &'a Spec, key: &str) -> Option<&'a str> {
    spec.annotations().as_ref()?.get(key).map(String::as_str)
}

#[test]
fn entrypoint_and_command() {
    let both = r#"{"Entrypoint": ["/e", "1"], "Cmd": ["c", "2"]}"#;
    for (config, line, want) in [
        (both, &["img"][..], "/e 1 c 2"),
        (both, &["img", "x", "-y"], "/e 1 x -y"),
        (r#"{"Cmd": ["c"]}"#, &["img"], "c"),
        (r#"{"Cmd": ["c", "2"]}"#, &["img", "ls"], "ls"),
        (r#"{"Entrypoint": ["/e"]}"#, &["img"], "/e"),
        ("{}", &["img", "ls", ""], "ls "),
    ] {
        assert_eq!(
            process(&spec(config, line))
                .args()
                .as_ref()
                .unwrap()
                .join(" "),
            want
        );
    }
    assert_eq!(error("{}", &["img"]), "no command specified");
    assert_eq!(
        error(r#"{"Entrypoint": [], "Cmd": []}"#, &["img"]),
        "no command specified"
    );
}

#[test]
fn environment_by_dockers_rules() {
    let env = |config: &str, line: &[&str]| process(&spec(config, line)).env().clone().unwrap();
    let path = format!("PATH={}", super::environment::PATH);
    assert_eq!(env("{}", &["img", "x"]), [path.as_str(), "HOME=/root"]);
    let image = r#"{"Env": ["PATH=/p", "A=1", "B=2", "HOME=", "LOST"]}"#;
    let got = env(
        image,
        &[
            "-e", "A=9", "-e", "C=", "-e", "B", "-h", "web", "-u", "www", "img", "x",
        ],
    );
    assert_eq!(
        got,
        ["PATH=/p", "HOSTNAME=web", "A=9", "HOME=/var/www", "C="]
    );
    let got = env(
        "{}",
        &[
            "-e",
            "HOME=/mine",
            "-e",
            "HOSTNAME=other",
            "-e",
            "PATH=/q",
            "-h",
            "web",
            "img",
            "x",
        ],
    );
    assert_eq!(got, ["PATH=/q", "HOSTNAME=other", "HOME=/mine"]);
}

#[test]
fn users_by_the_images_own_files() {
    let ids = |user: &str| {
        let spec = spec("{}", &["-u", user, "img", "x"]);
        let user = process(&spec).user();
        let home = process(&spec)
            .env()
            .as_ref()
            .unwrap()
            .iter()
            .find_map(|v| v.strip_prefix("HOME="))
            .unwrap()
            .to_owned();
        (
            user.uid(),
            user.gid(),
            user.additional_gids().clone().unwrap(),
            home,
        )
    };
    for (user, uid, gid, groups, home) in [
        ("", 0, 0, &[0][..], "/root"),
        ("root", 0, 0, &[0], "/root"),
        ("0", 0, 0, &[0], "/root"),
        ("ann", 1000, 1001, &[1001, 4, 29], "/home/ann"),
        ("1000", 1000, 1001, &[1001, 4, 29], "/home/ann"),
        ("ann:audio", 1000, 29, &[29], "/home/ann"),
        ("ann:12", 1000, 12, &[12], "/home/ann"),
        ("5555", 5555, 0, &[0], "/"),
        ("5555:6666", 5555, 6666, &[6666], "/"),
        (":audio", 0, 29, &[29], "/root"),
        ("homeless", 9, 9, &[9], "/"),
        ("2147483647", 2147483647, 0, &[0], "/"),
    ] {
        assert_eq!(
            ids(user),
            (uid, gid, groups.to_vec(), home.to_owned()),
            "{user}"
        );
    }
    for (user, text) in [
        (
            "bob",
            "unable to find user bob: no matching entries in passwd file",
        ),
        (
            "bad",
            "unable to find user bad: no matching entries in passwd file",
        ),
        (
            "ann:none",
            "unable to find group none: no matching entries in group file",
        ),
        (
            "ann:a:b",
            "unable to find group a:b: no matching entries in group file",
        ),
        (
            "2147483648",
            "2147483648: uids and gids must be in range 0-2147483647",
        ),
        ("-1", "-1: uids and gids must be in range 0-2147483647"),
        (
            "0:99999999999",
            "99999999999: uids and gids must be in range 0-2147483647",
        ),
    ] {
        assert_eq!(error("{}", &["-u", user, "img", "x"]), text);
    }
    let image = r#"{"User": "www"}"#;
    assert_eq!(process(&spec(image, &["img", "x"])).user().uid(), 33);
    assert_eq!(
        process(&spec(image, &["-u", "ann", "img", "x"]))
            .user()
            .uid(),
        1000
    );
}

#[test]
fn working_directory() {
    let cwd =
        |config: &str, line: &[&str]| process(&spec(config, line)).cwd().display().to_string();
    assert_eq!(cwd("{}", &["img", "x"]), "/");
    assert_eq!(cwd(r#"{"WorkingDir": "/srv/"}"#, &["img", "x"]), "/srv");
    assert_eq!(
        cwd(r#"{"WorkingDir": "/srv"}"#, &["-w", "/a/../b", "img", "x"]),
        "/b"
    );
    let text =
        "the working directory 'srv' of the image is invalid, it needs to be an absolute path";
    assert_eq!(error(r#"{"WorkingDir": "srv"}"#, &["img", "x"]), text);
}

#[test]
fn hostile_configs_are_refused() {
    for (config, field) in [
        (r#"{"Env": ["A=\u0000"]}"#, "environment"),
        (r#"{"Cmd": ["\u0000"]}"#, "command"),
        (r#"{"Entrypoint": ["a\u0000"]}"#, "entrypoint"),
        (
            r#"{"Cmd": ["x"], "WorkingDir": "/\u0000"}"#,
            "working directory",
        ),
    ] {
        assert_eq!(
            error(config, &["img"]),
            format!("the image's {field} contains a zero byte")
        );
    }
}

#[test]
fn capabilities_of_root_and_others() {
    let sets = |line: &[&str]| process(&spec("{}", line)).capabilities().clone().unwrap();
    let root = sets(&["img", "x"]);
    assert_eq!(root.bounding().as_ref().unwrap().len(), 14);
    assert_eq!(root.effective(), root.bounding());
    assert_eq!(root.permitted(), root.bounding());
    let other = sets(&["-u", "ann", "img", "x"]);
    assert_eq!(other.bounding(), root.bounding());
    for set in [
        other.effective(),
        other.permitted(),
        root.inheritable(),
        root.ambient(),
    ] {
        assert!(set.as_ref().unwrap().is_empty());
    }
    let one = sets(&["--cap-drop", "ALL", "--cap-add", "net_admin", "img", "x"]);
    assert_eq!(
        one.effective().as_ref().unwrap().iter().collect::<Vec<_>>(),
        [&Capability::NetAdmin]
    );
    assert!(error("{}", &["--cap-add", "FLY", "img", "x"]).contains("FLY"));
}

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
    assert!(etc::hosts("web").ends_with("127.0.1.1\tweb\n"));
    assert_eq!(etc::hostname("web"), "web\n");
    assert_eq!(
        etc::resolv_conf(Network::Host, b"nameserver 9.9.9.9\n"),
        b"nameserver 9.9.9.9\n"
    );
    assert!(etc::resolv_conf(Network::None, b"nameserver 9.9.9.9\n").starts_with(b"#"));
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
        ("bad.json", "seccomp profile: "),
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

#[test]
fn missing_sources_are_made() {
    let base = std::env::temp_dir().join(format!("fastbox-sources-{}", std::process::id()));
    std::fs::create_dir_all(base.join("there")).unwrap();
    std::fs::write(base.join("file"), "").unwrap();
    let options = |source: &str| {
        parse_run(&["-v", &format!("{source}:/d"), "img"], &|_| None)
            .unwrap()
            .options
    };
    assert_eq!(
        sources::make_missing(&options("./there"), &base).unwrap(),
        [] as [PathBuf; 0]
    );
    assert_eq!(
        sources::make_missing(&options("./a/b"), &base).unwrap(),
        [base.join("a/b")]
    );
    assert!(base.join("a/b").is_dir());
    let error = sources::make_missing(&options("./file/x"), &base)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("bind source ") && error.contains("file/x"),
        "{error}"
    );
    std::fs::remove_dir_all(&base).unwrap();
}

#[test]
fn the_host_image() {
    let base = std::env::temp_dir().join(format!("fastbox-host-{}", std::process::id()));
    for directory in ["usr/bin", "etc", "sbin", "home/me"] {
        std::fs::create_dir_all(base.join(directory)).unwrap();
    }
    std::os::unix::fs::symlink("usr/bin", base.join("bin")).unwrap();
    std::fs::write(base.join("etc/hosts"), "").unwrap();
    std::os::unix::fs::symlink("../run/resolve/stub.conf", base.join("etc/resolv.conf")).unwrap();
    let image = host::image(&base).unwrap();
    let shown: BTreeMap<&Path, &Path> = image
        .mounts
        .iter()
        .map(|mount| {
            (
                mount.destination().as_path(),
                mount.source().as_deref().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        shown
            .keys()
            .map(|path| path.to_str().unwrap())
            .collect::<Vec<_>>(),
        ["/etc", "/sbin", "/usr"]
    );
    assert_eq!(shown[Path::new("/usr")], base.join("usr"));
    assert!(image.mounts.iter().all(|mount| {
        mount
            .options()
            .as_ref()
            .unwrap()
            .contains(&"rro".to_owned())
    }));
    assert!(image.skeleton.contains(&host::Entry::Symlink {
        path: "/bin".into(),
        target: "usr/bin".into()
    }));
    assert!(image.skeleton.contains(&host::Entry::File {
        path: "/run/resolve/stub.conf".into()
    }));
    assert_eq!(
        image.etc_files,
        ["hosts", "resolv.conf"],
        "the host has no /etc/hostname"
    );
    let mut seen: Vec<&Path> = Vec::new();
    for entry in &image.skeleton {
        let parent = entry.path().parent().unwrap();
        assert!(
            parent == Path::new("/") || seen.contains(&parent),
            "{entry:?} before its parent"
        );
        assert!(!seen.contains(&entry.path()), "{entry:?} twice");
        seen.push(entry.path());
    }
    for mount in &image.mounts {
        assert!(
            seen.contains(&mount.destination().as_path()),
            "no mount point for {mount:?}"
        );
    }
    std::fs::remove_dir_all(&base).unwrap();
    assert!(
        host::image(&base)
            .unwrap_err()
            .to_string()
            .contains("host image")
    );
    // The machine's own.
    host::image(Path::new("/")).unwrap();
}

#[test]
fn the_host_is_asked() {
    let host = Host::probe("/".into(), false).unwrap();
    assert!(
        host.cpus >= 1 && host.processors >= 1 && host.open_files > 0 && host.kernel >= (5, 15)
    );
    assert!(!host.hostname.is_empty());
}
