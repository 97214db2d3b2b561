//! Which of an index's manifests is for this machine.

use serde::Deserialize;

use super::Descriptor;
use crate::error::ImageError;

/// What a manifest in an index is for (image-spec, image-index.md).
#[derive(Clone, Deserialize)]
pub(super) struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
}

const OS: &str = "linux";

/// Go's name of this machine's processor, and the variants every such processor is.
fn architecture() -> (&'static str, &'static [&'static str]) {
    match std::env::consts::ARCH {
        "x86_64" => ("amd64", &["v1"]),
        "aarch64" => ("arm64", &["v8"]),
        other => (other, &[]),
    }
}

impl Platform {
    fn is_this(&self) -> bool {
        let (architecture, variants) = architecture();
        let variant = self.variant.as_deref().unwrap_or_default();
        self.os == OS
            && self.architecture == architecture
            && (variant.is_empty() || variants.contains(&variant))
    }

    fn shown(&self) -> String {
        let variant = self.variant.iter().flat_map(|v| ["/", v]);
        [&self.os, "/", &self.architecture]
            .into_iter()
            .chain(variant)
            .collect()
    }
}

/// The entry for this machine; one without a platform counts where it is the only one.
///
/// # Errors
/// [`ImageError::Platform`].
pub(super) fn choose(entries: &[Descriptor], by: &str) -> Result<Descriptor, ImageError> {
    let images: Vec<&Descriptor> = entries.iter().filter(|e| !e.is_attestation()).collect();
    let ours = |entry: &&&Descriptor| entry.platform.as_ref().is_some_and(Platform::is_this);
    if let Some(entry) = images.iter().find(ours) {
        return Ok((*entry).clone());
    }
    if let [entry] = images[..]
        && entry.platform.is_none()
    {
        return Ok(entry.clone());
    }
    let shown = |entry: &&Descriptor| match &entry.platform {
        Some(platform) => platform.shown(),
        None => "an unnamed one".to_owned(),
    };
    let mut available: Vec<String> = images.iter().take(20).map(shown).collect();
    if available.is_empty() {
        available.push("none".to_owned());
    }
    Err(ImageError::Platform {
        name: by.to_owned(),
        wanted: format!("{OS}/{}", architecture().0),
        available,
    })
}
