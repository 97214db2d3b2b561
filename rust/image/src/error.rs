//! What can go wrong with images, one variant per kind.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::digest::Digest;

/// An error of the image store. Each variant names what was being done and to what.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// No image has this name, tag, id or digest.
    #[error("no such image: {name}")]
    NotFound {
        /// The name as the caller gave it.
        name: String,
    },
    /// An id prefix that several images share.
    #[error("image id {prefix} is ambiguous: it could be {}", matches.join(" or "))]
    Ambiguous {
        /// The prefix as the caller gave it.
        prefix: String,
        /// The short ids of the images it fits.
        matches: Vec<String>,
    },
    /// Text that cannot be an image's name.
    #[error("invalid reference format: {reference:?}: {reason}")]
    InvalidReference {
        /// The text as the caller gave it.
        reference: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// A change to an image's config that cannot be made.
    #[error("invalid change {change:?}: {reason}")]
    Change {
        /// The Dockerfile instruction as the caller gave it.
        change: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Text that names no platform an image here can be for.
    #[error("invalid platform {platform:?}: {reason}")]
    InvalidPlatform {
        /// The text as the caller gave it.
        platform: String,
        /// Which rule it breaks.
        reason: &'static str,
    },
    /// The name is kept for something else.
    #[error("the name {name} is reserved for this machine's own programs; use another")]
    Reserved {
        /// The name, in its familiar form.
        name: String,
    },
    /// The image cannot be removed while somebody holds it.
    #[error("image {name} is in use by a container or another process")]
    InUse {
        /// The name or id that was to be removed.
        name: String,
    },
    /// Removing by id was asked for, but the image has several names.
    #[error("image {id} has several names ({}); remove them one by one, or use force", names.join(", "))]
    SeveralNames {
        /// The image's short id.
        id: String,
        /// Its names, short.
        names: Vec<String>,
    },
    /// The input ended before what it announced was complete.
    #[error("truncated {what}: the input ends after {offset} bytes")]
    Truncated {
        /// What was being read.
        what: &'static str,
        /// Bytes read up to there (of the unpacked stream for tar, else of the input).
        offset: u64,
    },
    /// The input breaks the rules of its format.
    #[error("corrupt {what}: {reason}")]
    Corrupt {
        /// The format.
        what: &'static str,
        /// Which rule, and where.
        reason: String,
    },
    /// The input's compression is known, but not supported here.
    #[error("unsupported compression {format}: use a plain, gzip, zstd, xz or bzip2 archive")]
    Unsupported {
        /// The compression found by its magic number.
        format: &'static str,
    },
    /// An archive entry that could reach outside of the image or make no sense in one.
    #[error("refused archive entry {entry:?}: {reason}")]
    Refused {
        /// The entry's name, as in the archive.
        entry: String,
        /// Why.
        reason: &'static str,
    },
    /// A limit of the caller's was reached.
    #[error("more than {limit} {what}: raise the option {option} if that is intended")]
    LimitExceeded {
        /// What was counted, in the plural.
        what: &'static str,
        /// The limit, in that unit.
        limit: u64,
        /// The option that sets it.
        option: &'static str,
    },
    /// A stored document or blob is not what it must be.
    #[error("damaged image store: {path}: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A stored document of a version this program does not know.
    #[error("{path} has version {found}; this fastbox knows {supported}")]
    Version {
        /// The file.
        path: PathBuf,
        /// The version found there.
        found: String,
        /// The newest one known here.
        supported: u32,
    },
    /// Contents that are not what their digest says.
    #[error("{object} is not what its digest says: it should be {expected}, and is {found}")]
    Mismatch {
        /// The blob or layer, by the name that the archive has for it.
        object: String,
        /// The digest it is named by.
        expected: Digest,
        /// The digest of what is there.
        found: Digest,
    },
    /// Something that a document of an archive names is not in it.
    #[error("the archive has no {name}, which {by} names")]
    Missing {
        /// The member or blob.
        name: String,
        /// The document that names it.
        by: String,
    },
    /// A document in an archive that makes no sense.
    #[error("invalid {name}: {reason}")]
    Document {
        /// The document, by its name in the archive.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An index without an image for this machine.
    #[error("{name} has no image for {wanted}, only for {}", available.join(", "))]
    Platform {
        /// The index, by its name in the archive.
        name: String,
        /// The platform looked for.
        wanted: String,
        /// Those there are.
        available: Vec<String>,
    },
    /// Something about one member of an archive of images.
    #[error("{member}: {source}")]
    Within {
        /// The member, or the file of a layout folder.
        member: String,
        /// What is wrong with it.
        source: Box<ImageError>,
    },
    /// An image whose files were not on the disk when the machine stopped, and cannot be made again.
    #[error(
        "the files of image {image} were lost when the machine stopped, and its blobs do not give them back ({source}): load or import it again"
    )]
    Lost {
        /// Its name, or short id.
        image: String,
        /// What is wrong with its blobs.
        source: Box<ImageError>,
    },
    /// The progress callback asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// A system call failed.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// The operation, as a verb.
        operation: &'static str,
        /// The object: a host path, or the path inside the image's layer.
        path: PathBuf,
        /// The errno.
        source: io::Error,
    },
}

impl ImageError {
    /// An [`ImageError::Io`] for `operation` on `path`; made for `map_err`.
    pub(crate) fn io<E: Into<io::Error>>(
        operation: &'static str,
        path: impl AsRef<Path>,
    ) -> impl FnOnce(E) -> ImageError {
        move |source| ImageError::Io {
            operation,
            path: path.as_ref().to_path_buf(),
            source: source.into(),
        }
    }

    /// The same for a path as the archive has it: bytes, perhaps not UTF-8.
    pub(crate) fn entry<E: Into<io::Error>>(
        operation: &'static str,
        path: &[u8],
    ) -> impl FnOnce(E) -> ImageError {
        // Nothing is copied unless there is an error: this is called for every system call.
        move |source| ImageError::Io {
            operation,
            path: Path::new("/").join(OsStr::from_bytes(path)),
            source: source.into(),
        }
    }

    pub(crate) fn document(name: impl Into<String>, reason: impl ToString) -> ImageError {
        ImageError::Document {
            name: name.into(),
            reason: reason.to_string(),
        }
    }

    /// The error, with the member of an archive that it is about.
    pub(crate) fn within(self, member: &str) -> ImageError {
        match self {
            ImageError::Cancelled | ImageError::LimitExceeded { .. } | ImageError::Io { .. } => {
                self
            }
            error => ImageError::Within {
                member: member.to_owned(),
                source: Box::new(error),
            },
        }
    }

    pub(crate) fn refused(entry: &[u8], reason: &'static str) -> ImageError {
        ImageError::Refused {
            entry: shown(entry),
            reason,
        }
    }

    /// Whether the cause is a full disk or an exhausted quota.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, ImageError::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// An archive's name for messages: lossy, and cut so that a hostile one cannot flood a terminal.
pub(crate) fn shown(name: &[u8]) -> String {
    const LONGEST: usize = 256;
    if name.len() <= LONGEST {
        return String::from_utf8_lossy(name).into_owned();
    }
    format!("{}…", String::from_utf8_lossy(&name[..LONGEST]))
}
