//! What can go wrong with state on disk.
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

/// An error of the state directories, of owners and of names.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file operation failed.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// A directory of ours was given as a relative path.
    #[error("{what} must be an absolute path, not {}", path.display())]
    NotAbsolute {
        /// Which of them.
        what: &'static str,
        /// As given.
        path: PathBuf,
    },
    /// Nowhere to put the store.
    #[error("user {uid} has no home directory: set FASTBOX_ROOT or --root")]
    NoHome {
        /// The effective user.
        uid: u32,
    },
    /// A directory of ours is somebody else's.
    #[error("{} belongs to user {owner}, not to user {user} who runs this: use another, with FASTBOX_ROOT and FASTBOX_RUN", path.display())]
    NotOurs {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// The effective user.
        user: u32,
    },
    /// Others could plant things in a directory of ours.
    #[error("others may write to {} (mode {mode:o}): chmod go-w it", path.display())]
    OthersMayWrite {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Docker's words for a name against its grammar.
    #[error("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    InvalidName {
        /// As given.
        name: String,
    },
    /// Docker's words for a name that is taken.
    #[error(
        "Conflict. The container name \"/{name}\" is already in use by container \"{container}\". You have to remove (or rename) that container to be able to reuse that name."
    )]
    NameConflict {
        /// The name.
        name: String,
        /// The container that has it.
        container: String,
    },
    /// The owner's table has no free slot.
    #[error(
        "this process has {} containers already, the most that one can have",
        fastbox_sys::journal::SLOTS
    )]
    TooManyContainers,
    /// A process forked from the owner tried to use what it inherited.
    #[error(
        "this process was forked from the one that has the containers: it has none of its own yet"
    )]
    Forked,
    /// The watchdog's program ended badly.
    #[error("{} ended with {status}", program.display())]
    Watchdog {
        /// The program.
        program: PathBuf,
        /// Its wait status, in words.
        status: std::process::ExitStatus,
    },
    /// What a dead owner left could not all be removed; a later cleaning tries again.
    #[error("{what} of the ended process's {} remain", owner.display())]
    Left {
        /// Of which kind.
        what: &'static str,
        /// The owner's directory.
        owner: PathBuf,
    },
    /// No running container of that name or id.
    #[error("No such container: {name} (it must be running)")]
    NoContainer {
        /// As given.
        name: String,
    },
    /// The beginning of more than one id.
    #[error("{name} is the beginning of more than one container's id: give more of it")]
    ManyContainers {
        /// As given.
        name: String,
    },
    /// Control groups.
    #[error(transparent)]
    Cgroup(#[from] fastbox_container::cgroup::CgroupError),
}

impl StateError {
    pub(crate) fn io(operation: &'static str, path: &Path, source: io::Error) -> StateError {
        StateError::Io {
            operation,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn errno(operation: &'static str, path: &Path, errno: Errno) -> StateError {
        StateError::io(operation, path, errno.into())
    }
}
