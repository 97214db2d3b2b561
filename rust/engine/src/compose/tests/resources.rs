//! Limits, kernel parameters and name resolution in the document.

use super::*;
use serde_json::{Value, json};

/// `linux.resources` but for the device list.
fn resources(options: &[&str]) -> Value {
    let spec = spec("{}", &[options, &["img", "x"]].concat());
    let mut all = serde_json::to_value(linux(&spec).resources()).unwrap();
    all.as_object_mut().unwrap().remove("devices");
    all
}

#[test]
fn limits() {
    for (options, expected) in [
        (
            &["-m", "64m"][..],
            json!({"memory": {"limit": 67108864, "swap": 134217728}}),
        ),
        (
            &[
                "-m",
                "64m",
                "--memory-swap",
                "96m",
                "--memory-reservation",
                "32m",
            ],
            json!({"memory": {"limit": 67108864, "swap": 100663296, "reservation": 33554432}}),
        ),
        (
            &["-m", "64m", "--memory-swap=-1"],
            json!({"memory": {"limit": 67108864, "swap": -1}}),
        ),
        (
            &["-m", "64m", "--memory-swap=0"],
            json!({"memory": {"limit": 67108864, "swap": 134217728}}),
        ),
        (
            &["--memory-swappiness", "0"],
            json!({"memory": {"swappiness": 0}}),
        ),
        (&["--memory-swappiness", "-1"], json!({})),
        (
            &["--oom-kill-disable"],
            json!({"memory": {"disableOOMKiller": true}}),
        ),
        (&["--memory-reservation", "0"], json!({})),
        (&["-c", "512"], json!({"cpu": {"shares": 512}})),
        (
            &["-c", "0", "--cpu-quota", "-1", "--cpu-period", "0"],
            json!({}),
        ),
        (
            &["--cpu-period", "50000", "--cpu-quota", "25000"],
            json!({"cpu": {"period": 50000, "quota": 25000}}),
        ),
        (
            &["--cpu-rt-period", "1000000", "--cpu-rt-runtime", "950000"],
            json!({"cpu": {"realtimePeriod": 1000000, "realtimeRuntime": 950000}}),
        ),
        (
            &["--cpuset-cpus", "0-1,3", "--cpuset-mems", "0"],
            json!({"cpu": {"cpus": "0-1,3", "mems": "0"}}),
        ),
        (&["--cpuset-cpus", ""], json!({})),
        (
            &["--blkio-weight", "300"],
            json!({"blockIO": {"weight": 300}}),
        ),
        (
            &[
                "--blkio-weight-device",
                "/dev/sdb:100",
                "--device-read-bps",
                "/dev/sda:1mb",
            ],
            json!({"blockIO": {
                "weightDevice": [{"major": 8, "minor": 16, "weight": 100}],
                "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1048576}],
            }}),
        ),
        (
            &[
                "--device-write-iops",
                "/dev/sda:5",
                "--device-write-iops",
                "/dev/sdb:7",
            ],
            json!({"blockIO": {"throttleWriteIOPSDevice": [
                {"major": 8, "minor": 0, "rate": 5},
                {"major": 8, "minor": 16, "rate": 7},
            ]}}),
        ),
        (
            &["--preset", "untrusted", "--pids-limit", "9"],
            json!({"memory": {"limit": 536870912, "swap": 536870912}, "pids": {"limit": 9}}),
        ),
    ] {
        assert_eq!(resources(options), expected, "{options:?}");
    }
}

#[test]
fn limits_of_processes() {
    let options = [
        "--ulimit",
        "nofile=10:20",
        "--ulimit=core=-1",
        "--ulimit",
        "nofile=30",
    ];
    let spec = spec(
        "{}",
        &[&options[..], &["--oom-score-adj", "-5", "img", "x"]].concat(),
    );
    let mut limits = serde_json::to_value(process(&spec).rlimits()).unwrap();
    let limits = limits.as_array_mut().unwrap();
    limits.sort_by_key(|limit| limit["type"].to_string());
    assert_eq!(
        *limits,
        [
            json!({"type": "RLIMIT_CORE", "soft": u64::MAX, "hard": u64::MAX}),
            json!({"type": "RLIMIT_NOFILE", "soft": 30, "hard": 30}),
        ]
    );
    assert_eq!(process(&spec).oom_score_adj(), Some(-5));
}

#[test]
fn parameters_groups_and_shared_memory() {
    let options = [
        "--sysctl",
        "net.core.somaxconn=7",
        "--sysctl=kernel.sem=1 2 3 4",
        "--sysctl",
        "net/core.somaxconn=8",
        "--cgroupns",
        "host",
        "--cgroup-parent",
        "/a//b/",
        "--shm-size",
        "1m",
    ];
    let spec = spec("{}", &[&options[..], &["img", "x"]].concat());
    let sysctls = serde_json::to_value(linux(&spec).sysctl()).unwrap();
    assert_eq!(
        sysctls,
        json!({"net.core.somaxconn": "8", "kernel.sem": "1 2 3 4"})
    );
    let namespaces = serde_json::to_value(linux(&spec).namespaces()).unwrap();
    assert!(!namespaces.to_string().contains("cgroup"), "{namespaces}");
    assert_eq!(annotation(&spec, annotation::CGROUP_PARENT), Some("a/b"));
    let shm = mount_lines(&spec)
        .into_iter()
        .find(|line| line.starts_with("/dev/shm "));
    assert!(shm.unwrap().ends_with("mode=1777,size=1048576"));
}

#[test]
fn hosts_and_name_servers() {
    let options = |line: &[&str]| {
        let line = [line, &["img"]].concat();
        parse_run(&line, &|_| None).unwrap().options
    };
    let some = options(&[
        "--add-host",
        "a:1.2.3.4",
        "--add-host=b:::1",
        "--add-host",
        "c=[::2]",
    ]);
    let text = etc::hosts(None, &some);
    assert!(
        text.ends_with("ff02::2\tip6-allrouters\n1.2.3.4\ta\n::1\tb\n::2\tc\n"),
        "{text}"
    );
    let host = b"# x\nsearch here\nnameserver 9.9.9.9\nnameserver 8.8.8.8\noptions edns0\n";
    for (line, expected) in [
        (&["--network", "host"][..], str::from_utf8(host).unwrap()),
        (&[], "# No network.\n"),
        (
            &["--dns", "1.1.1.1", "--dns", "::1"],
            "nameserver 1.1.1.1\nnameserver ::1\n",
        ),
        (
            &["--network", "host", "--dns", "1.1.1.1"],
            "search here\nnameserver 1.1.1.1\noptions edns0\n",
        ),
        (
            &[
                "--network",
                "host",
                "--dns-search",
                ".",
                "--dns-option",
                "ndots:2",
                "--dns-option=rotate",
            ],
            "nameserver 9.9.9.9\nnameserver 8.8.8.8\noptions ndots:2 rotate\n",
        ),
        (
            &["--dns-search", "a.b", "--dns-search", "c"],
            "search a.b c\n",
        ),
    ] {
        let text = etc::resolv_conf(&options(line), host);
        assert_eq!(str::from_utf8(&text).unwrap(), expected, "{line:?}");
    }
}

#[test]
fn devices_that_are_limited_must_be_there() {
    let limited = |path: &str| {
        let limit = format!("{path}:1m");
        let run = parse_run(&["--device-read-bps", &limit, "img"], &|_| None);
        Host::probe("/".into(), false, &run.unwrap().options)
            .unwrap_err()
            .to_string()
    };
    assert!(limited("/dev/no-such-disk").starts_with("limit of /dev/no-such-disk: No such file"));
    assert!(limited("/dev/null").starts_with("limit of /dev/null: Block device required"));
}
