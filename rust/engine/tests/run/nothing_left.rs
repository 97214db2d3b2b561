//! Whatever came of them, containers leave nothing: no group, mount, directory, namespace, open file or process.

use crate::support::{IMAGE, Place, done, piped, place, within};
use fastbox_container::cgroup::{Driver, Kind};
use fastbox_engine::paths::Paths;
use fastbox_engine::run::{Engine, Input};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An engine that no other test uses, so that what it has is what was left here.
fn own(on: &Place) -> Place {
    let dir = on.scratch();
    let paths = Paths::at(&dir.join("root"), &dir.join("run")).unwrap();
    let place = Place {
        engine: Engine::at(paths.clone()).unwrap(),
        paths,
        dir,
    };
    place.import(
        IMAGE,
        crate::support::base(&crate::support::busybox().unwrap()),
    );
    place
}

fn owner(place: &Place) -> String {
    let mut names = fs::read_dir(place.paths.owners()).unwrap();
    let name = names
        .next()
        .unwrap()
        .unwrap()
        .file_name()
        .into_string()
        .unwrap();
    assert!(names.next().is_none());
    name
}

/// Groups of containers below the owner's, in every hierarchy.
fn groups(owner: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut look = vec![(PathBuf::from("/sys/fs/cgroup"), 0)];
    while let Some((dir, depth)) = look.pop() {
        for entry in fs::read_dir(&dir)
            .into_iter()
            .flatten()
            .filter_map(Result::ok)
        {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            let path = entry.path();
            if path
                .parent()
                .and_then(Path::file_name)
                .is_some_and(|name| name == owner)
            {
                found.push(path);
            } else if depth < 6 {
                look.push((path, depth + 1));
            }
        }
    }
    found
}

/// All namespaces of processes that can be seen, by type and number.
fn namespaces() -> BTreeSet<String> {
    let pids = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok());
    pids.flat_map(|pid| {
        fs::read_dir(format!("/proc/{pid}/ns"))
            .into_iter()
            .flatten()
    })
    .filter_map(|entry| {
        Some(
            fs::read_link(entry.ok()?.path())
                .ok()?
                .display()
                .to_string(),
        )
    })
    .collect()
}

fn count(dir: &str) -> usize {
    fs::read_dir(dir).unwrap().count()
}

/// One of each kind of end.
fn all_kinds(place: &Place) {
    place.sh(&[], "echo x >/x; sleep 100 &");
    place.refused(&[], &["no-such-program"]);
    place.refused(&["-u", "70000"], &["true"]);
    place.refused(&["-v", "/etc/passwd:/tmp"], &["true"]);
    place.run(&["--timeout", "50ms"], &["sleep", "100"]);
    place.run(&["--max-output", "10"], &["yes"]);
    place.run(
        &["--storage-opt", "size=1m", "--userns", "host"],
        &["dd", "if=/dev/zero", "of=/x"],
    );
    place.run(
        &["--read-only", "--tmpfs", "/tmp", "-v", "/tmp:/v"],
        &["sh", "-c", "kill -9 $$"],
    );
    drop(place.start(
        &["-w", "/made/up", "-h", "name"],
        "mkdir -p /a/b/c; chmod 0 /a/b; read x",
    ));
    let prepared = place.prepare(&[IMAGE, "cat"]).unwrap();
    let mut request = piped(Input::Pipe);
    request.name = Some("named".into());
    done(prepared.start(request).unwrap(), &prepared, Some(b"x")).unwrap();
}

#[test]
fn of_any_kind() {
    let Some(on) = place() else { return };
    let place = own(on);
    let owner = owner(&place);
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    for _ in 0..3 {
        all_kinds(&place);
    }
    place.engine.settle();
    let left = groups(&owner);
    assert!(left.is_empty(), "{left:?}");
    let uppers: Vec<_> = fs::read_dir(place.paths.uppers().join(&owner))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    // Whose they are, and the drawer in use, which is empty.
    let (drawers, others): (Vec<_>, Vec<_>) = uppers
        .iter()
        .map(|name| name.to_string_lossy())
        .partition(|name| name.starts_with('d') && name.len() < 8);
    assert_eq!(others, ["pid"], "directories of containers or plans");
    assert!(drawers.len() <= 1, "{drawers:?}");
    for drawer in &drawers {
        let drawer = place.paths.uppers().join(&owner).join(drawer.as_ref());
        assert_eq!(fs::read_dir(drawer).unwrap().count(), 0);
    }
    let names: Vec<_> = fs::read_dir(place.paths.names())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, [""; 0]);
    let now = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let ours = |text: &str| text.lines().filter(|line| line.contains("fastbox")).count();
    assert_eq!(ours(&mounts), ours(&now), "{now}");
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        line.contains("fastbox-stub").then_some(pid)
    });
    assert_eq!(children.collect::<Vec<_>>(), [0; 0], "stubs");
}

/// Counted in a process of its own, in which nothing else runs.
#[test]
fn over_many_runs() {
    if place().is_none() {
        return;
    }
    let me = std::env::current_exe().unwrap();
    let args = [
        "--exact",
        "nothing_left::counted",
        "--ignored",
        "--nocapture",
    ];
    let ended = std::process::Command::new(me).args(args).output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && out.contains("1 passed"),
        "{out}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

/// A run directory may be removed before the watchdog of its owner gets to look for it.
#[test]
fn of_engines_whose_directories_go_first() {
    let Some(on) = place() else { return };
    let me = std::env::current_exe().unwrap();
    let args = [
        "--exact",
        "nothing_left::left_alone",
        "--ignored",
        "--nocapture",
    ];
    let ended = std::process::Command::new(me).args(args).output().unwrap();
    let out = String::from_utf8_lossy(&ended.stdout).into_owned();
    let owners: Vec<&str> = out
        .lines()
        .filter_map(|line| line.strip_prefix("owner "))
        .collect();
    assert_eq!(owners.len(), 2, "{out}");
    let groups = || fastbox_container::cgroup::owners(&Driver::probe());
    let gone = || {
        owners
            .iter()
            .all(|owner| !groups().iter().any(|name| name == owner))
    };
    assert!(within(Duration::from_secs(30), gone), "{owners:?}");
    assert!(groups().contains(&owner(on)) || Driver::probe().kind() == Kind::None);
}

#[test]
#[ignore = "started by another test"]
fn left_alone() {
    let Some(on) = place() else { return };
    let place = own(on);
    for place in [on, &place] {
        place.sh(&[], "true");
        println!("\nowner {}", owner(place));
    }
    fs::remove_dir_all(place.paths.run()).unwrap();
}

#[test]
#[ignore = "started by another test"]
fn counted() {
    let Some(on) = place() else { return };
    let prepared = on.prepare(&["-v", "/tmp:/v", IMAGE, "cat"]).unwrap();
    let round = || {
        let one = done(
            prepared.start(piped(Input::Pipe)).unwrap(),
            &prepared,
            Some(b"x"),
        )
        .unwrap();
        assert_eq!(one.out, "x");
    };
    for _ in 0..5 {
        round();
        all_kinds(on);
    }
    on.engine.settle();
    let largest = || -> usize {
        fs::read_dir("/proc/self/task")
            .unwrap()
            .map(|task| fs::read_dir(task.unwrap().path().join("fd")).map_or(0, Iterator::count))
            .max()
            .unwrap()
    };
    let before = (count("/proc/self/fd"), count("/proc/self/task"), largest());
    let memory = || {
        crate::support::status("self", "VmRSS")
            .split(' ')
            .next()
            .unwrap()
            .parse::<u64>()
            .unwrap()
    };
    let memory_before = memory();
    for _ in 0..200 {
        round();
    }
    for _ in 0..5 {
        all_kinds(on);
    }
    on.engine.settle();
    let after = || (count("/proc/self/fd"), count("/proc/self/task"), largest());
    // The spawners' table keeps up to 16 ranges of a plan with three files each.
    assert!(
        after().0 == before.0 && after().1 == before.1 && after().2 <= before.2 + 48,
        "{before:?} {:?}",
        after()
    );
    assert!(
        memory() < memory_before + 4096,
        "{memory_before} kB before, {} kB after",
        memory()
    );
    let held = namespaces();
    let (_kept, container) = on.start(&[], "read x");
    let during: Vec<String> = namespaces().difference(&held).cloned().collect();
    assert!(during.len() >= 6, "{during:?}");
    drop(container);
    on.engine.settle();
    let gone = || during.iter().all(|name| !namespaces().contains(name));
    assert!(within(Duration::from_secs(10), gone));
    let left = groups(&owner(on));
    assert!(left.is_empty(), "{left:?}");
}
