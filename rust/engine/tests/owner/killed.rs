//! Killed owners.
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastbox_container::cgroup::{Driver, owners};
use fastbox_engine::owner::{Life, Meeting, Outcome, Owner, alive, clean, reconcile};
use fastbox_sys::pidfd;
use nix::sys::signal::Signal;

use crate::support::{Place, monitor, seed, start_victim, within};
use crate::victim::start;

fn ready(victim: &mut Child) {
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("ready")));
}

fn only_owner(place: &Place) -> String {
    let entry = std::fs::read_dir(place.paths.owners()).unwrap().next();
    entry.unwrap().unwrap().file_name().into_string().unwrap()
}

fn no_groups_of(owner: &str) -> bool {
    !owners(&Driver::probe()).iter().any(|name| name == owner)
}

#[test]
fn the_watchdog_cleans_up_after_a_kill_at_any_moment() {
    let Some(_) = monitor() else {
        assert!(
            std::env::var_os("CI").is_none(),
            "build fastbox-monitor, or set FASTBOX_MONITOR"
        );
        println!("skipped: build fastbox-monitor, or set FASTBOX_MONITOR");
        return;
    };
    let mut random = seed();
    let place = Place::new();
    for _ in 0..20 {
        let mut victim = start_victim(&place, "watched");
        ready(&mut victim);
        let owner = only_owner(&place);
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        sleep(Duration::from_micros((random >> 40) % 20_000));
        victim.kill().unwrap();
        victim.wait().unwrap();
        place.assert_clean();
        assert!(no_groups_of(&owner));
    }
}

#[test]
fn the_next_command_cleans_up_where_there_is_no_watchdog() {
    let mut random = seed();
    let place = Place::new();
    for round in 0..20 {
        let mut victim = start_victim(&place, "unwatched");
        ready(&mut victim);
        let owner = only_owner(&place);
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        sleep(Duration::from_micros((random >> 40) % 20_000));
        // While it lives nothing of it is touched, whoever looks.
        let found = reconcile(&place.paths, &Driver::probe());
        assert!(
            found.cleaned.is_empty() && found.errors.is_empty(),
            "{found:?}"
        );
        victim.kill().unwrap();
        if round % 2 == 0 {
            victim.wait().unwrap();
        } else {
            // A zombie that nobody reaps is dead too.
            assert!(within(5, || alive(&place.paths.owners().join(&owner))
                .unwrap()
                == Life::Dead));
        }
        let found = reconcile(&place.paths, &Driver::probe());
        assert_eq!(
            found.cleaned,
            std::slice::from_ref(&owner),
            "{:?}",
            found.errors
        );
        victim.wait().unwrap();
        place.assert_clean();
        assert!(no_groups_of(&owner));
    }
}

#[test]
fn many_cleaners_at_once_and_killed_ones() {
    let place = Place::new();
    for _ in 0..10 {
        let mut victim = start_victim(&place, "unwatched");
        ready(&mut victim);
        let owner = only_owner(&place);
        sleep(Duration::from_millis(5));
        victim.kill().unwrap();
        victim.wait().unwrap();
        std::thread::scope(|scope| {
            let cleaners: Vec<_> = (0..4)
                .map(|n| {
                    let meeting = if n % 2 == 0 {
                        Meeting::Wait
                    } else {
                        Meeting::Skip
                    };
                    let (place, owner) = (&place, &owner);
                    scope.spawn(move || clean(&place.paths, &Driver::probe(), owner, meeting))
                })
                .collect();
            for (n, cleaner) in cleaners.into_iter().enumerate() {
                let outcome = cleaner.join().unwrap().unwrap();
                assert!(outcome == Outcome::Gone || (n % 2 == 1 && outcome == Outcome::Busy));
            }
        });
        place.assert_clean();
        assert_eq!(
            clean(&place.paths, &Driver::probe(), &owner, Meeting::Wait).unwrap(),
            Outcome::Gone
        );
    }
}

#[test]
fn a_cleaner_killed_at_any_moment_is_followed_by_another() {
    let mut random = seed();
    let place = Place::new();
    for _ in 0..20 {
        let mut victim = start_victim(&place, "unwatched");
        ready(&mut victim);
        let owner = only_owner(&place);
        sleep(Duration::from_millis(5));
        victim.kill().unwrap();
        victim.wait().unwrap();
        let mut cleaner = start_victim(&place, "cleaner");
        ready(&mut cleaner);
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
        sleep(Duration::from_micros((random >> 40) % 5_000));
        cleaner.kill().unwrap();
        cleaner.wait().unwrap();
        let found = reconcile(&place.paths, &Driver::probe());
        assert!(found.errors.is_empty(), "{found:?}");
        place.assert_clean();
        assert!(no_groups_of(&owner));
    }
}

#[test]
fn a_clean_end_sends_the_watchdog_home() {
    if monitor().is_none() {
        return;
    }
    let place = Place::new();
    let mut victim = start_victim(&place, "tidy");
    ready(&mut victim);
    assert!(within(10, || place.left().is_empty()));
    assert!(within(5, || place.watchdogs().is_empty()));
    assert!(victim.try_wait().unwrap().is_none());
    victim.kill().unwrap();
    victim.wait().unwrap();
    place.assert_clean();
}

fn holds(pid: i32, what: &str) -> bool {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd"));
    fds.into_iter()
        .flatten()
        .flatten()
        .any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to.to_string_lossy().contains(what)))
}

#[test]
fn the_watchdog_clears_groups_though_the_directories_were_removed_under_the_owner() {
    if monitor().is_none() {
        return;
    }
    for also_the_store in [false, true] {
        let place = Place::new();
        let mut victim = start_victim(&place, "grouped");
        ready(&mut victim);
        let owner = only_owner(&place);
        let grouped = !no_groups_of(&owner);
        // At its post it holds the owner's process: before, it could not tell a removed directory from a dead owner.
        assert!(within(10, || place
            .watchdogs()
            .iter()
            .any(|pid| holds(*pid, "pidfd") && holds(*pid, "inotify"))));
        std::fs::remove_dir_all(place.paths.run()).unwrap();
        if also_the_store {
            std::fs::remove_dir_all(place.paths.root()).unwrap();
        }
        // Time to go home, which it must not.
        sleep(Duration::from_millis(100));
        assert_eq!(no_groups_of(&owner), !grouped);
        assert_eq!(place.watchdogs().len(), 1);
        victim.kill().unwrap();
        victim.wait().unwrap();
        assert!(within(10, || no_groups_of(&owner)));
        assert!(within(10, || place.processes().is_empty()));
        assert!(!place.paths.uppers().join(&owner).exists());
    }
}

#[test]
fn the_watchdog_is_no_child_and_nothing_like_one() {
    let Some(monitor) = monitor() else { return };
    let place = Place::new();
    let owner = Owner::register(&place.paths).unwrap();
    let begin = Instant::now();
    owner.start_watchdog(&monitor).unwrap();
    println!("started in {:?}", begin.elapsed());
    assert!(within(5, || place.watchdogs().len() == 1));
    let pid = place.watchdogs()[0];
    // Give it the time to be at its post.
    sleep(Duration::from_millis(200));
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let stat = read("stat");
    let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
    assert_ne!(fields[1], std::process::id().to_string(), "parent");
    assert_eq!(fields[3], pid.to_string(), "session");
    assert_eq!(
        std::fs::read_link(format!("/proc/{pid}/cwd"))
            .unwrap()
            .to_str(),
        Some("/")
    );
    let mut fds: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .map(|fd| {
            std::fs::read_link(fd.unwrap().path())
                .unwrap()
                .display()
                .to_string()
        })
        .collect();
    fds.sort();
    assert_eq!(&fds[..3], ["/dev/null"; 3]);
    assert!(
        fds[3..]
            .iter()
            .all(|fd| fd.contains("inotify") || fd.contains("pidfd")),
        "{fds:?}"
    );
    let private: u32 = read("smaps_rollup")
        .lines()
        .filter(|line| line.starts_with("Private_Dirty"))
        .filter_map(|line| line.split_ascii_whitespace().nth(1)?.parse::<u32>().ok())
        .sum();
    println!("{private} KiB private");
    assert!((1..512).contains(&private), "{private} KiB");
    // It waits; it does not look again and again.
    let switches = || {
        read("status")
            .lines()
            .find(|line| line.starts_with("voluntary"))
            .map(str::to_owned)
    };
    let before = switches();
    sleep(Duration::from_millis(300));
    assert_eq!(switches(), before);
    owner.unregister().unwrap();
    assert!(within(5, || place.watchdogs().is_empty()));
    place.assert_clean();
}

#[test]
fn a_number_that_went_to_a_stranger_is_not_killed() {
    let place = Place::new();
    let owner = Owner::register(&place.paths).unwrap();
    let sleeper = start(&owner, &place.marker(), 1);
    let table = owner.dir().join("table");
    // The owner as a dead process's: same table, other pid file.
    let dead = std::fs::read_to_string(owner.dir().join("pid")).unwrap();
    let mut words: Vec<&str> = dead.split(' ').collect();
    words[1] = "1";
    std::fs::write(owner.dir().join("pid"), words.join(" ")).unwrap();
    let bytes = std::fs::read(&table).unwrap();
    let stamps = fastbox_sys::journal::HEADER_SIZE + 8;
    let copy = place.dir.join("run/owners").join(owner.id());
    let alive = || !pidfd::wait_end(&sleeper.child.pidfd, nix::poll::PollTimeout::ZERO).unwrap();
    let now = fastbox_sys::journal::boottime_ns();
    // It began before the stamp; after the second; long after the only one.
    for (stamp, closed) in [(now + 1_000_000_000, 0), (1, 20_000_000), (1, 0)] {
        let mut other = bytes.clone();
        other[stamps..stamps + 8].copy_from_slice(&u64::to_ne_bytes(stamp));
        other[stamps + 8..stamps + 16].copy_from_slice(&u64::to_ne_bytes(closed));
        std::fs::create_dir_all(&copy).unwrap();
        std::fs::write(copy.join("pid"), words.join(" ")).unwrap();
        let _ = std::fs::remove_file(&table);
        std::fs::write(copy.join("table"), &other).unwrap();
        assert_eq!(
            clean(&place.paths, &Driver::probe(), owner.id(), Meeting::Wait).unwrap(),
            Outcome::Gone
        );
        assert!(alive(), "{stamp} {closed}");
    }
    // With its own stamps it is.
    std::fs::create_dir_all(&copy).unwrap();
    std::fs::write(copy.join("pid"), words.join(" ")).unwrap();
    std::fs::write(copy.join("table"), &bytes).unwrap();
    clean(&place.paths, &Driver::probe(), owner.id(), Meeting::Wait).unwrap();
    assert!(!alive());
    let _ = pidfd::send_signal(&sleeper.child.pidfd, Some(Signal::SIGKILL));
    sleeper.reap();
    place.assert_clean();
}

#[test]
fn reconciling_with_nothing_to_do_is_cheap() {
    let place = Place::new();
    let owner = Owner::register(&place.paths).unwrap();
    let driver = Driver::probe();
    let mut times: Vec<Duration> = (0..200)
        .map(|_| {
            let begin = Instant::now();
            let found = reconcile(&place.paths, &driver);
            assert!(found.cleaned.is_empty() && found.errors.is_empty());
            begin.elapsed()
        })
        .collect();
    times.sort();
    println!("median {:?}, p99 {:?}", times[100], times[197]);
    // Ten times what it takes, for a machine that is busy with other tests.
    assert!(times[100] < Duration::from_millis(1), "{:?}", times[100]);
    owner.unregister().unwrap();
    place.assert_clean();
}
