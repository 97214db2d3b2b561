//! The docker-archive: `manifest.json` lists images, and names a config and a tar for each layer.

use serde::Deserialize;

use super::config::{Member, with_diff_ids};
use super::{Incoming, MOST_IMAGES, Source, at_most, parse};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::reference::Reference;
use crate::unpack::normalise;

const MANIFEST: &str = "manifest.json";

/// One image in `manifest.json`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Item {
    pub config: String,
    #[serde(default)]
    pub repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// What `manifest.json` lists; empty where there is none.
pub(super) fn items(source: &Source) -> Result<Vec<Item>, ImageError> {
    let Some(text) = source.document(MANIFEST)? else {
        return Ok(Vec::new());
    };
    let items: Vec<Item> = parse(MANIFEST, &text)?;
    at_most(MOST_IMAGES, items.len(), MANIFEST)?;
    Ok(items)
}

impl Item {
    pub(super) fn names(&self) -> Result<Vec<Reference>, ImageError> {
        let tags = self.repo_tags.iter().flatten();
        tags.map(|tag| Reference::parse(tag)).collect()
    }
}

pub(super) fn images(source: &Source) -> Result<Vec<Incoming>, ImageError> {
    items(source)?
        .into_iter()
        .map(|item| image(source, item))
        .collect()
}

fn image(source: &Source, item: Item) -> Result<Incoming, ImageError> {
    let names = item.names()?;
    let path = member(&item.config)?;
    let config = source.named_document(&path, MANIFEST)?;
    let stem = path.rsplit('/').next().unwrap_or(&path);
    let stem = stem.strip_suffix(".json").unwrap_or(stem);
    if let Some(expected) = Digest::parse(stem) {
        check(&path, expected, &config)?;
    }
    let mut members = Vec::new();
    for layer in item.layers.unwrap_or_default() {
        let name = member(&layer)?;
        members.push(Member {
            blob: name.strip_prefix("blobs/sha256/").and_then(Digest::parse),
            name: name.into_bytes(),
            size: None,
        });
    }
    Ok(Incoming {
        names,
        layers: with_diff_ids(&path, &config, members)?,
        config,
        manifest: None,
    })
}

/// A path in `manifest.json` as the name of a member.
fn member(path: &str) -> Result<String, ImageError> {
    if path.starts_with('/') {
        let path: String = path.chars().take(100).collect();
        return Err(ImageError::document(
            MANIFEST,
            format!("{path:?} is an absolute path"),
        ));
    }
    let name = normalise(path.as_bytes())?;
    String::from_utf8(name).map_err(|error| ImageError::document(MANIFEST, error))
}

/// Checks a document that is named by its digest.
pub(super) fn check(name: &str, expected: Digest, contents: &[u8]) -> Result<(), ImageError> {
    let found = Digest::of(contents);
    match found == expected {
        true => Ok(()),
        false => Err(ImageError::Mismatch {
            object: name.to_owned(),
            expected,
            found,
        }),
    }
}
