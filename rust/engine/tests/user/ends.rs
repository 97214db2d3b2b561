//! Nothing is left when an ordinary user's process is killed, whenever that is.

use crate::support::{IMAGE, Place, User, Who, communicate, piped, within};
use crate::user_test;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(10);

user_test!(nothing_after_a_run, Who::Single, |user: &User| {
    let prepared = user
        .prepare(&[IMAGE, "sh", "-c", "mkdir -p /a/b; touch /a/b/c"])
        .unwrap();
    for _ in 0..20 {
        communicate(prepared.start(piped()).unwrap()).unwrap();
    }
    user.engine.settle();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(
        !mounts.contains("overlay") || !mounts.contains("userxattr"),
        "{mounts}"
    );
    let me = nix::unistd::getpid();
    let children = fs::read_to_string(format!("/proc/{me}/task/{me}/children")).unwrap();
    assert_eq!(children, "");
});

/// Not a test: what the tests below kill.
#[test]
fn victim() {
    if std::env::var("FASTBOX_TEST_USER").is_ok_and(|test| test == "ends::victim") {
        let user = User::here();
        let prepared = user
            .prepare(&[IMAGE, "sh", "-c", "sleep 1000 & exec sleep 1000"])
            .unwrap();
        println!("\nready");
        let container = prepared.start(piped()).unwrap();
        println!("\nstarted");
        std::thread::sleep(Duration::from_secs(100));
        drop(container);
    }
}

/// Kills a caller after it wrote `word`, at the step, and waits until nothing of it is there.
fn killed(who: Who, word: &str, step: Option<u32>) {
    let Some(place) = Place::new(who) else { return };
    let mut command = place.command("ends::victim");
    if let Some(step) = step {
        command.env("FASTBOX_TEST_PAUSE_AT", step.to_string());
    }
    let mut victim = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == word), "it ended early");
    if step.is_some() {
        std::thread::sleep(Duration::from_millis(150));
    }
    let before = processes(&place.dir);
    assert!(!before.is_empty());
    kill(Pid::from_raw(victim.id() as i32), Signal::SIGKILL).unwrap();
    victim.wait().unwrap();
    place.nothing_left();
    within(SOON, || before.iter().all(|pid| ended(*pid)))
        .unwrap_or_else(|| panic!("{before:?} of step {step:?} live"));
    assert_eq!(processes(&place.dir), Vec::<i32>::new());
}

/// Gone, or not reaped yet.
fn ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ")
        .is_none_or(|(_, rest)| rest.starts_with('Z'))
}

/// Processes that belong to the place: by their directory, root or program, or as children of such.
fn processes(dir: &Path) -> Vec<i32> {
    let mut found: Vec<i32> = Vec::new();
    let mut others: Vec<(i32, i32)> = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let of = |name: &str| {
            fs::read_link(entry.path().join(name)).is_ok_and(|path| path.starts_with(dir))
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        if (of("cwd") || of("exe")) && fs::metadata(entry.path()).is_ok_and(|meta| meta.uid() != 0)
        {
            found.push(pid);
        } else if let Some(parent) = parent {
            others.push((pid, parent));
        }
    }
    loop {
        let more: Vec<i32> = others
            .iter()
            .filter(|(pid, parent)| found.contains(parent) && !found.contains(pid))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

#[test]
fn killed_while_it_runs() {
    killed(Who::Single, "started", None);
    killed(Who::Ranged, "started", None);
}

#[test]
fn killed_at_every_stage_of_a_start() {
    // Before and after each of the two clones, among the mounts, at the end.
    for step in [0, 1, 2, 3, 4, 5, 8, 20, 60] {
        killed(Who::Single, "ready", Some(step));
    }
}
