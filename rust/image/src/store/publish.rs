//! Giving what is complete in a workspace its place and its names.

use std::collections::HashSet;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use super::record::Record;
use super::settle::Unsettled;
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
    /// Publishes images under their names; one without any is an image without a name unless it has
    /// some already. `mark` is for all that was placed. On an error what was placed is taken away
    /// again. Needs the lock.
    pub(super) fn publish(
        &self,
        workspace: &Workspace,
        placed: &Placed,
        mark: Option<&Unsettled>,
        images: &[(&Record, &[Reference])],
    ) -> Result<Vec<Published>, ImageError> {
        let published: Result<Vec<_>, _> = (|| {
            self.place(workspace, placed)?;
            for (record, _) in images {
                self.create_lease(&record.id)?;
            }
            for directory in ["blobs/sha256", "leases"] {
                sync_directory(&self.root.join(directory))?;
            }
            let images = images.iter();
            images
                .map(|(record, names)| self.record(record, mark, names))
                .collect()
        })();
        if published.is_err() {
            // The first error is the one to report; the next cleaning tries again.
            let _ = self.sweep(workspace);
        }
        published
    }

    /// Gives the files and directories of a workspace their places. Needs the lock.
    pub(super) fn place(&self, workspace: &Workspace, placed: &Placed) -> Result<(), ImageError> {
        for name in ["notes", "trees"] {
            // A store of an earlier version lacks them.
            let path = self.root.join(name);
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
            made.map_err(ImageError::io("create directory", &path))?;
        }
        let mut there = HashSet::new();
        for record in self.records()?.iter().filter(|record| record.is_sound()) {
            there.extend(self.places(record));
        }
        for (from, to) in placed {
            // It may be in use.
            if there.contains(to) && to.exists() {
                continue;
            }
            // What no sound image has may be anything: the machine stopped before it was written.
            if to.is_dir() {
                workspace.bury(to)?;
            }
            std::fs::rename(from, to).map_err(ImageError::io("publish", to))?;
            // Two images may both have brought it.
            there.insert(to.clone());
        }
        Ok(())
    }

    /// Everything in the store that belongs to an image, but its lease and names.
    fn places(&self, record: &Record) -> Vec<PathBuf> {
        let layers = record.layers.iter();
        let layers = layers.flat_map(|id| [self.layer(id), self.notes_path(id)]);
        let trees = record.tree.iter().map(|tree| self.tree(tree));
        let blobs = record.blobs.iter().chain([&record.id, &record.manifest]);
        let blobs = blobs.map(|digest| self.blob(digest));
        layers.chain(trees).chain(blobs).collect()
    }

    /// Records an image whose files are in their places.
    fn record(
        &self,
        record: &Record,
        mark: Option<&Unsettled>,
        names: &[Reference],
    ) -> Result<Published, ImageError> {
        self.adopt(record, mark)?;
        let mut replaced = Vec::new();
        let mut record = record.clone();
        record.unsettled = mark.cloned();
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

    /// Marks the image's records that are not sound: its files were placed anew. Needs the lock.
    pub(super) fn adopt(&self, image: &Record, mark: Option<&Unsettled>) -> Result<(), ImageError> {
        for mut record in self.records()? {
            if record.id == image.id && record.tree == image.tree && !record.is_sound() {
                record.unsettled = mark.cloned();
                self.amend(&record)?;
            }
        }
        Ok(())
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
