//! Images as files: docker-archives, OCI archives and OCI layout folders. What is found in them is
//! checked where it is used; nothing here is believed.

mod config;
mod docker;
mod index;
mod legacy;
mod oci;

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::digest::Digest;
use crate::error::{ImageError, shown};
use crate::reference::Reference;
use index::{Index, Place};

/// The largest document that is read: manifests and configs of real images have some kilobytes.
const LARGEST_DOCUMENT: u64 = 8 << 20;
/// More layers are refused.
const MOST_LAYERS: usize = 1024;

/// More images in one archive are refused.
const MOST_IMAGES: usize = 10_000;

/// An image as an archive describes it. Its config has as many layers as are listed here; nothing
/// else has been compared yet.
pub(crate) struct Incoming {
    pub names: Vec<Reference>,
    /// As it is in the archive: its digest is the image's id.
    pub config: Vec<u8>,
    /// As it is in the archive; None for formats that have none.
    pub manifest: Option<Vec<u8>>,
    /// The lowest first.
    pub layers: Vec<IncomingLayer>,
}

/// A layer as an archive describes it.
pub(crate) struct IncomingLayer {
    /// The member or file that holds it.
    pub member: Vec<u8>,
    /// The digest of its uncompressed archive, as the config has it.
    pub diff_id: Digest,
    /// The digest of the member, where it is named by one.
    pub blob: Option<Digest>,
    /// The length of the member, where a manifest states it.
    pub size: Option<u64>,
}

/// Where images come from.
pub(crate) enum Source {
    Folder(OwnedFd),
    Tar { file: File, index: Index },
}

impl Source {
    /// An OCI layout folder.
    pub(crate) fn folder(path: &Path) -> Result<Source, ImageError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty());
        Ok(Source::Folder(
            folder.map_err(ImageError::io("open", path))?,
        ))
    }

    /// An uncompressed archive in a file, which begins at `start`.
    pub(crate) fn tar(
        file: File,
        start: u64,
        check: impl FnMut() -> Result<(), ImageError>,
    ) -> Result<Source, ImageError> {
        let index = Index::read(&file, start, check)?;
        Ok(Source::Tar { file, index })
    }

    /// The images described here, in the order they are listed in; at least one.
    ///
    /// # Errors
    /// Every description that is damaged or makes no sense.
    pub(crate) fn images(&self) -> Result<Vec<Incoming>, ImageError> {
        let what = match self {
            Source::Folder(_) => "image folder",
            Source::Tar { .. } => "image archive",
        };
        let corrupt = |reason: &str| ImageError::Corrupt {
            what,
            reason: reason.to_owned(),
        };
        let images = if self.has("oci-layout")? {
            oci::images(self)?
        } else if matches!(self, Source::Folder(_)) {
            return Err(corrupt("there is no oci-layout in it"));
        } else if self.has("manifest.json")? {
            docker::images(self)?
        } else if self.has("repositories")? {
            legacy::images(self)?
        } else {
            return Err(corrupt(
                "there is neither oci-layout nor manifest.json nor repositories in it; \
                 'fastbox import' makes an image from a root file system",
            ));
        };
        match images.is_empty() {
            true => Err(corrupt("no image is listed in it")),
            false => Ok(images),
        }
    }

    fn has(&self, name: &str) -> Result<bool, ImageError> {
        Ok(self.open(name.as_bytes())?.is_some())
    }

    /// The bytes of a member, by its normalised name; None where there is no such file.
    pub(crate) fn open(&self, name: &[u8]) -> Result<Option<Section<'_>>, ImageError> {
        match self {
            Source::Tar { file, index } => Ok(index.find(name)?.map(|place| Section {
                file: Handle::Shared(file),
                place,
            })),
            Source::Folder(folder) => {
                let file = match beneath(folder, name) {
                    Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                    result => File::from(result.map_err(ImageError::entry("open", name))?),
                };
                let meta = file.metadata().map_err(ImageError::entry("open", name))?;
                if !meta.is_file() {
                    return Err(ImageError::refused(name, "it is no regular file"));
                }
                Ok(Some(Section {
                    place: Place {
                        offset: 0,
                        length: meta.len(),
                    },
                    file: Handle::Own(file),
                }))
            }
        }
    }

    /// A whole small member.
    fn document(&self, name: &str) -> Result<Option<Vec<u8>>, ImageError> {
        let Some(mut section) = self.open(name.as_bytes())? else {
            return Ok(None);
        };
        if section.length() > LARGEST_DOCUMENT {
            let reason = format!(
                "it has {} bytes, and at most {LARGEST_DOCUMENT} make sense",
                section.length()
            );
            return Err(ImageError::document(name, reason));
        }
        let mut text = Vec::with_capacity(section.length() as usize);
        section
            .read_to_end(&mut text)
            .map_err(ImageError::entry("read", name.as_bytes()))?;
        match section.length() {
            0 => Ok(Some(text)),
            _ => Err(ImageError::document(name, "it is cut off")),
        }
    }

    /// The same for one that must be there because `by` names it.
    fn named_document(&self, name: &str, by: &str) -> Result<Vec<u8>, ImageError> {
        self.document(name)?.ok_or_else(|| ImageError::Missing {
            name: shown(name.as_bytes()),
            by: by.to_owned(),
        })
    }
}

fn beneath(folder: &OwnedFd, name: &[u8]) -> Result<OwnedFd, Errno> {
    // A fifo must not keep this waiting.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat2(folder, name, flags, Mode::empty(), ResolveFlags::BENEATH)
}

/// A part of a file; reading goes on from where it stands.
pub(crate) struct Section<'a> {
    file: Handle<'a>,
    place: Place,
}

enum Handle<'a> {
    Shared(&'a File),
    Own(File),
}

impl Section<'_> {
    /// Bytes left.
    pub(crate) fn length(&self) -> u64 {
        self.place.length
    }
}

impl Read for Section<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match &self.file {
            Handle::Shared(file) => file,
            Handle::Own(file) => file,
        };
        let most = usize::try_from(self.place.length).unwrap_or(usize::MAX);
        let most = buffer.len().min(most);
        let n = file.read_at(&mut buffer[..most], self.place.offset)?;
        self.place.offset += n as u64;
        self.place.length -= n as u64;
        Ok(n)
    }
}

/// Reads a document of an archive.
fn parse<'a, T: serde::Deserialize<'a>>(name: &str, text: &'a [u8]) -> Result<T, ImageError> {
    serde_json::from_slice(text).map_err(|error| ImageError::document(name, error))
}

fn at_most(most: usize, count: usize, name: &str) -> Result<(), ImageError> {
    match count > most {
        true => {
            let reason = format!("it lists {count} images, and at most {most} are read");
            Err(ImageError::document(name, reason))
        }
        false => Ok(()),
    }
}
