//! Leaving the caller: a process of its own session that holds nothing of whoever started it.
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::AssertUnwindSafe;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};
use nix::sys::stat::Mode;
use nix::unistd::{ForkResult, chdir, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

/// The first descriptor that is no standard stream.
const FIRST: RawFd = 3;

/// Forks. The parent gets true, and should exit at once; the child gets false, and is the leader of a new
/// session, not a child of whoever started the parent once that is gone, with `/` as working directory,
/// /dev/null as standard streams and no other descriptor. So it is to be called before any is opened.
///
/// # Errors
/// `EBUSY` if the process has other threads, which a fork would lose; those of fork(2), open(2) and
/// setsid(2).
pub fn detach() -> Result<bool, Errno> {
    alone()?;
    // SAFETY: there is no other thread that could hold a lock.
    if let ForkResult::Parent { .. } = unsafe { fork() }? {
        return Ok(true);
    }
    leave()?;
    silence()?;
    Ok(false)
}

/// Does `work` in a fork of this process, which goes on at once: the leader of a session of its own, called `name`,
/// with every signal blocked, `/` as working directory, /dev/null as standard streams and no other descriptor than a
/// copy of `kept`. It ends with the work, and runs nothing that the process has put off until its end.
///
/// # Errors
/// `EBUSY` if the process has other threads, which a fork would lose; those of fork(2).
pub fn fork_off(name: &CStr, kept: BorrowedFd<'_>, work: impl FnOnce()) -> Result<(), Errno> {
    alone()?;
    // What a terminal sends to its foreground is not for the child, from its first moment on.
    let mut before = SigSet::empty();
    sigprocmask(
        SigmaskHow::SIG_SETMASK,
        Some(&SigSet::all()),
        Some(&mut before),
    )?;
    // SAFETY: there is no other thread that could hold a lock.
    let forked = unsafe { fork() };
    if let Ok(ForkResult::Child) = forked {
        // Not beyond this frame, whatever happens: all that is above it is the parent's.
        let done = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let _ = nix::sys::prctl::set_name(name);
            // The lowest numbers are the streams', which are replaced after.
            let kept = dup2_raw(kept, FIRST);
            if kept.is_ok() && leave_from(FIRST + 1).and_then(|()| silence()).is_ok() {
                work();
            }
        }));
        // SAFETY: no destructor and no buffer of the parent's is run or written here.
        unsafe { libc::_exit(done.is_err().into()) }
    }
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    forked.map(drop)
}

/// A copy of a descriptor under this number, whoever had it; left open for good.
fn dup2_raw(fd: BorrowedFd<'_>, number: RawFd) -> Result<(), Errno> {
    // SAFETY: called in a fork only, whose copies of descriptors nobody drops.
    Errno::result(unsafe { libc::dup2(fd.as_raw_fd(), number) }).map(drop)
}

/// That this thread is the process's only one: each is a directory in /proc/self/task (proc(5)).
fn alone() -> Result<(), Errno> {
    let tasks = nix::sys::stat::stat("/proc/self/task")?;
    match tasks.st_nlink {
        3 => Ok(()),
        _ => Err(Errno::EBUSY),
    }
}

/// Makes /dev/null the standard streams.
fn silence() -> Result<(), Errno> {
    let null = nix::fcntl::open("/dev/null", OFlag::O_RDWR, Mode::empty())?;
    dup2_stdin(null.as_fd())?;
    dup2_stdout(null.as_fd())?;
    dup2_stderr(null.as_fd())?;
    Ok(())
}

/// Makes this process, which must not be the leader of a process group, the leader of a new session, with `/` as
/// working directory and no descriptor but its standard streams. So it is to be called before any is opened.
///
/// # Errors
/// Those of setsid(2) and chdir(2).
pub fn leave() -> Result<(), Errno> {
    leave_from(FIRST)
}

fn leave_from(first: RawFd) -> Result<(), Errno> {
    setsid()?;
    chdir("/")?;
    // SAFETY: descriptors from there on were all inherited or are a parent's, whose owners this process never drops, as
    // the function's contract says.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, 0) })?;
    Ok(())
}
