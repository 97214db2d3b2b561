//! Unpacking a layer's archive into a directory.
//!
//! Everything is reached by directory fds below the layer's root, and no symbolic link is ever
//! followed by the kernel, so nothing outside can be touched. The directory is private to the
//! unpacking process until it is complete.

mod attributes;
mod dirs;
mod file;
mod nodes;
mod path;
mod tree;

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{ImageError, shown};
use crate::tar::{Entry, Input, Kind, Reader};
use attributes::{Owner, timestamps};
use dirs::{Dir, Dirs};
pub(crate) use path::normalise;
pub(crate) use tree::remove_tree;

/// Bounds on what an archive may unpack to. Never a ratio: sparse files are legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of file data written; holes do not count. Default 64 GiB.
    pub max_bytes: u64,
    /// Most entries. Default 4,000,000.
    pub max_entries: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_bytes: 64 << 30,
            max_entries: 4_000_000,
        }
    }
}

/// What an archive had that could not be kept here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// The first 100 of them: the entry, and what of it was left out.
    pub first: Vec<(String, &'static str)>,
    /// How many there were.
    pub total: u64,
}

impl Skipped {
    fn add(&mut self, entry: &[u8], what: &'static str) {
        self.total += 1;
        if self.first.len() < 100 {
            self.first.push((shown(entry), what));
        }
    }
}

/// What was unpacked.
#[derive(Debug, Default)]
pub(crate) struct Unpacked {
    pub entries: u64,
    /// Bytes of file data written.
    pub bytes: u64,
    pub skipped: Skipped,
}

/// Unpacks the archive, to the very end of `input`, into the empty directory `root`. Call it on a
/// thread of its own: it changes the thread's umask.
pub(crate) fn unpack<I: Input>(
    input: I,
    root: OwnedFd,
    limits: &Limits,
) -> Result<Unpacked, ImageError> {
    // With an umask of our own, files are born with their mode and need no fchmod.
    let exact_modes = nix::sched::unshare(nix::sched::CloneFlags::CLONE_FS).is_ok();
    if exact_modes {
        rustix::process::umask(Mode::empty());
    }
    attributes::plain_root(&root).map_err(ImageError::entry("prepare", b""))?;
    let mut unpacker = Unpacker {
        reader: Reader::new(input),
        dirs: Dirs::new(root),
        owner: Owner::current(),
        exact_modes,
        limits: *limits,
        unpacked: Unpacked::default(),
        ends: HashMap::new(),
    };
    while let Some(entry) = unpacker.reader.next()? {
        unpacker.entry(&entry)?;
    }
    unpacker.finish()
}

/// What is set on a directory only after everything is in it.
struct DirEnd {
    times: rustix::fs::Timestamps,
    /// The mode, where it has setgid: new files would inherit the group.
    mode: Option<Mode>,
    /// A default ACL, which new files would inherit too.
    default_acl: Option<Vec<u8>>,
}

struct Unpacker<I> {
    reader: Reader<I>,
    dirs: Dirs,
    owner: Owner,
    exact_modes: bool,
    limits: Limits,
    unpacked: Unpacked,
    /// By canonical path.
    ends: HashMap<Vec<u8>, DirEnd>,
}

/// What an archive may hold beside file data, per entry allowed: headers and padding.
const HEADERS_PER_ENTRY: u64 = 8 << 10;

impl<I: Input> Unpacker<I> {
    fn entry(&mut self, entry: &Entry) -> Result<(), ImageError> {
        self.unpacked.entries += 1;
        if self.unpacked.entries > self.limits.max_entries {
            return Err(ImageError::LimitExceeded {
                what: "entries in the archive",
                limit: self.limits.max_entries,
                option: "max_entries",
            });
        }
        check_stream(&self.limits, self.reader.offset())?;
        let path = normalise(&entry.path)?;
        let Some((dir, name)) = path::split(&path) else {
            return match entry.kind {
                Kind::Directory => {
                    let root = self.dirs.root();
                    self.directory_attributes(entry, &root, b"")
                }
                _ => Err(ImageError::refused(
                    &entry.path,
                    "it would replace the root directory",
                )),
            };
        };
        let parent = self.dirs.open(dir, &entry.path)?;
        if name.starts_with(b".wh.") {
            return self.whiteout(entry, &parent, name);
        }
        match entry.kind {
            Kind::File => self.file(entry, &parent, name),
            Kind::Directory => {
                self.make_directory(entry, &parent, name)?;
                self.directory_attributes(entry, &parent, name)
            }
            Kind::HardLink => self.hard_link(entry, &parent, name),
            Kind::Symlink => self.symlink(entry, &parent, name),
            Kind::Character | Kind::Block | Kind::Fifo => self.node(entry, &parent, name),
        }
    }

    fn make_directory(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
    ) -> Result<(), ImageError> {
        let mode = Mode::from_raw_mode(self.owner.directory_mode(entry.mode) & 0o1777);
        let make = || rustix::fs::mkdirat(&parent.fd, name, mode);
        match make() {
            Err(Errno::EXIST) => {}
            result => return result.map_err(ImageError::entry("create directory", &entry.path)),
        }
        match kind_of(parent, name)? {
            Some(Existing::Directory) => return Ok(()),
            // The lower layers' directory of that name is hidden, and this one begins anew.
            Some(Existing::Whiteout) => {
                self.dirs.clear_way(parent, name)?;
                make().map_err(ImageError::entry("create directory", &entry.path))?;
                return nodes::set_opaque(&parent.fd, name)
                    .map_err(ImageError::entry("mark opaque", &entry.path));
            }
            _ => self.dirs.clear_way(parent, name)?,
        }
        make().map_err(ImageError::entry("create directory", &entry.path))
    }

    fn directory_attributes(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
    ) -> Result<(), ImageError> {
        let failed = |operation| ImageError::entry::<Errno>(operation, &entry.path);
        let mode = self.owner.directory_mode(entry.mode);
        let here = if name.is_empty() {
            b".".as_slice()
        } else {
            name
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = rustix::fs::openat(&parent.fd, here, flags, Mode::empty())
            .map_err(failed("open directory"))?;
        if let Some((uid, gid)) = self.owner.of(entry)? {
            rustix::fs::fchown(&dir, uid, gid).map_err(failed("change owner of"))?;
        }
        let setgid = mode & 0o2000 != 0;
        let now = Mode::from_raw_mode(mode & !0o2000);
        rustix::fs::fchmod(&dir, now).map_err(failed("change mode of"))?;
        let mut default_acl = None;
        for (key, value) in &entry.xattrs {
            match key.as_slice() {
                b"system.posix_acl_default" => default_acl = Some(value.clone()),
                _ => self.xattr(entry, key, value, |n, v, f| {
                    rustix::fs::fsetxattr(&dir, n, v, f)
                })?,
            }
        }
        let end = DirEnd {
            times: timestamps(entry),
            mode: setgid.then(|| Mode::from_raw_mode(mode)),
            default_acl,
        };
        self.ends.insert(path::join(&parent.path, name), end);
        Ok(())
    }

    /// Reads the input to its end and sets what directories get last.
    fn finish(mut self) -> Result<Unpacked, ImageError> {
        let limits = self.limits;
        self.reader.drain(|offset| check_stream(&limits, offset))?;
        for (path, end) in std::mem::take(&mut self.ends) {
            let failed = |operation| ImageError::entry::<Errno>(operation, &path);
            // A later entry may have taken its place.
            let Some(dir) = self.dirs.existing(&path)? else {
                continue;
            };
            if let Some(acl) = &end.default_acl {
                let flags = rustix::fs::XattrFlags::empty();
                match rustix::fs::fsetxattr(&dir, "system.posix_acl_default", acl, flags) {
                    Err(Errno::OPNOTSUPP) => self.unpacked.skipped.add(&path, "default ACL"),
                    result => result.map_err(failed("set the default ACL of"))?,
                }
            }
            if let Some(mode) = end.mode {
                rustix::fs::fchmod(&dir, mode).map_err(failed("change mode of"))?;
            }
            rustix::fs::futimens(&dir, &end.times).map_err(failed("set times of"))?;
        }
        Ok(self.unpacked)
    }
}

/// The whole stream counts too: headers without end must not be free.
fn check_stream(limits: &Limits, bytes: u64) -> Result<(), ImageError> {
    let headers = limits.max_entries.saturating_mul(HEADERS_PER_ENTRY);
    let limit = limits.max_bytes.saturating_add(headers);
    match bytes > limit {
        true => Err(ImageError::LimitExceeded {
            what: "bytes in the archive",
            limit,
            option: "max_bytes",
        }),
        false => Ok(()),
    }
}

/// What stands at a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Existing {
    Directory,
    Symlink,
    Whiteout,
    Other,
}

fn kind_of(parent: &Dir, name: &[u8]) -> Result<Option<Existing>, ImageError> {
    kind_at(&parent.fd, name).map_err(ImageError::entry(
        "examine",
        &path::join(&parent.path, name),
    ))
}

fn kind_at(parent: &OwnedFd, name: &[u8]) -> Result<Option<Existing>, Errno> {
    let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        result => result?,
    };
    Ok(Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => Existing::Directory,
        FileType::Symlink => Existing::Symlink,
        FileType::CharacterDevice if stat.st_rdev == 0 => Existing::Whiteout,
        _ => Existing::Other,
    }))
}
