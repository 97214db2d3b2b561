//! `--privileged`, and all capabilities: as far as this process's own go.

use crate::support::{place, status};
use std::fs;

/// Everything of the machine but this process's own lacks.
const ALL: &[&str] = &["--privileged"];

fn own_capabilities() -> u64 {
    u64::from_str_radix(&status("self", "CapPrm"), 16).unwrap()
}

#[test]
fn every_right_of_the_caller() {
    let Some(on) = place() else { return };
    let script = "grep -E '^(CapEff|CapBnd|Seccomp|NoNewPrivs):' /proc/self/status | cut -f2; \
                  cat /proc/self/uid_map | tr -s ' '";
    let out = on.sh(ALL, script);
    let own = format!("{:016x}", own_capabilities());
    // In the order of proc_pid_status(5).
    assert_eq!(out, format!("{own}\n{own}\n0\n0\n 0 0 4294967295"));
}

#[test]
fn nothing_is_hidden_or_read_only() {
    let Some(on) = place() else { return };
    let script = "cut -d' ' -f2 /proc/mounts | grep -E '^/proc/.|^/sys/(firmware|devices)' | grep -v ^/proc/sys/fs; \
                  grep -E ' (/sys sysfs|/proc proc) ' /proc/mounts | cut -d' ' -f2,4 | cut -d, -f1 | sort";
    assert_eq!(on.sh(ALL, script), "/proc rw\n/sys rw");
    // Mounting works, here and of the machine's file systems.
    on.sh(
        ALL,
        "mount -t tmpfs none /mnt && mount --bind /mnt /var && umount /var",
    );
    assert_eq!(
        on.sh(
            &["--privileged", "--read-only"],
            "grep -c ' /sys sysfs ro' /proc/mounts"
        ),
        "1"
    );
}

#[test]
fn every_device_of_the_machine() {
    let Some(on) = place() else { return };
    let inside = on.sh(ALL, "find /dev -xdev \\( -type c -o -type b \\) | sort");
    let find = std::process::Command::new("find")
        .args(["/dev", "-xdev", "(", "-type", "c", "-o", "-type", "b", ")"])
        .args([
            "-not",
            "-path",
            "/dev/pts/*",
            "-not",
            "-path",
            "/dev/console",
            "-not",
            "-path",
            "/dev/ptmx",
        ])
        .output()
        .unwrap();
    let mut outside: Vec<String> = String::from_utf8(find.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    // What every container has is there also where the machine hides it.
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        outside.push(format!("/dev/{name}"));
    }
    outside.sort();
    outside.dedup();
    assert_eq!(inside.lines().collect::<Vec<_>>(), outside);
    // A node that no list names can be made and opened: /dev/kmsg.
    on.sh(ALL, "mknod /tmp/kmsg c 1 11 && exec 3</tmp/kmsg");
    let done = on.run(&[], &["sh", "-c", "ls /dev/kmsg"]);
    assert!(done.code != 0, "{done:?}");
}

#[test]
fn what_it_costs_is_said() {
    let Some(on) = place() else { return };
    let notes = on.prepare(&["--privileged", "busybox"]).unwrap().notes();
    assert!(
        notes
            .iter()
            .any(|note| note.contains("because of --privileged")),
        "{notes:?}"
    );
    let lacking = own_capabilities() != (1 << 41) - 1;
    assert_eq!(
        notes
            .iter()
            .any(|note| note.contains("all capabilities but CAP_")),
        lacking,
        "{notes:?}"
    );
    for (options, word) in [
        (&["--privileged", "--strict"][..], "--strict"),
        (&["--privileged", "--userns", "auto"], "--userns auto"),
        (
            &["--privileged", "--preset", "untrusted"],
            "--preset untrusted",
        ),
        (&["--privileged", "--cap-add", "CAP_NONE"], "CAP_NONE"),
    ] {
        let error = on.refused(options, &["true"]);
        assert!(
            error.to_string().contains(word) && error.exit_code() == 125,
            "{error}"
        );
    }
}

#[test]
fn a_filter_asked_for_holds_even_so() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    let profile = dir.join("no-mkdir.json");
    fs::write(
        &profile,
        r#"{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95}]}"#,
    )
    .unwrap();
    let option = format!("seccomp={}", profile.display());
    let done = on.run(
        &["--privileged", "--security-opt", &option],
        &["mkdir", "/x"],
    );
    assert!(
        done.code != 0 && done.err.contains("not supported"),
        "{done:?}"
    );
}

#[test]
fn all_capabilities_and_few() {
    let Some(on) = place() else { return };
    let effective = |options: &[&str]| on.sh(options, "grep CapEff /proc/self/status | cut -f2");
    let all = (1u64 << 41) - 1;
    // In a user namespace of its own there are all.
    assert_eq!(effective(&["--cap-add", "all"]), format!("{all:016x}"));
    let without = [
        "--cap-add",
        "ALL",
        "--cap-drop",
        "SYS_ADMIN",
        "--cap-drop",
        "cap_chown",
    ];
    assert_eq!(
        effective(&without),
        format!("{:016x}", all & !(1 << 21) & !1)
    );
    assert_eq!(effective(&["--cap-drop", "ALL"]), format!("{:016x}", 0));
    assert_eq!(
        effective(&["--cap-drop", "ALL", "--cap-add", "KILL"]),
        format!("{:016x}", 1 << 5)
    );
    // With the caller's ids no more than the caller has.
    let host = ["--cap-add", "ALL", "--userns", "host"];
    assert_eq!(effective(&host), format!("{:016x}", own_capabilities()));
}
