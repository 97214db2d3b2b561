//! The record of control groups outside the usual place: which parents an owner's groups lie below, and which of the
//! directories on the way it made. Lines of a file in its directory, written before anything is made.
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use fastbox_container::cgroup::Parent;

use super::error::StateError;
use super::register::Owner;

/// The file's name.
pub(super) const PARENTS: &str = "cgroup-parents";

const PARENT: &str = "parent ";
const MADE: &str = "made ";

/// What the record of one owner says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub parents: Vec<Parent>,
    /// In the order of making.
    pub made: Vec<PathBuf>,
}

impl Owner {
    /// Puts on record that groups of this owner will lie below `parent`.
    ///
    /// # Errors
    /// Those of writing a file; [`StateError::Forked`].
    pub fn will_use_parent(&self, parent: &Parent) -> Result<(), StateError> {
        self.note(PARENT, parent.as_str())
    }

    /// Puts on record that this owner is about to make the group `path`.
    ///
    /// # Errors
    /// The same.
    pub fn will_make_group(&self, path: &Path) -> Result<(), StateError> {
        self.note(MADE, &path.to_string_lossy())
    }

    fn note(&self, kind: &str, what: &str) -> Result<(), StateError> {
        if !self.is_mine() {
            return Err(StateError::Forked);
        }
        let path = self.dir().join(PARENTS);
        let mut options = OpenOptions::new();
        let opened = options.append(true).create(true).mode(0o600).open(&path);
        opened
            .and_then(|mut file| file.write_all(format!("{kind}{what}\n").as_bytes()))
            .map_err(|error| StateError::io("write", &path, error))
    }
}

/// The record in an owner's directory; empty where there is none. Lines that make no sense are passed over.
pub(super) fn read(dir: &Path) -> Record {
    let mut record = Record::default();
    for line in fs::read_to_string(dir.join(PARENTS))
        .unwrap_or_default()
        .lines()
    {
        if let Some(path) = line.strip_prefix(PARENT) {
            record.parents.extend(Parent::parse(path));
        } else if let Some(path) = line.strip_prefix(MADE) {
            record.made.push(PathBuf::from(path));
        }
    }
    record
}
