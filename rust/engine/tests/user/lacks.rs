//! What an ordinary user cannot have is said: defaults in notes, what was asked for in errors.

use crate::support::{IMAGE, TEST, User, Who, run_as};
use crate::user_test;
use fastbox_container::cgroup::{Driver, Kind};

user_test!(defaults_are_noted, Who::Single, |user: &User| {
    let prepared = user.prepare(&[IMAGE, "true"]).unwrap();
    let notes = prepared.notes().join("\n");
    for part in ["range of ids", "no id but 0", "usermod --add-subuids"] {
        assert!(notes.contains(part), "{part}: {notes}");
    }
    let error = user.prepare(&["--strict", IMAGE, "true"]).err().unwrap();
    assert!(error.to_string().starts_with("strict: "), "{error}");
    let host = user.prepare(&["--network", "host", IMAGE, "true"]).unwrap();
    assert!(host.notes().iter().any(|note| note.contains("/sys")));
});

user_test!(what_is_asked_for_is_refused, Who::Single, |user: &User| {
    let refused = |options: &[&str], part: &str| {
        let line = [options, &[IMAGE, "true"]].concat();
        let error = user.prepare(&line).err().map(|error| error.to_string());
        assert!(
            error.as_deref().is_some_and(|e| e.contains(part)),
            "{options:?}: {error:?}"
        );
    };
    refused(&["--userns", "host"], "needs root");
    refused(&["--user", "33"], "/etc/subuid");
    refused(&["--user", "www-data"], "newuidmap");
    if Driver::probe().kind() == Kind::None {
        refused(&["-m", "64m"], "memory");
        refused(&["--pids-limit", "10"], "pids");
        let notes = user.prepare(&[IMAGE, "true"]).unwrap().notes();
        assert!(
            notes.iter().any(|note| note.starts_with("no memory: ")),
            "{notes:?}"
        );
    }
});

user_test!(the_hosts_network, Who::Single, |user: &User| {
    let here = std::fs::read_link("/proc/self/ns/net").unwrap();
    for image in ["host", IMAGE] {
        let there = user.sh(&["--network", "host"], image, "readlink /proc/self/ns/net");
        assert_eq!(here.to_str(), Some(there.as_str()));
    }
});

#[test]
fn no_user_namespaces() {
    if std::env::var(TEST).is_err() {
        return run_as("lacks::no_user_namespaces", Who::Forbidden);
    }
    let error = fastbox_engine::run::engine().err().unwrap().to_string();
    for part in [
        "an ordinary user's containers need a user namespace",
        "sysctl -w user.max_user_namespaces=",
    ] {
        assert!(error.contains(part), "{error}");
    }
}
