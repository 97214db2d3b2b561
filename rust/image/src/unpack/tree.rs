//! Removing a directory with all that is in it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::ImageError;

/// Deeper directories are first moved up, so that depth costs neither stack nor fds.
const DEEPEST: usize = 64;

/// Removes `name` in `parent`, whatever it is; it is no error if it is gone already. No symbolic
/// link is followed. Nobody else may be changing it.
pub(crate) fn remove_tree(parent: impl AsFd, name: &[u8]) -> Result<(), ImageError> {
    let mut remover = Remover {
        top: parent.as_fd(),
        moved: Vec::new(),
        count: 0,
    };
    remover
        .remove(parent.as_fd(), name, 0)
        .map_err(ImageError::entry("remove", name))?;
    while let Some(next) = remover.moved.pop() {
        remover
            .remove(parent.as_fd(), &next, 0)
            .map_err(ImageError::entry("remove", name))?;
    }
    Ok(())
}

struct Remover<'a> {
    top: BorrowedFd<'a>,
    /// Names in `top` of what was moved there.
    moved: Vec<Vec<u8>>,
    count: u64,
}

impl Remover<'_> {
    fn remove(&mut self, parent: BorrowedFd<'_>, name: &[u8], depth: usize) -> Result<(), Errno> {
        match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM | Errno::ACCESS) => {}
            Err(Errno::NOENT) => return Ok(()),
            result => return result,
        }
        if depth == DEEPEST {
            own(parent, name)?;
            let up = format!(".removed-{}-{}", std::process::id(), self.count).into_bytes();
            self.count += 1;
            rustix::fs::renameat(parent, name, self.top, up.as_slice())?;
            self.moved.push(up);
            return Ok(());
        }
        let dir = open(parent, name)?;
        loop {
            for entry in Dir::read_from(&dir)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if matches!(name, b"." | b"..") {
                    continue;
                }
                if entry.file_type() == FileType::Directory {
                    self.remove(dir.as_fd(), name, depth + 1)?;
                    continue;
                }
                match rustix::fs::unlinkat(&dir, name, AtFlags::empty()) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    // The file system did not say what it is.
                    Err(Errno::ISDIR) => self.remove(dir.as_fd(), name, depth + 1)?,
                    Err(errno) => return Err(errno),
                }
            }
            match rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR) {
                // Some file systems skip entries while others are removed.
                Err(Errno::NOTEMPTY) => {}
                result => return result,
            }
        }
    }
}

/// Opens a directory to empty it; an ordinary user may have to give themself the right first.
fn open(parent: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(parent, name, flags, Mode::empty());
    let dir = match open() {
        Err(Errno::ACCESS) => {
            own(parent, name)?;
            open()?
        }
        result => result?,
    };
    let stat = rustix::fs::fstat(&dir)?;
    if stat.st_mode & 0o700 != 0o700 {
        rustix::fs::fchmod(&dir, Mode::from_raw_mode(0o700))?;
    }
    Ok(dir)
}

/// Lets the owner into a directory. It is one, not a link, and nobody else changes this tree.
fn own(parent: BorrowedFd<'_>, name: &[u8]) -> Result<(), Errno> {
    rustix::fs::chmodat(parent, name, Mode::from_raw_mode(0o700), AtFlags::empty())
}
