//! What a container that has ended used: read when somebody asks, which need not be on the path of its end, else just
//! before its groups go.

use std::process;
use std::sync::{Mutex, PoisonError, TryLockError};

use super::reader::{Reader, Usage};

/// The counters of one container.
#[derive(Debug)]
pub struct Counters {
    reader: Reader<'static>,
    read: Mutex<Option<Usage>>,
    process: u32,
}

impl Counters {
    /// Of the groups that `reader` reads.
    #[must_use]
    pub fn new(reader: Reader<'static>) -> Counters {
        Counters {
            reader,
            read: Mutex::new(None),
            process: process::id(),
        }
    }

    /// Reads what they are now, and kills.
    #[must_use]
    pub fn reader(&self) -> &Reader<'static> {
        &self.reader
    }

    /// What they were at the end of the container, which is over.
    #[must_use]
    pub fn at_the_end(&self) -> Usage {
        self.settle(|| self.reader.usage())
    }

    /// The same, by a reader that sees the groups another way.
    pub(crate) fn keep(&self, reader: &Reader<'_>) {
        self.settle(|| reader.usage());
    }

    fn settle(&self, read: impl FnOnce() -> Usage) -> Usage {
        let mut kept = match self.read.try_lock() {
            Ok(kept) => kept,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // A fork during the janitor's reading: whoever would let go of it is not in this process.
            Err(TryLockError::WouldBlock) if process::id() != self.process => {
                return Usage::default();
            }
            Err(TryLockError::WouldBlock) => {
                self.read.lock().unwrap_or_else(PoisonError::into_inner)
            }
        };
        *kept.get_or_insert_with(read)
    }
}
