//! What limits become on each version: the files, and what is written there.

use std::path::PathBuf;

use oci_spec::runtime::LinuxResources;

use super::controller::{Controller, Controllers};
use super::driver::{Driver, Hierarchy};
use super::error::CgroupError;
use super::limits::Limits;
use super::{Kind, Missing};

/// A host with every controller: each in a hierarchy of its own on version 1, all in one on version 2.
fn host(kind: Kind) -> Driver {
    let base = PathBuf::from("/nowhere");
    let hierarchy = |list: &[Controller]| Hierarchy {
        controllers: Controllers::of(list),
        base: base.clone(),
    };
    let hierarchies = match kind {
        Kind::V2 => vec![hierarchy(&Controller::ALL)],
        _ => Controller::ALL
            .iter()
            .map(|one| hierarchy(&[*one]))
            .collect(),
    };
    Driver::of(kind, hierarchies, Vec::new())
}

/// `file value` of all that is written; alternatives stand beside each other.
fn writes(driver: &Driver, json: &str) -> Result<Vec<String>, CgroupError> {
    let resources: LinuxResources = serde_json::from_str(json).unwrap();
    let limits = Limits::compile(driver, &resources)?;
    let line = |(file, value): &(String, String)| format!("{file} {value}");
    let all = limits.writes.iter().map(|write| {
        let choices: Vec<String> = write.choices.iter().map(line).collect();
        choices.join(" | ")
    });
    Ok(all.collect())
}

#[test]
fn each_limit_on_each_version() {
    // The document, version 1 and the hybrid, version 2; a word of the error where there is no such limit.
    type Expected<'a> = Result<&'a [&'a str], &'a str>;
    let cases: &[(&str, Expected<'_>, Expected<'_>)] = &[
        (
            r#"{"memory":{"limit":67108864}}"#,
            Ok(&[
                "memory.limit_in_bytes 67108864",
                "memory.memsw.limit_in_bytes 134217728",
            ]),
            Ok(&["memory.max 67108864", "memory.swap.max 67108864"]),
        ),
        (
            r#"{"memory":{"limit":67108864,"swap":100663296}}"#,
            Ok(&[
                "memory.limit_in_bytes 67108864",
                "memory.memsw.limit_in_bytes 100663296",
            ]),
            Ok(&["memory.max 67108864", "memory.swap.max 33554432"]),
        ),
        (
            r#"{"memory":{"limit":67108864,"swap":67108864}}"#,
            Ok(&[
                "memory.limit_in_bytes 67108864",
                "memory.memsw.limit_in_bytes 67108864",
            ]),
            Ok(&["memory.max 67108864", "memory.swap.max 0"]),
        ),
        (
            r#"{"memory":{"limit":67108864,"swap":-1,"reservation":33554432}}"#,
            Ok(&[
                "memory.limit_in_bytes 67108864",
                "memory.soft_limit_in_bytes 33554432",
            ]),
            Ok(&["memory.max 67108864", "memory.low 33554432"]),
        ),
        (
            r#"{"memory":{"swappiness":7}}"#,
            Ok(&["memory.swappiness 7"]),
            Err("memory.swappiness=7"),
        ),
        (
            r#"{"memory":{"disableOOMKiller":true}}"#,
            Ok(&["memory.oom_control 1"]),
            Err("memory.disableOOMKiller"),
        ),
        (
            r#"{"cpu":{"shares":512}}"#,
            Ok(&["cpu.shares 512"]),
            Ok(&["cpu.weight 59"]),
        ),
        (
            r#"{"cpu":{"shares":1024}}"#,
            Ok(&["cpu.shares 1024"]),
            Ok(&["cpu.weight 100"]),
        ),
        (
            r#"{"cpu":{"period":50000,"quota":25000}}"#,
            Ok(&["cpu.cfs_period_us 50000", "cpu.cfs_quota_us 25000"]),
            Ok(&["cpu.max 25000 50000"]),
        ),
        (
            r#"{"cpu":{"quota":20000}}"#,
            Ok(&["cpu.cfs_quota_us 20000"]),
            Ok(&["cpu.max 20000 100000"]),
        ),
        (
            r#"{"cpu":{"period":50000}}"#,
            Ok(&["cpu.cfs_period_us 50000"]),
            Ok(&["cpu.max max 50000"]),
        ),
        (
            r#"{"cpu":{"realtimeRuntime":5,"realtimePeriod":9}}"#,
            Err("cpu.realtimeRuntime=5"),
            Err("cpu.realtimeRuntime=5"),
        ),
        (
            r#"{"cpu":{"cpus":"0-1","mems":"0"}}"#,
            Ok(&["cpuset.cpus 0-1", "cpuset.mems 0"]),
            Ok(&["cpuset.cpus 0-1", "cpuset.mems 0"]),
        ),
        (
            r#"{"blockIO":{"weight":505}}"#,
            Ok(&["blkio.bfq.weight 505 | blkio.weight 505"]),
            Ok(&["io.bfq.weight 505 | io.weight 5000"]),
        ),
        (
            r#"{"blockIO":{"weightDevice":[{"major":8,"minor":0,"weight":10}]}}"#,
            Ok(&["blkio.bfq.weight_device 8:0 10 | blkio.weight_device 8:0 10"]),
            Ok(&["io.bfq.weight 8:0 10 | io.weight 8:0 1"]),
        ),
        (
            r#"{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":5}],
                "throttleWriteIOPSDevice":[{"major":8,"minor":16,"rate":0}]}}"#,
            Ok(&[
                "blkio.throttle.read_bps_device 8:0 5",
                "blkio.throttle.write_iops_device 8:16 0",
            ]),
            Ok(&["io.max 8:0 rbps=5", "io.max 8:16 wiops=max"]),
        ),
        (
            r#"{"pids":{"limit":9}}"#,
            Ok(&["pids.max 9"]),
            Ok(&["pids.max 9"]),
        ),
    ];
    for (json, v1, v2) in cases {
        for (kind, expected) in [(Kind::V1, v1), (Kind::Hybrid, v1), (Kind::V2, v2)] {
            match (writes(&host(kind), json), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, *expected, "{kind:?} {json}"),
                (Err(error), Err(word)) => {
                    assert!(error.to_string().contains(word), "{kind:?} {json}: {error}");
                }
                (got, expected) => panic!("{kind:?} {json}: {got:?}, not {expected:?}"),
            }
        }
    }
}

#[test]
fn only_what_is_asked_for_is_joined() {
    let joined = |json: &str| {
        let resources: LinuxResources = serde_json::from_str(json).unwrap();
        Limits::compile(&host(Kind::V1), &resources).unwrap().needed
    };
    let defaults = Controllers::of(&Controller::DEFAULTS);
    assert_eq!(joined("{}"), defaults);
    assert_eq!(
        joined(r#"{"memory":{"limit":67108864},"pids":{"limit":9}}"#),
        defaults
    );
    for (json, more) in [
        (r#"{"cpu":{"cpus":"0"}}"#, Controller::Cpuset),
        (r#"{"cpu":{"shares":9}}"#, Controller::Cpu),
        (r#"{"blockIO":{"weight":10}}"#, Controller::Io),
    ] {
        assert_eq!(
            joined(json),
            defaults.or(Controllers::of(&[more])),
            "{json}"
        );
    }
}

#[test]
fn what_the_host_does_not_have_is_said() {
    let missing = Controller::ALL.map(|controller| Missing {
        controller,
        why: "nothing is delegated".to_owned(),
    });
    let driver = Driver::of(Kind::None, Vec::new(), missing.to_vec());
    for json in [
        r#"{"memory":{"limit":67108864}}"#,
        r#"{"cpu":{"cpus":"0"}}"#,
        r#"{"blockIO":{"weight":10}}"#,
    ] {
        let error = writes(&driver, json).unwrap_err().to_string();
        assert!(
            error.ends_with("cannot be had here: nothing is delegated"),
            "{error}"
        );
    }
    assert_eq!(writes(&driver, "{}").unwrap(), [""; 0]);
}
