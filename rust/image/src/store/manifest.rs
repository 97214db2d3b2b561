//! Image manifests of our own making (image-spec, manifest.md).

use std::fs::File;
use std::io::Read;
use std::path::Path;

use oci_spec::image::{ImageManifestBuilder, MediaType};
use serde::Deserialize;

use super::index::descriptor;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::stream::Format;

/// A layer's blob as a manifest names it.
pub(super) struct Blob {
    pub digest: Digest,
    pub size: u64,
    pub format: Format,
}

impl Blob {
    /// What a file of the store is.
    pub(super) fn read(digest: Digest, path: &Path) -> Result<Blob, ImageError> {
        let failed = |error| ImageError::io("read", path)(error);
        let file = File::open(path).map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        let mut head = Vec::new();
        let mut file = file.take(Format::MAGIC as u64);
        file.read_to_end(&mut head).map_err(failed)?;
        Ok(Blob {
            digest,
            size,
            format: Format::of(&head)?,
        })
    }

    fn media_type(&self) -> MediaType {
        match self.format {
            Format::Gzip => MediaType::ImageLayerGzip,
            // What OCI has no type for is kept as zstd.
            Format::Zstd | Format::Xz | Format::Bzip2 => MediaType::ImageLayerZstd,
            Format::Tar => MediaType::ImageLayer,
        }
    }
}

/// The manifest of an image.
pub(super) fn encode(config: &[u8], layers: &[Blob]) -> Result<Vec<u8>, ImageError> {
    let layers = layers.iter();
    let layers = layers.map(|blob| descriptor(blob.media_type(), blob.digest, blob.size));
    let manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(
            MediaType::ImageConfig,
            Digest::of(config),
            config.len() as u64,
        ))
        .layers(layers.collect::<Vec<_>>())
        .build();
    // Keys in order, so that equal manifests have equal digests.
    manifest
        .map_err(|error| error.to_string())
        .and_then(|manifest| serde_json::to_value(manifest).map_err(|error| error.to_string()))
        .map(|manifest| manifest.to_string().into_bytes())
        .map_err(|reason| ImageError::document("the new manifest", reason))
}

/// When an image was made, as its config says; Go's zero time where it does not, as in Docker.
pub(super) fn created(config: &[u8]) -> Result<String, ImageError> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(default)]
        created: Option<String>,
    }
    let config: Config = serde_json::from_slice(config)
        .map_err(|error| ImageError::document("the image's config", error))?;
    Ok(config
        .created
        .unwrap_or_else(|| "0001-01-01T00:00:00Z".to_owned()))
}
