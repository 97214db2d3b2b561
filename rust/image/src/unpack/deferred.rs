//! Hard links to files that only a lower layer has: kept aside until layers are merged.

use std::collections::HashMap;

use rustix::fs::AtFlags;

use super::{Dir, Existing, Unpacker, kind_of, path};
use crate::error::ImageError;
use crate::tar::{Entry, Input};

/// More of them in one layer are refused: they are held in memory.
const MOST: usize = 1_000_000;

/// Where a hard link is and what it names: paths from the root.
pub(crate) type HardLink = (Vec<u8>, Vec<u8>);

/// The links by their path; each with its target, a path in the layers below.
#[derive(Default)]
pub(super) struct Deferred(HashMap<Vec<u8>, Vec<u8>>);

impl<I: Input> Unpacker<'_, I> {
    /// Keeps a hard link for later. `target` is the normalised path it names.
    pub(super) fn defer(
        &mut self,
        entry: &Entry,
        parent: &Dir,
        name: &[u8],
        target: Vec<u8>,
    ) -> Result<(), ImageError> {
        if self.deferred.0.len() == MOST {
            let reason = "too many hard links to files of lower layers";
            return Err(ImageError::refused(&entry.path, reason));
        }
        self.dirs.clear_way(parent, name)?;
        // A link to such a link means the same file.
        let target = self.deferred.0.get(&target).cloned().unwrap_or(target);
        let path = path::join(&parent.path, name);
        self.deferred.0.insert(path, target);
        Ok(())
    }

    /// The links that no later entry replaced, as (path, target).
    pub(super) fn deferred(&mut self) -> Result<Vec<HardLink>, ImageError> {
        let mut kept = Vec::new();
        for (path, target) in std::mem::take(&mut self.deferred).0 {
            let (dir, name) = path::split(&path).unwrap_or_default();
            let Some(fd) = self.dirs.existing(dir)? else {
                continue;
            };
            let parent = Dir {
                path: dir.to_vec(),
                fd,
            };
            match kind_of(&parent, name)? {
                None => {}
                // It hid what lower layers have there, which the link replaces anyway.
                Some(Existing::Whiteout) => {
                    rustix::fs::unlinkat(&parent.fd, name, AtFlags::empty())
                        .map_err(ImageError::entry("replace", &path))?;
                }
                Some(_) => continue,
            }
            kept.push((path, target));
        }
        kept.sort();
        Ok(kept)
    }
}
