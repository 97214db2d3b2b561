//! The tree of an image's layers, which grows while they arrive.

use std::fs::File;
use std::path::PathBuf;

use super::fetch::Fetcher;
use super::notes::Notes;
use super::workspace::Workspace;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::merge::{Layer, Merger};
use crate::stream::Progress;

/// A merged tree in the making, which grows as its layers arrive.
pub(super) struct Merging {
    merger: Merger,
    path: PathBuf,
    /// How many layers are in it.
    done: usize,
}

impl Merging {
    pub(super) fn new(workspace: &Workspace, tree: &Digest) -> Result<Merging, ImageError> {
        let make = |name: &str| {
            let path = workspace.path().join(format!("{name}-{}", tree.hex()));
            let made = std::fs::create_dir(&path).and_then(|()| File::open(&path));
            let fd = made.map_err(ImageError::io("create directory", &path))?;
            Ok::<_, ImageError>((path, fd.into()))
        };
        let (path, tree) = make("tree")?;
        let (_, stash) = make("stash")?;
        Ok(Merging {
            merger: Merger::new(tree, stash)?,
            path,
            done: 0,
        })
    }

    /// The finished tree.
    pub(super) fn into_path(self) -> PathBuf {
        self.path
    }

    /// Adds the layers that `arrived` knows, as far as none below is missing.
    pub(super) fn advance(
        &mut self,
        diff_ids: &[Digest],
        fetcher: &Fetcher<'_>,
        progress: &mut Option<Progress<'_>>,
        arrived: impl Fn(&Digest) -> Result<Option<(PathBuf, Notes)>, ImageError>,
    ) -> Result<(), ImageError> {
        while let Some(diff_id) = diff_ids.get(self.done)
            && let Some((path, notes)) = arrived(diff_id)?
        {
            let root = File::open(&path).map_err(ImageError::io("open", &path))?;
            let layer = Layer {
                root: root.into(),
                links: &notes.links,
                implied: &notes.implied,
            };
            self.merger.add(&layer, || fetcher.ask(progress))?;
            self.done += 1;
        }
        Ok(())
    }
}
