//! Hidden paths that lie in the image or in what is mounted over it: they become mounts of something empty. Those of
//! proc, sysfs and /dev, which are the kernel's, are left to the plan.

use super::EngineError;
use super::skeleton::{Skeleton, failed};
use fastbox_image::{Kind, locate};
use oci_spec::runtime::{Mount, Spec};
use std::fs;
use std::path::{Path, PathBuf};

impl Skeleton<'_> {
    /// Takes such paths out of the document's list and mounts over what they lead to. What is not there is not hidden.
    /// To be called when mount points are settled: a path may lie in one.
    pub(super) fn masks(&self, spec: &mut Spec) -> Result<(), EngineError> {
        let Some(mut linux) = spec.linux().clone() else {
            return Ok(());
        };
        let kernels = |path: &String| ["/proc", "/sys", "/dev"].iter().any(|of| is_in(path, of));
        let (left, ours): (Vec<String>, Vec<String>) = linux
            .masked_paths()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .partition(kernels);
        if ours.is_empty() {
            return Ok(());
        }
        let mut mounts = spec.mounts().clone().unwrap_or_default();
        for path in ours {
            let found = self.kind(Path::new(&path), &mounts)?;
            mounts.extend(match found {
                (_, Kind::Missing) => None,
                (place, Kind::Directory) => Some(empty_directory(place)),
                (place, Kind::File) => Some(self.empty_file(place)?),
            });
        }
        linux.set_masked_paths(Some(left));
        spec.set_linux(Some(linux)).set_mounts(Some(mounts));
        Ok(())
    }

    /// Where the path leads, and what is there: in the last mount that covers it, else in the image.
    fn kind(&self, path: &Path, mounts: &[Mount]) -> Result<(PathBuf, Kind), EngineError> {
        let mut stack = self.layers.to_vec();
        stack.push(self.layer());
        let located = locate(&stack, path)?;
        let over = mounts.iter().rev().find_map(|mount| {
            let below = located.path.strip_prefix(mount.destination()).ok()?;
            Some((mount, below))
        });
        let Some((mount, below)) = over else {
            return Ok((located.path, located.kind));
        };
        let bound = mount.typ().as_deref() == Some("bind");
        let source = mount.source().as_ref().filter(|_| bound);
        // A link in there is the host's, or another container's: the start does not follow it, and says so.
        let kind = match source.map(|source| fs::symlink_metadata(source.join(below))) {
            Some(Ok(meta)) if meta.is_dir() => Kind::Directory,
            Some(Ok(_)) => Kind::File,
            _ => Kind::Missing,
        };
        Ok((located.path, kind))
    }

    /// A file of ours with nothing in it.
    fn empty_file(&self, at: PathBuf) -> Result<Mount, EngineError> {
        let source = self.directory.join("empty");
        fs::write(&source, "").map_err(failed(&at))?;
        let mut mount = Mount::default();
        mount
            .set_destination(at)
            .set_typ(Some("bind".into()))
            .set_source(Some(source))
            .set_options(Some(vec!["bind".into(), "ro".into()]));
        Ok(mount)
    }
}

fn empty_directory(at: PathBuf) -> Mount {
    let words = ["ro", "nosuid", "nodev", "noexec", "size=4k", "nr_inodes=2"];
    let mut mount = Mount::default();
    mount
        .set_destination(at)
        .set_typ(Some("tmpfs".into()))
        .set_source(Some("tmpfs".into()))
        .set_options(Some(words.map(str::to_owned).to_vec()));
    mount
}

fn is_in(path: &str, top: &str) -> bool {
    path.strip_prefix(top)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
