//! Groups as directory trees, reached from a directory fd: usable without /sys in sight.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::dir::{Dir, Type};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, UnlinkatFlags, getpid, unlinkat, write};

/// Opens `path` to write or read it; cgroup files need no creation.
pub(super) fn open(dir: BorrowedFd<'_>, path: &[u8], flags: OFlag) -> nix::Result<OwnedFd> {
    openat(dir, path, flags | OFlag::O_CLOEXEC, Mode::empty())
}

/// Writes `value` in one call, as cgroup files want it.
pub(super) fn put(dir: BorrowedFd<'_>, path: &[u8], value: &str) -> nix::Result<()> {
    let file = open(dir, path, OFlag::O_WRONLY)?;
    write(file.as_fd(), value.as_bytes()).map(drop)
}

/// The groups right below `path`; none where it is gone.
pub(super) fn children(dir: BorrowedFd<'_>, path: &[u8]) -> nix::Result<Vec<Vec<u8>>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut opened = match Dir::openat(dir, path, flags, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = Vec::new();
    for entry in opened.iter() {
        let entry = match entry {
            // Removed while being read.
            Err(Errno::ENOENT | Errno::ENODEV) => break,
            other => other?,
        };
        let name = entry.file_name().to_bytes();
        if entry.file_type() == Some(Type::Directory) && name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

pub(super) fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(path.len() + 1 + name.len());
    joined.extend_from_slice(path);
    joined.push(b'/');
    joined.extend_from_slice(name);
    joined
}

/// Adds the processes of `path` and of all groups below it.
pub(super) fn processes(dir: BorrowedFd<'_>, path: &[u8], found: &mut BTreeSet<i32>) {
    let mut text = String::new();
    if let Ok(file) = open(dir, &join(path, b"cgroup.procs"), OFlag::O_RDONLY)
        && File::from(file).read_to_string(&mut text).is_ok()
    {
        // A process outside our pid namespace reads as 0, which to kill(2) would mean ourselves.
        found.extend(
            text.lines()
                .filter_map(|line| line.parse().ok())
                .filter(|&pid: &i32| pid > 0),
        );
    }
    for child in children(dir, path).unwrap_or_default() {
        processes(dir, &join(path, &child), found);
    }
}

/// Kills what is in the groups `trees` (of one container or owner) and does not yet stand in `killed`; true when
/// there was none such. Only for v1, where cgroup.kill does not exist: between reading a pid and killing it the
/// process could end and its number be given to another, but only if all numbers go round in these microseconds.
pub(super) fn kill_new(trees: &[(BorrowedFd<'_>, Vec<u8>)], killed: &mut BTreeSet<i32>) -> bool {
    let mut found = BTreeSet::new();
    for (dir, path) in trees {
        processes(*dir, path, &mut found);
    }
    found.remove(&getpid().as_raw());
    let mut none = true;
    for pid in found {
        if killed.insert(pid) {
            none = false;
            // ESRCH: it ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
    }
    none
}

/// Removes `path` and all groups below it, deepest first; adds to `removed`. ENOENT is success.
pub(super) fn remove(
    dir: BorrowedFd<'_>,
    path: &[u8],
    removed: &mut usize,
) -> Result<(), (Vec<u8>, Errno)> {
    match unlinkat(dir, path, UnlinkatFlags::RemoveDir) {
        Ok(()) => {
            *removed += 1;
            return Ok(());
        }
        Err(Errno::ENOENT) => return Ok(()),
        Err(Errno::EBUSY) => {}
        Err(errno) => return Err((path.to_vec(), errno)),
    }
    let mut first = None;
    for child in children(dir, path).map_err(|errno| (path.to_vec(), errno))? {
        if let Err(error) = remove(dir, &join(path, &child), removed) {
            first = first.or(Some(error));
        }
    }
    if let Some(error) = first {
        return Err(error);
    }
    match unlinkat(dir, path, UnlinkatFlags::RemoveDir) {
        Ok(()) => {
            *removed += 1;
            Ok(())
        }
        Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err((path.to_vec(), errno)),
    }
}
