//! Regular files.

use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::attributes::timestamps;
use super::{Dir, Unpacker};
use crate::error::ImageError;
use crate::tar::{Entry, Input, Segment};

/// Larger writes were slower: the kernel then takes the pages in one go, and waits for them.
const WRITE: usize = 64 << 10;

impl<I: Input> Unpacker<'_, I> {
    pub(super) fn file(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
    ) -> Result<(), ImageError> {
        let failed = |operation| ImageError::entry::<Errno>(operation, &entry.path);
        let mode = self.owner.file_mode(entry.mode);
        // Set-id bits come after the owner, which would clear them, and after the data.
        let special = mode & 0o7000 != 0;
        let born = Mode::from_raw_mode(mode & 0o777);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let create = || rustix::fs::openat(&parent.fd, name, flags | OFlags::CLOEXEC, born);
        let file = match create() {
            Err(Errno::EXIST) => {
                self.dirs.clear_way(parent, name)?;
                create()
            }
            result => result,
        };
        let file = file.map_err(failed("create"))?;
        match &entry.sparse {
            None => self.dense(entry, &file)?,
            Some(map) => self.sparse(entry, &file, map)?,
        }
        if let Some((uid, gid)) = self.owner.of(entry)? {
            rustix::fs::fchown(&file, uid, gid).map_err(failed("change owner of"))?;
        }
        if special || !self.exact_modes {
            let mode = Mode::from_raw_mode(mode);
            rustix::fs::fchmod(&file, mode).map_err(failed("change mode of"))?;
        }
        for (key, value) in &entry.xattrs {
            self.xattr(entry, key, value, |k, v, f| {
                rustix::fs::fsetxattr(&file, k, v, f)
            })?;
        }
        rustix::fs::futimens(&file, &timestamps(entry)).map_err(failed("set times of"))
    }

    fn dense(&mut self, entry: &Entry, file: &OwnedFd) -> Result<(), ImageError> {
        self.copy(entry, file, 0, entry.size)
    }

    fn sparse(&mut self, entry: &Entry, file: &OwnedFd, map: &[Segment]) -> Result<(), ImageError> {
        for segment in map {
            self.copy(entry, file, segment.offset, segment.length)?;
        }
        let end = map.last().map_or(0, |s| s.offset + s.length);
        if end < entry.size {
            rustix::fs::ftruncate(file, entry.size)
                .map_err(ImageError::entry("extend", &entry.path))?;
        }
        Ok(())
    }

    /// Copies `length` bytes of the entry's data to `offset`.
    fn copy(
        &mut self,
        entry: &Entry,
        file: &OwnedFd,
        mut offset: u64,
        mut length: u64,
    ) -> Result<(), ImageError> {
        while length > 0 {
            let data = self.reader.data()?;
            let most = usize::try_from(length).unwrap_or(usize::MAX);
            let data = &data[..data.len().min(WRITE).min(most)];
            self.rules.count_bytes(data.len() as u64)?;
            let n = data.len();
            write_all(file, data, offset).map_err(ImageError::entry("write", &entry.path))?;
            self.unpacked.bytes += n as u64;
            self.reader.advance(n);
            offset += n as u64;
            length -= n as u64;
        }
        Ok(())
    }
}

fn write_all(file: &OwnedFd, mut data: &[u8], mut offset: u64) -> Result<(), Errno> {
    while !data.is_empty() {
        match rustix::io::pwrite(file, data, offset) {
            Err(Errno::INTR) => {}
            result => {
                let n = result?;
                data = &data[n..];
                offset += n as u64;
            }
        }
    }
    Ok(())
}
