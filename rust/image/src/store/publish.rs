//! Giving what is complete in a workspace its place and its names.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use super::lock::Locked;
use super::record::Record;
use super::workspace::Workspace;
use super::{Store, sync_directory};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
use crate::reference::Reference;

/// What became of it.
pub(super) struct Published {
    pub image: Image,
    /// The images that lost their last name to this one.
    pub replaced: Vec<Digest>,
}

/// Files and directories of a workspace, each with its place in the store. The place is named by the
/// contents: what is there already is the same.
pub(super) type Placed = Vec<(PathBuf, PathBuf)>;

impl Store {
    /// Publishes an image under its names; without any, it is one without a name unless it has some
    /// already. On an error what was placed is taken away again.
    pub(super) fn publish(
        &self,
        locked: &Locked,
        workspace: &Workspace,
        placed: &Placed,
        record: &Record,
        names: &[Reference],
    ) -> Result<Published, ImageError> {
        let published = self.place(placed, record, names);
        if published.is_err() {
            // The first error is the one to report; the next cleaning tries again.
            let _ = self.sweep(workspace);
        }
        let _ = locked;
        published
    }

    fn place(
        &self,
        placed: &Placed,
        record: &Record,
        names: &[Reference],
    ) -> Result<Published, ImageError> {
        for name in ["notes", "trees"] {
            // A store of an earlier version lacks them.
            let path = self.root.join(name);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(ImageError::io("create directory", &path))?;
        }
        for (from, to) in placed {
            if !to.exists() {
                std::fs::rename(from, to).map_err(ImageError::io("publish", to))?;
            }
        }
        self.create_lease(&record.id)?;
        for directory in ["layers", "notes", "trees", "blobs/sha256", "leases"] {
            sync_directory(&self.root.join(directory))?;
        }
        let mut replaced = Vec::new();
        let mut record = record.clone();
        for name in names {
            if let Some(before) = self.named(name)?
                && before.id != record.id
            {
                replaced.extend(self.loses_name(before, name)?);
            }
            record.name = Some(name.to_string());
            self.put(&record)?;
        }
        let nameless = self.nameless_path(&record.id);
        if names.is_empty() {
            let mut others = self.records()?.into_iter();
            if let Some(other) = others.find(|other| other.id == record.id) {
                record = other;
            } else {
                self.put(&record)?;
            }
        } else {
            match std::fs::remove_file(&nameless) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                result => result.map_err(ImageError::io("remove", &nameless))?,
            }
        }
        self.write_index(&self.records()?)?;
        let image = self.hold(&record)?;
        Ok(Published {
            image: image.ok_or_else(|| ImageError::NotFound {
                name: record.id.to_string(),
            })?,
            replaced,
        })
    }

    /// Records an image without a name if `name` is its last one; returns its id then.
    pub(super) fn loses_name(
        &self,
        mut before: Record,
        name: &Reference,
    ) -> Result<Option<Digest>, ImageError> {
        let name = name.to_string();
        let mut others = self.records()?.into_iter();
        if others.any(|other| other.id == before.id && other.name.as_ref() != Some(&name)) {
            return Ok(None);
        }
        before.name = None;
        self.put(&before)?;
        Ok(Some(before.id))
    }
}
