//! Saving images: one archive that is an OCI image layout and a docker-archive at once.
//!
//! Both views name the same blobs. Docker before 23 cannot read layers compressed by zstd: where
//! there are such, the docker view names the layer's uncompressed archive, which is a blob of its
//! own beside the other.

mod archive;
mod documents;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use super::manifest::Blob;
use super::record::Record;
use super::resolve::Target;
use super::{LAYOUT, Store};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
use crate::reference::Reference;
use crate::stream::{self, Format, Keep, Progress};
use crate::tar::Input;

/// An image with the names it is saved under.
struct Saved {
    record: Record,
    names: Vec<Reference>,
    /// The members of its layers in the docker view, the lowest first.
    layers: Vec<String>,
    _held: Image,
}

/// What a member of the archive is made of.
enum Content {
    Text(Vec<u8>),
    /// A blob of the store, as it is.
    Blob {
        path: PathBuf,
        digest: Digest,
        size: u64,
    },
    /// A blob of the store, decompressed.
    Plain {
        path: PathBuf,
        digest: Digest,
        size: u64,
    },
}

/// The archive's members, in their order.
type Members = BTreeMap<String, Content>;

impl Store {
    /// Writes images to one archive, which [`Store::load`], Docker, Podman and every reader of OCI
    /// archives understand. A name without a tag means all tags of that name; an image given by its
    /// id is saved without a name. The same images make the same archive, byte by byte.
    ///
    /// # Errors
    /// Those of [`Store::resolve`]; [`ImageError::Mismatch`] for a damaged blob; [`ImageError::Io`].
    pub fn save(
        &self,
        images: &[&str],
        out: &mut dyn Write,
        mut progress: Option<Progress<'_>>,
    ) -> Result<(), ImageError> {
        let mut saved: Vec<Saved> = Vec::new();
        for image in images {
            for (record, name) in self.wanted(image)? {
                let known = saved
                    .iter_mut()
                    .find(|s| s.record.manifest == record.manifest);
                let entry = match known {
                    Some(entry) => entry,
                    None => {
                        let held = self.hold(&record)?;
                        saved.push(Saved {
                            record,
                            names: Vec::new(),
                            layers: Vec::new(),
                            _held: held.ok_or_else(|| ImageError::NotFound {
                                name: (*image).to_owned(),
                            })?,
                        });
                        let last = saved.len() - 1;
                        &mut saved[last]
                    }
                };
                entry
                    .names
                    .extend(name.filter(|name| !entry.names.contains(name)));
            }
        }
        let mut members = Members::new();
        for image in &mut saved {
            self.members(image, &mut members)?;
        }
        let text = |text: Vec<u8>| Content::Text(text);
        members.insert("oci-layout".to_owned(), text(LAYOUT.into()));
        members.insert("index.json".to_owned(), text(documents::index(&saved)?));
        members.insert(
            "manifest.json".to_owned(),
            text(documents::manifest(&saved)),
        );
        let repositories = documents::repositories(&saved);
        members.insert("repositories".to_owned(), text(repositories));
        archive::write(&members, out, &mut progress)
    }

    /// The images and names that a text means.
    fn wanted(&self, text: &str) -> Result<Vec<(Record, Option<Reference>)>, ImageError> {
        let name = Reference::parse(text).ok();
        let last = text.rsplit('/').next().unwrap_or(text);
        if let Some(name) = name.filter(|_| !last.contains([':', '@'])) {
            let mut found = Vec::new();
            for record in self.records()? {
                let tag = record.reference();
                if tag
                    .as_ref()
                    .is_some_and(|tag| tag.repository() == name.repository())
                {
                    found.push((record, tag));
                }
            }
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(vec![match self.find(text)? {
            Target::Name(record) => {
                let name = record.reference();
                (record, name)
            }
            Target::Id(record) => (record, None),
        }])
    }

    /// Adds an image's blobs.
    fn members(&self, image: &mut Saved, members: &mut Members) -> Result<(), ImageError> {
        let record = &image.record;
        for digest in [record.id, record.manifest] {
            let path = self.blob(&digest);
            let size = size(&path)?;
            members.insert(member(&digest), Content::Blob { path, digest, size });
        }
        for (diff_id, digest) in record.layers.iter().zip(&record.blobs) {
            let path = self.blob(digest);
            let blob = Blob::read(*digest, &path)?;
            let (digest, size) = (blob.digest, blob.size);
            if !matches!(blob.format, Format::Tar | Format::Gzip) {
                let size = self.plain_size(record, diff_id, &path)?;
                let (path, digest) = (path.clone(), *diff_id);
                let plain = Content::Plain { path, digest, size };
                members.entry(member(diff_id)).or_insert(plain);
                image.layers.push(member(diff_id));
            } else {
                image.layers.push(member(&digest));
            }
            members.insert(member(&digest), Content::Blob { path, digest, size });
        }
        Ok(())
    }

    /// The length of a layer's archive, uncompressed.
    fn plain_size(
        &self,
        record: &Record,
        diff_id: &Digest,
        blob: &PathBuf,
    ) -> Result<u64, ImageError> {
        if record.is_sound()
            && let Some(notes) = self.notes(diff_id)?
        {
            return Ok(notes.stream);
        }
        let file = std::fs::File::open(blob).map_err(ImageError::io("read", blob))?;
        let streamed = stream::run(file, Keep::Nothing, None, |mut archive| {
            while archive.skip(u64::MAX)? > 0 {}
            Ok(())
        })?;
        Ok(streamed.diff.1)
    }
}

/// Where a blob is in the archive.
fn member(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

fn size(path: &PathBuf) -> Result<u64, ImageError> {
    let meta = std::fs::metadata(path).map_err(ImageError::io("read", path))?;
    Ok(meta.len())
}
