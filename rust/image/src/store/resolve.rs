//! Finding images.

use oci_spec::image::ImageConfiguration;

use super::record::Record;
use super::{Store, parse};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
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
    /// Bytes of file data in its unpacked layers.
    pub size: u64,
}

/// What a text given by a user means.
pub(super) enum Target {
    /// A name, with its record.
    Name(Record),
    /// An id, a part of one, or a digest; with one of the image's records.
    Id(Record),
}

impl Target {
    pub(super) fn record(&self) -> &Record {
        match self {
            Target::Name(record) | Target::Id(record) => record,
        }
    }
}

impl Store {
    /// Finds an image by name (`debian`, `debian:12`), id, the beginning of an id, or digest
    /// (`sha256:…`, of its config or manifest), and holds it. A name goes before the beginning of
    /// an id.
    ///
    /// # Errors
    /// [`ImageError::NotFound`], [`ImageError::Ambiguous`] for the beginning of several ids,
    /// [`ImageError::InvalidReference`] for what can be neither name nor id.
    pub fn resolve(&self, name: &str) -> Result<Image, ImageError> {
        let target = self.find(name)?;
        self.hold(target.record())?
            .ok_or_else(|| ImageError::NotFound {
                name: name.to_owned(),
            })
    }

    /// All images, those with names first, ordered by name.
    ///
    /// # Errors
    /// [`ImageError::Damaged`], [`ImageError::Version`], [`ImageError::Io`].
    pub fn list(&self) -> Result<Vec<Summary>, ImageError> {
        let mut images: Vec<Summary> = Vec::new();
        for record in self.records()? {
            let name = record.reference();
            if let Some(known) = images.iter_mut().find(|image| image.id == record.id) {
                known.names.extend(name);
                continue;
            }
            images.push(Summary {
                id: record.id,
                manifest: record.manifest,
                names: name.into_iter().collect(),
                created: record.created,
                size: record.size,
            });
        }
        images.sort_by_key(|image| image.names.is_empty());
        Ok(images)
    }

    pub(super) fn find(&self, text: &str) -> Result<Target, ImageError> {
        let not_found = || ImageError::NotFound {
            name: text.to_owned(),
        };
        // NAME@DIGEST and NAME:TAG@DIGEST mean the digest.
        let digest = text.rsplit_once('@').map_or(text, |(_, digest)| digest);
        if let Some(digest) = Digest::parse(digest) {
            let mut records = self.records()?.into_iter();
            let found = records.find(|r| r.id == digest || r.manifest == digest);
            return found.map(Target::Id).ok_or_else(not_found);
        }
        let reference = Reference::parse(text);
        if let Ok(reference) = &reference
            && let Some(record) = self.named(reference)?
        {
            return Ok(Target::Name(record));
        }
        let prefix = text.strip_prefix("sha256:").unwrap_or(text);
        let hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if prefix.is_empty() || !prefix.bytes().all(hex) {
            return reference.and(Err(not_found()));
        }
        let mut records = self.records()?;
        records.retain(|record| record.id.hex().starts_with(prefix));
        records.dedup_by_key(|record| record.id);
        let mut ids: Vec<Digest> = records.iter().map(|record| record.id).collect();
        ids.sort();
        ids.dedup();
        match (ids.len(), records.pop()) {
            (1, Some(record)) => Ok(Target::Id(record)),
            (0, _) | (_, None) => Err(not_found()),
            _ => Err(ImageError::Ambiguous {
                prefix: text.to_owned(),
                matches: ids.iter().map(Digest::short).collect(),
            }),
        }
    }

    /// Leases a record's image and reads its config; None if it was removed meanwhile.
    pub(super) fn hold(&self, record: &Record) -> Result<Option<Image>, ImageError> {
        let Some(lease) = self.lease(&record.id)? else {
            return Ok(None);
        };
        Ok(Some(Image {
            id: record.id,
            manifest: record.manifest,
            name: record.reference(),
            config: self.config(&record.id)?,
            layers: record.layers.iter().map(|id| self.layer(id)).collect(),
            _lease: lease,
        }))
    }

    fn config(&self, id: &Digest) -> Result<ImageConfiguration, ImageError> {
        let path = self.blob(id);
        let text = std::fs::read(&path).map_err(ImageError::io("read", &path))?;
        if Digest::of(&text) != *id {
            return Err(ImageError::Damaged {
                path,
                reason: "its digest is not its name".to_owned(),
            });
        }
        parse(&path, &text)
    }
}
