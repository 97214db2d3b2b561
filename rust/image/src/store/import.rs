//! Making an image from a root filesystem archive.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant, SystemTime};

use oci_spec::image::{
    HistoryBuilder, ImageConfiguration, ImageConfigurationBuilder, Os, RootFsBuilder,
};
use serde_json::Value;

use super::Store;
use super::manifest;
use super::notes::Notes;
use super::record::Record;
use super::settle::{Unsettled, sync_file};
use super::workspace::Workspace;
use crate::config::Config;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::image::Image;
use crate::platform::Platform;
use crate::reference::Reference;
use crate::stream::{self, Keep, Progress, Streamed};
use crate::unpack::{self, Limits, Rules, Skipped, Spent, Unpacked};

/// How to import. The default is an image with an empty config, within the default limits.
#[derive(Default)]
pub struct ImportOptions<'a> {
    /// Bounds on what the archive may unpack to.
    pub limits: Limits,
    /// What a container of the image runs, and with what, where the caller does not say.
    pub config: Config,
    /// What its programs are for.
    pub platform: Platform,
    /// A sentence for the image's history.
    pub comment: Option<String>,
    /// Called while the archive is read.
    pub progress: Option<Progress<'a>>,
}

/// What an import made.
#[derive(Debug)]
pub struct Imported {
    /// The image, held.
    pub image: Image,
    /// Whether the name had this very image already; nothing was changed then.
    pub unchanged: bool,
    /// The image that had the name before and has no name now.
    pub replaced: Option<Digest>,
    /// Digest and bytes of the input as it was given.
    pub source: (Digest, u64),
    /// Digest of the layer, uncompressed.
    pub diff_id: Digest,
    /// Entries in the archive.
    pub entries: u64,
    /// Bytes of file data unpacked.
    pub bytes: u64,
    /// What could not be kept.
    pub skipped: Skipped,
    /// How long reading and unpacking took.
    pub unpacking: Duration,
    /// How long it took to bring the blob and the image's documents safely to the disk, and to publish
    /// them.
    pub syncing: Duration,
}

impl Store {
    /// Makes the image `name`, or one without a name, from a root filesystem archive: tar, plain or
    /// compressed by gzip, zstd, xz or bzip2. It is read once and unpacked while it is read, in bounded
    /// memory. The blob is kept as it was given; where OCI has no media type for its compression (xz,
    /// bzip2) it is kept as zstd. An image that had the name loses it. On any error the store is as
    /// before.
    ///
    /// An ordinary user owns all files and gets no device nodes; their files are readable and their
    /// directories passable by them, whatever the archive says. What was left out is in
    /// [`Imported::skipped`].
    ///
    /// # Errors
    /// [`ImageError::Truncated`], [`ImageError::Corrupt`], [`ImageError::Unsupported`],
    /// [`ImageError::Refused`] and [`ImageError::LimitExceeded`] for the archive,
    /// [`ImageError::Reserved`], [`ImageError::Cancelled`], [`ImageError::Io`]. After an error in the
    /// archive it may take one more read of `reader` until this returns.
    pub fn import<'n>(
        &self,
        reader: impl Read,
        name: impl Into<Option<&'n Reference>>,
        options: ImportOptions<'_>,
    ) -> Result<Imported, ImageError> {
        let name = name.into();
        name.map_or(Ok(()), Reference::check_free)?;
        self.clean()?;
        let workspace = self.workspace()?;
        let start = Instant::now();
        let layer = workspace.path().join("layer");
        let blob = workspace.path().join("blob");
        std::fs::create_dir(&layer).map_err(ImageError::io("create directory", &layer))?;
        let root = File::open(&layer).map_err(ImageError::io("open", &layer))?;
        let file = File::create(&blob).map_err(ImageError::io("create", &blob))?;
        let rules = Rules {
            limits: options.limits,
            spent: &Spent::default(),
            stacked: false,
        };
        let keep = Keep::ForOci(file);
        let mut streamed = stream::run(reader, keep, options.progress, move |archive| {
            unpack::unpack(archive, root.into(), rules)
        })?;
        let unpacking = start.elapsed();

        let documents =
            Documents::new(&streamed, options.config, options.platform, options.comment)?;
        let put = |name: &str, bytes: &[u8]| {
            let path = workspace.path().join(name);
            std::fs::write(&path, bytes).map_err(ImageError::io("write", &path))?;
            sync_file(&path)
        };
        let start = Instant::now();
        put("config", &documents.config)?;
        put("manifest", &documents.manifest)?;
        Notes::new(&mut streamed.consumed, streamed.diff.1)
            .write(&workspace.path().join("notes"))?;
        sync_file(&blob)?;
        let (image, unchanged, replaced) = self.publish_import(&workspace, name, &documents)?;
        let syncing = start.elapsed();
        let Unpacked {
            entries,
            bytes,
            skipped,
            ..
        } = streamed.consumed;
        Ok(Imported {
            image,
            unchanged,
            replaced,
            source: streamed.source,
            diff_id: streamed.diff.0,
            entries,
            bytes,
            skipped,
            unpacking,
            syncing,
        })
    }

    /// Gives what is complete in the workspace its place and name.
    fn publish_import(
        &self,
        workspace: &Workspace,
        name: Option<&Reference>,
        documents: &Documents,
    ) -> Result<(Image, bool, Option<Digest>), ImageError> {
        let mark = Unsettled::new(workspace)?;
        let _locked = self.lock()?;
        let record = documents.record();
        if let Some(name) = name
            && let Some(before) = self.named(name)?
            && before.is_sound()
            && self.is_same(&before, documents)?
            && let Some(image) = self.hold(&before)?
        {
            return Ok((image, true, None));
        }
        let from = |name: &str| workspace.path().join(name);
        let placed = vec![
            (from("layer"), self.layer(&documents.diff_id)),
            (from("notes"), self.notes_path(&documents.diff_id)),
            (from("blob"), self.blob(&documents.blob)),
            (from("config"), self.blob(&record.id)),
            (from("manifest"), self.blob(&record.manifest)),
        ];
        let names = name.map(std::slice::from_ref).unwrap_or_default();
        let published = self.publish(workspace, &placed, mark.as_ref(), &[(&record, names)])?;
        let published = published.into_iter().next();
        let published = published.expect("each record that is published gives an image");
        Ok((published.image, false, published.replaced.first().copied()))
    }

    /// Whether a record's image differs from a new one in nothing but when it was made.
    fn is_same(&self, before: &Record, documents: &Documents) -> Result<bool, ImageError> {
        if before.layers != [documents.diff_id] || before.blobs != [documents.blob] {
            return Ok(false);
        }
        let path = self.blob(&before.id);
        let old = std::fs::read(&path).map_err(ImageError::io("read", &path))?;
        let timeless = |text: &[u8]| {
            let mut value: Value = serde_json::from_slice(text).ok()?;
            value.as_object_mut()?.remove("created");
            for step in value.get_mut("history")?.as_array_mut()? {
                step.as_object_mut()?.remove("created");
            }
            Some(value)
        };
        Ok(timeless(&old).is_some_and(|old| timeless(&documents.config) == Some(old)))
    }
}

/// The image's own documents, as bytes, and what they name.
struct Documents {
    config: Vec<u8>,
    manifest: Vec<u8>,
    diff_id: Digest,
    blob: Digest,
    created: String,
    size: u64,
}

impl Documents {
    fn new(
        streamed: &Streamed<Unpacked>,
        config: Config,
        platform: Platform,
        comment: Option<String>,
    ) -> Result<Documents, ImageError> {
        let created = super::clock::rfc3339(SystemTime::now());
        let mut document = value(configuration(&created, streamed.diff.0, platform, comment))?;
        // Its own type has fields that OCI's does not.
        document["config"] = value(Ok(config))?;
        let config = document.to_string().into_bytes();
        let (blob, size) = streamed.blob;
        let layer = manifest::Blob {
            digest: blob,
            size,
            format: streamed.format,
        };
        Ok(Documents {
            manifest: manifest::encode(&config, &[layer])?,
            config,
            diff_id: streamed.diff.0,
            blob,
            created,
            size: streamed.consumed.bytes,
        })
    }

    fn record(&self) -> Record {
        let manifest = (Digest::of(&self.manifest), self.manifest.len() as u64);
        let id = Digest::of(&self.config);
        let mut record = Record::new(manifest, id, self.created.clone());
        record.layers = vec![self.diff_id];
        record.blobs = vec![self.blob];
        record.size = self.size;
        record.layer_sizes = vec![self.size];
        record
    }
}

fn configuration(
    created: &str,
    diff_id: Digest,
    platform: Platform,
    comment: Option<String>,
) -> Result<ImageConfiguration, oci_spec::OciSpecError> {
    let history = HistoryBuilder::default()
        .created(created)
        .created_by("fastbox import")
        .comment(comment.unwrap_or_else(|| "imported from an archive".to_owned()))
        .build()?;
    let rootfs = RootFsBuilder::default()
        .typ("layers")
        .diff_ids(vec![diff_id.to_string()])
        .build()?;
    let document = ImageConfigurationBuilder::default()
        .created(created)
        .architecture(platform.architecture)
        .os(Os::Linux)
        .rootfs(rootfs)
        .history(vec![history]);
    match platform.variant {
        Some(variant) => document.variant(variant).build(),
        None => document.build(),
    }
}

fn value<T: serde::Serialize>(
    document: Result<T, oci_spec::OciSpecError>,
) -> Result<Value, ImageError> {
    document
        .map_err(|error| error.to_string())
        .and_then(|document| serde_json::to_value(document).map_err(|error| error.to_string()))
        .map_err(|reason| ImageError::Corrupt {
            what: "image config",
            reason,
        })
}
