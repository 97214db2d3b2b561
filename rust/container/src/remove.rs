//! Deleting a tree that hostile programs may have made: by directory descriptor, never through a symbolic link or
//! a mount, in constant stack and descriptors however deep it is.
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use fastbox_sys::inode::make_deletable;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, OpenHow, ResolveFlag, openat, openat2, renameat};
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// Deeper directories are first moved up to the top of the tree, which keeps descriptors and stack few.
const DEEPEST: usize = 64;

/// Removes `name` in `parent` and all below it; nothing there is success. Goes on after an error, and gives the first.
///
/// # Errors
/// The first call that failed.
pub fn remove_tree(parent: impl AsFd, name: &[u8]) -> Result<(), Errno> {
    let parent = parent.as_fd();
    match unlinkat(parent, name, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => return Ok(()),
        // Not empty, or what the rest finds out about.
        Err(_) => {}
    }
    let top = match open_dir(parent, name) {
        Err(Errno::ENOENT) => return Ok(()),
        // Not a directory: then it is a file or a link itself.
        Err(Errno::ENOTDIR | Errno::ELOOP) => None,
        opened => Some(opened?),
    };
    let mut first = None;
    if let Some(top) = top {
        let mut moved = 0;
        empty(&top, &top, 0, &mut moved, &mut first);
    }
    let removed = unlink(parent, name, UnlinkatFlags::RemoveDir).or_else(|errno| match errno {
        Errno::ENOTDIR => unlink(parent, name, UnlinkatFlags::NoRemoveDir),
        errno => Err(errno),
    });
    match first.or(removed.err()) {
        None => Ok(()),
        Some(errno) => Err(errno),
    }
}

/// Empties `dir`, which is `depth` below `top`. Lists again while that makes progress: entries move to the top, and
/// some file systems leave some out of a list that shrinks.
fn empty(dir: &OwnedFd, top: &OwnedFd, depth: usize, moved: &mut u64, first: &mut Option<Errno>) {
    loop {
        let (names, errno) = list(dir);
        let mut progress = 0;
        let mut failed = errno;
        for name in &names {
            let result = match unlink(dir.as_fd(), name, UnlinkatFlags::NoRemoveDir) {
                Err(Errno::EISDIR) if depth >= DEEPEST => lift(dir, name, top, moved),
                Err(Errno::EISDIR) => open_dir(dir.as_fd(), name).and_then(|below| {
                    empty(&below, top, depth + 1, moved, first);
                    unlink(dir.as_fd(), name, UnlinkatFlags::RemoveDir)
                }),
                result => result,
            };
            match result {
                Ok(()) => progress += 1,
                Err(Errno::ENOENT) => {}
                Err(errno) => failed = failed.or(Some(errno)),
            }
        }
        if progress == 0 {
            *first = first.or(failed);
            return;
        }
    }
}

/// Moves the directory `name` to the top of the tree, under a name that is free there.
fn lift(dir: &OwnedFd, name: &[u8], top: &OwnedFd, moved: &mut u64) -> Result<(), Errno> {
    loop {
        *moved += 1;
        match renameat(dir, name, top, format!(".lifted.{moved}").as_str()) {
            Err(Errno::EEXIST | Errno::ENOTEMPTY | Errno::ENOTDIR) => {}
            // Its mode or an attribute forbids to change its "..".
            Err(Errno::EACCES | Errno::EPERM) => {
                loosen(dir.as_fd(), name)?;
                return renameat(dir, name, top, format!(".lifted.{moved}").as_str());
            }
            result => return result,
        }
    }
}

/// Some of the names in `dir`; an error where listing stopped.
fn list(dir: &OwnedFd) -> (Vec<Vec<u8>>, Option<Errno>) {
    /// A huge directory is not held in memory as a whole.
    const AT_ONCE: usize = 4096;
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let opened = Dir::openat(dir, c".", flags, Mode::empty());
    let mut dir = match opened {
        Ok(dir) => dir,
        Err(errno) => return (vec![], Some(errno)),
    };
    let (mut names, mut failed) = (vec![], None);
    for entry in dir.iter() {
        match entry {
            Ok(entry) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
            Ok(entry) => names.push(entry.file_name().to_bytes().to_vec()),
            Err(errno) => {
                failed = Some(errno);
                break;
            }
        }
        if names.len() == AT_ONCE {
            break;
        }
    }
    (names, failed)
}

/// Opens the directory `name` in `dir`, not through a link and not across a mount (`EXDEV`); one whose mode
/// keeps us out, such as overlay's work directory, is given another.
fn open_dir(dir: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC)
        .resolve(
            ResolveFlag::RESOLVE_BENEATH
                | ResolveFlag::RESOLVE_NO_XDEV
                | ResolveFlag::RESOLVE_NO_SYMLINKS,
        );
    let opened = match openat2(dir, name, how) {
        Err(Errno::EACCES) => {
            fchmodat(dir, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink)?;
            openat2(dir, name, how)
        }
        opened => opened,
    }?;
    // Searching needs x, removing needs w: only an ordinary user notices.
    if nix::unistd::faccessat(
        &opened,
        c".",
        nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK,
        AtFlags::AT_EACCESS,
    )
    .is_err()
    {
        // What remains forbidden fails where it matters.
        let _ = nix::sys::stat::fchmod(&opened, Mode::S_IRWXU);
    }
    Ok(opened)
}

/// unlinkat(2); what an immutable or append-only attribute protects is removed all the same.
fn unlink(dir: BorrowedFd<'_>, name: &[u8], how: UnlinkatFlags) -> Result<(), Errno> {
    match unlinkat(dir, name, how) {
        Err(Errno::EPERM | Errno::EACCES) => {
            loosen(dir, name)?;
            unlinkat(dir, name, how)
        }
        result => result,
    }
}

/// Takes protecting attributes off the entry and the directory it is in. Only regular files and directories
/// have any, and only those are opened: opening a device or a pipe has effects.
fn loosen(dir: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    // Where there are no such attributes, or no right to them, the second try fails with its own error.
    let _ = make_deletable(dir);
    let kind = SFlag::from_bits_truncate(fstatat(dir, name, AtFlags::AT_SYMLINK_NOFOLLOW)?.st_mode)
        & SFlag::S_IFMT;
    if kind == SFlag::S_IFREG || kind == SFlag::S_IFDIR {
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        if let Ok(entry) = openat(dir, name, flags, Mode::empty()) {
            let _ = make_deletable(entry.as_fd());
        }
        if kind == SFlag::S_IFDIR {
            let _ = fchmodat(dir, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink);
        }
    }
    Ok(())
}
