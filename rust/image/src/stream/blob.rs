//! The file a blob is kept in while its digest is not known yet.

use std::fs::File;
use std::io::{self, Write};

use crate::digest::{Digest, Hasher};
use crate::error::ImageError;

/// Writes the input as it is into the blob's file, where there is one.
pub(super) struct BlobWriter {
    file: Option<File>,
}

impl BlobWriter {
    pub(super) fn new(file: Option<File>) -> BlobWriter {
        BlobWriter { file }
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        match self.file.as_mut() {
            Some(file) => file
                .write_all(bytes)
                .map_err(ImageError::io("write", "the layer's blob")),
            None => Ok(()),
        }
    }
}

/// Compresses a stream into a zstd blob, for input whose own compression OCI has no media type for.
pub(super) struct Recompressor {
    encoder: zstd::stream::write::Encoder<'static, Hashed>,
}

/// zstd's own default: the best ratio at a speed above that of xz's decoder.
const LEVEL: i32 = 3;

impl Recompressor {
    pub(super) fn new(file: File) -> Result<Recompressor, ImageError> {
        let hashed = Hashed {
            file,
            hasher: Hasher::default(),
        };
        let encoder = zstd::stream::write::Encoder::new(hashed, LEVEL).map_err(written())?;
        Ok(Recompressor { encoder })
    }

    pub(super) fn write_all(&mut self, bytes: &[u8]) -> Result<(), ImageError> {
        self.encoder.write_all(bytes).map_err(written())
    }

    pub(super) fn finish(self) -> Result<(Digest, u64), ImageError> {
        let hashed = self.encoder.finish().map_err(written())?;
        Ok(hashed.hasher.finish())
    }
}

fn written() -> impl FnOnce(io::Error) -> ImageError {
    ImageError::io("write", "the layer's blob")
}

struct Hashed {
    file: File,
    hasher: Hasher,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.file.write(bytes)?;
        self.hasher.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
