//! Processes held by file descriptor, so that a signal never reaches a stranger who got the number later.
//!
//! Sources: pidfd_open(2), pidfd_send_signal(2), poll(2), and `include/uapi/linux/pidfd.h`.
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

/// Opens the process `pid` of the caller's pid namespace; the descriptor is close-on-exec.
///
/// # Errors
/// `ESRCH`: no such process (a zombie still counts as one); `EINVAL` or `ENOENT`: not the leader of a
/// thread group, or not a positive number.
pub fn open(pid: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: pidfd_open takes two integers and touches no memory of ours.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just made this descriptor for us; nothing else owns it. It fits an int.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends `signal` to the process behind `pidfd`; none only checks that it may be sent.
///
/// # Errors
/// `ESRCH`: the process is gone (and reaped); `EPERM`: not allowed.
pub fn send_signal(pidfd: impl AsFd, signal: Option<Signal>) -> Result<(), Errno> {
    let number = signal.map_or(0, |signal| signal as libc::c_int);
    // SAFETY: the descriptor is borrowed for the call; a null siginfo makes the kernel fill in its own.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            number,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}

/// Whether the process has ended within `timeout`: all of its threads, reaped or not.
///
/// # Errors
/// Those of poll(2) but `EINTR`, after which the same timeout starts again.
pub fn wait_end(pidfd: impl AsFd, timeout: PollTimeout) -> Result<bool, Errno> {
    loop {
        let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
            Ok(ready) => return Ok(ready > 0),
        }
    }
}

/// `PIDFD_GET_INFO` = `_IOWR(0xFF, 11, struct pidfd_info)` with the struct's first published size, 64.
const PIDFD_GET_INFO: u32 = 0xC040_FF0B;
/// Ask for, and told in return: the exit status is known.
const PIDFD_INFO_EXIT: u64 = 1 << 3;

/// The same by the signal's number, real-time signals included.
///
/// # Errors
/// `ESRCH` when it has ended, `EINVAL` for a number that is no signal.
pub fn send_number(pidfd: impl AsFd, signal: i32) -> Result<(), Errno> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: without siginfo the call reads no memory of ours.
    Errno::result(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            signal,
            none,
            0,
        )
    })
    .map(drop)
}

/// The same for all processes of the group that the process leads, itself among them: `pid` is its number, which
/// counts where the kernel cannot tell by the pidfd (before 6.9).
///
/// # Errors
/// `ESRCH` when it has ended and nobody else is in its group.
pub fn send_group(pidfd: impl AsFd, pid: i32, signal: i32) -> Result<(), Errno> {
    const PIDFD_SIGNAL_PROCESS_GROUP: u32 = 4;
    let (fd, none) = (pidfd.as_fd(), std::ptr::null::<libc::siginfo_t>());
    // SAFETY: without siginfo the call reads no memory of ours.
    let sent = Errno::result(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            fd.as_raw_fd(),
            signal,
            none,
            PIDFD_SIGNAL_PROCESS_GROUP,
        )
    });
    match sent {
        Err(Errno::EINVAL) => {
            // The number is the process's as long as it can be signalled.
            send_number(fd, 0)?;
            // SAFETY: no pointers.
            Errno::result(unsafe { libc::kill(-pid, signal) }).map(drop)
        }
        sent => sent.map(drop),
    }
}

/// `struct pidfd_info`, first published size.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}
const _: () = assert!(size_of::<Info>() == 64);

/// The wait status (as in waitpid(2)) of an ended process that someone else may have reaped already, for
/// instance a plain `os.wait()` elsewhere in the caller. None while it runs or is a zombie.
///
/// # Errors
/// `ENOTTY`, `EINVAL` or `ESRCH` on kernels before 6.15, which cannot tell.
pub fn exit_status(pidfd: impl AsFd) -> Result<Option<i32>, Errno> {
    let mut info = Info {
        mask: PIDFD_INFO_EXIT,
        ..Info::default()
    };
    // SAFETY: the request number holds the size of `Info`, which lives until the call returns; the kernel
    // writes no more than that size.
    Errno::result(unsafe {
        libc::ioctl(
            pidfd.as_fd().as_raw_fd(),
            PIDFD_GET_INFO as _,
            std::ptr::from_mut(&mut info),
        )
    })?;
    Ok((info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_process_is_open_signalled_and_seen_to_end() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pidfd = open(child.id() as i32).unwrap();
        send_signal(&pidfd, None).unwrap();
        assert!(!wait_end(&pidfd, PollTimeout::ZERO).unwrap());
        send_signal(&pidfd, Some(Signal::SIGKILL)).unwrap();
        assert!(wait_end(&pidfd, PollTimeout::from(5000u16)).unwrap());
        child.wait().unwrap();
        assert_eq!(send_signal(&pidfd, None), Err(Errno::ESRCH));
    }

    #[test]
    fn the_status_survives_a_reaper_elsewhere() {
        let mut child = Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap();
        let pidfd = open(child.id() as i32).unwrap();
        child.wait().unwrap();
        match exit_status(&pidfd) {
            Ok(status) => assert_eq!(status, Some(7 << 8)),
            Err(errno) => assert!(
                matches!(errno, Errno::ENOTTY | Errno::EINVAL | Errno::ESRCH),
                "{errno}"
            ),
        }
    }

    #[test]
    fn nobody_is_an_error() {
        assert_eq!(open(i32::MAX).unwrap_err(), Errno::ESRCH);
        assert_eq!(open(-1).unwrap_err(), Errno::EINVAL);
    }
}
