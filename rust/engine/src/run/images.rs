//! `--mount type=image`: the files of another image.

use super::EngineError;
use super::engine::Engine;
use crate::compose::SpecError;
use crate::options::{Checked, ImageMount, MountFlag};
use fastbox_image::{Image, Kind, locate};
use oci_spec::runtime::Mount;
use std::path::Path;

impl Engine {
    /// The mounts, and what keeps their images.
    pub(super) fn image_mounts(
        &self,
        options: &Checked,
    ) -> Result<(Vec<Mount>, Vec<Image>), EngineError> {
        let (mut mounts, mut held) = (Vec::new(), Vec::new());
        for mount in &options.mounts {
            if let MountFlag::Image(asked) = mount {
                let image = self.store.resolve(&asked.image)?;
                mounts.push(mount_of(&image, asked)?);
                held.push(image);
            }
        }
        Ok((mounts, held))
    }
}

/// Where a path in the image leads is settled here: its links lead nowhere else.
fn mount_of(image: &Image, asked: &ImageMount) -> Result<Mount, EngineError> {
    let located = locate(&image.layers, Path::new(&asked.subpath))?;
    if located.kind == Kind::Missing {
        return Err(SpecError::ImageSubpath {
            image: asked.image.clone(),
            subpath: asked.subpath.clone(),
        }
        .into());
    }
    let subpath = located.path.strip_prefix("/").unwrap_or(&located.path);
    let mut words = vec!["bind".to_owned(), "ro".to_owned()];
    let layers = image.layers.iter().rev();
    words.extend(layers.map(|layer| format!("lowerdir={}", layer.display())));
    if !subpath.as_os_str().is_empty() {
        words.push(format!("subpath={}", subpath.display()));
    }
    // For whoever asks whether it is a file.
    let top = image.layers.iter().rev().map(|layer| layer.join(subpath));
    let source = top.into_iter().find(|path| path.symlink_metadata().is_ok());
    let mut mount = Mount::default();
    mount
        .set_destination(asked.destination.clone().into())
        .set_typ(Some("overlay".into()))
        .set_source(source)
        .set_options(Some(words));
    Ok(mount)
}
