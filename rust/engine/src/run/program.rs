//! What can be done with a program that runs, whether it has a container of its own or is one more in another's.

use super::EngineError;
use super::communicate::{Communicated, communicate};
use super::exit::{Exit, from_status};
use fastbox_sys::pidfd;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

/// A program that was started.
pub trait Program: Send + Sync {
    /// Its pid, as this process sees it.
    fn pid(&self) -> i32;

    /// Readable once it has ended (pidfd_open(2)).
    fn pidfd(&self) -> BorrowedFd<'_>;

    /// The caller's ends of stdin, stdout, stderr and the terminal, once.
    fn take_streams(&mut self) -> [Option<OwnedFd>; 4];

    /// Sends it a signal. One that has ended is no error.
    ///
    /// # Errors
    /// A number that is no signal.
    fn kill(&self, signal: i32) -> Result<(), EngineError>;

    /// Kills it with all that is its.
    ///
    /// # Errors
    /// A fork's handle.
    fn kill_all(&self) -> Result<(), EngineError>;

    /// Its end, once somebody has taken it.
    ///
    /// # Errors
    /// A fork's handle, where it is not known.
    fn known(&self) -> Result<Option<Exit>, EngineError>;

    /// Takes the end of one whose pidfd says that it has ended.
    ///
    /// # Errors
    /// What the kernel said.
    fn ended(&self) -> Result<Exit, EngineError>;

    /// Waits for its end. None when `timeout` is over or `interrupted`, called when a signal handler ran, says so. Once
    /// known, the end is given again at once.
    ///
    /// # Errors
    /// A fork's handle.
    fn wait(
        &self,
        timeout: Option<Duration>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Exit>, EngineError> {
        if let Some(exit) = self.known()? {
            return Ok(Some(exit));
        }
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        match ready(self.pidfd(), PollFlags::POLLIN, deadline, interrupted) {
            Ok(true) => self.ended().map(Some),
            Ok(false) => Ok(None),
            Err(errno) => Err(EngineError::system("wait for the container")(errno)),
        }
    }

    /// Writes `input`, or types it where there is a terminal, reads what stdout and stderr give while they are pipes
    /// still held, and waits for the end.
    ///
    /// When `timeout` is over, both streams together exceed `max_output` bytes, or `interrupted` (called when a
    /// signal handler ran) says so, it is killed with all that is its; the result has the output so far.
    ///
    /// # Errors
    /// A fork's handle.
    fn communicate(
        &mut self,
        input: Option<&[u8]>,
        timeout: Option<Duration>,
        max_output: Option<u64>,
        interrupted: &mut dyn FnMut() -> bool,
    ) -> Result<Communicated, EngineError>
    where
        Self: Sized,
    {
        communicate(self, input, timeout, max_output, interrupted)
    }
}

/// Waits until an fd is ready; false when time is up, or `interrupted`, called when a signal handler ran, says so.
pub(super) fn ready(
    fd: BorrowedFd<'_>,
    events: PollFlags,
    deadline: Option<Instant>,
    interrupted: &mut dyn FnMut() -> bool,
) -> Result<bool, Errno> {
    loop {
        let mut fds = [PollFd::new(fd, events)];
        match poll(&mut fds, until(deadline)) {
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() >= deadline) => {
                return Ok(false);
            }
            Ok(0) => {}
            Ok(_) => return Ok(true),
            Err(Errno::EINTR) if interrupted() => return Ok(false),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// What is left until `deadline`, for poll(2): rounded up, so that it is over when poll says so.
pub(super) fn until(deadline: Option<Instant>) -> PollTimeout {
    let Some(deadline) = deadline else {
        return PollTimeout::NONE;
    };
    let left = deadline
        .saturating_duration_since(Instant::now())
        .as_micros()
        .div_ceil(1000);
    PollTimeout::try_from(left.min(i32::MAX as u128) as i32).unwrap_or(PollTimeout::MAX)
}

/// Exit code and signal of a process that has ended.
pub(super) fn reap(process: BorrowedFd<'_>) -> Result<(i32, Option<i32>), EngineError> {
    loop {
        match waitid(
            Id::PIDFd(process.as_fd()),
            WaitPidFlag::WEXITED | WaitPidFlag::__WALL,
        ) {
            Ok(WaitStatus::Exited(_, code)) => return Ok((code, None)),
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                return Ok((128 + signal as i32, Some(signal as i32)));
            }
            Ok(_) | Err(Errno::EINTR) => {}
            // Someone else in this process waited for any child, or SIGCHLD is ignored: the kernel still knows,
            // from 6.15 on.
            Err(Errno::ECHILD) => {
                let status = pidfd::exit_status(process).ok().flatten();
                return Ok(status.map_or((255, None), from_status));
            }
            // A real-time signal is none of nix's.
            Err(Errno::EINVAL) => {
                let status = pidfd::exit_status(process).ok().flatten();
                return Ok(status.map_or((255, None), from_status));
            }
            Err(errno) => return Err(EngineError::system("wait for the container")(errno)),
        }
    }
}
