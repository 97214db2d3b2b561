//! The way of an archive's bytes: read → digest and blob → decompress → digest → consumer.
//!
//! The caller's thread reads, so that a signal to it interrupts; decompression and the consumer have
//! a thread each. Memory is bounded by the buffers between them.

mod blob;
mod decode;
mod pipe;

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::thread;

pub(crate) use decode::Format;
pub(crate) use pipe::Receiver;

use crate::digest::{Digest, Hasher};
use crate::error::ImageError;
use blob::BlobWriter;

/// Called with the count of input bytes read so far, after each read and each time a signal
/// interrupts one; `Break` cancels.
pub type Progress<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// Asks the caller, who may cancel.
pub(crate) fn ask(progress: &mut Option<Progress<'_>>, bytes: u64) -> Result<(), ImageError> {
    if let Some(progress) = progress
        && progress(bytes).is_break()
    {
        return Err(ImageError::Cancelled);
    }
    Ok(())
}

/// What came through, and what the consumer made of it.
pub(crate) struct Streamed<T> {
    /// The input as it was given: digest and bytes.
    pub source: (Digest, u64),
    /// The blob as it was kept: the input, or what was made of it.
    pub blob: (Digest, u64),
    /// The uncompressed stream.
    pub diff: (Digest, u64),
    pub format: Format,
    pub consumed: T,
}

/// Where the input itself goes.
pub(crate) enum Keep {
    /// Into the file, as it is.
    AsGiven(File),
    /// Into the file, as zstd where OCI has no media type for its own compression.
    ForOci(File),
    /// Nowhere.
    Nothing,
}

/// Streams `reader` to where `keep` says and, decompressed, into `consume`, which must read it to
/// its end to succeed.
///
/// # Errors
/// The consumer's error, which is also how read errors and damaged compression arrive; nothing of
/// the input is kept then.
pub(crate) fn run<T: Send>(
    mut reader: impl Read,
    keep: Keep,
    progress: Option<Progress<'_>>,
    consume: impl FnOnce(Receiver) -> Result<T, ImageError> + Send,
) -> Result<Streamed<T>, ImageError> {
    let mut source = Source {
        progress,
        hasher: Hasher::default(),
    };
    let (head, length) = source.head(&mut reader)?;
    let format = Format::of(&head[..length])?;
    thread::scope(|scope| {
        let (blob, recompress) = match keep {
            Keep::ForOci(file) if !format.has_media_type() => (None, Some(file)),
            Keep::AsGiven(file) | Keep::ForOci(file) => (Some(file), None),
            Keep::Nothing => (None, None),
        };
        let (sender, receiver) = pipe::pipe();
        let named = |name: &str| thread::Builder::new().name(name.to_owned());
        let (consumer, decoder);
        if format == Format::Tar {
            consumer = named("image-unpack").spawn_scoped(scope, move || consume(receiver));
            decoder = None;
        } else {
            let (out, decoded) = pipe::pipe();
            consumer = named("image-unpack").spawn_scoped(scope, move || consume(decoded));
            let stage = move || decode::decode(format, receiver, out, recompress);
            decoder = Some(named("image-decode").spawn_scoped(scope, stage));
        }
        let started = || ImageError::io("start a thread for", "the archive");
        let consumer = consumer.map_err(started())?;
        let decoder = decoder.transpose().map_err(started())?;
        source.pump(reader, (head, length), BlobWriter::new(blob), sender);
        let source = source.hasher.finish();
        let decoded = decoder.map(joined);
        let consumed = joined(consumer)?;
        let (diff, recompressed) = match decoded {
            Some(decoded) => decoded?,
            None => (source, None),
        };
        Ok(Streamed {
            source,
            blob: recompressed.unwrap_or(source),
            diff,
            format,
            consumed,
        })
    })
}

fn joined<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The reading end.
struct Source<'a> {
    progress: Option<Progress<'a>>,
    hasher: Hasher,
}

impl Source<'_> {
    /// The first bytes: enough to see the compression, or all there are.
    fn head(&mut self, reader: &mut impl Read) -> Result<(Vec<u8>, usize), ImageError> {
        let mut buffer = pipe::buffer();
        let mut length = 0;
        while length < Format::MAGIC {
            match self.read(reader, &mut buffer[length..])? {
                0 => break,
                n => length += n,
            }
        }
        match length {
            0 => Err(ImageError::Truncated {
                what: "archive",
                offset: 0,
            }),
            _ => Ok((buffer, length)),
        }
    }

    /// Sends everything on, the head first. Ends early where the other side has closed, which has
    /// the reason then.
    fn pump(
        &mut self,
        mut reader: impl Read,
        head: (Vec<u8>, usize),
        mut blob: BlobWriter,
        mut sender: pipe::Sender,
    ) {
        let (mut buffer, mut length) = head;
        loop {
            let bytes = &buffer[..length];
            if let Err(error) = blob.write_all(bytes) {
                return sender.fail(error);
            }
            if sender.send(buffer, length).is_err() {
                return;
            }
            buffer = sender.buffer();
            match self.read(&mut reader, &mut buffer) {
                Ok(0) => return,
                Ok(n) => length = n,
                Err(error) => return sender.fail(error),
            }
        }
    }

    fn read(&mut self, reader: &mut impl Read, buffer: &mut [u8]) -> Result<usize, ImageError> {
        loop {
            let result = reader.read(buffer);
            if let Ok(n) = result {
                self.hasher.update(&buffer[..n]);
            }
            ask(&mut self.progress, self.hasher.bytes())?;
            match result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map_err(ImageError::io("read", "the archive")),
            }
        }
    }
}
