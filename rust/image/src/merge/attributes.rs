//! What a directory has beside its entries: owner, mode, times, extended attributes.

use std::collections::BTreeSet;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Gid, Mode, Stat, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::unpack::is_of_file;

/// Times of a directory, to be given back when its entries have been changed.
pub(super) struct Kept(Timestamps);

impl Kept {
    pub(super) fn of(dir: &OwnedFd) -> Result<Kept, Errno> {
        Ok(Kept(times(&rustix::fs::fstat(dir)?)))
    }

    pub(super) fn restore_times(&self, dir: &OwnedFd) -> Result<(), Errno> {
        rustix::fs::futimens(dir, &self.0)
    }
}

/// Access and modification time.
pub(super) fn times(stat: &Stat) -> Timestamps {
    let spec = |seconds, nanoseconds| Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds as _,
    };
    Timestamps {
        last_access: spec(stat.st_atime, stat.st_atime_nsec),
        last_modification: spec(stat.st_mtime, stat.st_mtime_nsec),
    }
}

/// Gives `to` all attributes of `from`, and takes what else it has. Both are open files or
/// directories.
pub(super) fn copy(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(from)?;
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::fchown(to, Some(uid), Some(gid))?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    let (theirs, ours) = (names(from)?, names(to)?);
    for name in ours.difference(&theirs) {
        match rustix::fs::fremovexattr(to, name.as_slice()) {
            Err(Errno::NODATA) => {}
            result => result?,
        }
    }
    for name in theirs {
        let value = value(from, &name)?;
        rustix::fs::fsetxattr(to, name.as_slice(), &value, XattrFlags::empty())?;
    }
    rustix::fs::futimens(to, &times(&stat))
}

/// The most bytes of a value, and of all names (the kernel's XATTR_SIZE_MAX and XATTR_LIST_MAX).
pub(super) const LONGEST: usize = 64 << 10;

/// The names of the extended attributes that belong to the file.
fn names(file: &OwnedFd) -> Result<BTreeSet<Vec<u8>>, Errno> {
    let mut list = vec![0; 1 << 10];
    loop {
        match rustix::fs::flistxattr(file, &mut list[..]) {
            Err(Errno::OPNOTSUPP) => return Ok(BTreeSet::new()),
            Err(Errno::RANGE) => list.resize(LONGEST, 0),
            result => {
                list.truncate(result?);
                break;
            }
        }
    }
    let names = list.split(|b| *b == 0).filter(|name| !name.is_empty());
    Ok(names
        .filter(|n| is_of_file(n))
        .map(<[u8]>::to_vec)
        .collect())
}

fn value(file: impl AsFd, name: &[u8]) -> Result<Vec<u8>, Errno> {
    let mut value = vec![0; LONGEST];
    let length = rustix::fs::fgetxattr(file, name, &mut value[..])?;
    value.truncate(length);
    Ok(value)
}
