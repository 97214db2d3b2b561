//! What tells the archive's readers which images are in it.

use std::collections::{BTreeMap, HashMap};

use oci_spec::image::{ImageIndexBuilder, MediaType};
use serde_json::{Value, json};

use super::super::index::descriptor;
use super::{Saved, member};
use crate::error::ImageError;
use crate::reference::Reference;

/// `index.json`: a manifest for each name. Docker and containerd look for a name under their own
/// key, other tools under OCI's.
pub(super) fn index(saved: &[Saved]) -> Result<Vec<u8>, ImageError> {
    let mut manifests = Vec::new();
    for image in saved {
        let record = &image.record;
        let plain = descriptor(
            MediaType::ImageManifest,
            record.manifest,
            record.manifest_size,
        );
        if image.names.is_empty() {
            manifests.push(plain.clone());
        }
        for name in &image.names {
            let keys = [
                "io.containerd.image.name",
                oci_spec::image::ANNOTATION_REF_NAME,
            ];
            let names = keys.map(|key| (key.to_owned(), name.to_string()));
            let mut named = plain.clone();
            named.set_annotations(Some(HashMap::from(names)));
            manifests.push(named);
        }
    }
    ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::ImageIndex)
        .manifests(manifests)
        .build()
        .map_err(|error| error.to_string())
        // Keys in order: a map of annotations has none.
        .and_then(|index| serde_json::to_value(index).map_err(|error| error.to_string()))
        .map(|index| index.to_string().into_bytes())
        .map_err(|reason| ImageError::document("the new index.json", reason))
}

/// `manifest.json`, for Docker and Podman.
pub(super) fn manifest(saved: &[Saved]) -> Vec<u8> {
    let item = |image: &Saved| {
        let names: Vec<String> = image.names.iter().map(Reference::short).collect();
        json!({
            "Config": member(&image.record.id),
            "RepoTags": if names.is_empty() { Value::Null } else { json!(names) },
            "Layers": image.layers,
        })
    };
    Value::from_iter(saved.iter().map(item))
        .to_string()
        .into_bytes()
}

/// `repositories`, for what looks for names there alone.
pub(super) fn repositories(saved: &[Saved]) -> Vec<u8> {
    let mut names: BTreeMap<String, BTreeMap<&str, String>> = BTreeMap::new();
    for image in saved {
        for name in &image.names {
            let tags = names.entry(name.repository()).or_default();
            tags.insert(name.tag(), image.record.id.hex());
        }
    }
    json!(names).to_string().into_bytes()
}
