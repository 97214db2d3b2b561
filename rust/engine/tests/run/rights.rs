//! The state a program starts in: capabilities, signals, limits, open files.

use crate::support::{Place, busybox, place, status};
use std::process::Command;

const DOCKERS: &str = "00000000a80425fb";
const NONE: &str = "0000000000000000";

/// Inh, Prm, Eff, Bnd, Amb.
fn caps(on: &Place, options: &[&str]) -> Vec<String> {
    let done = on.run(options, &["grep", "^Cap", "/proc/self/status"]);
    done.out
        .lines()
        .map(|line| line.split_whitespace().nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn capabilities() {
    let Some(on) = place() else { return };
    for more in [
        &[][..],
        &["--userns", "host"],
        &["--security-opt", "no-new-privileges"],
        &["--security-opt", "seccomp=unconfined"],
    ] {
        let with = |options: &[&'static str]| caps(on, &[options, more].concat());
        assert_eq!(with(&[]), [NONE, DOCKERS, DOCKERS, DOCKERS, NONE]);
        assert_eq!(with(&["-u", "1000"]), [NONE, NONE, NONE, DOCKERS, NONE]);
        assert_eq!(with(&["--cap-drop", "ALL"]), [NONE; 5]);
        let added = "00000000a80435fb";
        assert_eq!(
            with(&["--cap-add", "net_admin"]),
            [NONE, added, added, added, NONE]
        );
        let one = "0000000000000001";
        assert_eq!(
            with(&["--cap-drop", "ALL", "--cap-add", "CAP_CHOWN"]),
            [NONE, one, one, one, NONE]
        );
        // Those of a user namespace are all there are, the caller's those it has itself.
        let all = match more.contains(&"--userns") {
            true => status("self", "CapPrm"),
            false => on.sh(
                &[],
                "printf %016x $(((2 << $(cat /proc/sys/kernel/cap_last_cap)) - 1))",
            ),
        };
        assert_eq!(with(&["--cap-add", "ALL"]), [NONE, &all, &all, &all, NONE]);
        let most = format!(
            "{:016x}",
            u64::from_str_radix(&all, 16).unwrap() & !(1 << 13)
        );
        assert_eq!(
            with(&["--cap-add", "ALL", "--cap-drop", "NET_RAW"]),
            [NONE, &most, &most, &most, NONE]
        );
    }
    let done = on.run(&["--cap-drop", "CHOWN"], &["chown", "33", "/tmp"]);
    assert!(
        done.code != 0 && done.err.contains("not permitted"),
        "{done:?}"
    );
    let error = on.refused(&["--cap-add", "NOSUCH"], &["true"]);
    assert!(error.to_string().contains("NOSUCH"), "{error}");
}

#[test]
fn filter_and_new_privileges() {
    let Some(on) = place() else { return };
    let fields = |options: &[&str]| {
        on.run(
            options,
            &["grep", "-E", "^(Seccomp|NoNewPrivs):", "/proc/self/status"],
        )
        .out
        .replace(['\t', '\n'], " ")
    };
    assert_eq!(fields(&[]), "NoNewPrivs: 0 Seccomp: 2 ");
    assert_eq!(fields(&["-u", "1000"]), "NoNewPrivs: 0 Seccomp: 2 ");
    assert_eq!(
        fields(&["--security-opt", "no-new-privileges"]),
        "NoNewPrivs: 1 Seccomp: 2 "
    );
    assert_eq!(
        fields(&["--security-opt", "no-new-privileges", "-u", "1000"]),
        "NoNewPrivs: 1 Seccomp: 2 "
    );
    assert_eq!(
        fields(&["--security-opt", "seccomp=unconfined"]),
        "NoNewPrivs: 0 Seccomp: 0 "
    );
    assert_eq!(
        fields(&["--preset", "untrusted"]),
        "NoNewPrivs: 1 Seccomp: 2 "
    );
    let filters = on
        .run(&[], &["grep", "^Seccomp_filters", "/proc/self/status"])
        .out;
    assert!(filters.trim().ends_with('1'), "{filters}");
}

fn signals(on: &Place) -> String {
    let done = on.run(
        &[],
        &[
            "grep",
            "-E",
            "^(SigQ|SigPnd|ShdPnd|SigBlk|SigIgn|SigCgt):",
            "/proc/self/status",
        ],
    );
    assert_eq!(done.code, 0, "{done:?}");
    done.out
        .lines()
        .filter(|line| !line.starts_with("SigQ"))
        .map(|line| line.replace('\t', ""))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn signals_are_as_new() {
    let Some(on) = place() else { return };
    let new = ["SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt"]
        .map(|field| format!("{field}:{NONE}"))
        .join(" ");
    // Rust's start-up has made this process ignore SIGPIPE.
    assert_ne!(status("self", "SigIgn"), NONE);
    assert_eq!(signals(on), new);
}

/// The same in a caller that ignores more, SIGCHLD above all: the end of its children is then forgotten at once.
#[test]
fn signals_are_as_new_whatever_the_caller_ignores() {
    if place().is_none() {
        return;
    }
    let me = std::env::current_exe().unwrap();
    let script = "trap '' HUP PIPE INT TERM CHLD USR1; exec \"$0\" --exact rights::in_an_ignoring_caller --ignored --nocapture";
    let ended = Command::new(busybox().unwrap())
        .args(["sh", "-c", script])
        .arg(me)
        .output()
        .unwrap();
    let out = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && out.contains("1 passed"),
        "{out}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

#[test]
#[ignore = "started by another test"]
fn in_an_ignoring_caller() {
    let Some(on) = place() else { return };
    let ignored = u64::from_str_radix(&status("self", "SigIgn"), 16).unwrap();
    for signal in [nix::libc::SIGHUP, nix::libc::SIGINT, nix::libc::SIGTERM] {
        assert!(ignored & 1 << (signal - 1) != 0, "{ignored:x}");
    }
    let done = on.run(&[], &["grep", "SigIgn", "/proc/self/status"]);
    assert_eq!(done.out.split_whitespace().nth(1), Some(NONE), "{done:?}");
    let forgotten =
        ignored & 1 << (nix::libc::SIGCHLD - 1) != 0 && crate::support::kernel() < (6, 15);
    let told = |code| if forgotten { 255 } else { code };
    assert_eq!(on.run(&[], &["sh", "-c", "exit 7"]).code, told(7));
    let (_kept, container) = on.start(&[], "read x");
    container.kill(nix::libc::SIGKILL).unwrap();
    assert_eq!(
        container.wait(None, &mut || false).unwrap().unwrap().code,
        told(137)
    );
}

#[test]
fn open_files() {
    let Some(on) = place() else { return };
    // A file that stays open over exec where nobody takes care.
    let _kept = {
        use nix::fcntl::{OFlag, open};
        open(
            "/etc/passwd",
            OFlag::O_RDONLY,
            nix::sys::stat::Mode::empty(),
        )
        .unwrap()
    };
    for options in [
        &[][..],
        &["-u", "1000"],
        &["--read-only"],
        &["-v", "/tmp:/v"],
    ] {
        let seen = on.run(options, &["ls", "-l", "/proc/self/fd"]).out;
        let lines: Vec<&str> = seen
            .lines()
            .skip_while(|line| !line.starts_with('l'))
            .collect();
        assert_eq!(lines.len(), 4, "{seen}");
        assert!(
            lines[0].ends_with("/null") && lines[1].contains("1 -> pipe:"),
            "{seen}"
        );
        // The last is the directory that ls reads, shut again or not.
        let last = lines[3].split(" -> ").next().unwrap();
        assert!(
            lines[2].contains("2 -> pipe:") && last.ends_with(" 3"),
            "{seen}"
        );
    }
}

#[test]
fn resource_limits_and_umask() {
    let Some(on) = place() else { return };
    let (_, most) =
        nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    let soft = 1024.min(most);
    let hard = 524_288.min(most);
    assert_eq!(
        on.sh(&[], "ulimit -n; ulimit -Hn; umask"),
        format!("{soft}\n{hard}\n0022")
    );
    assert_eq!(
        on.sh(&["--preset", "untrusted"], "ulimit -c; ulimit -Hc"),
        "0\n0"
    );
    assert_eq!(
        on.sh(&[], "touch /f; mkdir /d; stat -c %a /f /d"),
        "644\n755"
    );
}
