//! Removing names and images.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::Store;
use super::record::Record;
use super::resolve::Target;
use super::workspace::Workspace;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::reference::Reference;

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The names that are gone, in their familiar form.
    pub untagged: Vec<String>,
    /// The image that is gone with its last name; None if it has others, or is in use.
    pub image: Option<Digest>,
    /// The unpacked layers that are gone, which no other image has.
    pub layers: Vec<Digest>,
}

impl Store {
    /// Removes a name. With its last name, or by id, the image goes too, and with it the layers
    /// that no other image has. `force` removes by id an image that has several names, and takes
    /// the last name from an image that is in use, which stays.
    ///
    /// # Errors
    /// [`ImageError::InUse`] while anyone holds the [`crate::Image`], in this process or another;
    /// [`ImageError::SeveralNames`]; those of [`Store::resolve`].
    pub fn remove(&self, name: &str, force: bool) -> Result<Removed, ImageError> {
        // Made first: while it is there, a removal that is cut short is finished by the next opening.
        let workspace = self.workspace()?;
        let lock = self.lock()?;
        let target = self.find(name)?;
        let id = target.record().id;
        let mut records = self.records()?;
        records.retain(|record| record.id == id);
        let untagged = records.iter().filter_map(Record::reference);
        let untagged: Vec<String> = untagged.map(|name| name.short()).collect();
        if let Target::Name(record) = &target
            && untagged.len() > 1
        {
            return self.untag(record);
        }
        if untagged.len() > 1 && !force {
            return Err(ImageError::SeveralNames {
                id: id.short(),
                names: untagged,
            });
        }
        let Some(claim) = self.claim(&id)? else {
            if let (Target::Name(record), true) = (&target, force) {
                let mut nameless = record.clone();
                nameless.name = None;
                self.put(&nameless)?;
                return self.untag(record);
            }
            return Err(ImageError::InUse {
                name: name.to_owned(),
            });
        };
        for record in &records {
            self.forget(record)?;
        }
        let layers = self.sweep(&workspace)?;
        drop((claim, lock));
        Ok(Removed {
            untagged,
            image: Some(id),
            layers,
        })
    }

    fn untag(&self, record: &Record) -> Result<Removed, ImageError> {
        self.forget(record)?;
        self.write_index(&self.records()?)?;
        let name = record.reference();
        Ok(Removed {
            untagged: name.iter().map(Reference::short).collect(),
            ..Removed::default()
        })
    }

    /// Moves everything that no record names into the workspace, which takes it away, and writes
    /// the index. Returns the layers among it. Needs the lock.
    pub(super) fn sweep(&self, workspace: &Workspace) -> Result<Vec<Digest>, ImageError> {
        // Fails on a record that cannot be read: it may name anything.
        let records = self.records()?;
        let all = |digests: fn(&Record) -> Vec<Digest>| -> HashSet<Digest> {
            records.iter().flat_map(digests).collect()
        };
        let layers = all(|record| record.layers.clone());
        let ids = all(|record| vec![record.id]);
        let blobs = all(|record| [&record.blobs[..], &[record.id, record.manifest]].concat());
        // A lease goes first: who opens it later finds no image, instead of one that is going.
        bury(workspace, &self.root.join("leases"), &ids)?;
        let trees = records.iter().filter_map(|record| record.tree).collect();
        bury(workspace, &self.root.join("trees"), &trees)?;
        let gone = bury(workspace, &self.root.join("layers"), &layers)?;
        bury(workspace, &self.root.join("notes"), &layers)?;
        bury(workspace, &self.blobs(), &blobs)?;
        self.write_index(&records)?;
        Ok(gone)
    }
}

/// Takes from a directory whatever is not in `keep`; returns the digests among it.
fn bury(
    workspace: &Workspace,
    directory: &Path,
    keep: &HashSet<Digest>,
) -> Result<Vec<Digest>, ImageError> {
    let mut gone = Vec::new();
    let failed = |error| ImageError::io("read", directory)(error);
    let entries = match std::fs::read_dir(directory) {
        // A store of an earlier version lacks it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(gone),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let digest = entry.file_name().to_str().and_then(Digest::parse);
        if digest.is_some_and(|digest| keep.contains(&digest)) {
            continue;
        }
        workspace.bury(&entry.path())?;
        gone.extend(digest);
    }
    gone.sort();
    Ok(gone)
}
