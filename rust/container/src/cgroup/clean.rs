//! Removing all that an owner has, alive or not.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;

use super::controller::Controller;
use super::driver::Driver;
use super::error::CgroupError;
use super::owner::{OWN_DEVICES, TOP};
use super::parent::Parent;
use super::steps::{check_name, open_dir, system};
use super::tree;

/// How long one clean-up goes on; processes that the kernel cannot end (waiting for a dead disk) outlast it.
const CLEAN_FOR: Duration = Duration::from_secs(5);

/// What [`clean_owner`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Groups removed.
    pub removed: usize,
    /// Processes found in them and killed; on v2 those seen when it began.
    pub killed: usize,
    /// What could not be removed, and why; empty when all is gone.
    pub left: Vec<CgroupError>,
}

/// Kills every process below `fastbox/<owner>` in every hierarchy and removes the groups. Works while containers
/// are being made there: it repeats until the owner's groups are gone, after which nothing can be made in them.
/// Takes at most about five seconds; what has no such groups costs one look per hierarchy.
#[must_use]
pub fn clean_owner(driver: &Driver, owner: &str) -> Cleaned {
    clean_owner_below(driver, owner, &[Parent::default()])
}

/// The same below each of these parents.
#[must_use]
pub fn clean_owner_below(driver: &Driver, owner: &str, parents: &[Parent]) -> Cleaned {
    let mut cleaned = Cleaned::default();
    if let Err(error) = check_name(owner) {
        cleaned.left.push(error);
        return cleaned;
    }
    let mut trees: Vec<(OwnedFd, PathBuf, Vec<u8>)> = Vec::new();
    for hierarchy in driver.hierarchies() {
        let mut names = Vec::new();
        for parent in parents {
            names.push(parent.below(&format!("{TOP}/{owner}")));
            if hierarchy.controllers.contains(Controller::Devices) && !driver.is_v2() {
                names.push(parent.below(&format!("{TOP}/{owner}{OWN_DEVICES}")));
            }
        }
        for name in names {
            match open_dir(AT_FDCWD, hierarchy.base.as_os_str().as_bytes()) {
                Ok(base) => trees.push((base, hierarchy.base.clone(), name.into_bytes())),
                Err(errno) => cleaned
                    .left
                    .push(system("open", hierarchy.base.clone(), errno)),
            }
        }
    }
    let until = Instant::now() + CLEAN_FOR;
    let mut killed = BTreeSet::new();
    let mut pause = Duration::from_micros(200);
    let mut failed = Vec::new();
    loop {
        kill(driver, &trees, &mut killed);
        failed.clear();
        trees.retain(|(base, base_path, name)| {
            match tree::remove(base.as_fd(), name, &mut cleaned.removed) {
                Ok(()) => false,
                Err((path, errno)) => {
                    failed.push((base_path.join(Path::new(OsStr::from_bytes(&path))), errno));
                    true
                }
            }
        });
        if trees.is_empty() || Instant::now() >= until {
            break;
        }
        sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    cleaned.killed = killed.len();
    for (path, errno) in failed {
        cleaned.left.push(match errno {
            Errno::EBUSY => {
                let mut processes = BTreeSet::new();
                tree::processes(AT_FDCWD, path.as_os_str().as_bytes(), &mut processes);
                CgroupError::Busy {
                    path,
                    processes: processes.len(),
                }
            }
            errno => system("remove", path, errno),
        });
    }
    cleaned
}

fn kill(driver: &Driver, trees: &[(OwnedFd, PathBuf, Vec<u8>)], killed: &mut BTreeSet<i32>) {
    let trees: Vec<_> = trees
        .iter()
        .map(|(base, _, name)| (base.as_fd(), name.clone()))
        .collect();
    if driver.is_v2() {
        for (base, name) in &trees {
            // An owner that still makes groups as fast as they are removed is stopped by this.
            let _ = tree::put(*base, &tree::join(name, b"cgroup.max.descendants"), "0");
            tree::processes(*base, name, killed);
            // ENOENT: there is no such group (any more).
            let _ = tree::put(*base, &tree::join(name, b"cgroup.kill"), "1");
        }
        return;
    }
    for (base, name) in &trees {
        // Stops forks below, in the one hierarchy that has the file.
        let _ = tree::put(*base, &tree::join(name, b"pids.max"), "0");
    }
    // Each round kills all it finds, again: a number in the list may by now be another process's.
    let mut found = BTreeSet::new();
    tree::kill_new(&trees, &mut found);
    killed.append(&mut found);
}

/// The owners that have groups here, for reconciling: every name below `fastbox` in any hierarchy.
#[must_use]
pub fn owners(driver: &Driver) -> Vec<String> {
    let mut found = BTreeSet::new();
    for hierarchy in driver.hierarchies() {
        for entry in fs::read_dir(hierarchy.base.join(TOP))
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry.file_type().is_ok_and(|kind| kind.is_dir())
                && let Ok(name) = entry.file_name().into_string()
            {
                found.insert(name.strip_suffix(OWN_DEVICES).unwrap_or(&name).to_owned());
            }
        }
    }
    found.into_iter().collect()
}
