//! Being an owner: a process's directory, its table, its watchdog.
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use fastbox_sys::channel::Channel;
use fastbox_sys::journal::{ClaimError, Header, ID_SIZE, Slot, Table};
use nix::errno::Errno;

use super::directory::{self, PID};
use super::error::StateError;
use super::identity::{Identity, Life};
use super::parents::PARENTS;
use crate::paths::Paths;

/// The table's file in an owner's directory.
pub(super) const TABLE: &str = "table";

/// This process as one that has containers: `<run>/owners/<id>` is there while it is.
///
/// One that is dropped stays registered until the process ends. In a process forked from this one it is
/// inert ([`Owner::is_mine`] is false): that process registers anew.
pub struct Owner {
    id: String,
    dir: PathBuf,
    uppers: PathBuf,
    uppers_made: Mutex<bool>,
    paths: Paths,
    who: Identity,
    table: Arc<Table>,
}

impl Owner {
    /// Registers this process under a new id of 16 hexadecimal digits: six that tell run directories apart,
    /// ten at random.
    ///
    /// # Errors
    /// Those of making a directory and a table in it, and of /dev/urandom.
    pub fn register(paths: &Paths) -> Result<Owner, StateError> {
        let who = Identity::current();
        loop {
            let id = new_id(paths)?;
            let mut table = None;
            let made = directory::make(&paths.owners(), &id, &who, |dir| {
                table = Some(make_table(&dir.join(TABLE), &who)?);
                Ok(())
            })?;
            // Not made: an owner of this id exists, so another one is drawn.
            if let (true, Some(table)) = (made, table) {
                return Ok(Owner {
                    dir: paths.owners().join(&id),
                    uppers: paths.uppers().join(&id),
                    uppers_made: Mutex::new(false),
                    id,
                    paths: paths.clone(),
                    who,
                    table: Arc::new(table),
                });
            }
        }
    }

    /// The id: the name of its directories and cgroups.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// `<run>/owners/<id>`.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether this process registered it; false in one forked from it. No system call.
    pub fn is_mine(&self) -> bool {
        self.table.is_mine()
    }

    /// Takes a slot of the table for the container `id`, 64 hexadecimal digits; `flags` as in
    /// [`fastbox_sys::journal::flags`].
    ///
    /// # Errors
    /// [`StateError::TooManyContainers`], [`StateError::Forked`], or no room in the run directory.
    pub fn claim(&self, id: &[u8; ID_SIZE], flags: u32) -> Result<Slot, StateError> {
        self.table.claim(id, flags).map_err(|error| match error {
            ClaimError::Full => StateError::TooManyContainers,
            ClaimError::Forked => StateError::Forked,
            ClaimError::Store(errno) => StateError::errno("extend", &self.dir.join(TABLE), errno),
        })
    }

    /// `<root>/run/<id>`, made at the first call: where containers' upper directories go.
    ///
    /// # Errors
    /// Those of making a directory; [`StateError::Forked`].
    pub fn uppers(&self) -> Result<&Path, StateError> {
        if !self.is_mine() {
            return Err(StateError::Forked);
        }
        let mut made = self
            .uppers_made
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !*made {
            directory::make(&self.paths.uppers(), &self.id, &self.who, |_| Ok(()))?;
            *made = true;
        }
        Ok(&self.uppers)
    }

    /// Starts the watchdog `program` (fastbox-monitor) for this owner; returns once it has left for a session
    /// of its own. Costs the start of a small process, however large this one is.
    ///
    /// # Errors
    /// It cannot be started, or reports a failure.
    pub fn start_watchdog(&self, program: &Path) -> Result<(), StateError> {
        let started = Command::new(program)
            .arg("watch")
            .args([Path::new("--owner"), &self.dir])
            .args([Path::new("--root"), self.paths.root()])
            .args([Path::new("--run"), self.paths.run()])
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .and_then(|mut process| process.wait());
        match started {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(StateError::Watchdog {
                program: program.to_owned(),
                status,
            }),
            // Someone else's wait took the status, or SIGCHLD is ignored: it has ended all the same.
            Err(error) if error.raw_os_error() == Some(Errno::ECHILD as i32) => Ok(()),
            Err(error) => Err(StateError::io("start", program, error)),
        }
    }

    /// Makes a fork of this process the watchdog, which also clears after dead owners: for a small program whose only
    /// thread this is. Returns at once. What is sent over the channel it gives lives as long as the watchdog does.
    ///
    /// # Errors
    /// `EBUSY` where there are other threads; those of fork(2).
    pub fn fork_watchdog(&self) -> Result<Channel, StateError> {
        let failed = |errno| StateError::errno("start a watchdog for", &self.dir, errno);
        let (ours, theirs) = Channel::pair().map_err(failed)?;
        let paths = self.paths.clone();
        let id = self.id.clone();
        fastbox_sys::daemon::fork_off(c"fastbox-monitor", theirs.as_fd(), move || {
            // Nobody reads what it says; where it fails, the next command cleans up in its place.
            let _ = super::watch::watch_and_clear(&paths, &id);
        })
        .map_err(failed)?;
        Ok(ours)
    }

    /// Ends the registration, once no container is left: removes the directories. The watchdog sees it and ends.
    ///
    /// # Errors
    /// [`StateError::Forked`]; those of removing, after which the rest is cleaned when this process ends.
    pub fn unregister(self) -> Result<(), StateError> {
        if !self.is_mine() {
            return Err(StateError::Forked);
        }
        super::remove::remove_tree(&self.paths.uppers(), &self.id)?;
        remove_dir(&self.dir)
    }
}

/// Whether the owner that `dir` belongs to lives.
///
/// # Errors
/// Its `pid` file cannot be read, for another reason than that it is gone.
pub fn alive(dir: &Path) -> Result<Life, StateError> {
    directory::life(dir, &Identity::current())
}

/// Removes an owner's directory, its `pid` file last: without it the directory is nobody's.
pub(super) fn remove_dir(dir: &Path) -> Result<(), StateError> {
    let gone = |result: io::Result<()>| match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StateError::io("remove", dir, error))
        }
        _ => Ok(()),
    };
    gone(fs::remove_file(dir.join(TABLE)))?;
    gone(fs::remove_file(dir.join(PARENTS)))?;
    gone(fs::remove_file(dir.join(PID)))?;
    gone(fs::remove_dir(dir))
}

fn make_table(path: &Path, who: &Identity) -> Result<Table, StateError> {
    let file = directory::create(path).map_err(|error| StateError::io("make", path, error))?;
    let mut boot = [b'-'; 36];
    for (to, from) in boot.iter_mut().zip(who.boot.bytes()) {
        *to = from;
    }
    let header = Header {
        pid: who.pid,
        start: who.start,
        boot,
    };
    Table::create(file, &header).map_err(|errno| StateError::errno("make", path, errno))
}

/// The first six digits of the ids of owners in this run directory. Control groups of all run directories lie
/// side by side and hold no file of ours: so one tells its own by name.
pub fn tag(paths: &Paths) -> String {
    // FNV-1a, 64 bit: stable across builds, unlike the standard library's hasher.
    let path = fs::canonicalize(paths.run()).unwrap_or_else(|_| paths.run().to_owned());
    let hash = path
        .as_os_str()
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
    format!("{:06x}", hash >> 40)
}

fn new_id(paths: &Paths) -> Result<String, StateError> {
    let source = Path::new("/dev/urandom");
    let mut bytes = [0; 8];
    File::open(source)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| StateError::io("read", source, error))?;
    Ok(format!(
        "{}{:010x}",
        tag(paths),
        u64::from_ne_bytes(bytes) >> 24
    ))
}
