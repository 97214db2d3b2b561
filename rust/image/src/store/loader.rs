//! One image after the other into a workspace: all of it that is not in the store.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::mpsc::Sender;

use super::fetch::{Blob, Fetched, Fetcher, Job};
use super::manifest;
use super::merging::Merging;
use super::notes::Notes;
use super::publish::Placed;
use super::record::Record;
use super::workspace::Workspace;
use super::{Store, chain_id};
use crate::archive::{Incoming, Source};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
use crate::stream::Progress;
use crate::unpack::{Limits, Skipped};

/// By diff_id and by the blob's digest in the archive.
type Layers = HashMap<(Digest, Option<Digest>), Fetched>;

pub(super) struct Loader<'a> {
    store: &'a Store,
    workspace: &'a Workspace,
    fetcher: Fetcher<'a>,
    /// The images that were in the store before, and are sound.
    records: Vec<Record>,
    /// Those of them that are relied on.
    held: HashMap<Digest, Image>,
    /// Layers of theirs.
    known: HashSet<Digest>,
    /// Blobs that are here, whatever images there are.
    blobs: HashSet<Digest>,
    fetched: Layers,
    /// Those that were made.
    trees: HashSet<Digest>,
    placed: Placed,
}

impl<'a> Loader<'a> {
    pub(super) fn new(
        store: &'a Store,
        workspace: &'a Workspace,
        source: &'a Source,
        limits: Limits,
    ) -> Result<Loader<'a>, ImageError> {
        let mut records = store.records()?;
        records.retain(Record::is_sound);
        Ok(Loader {
            store,
            workspace,
            fetcher: Fetcher::new(source, workspace.path(), limits),
            records,
            held: HashMap::new(),
            known: HashSet::new(),
            blobs: HashSet::new(),
            fetched: HashMap::new(),
            trees: HashSet::new(),
            placed: Vec::new(),
        })
    }

    /// Blobs of the store that need not be brought into the workspace.
    pub(super) fn has_blobs(&mut self, blobs: &[Digest]) {
        self.blobs.extend(blobs);
    }

    /// What is in the workspace, and where it belongs.
    pub(super) fn placed(&self) -> &Placed {
        &self.placed
    }

    /// Brings everything of an image into the workspace that is not in the store. `made` gets the
    /// files of blobs and documents, as soon as each is complete.
    pub(super) fn image(
        &mut self,
        image: &Incoming,
        made: &Sender<PathBuf>,
        progress: &mut Option<Progress<'_>>,
    ) -> Result<(Record, Skipped), ImageError> {
        let skipped = self.layers(image, made, progress)?;
        Ok((self.record(image, made)?, skipped))
    }

    /// The same for an image's layers and tree alone.
    pub(super) fn layers(
        &mut self,
        image: &Incoming,
        made: &Sender<PathBuf>,
        progress: &mut Option<Progress<'_>>,
    ) -> Result<Skipped, ImageError> {
        let by = match &image.manifest {
            Some(manifest) => Digest::of(manifest).to_string(),
            None => "manifest.json".to_owned(),
        };
        let mut jobs: Vec<Job<'_>> = Vec::new();
        let mut wanted = HashSet::new();
        for layer in &image.layers {
            let key = (layer.diff_id, layer.blob);
            if self.fetched.contains_key(&key) || wanted.contains(&key) {
                continue;
            }
            let known = self.known_layer(&layer.diff_id)?;
            let has_blob = match layer.blob {
                Some(blob) => self.known_blob(&blob)?,
                None => known,
            };
            if known && has_blob {
                continue;
            }
            let twice = wanted.iter().any(|(diff_id, _)| *diff_id == layer.diff_id);
            jobs.push(Job {
                layer,
                unpack: !known && !twice && self.files(&layer.diff_id).is_none(),
                blob: match (has_blob, &image.manifest) {
                    (true, _) => Blob::Known,
                    (_, Some(_)) => Blob::AsGiven,
                    (_, None) => Blob::ForOci,
                },
                by: &by,
            });
            wanted.insert(key);
        }
        let (diff_ids, tree) = stack(image);
        let mut merging = match tree {
            Some(tree) if !self.has_tree(&tree)? => Some(Merging::new(self.workspace, &tree)?),
            _ => None,
        };
        let fetcher = &self.fetcher;
        let (store, known, fetched) = (self.store, &self.known, &mut self.fetched);
        let mut skipped = Skipped::default();
        let mut advance = |fetched: &Layers, progress: &mut Option<Progress<'_>>| match &mut merging
        {
            Some(merging) => merging.advance(&diff_ids, fetcher, progress, |diff_id| {
                match files(fetched, diff_id) {
                    Some((path, notes)) => Ok(Some((path.clone(), notes.clone()))),
                    None if known.contains(diff_id) => {
                        let notes = store.notes(diff_id)?;
                        Ok(notes.map(|notes| (store.layer(diff_id), notes)))
                    }
                    None => Ok(None),
                }
            }),
            None => Ok(()),
        };
        advance(fetched, progress)?;
        fetcher.run(&jobs, progress, |job, layer, progress| {
            skipped.extend(&layer.skipped);
            // Who does not listen has no blobs made.
            let _ = layer.blob_path.clone().map(|path| made.send(path));
            fetched.insert((job.layer.diff_id, job.layer.blob), layer);
            advance(fetched, progress)
        })?;
        if let (Some(tree), Some(merging)) = (tree, merging) {
            self.trees.insert(tree);
            self.placed
                .push((merging.into_path(), self.store.tree(&tree)));
        }
        for job in &jobs {
            self.place_layer((job.layer.diff_id, job.layer.blob))?;
        }
        Ok(skipped)
    }

    /// The record, and the documents it names.
    fn record(&mut self, image: &Incoming, made: &Sender<PathBuf>) -> Result<Record, ImageError> {
        let id = Digest::of(&image.config);
        let (diff_ids, tree) = stack(image);
        let is_here = self.hold(|record| record.id == id)?;
        let same = self.records.iter().find(|record| record.id == id);
        let (manifest, blobs) = match (&image.manifest, same) {
            (None, Some(same)) if is_here => {
                let mut record = same.clone();
                record.name = None;
                return Ok(record);
            }
            (Some(manifest), _) => {
                let blobs = image.layers.iter().filter_map(|layer| layer.blob).collect();
                (manifest.clone(), blobs)
            }
            (None, _) => {
                let mut blobs = Vec::new();
                for layer in &image.layers {
                    blobs.push(self.blob(layer.diff_id, layer.blob)?);
                }
                let manifest = manifest::encode(&image.config, &blobs)?;
                (
                    manifest,
                    blobs.into_iter().map(|blob| blob.digest).collect(),
                )
            }
        };
        let manifest_id = Digest::of(&manifest);
        for (digest, text) in [(id, &image.config), (manifest_id, &manifest)] {
            let path = self
                .workspace
                .path()
                .join(format!("document-{}", digest.hex()));
            std::fs::write(&path, text).map_err(ImageError::io("write", &path))?;
            // As above.
            let _ = made.send(path.clone());
            self.placed.push((path, self.store.blob(&digest)));
        }
        let created = manifest::created(&image.config)?;
        let mut record = Record::new((manifest_id, manifest.len() as u64), id, created);
        record.layers.clone_from(&diff_ids);
        record.blobs = blobs;
        record.tree = tree;
        for layer in &diff_ids {
            let notes = match self.files(layer) {
                Some((_, notes)) => notes.clone(),
                None => self.store.notes(layer)?.unwrap_or_default(),
            };
            record.layer_sizes.push(notes.bytes);
            // One that is there twice counts twice, as with Docker.
            record.size += notes.bytes;
            if let ([_], Some((path, _))) = (&diff_ids[..], notes.links.first()) {
                let reason = "it is a hard link to a file that no lower layer has";
                return Err(ImageError::refused(path, reason));
            }
        }
        Ok(record)
    }

    /// A layer's blob, wherever it is.
    fn blob(&self, diff_id: Digest, given: Option<Digest>) -> Result<manifest::Blob, ImageError> {
        if let Some(layer) = self.fetched.get(&(diff_id, given)) {
            return Ok(manifest::Blob {
                digest: layer.blob.0,
                size: layer.blob.1,
                format: layer.format,
            });
        }
        let known = self.records.iter().find_map(|record| {
            let at = record.layers.iter().position(|layer| *layer == diff_id)?;
            let held = self.held.contains_key(&record.id);
            held.then(|| given.or(record.blobs.get(at).copied()))
                .flatten()
        });
        let digest = known.ok_or_else(|| ImageError::Missing {
            name: diff_id.to_string(),
            by: "the store".to_owned(),
        })?;
        manifest::Blob::read(digest, &self.store.blob(&digest))
    }

    fn place_layer(&mut self, key: (Digest, Option<Digest>)) -> Result<(), ImageError> {
        let Some(layer) = self.fetched.get(&key) else {
            return Ok(());
        };
        let blob = layer.blob_path.clone();
        let blob = blob.map(|path| (path, self.store.blob(&layer.blob.0)));
        self.placed.extend(blob);
        let Some((directory, notes)) = &layer.files else {
            return Ok(());
        };
        let path = self.workspace.path().join(format!("notes-{}", key.0.hex()));
        notes.write(&path)?;
        self.placed.push((path, self.store.notes_path(&key.0)));
        self.placed
            .push((directory.clone(), self.store.layer(&key.0)));
        Ok(())
    }

    /// The files of a layer of this archive.
    fn files(&self, diff_id: &Digest) -> Option<&(PathBuf, Notes)> {
        files(&self.fetched, diff_id)
    }

    /// Whether a layer is in the store; it stays there then.
    fn known_layer(&mut self, diff_id: &Digest) -> Result<bool, ImageError> {
        // A store of an earlier version has no notes: it is unpacked again.
        let known = self.hold(|record| record.layers.contains(diff_id))?
            && self.store.notes(diff_id)?.is_some();
        if known {
            self.known.insert(*diff_id);
        }
        Ok(known)
    }

    fn known_blob(&mut self, blob: &Digest) -> Result<bool, ImageError> {
        Ok(self.blobs.contains(blob) || self.hold(|record| record.blobs.contains(blob))?)
    }

    fn has_tree(&mut self, tree: &Digest) -> Result<bool, ImageError> {
        Ok(self.trees.contains(tree) || self.hold(|record| record.tree == Some(*tree))?)
    }

    /// Whether an image of the store is as wanted; it stays there while this loader lives.
    fn hold(&mut self, wanted: impl Fn(&Record) -> bool) -> Result<bool, ImageError> {
        for record in self.records.iter().filter(|record| wanted(record)) {
            if self.held.contains_key(&record.id) {
                return Ok(true);
            }
            if let Some(image) = self.store.hold(record)? {
                self.held.insert(record.id, image);
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The layers of an image, and the name of their tree, where they need one.
fn stack(image: &Incoming) -> (Vec<Digest>, Option<Digest>) {
    let diff_ids: Vec<Digest> = image.layers.iter().map(|layer| layer.diff_id).collect();
    let tree = (diff_ids.len() != 1).then(|| chain_id(&diff_ids));
    (diff_ids, tree)
}

fn files<'a>(fetched: &'a Layers, diff_id: &Digest) -> Option<&'a (PathBuf, Notes)> {
    let mut layers = fetched.iter().filter(|((id, _), _)| id == diff_id);
    layers.find_map(|(_, layer)| layer.files.as_ref())
}
