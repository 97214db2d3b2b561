//! Directories for work in progress, and what dead processes left of theirs.

use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::Store;
use super::lock::flock;
use crate::error::ImageError;
use crate::unpack::remove_tree;

/// A directory in `tmp`, locked while this lives and removed with it.
pub(super) struct Workspace {
    tmp: File,
    name: String,
    path: PathBuf,
    _lock: OwnedFd,
}

impl Workspace {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Which no other has.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Brings everything in it safely to the disk.
    pub(super) fn sync(&self) -> Result<(), ImageError> {
        File::open(&self.path)
            .and_then(|dir| Ok(rustix::fs::syncfs(dir)?))
            .map_err(ImageError::io("sync", &self.path))
    }

    /// Takes a file or directory of the store out of it: it is removed with the workspace.
    pub(super) fn bury(&self, path: &Path) -> Result<(), ImageError> {
        let kind = path.parent().and_then(Path::file_name).unwrap_or_default();
        let mut name = kind.to_os_string();
        name.push("-");
        name.push(path.file_name().unwrap_or_default());
        std::fs::rename(path, self.path.join(name)).map_err(ImageError::io("remove", path))
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed now is garbage that the next opening removes.
        let _ = remove_tree(&self.tmp, self.name.as_bytes());
    }
}

impl Store {
    pub(super) fn workspace(&self) -> Result<Workspace, ImageError> {
        let tmp_path = self.root.join("tmp");
        let tmp = File::open(&tmp_path).map_err(ImageError::io("open", &tmp_path))?;
        // So long as this is held, nobody takes a new directory for an abandoned one.
        flock(&tmp, FlockOperation::LockShared).map_err(ImageError::io("lock", &tmp_path))?;
        let (name, lock) = loop {
            let random = std::hash::RandomState::new().build_hasher().finish();
            let name = format!("{random:016x}");
            match rustix::fs::mkdirat(&tmp, name.as_str(), Mode::from_raw_mode(0o700)) {
                Err(Errno::EXIST) => continue,
                result => result.map_err(ImageError::io("create directory in", &tmp_path))?,
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let dir = rustix::fs::openat(&tmp, name.as_str(), flags, Mode::empty())
                .map_err(ImageError::io("open directory in", &tmp_path))?;
            break (name, dir);
        };
        let path = tmp_path.join(&name);
        flock(&lock, FlockOperation::LockExclusive).map_err(ImageError::io("lock", &path))?;
        flock(&tmp, FlockOperation::Unlock).map_err(ImageError::io("unlock", &tmp_path))?;
        Ok(Workspace {
            tmp,
            name,
            path,
            _lock: lock,
        })
    }

    /// Removes the workspaces of dead processes. Where there were any, their changes may have been
    /// cut short between two renames, so everything that no record names is removed too.
    pub(super) fn clean(&self) -> Result<(), ImageError> {
        let path = self.root.join("tmp");
        let failed = |operation| ImageError::io::<std::io::Error>(operation, &path);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&path).map_err(failed("read"))? {
            names.push(entry.map_err(failed("read"))?.file_name());
        }
        if names.is_empty() {
            return Ok(());
        }
        let tmp = File::open(&path).map_err(failed("open"))?;
        match flock(&tmp, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            // Somebody is making a workspace or cleaning; the next one cleans.
            Err(Errno::WOULDBLOCK) => return Ok(()),
            Err(errno) => return Err(ImageError::io("lock", &path)(errno)),
        }
        let mut abandoned = Vec::new();
        for name in names {
            use std::os::unix::ffi::OsStrExt;
            let name = name.as_bytes();
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat(&tmp, name, flags, Mode::empty()) {
                Err(Errno::NOENT) => {}
                Err(Errno::NOTDIR | Errno::LOOP) => abandoned.push((name.to_vec(), None)),
                Err(errno) => return Err(ImageError::io("open directory in", &path)(errno)),
                Ok(dir) => match flock(&dir, FlockOperation::NonBlockingLockExclusive) {
                    Err(Errno::WOULDBLOCK) => {}
                    result => {
                        result.map_err(ImageError::io("lock", &path))?;
                        abandoned.push((name.to_vec(), Some(dir)));
                    }
                },
            }
        }
        // Their own locks keep others away from now on, and makers need not wait.
        flock(&tmp, FlockOperation::Unlock).map_err(ImageError::io("unlock", &path))?;
        if abandoned.is_empty() {
            return Ok(());
        }
        let workspace = self.workspace()?;
        {
            let _lock = self.lock()?;
            self.sweep(&workspace)?;
        }
        for (name, _lock) in abandoned {
            remove_tree(&tmp, &name)?;
        }
        Ok(())
    }
}
