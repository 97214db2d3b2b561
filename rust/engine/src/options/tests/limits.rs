//! Limits, devices, kernel parameters and names: what is taken, and every refusal.

use super::*;

#[test]
fn taken() {
    let o = options(&[
        "--device",
        "/dev/fuse",
        "--device=/dev/kvm:r",
        "--device",
        "/dev/a:/dev//b/../c:rw",
        "--device-cgroup-rule",
        "c 10:* rwm",
        "--ulimit",
        "nofile=1:-1",
        "--memory-swap=-1",
        "--dns-search",
        "Example.com.",
    ]);
    let device = |source: &str, destination: &str, access: &str| DeviceFile {
        source: source.into(),
        destination: destination.into(),
        access: access.into(),
    };
    assert_eq!(
        o.devices,
        [
            device("/dev/fuse", "/dev/fuse", "rwm"),
            device("/dev/kvm", "/dev/kvm", "r"),
            device("/dev/a", "/dev/c", "rw"),
        ]
    );
    assert_eq!(
        o.device_cgroup_rules,
        [DeviceRule {
            kind: 'c',
            major: Some(10),
            minor: None,
            access: "rwm".into()
        }]
    );
    let unlimited = Ulimit {
        name: "nofile",
        soft: 1,
        hard: u64::MAX,
    };
    assert_eq!(o.ulimits, [unlimited]);
}

#[test]
fn numbers_and_pairs_from_python() {
    let mut o = Options::default();
    let pair = |name: &str, value: &str| Value::Map(vec![(name.into(), Some(value.into()))]);
    o.set("ulimits", pair("nofile", "1:2")).unwrap();
    o.set("ulimit", Value::List(vec!["nproc=3".into()]))
        .unwrap();
    o.set("sysctls", pair("net.core.somaxconn", "7")).unwrap();
    o.set("extra_hosts", pair("a", "::1")).unwrap();
    o.set("device_read_bps", pair("/dev/sda", "1mb")).unwrap();
    o.set("memory_swap", Value::Int(-1)).unwrap();
    o.set("cpu_period", Value::Int(1000)).unwrap();
    assert_eq!((o.ulimits.len(), o.ulimits[0].hard), (2, 2));
    assert_eq!(o.device_read_bps[0].value, Size::mebibytes(1));
    assert_eq!(o.memory_swap, Some(SwapSize(-1)));
    for (name, value) in [
        ("memory_swap", Value::Int(-2)),
        ("cpu_period", Value::Int(-1)),
        ("oom_score_adj", Value::Int(1001)),
        ("ulimits", Value::Map(vec![("nofile".into(), None)])),
        ("cpu_shares", Value::Bool(true)),
    ] {
        let error = o.set(name, value.clone()).unwrap_err().to_string();
        assert!(error.contains(name), "{name} {value:?}: {error}");
    }
}

#[test]
fn refused() {
    const WORDS: &[(&[&str], &str)] = &[
        (&["--memory-swap", "x"], "\"x\" for \"--memory-swap\""),
        (&["--memory-swap=-2"], "\"-2\" for \"--memory-swap\""),
        (&["--memory-swap", "64m"], "needs --memory as well"),
        (
            &["-m", "64m", "--memory-swap", "32m"],
            "--memory-swap 33554432: less than --memory 67108864",
        ),
        (
            &["--memory-reservation", "5m"],
            "--memory-reservation 5242880: must be at least 6m",
        ),
        (
            &["-m", "64m", "--memory-reservation", "65m"],
            "more than --memory 67108864",
        ),
        (&["--memory-swappiness", "101"], "from -1 to 100"),
        (&["--oom-score-adj=-1001"], "from -1000 to 1000"),
        (&["-c", "1"], "--cpu-shares 1: must be from 2 to 262144"),
        (&["-c", "262145"], "from 2 to 262144"),
        (
            &["--cpu-period", "999"],
            "--cpu-period 999: must be from 1000 to 1000000",
        ),
        (&["--cpu-period", "1000001"], "from 1000 to 1000000"),
        (
            &["--cpu-quota", "999"],
            "--cpu-quota 999: must be at least 1000",
        ),
        (&["--cpus", "1", "--cpu-quota", "5000"], "--cpu-quota"),
        (&["--cpus", "1", "--cpu-period", "5000"], "--cpu-period"),
        (
            &["--cpu-rt-period", "5", "--cpu-rt-runtime", "6"],
            "more than --cpu-rt-period 5",
        ),
        (&["--cpuset-cpus", "a"], "--cpuset-cpus"),
        (&["--cpuset-cpus", "3-1"], "--cpuset-cpus"),
        (&["--cpuset-mems", "1,"], "--cpuset-mems"),
        (
            &["--blkio-weight", "9"],
            "--blkio-weight 9: must be from 10 to 1000",
        ),
        (&["--blkio-weight", "1001"], "from 10 to 1000"),
        (&["--blkio-weight-device", "/dev/sda"], "DEVICE:NUMBER"),
        (&["--blkio-weight-device", "/dev/sda:5"], "from 10 to 1000"),
        (
            &["--blkio-weight-device", "sda:50"],
            "'sda' is no path of a device",
        ),
        (&["--device-read-bps", "/dev/sda:x"], "--device-read-bps"),
        (
            &["--device-write-iops", "/dev/sda:-1"],
            "positive whole number",
        ),
        (&["--ulimit", "nofile"], "NAME=SOFT[:HARD]"),
        (&["--ulimit", "nofile=x"], "NAME=SOFT[:HARD]"),
        (&["--ulimit", "nofile=1:2:3"], "NAME=SOFT[:HARD]"),
        (&["--ulimit", "as=1"], "core, cpu"),
        (&["--ulimit", "nofile=2:1"], "must not be above the hard"),
        (&["--ulimit", "nofile=-1:1"], "must not be above the hard"),
        (&["--ulimit", "nofile=-2"], "NAME=SOFT[:HARD]"),
        (&["--sysctl", "net.ipv4.ip_forward"], "NAME=VALUE"),
        (
            &["--sysctl", "kernel.core_pattern=x"],
            "'kernel.core_pattern' is not the container's own",
        ),
        (&["--sysctl", "vm.swappiness=1"], "not the container's own"),
        (
            &["--sysctl", "net/../kernel/core_pattern=x"],
            "not the container's own",
        ),
        (&["--sysctl", "net..x=1"], "not the container's own"),
        (
            &["--ipc", "host", "--sysctl", "kernel.msgmax=5000"],
            "--sysctl kernel.msgmax",
        ),
        (&["--ipc", "none", "--shm-size", "1m"], "--shm-size"),
        (
            &["--network", "host", "--sysctl", "net.core.somaxconn=1"],
            "--sysctl net.core.somaxconn",
        ),
        (&["--device", "dev/x"], "'dev/x' is not an absolute path"),
        (&["--device", "/dev/x:y"], "'y' is not an absolute path"),
        (&["--device", "/dev/x:/dev/y:rx"], "invalid access 'rx'"),
        (&["--device", "/dev/x:/dev/y:rr"], "invalid access 'rr'"),
        (&["--device", "/a:/b:r:w"], "SOURCE[:DESTINATION][:ACCESS]"),
        (
            &["--device-cgroup-rule", "c 1:3"],
            "TYPE MAJOR:MINOR ACCESS",
        ),
        (
            &["--device-cgroup-rule", "d 1:3 r"],
            "TYPE MAJOR:MINOR ACCESS",
        ),
        (
            &["--device-cgroup-rule", "c 1:x r"],
            "TYPE MAJOR:MINOR ACCESS",
        ),
        (&["--cgroup-parent", "/a/../b"], "'..' leads out of it"),
        (&["--cgroupns", "none"], "private, host"),
        (&["--add-host", "a"], "NAME:ADDRESS"),
        (&["--add-host", ":1.2.3.4"], "NAME:ADDRESS"),
        (&["--add-host", "a:1.2.3"], "'1.2.3' is not an IP address"),
        (&["--add-host", "a:host-gateway"], "bridge network"),
        (&["--dns", "a.b"], "'a.b' is not an IP address"),
        (&["--dns-search", "a..b"], "'a..b' is not a valid domain"),
        (&["--dns-option", "a b"], "'a b'"),
        (&["--shm-size", "x"], "--shm-size"),
        (
            &["--preset", "untrusted", "--oom-kill-disable"],
            "--oom-kill-disable",
        ),
        (
            &["--preset", "untrusted", "--device", "/dev/fuse"],
            "--device",
        ),
        (
            &["--preset", "untrusted", "--ulimit", "core=1"],
            "--ulimit core",
        ),
        (
            &["--preset", "untrusted", "--memory-swap=-1"],
            "--memory-swap",
        ),
    ];
    for (line, words) in WORDS {
        let text = error(line);
        assert!(text.contains(words), "{line:?}: {text}");
    }
}
