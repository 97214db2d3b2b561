//! A reader of tar archives: v7, ustar, star, GNU and PAX headers (POSIX.1-2017 pax; the GNU tar
//! manual, "Basic Tar Format" and "Storing Sparse Files"; libarchive's tar(5)).
//!
//! Archives are hostile input: every number is checked before it is used, every size has a bound,
//! and memory does not grow with the archive.

mod header;
mod number;
mod pax;
mod reader;
mod sparse;
pub(crate) mod write;

pub(crate) use header::Kind;
pub(crate) use reader::{Entry, Reader};
pub(crate) use sparse::Segment;

use crate::error::ImageError;

/// A point in time: seconds since 1970 (negative before) and nanoseconds after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    pub seconds: i64,
    pub nanoseconds: u32,
}

/// Where an archive's bytes come from.
pub(crate) trait Input {
    /// The bytes at hand, at least one unless the input is at its end.
    fn fill(&mut self) -> Result<&[u8], ImageError>;
    /// Goes on by `n` bytes, of those last returned by `fill`.
    fn consume(&mut self, n: usize);
    /// Goes on by at most `n` bytes, whatever they are; returns by how many, 0 only at the end.
    fn skip(&mut self, n: u64) -> Result<u64, ImageError> {
        let most = usize::try_from(n).unwrap_or(usize::MAX);
        let step = self.fill()?.len().min(most);
        self.consume(step);
        Ok(step as u64)
    }
}

impl Input for &[u8] {
    fn fill(&mut self) -> Result<&[u8], ImageError> {
        Ok(self)
    }

    fn consume(&mut self, n: usize) {
        *self = &self[n..];
    }
}
