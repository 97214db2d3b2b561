//! The mount calls by file descriptor, for use outside a container's child (open_tree(2), mount_setattr(2),
//! move_mount(2), fsopen(2)).

use nix::errno::Errno;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;

pub use crate::steps::attr;

fn check(ret: libc::c_long) -> Result<i32, Errno> {
    Errno::result(ret).map(|v| v as i32)
}

fn path(p: &Path) -> Result<CString, Errno> {
    CString::new(p.as_os_str().as_encoded_bytes()).map_err(|_| Errno::EINVAL)
}

fn owned(ret: libc::c_long) -> Result<OwnedFd, Errno> {
    // SAFETY: on success the kernel returned a new fd that nobody else knows.
    check(ret).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A detached copy of the mount at `at` (OPEN_TREE_CLONE), with what is mounted below it if `recursive`.
pub fn clone_path(at: &Path, recursive: bool) -> Result<OwnedFd, Errno> {
    let at = path(at)?;
    let flags = 1 | libc::O_CLOEXEC | if recursive { 0x8000 } else { 0 };
    // SAFETY: `at` is a NUL-ended string that lives through the call.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, at.as_ptr(), flags) })
}

/// A detached copy of what lies at `at` below a mount, itself attached or, from Linux 6.15 on, not.
pub fn clone_below(mount: impl AsFd, at: &Path) -> Result<OwnedFd, Errno> {
    let at = path(at)?;
    let (fd, flags) = (mount.as_fd().as_raw_fd(), 1 | libc::O_CLOEXEC);
    // SAFETY: `at` is a NUL-ended string that lives through the call.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, fd, at.as_ptr(), flags) })
}

/// A detached copy of the mount `fd` is open on.
pub fn clone_fd(fd: impl AsFd, recursive: bool) -> Result<OwnedFd, Errno> {
    let flags = 1 | libc::O_CLOEXEC | libc::AT_EMPTY_PATH | if recursive { 0x8000 } else { 0 };
    // SAFETY: the empty string lives through the call.
    owned(unsafe {
        libc::syscall(
            libc::SYS_open_tree,
            fd.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
        )
    })
}

/// Sets attributes ([`attr`]) on a mount, and with `userns` its id map.
pub fn set_attributes(
    mount: impl AsFd,
    set: u64,
    userns: Option<&dyn AsFd>,
    recursive: bool,
) -> Result<(), Errno> {
    set_attributes_and_propagation(mount, set, userns, 0, recursive)
}

/// The same, and how mounts made later spread: `attr::MS_PRIVATE`, `MS_SLAVE` or `MS_SHARED`; 0 leaves that as it is.
pub fn set_attributes_and_propagation(
    mount: impl AsFd,
    set: u64,
    userns: Option<&dyn AsFd>,
    propagation: u64,
    recursive: bool,
) -> Result<(), Errno> {
    let map = userns.map_or(0, |fd| fd.as_fd().as_raw_fd() as u64);
    let attr = [
        set | if userns.is_some() { attr::IDMAP } else { 0 },
        0,
        propagation,
        map,
    ];
    let flags = libc::AT_EMPTY_PATH | if recursive { 0x8000 } else { 0 };
    let fd: RawFd = mount.as_fd().as_raw_fd();
    // SAFETY: `attr` is struct mount_attr, 32 bytes; the path is the empty string.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            fd,
            c"".as_ptr(),
            flags,
            attr.as_ptr(),
            32,
        )
    })
    .map(drop)
}

/// Attaches a detached mount at `at`.
pub fn attach(mount: impl AsFd, at: &Path) -> Result<(), Errno> {
    let at = path(at)?;
    let fd = mount.as_fd().as_raw_fd();
    // SAFETY: both paths are NUL-ended and live through the call; MOVE_MOUNT_F_EMPTY_PATH = 4.
    check(unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            fd,
            c"".as_ptr(),
            libc::AT_FDCWD,
            at.as_ptr(),
            4,
        )
    })
    .map(drop)
}

/// An unattached file system of type `fs` with string options.
pub fn filesystem(fs: &str, options: &[(&str, &str)], attributes: u64) -> Result<OwnedFd, Errno> {
    let c = |s: &str| CString::new(s).map_err(|_| Errno::EINVAL);
    let name = c(fs)?;
    // SAFETY: the name is NUL-ended; FSOPEN_CLOEXEC = 1.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, name.as_ptr(), 1) })?;
    for (key, value) in [("source", fs)].iter().chain(options) {
        let (key, value) = (c(key)?, c(value)?);
        // SAFETY: both are NUL-ended and live through the call; FSCONFIG_SET_STRING = 1.
        check(unsafe {
            libc::syscall(
                libc::SYS_fsconfig,
                context.as_raw_fd(),
                1,
                key.as_ptr(),
                value.as_ptr(),
                0,
            )
        })?;
    }
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: FSCONFIG_CMD_CREATE = 6 takes no key and no value.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), 6, none, none, 0) })?;
    // SAFETY: FSMOUNT_CLOEXEC = 1; no pointers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, attributes) })
}

/// A read-only overlay of open layers, top first (FSCONFIG_SET_FD with `lowerdir+`, Linux 6.13).
pub fn overlay_of(layers: &[std::os::fd::BorrowedFd<'_>]) -> Result<OwnedFd, Errno> {
    // SAFETY: the name is NUL-ended; FSOPEN_CLOEXEC = 1.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, c"overlay".as_ptr(), 1) })?;
    let none = std::ptr::null::<libc::c_char>();
    for layer in layers {
        let (key, fd) = (c"lowerdir+".as_ptr(), layer.as_raw_fd());
        // SAFETY: the key is NUL-ended; FSCONFIG_SET_FD = 5 takes no value but the fd.
        check(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), 5, key, none, fd) })?;
    }
    // SAFETY: FSCONFIG_CMD_CREATE = 6 takes no key and no value.
    check(unsafe { libc::syscall(libc::SYS_fsconfig, context.as_raw_fd(), 6, none, none, 0) })?;
    // SAFETY: FSMOUNT_CLOEXEC = 1; no pointers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, context.as_raw_fd(), 1, 1) })
}
