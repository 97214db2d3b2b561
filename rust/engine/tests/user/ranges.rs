//! A user with a range of ids: other users inside.

use crate::support::{IMAGE, RANGE, User, Who, piped};
use crate::user_test;
use std::fs;
use std::os::unix::fs::MetadataExt;

user_test!(other_users_inside, Who::Ranged, |user: &User| {
    let map = user.sh(&[], IMAGE, "cat /proc/self/uid_map");
    let map: Vec<&str> = map.split_whitespace().collect();
    assert_eq!(map, ["0", "65534", "1", "1", &RANGE.to_string(), "65535"]);
    let script = "touch /tmp/f && chown 33:33 /tmp/f && stat -c %u:%g /tmp/f";
    for image in ["host", IMAGE] {
        assert_eq!(user.sh(&[], image, script), "33:33");
        let script = "id -u; id -G; echo out > /dev/stdout; touch /tmp/own; stat -c %u /tmp/own";
        let out = user.sh(&["--user", "33:34"], image, script);
        assert_eq!(out, "33\n34\nout\n33");
    }
    let prepared = user
        .prepare(&["--user", "33", IMAGE, "sleep", "100"])
        .unwrap();
    assert!(
        !prepared
            .notes()
            .iter()
            .any(|note| note.contains("no id but 0"))
    );
    let container = prepared.start(piped()).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid())).unwrap();
    let id = RANGE + 32;
    assert!(
        status.contains(&format!("Uid:\t{id}\t{id}\t{id}\t{id}")),
        "{status}"
    );
});

user_test!(
    files_of_a_bind_are_of_the_range,
    Who::Ranged,
    |user: &User| {
        let dir = user.home.join("data");
        fs::create_dir(&dir).unwrap();
        let volume = format!("{}:/data", dir.display());
        let volume = ["-v", &volume];
        user.sh(
            &volume,
            IMAGE,
            "touch /data/root /data/web; chown 33:44 /data/web",
        );
        let ids = |name: &str| {
            let meta = fs::metadata(dir.join(name)).unwrap();
            (meta.uid(), meta.gid())
        };
        assert_eq!(ids("root"), (65_534, 65_534));
        assert_eq!(ids("web"), (RANGE + 32, RANGE + 43));
        user.sh(&volume, IMAGE, "rm /data/web");
    }
);

user_test!(terminals_have_their_group, Who::Ranged, |user: &User| {
    let mounts = user.sh(&[], IMAGE, "grep devpts /proc/mounts");
    assert!(
        mounts.contains(&format!("gid={}", RANGE + 4)) || mounts.contains("gid=5"),
        "{mounts}"
    );
});
