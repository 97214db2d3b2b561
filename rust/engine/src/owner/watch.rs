//! What a watchdog does: waits for the end of one owner, and then removes what that left, and waits for the disk to
//! have all files of images.
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastbox_container::cgroup::Driver;
use fastbox_image::Store;
use fastbox_sys::pidfd;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::SigSet;

use super::clean::{Meeting, Outcome, clean, has_traces, open_process, sweep};
use super::directory::PID;
use super::error::StateError;
use super::reconcile::reconcile;
use crate::paths::Paths;

/// How long to go on trying to remove what resists, such as a process that waits for a dead disk.
const CLEAN_FOR: Duration = Duration::from_secs(600);
/// Milliseconds between looks for the owner's directory where there is no inotify instance left to be told by.
const LOOK_EVERY: u16 = 10_000;
/// Milliseconds in which most runs are over.
const LATER: u8 = 100;

/// [`watch`] for an owner that left it to its watchdog to clear after dead owners.
pub(super) fn watch_and_clear(paths: &Paths, owner: &str) -> Result<(), StateError> {
    let lives = match open_process(paths, owner)? {
        // Not in the way of what the owner was started for.
        Some(process) => !pidfd::wait_end(&process, PollTimeout::from(LATER)).unwrap_or(true),
        None => false,
    };
    if lives {
        reconcile(paths, &Driver::probe());
    }
    watch(paths, owner)?;
    if !lives {
        reconcile(paths, &Driver::probe());
    }
    Ok(())
}

/// Returns when nothing of the owner `owner` of `paths` is left, or it never will be there, and the files of all images
/// are on the disk, as far as that can be.
///
/// # Errors
/// What could not be removed in ten minutes; that nothing can be waited for.
pub fn watch(paths: &Paths, owner: &str) -> Result<(), StateError> {
    let failed = |errno| StateError::errno("watch", &paths.owners().join(owner), errno);
    // A service manager that ends the caller's whole group asks with SIGTERM first: the caller's containers are to be
    // cleaned up even then. Nobody else has business with this process, and SIGKILL still works.
    SigSet::all().thread_block().map_err(failed)?;
    let process = open_process(paths, owner)?;
    let ended = match &process {
        Some(process) => wait(paths, owner, process).map_err(failed)?,
        None => true,
    };
    let cleaned = match ended {
        true => clean_up(paths, owner, process.is_some()),
        false => Ok(()),
    };
    // Nobody waits for a watchdog. What fails is left to the next one.
    let _ = Store::settle(paths.root());
    cleaned
}

/// Removes what the owner left, which has ended; whether it lived when this began.
fn clean_up(paths: &Paths, owner: &str, lived: bool) -> Result<(), StateError> {
    persist(|driver| match clean(paths, driver, owner, Meeting::Wait)? {
        // Its directory may have been removed under it, and what carries its id be there all the same.
        Outcome::Gone if lived => sweep(paths, driver, owner),
        // The others cannot be: it waits for other cleaners, and the caller has ended.
        Outcome::Gone | Outcome::Lives | Outcome::Busy => Ok(()),
    })
}

/// Waits for the caller's end: true. False: the owner's directory is gone first and nothing else of it is there, so
/// there is nothing to clean.
fn wait(paths: &Paths, owner: &str, process: &OwnedFd) -> Result<bool, Errno> {
    let dir = paths.owners().join(owner);
    let pid_file = dir.join(PID);
    // The file goes before the directory does, and its removal is told at once even while the directory is open.
    let changes = told_of_removal(&dir);
    let timeout = if changes.is_some() {
        PollTimeout::NONE
    } else {
        PollTimeout::from(LOOK_EVERY)
    };
    let mut fds = vec![PollFd::new(process.as_fd(), PollFlags::POLLIN)];
    if let Some(changes) = &changes {
        fds.push(PollFd::new(changes.as_fd(), PollFlags::POLLIN));
    }
    while pid_file.exists() {
        match poll(&mut fds, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        if fds[0].any() == Some(true) {
            return Ok(true);
        }
        match changes.as_ref().map(Inotify::read_events) {
            None | Some(Ok(_) | Err(Errno::EAGAIN)) => {}
            Some(Err(errno)) => return Err(errno),
        }
    }
    if !has_traces(paths, &Driver::probe(), owner) {
        return Ok(false);
    }
    // Removed by somebody else: the caller does not know, and goes on.
    while poll(&mut fds[..1], PollTimeout::NONE) == Err(Errno::EINTR) {}
    Ok(true)
}

fn told_of_removal(dir: &Path) -> Option<Inotify> {
    let changes = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
    let what = AddWatchFlags::IN_DELETE | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_ONLYDIR;
    changes.add_watch(dir, what).ok()?;
    Some(changes)
}

/// Goes on trying to clean up, for [`CLEAN_FOR`].
fn persist(clean: impl Fn(&Driver) -> Result<(), StateError>) -> Result<(), StateError> {
    let until = Instant::now() + CLEAN_FOR;
    let mut pause = Duration::from_millis(20);
    loop {
        match clean(&Driver::probe()) {
            Err(_) if Instant::now() < until => sleep(pause),
            done => return done,
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}
