//! Links, device nodes, fifos and whiteouts.

use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, XattrFlags};
use rustix::io::Errno;

use super::attributes::timestamps;
use super::{Dir, Existing, Unpacker, kind_of, normalise, path};
use crate::error::ImageError;
use crate::tar::{Entry, Input, Kind};

impl<I: Input> Unpacker<'_, I> {
    /// A further name for a file of this archive. Its owner, mode and times are the first name's.
    pub(super) fn hard_link(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
    ) -> Result<(), ImageError> {
        let missing = || {
            let reason = "it is a hard link to what is no file earlier in the archive";
            ImageError::refused(&entry.path, reason)
        };
        let target = match normalise(&entry.link) {
            Err(_) => {
                let reason = "it is a hard link to a name that no entry can have";
                return Err(ImageError::refused(&entry.path, reason));
            }
            Ok(target) => target,
        };
        let (dir, target_name) = path::split(&target).ok_or_else(missing)?;
        if self.rules.stacked && !self.dirs.has(dir)? {
            return self.defer(entry, parent, name, target);
        }
        let dir = self.dirs.open(dir, &entry.path)?;
        if self.rules.stacked
            && matches!(kind_of(&dir, target_name)?, None | Some(Existing::Whiteout))
        {
            return self.defer(entry, parent, name, target);
        }
        let link = || rustix::fs::linkat(&dir.fd, target_name, &parent.fd, name, AtFlags::empty());
        let result = match link() {
            Err(Errno::EXIST) => {
                let stat = |dir: &Dir, name: &[u8]| {
                    rustix::fs::statat(&dir.fd, name, AtFlags::SYMLINK_NOFOLLOW)
                };
                if let (Ok(a), Ok(b)) = (stat(&dir, target_name), stat(parent, name))
                    && (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino)
                {
                    return Ok(());
                }
                self.dirs.clear_way(parent, name)?;
                link()
            }
            result => result,
        };
        match result {
            Err(Errno::NOENT | Errno::PERM | Errno::NOTDIR) => Err(missing()),
            result => result.map_err(ImageError::entry("link", &entry.path)),
        }
    }

    pub(super) fn symlink(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
    ) -> Result<(), ImageError> {
        if entry.link.is_empty() || entry.link.contains(&0) || entry.link.len() > 4095 {
            return Err(ImageError::refused(
                &entry.path,
                "it is a link to no possible name",
            ));
        }
        self.make(entry, parent, name, "create link", || {
            rustix::fs::symlinkat(entry.link.as_slice(), &parent.fd, name)
        })?;
        self.node_attributes(entry, parent, name)
    }

    /// A device node or fifo. Device nodes need root; 0:0 is overlay's whiteout, which everyone may
    /// make.
    pub(super) fn node(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
    ) -> Result<(), ImageError> {
        let (major, minor) = entry.device;
        let file_type = match entry.kind {
            Kind::Character => FileType::CharacterDevice,
            Kind::Block => FileType::BlockDevice,
            _ => FileType::Fifo,
        };
        // The kernel's device numbers have 12 and 20 bits.
        if major >= 1 << 12 || minor >= 1 << 20 {
            return Err(ImageError::refused(
                &entry.path,
                "its device number is impossible",
            ));
        }
        let whiteout = entry.kind == Kind::Character && entry.device == (0, 0);
        let device = entry.kind != Kind::Fifo && !whiteout;
        if device && !self.owner.is_root() {
            self.unpacked
                .skipped
                .add(&entry.path, "a device node, which needs root");
            return Ok(());
        }
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        let number = rustix::fs::makedev(major, minor);
        let made = self.make(entry, parent, name, "create node", || {
            rustix::fs::mknodat(&parent.fd, name, file_type, mode, number)
        });
        match made {
            // Root without the capability, as in a user namespace.
            Err(ImageError::Io { source, .. })
                if device && source.raw_os_error() == Some(Errno::PERM.raw_os_error()) =>
            {
                self.unpacked
                    .skipped
                    .add(&entry.path, "a device node, which needs root");
                Ok(())
            }
            made => {
                made?;
                self.node_attributes(entry, parent, name)
            }
        }
    }

    /// OCI's whiteouts: `.wh.NAME` hides NAME of the layers below, `.wh..wh..opq` all that they
    /// have in its directory. They become overlay's (the kernel's overlayfs.rst, "whiteouts and
    /// opaque directories"). They do not touch what this layer has itself.
    pub(super) fn whiteout(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
    ) -> Result<(), ImageError> {
        let failed = |operation| ImageError::entry::<Errno>(operation, &entry.path);
        if name == b".wh..wh..opq" {
            return set_opaque(&parent.fd, b".").map_err(failed("mark opaque"));
        }
        // Notes of aufs to itself.
        if name.starts_with(b".wh..wh.") {
            return Ok(());
        }
        let hidden = &name[b".wh.".len()..];
        if matches!(hidden, b"" | b"." | b"..") {
            return Err(ImageError::refused(
                &entry.path,
                "it is a whiteout of no possible name",
            ));
        }
        match kind_of(parent, hidden)? {
            None => rustix::fs::mknodat(
                &parent.fd,
                hidden,
                FileType::CharacterDevice,
                Mode::empty(),
                rustix::fs::makedev(0, 0),
            )
            .map_err(failed("create whiteout")),
            Some(Existing::Directory) => {
                set_opaque(&parent.fd, hidden).map_err(failed("mark opaque"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Makes something new at a name, in the place of what was there.
    fn make(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
        operation: &'static str,
        make: impl Fn() -> Result<(), Errno>,
    ) -> Result<(), ImageError> {
        let made = match make() {
            Err(Errno::EXIST) => {
                self.dirs.clear_way(parent, name)?;
                make()
            }
            made => made,
        };
        made.map_err(ImageError::entry(operation, &entry.path))
    }

    fn node_attributes(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
    ) -> Result<(), ImageError> {
        let failed = |operation| ImageError::entry::<Errno>(operation, &entry.path);
        let itself = AtFlags::SYMLINK_NOFOLLOW;
        if let Some((uid, gid)) = self.owner.of(entry)? {
            rustix::fs::chownat(&parent.fd, name, uid, gid, itself)
                .map_err(failed("change owner of"))?;
        }
        if entry.kind != Kind::Symlink && (entry.mode & 0o7000 != 0 || !self.exact_modes) {
            // It was just made and is no link.
            let mode = Mode::from_raw_mode(entry.mode);
            rustix::fs::chmodat(&parent.fd, name, mode, AtFlags::empty())
                .map_err(failed("change mode of"))?;
        }
        self.xattrs_by_name(entry, parent, name)?;
        rustix::fs::utimensat(&parent.fd, name, &timestamps(entry), itself)
            .map_err(failed("set times of"))
    }
}

/// Marks a directory as hiding what the layers below have in it. The attribute overlay reads with
/// privileges is `trusted.overlay.opaque`; without them, under `userxattr`, `user.overlay.opaque`.
pub(super) fn set_opaque(parent: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = rustix::fs::openat(parent, name, flags, Mode::empty())?;
    let set = |key: &str| rustix::fs::fsetxattr(&dir, key, b"y", XattrFlags::empty());
    match set("trusted.overlay.opaque") {
        Err(Errno::PERM) => set("user.overlay.opaque"),
        result => result,
    }
}
