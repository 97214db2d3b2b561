//! Tables and directories that make no sense.
use std::fs;
use std::os::unix::fs::PermissionsExt;

use fastbox_container::cgroup::Driver;
use fastbox_engine::owner::{Owner, StateError, reconcile};
use fastbox_engine::paths::Paths;
use fastbox_sys::journal::{FILE_SIZE, HEADER_SIZE, SLOT_SIZE, SLOTS, read_entries, read_header};

use crate::support::{Place, seed};

#[test]
fn no_bytes_make_a_reader_panic() {
    let place = Place::new();
    let owner = Owner::register(&place.paths).unwrap();
    let mut random = seed() | 1;
    let good = fs::read(owner.dir().join("table")).unwrap();
    assert_eq!(good.len(), FILE_SIZE);
    for round in 0..2000 {
        let mut bytes = good.clone();
        for _ in 0..round % 300 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[random as usize % (HEADER_SIZE + 8 * SLOT_SIZE)] = (random >> 32) as u8;
        }
        bytes.truncate(random as usize % if round % 2 == 0 { FILE_SIZE } else { 9000 });
        let _ = read_header(&bytes);
        assert!(read_entries(&bytes).all(|entry| entry.pid > 0 && entry.id.len() == 64));
    }
    owner.unregister().unwrap();
}

#[test]
fn directories_without_sense_are_removed_and_nobody_is_killed() {
    let place = Place::new();
    let owners = place.paths.owners();
    let plant = |name: &str, pid: Option<&str>, table: &[u8]| {
        let dir = owners.join(name);
        fs::create_dir(&dir).unwrap();
        if let Some(pid) = pid {
            fs::write(dir.join("pid"), pid).unwrap();
        }
        fs::write(dir.join("table"), table).unwrap();
    };
    plant("0000000000000001", None, b"");
    plant("0000000000000002", Some(""), b"fbxtable");
    plant("0000000000000003", Some("1 1\n"), &[0xff; 10_000]);
    plant("0000000000000004", Some("999999999999 x\n"), &[0; 4096]);
    plant("0000000000000005", Some("\u{fffd}\0"), b"x");
    plant(".4194304.1.0000000000000006", None, b"");
    // Upper directories of an owner without any other trace.
    let upper = place.paths.uppers().join("0000000000000007/c/upper");
    fs::create_dir_all(upper).unwrap();
    let found = reconcile(&place.paths, &Driver::probe());
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    assert_eq!(found.cleaned.len(), 6);
    place.assert_clean();
}

#[test]
fn an_owner_of_another_run_directory_keeps_its_uppers() {
    let place = Place::new();
    let other = Paths::at(place.paths.root(), &place.dir.join("other")).unwrap();
    let owner = Owner::register(&other).unwrap();
    let uppers = owner.uppers().unwrap().to_owned();
    let found = reconcile(&place.paths, &Driver::probe());
    assert!(found.cleaned.is_empty() && uppers.exists());
    owner.unregister().unwrap();
    place.assert_clean();
}

#[test]
fn the_table_fills_up_and_says_so() {
    let place = Place::new();
    let owner = Owner::register(&place.paths).unwrap();
    let slots: Vec<_> = (0..SLOTS)
        .map(|_| owner.claim(&[b'a'; 64], 0).unwrap())
        .collect();
    assert!(matches!(
        owner.claim(&[b'a'; 64], 0),
        Err(StateError::TooManyContainers)
    ));
    slots
        .into_iter()
        .for_each(fastbox_sys::journal::Slot::release);
    let begin = std::time::Instant::now();
    for _ in 0..100_000 {
        let slot = owner.claim(&[b'b'; 64], 0).unwrap();
        slot.stamp();
        slot.started();
        slot.release();
    }
    println!("claim to release {:?}", begin.elapsed() / 100_000);
    owner.unregister().unwrap();
    place.assert_clean();
}

#[test]
fn directories_that_others_may_write_to_are_refused() {
    let place = Place::new();
    let open = place.dir.join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let error = Paths::at(&open, &place.dir.join("r")).unwrap_err();
    assert!(
        matches!(error, StateError::OthersMayWrite { mode: 0o777, .. }),
        "{error}"
    );
    std::os::unix::fs::symlink("/tmp", place.dir.join("link")).unwrap();
    Paths::at(&place.dir.join("s"), &place.dir.join("link")).unwrap_err();
    let relative = Paths::at("a".as_ref(), "/b".as_ref()).unwrap_err();
    assert_eq!(
        relative.to_string(),
        "the store's root must be an absolute path, not a"
    );
    if nix::unistd::Uid::effective().is_root() {
        let theirs = place.dir.join("theirs");
        fs::create_dir(&theirs).unwrap();
        std::os::unix::fs::chown(&theirs, Some(12345), None).unwrap();
        let error = Paths::at(&theirs, &place.dir.join("t")).unwrap_err();
        assert!(
            matches!(error, StateError::NotOurs { owner: 12345, .. }),
            "{error}"
        );
    }
}
