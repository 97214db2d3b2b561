//! The filter in effect, seen from inside: one program for each call.

use crate::probes;
use crate::support::place;
use nix::libc::{EAFNOSUPPORT, EINVAL, ENOSYS, EPERM};

fn refused(options: &[&str]) -> Vec<(&'static str, i32)> {
    let Some(on) = place() else { return Vec::new() };
    let one = |(name, ..): &(&'static str, i64, [u64; 3])| {
        (*name, on.run(options, &[&format!("/probe/{name}")]).code)
    };
    probes::ALL.iter().map(one).collect()
}

fn code(all: &[(&str, i32)], name: &str) -> i32 {
    all.iter().find(|(probe, _)| *probe == name).unwrap().1
}

const DENIED: [&str; 13] = [
    "add_key",
    "bpf",
    "init_module",
    "io_uring_setup",
    "kexec_load",
    "keyctl",
    "open_by_handle_at",
    "perf_event_open",
    "pivot_root",
    "reboot",
    "setns",
    "unshare_user",
    "userfaultfd",
];

#[test]
fn dockers_list() {
    let seen = refused(&[]);
    if seen.is_empty() {
        return;
    }
    for name in DENIED.iter().chain(&["socket_vsock"]) {
        assert_eq!(code(&seen, name), EPERM, "{name}: {seen:?}");
    }
    for name in ["unknown", "clone3"] {
        assert_eq!(code(&seen, name), ENOSYS, "{name}: {seen:?}");
    }
    for name in ["geteuid", "getppid", "ptrace"] {
        assert_eq!(code(&seen, name), 0, "{name}: {seen:?}");
    }
    assert!(code(&seen, "socket_inet") > 2, "an fd: {seen:?}");
}

#[test]
fn unconfined_they_reach_the_kernel() {
    let seen = refused(&["--security-opt", "seccomp=unconfined"]);
    if seen.is_empty() {
        return;
    }
    assert_eq!(code(&seen, "unshare_user"), 0, "{seen:?}");
    assert_eq!(code(&seen, "clone3"), EINVAL, "{seen:?}");
    assert_eq!(code(&seen, "unknown"), ENOSYS, "{seen:?}");
    // What would harm the host its user namespace forbids.
    for name in ["init_module", "kexec_load", "reboot"] {
        let code = code(&seen, name);
        assert!(code == EPERM || code == ENOSYS, "{name}: {seen:?}");
    }
}

#[test]
fn rights_widen_the_list_and_the_preset_narrows_it() {
    let Some(on) = place() else { return };
    let admin = |name: &str| {
        on.run(&["--cap-add", "SYS_ADMIN"], &[&format!("/probe/{name}")])
            .code
    };
    assert_ne!(admin("clone3"), ENOSYS);
    assert_eq!(admin("unshare_user"), 0);
    let untrusted = |name: &str| {
        on.run(&["--preset", "untrusted"], &[&format!("/probe/{name}")])
            .code
    };
    assert_eq!(untrusted("socket_alg"), EAFNOSUPPORT);
    assert!(untrusted("socket_inet") > 2);
    for name in DENIED {
        assert_eq!(untrusted(name), EPERM, "{name}");
    }
    let plain = on.run(&[], &["/probe/socket_alg"]).code;
    assert!(
        plain == EAFNOSUPPORT || plain == EPERM || plain > 2,
        "{plain}"
    );
}
