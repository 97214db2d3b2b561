//! The directory images live in.

mod clock;
mod fetch;
mod import;
mod index;
mod list;
mod load;
mod loader;
mod lock;
mod manifest;
mod merging;
mod notes;
mod publish;
mod record;
mod remove;
mod resolve;
mod restore;
mod save;
mod settle;
mod tag;
mod workspace;

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::IFlags;

pub use import::{ImportOptions, Imported};
pub use list::Summary;
pub use load::{LoadFrom, LoadOptions, Loaded};
pub use remove::Removed;

use crate::digest::Digest;
use crate::error::ImageError;

/// The version of the OCI image layout (image-spec, image-layout.md).
const LAYOUT: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
const LAYOUT_VERSION: &str = "1.0.0";
const DIRECTORIES: [&str; 7] = [
    "blobs/sha256",
    "layers",
    "leases",
    "notes",
    "refs",
    "tmp",
    "trees",
];

/// An image store. Several processes may use one at the same time.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Opens the store at `root` and makes it, for its owner only, where it is missing. What dead
    /// processes left half done there is cleaned up.
    ///
    /// # Errors
    /// [`ImageError::Version`] for a layout of another version, [`ImageError::Io`].
    pub fn open(root: &Path) -> Result<Store, ImageError> {
        let store = Store {
            root: root.to_path_buf(),
        };
        let layout = root.join("oci-layout");
        match std::fs::read(&layout) {
            Ok(text) => check_layout(&layout, &text)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => store.create()?,
            Err(error) => return Err(ImageError::io("read", layout)(error)),
        }
        store.clean()?;
        Ok(store)
    }

    /// The store's directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn create(&self) -> Result<(), ImageError> {
        for name in DIRECTORIES {
            let path = self.root.join(name);
            // Images hold setuid programs and other people's files: nobody else may come near.
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(ImageError::io("create directory", &path))?;
        }
        spread(&self.root.join("tmp"));
        let _lock = self.lock()?;
        self.write_index(&[])?;
        self.write(&self.root.join("oci-layout"), LAYOUT.as_bytes())
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs/sha256")
    }

    fn blob(&self, digest: &Digest) -> PathBuf {
        self.blobs().join(digest.hex())
    }

    fn layer(&self, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(diff_id.hex())
    }

    fn tree(&self, chain: &Digest) -> PathBuf {
        self.root.join("trees").join(chain.hex())
    }

    /// Replaces a small file, durably: new, fsync, rename, fsync of its directory. Needs the lock:
    /// the new file's name is fixed.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), ImageError> {
        let new = path.with_extension("new");
        let result = std::fs::write(&new, bytes)
            .and_then(|()| {
                let file = File::open(&new)?;
                // The kernel's own clock for files is up to a tick late: a name would be older than its image.
                file.set_modified(SystemTime::now())?;
                file.sync_all()
            })
            .and_then(|()| std::fs::rename(&new, path))
            .map_err(ImageError::io("write", path));
        match result {
            Ok(()) => sync_directory(path.parent().unwrap_or(&self.root)),
            Err(error) => {
                // The first error is the one to report.
                let _ = std::fs::remove_file(&new);
                Err(error)
            }
        }
    }
}

/// Tells ext4 that what is in the directory has nothing to do with each other (chattr(1), `T`), so that
/// it has its inodes in different places. Otherwise a load soon after a removal would look for free
/// ones where those just freed are, which ext4 keeps unused for a while and goes over one by one.
fn spread(directory: &Path) {
    let set = File::open(directory).map(|directory| {
        let flags = rustix::fs::ioctl_getflags(&directory)?;
        rustix::fs::ioctl_setflags(&directory, flags | IFlags::TOPDIR)
    });
    // Other file systems have no such flag.
    let _ = set;
}

/// The name of a stack of layers, the lowest first (image-spec, config.md, "Layer ChainID"). Of none
/// at all it is the digest of nothing.
fn chain_id(diff_ids: &[Digest]) -> Digest {
    let Some((first, others)) = diff_ids.split_first() else {
        return Digest::of(b"");
    };
    others.iter().fold(*first, |chain, next| {
        Digest::of(format!("{chain} {next}").as_bytes())
    })
}

fn check_layout(path: &Path, text: &[u8]) -> Result<(), ImageError> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Layout {
        image_layout_version: String,
    }
    let layout: Layout = parse(path, text)?;
    match layout.image_layout_version == LAYOUT_VERSION {
        true => Ok(()),
        false => Err(ImageError::Version {
            path: path.to_path_buf(),
            found: layout.image_layout_version,
            supported: 1,
        }),
    }
}

/// Reads a stored JSON document.
fn parse<'a, T: serde::Deserialize<'a>>(path: &Path, text: &'a [u8]) -> Result<T, ImageError> {
    serde_json::from_slice(text).map_err(|error| damaged(path, &error.to_string()))
}

fn damaged(path: impl Into<PathBuf>, reason: &str) -> ImageError {
    ImageError::Damaged {
        path: path.into(),
        reason: reason.to_owned(),
    }
}

/// Makes the names in a directory last.
fn sync_directory(path: &Path) -> Result<(), ImageError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(ImageError::io("sync", path))
}
