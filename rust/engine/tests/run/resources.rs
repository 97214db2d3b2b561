//! Every limit beyond memory, CPU time and processes: seen inside, or hit.

use crate::disk::Disk;
use crate::support::{Place, place};
use fastbox_container::security::caps::available;
use std::fs;
use std::time::{Duration, Instant};

/// The capability to go beyond limits.
const SYS_RESOURCE: u8 = 24;

/// Whether the machine can do it; else a word about it. What is refused must name the flag.
pub fn has(on: &Place, options: &[&str]) -> bool {
    match on.line(&[options, &["busybox", "true"]].concat()) {
        Ok(_) => true,
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains("--") || error.contains("cannot"), "{error}");
            println!("skipped: {options:?}: {error}");
            false
        }
    }
}

/// A file of the container's own group, on either version.
fn shown(on: &Place, options: &[&str], v1: &str, v2: &str) -> String {
    let script =
        format!("cd /sys/fs/cgroup; cat {v1} 2>/dev/null || cat {v2} 2>/dev/null || echo none");
    on.sh(options, &script)
}

#[test]
fn memory() {
    let Some(on) = place() else { return };
    let swap = ["-m", "64m", "--memory-swap", "96m"];
    if has(on, &swap) {
        let got = shown(
            on,
            &swap,
            "memory/memory.memsw.limit_in_bytes",
            "memory.swap.max",
        );
        assert!(["100663296", "33554432"].contains(&got.as_str()), "{got}");
        let got = shown(
            on,
            &["-m", "64m"],
            "memory/memory.memsw.limit_in_bytes",
            "memory.swap.max",
        );
        assert!(["134217728", "67108864"].contains(&got.as_str()), "{got}");
    }
    let reserved = ["--memory-reservation", "32m"];
    if has(on, &reserved) {
        let got = shown(
            on,
            &reserved,
            "memory/memory.soft_limit_in_bytes",
            "memory.low",
        );
        assert_eq!(got, "33554432");
    }
    let swappiness = ["--memory-swappiness", "7"];
    if has(on, &swappiness) {
        assert_eq!(shown(on, &swappiness, "memory/memory.swappiness", "x"), "7");
    }
}

/// What would be killed waits instead, until somebody ends it.
#[test]
fn without_the_oom_killer() {
    let Some(on) = place() else { return };
    let options = ["-m", "16m", "--oom-kill-disable", "--timeout", "2"];
    if !has(on, &options) {
        return;
    }
    let done = on.run(&options, &["awk", "BEGIN { x = \"x\"; while (1) x = x x }"]);
    assert!(done.all.timed_out, "{done:?}");
    assert_ne!(done.all.exit.usage().oom_killed, Some(true), "{done:?}");
}

#[test]
fn who_is_killed_first() {
    let Some(on) = place() else { return };
    let own = fs::read_to_string("/proc/self/oom_score_adj").unwrap();
    let own: i32 = own.trim().parse().unwrap();
    for score in [own, 500, 1000, -300] {
        let flag = format!("--oom-score-adj={score}");
        if score < own && !available().contains(SYS_RESOURCE) {
            let error = on.refused(&[&flag], &["true"]).to_string();
            assert!(error.contains("CAP_SYS_RESOURCE"), "{error}");
            continue;
        }
        for user in ["0", "1000"] {
            let got = on.sh(&[&flag, "-u", user], "cat /proc/self/oom_score_adj");
            assert_eq!(got, score.to_string());
        }
    }
    assert_eq!(on.sh(&[], "cat /proc/self/oom_score_adj"), own.to_string());
}

#[test]
fn processor_time() {
    let Some(on) = place() else { return };
    let shares = ["-c", "512"];
    if !has(on, &shares) {
        return;
    }
    let got = shown(on, &shares, "cpu*/cpu.shares", "cpu.weight");
    assert!(got == "512" || got == "59", "{got}");
    let period = [
        "--cpu-period",
        "50000",
        "--cpu-quota",
        "5000",
        "--timeout",
        "2",
    ];
    let got = on.sh(
        &period,
        "cd /sys/fs/cgroup; cat cpu.max cpu*/cpu.cfs_quota_us cpu*/cpu.cfs_period_us 2>/dev/null | xargs",
    );
    assert_eq!(got, "5000 50000");
    let began = Instant::now();
    let done = on.run(&period, &["sh", "-c", "while :; do :; done"]);
    let used = Duration::from_nanos(done.all.exit.usage().cpu_total_ns.unwrap());
    assert!(
        used < began.elapsed() / 4,
        "{used:?} of {:?}",
        began.elapsed()
    );
}

#[test]
fn realtime_is_refused() {
    let Some(on) = place() else { return };
    let error = on.refused(&["--cpu-rt-runtime", "1000"], &["true"]);
    assert!(
        error.to_string().starts_with("--cpu-rt-runtime 1000: "),
        "{error}"
    );
}

#[test]
fn processors_and_memory_nodes() {
    let Some(on) = place() else { return };
    let all = on.sh(&[], "grep Cpus_allowed_list /proc/self/status | cut -f2");
    let first = all.split([',', '-']).next().unwrap().to_owned();
    let options = ["--cpuset-cpus", &first, "--cpuset-mems", "0"];
    if !has(on, &options) {
        return;
    }
    let script = "grep -E '(Cpus|Mems)_allowed_list' /proc/self/status | cut -f2 | xargs; nproc";
    assert_eq!(on.sh(&options, script), format!("{first} 0\n1"));
    let got = shown(on, &options, "cpuset/cpuset.cpus", "cpuset.cpus");
    assert_eq!(got, first);
    for (flag, list) in [("--cpuset-cpus", "4000"), ("--cpuset-mems", "0-99")] {
        let error = on.refused(&[flag, list], &["true"]).to_string();
        assert!(
            error.starts_with(&format!("{flag} {list}: there are only ")),
            "{error}"
        );
    }
    // Not one group more where nobody asked: a default container is in none of cpuset.
    assert_eq!(on.sh(&[], "grep -c cpuset:/$ /proc/self/cgroup; true"), {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        own.lines()
            .filter(|line| line.contains(":cpuset:"))
            .count()
            .to_string()
    });
}

#[test]
fn block_devices() {
    let Some(on) = place() else { return };
    let Some(disk) = Disk::make(on) else {
        println!("skipped: no loop device with a file system can be had");
        return;
    };
    let path = disk.path.to_str().unwrap();
    let volume = format!("{}:/disk", disk.mount.display());
    let limited = |limit: &str| format!("{path}:{limit}");
    let write = limited("1mb");
    let options = ["-v", &volume, "--device-write-bps", &write];
    if !has(on, &options) {
        return;
    }
    let script = "dd if=/dev/zero of=/disk/file bs=64k count=40 oflag=direct 2>&1";
    let took = |options: &[&str]| {
        let began = Instant::now();
        on.sh(options, script);
        began.elapsed()
    };
    // 2.5 MiB at 1 MiB a second: the kernel lets some through at once.
    let (free, slow) = (took(&["-v", &volume]), took(&options));
    assert!(
        slow > Duration::from_secs(1),
        "{slow:?}, unlimited {free:?}"
    );
    let number = fs::read_to_string(format!(
        "/sys/class/block/{}/dev",
        disk.path.file_name().unwrap().to_str().unwrap()
    ));
    let number = number.unwrap().trim().to_owned();
    let (bps, iops, weight) = (limited("5m"), limited("9"), limited("100"));
    for (flag, limit, v1, line) in [
        ("--device-read-bps", &bps, "read_bps", "5242880"),
        ("--device-write-bps", &bps, "write_bps", "5242880"),
        ("--device-read-iops", &iops, "read_iops", "9"),
        ("--device-write-iops", &iops, "write_iops", "9"),
    ] {
        let file = format!("blkio/blkio.throttle.{v1}_device");
        let got = shown(on, &[flag, limit], &file, "io.max");
        assert!(
            got.starts_with(&format!("{number} ")) && got.contains(line),
            "{flag}: {got}"
        );
    }
    if has(on, &["--blkio-weight", "300"]) {
        let files = ("blkio/blkio*weight", "io*weight");
        let got = shown(on, &["--blkio-weight", "300"], files.0, files.1);
        assert!(got.contains("300") || got.contains("2930"), "{got}");
    }
    if has(on, &["--blkio-weight-device", &weight]) {
        let files = ("blkio/blkio*weight_device", "io*weight");
        let got = shown(on, &["--blkio-weight-device", &weight], files.0, files.1);
        assert!(got.contains(&format!("{number} ")), "{got}");
    }
    let error = on.refused(&["--device-read-bps", "/dev/null:1m"], &["true"]);
    assert!(
        error
            .to_string()
            .contains("/dev/null: Block device required"),
        "{error}"
    );
}

#[test]
fn limits_of_processes() {
    let Some(on) = place() else { return };
    for (limit, flag, value) in [
        ("core=1024", "-c", "2"),
        ("cpu=5:7", "-t", "5"),
        ("data=1048576", "-d", "1024"),
        ("fsize=512000", "-f", "1000"),
        ("memlock=65536", "-l", "64"),
        ("nofile=64:128", "-n", "64"),
        ("stack=8192000", "-s", "8000"),
    ] {
        let options = ["--ulimit", limit];
        assert_eq!(
            on.sh(&options, &format!("ulimit -S {flag}")),
            value,
            "{limit}"
        );
        on.sh(&[&options[..], &["-u", "1000"]].concat(), "true");
    }
    // Each takes a right that not even root has everywhere, beyond what there is.
    let rights = available().contains(SYS_RESOURCE);
    let (nice, rtprio) = if rights { ("9", "11") } else { ("0", "0") };
    let all = [
        "locks=7".to_owned(),
        "msgqueue=8".to_owned(),
        format!("nice={nice}"),
        "rss=4096".to_owned(),
        format!("rtprio={rtprio}"),
        "rttime=12".to_owned(),
        "sigpending=13".to_owned(),
    ];
    let flags = all.map(|limit| format!("--ulimit={limit}"));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let got = on.sh(
        &flags,
        "sed -n 's/^Max \\(.*[a-z]\\)   *\\([0-9]*\\)  *\\([0-9]\\{1,\\}\\) .*/\\1=\\2:\\3/p' /proc/self/limits",
    );
    for line in [
        "file locks=7:7",
        "msgqueue size=8:8",
        &format!("nice priority={nice}:{nice}"),
        "resident set=4096:4096",
        &format!("realtime priority={rtprio}:{rtprio}"),
        "realtime timeout=12:12",
        "pending signals=13:13",
    ] {
        assert!(got.lines().any(|got| got == line), "{line}: {got}");
    }
    // More than anybody may have, or than the caller may.
    for limit in ["nofile=-1", "nofile=1000:2000000000"] {
        let error = on.refused(&["--ulimit", limit], &["true"]).to_string();
        assert!(
            error.contains("--ulimit nofile=") && error.contains("more than the hard"),
            "{error}"
        );
    }
    // So few that the start itself would not get through.
    assert_eq!(
        on.sh(&["--ulimit", "nofile=5"], "ulimit -Sn; ulimit -Hn"),
        "5\n5"
    );
    assert_eq!(
        on.sh(&["--ulimit", "nofile=8:9999"], "ulimit -Sn; ulimit -Hn"),
        "8\n9999"
    );
    // Hit, by an ordinary user and by root, who is not exempt in ids of its own.
    let own_ids = on.sh(&[], "awk '{print $2}' /proc/self/uid_map") != "0";
    let users = ["1000", "0"].into_iter().take(1 + usize::from(own_ids));
    for user in users {
        let options = ["--ulimit", "nproc=4", "-u", user];
        let script = "for n in 1 2 3 4 5 6 7 8; do sleep 5 & done; echo all";
        let done = on.run(&options, &["sh", "-c", script]);
        assert!(
            done.err.contains("fork") && !done.out.contains("all"),
            "{done:?}"
        );
    }
}

#[test]
fn kernel_parameters() {
    let Some(on) = place() else { return };
    let before = |name: &str| fs::read_to_string(format!("/proc/sys/{}", name.replace('.', "/")));
    for (name, value) in [
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv4.ip_unprivileged_port_start", "77"),
        ("net.core.somaxconn", "99"),
        ("net.ipv6.conf.all.forwarding", "1"),
        ("kernel.msgmax", "4321"),
        ("kernel.shmmax", "12345678"),
        ("kernel.shm_rmid_forced", "1"),
        ("kernel.sem", "10 20 30 40"),
        ("fs.mqueue.msg_max", "33"),
    ] {
        let Ok(host) = before(name) else { continue };
        let flag = format!("--sysctl={name}={value}");
        let script = format!("cat /proc/sys/{} | xargs", name.replace('.', "/"));
        for more in [&[][..], &["--cap-add", "SYS_ADMIN"], &["--userns", "host"]] {
            let got = on.sh(&[&[flag.as_str()], more].concat(), &script);
            assert_eq!(got, value, "{name} {more:?}");
        }
        assert_eq!(before(name).unwrap(), host, "{name} of the host");
    }
    let error = on
        .refused(&["--sysctl", "net.no.such=1"], &["true"])
        .to_string();
    assert!(error.contains("set parameter net.no.such"), "{error}");
    let error = on
        .refused(&["--sysctl", "net.core.somaxconn=x"], &["true"])
        .to_string();
    assert!(
        error.contains("set parameter net.core.somaxconn: invalid"),
        "{error}"
    );
}

#[test]
fn shared_memory() {
    let Some(on) = place() else { return };
    let size = "df -k /dev/shm | tail -1 | awk '{print $2}'";
    assert_eq!(on.sh(&["--shm-size", "1m"], size), "1024");
    assert_eq!(on.sh(&["--shm-size", "0"], size), "65536");
    let full = on.run(
        &["--shm-size", "1m"],
        &["dd", "if=/dev/zero", "of=/dev/shm/x", "bs=1k", "count=1100"],
    );
    assert!(full.err.contains("No space left"), "{full:?}");
}

#[test]
fn hosts_and_name_servers() {
    let Some(on) = place() else { return };
    let options = [
        "--add-host",
        "db:10.0.0.7",
        "--dns",
        "10.0.0.1",
        "--dns-search",
        "example.com",
        "--dns-option",
        "ndots:2",
    ];
    for image in [crate::support::IMAGE, "host"] {
        let line = [
            &options[..],
            &[image, "cat", "/etc/hosts", "/etc/resolv.conf"],
        ]
        .concat();
        let text = on.line(&line).unwrap().out;
        assert!(text.contains("10.0.0.7\tdb\n"), "{image}: {text}");
        let end = "search example.com\nnameserver 10.0.0.1\noptions ndots:2\n";
        assert!(text.ends_with(end), "{image}: {text}");
    }
}
