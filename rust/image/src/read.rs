//! Looking files up through a stack of layers, without mounting it.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::error::ImageError;

/// As the kernel has it.
pub(crate) const MOST_LINKS: usize = 40;

/// What a name in a merged directory is.
pub(crate) enum Found {
    /// The directories of that name that are merged, the uppermost first.
    Directory(Vec<OwnedFd>),
    Link(Vec<u8>),
    File(OwnedFd),
    Nothing,
}

/// See [`crate::Image::read_file`]. `layers` has the lowest first.
pub(crate) fn read_file(
    layers: &[PathBuf],
    path: &[u8],
    max: usize,
) -> Result<Option<Vec<u8>>, ImageError> {
    let failed = |errno: Errno| ImageError::entry("look up", path)(errno);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut roots = Vec::with_capacity(layers.len());
    for layer in layers.iter().rev() {
        let root = rustix::fs::open(layer, flags, Mode::empty());
        roots.push(root.map_err(ImageError::io("open", layer))?);
    }
    let Some(file) = walk(&roots, path).map_err(failed)? else {
        return Ok(None);
    };
    let mut contents = Vec::new();
    let mut limited = File::from(file).take(max as u64 + 1);
    limited
        .read_to_end(&mut contents)
        .map_err(ImageError::entry("read", path))?;
    if contents.len() > max {
        return Err(ImageError::LimitExceeded {
            what: "bytes in a file of the image",
            limit: max as u64,
            option: "max",
        });
    }
    Ok(Some(contents))
}

fn walk(roots: &[OwnedFd], path: &[u8]) -> Result<Option<OwnedFd>, Errno> {
    let mut todo = Vec::new();
    push_names(&mut todo, path);
    // Names of the directories gone into; ".." and links start over from the root, which is short.
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut here = None;
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == b".." {
            done.pop();
            here = descend(roots, &done)?;
            continue;
        }
        let dirs = here.as_deref().unwrap_or(roots);
        match look(dirs, &name)? {
            Found::Directory(dirs) => {
                done.push(name);
                here = Some(dirs);
            }
            Found::Link(target) => {
                links += 1;
                if links > MOST_LINKS {
                    return Ok(None);
                }
                if target.starts_with(b"/") {
                    done.clear();
                    here = None;
                }
                push_names(&mut todo, &target);
            }
            Found::File(file) if todo.is_empty() => return Ok(Some(file)),
            Found::File(_) | Found::Nothing => return Ok(None),
        }
    }
    Ok(None)
}

/// Goes down names that are known to be directories; None for the root.
pub(crate) fn descend(roots: &[OwnedFd], names: &[Vec<u8>]) -> Result<Option<Vec<OwnedFd>>, Errno> {
    let mut here: Option<Vec<OwnedFd>> = None;
    for name in names {
        match look(here.as_deref().unwrap_or(roots), name)? {
            Found::Directory(dirs) => here = Some(dirs),
            _ => return Err(Errno::NOTDIR),
        }
    }
    Ok(here)
}

/// Looks a name up in merged directories as overlay does (the kernel's overlayfs.rst, "Upper and
/// Lower" and "whiteouts and opaque directories").
pub(crate) fn look(dirs: &[OwnedFd], name: &[u8]) -> Result<Found, Errno> {
    let mut merged = Vec::new();
    for dir in dirs {
        let stat = match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => continue,
            result => result?,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(dir, name, flags, Mode::empty())?;
                let opaque = is_opaque(&fd)?;
                merged.push(fd);
                if opaque {
                    break;
                }
            }
            // Whatever stands below a directory of an upper layer is hidden by it.
            _ if !merged.is_empty() => break,
            FileType::Symlink => {
                let target = rustix::fs::readlinkat(dir, name, Vec::new())?;
                return Ok(Found::Link(target.into_bytes()));
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                return rustix::fs::openat(dir, name, flags, Mode::empty()).map(Found::File);
            }
            // A whiteout, or what has no contents.
            _ => return Ok(Found::Nothing),
        }
    }
    Ok(match merged.is_empty() {
        true => Found::Nothing,
        false => Found::Directory(merged),
    })
}

/// Whether a directory hides what the layers below have in it.
pub(crate) fn is_opaque(dir: impl AsFd) -> Result<bool, Errno> {
    for key in ["trusted.overlay.opaque", "user.overlay.opaque"] {
        let mut value = [0u8; 4];
        match rustix::fs::fgetxattr(&dir, key, &mut value[..]) {
            Ok(n) if value[..n] == *b"y" => return Ok(true),
            Ok(_) | Err(Errno::NODATA | Errno::OPNOTSUPP | Errno::RANGE) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(false)
}

pub(crate) fn push_names(todo: &mut Vec<Vec<u8>>, path: &[u8]) {
    let names = path.split(|b| *b == b'/');
    let names = names.filter(|name| !matches!(*name, b"" | b"."));
    todo.extend(names.rev().map(<[u8]>::to_vec));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// Three layers as unpacking leaves them: the upper hides, replaces and merges.
    #[test]
    fn the_stack_is_read_as_overlay_would_show_it() {
        let top = std::env::temp_dir().join(format!("fastbox-image-read-{}", std::process::id()));
        let layers = ["1", "2", "3"].map(|name| top.join(name));
        let write = |layer: usize, path: &str| {
            let path = layers[layer].join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, layer.to_string()).unwrap();
        };
        for path in ["d/low", "d/both", "d/gone", "opaque/low", "f", "file/x"] {
            write(0, path);
        }
        write(1, "d/both");
        write(1, "opaque/mid");
        write(2, "d/top");
        write(2, "file");
        let dir = File::open(layers[1].join("opaque")).unwrap();
        let flags = rustix::fs::XattrFlags::empty();
        if rustix::fs::fsetxattr(&dir, "user.overlay.opaque", b"y", flags).is_err() {
            rustix::fs::fsetxattr(&dir, "trusted.overlay.opaque", b"y", flags).unwrap();
        }
        let gone = layers[1].join("d/gone");
        let none = Mode::empty();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &gone,
            FileType::CharacterDevice,
            none,
            rustix::fs::makedev(0, 0),
        )
        .unwrap();
        symlink("/d/../d/./low", layers[2].join("absolute")).unwrap();
        symlink("../../../../../../d/top", layers[2].join("d/climbs")).unwrap();
        symlink("loop", layers[2].join("loop")).unwrap();
        symlink("/etc/hostname", layers[2].join("outside")).unwrap();
        let read = |path: &str| {
            let found = read_file(&layers, path.as_bytes(), 10).unwrap();
            found.map(|bytes| String::from_utf8(bytes).unwrap())
        };
        for (path, layer) in [
            ("/d/low", "0"),
            ("d/both", "1"),
            ("d/top", "2"),
            ("opaque/mid", "1"),
            ("f", "0"),
            ("file", "2"),
            ("absolute", "0"),
            ("d/climbs", "2"),
            ("../../f", "0"),
        ] {
            assert_eq!(read(path).as_deref(), Some(layer), "{path}");
        }
        for path in [
            "d/gone",
            "opaque/low",
            "file/x",
            "loop",
            "outside",
            "d",
            "",
            "d/low/x",
            "none/x",
        ] {
            assert_eq!(read(path), None, "{path}");
        }
        let large = read_file(&layers, b"f", 0);
        assert!(matches!(large, Err(ImageError::LimitExceeded { .. })));
        std::fs::remove_dir_all(&top).unwrap();
    }
}
