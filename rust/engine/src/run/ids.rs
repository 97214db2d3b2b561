//! Ranges of user ids: each container's own 65,536, far above those of people and distributions.

use super::{EngineError, lock};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::MetadataExt;
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
    /// Given back while containers that had joined one of theirs may still have them.
    lent: Vec<u32>,
}

/// A range that is not given to others, whosever it is, as long as this lives.
pub(super) struct Hold {
    file: Option<Flock<File>>,
    path: PathBuf,
}

impl Drop for Hold {
    fn drop(&mut self) {
        // Others may hold it as well: who gets it alone removes it. What stays is removed by who leases the range.
        self.file = None;
        is_free(&self.path);
    }
}

/// Whether nobody holds it. The file then goes while it is locked, so that nobody who just opened it counts on it.
fn is_free(hold: &Path) -> bool {
    let Ok(file) = File::open(hold) else {
        return true;
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(_alone) => {
            let _ = std::fs::remove_file(hold);
            true
        }
        Err(_) => false,
    }
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
            self.sort(&mut state);
        }
        if state.free.is_empty() {
            self.lease(&mut state)?;
        }
        state.free.pop().ok_or_else(|| EngineError::NoIds {
            directory: self.directory.clone(),
        })
    }

    /// What [`Ids::take`] will give next, where nothing is given back before.
    pub(super) fn first(&self) -> Result<u32, EngineError> {
        let base = self.take()?;
        lock(&self.state).free.push(base);
        Ok(base)
    }

    /// Ranges that no container has any more.
    pub(super) fn give_back(&self, ranges: impl IntoIterator<Item = u32>) {
        let mut state = lock(&self.state);
        for base in ranges {
            state.lent.push(base);
            self.sort(&mut state);
        }
    }

    /// Holds the range that begins with `base`, another container's, for one that joins it.
    pub(super) fn hold(&self, base: u32) -> Result<Hold, EngineError> {
        let failed = |errno| EngineError::System {
            operation: "hold a range of user ids",
            errno,
        };
        let path = self.hold_path(base);
        loop {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)
                .map_err(|error| failed(Errno::from_raw(error.raw_os_error().unwrap_or(0))))?;
            let file =
                Flock::lock(file, FlockArg::LockShared).map_err(|(_, errno)| failed(errno))?;
            let same = |found: std::fs::Metadata| {
                file.metadata()
                    .is_ok_and(|locked| locked.ino() == found.ino())
            };
            // Else somebody found it free and removed it between the two calls.
            if std::fs::metadata(&path).is_ok_and(same) {
                return Ok(Hold {
                    file: Some(file),
                    path,
                });
            }
        }
    }

    fn hold_path(&self, base: u32) -> PathBuf {
        self.directory.join(format!("{base}.joined"))
    }

    /// Frees those of the lent that nobody holds any more.
    fn sort(&self, state: &mut State) {
        let (free, lent) = std::mem::take(&mut state.lent)
            .into_iter()
            .partition(|base| is_free(&self.hold_path(*base)));
        state.free.extend::<Vec<u32>>(free);
        state.lent = lent;
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
                let all = (0..BLOCK).rev().map(|n| first + n * RANGE);
                // What a dead owner's containers had, others may still have.
                let held = self.held()?;
                let (lent, free): (Vec<u32>, Vec<u32>) = all.partition(|base| held.contains(base));
                state.free.extend(free);
                state.lent.extend(lent);
                self.sort(state);
                return Ok(());
            }
        }
        Ok(())
    }

    /// The ranges that somebody held at some time.
    fn held(&self) -> Result<Vec<u32>, EngineError> {
        let listed = std::fs::read_dir(&self.directory).map_err(|error| EngineError::System {
            operation: "list ranges of user ids",
            errno: Errno::from_raw(error.raw_os_error().unwrap_or(0)),
        })?;
        let base = |name: &str| name.strip_suffix(".joined")?.parse().ok();
        Ok(listed
            .flatten()
            .filter_map(|entry| base(entry.file_name().to_str()?))
            .collect())
    }
}
