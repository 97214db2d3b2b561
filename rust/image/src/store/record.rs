//! The documents in `refs`: which names and images there are.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::settle::Unsettled;
use super::{Store, parse};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::reference::Reference;

const VERSION: u32 = 1;

/// One name of an image, or an image without a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    version: u32,
    /// The full reference; None for an image that lost its last name.
    pub name: Option<String>,
    /// The digest of the config.
    pub id: Digest,
    pub manifest: Digest,
    pub manifest_size: u64,
    /// Digests of the unpacked layers, the lowest first.
    pub layers: Vec<Digest>,
    /// Digests of the layers' blobs, in the same order.
    pub blobs: Vec<Digest>,
    /// The merged tree of the layers, where they are not exactly one.
    #[serde(default)]
    pub tree: Option<Digest>,
    /// Set while its unpacked files may not be on the disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsettled: Option<Unsettled>,
    /// When the image was made, in RFC 3339.
    pub created: String,
    /// Bytes of file data in the unpacked layers.
    pub size: u64,
    /// The same of each layer that the image's history names; empty where it is unknown.
    #[serde(default)]
    pub layer_sizes: Vec<u64>,
}

impl Record {
    pub(super) fn new(manifest: (Digest, u64), id: Digest, created: String) -> Record {
        Record {
            version: VERSION,
            name: None,
            id,
            manifest: manifest.0,
            manifest_size: manifest.1,
            layers: Vec::new(),
            blobs: Vec::new(),
            tree: None,
            unsettled: None,
            created,
            size: 0,
            layer_sizes: Vec::new(),
        }
    }

    pub(super) fn reference(&self) -> Option<Reference> {
        let name = self.name.as_deref()?;
        Reference::parse(name).ok()
    }
}

impl Store {
    fn refs(&self) -> PathBuf {
        self.root.join("refs")
    }

    pub(super) fn name_path(&self, name: &Reference) -> PathBuf {
        self.refs().join(format!("{}.json", name.file_stem()))
    }

    /// Where an image without a name is recorded. No name's file begins with `@`.
    pub(super) fn nameless_path(&self, id: &Digest) -> PathBuf {
        self.refs().join(format!("@{}.json", id.hex()))
    }

    pub(super) fn record_path(&self, record: &Record) -> PathBuf {
        match record.reference() {
            Some(name) => self.name_path(&name),
            None => self.nameless_path(&record.id),
        }
    }

    /// The record of a name.
    pub(super) fn named(&self, name: &Reference) -> Result<Option<Record>, ImageError> {
        read(&self.name_path(name))
    }

    /// Every record, ordered by name.
    pub(super) fn records(&self) -> Result<Vec<Record>, ImageError> {
        let refs = self.refs();
        let failed = |error| ImageError::io("read", &refs)(error);
        let mut records = Vec::new();
        for entry in std::fs::read_dir(&refs).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|e| e == "json") {
                // One may have been removed since.
                records.extend(read(&path)?);
            }
        }
        records.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        Ok(records)
    }

    /// Stores a record durably. Needs the lock.
    pub(super) fn put(&self, record: &Record) -> Result<(), ImageError> {
        let path = self.record_path(record);
        let text = serde_json::to_vec(record).map_err(|error| ImageError::Damaged {
            path: path.clone(),
            reason: error.to_string(),
        })?;
        self.write(&path, &text)
    }

    /// Stores a record anew that says the same of names and images: when it got its name stays as it
    /// was. Needs the lock.
    pub(super) fn amend(&self, record: &Record) -> Result<(), ImageError> {
        let path = self.record_path(record);
        let failed = |operation| ImageError::io::<io::Error>(operation, &path);
        let named = std::fs::metadata(&path).and_then(|stat| stat.modified());
        let named = named.map_err(failed("examine"))?;
        self.put(record)?;
        File::open(&path)
            .and_then(|file| file.set_modified(named))
            .map_err(failed("set times of"))
    }

    /// Removes a record. Needs the lock.
    pub(super) fn forget(&self, record: &Record) -> Result<(), ImageError> {
        let path = self.record_path(record);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(ImageError::io("remove", &path)),
        }
    }
}

fn read(path: &Path) -> Result<Option<Record>, ImageError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        result => result.map_err(ImageError::io("read", path))?,
    };
    let Versioned { version } = parse(path, &text)?;
    if version != VERSION {
        return Err(ImageError::Version {
            path: path.to_path_buf(),
            found: version.to_string(),
            supported: VERSION,
        });
    }
    let record: Record = parse(path, &text)?;
    if record.name.is_some() && record.reference().is_none() {
        return Err(ImageError::Damaged {
            path: path.to_path_buf(),
            reason: "the name in it is invalid".to_owned(),
        });
    }
    Ok(Some(record))
}
