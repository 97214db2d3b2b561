//! Several layers as one directory: what overlay would show of them, made of hard links.
//!
//! Layers are added from the lowest up, each as it was unpacked: with overlay's whiteouts and opaque
//! marks, which are obeyed and not kept (the kernel's overlayfs.rst, "whiteouts and opaque
//! directories"). Nothing follows a symbolic link, and one directory is open at a time, so that
//! depth costs neither stack nor fds.

mod attributes;
mod copy;

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::error::ImageError;
use crate::read::is_opaque;
use crate::unpack::{HardLink, path, plain_root, remove_tree};
use attributes::Kept;

/// A layer to be added.
pub(crate) struct Layer<'a> {
    pub root: OwnedFd,
    /// Hard links (path, target) to files of the layers below.
    pub links: &'a [HardLink],
    /// Directories whose attributes are those of the layers below; sorted.
    pub implied: &'a [Vec<u8>],
}

/// A tree in the making.
pub(crate) struct Merger {
    tree: OwnedFd,
    stash: OwnedFd,
    layers: usize,
    /// Where copies went of files with several names, by inode: of one layer.
    copies: HashMap<u64, Vec<u8>>,
}

/// A directory that waits to be gone through.
struct Waiting {
    path: Vec<u8>,
    /// No layer below has it.
    fresh: bool,
}

impl Merger {
    /// A tree in the empty directory `tree`; `stash` is another in the same file system, for files
    /// on their way.
    pub(crate) fn new(tree: OwnedFd, stash: OwnedFd) -> Result<Merger, ImageError> {
        plain_root(&tree).map_err(ImageError::entry("prepare", b""))?;
        Ok(Merger {
            tree,
            stash,
            layers: 0,
            copies: HashMap::new(),
        })
    }

    /// Lays a layer over what there is. `check` is called for each directory, and its error ends it.
    pub(crate) fn add(
        &mut self,
        layer: &Layer<'_>,
        mut check: impl FnMut() -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        // A link means what the lower layers have there, whatever this one makes of it.
        for (number, (path, target)) in layer.links.iter().enumerate() {
            self.put_aside(number, path, target)?;
        }
        self.copies.clear();
        let mut waiting = vec![Waiting {
            path: Vec::new(),
            fresh: self.layers == 0,
        }];
        while let Some(directory) = waiting.pop() {
            check()?;
            self.directory(layer, &directory, &mut waiting)
                .map_err(ImageError::entry("merge", &directory.path))?;
        }
        if !self.copies.is_empty() {
            self.join_copies(layer)?;
        }
        for (number, (path, _)) in layer.links.iter().enumerate() {
            self.put_back(number, path)
                .map_err(ImageError::entry("link", path))?;
        }
        self.layers += 1;
        Ok(())
    }

    fn directory(
        &mut self,
        layer: &Layer<'_>,
        here: &Waiting,
        waiting: &mut Vec<Waiting>,
    ) -> Result<(), Errno> {
        let from = open(&layer.root, &here.path)?;
        let to = open(&self.tree, &here.path)?;
        let implied = layer.implied.binary_search(&here.path).is_ok();
        let kept = match implied && !here.fresh {
            true => Some(Kept::of(&to)?),
            false => None,
        };
        if !here.fresh && is_opaque(&from)? {
            empty(&to)?;
        }
        for entry in Dir::read_from(&from)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            match entry_type(&from, name, entry.file_type())? {
                FileType::Directory => waiting.push(Waiting {
                    path: path::join(&here.path, name),
                    fresh: make_directory(&to, name)?,
                }),
                FileType::CharacterDevice if is_whiteout(&from, name)? => {
                    if !here.fresh {
                        remove(&to, name)?;
                    }
                }
                kind => self.place(&from, &to, &here.path, name, kind)?,
            }
        }
        match kept {
            Some(kept) => kept.restore_times(&to),
            None => attributes::copy(&from, &to),
        }
    }

    /// Gives a file of the layer its name in the tree.
    fn place(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        directory: &[u8],
        name: &[u8],
        kind: FileType,
    ) -> Result<(), Errno> {
        match link(from, name, to, name) {
            Err(Errno::EXIST) => {
                remove(to, name)?;
                match link(from, name, to, name) {
                    Err(errno) if cannot_link(errno) => {}
                    result => return result,
                }
            }
            Err(errno) if cannot_link(errno) => {}
            result => return result,
        }
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if stat.st_nlink > 1
            && let Some(copied) = self.copies.get(&stat.st_ino)
        {
            let (parent, copied) = path::split(copied).unwrap_or_default();
            return link(&open(&self.tree, parent)?, copied, to, name);
        }
        copy::copy(from, name, to, name, kind)?;
        if stat.st_nlink > 1 {
            self.copies.insert(stat.st_ino, path::join(directory, name));
        }
        Ok(())
    }

    /// Gives a file that had to be copied for one of its names that copy for all of them: the first
    /// ones could still be linked.
    fn join_copies(&self, layer: &Layer<'_>) -> Result<(), ImageError> {
        let mut waiting = vec![Vec::new()];
        while let Some(directory) = waiting.pop() {
            self.join_copies_in(layer, &directory, &mut waiting)
                .map_err(ImageError::entry("merge", &directory))?;
        }
        Ok(())
    }

    fn join_copies_in(
        &self,
        layer: &Layer<'_>,
        directory: &[u8],
        waiting: &mut Vec<Vec<u8>>,
    ) -> Result<(), Errno> {
        let (from, to) = (open(&layer.root, directory)?, open(&self.tree, directory)?);
        let kept = Kept::of(&to)?;
        for entry in Dir::read_from(&from)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") {
                continue;
            }
            let path = path::join(directory, name);
            if entry_type(&from, name, entry.file_type())? == FileType::Directory {
                waiting.push(path);
                continue;
            }
            let stat = |dir| rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
            let original = stat(&from)?;
            if let Some(copy) = self.copies.get(&original.st_ino)
                && stat(&to)?.st_ino == original.st_ino
            {
                let (parent, copy) = path::split(copy).unwrap_or_default();
                remove(&to, name)?;
                link(&open(&self.tree, parent)?, copy, &to, name)?;
            }
        }
        kept.restore_times(&to)
    }

    /// Gives the target of a hard link another name outside of the tree.
    fn put_aside(&self, number: usize, path: &[u8], target: &[u8]) -> Result<(), ImageError> {
        let missing = || {
            let reason = "it is a hard link to a file that no lower layer has";
            ImageError::refused(path, reason)
        };
        let (directory, name) = path::split(target).ok_or_else(missing)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // Symbolic links lead where they would with the tree as `/`.
        let result = rustix::fs::openat2(
            &self.tree,
            dot(directory),
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )
        .and_then(|parent| {
            let stat = rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            if kind == FileType::Directory {
                return Err(Errno::ISDIR);
            }
            let aside = number.to_string();
            match link(&parent, name, &self.stash, aside.as_bytes()) {
                Err(errno) if cannot_link(errno) => {
                    copy::copy(&parent, name, &self.stash, aside.as_bytes(), kind)
                }
                result => result,
            }
        });
        match result {
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::ISDIR) => Err(missing()),
            result => result.map_err(ImageError::entry("link", path)),
        }
    }

    fn put_back(&self, number: usize, path: &[u8]) -> Result<(), Errno> {
        let (directory, name) = path::split(path).ok_or(Errno::INVAL)?;
        let parent = open(&self.tree, directory)?;
        let kept = Kept::of(&parent)?;
        remove(&parent, name)?;
        rustix::fs::renameat(&self.stash, number.to_string(), &parent, name)?;
        kept.restore_times(&parent)
    }
}

/// Errors of link(2) that a copy gets around: the inode has its most names, the file system has no
/// hard links or the file lies on another one.
fn cannot_link(errno: Errno) -> bool {
    matches!(
        errno,
        Errno::MLINK | Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP
    )
}

fn link(from: &OwnedFd, name: &[u8], to: &OwnedFd, new: &[u8]) -> Result<(), Errno> {
    rustix::fs::linkat(from, name, to, new, AtFlags::empty())
}

/// Whether there was no such directory. What else stood there is gone.
fn make_directory(parent: &OwnedFd, name: &[u8]) -> Result<bool, Errno> {
    let make = || rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(0o700));
    match make() {
        Err(Errno::EXIST) => {}
        result => return result.map(|()| true),
    }
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
        return Ok(false);
    }
    remove(parent, name)?;
    make().map(|()| true)
}

/// Removes everything in a directory.
fn empty(dir: &OwnedFd) -> Result<(), Errno> {
    loop {
        let mut left = false;
        for entry in Dir::read_from(dir)? {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if !matches!(name, b"." | b"..") {
                remove(dir, name)?;
                left = true;
            }
        }
        // Some file systems skip entries while others are removed.
        if !left {
            return Ok(());
        }
    }
}

fn remove(parent: &OwnedFd, name: &[u8]) -> Result<(), Errno> {
    remove_tree(parent, name).map_err(|error| match error {
        ImageError::Io { source, .. } => Errno::from_io_error(&source).unwrap_or(Errno::IO),
        _ => Errno::IO,
    })
}

fn is_whiteout(parent: &OwnedFd, name: &[u8]) -> Result<bool, Errno> {
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(stat.st_rdev == 0)
}

/// What an entry of a directory is, asked for where the file system did not say.
fn entry_type(parent: &OwnedFd, name: &[u8], told: FileType) -> Result<FileType, Errno> {
    if told != FileType::Unknown {
        return Ok(told);
    }
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}

/// Opens a directory below `root` whose path has no symbolic link in it.
fn open(root: impl AsFd, path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    rustix::fs::openat2(root, dot(path), flags, Mode::empty(), resolve)
}

fn dot(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"." } else { path }
}
