//! Decompression, found by magic number.

use std::fs::File;
use std::io::{self, BufRead, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};

use super::blob::Recompressor;
use super::pipe::{Receiver, Sender};
use crate::digest::{Digest, Hasher};
use crate::error::ImageError;

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Tar,
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

/// The most memory an xz archive may ask for; `xz -9` needs 65 MiB.
const XZ_MEMORY: u64 = 256 << 20;

impl Format {
    /// Bytes needed to tell.
    pub(crate) const MAGIC: usize = 8;

    /// The format of input that begins with `head`. What has no magic number is taken for tar, whose
    /// reader will tell.
    pub(crate) fn of(head: &[u8]) -> Result<Format, ImageError> {
        let unsupported = match head {
            [0x1f, 0x8b, ..] => return Ok(Format::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return Ok(Format::Zstd),
            // A frame of metadata that a zstd decoder skips.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => return Ok(Format::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => return Ok(Format::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => return Ok(Format::Bzip2),
            [0x04, 0x22, 0x4d, 0x18, ..] => "lz4",
            [0x1f, 0x9d, ..] => "compress",
            [b'L', b'Z', b'I', b'P', ..] => "lzip",
            [b'P', b'K', 3, 4, ..] => "zip",
            [b'7', b'z', 0xbc, 0xaf, ..] => "7z",
            _ => return Ok(Format::Tar),
        };
        Err(ImageError::Unsupported {
            format: unsupported,
        })
    }

    /// Whether OCI has a media type for layers compressed so (image-spec, layer.md).
    pub(super) fn has_media_type(self) -> bool {
        !matches!(self, Format::Xz | Format::Bzip2)
    }

    fn what(self) -> &'static str {
        match self {
            Format::Tar => "tar archive",
            Format::Gzip => "gzip data",
            Format::Zstd => "zstd data",
            Format::Xz => "xz data",
            Format::Bzip2 => "bzip2 data",
        }
    }
}

/// Digest and bytes of the decoded stream, and of the recompressed blob where one was written.
pub(super) type Decoded = ((Digest, u64), Option<(Digest, u64)>);

/// Decodes `input` into `out`, and into a zstd blob in `recompress` where that is given. Errors go
/// down the stream; what is returned counts only where the consumer succeeded.
pub(super) fn decode(
    format: Format,
    mut input: Receiver,
    mut out: Sender,
    recompress: Option<File>,
) -> Result<Decoded, ImageError> {
    let result = (|| {
        let recompress = recompress.map(Recompressor::new).transpose()?;
        let decoded = match format {
            Format::Gzip => copy(Gunzip::new(&mut input), &mut out, recompress),
            Format::Xz => {
                let stream = Stream::new_stream_decoder(XZ_MEMORY, CONCATENATED);
                let stream = stream.map_err(|e| Failure::Decode(e.into()));
                stream
                    .and_then(|s| copy(XzDecoder::new_stream(&mut input, s), &mut out, recompress))
            }
            Format::Zstd => match zstd::stream::read::Decoder::with_buffer(&mut input) {
                Ok(decoder) => copy(decoder, &mut out, recompress),
                Err(error) => Err(Failure::Decode(error)),
            },
            Format::Bzip2 => copy(MultiBzDecoder::new(&mut input), &mut out, recompress),
            Format::Tar => copy(&mut input, &mut out, recompress),
        };
        decoded.map_err(|failure| match failure {
            Failure::Image(error) => error,
            Failure::Decode(error) => upstream(error, format, input.consumed()),
        })
    })();
    match result {
        Ok(decoded) => Ok(decoded),
        Err(error) => {
            out.fail(error);
            Err(ImageError::Cancelled)
        }
    }
}

enum Failure {
    Image(ImageError),
    Decode(io::Error),
}

fn copy(
    mut decoder: impl Read,
    out: &mut Sender,
    mut recompress: Option<Recompressor>,
) -> Result<Decoded, Failure> {
    let mut hasher = Hasher::default();
    let mut buffer = out.buffer();
    loop {
        let mut length = 0;
        // Decoders return what one step gives; a full buffer is worth several.
        while length < buffer.len() {
            match decoder.read(&mut buffer[length..]) {
                Ok(0) => break,
                Ok(n) => length += n,
                Err(error) => return Err(Failure::Decode(error)),
            }
        }
        if length == 0 {
            let blob = recompress.map(Recompressor::finish).transpose();
            return Ok((hasher.finish(), blob.map_err(Failure::Image)?));
        }
        hasher.update(&buffer[..length]);
        if let Some(recompress) = recompress.as_mut() {
            recompress
                .write_all(&buffer[..length])
                .map_err(Failure::Image)?;
        }
        if out.send(buffer, length).is_err() {
            return Err(Failure::Image(ImageError::Cancelled));
        }
        buffer = out.buffer();
    }
}

/// The error a decoder gave: its own, or one that came to it with its input.
fn upstream(error: io::Error, format: Format, offset: u64) -> ImageError {
    let what = format.what();
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return ImageError::Truncated { what, offset };
    }
    match error.downcast::<ImageError>() {
        Ok(error) => error,
        Err(error) => ImageError::Corrupt {
            what,
            reason: format!("{error} (near byte {offset})"),
        },
    }
}

/// Gzip members one after the other, with zeros allowed after the last, as gzip itself does.
struct Gunzip<R> {
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> Gunzip<R> {
    fn new(input: R) -> Gunzip<R> {
        Gunzip {
            member: Some(GzDecoder::new(input)),
        }
    }

    fn next_member(&mut self, mut input: R) -> io::Result<()> {
        match input.fill_buf()?.first() {
            None => return Ok(()),
            Some(0) => {}
            Some(_) => {
                self.member = Some(GzDecoder::new(input));
                return Ok(());
            }
        }
        loop {
            let bytes = input.fill_buf()?;
            if bytes.is_empty() {
                return Ok(());
            }
            if bytes.iter().any(|b| *b != 0) {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "data after its end",
                ));
            }
            let n = bytes.len();
            input.consume(n);
        }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = self.member.as_mut() {
            let n = member.read(out)?;
            if n > 0 || out.is_empty() {
                return Ok(n);
            }
            if let Some(member) = self.member.take() {
                self.next_member(member.into_inner())?;
            }
        }
        Ok(0)
    }
}
