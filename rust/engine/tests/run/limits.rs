//! Limits, shown by programs that hit them.

use crate::support::{Place, place};
use std::time::{Duration, Instant};

/// Takes 64 MiB of memory and says so.
const EAT: &str = "x=$(head -c 67108864 /dev/zero | tr '\\0' x); echo ${#x}";

/// Whether the machine has the controller; else a word about it.
fn has(on: &Place, option: &[&str], what: &str) -> bool {
    match on.line(&[option, &["busybox", "true"]].concat()) {
        Ok(_) => true,
        Err(error) => {
            println!("skipped: no {what} limit here: {error}");
            false
        }
    }
}

#[test]
fn memory() {
    let Some(on) = place() else { return };
    if !has(on, &["-m", "32m"], "memory") {
        return;
    }
    // The first process is the one killed: it is replaced by what eats.
    let done = on.run(&["-m", "32m"], &["tail", "-c", "100m", "/dev/zero"]);
    assert_eq!(
        (done.code, done.all.exit.signal),
        (137, Some(9)),
        "{done:?}"
    );
    assert_eq!(done.all.exit.usage().oom_killed, Some(true), "{done:?}");
    let peak = done.all.exit.usage().memory_peak_bytes;
    assert!(
        peak.is_none_or(|peak| peak > 16 << 20 && peak <= 33 << 20),
        "{done:?}"
    );
    // A child killed is told too.
    let done = on.run(
        &["-m", "32m"],
        &["sh", "-c", "tail -c 100m /dev/zero; echo $?"],
    );
    assert!(
        done.out.ends_with("137\n") && done.all.exit.usage().oom_killed == Some(true),
        "{done:?}"
    );
    let done = on.run(&["-m", "512m"], &["sh", "-c", EAT]);
    assert_eq!(
        (done.out.as_str(), done.all.exit.usage().oom_killed),
        ("67108864\n", Some(false)),
        "{done:?}"
    );
    assert!(
        done.all
            .exit
            .usage()
            .memory_peak_bytes
            .is_none_or(|peak| peak > 60 << 20),
        "{done:?}"
    );
    // What lies in memory file systems counts.
    let done = on.run(
        &["-m", "32m"],
        &["dd", "if=/dev/zero", "of=/dev/shm/x", "bs=1M", "count=60"],
    );
    assert_eq!(done.code, 137, "{done:?}");
}

#[test]
fn processes() {
    let Some(on) = place() else { return };
    if !has(on, &["--pids-limit", "10"], "pids") {
        return;
    }
    let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 30 & done; echo started";
    let done = on.run(&["--pids-limit", "10"], &["sh", "-c", script]);
    assert!(
        done.err.contains("can't fork") && !done.out.contains("started"),
        "{done:?}"
    );
    on.sh(&["--pids-limit", "20"], script);
    // A bomb stays inside, and a timeout ends it.
    let bomb = ["--pids-limit", "50", "--timeout", "1"];
    let done = on.run(&bomb, &["sh", "-c", "b() { b | b & }; b; sleep 30"]);
    assert!(done.all.timed_out, "{done:?}");
}

#[test]
fn processors() {
    let Some(on) = place() else { return };
    if !has(on, &["--cpus", "0.5"], "cpu") {
        return;
    }
    let began = Instant::now();
    let done = on.run(
        &["--cpus", "0.1", "--timeout", "2"],
        &["sh", "-c", "while :; do :; done"],
    );
    let took = began.elapsed();
    assert!(done.all.timed_out, "{done:?}");
    let used = Duration::from_nanos(done.all.exit.usage().cpu_total_ns.unwrap());
    assert!(used < took / 4 && used > took / 40, "{used:?} of {took:?}");
    let error = on.refused(&["--cpus", "4000"], &["true"]);
    assert!(
        error
            .to_string()
            .starts_with("range of CPUs is from 0.01 to "),
        "{error}"
    );
}

#[test]
fn usage() {
    let Some(on) = place() else { return };
    let done = on.run(
        &[],
        &[
            "sh",
            "-c",
            "n=0; while [ $n -lt 200000 ]; do n=$((n+1)); done; sleep 0.3",
        ],
    );
    let usage = done.all.exit.usage();
    assert!(
        usage.wall_ns > 300_000_000 && usage.wall_ns < 60_000_000_000,
        "{usage:?}"
    );
    if let Some(total) = usage.cpu_total_ns {
        assert!(total > 10_000_000 && total < usage.wall_ns, "{usage:?}");
        assert!(
            usage.cpu_user_ns.unwrap() > usage.cpu_system_ns.unwrap(),
            "{usage:?}"
        );
    }
    // The caller's size is none of the container's.
    assert!(
        usage.memory_peak_bytes.is_none_or(|peak| peak < 16 << 20),
        "{usage:?}"
    );
    assert_ne!(usage.oom_killed, Some(true));
}

#[test]
fn untrusted() {
    let Some(on) = place() else { return };
    let options = ["--preset", "untrusted"];
    if !has(on, &options, "memory or pids") {
        return;
    }
    on.sh(
        &options,
        "test $(ulimit -c) = 0 && ping -c1 -W1 127.0.0.1 >/dev/null; true",
    );
    assert_eq!(
        on.sh(&options, "df -k / | tail -1 | awk '{print $2 <= 1048576}'"),
        "1"
    );
    let done = on.run(
        &options,
        &["sh", "-c", "head -c 17000000 /dev/zero; echo end >&2"],
    );
    assert!(
        done.all.truncated && done.code == 137,
        "code {} truncated {}",
        done.code,
        done.all.truncated
    );
    assert_eq!(done.all.stdout.map(|out| out.len()), Some(16 << 20));
    for (against, word) in [
        (["--network", "host"], "network"),
        (["--userns", "host"], "userns"),
        (["-m", "0"], "memory"),
    ] {
        let error = on.refused(&[&options[..], &against].concat(), &["true"]);
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn strict_says_what_is_missing() {
    let Some(on) = place() else { return };
    let notes = on.prepare(&["busybox", "true"]).unwrap().notes();
    match on.line(&["--strict", "busybox", "true"]) {
        Ok(_) => assert_eq!(notes, [""; 0]),
        Err(error) => assert!(error.to_string().contains(&notes[0]), "{error} {notes:?}"),
    }
}

#[test]
fn limits_can_be_read_inside() {
    let Some(on) = place() else { return };
    if !has(on, &["-m", "64m"], "memory") {
        return;
    }
    let options = ["-m", "64m", "--pids-limit", "33"];
    let out = on.sh(
        &options,
        "cd /sys/fs/cgroup; cat memory.max memory/memory.limit_in_bytes pids.max pids/pids.max 2>/dev/null; \
         mkdir x 2>/dev/null || mkdir memory/x 2>/dev/null || echo read-only",
    );
    assert_eq!(out, "67108864\n33\nread-only");
}
