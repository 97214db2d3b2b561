//! Copying a file with all its attributes, where it cannot be linked.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Uid};
use rustix::io::Errno;

use super::attributes;

/// Copies `name` of one directory to `new` in another, where nothing stands yet.
pub(super) fn copy(
    from: &OwnedFd,
    name: &[u8],
    to: &OwnedFd,
    new: &[u8],
    kind: FileType,
) -> Result<(), Errno> {
    if kind == FileType::RegularFile {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = rustix::fs::openat(from, name, flags, Mode::empty())?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let target = rustix::fs::openat(to, new, flags, Mode::from_raw_mode(0o600))?;
        contents(&source, &target)?;
        return attributes::copy(&source, &target);
    }
    let itself = AtFlags::SYMLINK_NOFOLLOW;
    let stat = rustix::fs::statat(from, name, itself)?;
    if kind == FileType::Symlink {
        let target = rustix::fs::readlinkat(from, name, Vec::new())?;
        rustix::fs::symlinkat(target.as_c_str(), to, new)?;
    } else {
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        rustix::fs::mknodat(to, new, kind, mode, stat.st_rdev)?;
    }
    let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
    rustix::fs::chownat(to, new, Some(uid), Some(gid), itself)?;
    if kind != FileType::Symlink {
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        rustix::fs::chmodat(to, new, mode, AtFlags::empty())?;
    }
    extended_attributes(from, name, to, new)?;
    rustix::fs::utimensat(to, new, &attributes::times(&stat), itself)
}

/// Copies the data and keeps the holes.
fn contents(source: &OwnedFd, target: &OwnedFd) -> Result<(), Errno> {
    let size = rustix::fs::fstat(source)?.st_size as u64;
    rustix::fs::ftruncate(target, size)?;
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(source, SeekFrom::Data(at)) {
            // Nothing but a hole up to the end.
            Err(Errno::NXIO) => break,
            result => result?,
        };
        let end = rustix::fs::seek(source, SeekFrom::Hole(start))?;
        rustix::fs::seek(source, SeekFrom::Start(start))?;
        rustix::fs::seek(target, SeekFrom::Start(start))?;
        let errno = |error: io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let data = File::from(source.try_clone().map_err(errno)?);
        let mut data = io::Read::take(data, end - start);
        let mut out = File::from(target.try_clone().map_err(errno)?);
        io::copy(&mut data, &mut out).map_err(errno)?;
        at = end;
    }
    Ok(())
}

/// The same for what cannot be opened: only the last name is reached, and it is not followed.
fn extended_attributes(from: &OwnedFd, name: &[u8], to: &OwnedFd, new: &[u8]) -> Result<(), Errno> {
    let place = |dir: &OwnedFd, name: &[u8]| {
        let dir = format!("/proc/self/fd/{}/", dir.as_raw_fd());
        [dir.as_bytes(), name].concat()
    };
    let (from, to) = (place(from, name), place(to, new));
    let mut list = vec![0; attributes::LONGEST];
    let length = match rustix::fs::llistxattr(from.as_slice(), &mut list[..]) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        result => result?,
    };
    let mut value = vec![0; attributes::LONGEST];
    for key in list[..length].split(|b| *b == 0) {
        if key.is_empty() || !crate::unpack::is_of_file(key) {
            continue;
        }
        let length = rustix::fs::lgetxattr(from.as_slice(), key, &mut value[..])?;
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::lsetxattr(to.as_slice(), key, &value[..length], flags)?;
    }
    Ok(())
}
