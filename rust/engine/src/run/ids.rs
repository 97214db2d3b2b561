//! Ranges of user ids: each container's own 65,536, far above those of people and distributions.

use super::{EngineError, lock};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// First id of the first block.
const FIRST: u32 = 0x4000_0000;
/// Ids of one container.
const RANGE: u32 = 65_536;
/// Ranges that a process leases at once.
const BLOCK: u32 = 64;
/// Blocks there are: up to 3.9 billion, below what the kernel keeps for itself.
const BLOCKS: u32 = 680;

/// The ranges this process may use. A block is its as long as it holds the lock, which ends with the process.
pub(super) struct Ids {
    directory: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    leases: Vec<Flock<File>>,
    free: Vec<u32>,
}

impl Ids {
    pub(super) fn new(run: &Path) -> Ids {
        Ids {
            directory: run.join("ids"),
            state: Mutex::default(),
        }
    }

    /// The first id of a free range.
    pub(super) fn take(&self) -> Result<u32, EngineError> {
        let mut state = lock(&self.state);
        if state.free.is_empty() {
            self.lease(&mut state)?;
        }
        state.free.pop().ok_or_else(|| EngineError::NoIds {
            directory: self.directory.clone(),
        })
    }

    /// Ranges that no container has any more.
    pub(super) fn give_back(&self, ranges: impl IntoIterator<Item = u32>) {
        lock(&self.state).free.extend(ranges);
    }

    fn lease(&self, state: &mut State) -> Result<(), EngineError> {
        let failed = |error: std::io::Error| EngineError::System {
            operation: "lease a range of user ids",
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        };
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        for block in 0..BLOCKS {
            let path = self.directory.join(block.to_string());
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(path)
                .map_err(failed)?;
            if let Ok(lease) = Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                state.leases.push(lease);
                let first = FIRST + block * BLOCK * RANGE;
                state
                    .free
                    .extend((0..BLOCK).rev().map(|n| first + n * RANGE));
                return Ok(());
            }
        }
        Ok(())
    }
}
