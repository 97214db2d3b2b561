//! The OCI image layout (image-spec, image-layout.md, image-index.md, manifest.md), in a folder or
//! in a tar, and what Docker 25 and later write: a layout with a `manifest.json` beside it.

mod platform;

use std::collections::{HashMap, HashSet};

use serde::Deserialize;

use super::config::{Member, digest, with_diff_ids};
use super::docker::{self, check};
use super::{Incoming, MOST_IMAGES, Source, at_most, parse};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::reference::Reference;
use platform::Platform;

const INDEX: &str = "index.json";
/// An index within an index within an index… to this depth.
const DEEPEST: usize = 8;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layout {
    image_layout_version: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    digest: String,
    size: u64,
    #[serde(default)]
    annotations: Option<HashMap<String, String>>,
    #[serde(default)]
    platform: Option<Platform>,
}

/// An index or a manifest: which of them, what it has tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    #[serde(default)]
    schema_version: Option<u64>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
}

impl Descriptor {
    fn annotation(&self, key: &str) -> Option<&str> {
        Some(self.annotations.as_ref()?.get(key)?.as_str())
    }

    /// What BuildKit adds beside an image to tell how it was built.
    fn is_attestation(&self) -> bool {
        self.annotation("vnd.docker.reference.type") == Some("attestation-manifest")
    }

    /// The name of the image. `ref.name` may be any word (image-spec, annotations.md), and tools
    /// that know the repository from elsewhere write the tag alone: that is no name.
    fn name(&self) -> Result<Option<Reference>, ImageError> {
        if let Some(name) = self.annotation("io.containerd.image.name") {
            return Reference::parse(name).map(Some);
        }
        let name = self.annotation("org.opencontainers.image.ref.name");
        let whole = name.filter(|name| name.contains([':', '/']));
        Ok(whole.and_then(|name| Reference::parse(name).ok()))
    }
}

pub(super) fn images(source: &Source) -> Result<Vec<Incoming>, ImageError> {
    let text = source.named_document("oci-layout", "the OCI image layout")?;
    let layout: Layout = parse("oci-layout", &text)?;
    if !layout.image_layout_version.starts_with("1.") {
        let reason = format!("its version is {:?}, not 1", layout.image_layout_version);
        return Err(ImageError::document("oci-layout", reason));
    }
    let text = source.named_document(INDEX, "oci-layout")?;
    let index: Node = parse(INDEX, &text)?;
    if index.schema_version != Some(2) {
        return Err(ImageError::document(INDEX, "its schemaVersion is not 2"));
    }
    let tags = docker::items(source)?;
    let mut images: Vec<(Digest, Incoming)> = Vec::new();
    for (name, descriptor) in chosen(index.manifests.unwrap_or_default())? {
        let (id, manifest) = manifest(source, &descriptor, INDEX, 0)?;
        let mut image = match images.iter().position(|(known, _)| *known == id) {
            Some(at) => images.remove(at).1,
            None => self::image(source, id, manifest)?,
        };
        image.names.extend(name);
        images.push((id, image));
    }
    let mut images: Vec<Incoming> = images.into_iter().map(|(_, image)| image).collect();
    for image in &mut images {
        let config = format!("blobs/sha256/{}", Digest::of(&image.config).hex());
        for item in tags.iter().filter(|item| item.config == config) {
            image.names.extend(item.names()?);
        }
        let mut seen = HashSet::new();
        image.names.retain(|name| seen.insert(name.clone()));
    }
    Ok(images)
}

type Named = (Option<Reference>, Descriptor);

/// The entries of `index.json` that are to be loaded. Several of one name, or without any, that
/// differ in their platform are one image.
fn chosen(entries: Vec<Descriptor>) -> Result<Vec<Named>, ImageError> {
    at_most(MOST_IMAGES, entries.len(), INDEX)?;
    let mut groups: Vec<(Option<Reference>, Vec<Descriptor>)> = Vec::new();
    for entry in entries {
        if entry.is_attestation() {
            continue;
        }
        let name = entry.name()?;
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, group)) => group.push(entry),
            None => groups.push((name, vec![entry])),
        }
    }
    let mut chosen = Vec::new();
    for (name, group) in groups {
        let by_platform = group.len() > 1 && group.iter().all(|entry| entry.platform.is_some());
        if by_platform {
            chosen.push((name, platform::choose(&group, INDEX)?));
        } else {
            chosen.extend(group.into_iter().map(|entry| (name.clone(), entry)));
        }
    }
    Ok(chosen)
}

/// The manifest a descriptor leads to, for this machine where it leads to an index.
fn manifest(
    source: &Source,
    descriptor: &Descriptor,
    by: &str,
    depth: usize,
) -> Result<(Digest, Vec<u8>), ImageError> {
    let (id, text) = blob(source, descriptor, by)?;
    let name = id.to_string();
    let node: Node = parse(&name, &text)?;
    if node.schema_version != Some(2) {
        let reason = "its schemaVersion is not 2";
        return Err(ImageError::document(name, reason));
    }
    match (node.manifests, node.config) {
        (Some(_), Some(_)) => {
            let reason = "it is an index and a manifest at once";
            Err(ImageError::document(name, reason))
        }
        (None, None) => {
            let reason = "it is neither an index nor an image's manifest";
            Err(ImageError::document(name, reason))
        }
        (None, Some(_)) => Ok((id, text)),
        (Some(_), None) if depth == DEEPEST => {
            let reason = format!("it is an index within {DEEPEST} others");
            Err(ImageError::document(name, reason))
        }
        (Some(entries), None) => {
            let next = platform::choose(&entries, &name)?;
            manifest(source, &next, &name, depth + 1)
        }
    }
}

fn image(source: &Source, id: Digest, manifest: Vec<u8>) -> Result<Incoming, ImageError> {
    let name = id.to_string();
    let node: Node = parse(&name, &manifest)?;
    let config = node
        .config
        .ok_or_else(|| ImageError::document(&name, "it has no config"))?;
    let (config_id, config) = blob(source, &config, &name)?;
    let mut members = Vec::new();
    for layer in node.layers.unwrap_or_default() {
        let blob = digest(&name, &layer.digest)?;
        members.push(Member {
            name: path(&blob).into_bytes(),
            blob: Some(blob),
            size: Some(layer.size),
        });
    }
    Ok(Incoming {
        names: Vec::new(),
        layers: with_diff_ids(&config_id.to_string(), &config, members)?,
        config,
        manifest: Some(manifest),
    })
}

/// A document by its descriptor, checked against it.
fn blob(
    source: &Source,
    descriptor: &Descriptor,
    by: &str,
) -> Result<(Digest, Vec<u8>), ImageError> {
    let expected = digest(by, &descriptor.digest)?;
    let name = path(&expected);
    let contents = source.named_document(&name, by)?;
    check(&name, expected, &contents)?;
    if contents.len() as u64 != descriptor.size {
        let reason = format!(
            "{expected} has {} bytes there, and is {} long",
            descriptor.size,
            contents.len()
        );
        return Err(ImageError::document(by, reason));
    }
    Ok((expected, contents))
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
