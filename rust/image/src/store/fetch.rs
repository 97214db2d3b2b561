//! Bringing the layers of an archive into a workspace: several at a time, each checked while it
//! streams.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use super::notes::Notes;
use crate::archive::{IncomingLayer, Source};
use crate::digest::Digest;
use crate::error::{ImageError, shown};
use crate::stream::{self, Format, Keep, Progress};
use crate::tar::Input;
use crate::unpack::{self, Limits, Rules, Skipped, Spent};

/// A layer that is wanted.
pub(super) struct Job<'a> {
    pub layer: &'a IncomingLayer,
    /// Whether its files are wanted.
    pub unpack: bool,
    /// What becomes of its blob.
    pub blob: Blob,
    /// What names it, for messages.
    pub by: &'a str,
}

/// What becomes of a layer's blob.
pub(super) enum Blob {
    /// It is kept as it is: a manifest has its digest.
    AsGiven,
    /// It is kept, compressed anew where OCI has no media type for its compression.
    ForOci,
    /// The store has it.
    Known,
}

/// A layer that is in the workspace.
pub(super) struct Fetched {
    /// The directory of its files and what is known of them, where they were wanted.
    pub files: Option<(PathBuf, Notes)>,
    /// Its blob: file, where it was wanted, digest, bytes and compression.
    pub blob_path: Option<PathBuf>,
    pub blob: (Digest, u64),
    pub format: Format,
    pub skipped: Skipped,
}

/// What the fetching threads share.
pub(super) struct Fetcher<'a> {
    pub source: &'a Source,
    pub workspace: &'a Path,
    pub limits: Limits,
    pub spent: Spent,
    read: AtomicU64,
    cancelled: AtomicBool,
}

/// More threads would wait for the same disk.
const MOST_WORKERS: usize = 8;
/// How often the caller is asked whether to go on.
const PATIENCE: Duration = Duration::from_millis(50);

impl<'a> Fetcher<'a> {
    pub(super) fn new(source: &'a Source, workspace: &'a Path, limits: Limits) -> Fetcher<'a> {
        Fetcher {
            source,
            workspace,
            limits,
            spent: Spent::default(),
            read: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
        }
    }

    /// Asks the caller, who may cancel.
    pub(super) fn ask(&self, progress: &mut Option<Progress<'_>>) -> Result<(), ImageError> {
        stream::ask(progress, self.read.load(Ordering::Relaxed))
    }

    /// Fetches all, as many at a time as there are processors. `arrived` gets each, in the caller's
    /// thread, as it comes; the first error ends all.
    pub(super) fn run(
        &self,
        jobs: &[Job<'_>],
        progress: &mut Option<Progress<'_>>,
        mut arrived: impl FnMut(&Job<'_>, Fetched, &mut Option<Progress<'_>>) -> Result<(), ImageError>,
    ) -> Result<(), ImageError> {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let workers = workers.min(MOST_WORKERS).min(jobs.len());
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            let (sender, results) = mpsc::channel();
            for _ in 0..workers {
                let (sender, next) = (sender.clone(), &next);
                let work = move || {
                    while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let result = self.fetch(job);
                        let failed = result.is_err();
                        // The receiver waits for all of them.
                        let _ = sender.send((job, result));
                        if failed {
                            self.cancelled.store(true, Ordering::Relaxed);
                        }
                    }
                };
                thread::Builder::new()
                    .name("image-fetch".to_owned())
                    .spawn_scoped(scope, work)
                    .map_err(ImageError::io("start a thread for", "the layers"))?;
            }
            drop(sender);
            let mut outcome = Ok(());
            loop {
                let result = match results.recv_timeout(PATIENCE) {
                    Ok((job, Ok(fetched))) if outcome.is_ok() => arrived(job, fetched, progress),
                    Ok((_, Ok(_))) | Err(RecvTimeoutError::Timeout) => Ok(()),
                    Ok((_, Err(error))) => Err(error),
                    Err(RecvTimeoutError::Disconnected) => return outcome,
                };
                let result = result.and_then(|()| self.ask(progress));
                if outcome.is_ok() && result.is_err() {
                    self.cancelled.store(true, Ordering::Relaxed);
                    outcome = result;
                }
            }
        })
    }

    fn fetch(&self, job: &Job<'_>) -> Result<Fetched, ImageError> {
        let layer = job.layer;
        let member = shown(&layer.member);
        let section = self.source.open(&layer.member)?;
        let section = section.ok_or_else(|| ImageError::Missing {
            name: member.clone(),
            by: job.by.to_owned(),
        })?;
        if let Some(size) = layer.size
            && size != section.length()
        {
            let found = section.length();
            let reason = format!("{member} has {size} bytes there, and is {found} long");
            return Err(ImageError::document(job.by, reason));
        }
        let name = match layer.blob {
            Some(blob) => blob.hex(),
            None => layer.diff_id.hex(),
        };
        let blob_path = self.workspace.join(format!("blob-{name}"));
        let create = || File::create(&blob_path).map_err(ImageError::io("create", &blob_path));
        let (keep, blob_path) = match job.blob {
            Blob::AsGiven => (Keep::AsGiven(create()?), Some(blob_path)),
            Blob::ForOci => (Keep::ForOci(create()?), Some(blob_path)),
            Blob::Known => (Keep::Nothing, None),
        };
        let mut before = 0;
        let mut progress = |bytes| {
            self.read.fetch_add(bytes - before, Ordering::Relaxed);
            before = bytes;
            match self.cancelled.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let directory = self
            .workspace
            .join(format!("layer-{}", layer.diff_id.hex()));
        let root = job.unpack.then(|| {
            std::fs::create_dir(&directory)
                .and_then(|()| File::open(&directory))
                .map_err(ImageError::io("create directory", &directory))
        });
        let root = root.transpose()?;
        let streamed = stream::run(section, keep, Some(&mut progress), |mut archive| {
            let Some(root) = root else {
                while archive.skip(u64::MAX)? > 0 {}
                return Ok(None);
            };
            let rules = Rules {
                limits: self.limits,
                spent: &self.spent,
                stacked: true,
            };
            unpack::unpack(archive, root.into(), rules).map(Some)
        })
        .map_err(|error| error.within(&member))?;
        if let Some(expected) = layer.blob {
            check(member.clone(), expected, streamed.source.0)?;
        }
        check(
            format!("the layer in {member}"),
            layer.diff_id,
            streamed.diff.0,
        )?;
        let (files, skipped) = match streamed.consumed {
            Some(mut unpacked) => {
                let notes = Notes::new(&mut unpacked, streamed.diff.1);
                (Some((directory, notes)), unpacked.skipped)
            }
            None => (None, Skipped::default()),
        };
        Ok(Fetched {
            files,
            blob_path,
            blob: streamed.blob,
            format: streamed.format,
            skipped,
        })
    }
}

fn check(object: String, expected: Digest, found: Digest) -> Result<(), ImageError> {
    match expected == found {
        true => Ok(()),
        false => Err(ImageError::Mismatch {
            object,
            expected,
            found,
        }),
    }
}
