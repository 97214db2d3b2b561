//! Leaving the caller: a process of its own session that holds nothing of whoever started it.
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::stat::Mode;
use nix::unistd::{ForkResult, chdir, dup2_stderr, dup2_stdin, dup2_stdout, fork, setsid};

/// Forks. The parent gets true, and should exit at once; the child gets false, and is the leader of a new
/// session, not a child of whoever started the parent once that is gone, with `/` as working directory,
/// /dev/null as standard streams and no other descriptor. So it is to be called before any is opened.
///
/// # Errors
/// `EBUSY` if the process has other threads, which a fork would lose; those of fork(2), open(2) and
/// setsid(2).
pub fn detach() -> Result<bool, Errno> {
    let threads = std::fs::read_dir("/proc/self/task").map_err(errno)?.count();
    if threads != 1 {
        return Err(Errno::EBUSY);
    }
    // SAFETY: there is no other thread that could hold a lock.
    if let ForkResult::Parent { .. } = unsafe { fork() }? {
        return Ok(true);
    }
    leave()?;
    let null = nix::fcntl::open("/dev/null", nix::fcntl::OFlag::O_RDWR, Mode::empty())?;
    dup2_stdin(null.as_fd())?;
    dup2_stdout(null.as_fd())?;
    dup2_stderr(null.as_fd())?;
    Ok(false)
}

/// Makes this process, which must not be the leader of a process group, the leader of a new session, with `/` as
/// working directory and no descriptor but its standard streams. So it is to be called before any is opened.
///
/// # Errors
/// Those of setsid(2) and chdir(2).
pub fn leave() -> Result<(), Errno> {
    setsid()?;
    chdir("/")?;
    // SAFETY: descriptors from 3 on were all inherited, not opened here, as the function's contract says, so
    // no owner of one is left in this process.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) })?;
    Ok(())
}

fn errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
