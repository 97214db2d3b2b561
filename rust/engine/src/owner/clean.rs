//! Removing what a dead owner left. Can be killed at any point and begun again, by anyone.
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use fastbox_container::cgroup::{self, Driver, Parent, clean_owner_below, remove_parents};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::directory;
use super::error::StateError;
use super::identity::{Identity, Life};
use super::kill::kill_recorded;
use super::names;
use super::parents::{self, Record};
use super::register::remove_dir;
use super::remove::{open_for_lock, remove_tree};
use crate::paths::Paths;

/// What to do where another cleaner is at work on the same owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Wait for it, and take over if it is killed.
    Wait,
    /// Leave it to it.
    Skip,
}

/// What cleaning found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is removed, by this call or before.
    Gone,
    /// Nothing was touched: the owner lives, or may.
    Lives,
    /// Nothing was touched: another cleaner is at work ([`Meeting::Skip`]).
    Busy,
}

/// Kills and removes what the owner `owner` of `paths` left: the processes on record, its cgroups, its upper
/// directories, its names, and last its own directory. Never touches one that lives.
///
/// # Errors
/// What could not be removed, the first of it; the directory stays then, so that a later call goes on.
pub fn clean(
    paths: &Paths,
    driver: &Driver,
    owner: &str,
    meeting: Meeting,
) -> Result<Outcome, StateError> {
    let dir = paths.owners().join(owner);
    let opened = match open_for_lock(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Gone),
        opened => opened.map_err(|error| StateError::io("open", &dir, error))?,
    };
    let how = match meeting {
        Meeting::Wait => FlockArg::LockExclusive,
        Meeting::Skip => FlockArg::LockExclusiveNonblock,
    };
    let lock = match Flock::lock(opened, how) {
        Err((_, Errno::EAGAIN)) => return Ok(Outcome::Busy),
        lock => lock.map_err(|(_, errno)| StateError::errno("lock", &dir, errno))?,
    };
    // Whoever had the lock before may have finished.
    match (lock.metadata(), fs::symlink_metadata(&dir)) {
        (Ok(locked), Ok(found)) if (locked.dev(), locked.ino()) == (found.dev(), found.ino()) => {}
        _ => return Ok(Outcome::Gone),
    }
    let here = Identity::current();
    let who = directory::identity(&dir)?;
    if who
        .as_ref()
        .is_some_and(|who| who.life(&here) != Life::Dead)
    {
        return Ok(Outcome::Lives);
    }
    let killed = if kill_recorded(&dir, &here) {
        Ok(())
    } else {
        Err(StateError::Left {
            what: "processes",
            owner: dir.clone(),
        })
    };
    let traces = sweep(paths, driver, owner);
    // It may have been killed while making them. (Without a pid file it is all gone already.)
    let unfinished = who.map_or(Ok(()), |who| {
        remove_tree(&paths.uppers(), &directory::unfinished(owner, &who))
    });
    killed.and(traces).and(unfinished)?;
    remove_dir(&dir)?;
    Ok(Outcome::Gone)
}

/// Kills and removes what carries the id of an owner that has ended, whether or not its directory is still there to say
/// so: for who has seen its end. Somebody may remove a run directory while its owners live.
///
/// # Errors
/// What could not be removed, the first of it.
pub fn sweep(paths: &Paths, driver: &Driver, owner: &str) -> Result<(), StateError> {
    let cgroups = remove_cgroups(paths, driver, owner);
    let uppers = remove_tree(&paths.uppers(), owner);
    let names = names::remove_all(paths, owner);
    cgroups.and(uppers).and(names)
}

/// Whether anything carries the id of an owner, besides its own directory and its names.
pub fn has_traces(paths: &Paths, driver: &Driver, owner: &str) -> bool {
    paths.uppers().join(owner).exists() || cgroup::owners(driver).iter().any(|name| name == owner)
}

/// The process that the owner's directory names, held by descriptor, for waiting for its end; none if it has ended
/// or the directory is gone.
///
/// # Errors
/// Those of reading the directory and of pidfd_open(2).
pub fn open_process(paths: &Paths, owner: &str) -> Result<Option<OwnedFd>, StateError> {
    let dir = paths.owners().join(owner);
    let Some(who) = directory::identity(&dir)? else {
        return Ok(None);
    };
    match who.open() {
        Ok(process) => Ok(Some(process)),
        Err(Errno::ESRCH) => Ok(None),
        Err(errno) => Err(StateError::errno("open the process of", &dir, errno)),
    }
}

/// Removes an owner's groups, those below other parents too where its directory is there to name them.
pub(super) fn remove_cgroups(
    paths: &Paths,
    driver: &Driver,
    owner: &str,
) -> Result<(), StateError> {
    let Record { mut parents, made } = parents::read(&paths.owners().join(owner));
    parents.push(Parent::default());
    let cleaned = clean_owner_below(driver, owner, &parents);
    remove_parents(driver, &parents, &made);
    match cleaned.left.into_iter().next() {
        Some(error) => Err(error.into()),
        None => Ok(()),
    }
}
