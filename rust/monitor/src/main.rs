//! fastbox-monitor: the watchdog, one small process per caller. It outlives the caller, and then removes what the
//! caller left.
//!
//! `fastbox-monitor watch --owner DIR --root DIR --run DIR`, started by the caller itself. It leaves the caller's
//! session at once. Exit status of the process that was started: 0, or 2 with a line on stderr for wrong arguments.
//!
//! `fastbox-monitor terminal` is another, for as long as the caller's terminal is raw.
mod terminal;

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastbox_engine::container::cgroup::Driver;
use fastbox_engine::owner::{Meeting, Outcome, StateError, clean, has_traces, open_process, sweep};
use fastbox_engine::paths::Paths;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::SigSet;

/// How long to go on trying to remove what resists, such as a process that waits for a dead disk.
const CLEAN_FOR: Duration = Duration::from_secs(600);
/// Milliseconds between looks for the owner's directory where there is no inotify instance left to be told by.
const LOOK_EVERY: u16 = 10_000;

struct Watch {
    owner: String,
    dir: PathBuf,
    root: PathBuf,
    run: PathBuf,
}

fn main() -> ExitCode {
    if std::env::args_os().skip(1).eq(["terminal"]) {
        return match terminal::watch() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    let Some(watch) = parse(std::env::args_os().skip(1)) else {
        eprintln!("fastbox-monitor: usage: fastbox-monitor watch --owner DIR --root DIR --run DIR");
        return ExitCode::from(2);
    };
    match fastbox_engine::daemon::detach() {
        Ok(true) => ExitCode::SUCCESS,
        // Nobody reads what a process without streams says; the next command cleans up in its place.
        Ok(false) if run(&watch).is_ok() => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(errno) => {
            eprintln!("fastbox-monitor: cannot leave the caller: {}", errno.desc());
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = OsString>) -> Option<Watch> {
    if args.next()? != "watch" {
        return None;
    }
    let (mut owner, mut root, mut run) = (None, None, None);
    while let Some(flag) = args.next() {
        let value = Some(PathBuf::from(args.next()?));
        match flag.to_str()? {
            "--owner" => owner = value,
            "--root" => root = value,
            "--run" => run = value,
            _ => return None,
        }
    }
    let dir = owner?;
    Some(Watch {
        owner: dir.file_name()?.to_str()?.to_owned(),
        dir,
        root: root?,
        run: run?,
    })
}

fn run(watch: &Watch) -> Result<(), Box<dyn std::error::Error>> {
    // A service manager that ends the caller's whole group asks with SIGTERM first: the caller's containers are to be
    // cleaned up even then. Nobody else has business with this process, and SIGKILL still works.
    SigSet::all().thread_block()?;
    let paths = Paths::at(&watch.root, &watch.run)?;
    let process = open_process(&paths, &watch.owner)?;
    if let Some(process) = &process
        && !wait(&paths, watch, process)?
    {
        return Ok(());
    }
    persist(
        |driver| match clean(&paths, driver, &watch.owner, Meeting::Wait)? {
            // Its directory may have been removed under it, and what carries its id be there all the same.
            Outcome::Gone if process.is_some() => sweep(&paths, driver, &watch.owner),
            // The others cannot be: it waits for other cleaners, and the caller has ended.
            Outcome::Gone | Outcome::Lives | Outcome::Busy => Ok(()),
        },
    )?;
    Ok(())
}

/// Waits for the caller's end: true. False: the owner's directory is gone first and nothing else of it is there, so
/// there is nothing to clean.
fn wait(
    paths: &Paths,
    watch: &Watch,
    process: &OwnedFd,
) -> Result<bool, Box<dyn std::error::Error>> {
    let pid_file = watch.dir.join("pid");
    // The file goes before the directory does, and its removal is told at once even while the directory is open.
    let changes = told_of_removal(&watch.dir);
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
            Err(errno) => return Err(errno.into()),
        }
        if fds[0].any() == Some(true) {
            return Ok(true);
        }
        match changes.as_ref().map(Inotify::read_events) {
            None | Some(Ok(_) | Err(Errno::EAGAIN)) => {}
            Some(Err(errno)) => return Err(errno.into()),
        }
    }
    if !has_traces(paths, &Driver::probe(), &watch.owner) {
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
