//! Unpacking a layer's archive into a directory.
//!
//! Everything is reached by directory fds below the layer's root, and no symbolic link is ever
//! followed by the kernel, so nothing outside can be touched. The directory is private to the
//! unpacking process until it is complete.

mod attributes;
mod deferred;
mod dirs;
mod file;
mod nodes;
pub(crate) mod path;
mod rules;
mod tree;

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::{ImageError, shown};
use crate::tar::{Entry, Input, Kind, Reader};
use attributes::{Owner, timestamps};
pub(crate) use attributes::{is_of_file, plain_root};
use deferred::Deferred;
pub(crate) use deferred::HardLink;
use dirs::{Dir, Dirs};
pub(crate) use path::normalise;
pub use rules::Limits;
pub(crate) use rules::{Rules, Spent};
pub(crate) use tree::remove_tree;

/// What an archive had that could not be kept here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// The first 100 of them: the entry, and what of it was left out.
    pub first: Vec<(String, &'static str)>,
    /// How many there were.
    pub total: u64,
}

impl Skipped {
    /// Adds what another archive had.
    pub(crate) fn extend(&mut self, other: &Skipped) {
        self.total += other.total;
        let room = 100 - self.first.len();
        self.first.extend(other.first.iter().take(room).cloned());
    }

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
    /// Hard links (path, target) whose targets only a lower layer can have.
    pub links: Vec<HardLink>,
    /// Directories that the archive has no entry for, only something in them: a lower layer's
    /// directory of that name keeps its attributes. The root's path is empty.
    pub implied: Vec<Vec<u8>>,
}

/// Unpacks the archive, to the very end of `input`, into the empty directory `root`. Call it on a
/// thread of its own: it changes the thread's umask.
pub(crate) fn unpack<I: Input>(
    input: I,
    root: OwnedFd,
    rules: Rules<'_>,
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
        rules,
        unpacked: Unpacked::default(),
        ends: HashMap::new(),
        deferred: Deferred::default(),
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

struct Unpacker<'a, I> {
    reader: Reader<I>,
    dirs: Dirs,
    owner: Owner,
    exact_modes: bool,
    rules: Rules<'a>,
    unpacked: Unpacked,
    /// By canonical path.
    ends: HashMap<Vec<u8>, DirEnd>,
    deferred: Deferred,
}

impl<I: Input> Unpacker<'_, I> {
    fn entry(&mut self, entry: &Entry) -> Result<(), ImageError> {
        self.unpacked.entries += 1;
        self.rules.count_entry()?;
        self.rules.limits.check_stream(self.reader.offset())?;
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
        let limits = self.rules.limits;
        self.reader.drain(|offset| limits.check_stream(offset))?;
        self.unpacked.links = self.deferred()?;
        self.unpacked.implied = self.implied()?;
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

    /// The directories no entry was about.
    fn implied(&mut self) -> Result<Vec<Vec<u8>>, ImageError> {
        let mut implied = self.dirs.take_made();
        implied.insert(Vec::new());
        let mut kept = Vec::new();
        for path in implied {
            if !self.ends.contains_key(&path) && self.dirs.existing(&path)?.is_some() {
                kept.push(path);
            }
        }
        kept.sort();
        Ok(kept)
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
