//! Groups below a parent of the user's choice, after a kill.
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use fastbox_container::cgroup::{Driver, Kind, Limits, OwnerGroup, Parent, make_parent};
use fastbox_engine::owner::{Owner, StateError, reconcile};
use oci_spec::runtime::LinuxResources;

use crate::support::{Place, monitor, start_victim, within};
use crate::victim::tell;

/// Below the parent that the place's name gives: `there`, which the test has made, and `new` in it.
fn parent(place: &Place) -> Parent {
    Parent::parse(&format!("/{}/there/new/deep", place.marker())).unwrap()
}

/// Every directory of that name right below the top of a mounted hierarchy.
fn tops(place: &Place) -> Vec<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let points = mounts.lines().filter(|line| line.contains(" - cgroup"));
    points
        .map(|line| Path::new(line.split(' ').nth(4).unwrap()).join(place.marker()))
        .collect()
}

/// What the victim does: has a group with a process in it, in both places.
pub fn victim(place: &Place, watched: bool) {
    let owner = Owner::register(&place.paths).unwrap();
    if watched {
        owner.start_watchdog(&monitor().unwrap()).unwrap();
    }
    let driver = Driver::probe();
    let limits = Limits::compile(&driver, &LinuxResources::default()).unwrap();
    let parent = parent(place);
    owner.will_use_parent(&parent).unwrap();
    make_parent(&driver, &parent, &limits, |path| {
        owner.will_make_group(path)
    })
    .unwrap();
    let top = OwnerGroup::create(&driver, owner.id()).unwrap();
    let below = top.below(&parent).unwrap();
    for group in [&top, &below] {
        group.make("container", &limits).unwrap();
    }
    tell("ready");
    std::thread::sleep(Duration::from_secs(1000));
}

#[test]
fn are_found_and_removed_with_what_was_made_for_them() {
    if !nix::unistd::Uid::effective().is_root() || Driver::probe().kind() == Kind::None {
        println!("skipped: needs root and usable control groups");
        return;
    }
    for watched in [true, false] {
        if watched && monitor().is_none() {
            continue;
        }
        let place = Place::new();
        let tops = tops(&place);
        let made: Vec<&PathBuf> = tops
            .iter()
            .filter(|top| fs::create_dir_all(top.join("there")).is_ok())
            .collect();
        let kind = if watched {
            "parented"
        } else {
            "parented-unwatched"
        };
        let mut victim = start_victim(&place, kind);
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().ends_with("ready")));
        let new = || {
            made.iter()
                .filter(|top| top.join("there/new").exists())
                .count()
        };
        assert!(new() > 0);
        victim.kill().unwrap();
        victim.wait().unwrap();
        if !watched {
            let found = reconcile(&place.paths, &Driver::probe());
            assert!(found.errors.is_empty(), "{found:?}");
        }
        place.assert_clean();
        assert!(within(10, || new() == 0), "{watched}");
        // What was there before is not ours.
        for top in &made {
            assert!(top.join("there").exists());
            fs::remove_dir(top.join("there")).unwrap();
            fs::remove_dir(top).unwrap();
        }
    }
}

#[test]
fn a_record_without_sense_removes_nothing() {
    let place = Place::new();
    let owner = Owner::register(&place.paths).unwrap();
    let dir = place.dir.join("empty");
    fs::create_dir(&dir).unwrap();
    owner.will_make_group(&dir).unwrap();
    owner
        .will_make_group(Path::new("/sys/fs/cgroup/../../../tmp"))
        .unwrap();
    let record = owner.dir().join("cgroup-parents");
    let mut text = fs::read(&record).unwrap();
    text.extend_from_slice(b"parent a/../b\nmade\n\xff\nmade relative\nnonsense\n");
    fs::write(&record, text).unwrap();
    // As a dead process's.
    let pid = owner.dir().join("pid");
    let line = fs::read_to_string(&pid).unwrap();
    let mut words: Vec<&str> = line.split(' ').collect();
    words[1] = "1";
    fs::write(&pid, words.join(" ")).unwrap();
    let found = reconcile(&place.paths, &Driver::probe());
    let errors: &[StateError] = &found.errors;
    assert!(errors.is_empty(), "{errors:?}");
    assert!(dir.exists());
    place.assert_clean();
}
