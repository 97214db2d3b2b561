//! Bounded queues of buffers between the stages.

use std::io::{self, BufRead, Read};
use std::sync::mpsc;

use crate::error::ImageError;
use crate::tar::Input;

/// Small enough that a buffer is still in the processor's cache when the next stage takes it.
const CHUNK: usize = 256 << 10;
const DEPTH: usize = 8;

type Chunk = (Vec<u8>, usize);

/// A buffer of the size all stages use.
pub(super) fn buffer() -> Vec<u8> {
    vec![0; CHUNK]
}

/// A queue of at most [`DEPTH`] buffers.
pub(super) fn pipe() -> (Sender, Receiver) {
    let (full, chunks) = mpsc::sync_channel(DEPTH);
    let (free, used) = mpsc::channel();
    let sender = Sender { full, used };
    let receiver = Receiver {
        chunks,
        free,
        current: (Vec::new(), 0),
        at: 0,
        bytes: 0,
    };
    (sender, receiver)
}

pub(super) struct Sender {
    full: mpsc::SyncSender<Result<Chunk, ImageError>>,
    used: mpsc::Receiver<Vec<u8>>,
}

/// The other side is gone: it failed, and has the reason.
pub(super) struct Closed;

impl Sender {
    /// A buffer to fill: one that came back, or a new one.
    pub(super) fn buffer(&mut self) -> Vec<u8> {
        self.used.try_recv().unwrap_or_else(|_| buffer())
    }

    pub(super) fn send(&mut self, buffer: Vec<u8>, length: usize) -> Result<(), Closed> {
        self.full.send(Ok((buffer, length))).map_err(|_| Closed)
    }

    /// Ends the stream with an error, which the other side reads in its place.
    pub(super) fn fail(self, error: ImageError) {
        // Where the other side is gone it has an error of its own.
        let _ = self.full.send(Err(error));
    }
}

/// The reading side: the bytes in order, then the end or the error the sender ended with.
pub(crate) struct Receiver {
    chunks: mpsc::Receiver<Result<Chunk, ImageError>>,
    free: mpsc::Sender<Vec<u8>>,
    current: Chunk,
    at: usize,
    bytes: u64,
}

impl Receiver {
    /// Bytes consumed so far.
    pub(super) fn consumed(&self) -> u64 {
        self.bytes
    }
}

impl Input for Receiver {
    fn fill(&mut self) -> Result<&[u8], ImageError> {
        if self.at == self.current.1
            && let Ok(next) = self.chunks.recv()
        {
            let (used, _) = std::mem::replace(&mut self.current, next?);
            self.at = 0;
            // The first one was a placeholder; an empty buffer to read into would mean the end.
            if !used.is_empty() {
                // The sender may have ended; then nobody needs the buffer.
                let _ = self.free.send(used);
            }
        }
        Ok(&self.current.0[self.at..self.current.1])
    }

    fn consume(&mut self, n: usize) {
        self.at += n;
        self.bytes += n as u64;
    }
}

impl BufRead for Receiver {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.fill().map_err(io::Error::other)
    }

    fn consume(&mut self, n: usize) {
        Input::consume(self, n);
    }
}

impl Read for Receiver {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.fill_buf()?;
        let n = bytes.len().min(out.len());
        out[..n].copy_from_slice(&bytes[..n]);
        BufRead::consume(self, n);
        Ok(n)
    }
}
