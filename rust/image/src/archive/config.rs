//! What loading needs to know of an image's config.

use oci_spec::image::ImageConfiguration;
use serde::Deserialize;

use super::{IncomingLayer, MOST_LAYERS, parse};
use crate::digest::Digest;
use crate::error::ImageError;

#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Option<Vec<String>>,
}

/// The digests of the layers' uncompressed archives, the lowest first.
///
/// # Errors
/// [`ImageError::Document`] for a config that no container could be made from.
fn diff_ids(name: &str, config: &[u8]) -> Result<Vec<Digest>, ImageError> {
    // It is read as that whenever the image is used.
    parse::<ImageConfiguration>(name, config)?;
    let config: Config = parse(name, config)?;
    let ids = config.rootfs.diff_ids.unwrap_or_default();
    if ids.len() > MOST_LAYERS {
        let reason = format!(
            "it has {} layers, and at most {MOST_LAYERS} can be",
            ids.len()
        );
        return Err(ImageError::document(name, reason));
    }
    ids.iter().map(|id| digest(name, id)).collect()
}

/// Gives each of the members its digest from the config.
pub(super) fn with_diff_ids(
    name: &str,
    config: &[u8],
    members: Vec<Member>,
) -> Result<Vec<IncomingLayer>, ImageError> {
    let ids = diff_ids(name, config)?;
    if ids.len() != members.len() {
        let reason = format!(
            "it has {} diff_ids, and the manifest {} layers",
            ids.len(),
            members.len()
        );
        return Err(ImageError::document(name, reason));
    }
    let layers = ids.into_iter().zip(members);
    Ok(layers
        .map(|(diff_id, member)| IncomingLayer {
            member: member.name,
            diff_id,
            blob: member.blob,
            size: member.size,
        })
        .collect())
}

/// A layer's member as a manifest names it.
pub(super) struct Member {
    pub name: Vec<u8>,
    pub blob: Option<Digest>,
    pub size: Option<u64>,
}

/// A digest in the document `name`.
pub(super) fn digest(name: &str, text: &str) -> Result<Digest, ImageError> {
    let digest = text.strip_prefix("sha256:").and_then(Digest::parse);
    digest.ok_or_else(|| {
        let text: String = text.chars().take(100).collect();
        ImageError::document(name, format!("{text:?} is not sha256: and 64 hex digits"))
    })
}
