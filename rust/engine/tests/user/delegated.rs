//! A user to whom a cgroup of version 2 is delegated has limits and counters.

use crate::support::{IMAGE, Place, SINGLE, TEST, User, Who, communicate, piped, within};
use std::fs;
use std::io::Write;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const NAME: &str = "delegated::limits_and_counters";

/// A group given to the user, and one below it for the caller; removed at the end.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Group> {
        let root = Path::new("/sys/fs/cgroup");
        let offered = fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default();
        if !offered.contains("memory") || !nix::unistd::geteuid().is_root() {
            println!("skipped: no cgroup of version 2 with memory to delegate");
            return None;
        }
        let group = Group(root.join(format!("fastbox-test-{}", std::process::id())));
        fs::create_dir_all(group.0.join("caller")).unwrap();
        fs::write(root.join("cgroup.subtree_control"), "+memory +pids").unwrap();
        for file in [
            ".",
            "cgroup.procs",
            "cgroup.subtree_control",
            "caller",
            "caller/cgroup.procs",
            "caller/cgroup.subtree_control",
        ] {
            chown(group.0.join(file), Some(SINGLE), Some(SINGLE)).unwrap();
        }
        Some(group)
    }

    fn below(&self) -> Vec<PathBuf> {
        let mut found = vec![self.0.clone()];
        let mut next = 0;
        while let Some(dir) = found.get(next) {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let dirs: Vec<PathBuf> = entries.map(|e| e.path()).filter(|p| p.is_dir()).collect();
            found.extend(dirs);
            next += 1;
        }
        found
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for dir in self.below().iter().rev() {
            let _ = fs::remove_dir(dir);
        }
    }
}

#[test]
fn limits_and_counters() {
    if std::env::var(TEST).is_ok() {
        return inside(&User::here());
    }
    let Some(group) = Group::new() else { return };
    let Some(place) = Place::new(Who::Single) else {
        return;
    };
    // It waits for its group before it is the test.
    let inner = place.command(NAME);
    let mut command = Command::new("sh");
    command
        .args(["-c", "read line; exec \"$@\"", "sh"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env_clear()
        .envs(
            inner
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .current_dir(place.home())
        .uid(SINGLE)
        .gid(SINGLE);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    fs::write(group.0.join("caller/cgroup.procs"), child.id().to_string()).unwrap();
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    place.nothing_left();
    within(Duration::from_secs(10), || {
        // The group of all owners stays for the next.
        group.below().len() <= 3
    })
    .unwrap_or_else(|| panic!("left: {:?}", group.below()));
}

fn inside(user: &User) {
    let prepared = user.prepare(&["-m", "64m", "--pids-limit", "50", IMAGE, "id"]);
    let prepared = prepared.unwrap();
    let notes = prepared.notes().join("\n");
    assert!(
        !notes.contains("no memory") && !notes.contains("no pids"),
        "{notes}"
    );
    let done = communicate(prepared.start(piped()).unwrap()).unwrap();
    let usage = done.exit.usage();
    assert!(
        usage.memory_peak_bytes.is_some_and(|bytes| bytes > 0),
        "{usage:?}"
    );
    assert!(usage.cpu_total_ns.is_some_and(|time| time > 0), "{usage:?}");
    let eater = "x=a; while :; do x=$x$x; done";
    let prepared = user
        .prepare(&["-m", "16m", IMAGE, "sh", "-c", eater])
        .unwrap();
    let done = communicate(prepared.start(piped()).unwrap()).unwrap();
    assert_ne!(done.exit.code, 0);
    assert_eq!(done.exit.usage().oom_killed, Some(true), "{:?}", done.exit);
}
