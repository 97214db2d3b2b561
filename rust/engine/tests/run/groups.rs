//! Where a container's control groups lie, and which it sees.

use crate::resources::has;
use crate::support::{done, piped, place};
use fastbox_engine::run::Input;
use std::fs;
use std::path::{Path, PathBuf};

/// Groups of the container below `parent` on the host, as paths.
fn groups_below(parent: &str) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let tops = mounts.lines().filter(|line| line.contains(" - cgroup"));
    tops.map(|line| Path::new(line.split(' ').nth(4).unwrap()).join(parent))
        .filter(|path| path.exists())
        .collect()
}

#[test]
fn groups_below_a_parent() {
    let Some(on) = place() else { return };
    let name = format!("fastbox-test-{}", std::process::id());
    let parent = format!("/{name}/inner");
    let options = [
        "--cgroup-parent",
        &parent,
        "-m",
        "64m",
        "--cgroupns",
        "host",
    ];
    if !has(on, &options) {
        return;
    }
    let cpus = on.sh(&[], "grep Cpus_allowed_list /proc/self/status | cut -f2");
    for more in [
        &[][..],
        &["-c", "300"],
        &["--cpuset-cpus", &cpus],
        &["--cap-drop", "ALL"],
    ] {
        let options = [&options[..], more].concat();
        let group = on.sh(&options, "cat /proc/self/cgroup");
        let inside = format!(":{parent}/fastbox/");
        assert!(group.contains(&inside), "{more:?}: {group}");
    }
    let (prepared, container) = on.start(&options, "read x");
    let found = groups_below(&name);
    assert!(!found.is_empty());
    let inside = groups_below(&format!("{name}/inner/fastbox"));
    assert!(inside.len() >= found.len().min(4), "{inside:?}");
    done(container, &prepared, Some(b"\n")).unwrap();
    on.engine.settle();
    let error = on.refused(&["--cgroup-parent", "a/../.."], &["true"]);
    assert!(error.to_string().contains("--cgroup-parent"), "{error}");
}

#[test]
fn groups_that_are_seen() {
    let Some(on) = place() else { return };
    if !has(on, &["-m", "64m"]) {
        return;
    }
    let script = "grep :memory: /proc/self/cgroup || grep ^0:: /proc/self/cgroup; cd /sys/fs/cgroup; \
                  cat memory.max 2>/dev/null || cat memory/memory.limit_in_bytes";
    let private = on.sh(&["-m", "64m"], script);
    assert!(
        private.contains(":/\n") && private.ends_with("\n67108864"),
        "{private}"
    );
    for more in [&[][..], &["--userns", "host"]] {
        let options = [&["-m", "64m", "--cgroupns", "host"], more].concat();
        let prepared = on.prepare(&[&options[..], &["busybox", "sh", "-c", script]].concat());
        let prepared = prepared.unwrap();
        let host = done(prepared.start(piped(Input::Null)).unwrap(), &prepared, None).unwrap();
        // The path is the host's, and what is mounted its own group all the same.
        let path = format!("/{}\n67108864\n", host.id);
        assert!(
            host.out.contains(":/fastbox/") && host.out.ends_with(&path),
            "{host:?}"
        );
    }
    let early = ["--cgroupns", "host", "--cap-add", "SYS_ADMIN"];
    let prepared = on
        .prepare(&[&early[..], &["busybox", "true"]].concat())
        .unwrap();
    if prepared
        .notes()
        .iter()
        .any(|note| note.starts_with("no /sys/fs/cgroup"))
    {
        on.sh(&early, "test -z \"$(ls /sys/fs/cgroup)\"");
    }
}
