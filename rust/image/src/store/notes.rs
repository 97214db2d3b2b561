//! What is kept beside an unpacked layer: what its files do not show.
//!
//! A line of JSON, then paths, each ended by a NUL byte: two for each hard link into lower layers
//! (where it is, what it names), one for each directory that is implied.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Store, parse};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::unpack::{HardLink, Unpacked};

const VERSION: u32 = 1;

/// What is known of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Notes {
    /// Bytes of file data.
    pub bytes: u64,
    /// Bytes of its archive, uncompressed.
    pub stream: u64,
    /// Hard links (path, target) to files of lower layers.
    pub links: Vec<HardLink>,
    /// Directories whose attributes are those of lower layers; sorted.
    pub implied: Vec<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    bytes: u64,
    stream: u64,
    links: usize,
    implied: usize,
}

impl Notes {
    pub(super) fn new(unpacked: &mut Unpacked, stream: u64) -> Notes {
        Notes {
            bytes: unpacked.bytes,
            stream,
            links: std::mem::take(&mut unpacked.links),
            implied: std::mem::take(&mut unpacked.implied),
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), ImageError> {
        let head = Head {
            version: VERSION,
            bytes: self.bytes,
            stream: self.stream,
            links: self.links.len(),
            implied: self.implied.len(),
        };
        let head = serde_json::to_string(&head).map_err(|error| damaged(path, error))?;
        let mut text = head.into_bytes();
        text.push(b'\n');
        let links = self.links.iter().flat_map(|(path, target)| [path, target]);
        for path in links.chain(&self.implied) {
            text.extend_from_slice(path);
            text.push(0);
        }
        std::fs::write(path, text).map_err(ImageError::io("write", path))
    }
}

impl Store {
    pub(super) fn notes_path(&self, layer: &Digest) -> PathBuf {
        self.root.join("notes").join(layer.hex())
    }

    /// The notes on a layer; None where there are none.
    pub(super) fn notes(&self, layer: &Digest) -> Result<Option<Notes>, ImageError> {
        let path = self.notes_path(layer);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(ImageError::io("read", &path))?,
        };
        let end = text.iter().position(|b| *b == b'\n').unwrap_or(text.len());
        let head: Head = parse(&path, &text[..end])?;
        if head.version != VERSION {
            return Err(ImageError::Version {
                path,
                found: head.version.to_string(),
                supported: VERSION,
            });
        }
        let paths = text.get(end + 1..).unwrap_or_default();
        let mut paths = paths.split(|b| *b == 0).map(<[u8]>::to_vec);
        let mut next = || paths.next().ok_or_else(|| damaged(&path, "it is cut off"));
        let links = (0..head.links).map(|_| Ok((next()?, next()?)));
        let links = links.collect::<Result<_, ImageError>>()?;
        let implied = (0..head.implied).map(|_| next());
        Ok(Some(Notes {
            bytes: head.bytes,
            stream: head.stream,
            links,
            implied: implied.collect::<Result<_, ImageError>>()?,
        }))
    }
}

fn damaged(path: &Path, reason: impl ToString) -> ImageError {
    ImageError::Damaged {
        path: path.to_path_buf(),
        reason: reason.to_string(),
    }
}
