//! An image that is ready to use.

use std::fs::File;
use std::path::PathBuf;

use oci_spec::image::ImageConfiguration;
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::error::ImageError;
use crate::read;
use crate::reference::Reference;

/// An image found in a store. While it lives, the image cannot be removed; the lease is a `flock`,
/// which ends with the process however that ends.
#[derive(Debug)]
pub struct Image {
    /// The image's id: the digest of its config.
    pub id: Digest,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The name it was found by, or the first it has; None for an image without any.
    pub name: Option<Reference>,
    /// The config document (OCI image-spec, config.md).
    pub config: ImageConfiguration,
    /// Its health check, which only Docker's format has: an object with the fields of
    /// [`Healthcheck`](crate::Healthcheck).
    pub healthcheck: Option<Map<String, Value>>,
    /// The unpacked layers, the lowest first.
    pub layers: Vec<PathBuf>,
    pub(crate) _lease: File,
}

impl Image {
    /// The contents of the regular file at `path` in the image, as a container would see it: the
    /// upper layers before the lower, whiteouts and opaque directories honoured, symbolic links
    /// followed within the image. None where there is none: it is missing, or no regular file.
    ///
    /// # Errors
    /// [`ImageError::LimitExceeded`] where it has more than `max` bytes, [`ImageError::Io`] where it
    /// cannot be read.
    pub fn read_file(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, ImageError> {
        read::read_file(&self.layers, path.as_bytes(), max)
    }
}
