//! Loading images from archives and layout folders.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

use super::Store;
use super::loader::Loader;
use super::settle::{Unsettled, sync_file};
use crate::archive::Source;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
use crate::reference::Reference;
use crate::stream::{self, Format, Keep, Progress};
use crate::tar::Input;
use crate::unpack::{Limits, Skipped};

/// Where images are loaded from.
pub enum LoadFrom<'a> {
    /// An OCI layout folder.
    Folder(PathBuf),
    /// An archive in a regular file, from where it stands. It must not change meanwhile.
    File(File),
    /// An archive that can only be read once.
    Stream(&'a mut dyn Read),
}

/// How to load.
#[derive(Default)]
pub struct LoadOptions<'a> {
    /// Bounds on what all layers together may unpack to.
    pub limits: Limits,
    /// Called while the archive is read.
    pub progress: Option<Progress<'a>>,
}

/// An image that was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The image, held.
    pub image: Image,
    /// The names it was given, as the archive has them; empty for an image without any.
    pub names: Vec<Reference>,
    /// Images that lost their last name to this one.
    pub replaced: Vec<Digest>,
    /// What of it could not be kept.
    pub skipped: Skipped,
}

impl Store {
    /// Loads all images of an archive: a docker-archive, an OCI archive, or both in one, plain or
    /// compressed; or of an OCI layout folder. Every blob is checked against its digest, and every
    /// layer against its diff_id. Of an index for several platforms the one for this machine is
    /// loaded. Layers that are here already are not read. On any error the store is as before.
    ///
    /// # Errors
    /// Those of [`Store::import`]; [`ImageError::Document`], [`ImageError::Missing`],
    /// [`ImageError::Mismatch`] and [`ImageError::Platform`] for what is in the archive.
    pub fn load(
        &self,
        from: LoadFrom<'_>,
        options: LoadOptions<'_>,
    ) -> Result<Vec<Loaded>, ImageError> {
        self.clean()?;
        let workspace = self.workspace()?;
        let mut progress = options.progress;
        let source = open(from, workspace.path(), &options.limits, &mut progress)?;
        let images = source.images()?;
        let mut loader = Loader::new(self, &workspace, &source, options.limits)?;
        for name in images.iter().flat_map(|image| &image.names) {
            name.check_free()?;
        }
        let (files, complete) = mpsc::channel::<PathBuf>();
        let made = thread::scope(|scope| {
            // The disk is at work while more layers come. Only blobs and documents must last: all else
            // can be made of them again.
            let sync = move || complete.iter().try_for_each(|path| sync_file(&path));
            let syncing = thread::Builder::new()
                .name("image-sync".to_owned())
                .spawn_scoped(scope, sync)
                .map_err(ImageError::io("start a thread for", "the archive"))?;
            let mut made = Vec::new();
            for image in &images {
                made.push(loader.image(image, &files, &mut progress)?);
            }
            drop(files);
            let synced = syncing.join();
            synced.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            Ok::<_, ImageError>(made)
        })?;
        let mark = Unsettled::new(&workspace)?;
        let _locked = self.lock()?;
        let publishing = images.iter().zip(&made);
        let publishing = publishing.map(|(image, (record, _))| (record, &image.names[..]));
        let publishing: Vec<_> = publishing.collect();
        let published = self.publish(&workspace, loader.placed(), mark.as_ref(), &publishing)?;
        let mut loaded = Vec::new();
        for ((image, (_, skipped)), published) in images.into_iter().zip(made).zip(published) {
            loaded.push(Loaded {
                image: published.image,
                names: image.names,
                replaced: published.replaced,
                skipped,
            });
        }
        // What was found here already is the new images' too from now on.
        drop(loader);
        Ok(loaded)
    }
}

/// Opens the archive where it lies, or brings it into the workspace first.
fn open(
    from: LoadFrom<'_>,
    workspace: &Path,
    limits: &Limits,
    progress: &mut Option<Progress<'_>>,
) -> Result<Source, ImageError> {
    let (file, start) = match from {
        LoadFrom::Folder(path) => return Source::folder(&path),
        LoadFrom::Stream(reader) => (spool(reader, workspace, limits, progress)?, 0),
        LoadFrom::File(mut file) => {
            let failed = |error| ImageError::io("read", "the archive")(error);
            let start = file.stream_position().map_err(failed)?;
            let mut head = [0; Format::MAGIC];
            let n = file.read_at(&mut head, start).map_err(failed)?;
            match Format::of(&head[..n])? {
                Format::Tar => (file, start),
                _ => (spool(&mut file, workspace, limits, progress)?, 0),
            }
        }
    };
    let mut read = 0;
    Source::tar(file, start, || {
        read += 1;
        stream::ask(progress, read)
    })
}

/// Writes an archive, uncompressed, into a file of the workspace.
fn spool(
    reader: &mut dyn Read,
    workspace: &Path,
    limits: &Limits,
    progress: &mut Option<Progress<'_>>,
) -> Result<File, ImageError> {
    let path = workspace.join("archive");
    let failed = |operation| ImageError::io::<std::io::Error>(operation, &path);
    let mut options = File::options();
    let options = options.read(true).write(true).create_new(true);
    let mut file = options.open(&path).map_err(failed("create"))?;
    // Nobody needs its name.
    std::fs::remove_file(&path).map_err(failed("remove"))?;
    let progress = progress
        .as_mut()
        .map(|progress| &mut **progress as Progress<'_>);
    let out = &mut file;
    stream::run(reader, Keep::Nothing, progress, |mut archive| {
        let mut total = 0;
        loop {
            let bytes = archive.fill()?;
            if bytes.is_empty() {
                return Ok(());
            }
            total += bytes.len() as u64;
            limits.check_stream(total)?;
            out.write_all(bytes)
                .map_err(ImageError::io("write", workspace.join("archive")))?;
            let n = bytes.len();
            archive.consume(n);
        }
    })?;
    Ok(file)
}
