//! What an archive may hold, and what has been counted of it.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::ImageError;

/// Bounds on what an archive may unpack to. Never a ratio: sparse files are legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of file data written; holes do not count. Default 64 GiB.
    pub max_bytes: u64,
    /// Most entries. Default 4,000,000.
    pub max_entries: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            max_bytes: 64 << 30,
            max_entries: 4_000_000,
        }
    }
}

/// What an archive may hold beside file data, per entry allowed: headers and padding.
const HEADERS_PER_ENTRY: u64 = 8 << 10;

impl Limits {
    /// Checks the length of a stream: headers without end must not be free.
    pub(crate) fn check_stream(&self, bytes: u64) -> Result<(), ImageError> {
        let headers = self.max_entries.saturating_mul(HEADERS_PER_ENTRY);
        let limit = self.max_bytes.saturating_add(headers);
        match bytes > limit {
            true => Err(ImageError::LimitExceeded {
                what: "bytes in the archive",
                limit,
                option: "max_bytes",
            }),
            false => Ok(()),
        }
    }
}

/// How to unpack one layer. Several that are unpacked at the same time share the counters.
pub(crate) struct Rules<'a> {
    pub limits: Limits,
    pub spent: &'a Spent,
    /// Whether the layer may stand on others, whose files its hard links may name.
    pub stacked: bool,
}

/// What has been unpacked so far, of all layers that share the limits.
#[derive(Default)]
pub(crate) struct Spent {
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl Rules<'_> {
    pub(super) fn count_entry(&self) -> Result<(), ImageError> {
        let limit = self.limits.max_entries;
        match self.spent.entries.fetch_add(1, Ordering::Relaxed) >= limit {
            true => Err(ImageError::LimitExceeded {
                what: "entries in the archive",
                limit,
                option: "max_entries",
            }),
            false => Ok(()),
        }
    }

    /// Counts bytes that are about to be written.
    pub(super) fn count_bytes(&self, bytes: u64) -> Result<(), ImageError> {
        let limit = self.limits.max_bytes;
        let before = self.spent.bytes.fetch_add(bytes, Ordering::Relaxed);
        match before.saturating_add(bytes) > limit {
            true => Err(ImageError::LimitExceeded {
                what: "unpacked bytes",
                limit,
                option: "max_bytes",
            }),
            false => Ok(()),
        }
    }
}
