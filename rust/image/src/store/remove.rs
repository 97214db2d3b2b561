//! Removing names and images.

use std::collections::HashSet;
use std::path::Path;

use super::Store;
use super::record::Record;
use super::resolve::Target;
use super::workspace::Workspace;
use crate::digest::Digest;
use crate::error::ImageError;

/// What a removal did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The names that are gone, in their full form.
    pub untagged: Vec<String>,
    /// The image that is gone with its last name; None if it has others.
    pub image: Option<Digest>,
    /// The unpacked layers that are gone, which no other image has.
    pub layers: Vec<Digest>,
}

impl Store {
    /// Removes a name. With its last name, or by id, the image goes too, and with it the layers
    /// that no other image has. `force` removes by id an image that has several names.
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
        let names: Vec<String> = records.iter().filter_map(|r| r.name.clone()).collect();
        if let Target::Name(record) = &target
            && names.len() > 1
        {
            self.forget(record)?;
            self.write_index(&self.records()?)?;
            return Ok(Removed {
                untagged: record.name.iter().cloned().collect(),
                ..Removed::default()
            });
        }
        if names.len() > 1 && !force {
            return Err(ImageError::SeveralNames {
                id: id.short(),
                names: records
                    .iter()
                    .filter_map(|r| Some(r.reference()?.short()))
                    .collect(),
            });
        }
        let Some(claim) = self.claim(&id)? else {
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
            untagged: names,
            image: Some(id),
            layers,
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
        let gone = bury(workspace, &self.root.join("layers"), &layers)?;
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
    for entry in std::fs::read_dir(directory).map_err(failed)? {
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
