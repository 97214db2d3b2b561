//! Writing the archive.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use super::{Content, Members};
use crate::digest::{Digest, Hasher};
use crate::error::ImageError;
use crate::stream::{self, Keep, Progress, ask};
use crate::tar::{Input, write};

const BUFFER: usize = 256 << 10;

pub(super) fn write(
    members: &Members,
    out: &mut dyn Write,
    progress: &mut Option<Progress<'_>>,
) -> Result<(), ImageError> {
    let mut out = Out {
        out,
        progress,
        written: 0,
    };
    for directory in ["blobs/", "blobs/sha256/"] {
        out.bytes(&write::header(directory, None))?;
    }
    for (name, content) in members {
        let size = match content {
            Content::Text(text) => text.len() as u64,
            Content::Blob { size, .. } | Content::Plain { size, .. } => *size,
        };
        out.bytes(&write::header(name, Some(size)))?;
        let found = match content {
            Content::Text(text) => {
                out.bytes(text)?;
                None
            }
            Content::Blob { path, digest, .. } => Some((path, *digest, out.blob(path, size)?)),
            Content::Plain { path, digest, .. } => Some((path, *digest, out.plain(path)?)),
        };
        if let Some((path, expected, found)) = found
            && found != (expected, size)
        {
            return Err(ImageError::Mismatch {
                object: path.display().to_string(),
                expected,
                found: found.0,
            });
        }
        out.bytes(write::padding(size))?;
    }
    out.bytes(&write::END)?;
    out.out
        .flush()
        .map_err(ImageError::io("write", "the archive"))
}

struct Out<'a, 'p> {
    out: &'a mut dyn Write,
    progress: &'a mut Option<Progress<'p>>,
    written: u64,
}

impl Out<'_, '_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        self.out
            .write_all(bytes)
            .map_err(ImageError::io("write", "the archive"))?;
        self.written += bytes.len() as u64;
        ask(self.progress, self.written)
    }

    /// A file as it is, up to `size` bytes.
    fn blob(&mut self, path: &Path, size: u64) -> Result<(Digest, u64), ImageError> {
        let failed = |error| ImageError::io("read", path)(error);
        let mut file = File::open(path).map_err(failed)?.take(size);
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; BUFFER];
        loop {
            let n = file.read(&mut buffer).map_err(failed)?;
            if n == 0 {
                return Ok(hasher.finish());
            }
            hasher.update(&buffer[..n]);
            self.bytes(&buffer[..n])?;
        }
    }

    /// A file decompressed.
    fn plain(&mut self, path: &Path) -> Result<(Digest, u64), ImageError> {
        let file = File::open(path).map_err(ImageError::io("read", path))?;
        let (sender, chunks) = std::sync::mpsc::sync_channel::<Vec<u8>>(8);
        let streamed = std::thread::scope(|scope| {
            let decoding = scope.spawn(move || {
                stream::run(file, Keep::Nothing, None, |mut archive| {
                    loop {
                        let bytes = archive.fill()?;
                        if bytes.is_empty() {
                            return Ok(());
                        }
                        let n = bytes.len();
                        // What is written goes through the caller's thread, which a signal interrupts.
                        sender
                            .send(bytes.to_vec())
                            .map_err(|_| ImageError::Cancelled)?;
                        archive.consume(n);
                    }
                })
            });
            let mut written = Ok(());
            for chunk in chunks {
                written = self.bytes(&chunk);
                if written.is_err() {
                    break;
                }
            }
            let streamed = decoding
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            written.and(streamed)
        })?;
        Ok(streamed.diff)
    }
}
