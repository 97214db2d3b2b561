//! `--cidfile`: a file for the container's id.

use super::EngineError;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A new file. Dropped before there is an id, it is removed; after that it stays, also when the start fails.
#[derive(Debug)]
pub struct IdFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl IdFile {
    /// Makes it.
    ///
    /// # Errors
    /// [`EngineError::IdFileExists`]; that it cannot be made.
    pub fn create(path: &Path) -> Result<IdFile, EngineError> {
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        let file = made.map_err(|source| match source.kind() {
            ErrorKind::AlreadyExists => EngineError::IdFileExists {
                path: path.to_owned(),
            },
            _ => EngineError::IdFile {
                path: path.to_owned(),
                source,
            },
        })?;
        Ok(IdFile {
            path: path.to_owned(),
            file,
            written: false,
        })
    }

    pub(super) fn write(mut self, id: &str) -> Result<(), EngineError> {
        let written = self.file.write_all(id.as_bytes());
        self.written = written.is_ok();
        written.map_err(|source| EngineError::IdFile {
            path: self.path.clone(),
            source,
        })
    }
}

impl Drop for IdFile {
    fn drop(&mut self) {
        if !self.written {
            let _ = fs::remove_file(&self.path);
        }
    }
}
