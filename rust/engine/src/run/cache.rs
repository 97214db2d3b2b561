//! Plans kept for runs that ask for the same again: preparing one costs as much as a start, and the ids of the last
//! run can serve the next.

use super::engine::Engine;
use super::prepare::terminal_size;
use super::{EngineError, Prepared, lock};
use crate::compose::{host, sources};
use crate::options::{Checked, MountFlag, Options};
use fastbox_image::Image;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// How many are kept; the one not used for longest goes first.
const KEPT: usize = 16;

/// What makes two runs the same.
#[derive(PartialEq, Eq)]
struct Key {
    /// The image's id and its layers' directories by device and inode; None for the host's. An image that was
    /// removed and imported again has others.
    image: Option<(String, Vec<(u64, u64)>)>,
    options: Options,
    /// Relative sources of binds start here.
    directory: PathBuf,
    /// Rows and columns of the caller's terminal, for a container that gets one.
    terminal: Option<(u16, u16)>,
}

/// The kept plans, the last used at the end.
#[derive(Default)]
pub(super) struct Plans(Mutex<Vec<(Key, Arc<Prepared>)>>);

impl Engine {
    /// The same as [`Engine::prepare`], out of a small cache: for one run of many alike. The image is looked up each
    /// time, so that a name that has moved to another image counts; the hold on it is for as long as the run takes.
    ///
    /// # Errors
    /// As [`Engine::prepare`].
    pub fn prepare_shared(
        self: &Arc<Self>,
        image: &str,
        options: Checked,
    ) -> Result<(Arc<Prepared>, Option<Image>), EngineError> {
        let held = match image {
            host::NAME => None,
            name => Some(self.store.resolve(name)?),
        };
        if options.joins().next().is_some()
            || options
                .mounts
                .iter()
                .any(|mount| matches!(mount, MountFlag::Image(_)))
        {
            // These names, of images and of containers, may be others' the next time.
            return Ok((self.prepare(image, options, &[])?, held));
        }
        let directory = std::env::current_dir().unwrap_or_default();
        let key = Key {
            image: held
                .as_ref()
                .map(|image| (image.id.hex(), directories(image))),
            options: Options::clone(&options),
            directory,
            terminal: terminal_size(&options),
        };
        let found = {
            let mut plans = lock(&self.plans.0);
            let at = plans.iter().position(|(known, _)| *known == key);
            at.map(|at| {
                let entry = plans.remove(at);
                let prepared = Arc::clone(&entry.1);
                plans.push(entry);
                prepared
            })
        };
        if let Some(prepared) = found {
            sources::make_missing(&options, &key.directory)?;
            return Ok((prepared, held));
        }
        let prepared = self.prepare(image, options, &[])?;
        // Kept without a hold on the image: between runs nobody uses it.
        let held = prepared.take_image();
        let mut plans = lock(&self.plans.0);
        plans.push((key, Arc::clone(&prepared)));
        let surplus = (plans.len() > KEPT).then(|| plans.remove(0));
        drop(plans);
        drop(surplus);
        Ok((prepared, held))
    }

    /// Lets the kept plans go.
    pub fn forget_plans(&self) {
        let plans = std::mem::take(&mut *lock(&self.plans.0));
        drop(plans);
    }
}

/// Which directories an image's layers are now.
fn directories(image: &Image) -> Vec<(u64, u64)> {
    let identity = |path: &PathBuf| {
        let meta = std::fs::metadata(path);
        meta.map_or((0, 0), |meta| (meta.dev(), meta.ino()))
    };
    image.layers.iter().map(identity).collect()
}
