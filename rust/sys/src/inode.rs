//! Attributes of an inode (ioctl_iflags(2)): those that stand in the way of deleting it, and one of directories.
use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;

const IMMUTABLE: libc::c_int = 0x10;
const APPEND_ONLY: libc::c_int = 0x20;
const TOP_OF_TREES: libc::c_int = 0x2_0000;

/// Has ext4 take directories made in this one for unrelated, and keep their files in different places (FS_TOPDIR_FL).
///
/// # Errors
/// `ENOTTY` or `EOPNOTSUPP`: its file system has no such attributes.
pub fn spread(directory: impl AsFd) -> Result<(), Errno> {
    change(directory, 0, TOP_OF_TREES).map(drop)
}

/// Takes the immutable and append-only attributes off an open regular file or directory; true if it had one.
///
/// # Errors
/// `ENOTTY` or `EOPNOTSUPP`: its file system has no such attributes; `EPERM`: needs CAP_LINUX_IMMUTABLE.
pub fn make_deletable(file: impl AsFd) -> Result<bool, Errno> {
    change(file, IMMUTABLE | APPEND_ONLY, 0)
}

/// Whether that was a change.
fn change(file: impl AsFd, clear: libc::c_int, set: libc::c_int) -> Result<bool, Errno> {
    let fd = file.as_fd().as_raw_fd();
    let mut flags: libc::c_int = 0;
    // SAFETY: the kernel writes one int, whatever the request's number says (ioctl_iflags(2), bugs).
    Errno::result(unsafe { libc::ioctl(fd, libc::FS_IOC_GETFLAGS as _, &raw mut flags) })?;
    let wanted = flags & !clear | set;
    if wanted != flags {
        // SAFETY: the kernel reads one int.
        Errno::result(unsafe { libc::ioctl(fd, libc::FS_IOC_SETFLAGS as _, &raw const wanted) })?;
    }
    Ok(wanted != flags)
}
