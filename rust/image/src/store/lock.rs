//! The store's short lock, and the leases on images.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use super::Store;
use crate::digest::Digest;
use crate::error::ImageError;

/// The store is being changed. Ends with the value.
pub(super) struct Locked {
    _file: File,
}

impl Store {
    /// Waits for the right to change what the store names. Held for an instant only: whatever takes
    /// long is done before, in a workspace, or after.
    pub(super) fn lock(&self) -> Result<Locked, ImageError> {
        let path = self.root.join("lock");
        let file = open_lock(&path).map_err(ImageError::io("open", &path))?;
        flock(&file, FlockOperation::LockExclusive).map_err(ImageError::io("lock", &path))?;
        Ok(Locked { _file: file })
    }

    pub(super) fn lease_path(&self, id: &Digest) -> PathBuf {
        self.root.join("leases").join(id.hex())
    }

    /// Makes the lease's file, where it is missing. Needs the lock.
    pub(super) fn create_lease(&self, id: &Digest) -> Result<(), ImageError> {
        let path = self.lease_path(id);
        open_lock(&path)
            .map(drop)
            .map_err(ImageError::io("create", &path))
    }

    /// Takes a share of an image's lease; None if the image is gone, or goes while this waits.
    pub(super) fn lease(&self, id: &Digest) -> Result<Option<File>, ImageError> {
        let path = self.lease_path(id);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(ImageError::io("open", &path))?,
        };
        flock(&file, FlockOperation::LockShared).map_err(ImageError::io("lock", &path))?;
        let stat = file.metadata().map_err(ImageError::io("examine", &path))?;
        Ok((stat.nlink() > 0).then_some(file))
    }

    /// Takes an image's lease for removing it; None while somebody holds a share. Needs the lock.
    pub(super) fn claim(&self, id: &Digest) -> Result<Option<File>, ImageError> {
        let path = self.lease_path(id);
        let file = open_lock(&path).map_err(ImageError::io("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(ImageError::io("lock", &path)(errno)),
        }
    }
}

pub(super) fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

pub(super) fn flock(file: impl std::os::fd::AsFd, how: FlockOperation) -> Result<(), Errno> {
    loop {
        match rustix::fs::flock(&file, how) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}
