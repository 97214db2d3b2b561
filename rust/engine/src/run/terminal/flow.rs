//! Bytes on their way from one place to another, as many as one read gives.

use nix::errno::Errno;
use std::os::fd::BorrowedFd;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// One direction. What was read is written before more is read: the side that is slow slows the other down.
pub(super) struct Flow {
    bytes: Vec<u8>,
    at: usize,
}

impl Flow {
    pub(super) fn new() -> Flow {
        Flow {
            bytes: Vec::with_capacity(CHUNK),
            at: 0,
        }
    }

    /// Whether everything that was read is written.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Reads once. False at the end, which a terminal whose other side is gone reports as an error.
    pub(super) fn read(&mut self, from: BorrowedFd<'_>) -> bool {
        self.bytes.resize(CHUNK, 0);
        self.at = 0;
        let (length, open) = match nix::unistd::read(from, &mut self.bytes) {
            Ok(n) => (n, n > 0),
            Err(Errno::EINTR | Errno::EAGAIN) => (0, true),
            Err(_) => (0, false),
        };
        self.bytes.truncate(length);
        open
    }

    /// What was read last; it may be changed until it is written.
    pub(super) fn bytes(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes what `to` takes. False when it takes nothing any more: what is left is dropped.
    pub(super) fn write(&mut self, to: BorrowedFd<'_>) -> bool {
        while !self.is_empty() {
            match nix::unistd::write(to, &self.bytes[self.at..]) {
                Ok(n) => self.at += n,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return true,
                Err(_) => {
                    self.at = self.bytes.len();
                    return false;
                }
            }
        }
        true
    }
}
