//! Which images' files may be in the machine's memory only.
//!
//! Blobs and documents are on the disk before their image is published. What is made of blobs (layers,
//! notes, trees) is not waited for: the image's record is marked with the kernel's boot instead, until
//! somebody has waited ([`Store::settle`]). The death of a process takes nothing from the kernel's
//! memory; a mark of another boot means that the machine stopped too early, and the files are made
//! again ([`Store::restore`]).

use std::fs::File;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::Store;
use super::record::Record;
use super::workspace::Workspace;
use crate::error::ImageError;

/// What tells the boots of a kernel apart (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Files were published that may not be on the disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Unsettled {
    /// The boot of the kernel in whose memory they are.
    boot: String,
    /// Tells publications apart.
    publication: String,
}

impl Unsettled {
    /// The mark for what a workspace is about to publish; None, once it is on the disk, where the
    /// kernel's boot cannot be told.
    pub(super) fn new(workspace: &Workspace) -> Result<Option<Unsettled>, ImageError> {
        let Some(boot) = boot() else {
            workspace.sync()?;
            return Ok(None);
        };
        Ok(Some(Unsettled {
            boot: boot.to_owned(),
            publication: workspace.name().to_owned(),
        }))
    }
}

impl Record {
    /// Whether the image's layers, notes and tree are what its blobs say: they are on the disk, or the
    /// machine has not stopped since they were written.
    pub(super) fn is_sound(&self) -> bool {
        let mark = self.unsettled.as_ref();
        mark.is_none_or(|mark| Some(mark.boot.as_str()) == boot())
    }
}

impl Store {
    /// Waits until the files of all images of the store at `root` are on the disk, so that none needs
    /// to be unpacked again after a power failure. Blobs are there already; for them nobody has to
    /// call this. It waits for the whole file system, so call it where nobody waits.
    ///
    /// # Errors
    /// [`ImageError::Io`], [`ImageError::Damaged`], [`ImageError::Version`].
    pub fn settle(root: &Path) -> Result<(), ImageError> {
        let store = Store {
            root: root.to_path_buf(),
        };
        let here = store.records()?.into_iter().filter(Record::is_sound);
        let here: Vec<Unsettled> = here.filter_map(|record| record.unsettled).collect();
        if here.is_empty() {
            return Ok(());
        }
        // All that a publication gives is in its place before the first of its records.
        File::open(root)
            .and_then(|dir| Ok(rustix::fs::syncfs(dir)?))
            .map_err(ImageError::io("sync", root))?;
        let _lock = store.lock()?;
        for mut record in store.records()? {
            if record.unsettled.as_ref().is_some_and(|m| here.contains(m)) {
                record.unsettled = None;
                store.amend(&record)?;
            }
        }
        Ok(())
    }
}

/// This boot of the kernel; None where /proc does not tell.
fn boot() -> Option<&'static str> {
    static BOOT: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let text = std::fs::read_to_string(BOOT_ID).ok()?;
        Some(text.trim_end().to_owned())
    };
    BOOT.get_or_init(read).as_deref()
}

/// Brings a file's contents to the disk. Its name lasts once its directory is synced.
pub(super) fn sync_file(path: &Path) -> Result<(), ImageError> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(ImageError::io("sync", path))
}
