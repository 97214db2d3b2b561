//! Deleting what owners have on disk.
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::error::StateError;

/// Removes `<parent>/<name>` and all below it, whatever hostile programs made there; nothing there is success. Goes on
/// after an error, and gives the first.
pub(super) fn remove_tree(parent: &Path, name: &str) -> Result<(), StateError> {
    let path = parent.join(name);
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let parent = match open(parent, flags, Mode::empty()) {
        Err(Errno::ENOENT) => return Ok(()),
        opened => opened.map_err(|errno| StateError::errno("open", parent, errno))?,
    };
    fastbox_container::remove::remove_tree(&parent, name.as_bytes())
        .map_err(|errno| StateError::errno("remove", &path, errno))
}

/// Removes a file or a link; nothing there is success.
pub(super) fn remove_file(path: &Path) -> Result<(), StateError> {
    match unlinkat(
        AT_FDCWD,
        path.as_os_str().as_bytes(),
        UnlinkatFlags::NoRemoveDir,
    ) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(StateError::errno("remove", path, errno)),
    }
}

/// An open directory as a lock among cleaners; the kernel lets go of it when its holder ends.
pub(super) fn open_for_lock(dir: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_DIRECTORY | nix::libc::O_NOFOLLOW)
        .open(dir)
}
