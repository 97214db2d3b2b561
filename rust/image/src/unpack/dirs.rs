//! Directories below the layer's root, opened once and kept while they are in use.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::{Existing, kind_at, kind_of, nodes, path, tree};
use crate::error::ImageError;

/// An open directory and its path from the root, without symbolic links.
pub(super) struct Dir {
    pub path: Vec<u8>,
    pub fd: OwnedFd,
}

/// Opens directories by the paths entries give. Archives are ordered by directory, so a few kept
/// ones serve nearly every entry.
pub(super) struct Dirs {
    root: Rc<Dir>,
    /// Path as entries have it, and what it is; most recently used first.
    recent: Vec<(Vec<u8>, Rc<Dir>)>,
    /// What was made on the way to something, by canonical path.
    made: HashSet<Vec<u8>>,
}

const KEPT: usize = 16;
/// As the kernel has it.
const MOST_LINKS: usize = 40;

impl Dirs {
    pub(super) fn new(root: OwnedFd) -> Dirs {
        let root = Dir {
            path: Vec::new(),
            fd: root,
        };
        Dirs {
            root: Rc::new(root),
            recent: Vec::new(),
            made: HashSet::new(),
        }
    }

    /// The directories that were made on the way to something; a later entry may have been about
    /// them, or have taken them away.
    pub(super) fn take_made(&mut self) -> HashSet<Vec<u8>> {
        std::mem::take(&mut self.made)
    }

    /// Whether something stands at `dir` or a symbolic link on the way there.
    pub(super) fn has(&self, dir: &[u8]) -> Result<bool, ImageError> {
        if self.recent.iter().any(|(path, _)| path == dir) {
            return Ok(true);
        }
        match self.beneath(dir, OFlags::PATH) {
            Ok(_) | Err(Errno::LOOP | Errno::NOTDIR) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(ImageError::entry("open directory", dir)(errno)),
        }
    }

    pub(super) fn root(&self) -> Rc<Dir> {
        self.root.clone()
    }

    /// The directory `dir`, made with its parents where it is missing. A symbolic link on the way
    /// leads where it would with this root as `/`.
    pub(super) fn open(&mut self, dir: &[u8], entry: &[u8]) -> Result<Rc<Dir>, ImageError> {
        if dir.is_empty() {
            return Ok(self.root.clone());
        }
        if let Some(at) = self.recent.iter().position(|(path, _)| path == dir) {
            self.recent[..=at].rotate_right(1);
            return Ok(self.recent[0].1.clone());
        }
        let opened = match self.beneath(dir, OFlags::PATH | OFlags::DIRECTORY) {
            Ok(fd) => Dir {
                path: dir.to_vec(),
                fd,
            },
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => self.walk(dir, entry)?,
            Err(errno) => return Err(ImageError::entry("open directory", dir)(errno)),
        };
        let opened = Rc::new(opened);
        self.recent.truncate(KEPT - 1);
        self.recent.insert(0, (dir.to_vec(), opened.clone()));
        Ok(opened)
    }

    /// Opens a path that has no symbolic link in it, for reading; None where it is no directory.
    pub(super) fn existing(&self, path: &[u8]) -> Result<Option<OwnedFd>, ImageError> {
        match self.beneath(path, OFlags::RDONLY | OFlags::DIRECTORY) {
            Ok(fd) => Ok(Some(fd)),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
            Err(errno) => Err(ImageError::entry("open directory", path)(errno)),
        }
    }

    /// Removes what stands at a name, whatever it is.
    pub(super) fn clear_way(&mut self, parent: &Dir, name: &[u8]) -> Result<(), ImageError> {
        let path = path::join(&parent.path, name);
        match kind_of(parent, name)? {
            None => return Ok(()),
            Some(Existing::Directory) => {
                self.recent.clear();
                return tree::remove_tree(&parent.fd, name);
            }
            // Kept paths may lead through it.
            Some(Existing::Symlink) => self.recent.clear(),
            Some(_) => {}
        }
        let none = rustix::fs::AtFlags::empty();
        rustix::fs::unlinkat(&parent.fd, name, none).map_err(ImageError::entry("replace", &path))
    }

    fn beneath(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let path = if path.is_empty() {
            b".".as_slice()
        } else {
            path
        };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let flags = flags | OFlags::CLOEXEC;
        rustix::fs::openat2(&self.root.fd, path, flags, Mode::empty(), resolve)
    }

    /// Goes to `dir` one name at a time, following symbolic links as within this root and making
    /// what is missing. It never lets the kernel follow one.
    fn walk(&mut self, dir: &[u8], entry: &[u8]) -> Result<Dir, ImageError> {
        let mut todo = Vec::new();
        push_names(&mut todo, dir);
        let mut done: Vec<u8> = Vec::new();
        let mut links = 0;
        while let Some(name) = todo.pop() {
            if name == b".." {
                let up = path::split(&done).map_or(0, |(dir, _)| dir.len());
                done.truncate(up);
                continue;
            }
            let failed = |operation| ImageError::entry::<Errno>(operation, &done);
            let parent = self
                .beneath(&done, OFlags::PATH | OFlags::DIRECTORY)
                .map_err(failed("open directory"))?;
            match kind_at(&parent, &name).map_err(failed("look into"))? {
                Some(Existing::Directory) => {}
                Some(Existing::Symlink) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(ImageError::refused(entry, "its path is a loop of links"));
                    }
                    let target = rustix::fs::readlinkat(&parent, &name, Vec::new())
                        .map_err(failed("read a link in"))?;
                    if target.as_bytes().starts_with(b"/") {
                        done.clear();
                    }
                    push_names(&mut todo, target.as_bytes());
                    continue;
                }
                Some(Existing::Other) => {
                    let reason = "a part of its path is not a directory";
                    return Err(ImageError::refused(entry, reason));
                }
                missing => {
                    if missing.is_some() {
                        let none = rustix::fs::AtFlags::empty();
                        rustix::fs::unlinkat(&parent, &name, none).map_err(failed("replace in"))?;
                    }
                    let mode = Mode::from_raw_mode(0o755);
                    rustix::fs::mkdirat(&parent, &name, mode)
                        .map_err(failed("create a directory in"))?;
                    if missing.is_some() {
                        nodes::set_opaque(&parent, &name).map_err(failed("mark opaque in"))?;
                    }
                    self.made.insert(path::join(&done, &name));
                }
            }
            done = path::join(&done, &name);
            path::check_length(&done, entry)?;
        }
        let fd = self
            .beneath(&done, OFlags::PATH | OFlags::DIRECTORY)
            .map_err(ImageError::entry("open directory", &done))?;
        Ok(Dir { path: done, fd })
    }
}

/// Puts the names of a path on the stack, the first on top.
fn push_names(todo: &mut Vec<Vec<u8>>, path: &[u8]) {
    let names = path.split(|b| *b == b'/');
    let names = names.filter(|name| !matches!(*name, b"" | b"."));
    todo.extend(names.rev().map(<[u8]>::to_vec));
}
