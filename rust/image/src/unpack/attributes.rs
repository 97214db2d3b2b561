//! Owners, times and extended attributes.

use std::os::fd::OwnedFd;

use rustix::fs::{Gid, Mode, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use super::Unpacker;
use crate::error::ImageError;
use crate::tar::{Entry, Input, Time};

/// What the system calls want: the user and the group to give.
type Ids = (Option<Uid>, Option<Gid>);

/// Who unpacks, and so what owners can be given.
pub(super) struct Owner {
    uid: u32,
    gid: u32,
}

impl Owner {
    pub(super) fn current() -> Owner {
        Owner {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        }
    }

    /// Whether owners can be given and device nodes made.
    pub(super) fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// The owner to give, or None where new files have it already. An ordinary user owns everything.
    pub(super) fn of(&self, entry: &Entry) -> Result<Option<Ids>, ImageError> {
        let id = |id: i64| match u32::try_from(id) {
            // The last number means "no change" to the kernel.
            Ok(id) if id != u32::MAX => Ok(id),
            _ => Err(ImageError::refused(
                &entry.path,
                "its owner is not a possible id",
            )),
        };
        let (uid, gid) = (id(entry.uid)?, id(entry.gid)?);
        if !self.is_root() || (uid, gid) == (self.uid, self.gid) {
            return Ok(None);
        }
        Ok(Some((Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))))
    }

    /// A directory's mode: one that an ordinary user can go through and clean up.
    pub(super) fn directory_mode(&self, mode: u32) -> u32 {
        if self.is_root() { mode } else { mode | 0o700 }
    }

    /// A file's mode: one that an ordinary user can read.
    pub(super) fn file_mode(&self, mode: u32) -> u32 {
        if self.is_root() { mode } else { mode | 0o400 }
    }
}

/// Modification and access time; the latter is the former where the archive has none.
pub(super) fn timestamps(entry: &Entry) -> Timestamps {
    let spec = |time: Time| Timespec {
        tv_sec: time.seconds,
        tv_nsec: time.nanoseconds.into(),
    };
    Timestamps {
        last_access: spec(entry.atime.unwrap_or(entry.mtime)),
        last_modification: spec(entry.mtime),
    }
}

/// Takes from a layer's new root what it may have inherited from the store's directory.
pub(crate) fn plain_root(root: &OwnedFd) -> Result<(), Errno> {
    match rustix::fs::fremovexattr(root, "system.posix_acl_default") {
        Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
        result => result?,
    }
    rustix::fs::fchown(root, None, Some(rustix::process::getegid()))?;
    rustix::fs::fchmod(root, Mode::from_raw_mode(0o755))
}

/// What is done with an attribute of an archive.
enum Fate {
    Set,
    Skip(&'static str),
}

/// Attributes are kept when they belong to the file. Overlay's own would be orders to the kernel on
/// how to mount the layer; labels and signatures are the host's.
fn fate(key: &[u8]) -> Fate {
    match key {
        _ if key.starts_with(b"trusted.overlay.") => Fate::Skip("overlay's own attribute"),
        _ if key.starts_with(b"user.overlay.") => Fate::Skip("overlay's own attribute"),
        b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default" => {
            Fate::Set
        }
        _ if key.starts_with(b"user.") || key.starts_with(b"trusted.") => Fate::Set,
        _ => Fate::Skip("an attribute that belongs to the host"),
    }
}

/// Whether an extended attribute is the file's own and not the host's or overlay's.
pub(crate) fn is_of_file(key: &[u8]) -> bool {
    matches!(fate(key), Fate::Set)
}

impl<I: Input> Unpacker<'_, I> {
    /// Sets one extended attribute by `set`, or notes that it was left out: where the kind forbids
    /// it, the file system has none, or an ordinary user may not.
    pub(super) fn xattr(
        &mut self,
        entry: &Entry,
        key: &[u8],
        value: &[u8],
        set: impl FnOnce(&[u8], &[u8], XattrFlags) -> Result<(), Errno>,
    ) -> Result<(), ImageError> {
        if let Fate::Skip(what) = fate(key) {
            self.unpacked.skipped.add(&entry.path, what);
            return Ok(());
        }
        match set(key, value, XattrFlags::empty()) {
            Ok(()) => Ok(()),
            Err(Errno::OPNOTSUPP) => {
                let what = "an attribute that the file system cannot hold";
                self.unpacked.skipped.add(&entry.path, what);
                Ok(())
            }
            Err(Errno::PERM) => {
                let what = "an attribute that this user may not set on this file";
                self.unpacked.skipped.add(&entry.path, what);
                Ok(())
            }
            Err(errno) => Err(ImageError::entry(
                "set an extended attribute of",
                &entry.path,
            )(errno)),
        }
    }

    /// The same for all of an entry that is no regular file or directory, reached by name: such
    /// nodes cannot be opened.
    pub(super) fn xattrs_by_name(
        &mut self,
        entry: &Entry,
        parent: &super::Dir,
        name: &[u8],
    ) -> Result<(), ImageError> {
        use std::os::fd::AsRawFd;
        if entry.xattrs.is_empty() {
            return Ok(());
        }
        // Only the last name is not followed, and the fd's link is the kernel's own.
        let path = format!("/proc/self/fd/{}/", parent.fd.as_raw_fd());
        let path = [path.as_bytes(), name].concat();
        for (key, value) in &entry.xattrs {
            let path = path.as_slice();
            self.xattr(entry, key, value, |k, v, f| {
                rustix::fs::lsetxattr(path, k, v, f)
            })?;
        }
        Ok(())
    }
}
