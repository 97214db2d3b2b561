//! Unpacking an image again, where the machine stopped before its files were on the disk.

use std::io;
use std::sync::mpsc;

use rustix::fs::FlockOperation;

use super::loader::Loader;
use super::lock::{flock, open_lock};
use super::record::Record;
use super::settle::Unsettled;
use super::{Store, damaged};
use crate::archive::{Incoming, IncomingLayer, Source};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::unpack::Limits;

impl Store {
    /// Makes the layers and the tree of an image again, out of its blobs, each checked while it is
    /// read. The store is an image layout, so this is a load from it of what no sound image has.
    /// Needs a lease on the image, and no lock.
    ///
    /// # Errors
    /// [`ImageError::Lost`] where a blob is not what it was either.
    pub(super) fn restore(&self, asked: &Record) -> Result<(), ImageError> {
        // One at a time: who waits here finds it done.
        let path = self.root.join("restoring");
        let turn = open_lock(&path).map_err(ImageError::io("open", &path))?;
        flock(&turn, FlockOperation::LockExclusive).map_err(ImageError::io("lock", &path))?;
        let mut records = self.records()?.into_iter();
        let Some(record) = records.find(|record| record.id == asked.id && !record.is_sound())
        else {
            return Ok(());
        };
        self.restore_record(&record).map_err(|error| match error {
            ImageError::Io { ref source, .. } if source.kind() != io::ErrorKind::NotFound => error,
            error => ImageError::Lost {
                image: match asked.reference() {
                    Some(name) => name.short(),
                    None => asked.id.short(),
                },
                source: Box::new(error),
            },
        })
    }

    fn restore_record(&self, record: &Record) -> Result<(), ImageError> {
        let workspace = self.workspace()?;
        let source = Source::folder(&self.root)?;
        // What it was loaded with is not known any more, and was enough.
        let limits = Limits {
            max_bytes: u64::MAX,
            max_entries: u64::MAX,
        };
        let mut loader = Loader::new(self, &workspace, &source, limits)?;
        loader.has_blobs(&record.blobs);
        let (made, _) = mpsc::channel();
        loader.layers(&self.incoming(record)?, &made, &mut None)?;
        let mark = Unsettled::new(&workspace)?;
        let _locked = self.lock()?;
        self.place(&workspace, loader.placed())?;
        self.adopt(record, mark.as_ref())?;
        // What was found here already has been this image's too up to now.
        drop(loader);
        Ok(())
    }

    /// An image of the store as an image of a layout folder.
    fn incoming(&self, record: &Record) -> Result<Incoming, ImageError> {
        let path = self.blob(&record.manifest);
        let manifest = std::fs::read(&path).map_err(ImageError::io("read", &path))?;
        if Digest::of(&manifest) != record.manifest {
            return Err(damaged(path, "its digest is not its name"));
        }
        let layers = record.layers.iter().zip(&record.blobs);
        let layers = layers.map(|(diff_id, blob)| IncomingLayer {
            member: format!("blobs/sha256/{}", blob.hex()).into_bytes(),
            diff_id: *diff_id,
            blob: Some(*blob),
            size: None,
        });
        Ok(Incoming {
            names: Vec::new(),
            config: self.document(&record.id)?.into_bytes(),
            manifest: Some(manifest),
            layers: layers.collect(),
        })
    }
}
