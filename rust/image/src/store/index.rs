//! `index.json`: the layout's table of contents, derived from the records for other programs.

use std::collections::HashMap;

use oci_spec::image::{Descriptor, ImageIndexBuilder, MediaType, Sha256Digest};

use super::Store;
use super::record::Record;
use crate::digest::Digest;
use crate::error::ImageError;

impl Store {
    /// Writes the index anew. Needs the lock.
    pub(super) fn write_index(&self, records: &[Record]) -> Result<(), ImageError> {
        let path = self.root.join("index.json");
        let mut manifests = Vec::new();
        for record in records {
            let mut manifest = descriptor(
                MediaType::ImageManifest,
                record.manifest,
                record.manifest_size,
            );
            if let Some(name) = &record.name {
                let key = oci_spec::image::ANNOTATION_REF_NAME.to_owned();
                manifest.set_annotations(Some(HashMap::from([(key, name.clone())])));
            }
            manifests.push(manifest);
        }
        let index = ImageIndexBuilder::default()
            .schema_version(2u32)
            .media_type(MediaType::ImageIndex)
            .manifests(manifests)
            .build()
            .map_err(|e| e.to_string())
            .and_then(|index| serde_json::to_vec(&index).map_err(|e| e.to_string()))
            .map_err(|reason| ImageError::Damaged {
                path: path.clone(),
                reason,
            })?;
        self.write(&path, &index)
    }
}

/// An OCI descriptor (image-spec, descriptor.md).
pub(super) fn descriptor(media_type: MediaType, digest: Digest, size: u64) -> Descriptor {
    use std::str::FromStr;
    // 64 lower-case hex digits are what the type wants.
    let digest = Sha256Digest::from_str(&digest.hex()).expect("a digest has 64 hex digits");
    Descriptor::new(media_type, size, digest)
}
