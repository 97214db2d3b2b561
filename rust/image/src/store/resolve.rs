//! Finding images.

use serde_json::{Map, Value};

use super::record::Record;
use super::{Store, parse};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
use crate::reference::Reference;

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
    /// Finds an image by name (`debian`, `debian:12`), name and digest of its manifest
    /// (`debian@sha256:…`; a tag in between counts for nothing), id, the beginning of an id, or
    /// digest (`sha256:…`, of its config or manifest), and holds it. A name goes before the
    /// beginning of an id. The first time after a power failure it may have to be unpacked again.
    ///
    /// # Errors
    /// [`ImageError::NotFound`], [`ImageError::Ambiguous`] for the beginning of several ids,
    /// [`ImageError::InvalidReference`] for what can be neither name nor id, [`ImageError::Lost`].
    pub fn resolve(&self, name: &str) -> Result<Image, ImageError> {
        let target = self.find(name)?;
        let record = target.record();
        let image = self.hold(record)?.ok_or_else(|| ImageError::NotFound {
            name: name.to_owned(),
        })?;
        if !record.is_sound() {
            self.restore(record)?;
        }
        Ok(image)
    }

    pub(super) fn find(&self, text: &str) -> Result<Target, ImageError> {
        let not_found = || ImageError::NotFound {
            name: text.to_owned(),
        };
        if let Some((name, digest)) = text.split_once('@') {
            let (name, manifest) = pinned(text, name, digest)?;
            let mut records = self.records()?.into_iter();
            let same = |known: Reference| known.repository() == name.repository();
            let found = records.find(|r| r.manifest == manifest && r.reference().is_some_and(same));
            return found.map(Target::Id).ok_or_else(not_found);
        }
        if let Some(digest) = Digest::parse(text) {
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

    /// Leases a record's image and reads its config; None if it was removed meanwhile. Of an image
    /// that is not sound the layers are not to be read.
    pub(super) fn hold(&self, record: &Record) -> Result<Option<Image>, ImageError> {
        let Some(lease) = self.lease(&record.id)? else {
            return Ok(None);
        };
        let document = self.document(&record.id)?;
        Ok(Some(Image {
            id: record.id,
            manifest: record.manifest,
            name: record.reference(),
            config: parse(&self.blob(&record.id), document.as_bytes())?,
            healthcheck: healthcheck(&document),
            layers: match &record.tree {
                Some(tree) => vec![self.tree(tree)],
                None => record.layers.iter().map(|id| self.layer(id)).collect(),
            },
            _lease: lease,
        }))
    }
}

/// What OCI's config has no field for.
fn healthcheck(document: &str) -> Option<Map<String, Value>> {
    // Hardly an image has one, and reading a document twice takes its time.
    if !document.contains("\"Healthcheck\"") {
        return None;
    }
    let mut document: Value = serde_json::from_str(document).ok()?;
    match document.get_mut("config")?.get_mut("Healthcheck")?.take() {
        Value::Object(check) => Some(check),
        _ => None,
    }
}

/// The two parts of NAME@DIGEST.
fn pinned(text: &str, name: &str, digest: &str) -> Result<(Reference, Digest), ImageError> {
    let digest = digest.strip_prefix("sha256:").and_then(Digest::parse);
    let digest = digest.ok_or_else(|| ImageError::InvalidReference {
        reference: text.chars().take(300).collect(),
        reason: "sha256: and 64 hex digits must follow the @",
    })?;
    Ok((Reference::parse(name)?, digest))
}
