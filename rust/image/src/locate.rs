//! Where a path of the container really is, before there is a container: for mount points.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::ImageError;
use crate::read::{Found, MOST_LINKS, descend, look, push_names};

/// What is at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A file that is no directory.
    File,
    /// Nothing.
    Missing,
}

/// A path without symbolic links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The path, absolute in the root file system.
    pub path: PathBuf,
    /// How many of its leading names exist as directories.
    pub existing: usize,
    /// What is there.
    pub kind: Kind,
}

/// Follows `path` through a stack of layers (the lowest first) as a process in the container would: symbolic links
/// stay inside, `..` ends at the root. Names that do not exist are taken as directories to be made.
///
/// # Errors
/// Reading the layers; a chain of more than 40 links; a name below a file.
pub fn locate(layers: &[PathBuf], path: &Path) -> Result<Located, ImageError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut roots = Vec::with_capacity(layers.len());
    for layer in layers.iter().rev() {
        let root = rustix::fs::open(layer, flags, Mode::empty());
        roots.push(root.map_err(ImageError::io("open", layer))?);
    }
    walk(&roots, path.as_os_str().as_bytes())
        .map_err(ImageError::entry("look up", path.as_os_str().as_bytes()))
}

fn walk(roots: &[OwnedFd], path: &[u8]) -> Result<Located, Errno> {
    let mut todo = Vec::new();
    push_names(&mut todo, path);
    let mut done: Vec<Vec<u8>> = Vec::new();
    // None: the root. An empty list: below something that does not exist.
    let mut here: Option<Vec<OwnedFd>> = None;
    let mut existing = 0;
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == b".." {
            done.pop();
            if existing > done.len() {
                existing = done.len();
                here = descend(roots, &done)?;
            }
            continue;
        }
        if existing < done.len() {
            done.push(name);
            continue;
        }
        match look(here.as_deref().unwrap_or(roots), &name)? {
            Found::Directory(dirs) => {
                done.push(name);
                existing = done.len();
                here = Some(dirs);
            }
            Found::Link(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP);
                }
                if target.starts_with(b"/") {
                    done.clear();
                    existing = 0;
                    here = None;
                }
                push_names(&mut todo, &target);
            }
            Found::File(_) if todo.is_empty() => {
                done.push(name);
                return Ok(located(done, existing, Kind::File));
            }
            Found::File(_) => return Err(Errno::NOTDIR),
            Found::Nothing => done.push(name),
        }
    }
    let kind = if existing == done.len() {
        Kind::Directory
    } else {
        Kind::Missing
    };
    Ok(located(done, existing, kind))
}

fn located(names: Vec<Vec<u8>>, existing: usize, kind: Kind) -> Located {
    let mut path = PathBuf::from("/");
    path.extend(names.into_iter().map(OsString::from_vec));
    Located {
        path,
        existing,
        kind,
    }
}
