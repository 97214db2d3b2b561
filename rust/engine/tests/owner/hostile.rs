//! Trees that a container may have made in its upper directory.
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use fastbox_container::cgroup::Driver;
use fastbox_engine::owner::reconcile;
use nix::dir::Dir;
use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{Uid, mkfifo};

use crate::support::Place;

fn cleaned(place: &Place) {
    let found = reconcile(&place.paths, &Driver::probe());
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    place.assert_clean();
}

fn orphan(place: &Place) -> std::path::PathBuf {
    let upper = place.paths.uppers().join("0000000000000001/c/upper");
    fs::create_dir_all(&upper).unwrap();
    upper
}

#[test]
fn links_pipes_modes_and_names() {
    let place = Place::new();
    let upper = orphan(&place);
    let sentinel = place.dir.join("sentinel");
    fs::create_dir(&sentinel).unwrap();
    fs::write(sentinel.join("kept"), "x").unwrap();
    symlink(&sentinel, upper.join("link")).unwrap();
    symlink("..", upper.join("up")).unwrap();
    mkfifo(&upper.join("fifo"), Mode::S_IRWXU).unwrap();
    for name in ["a\nb", "\u{1}", " ", "-rf"] {
        fs::create_dir(upper.join(name)).unwrap();
        File::create(upper.join(name).join(name)).unwrap();
    }
    let work = upper.join("work/work");
    fs::create_dir_all(&work).unwrap();
    File::create(work.join("file")).unwrap();
    for dir in [&work, work.parent().unwrap()] {
        fs::set_permissions(dir, Permissions::from_mode(0o0)).unwrap();
    }
    cleaned(&place);
    assert!(sentinel.join("kept").exists());
}

#[test]
fn as_deep_as_can_be() {
    let place = Place::new();
    let upper = orphan(&place);
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut at = Dir::open(&upper, flags, Mode::empty()).unwrap();
    for _ in 0..3000 {
        mkdirat(&at, "d", Mode::S_IRWXU).unwrap();
        at = Dir::openat(&at, "d", flags, Mode::empty()).unwrap();
    }
    drop(at);
    // Names that lifting would like to use are taken.
    fs::create_dir_all(
        upper
            .parent()
            .unwrap()
            .parent()
            .unwrap()
            .join(".lifted.1/x"),
    )
    .unwrap();
    cleaned(&place);
}

#[test]
fn as_many_as_need_several_lists() {
    let place = Place::new();
    let upper = orphan(&place);
    for number in 0..10_000 {
        File::create(upper.join(number.to_string())).unwrap();
    }
    cleaned(&place);
}

#[test]
fn immutable_files_and_mounts() {
    let run = |program: &str, args: &[&str], path: &Path| {
        let done = Command::new(program).args(args).arg(path).output();
        done.is_ok_and(|done| done.status.success())
    };
    let place = Place::new();
    let upper = orphan(&place);
    fs::create_dir(upper.join("dir")).unwrap();
    for file in ["fixed", "append", "dir/file"] {
        File::create(upper.join(file)).unwrap();
    }
    if !Uid::effective().is_root() || !run("chattr", &["+i"], &upper.join("fixed")) {
        println!("skipped: needs root, chattr and a file system with attributes");
        return cleaned(&place);
    }
    assert!(run("chattr", &["+a"], &upper.join("append")));
    assert!(run("chattr", &["+i"], &upper.join("dir")));
    cleaned(&place);

    // What is mounted there is not ours to delete: said, and left.
    let upper = orphan(&place);
    let (mount, kept) = (upper.join("mount"), place.dir.join("kept"));
    fs::create_dir(&mount).unwrap();
    fs::create_dir(&kept).unwrap();
    File::create(kept.join("file")).unwrap();
    if !run("mount", &["--bind", kept.to_str().unwrap()], &mount) {
        return cleaned(&place);
    }
    let found = reconcile(&place.paths, &Driver::probe());
    assert_eq!(found.errors.len(), 1);
    assert!(kept.join("file").exists());
    assert!(run("umount", &[], &mount));
    cleaned(&place);
}
