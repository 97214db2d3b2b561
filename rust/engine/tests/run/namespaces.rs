//! Namespaces that are shared: with the caller.

use crate::support::{place, within};
use std::fs;
use std::time::Duration;

fn own(namespace: &str) -> String {
    let link = fs::read_link(format!("/proc/self/ns/{namespace}")).unwrap();
    link.display().to_string()
}

/// The container's, as its own link reads.
fn inside(options: &[&str], namespace: &str) -> String {
    let on = place().unwrap();
    on.sh(options, &format!("readlink /proc/self/ns/{namespace}"))
}

#[test]
fn host_names() {
    let Some(on) = place() else { return };
    let name = nix::unistd::gethostname().unwrap().into_string().unwrap();
    assert_eq!(
        on.sh(&["--uts", "host"], "hostname; cat /etc/hostname"),
        format!("{name}\n{name}")
    );
    assert_eq!(inside(&["--uts", "host"], "uts"), own("uts"));
    // Ids of its own are kept: the names are only read.
    let ids = on.sh(
        &["--uts", "host", "--strict"],
        "cat /proc/self/uid_map | tr -s ' ' | cut -d' ' -f3",
    );
    assert_ne!(ids, "0");
    let admin = ["--uts", "host", "--cap-add", "SYS_ADMIN"];
    for options in [&["--uts", "host"][..], &admin] {
        let done = on.run(options, &["hostname", "other"]);
        assert!(done.code != 0, "{done:?}");
    }
    assert_eq!(
        nix::unistd::gethostname().unwrap().into_string().unwrap(),
        name
    );
    for name in [["--hostname", "x"], ["--domainname", "x"]] {
        let error = on.refused(&[&name[..], &["--uts", "host"]].concat(), &["true"]);
        assert!(error.to_string().contains(name[0]), "{error}");
    }
    assert_ne!(inside(&["--uts", ""], "uts"), own("uts"));
}

#[test]
fn a_domain_name() {
    let Some(on) = place() else { return };
    let script = "hostname; cat /proc/sys/kernel/domainname";
    assert_eq!(
        on.sh(&["-h", "web", "--domainname", "example.org"], script),
        "web\nexample.org"
    );
    let admin = [
        "--domainname",
        "example.org",
        "-h",
        "a",
        "--cap-add",
        "SYS_ADMIN",
    ];
    assert_eq!(on.sh(&admin, script), "a\nexample.org");
}

#[test]
fn shared_memory() {
    let Some(on) = place() else { return };
    let host = ["--ipc", "host"];
    assert_eq!(inside(&host, "ipc"), own("ipc"));
    let name = format!("fastbox-{}", std::process::id());
    let outside = std::path::Path::new("/dev/shm").join(&name);
    fs::write(&outside, "hello").unwrap();
    let out = on.sh(
        &host,
        &format!("cat /dev/shm/{name}; echo more >>/dev/shm/{name}"),
    );
    let now = fs::read_to_string(&outside).unwrap();
    fs::remove_file(&outside).unwrap();
    assert_eq!((out.as_str(), now.as_str()), ("hello", "hellomore\n"));

    for mode in ["private", "shareable", ""] {
        assert_ne!(inside(&["--ipc", mode], "ipc"), own("ipc"));
        on.sh(&["--ipc", mode], "echo x >/dev/shm/x");
    }
    assert_ne!(inside(&["--ipc", "none"], "ipc"), own("ipc"));
    let done = on.run(&["--ipc", "none"], &["sh", "-c", "echo x >/dev/shm/x"]);
    assert!(done.code != 0, "{done:?}");
    for (options, text) in [
        (&["--ipc", "both"][..], "invalid IPC mode"),
        (&["--ipc", "container:"], "invalid IPC mode"),
        (&["--pid", "container:"], "invalid PID mode"),
        (&["--pid", "private"], "invalid PID mode"),
        (&["--uts", "own"], "invalid UTS mode"),
        (
            &["--ipc", "host", "--userns", "auto"],
            "--ipc host and --userns auto",
        ),
        (&["--pid", "host", "--strict"], "--pid host and --strict"),
        (
            &["--pid", "host", "--preset", "untrusted"],
            "--preset untrusted",
        ),
        (
            &["--uts", "host", "--preset", "untrusted"],
            "--preset untrusted",
        ),
    ] {
        let error = on.refused(options, &["true"]);
        assert!(
            error.to_string().contains(text) && error.exit_code() == 125,
            "{error}"
        );
    }
}

#[test]
fn processes_of_the_host() {
    let Some(on) = place() else { return };
    let host = ["--pid", "host"];
    assert_eq!(inside(&host, "pid"), own("pid"));
    let me = std::process::id();
    assert_eq!(
        on.sh(
            &host,
            &format!("tr '\\0' '\\n' </proc/{me}/cmdline | head -n1")
        ),
        std::env::args().next().unwrap()
    );
    // What its first process leaves behind is ended with it.
    let seconds = format!("1000{me}");
    let done = on.run(
        &host,
        &[
            "sh",
            "-c",
            &format!("setsid sleep {seconds} >/dev/null 2>&1 & exit 3"),
        ],
    );
    assert_eq!(done.code, 3, "{done:?}");
    assert!(!runs(&seconds));
    // The same where it is killed.
    let (_plan, container) = on.start(&host, &format!("setsid sleep {seconds} & wait"));
    assert!(within(Duration::from_secs(10), || runs(&seconds)));
    drop(container);
    assert!(!runs(&seconds));
}

/// Whether a process with this argument runs anywhere.
fn runs(argument: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.split(|b| *b == 0)
            .any(|word| word == argument.as_bytes())
    })
}
