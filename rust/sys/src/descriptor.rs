//! Numbers of open files that come from elsewhere.

use nix::errno::Errno;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// A copy of the open file that `number` means now, closed on exec (fcntl(2), F_DUPFD_CLOEXEC).
///
/// # Errors
/// `EBADF` for a number that means none, `EMFILE` where the process may open no more.
pub fn duplicate(number: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: the call takes numbers only; a wrong one is an error.
    let copy = Errno::result(unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 3) })?;
    // SAFETY: the kernel has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
