//! What there is, and what is known of it.

use std::path::PathBuf;
use std::time::SystemTime;

use super::clock::rfc3339;
use super::record::Record;
use super::{Store, damaged};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::reference::Reference;

/// An image in the list of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The image's id: the digest of its config.
    pub id: Digest,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// Its names; empty once another image took the last one.
    pub names: Vec<Reference>,
    /// When it was made, in RFC 3339.
    pub created: String,
    /// When it was last given a name or lost its last one, in RFC 3339.
    pub tagged: String,
    /// Bytes of file data in its unpacked layers.
    pub size: u64,
    /// The same of each layer that its history names, the lowest first; empty where it is unknown.
    pub layer_sizes: Vec<u64>,
    /// The unpacked layers, the lowest first.
    pub layers: Vec<PathBuf>,
}

impl Store {
    /// All images, the newest first.
    ///
    /// # Errors
    /// [`ImageError::Damaged`], [`ImageError::Version`], [`ImageError::Io`].
    pub fn list(&self) -> Result<Vec<Summary>, ImageError> {
        let mut images: Vec<Summary> = Vec::new();
        for record in self.records()? {
            let name = record.reference();
            let tagged = self.written(&record);
            if let Some(known) = images.iter_mut().find(|image| image.id == record.id) {
                known.names.extend(name);
                known.tagged = tagged.max(std::mem::take(&mut known.tagged));
                continue;
            }
            images.push(Summary {
                id: record.id,
                manifest: record.manifest,
                names: name.into_iter().collect(),
                created: record.created,
                tagged,
                size: record.size,
                layers: record.layers.iter().map(|id| self.layer(id)).collect(),
                layer_sizes: record.layer_sizes,
            });
        }
        // A stable sort: images of one instant stay in the order of their names.
        images.sort_by(|a, b| b.created.cmp(&a.created));
        Ok(images)
    }

    /// One image, found as [`Store::resolve`] does.
    ///
    /// # Errors
    /// Those of [`Store::resolve`].
    pub fn get(&self, name: &str) -> Result<Summary, ImageError> {
        let id = self.find(name)?.record().id;
        let mut images = self.list()?.into_iter();
        images
            .find(|image| image.id == id)
            .ok_or_else(|| ImageError::NotFound {
                name: name.to_owned(),
            })
    }

    /// The text of an image's config document (OCI image-spec, config.md), with all that is in it.
    ///
    /// # Errors
    /// [`ImageError::NotFound`] where the image is gone, [`ImageError::Damaged`], [`ImageError::Io`].
    pub fn document(&self, id: &Digest) -> Result<String, ImageError> {
        let path = self.blob(id);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ImageError::NotFound {
                    name: id.to_string(),
                });
            }
            result => result.map_err(ImageError::io("read", &path))?,
        };
        if Digest::of(&text) != *id {
            return Err(damaged(path, "its digest is not its name"));
        }
        String::from_utf8(text).map_err(|_| damaged(path, "it is not UTF-8"))
    }

    /// When a record was written; the earliest time where it is gone meanwhile.
    fn written(&self, record: &Record) -> String {
        let changed = std::fs::metadata(self.record_path(record)).and_then(|stat| stat.modified());
        rfc3339(changed.unwrap_or(SystemTime::UNIX_EPOCH))
    }
}
