//! Attributes of an inode that stand in the way of deleting it (ioctl_iflags(2)).
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

const IMMUTABLE: libc::c_int = 0x10;
const APPEND_ONLY: libc::c_int = 0x20;

/// Takes the immutable and append-only attributes off an open regular file or directory; true if it had one.
///
/// # Errors
/// `ENOTTY` or `EOPNOTSUPP`: its file system has no such attributes; `EPERM`: needs CAP_LINUX_IMMUTABLE.
pub fn make_deletable(file: impl AsFd) -> Result<bool, Errno> {
    let fd = file.as_fd().as_raw_fd();
    let mut flags: libc::c_int = 0;
    // SAFETY: the kernel writes one int, whatever the request's number says (ioctl_iflags(2), bugs).
    Errno::result(unsafe { libc::ioctl(fd, libc::FS_IOC_GETFLAGS as _, &raw mut flags) })?;
    let wanted = flags & !(IMMUTABLE | APPEND_ONLY);
    if wanted != flags {
        // SAFETY: the kernel reads one int.
        Errno::result(unsafe { libc::ioctl(fd, libc::FS_IOC_SETFLAGS as _, &raw const wanted) })?;
    }
    Ok(wanted != flags)
}
