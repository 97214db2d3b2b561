//! What can go wrong with control groups.

use std::path::PathBuf;

use nix::errno::Errno;

use super::controller::Controller;

/// An error of this module; each says which file or limit, and what was wanted of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CgroupError {
    /// A limit's value makes no sense to any kernel.
    #[error("{limit}: {value} is not possible: {why}")]
    Invalid {
        /// The limit in the words of the OCI document, e.g. `memory.limit`.
        limit: &'static str,
        /// The value as given.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A limit was asked for which this host cannot apply.
    #[error("{limit}={value} cannot be had here: {why}")]
    Unavailable {
        /// The limit in the words of the OCI document.
        limit: &'static str,
        /// The value as given.
        value: String,
        /// Why not.
        why: String,
    },
    /// The kernel refused a value.
    #[error("cannot write {value:?} to {}: {errno}", path.display())]
    Write {
        /// The cgroup file.
        path: PathBuf,
        /// What was written.
        value: String,
        /// The kernel's answer.
        errno: Errno,
    },
    /// None of the files that could carry a limit exists on this kernel.
    #[error("cannot set {value}: no {} in {} (is the controller's feature built into this kernel?)", files.join(" or "), path.display())]
    NoFile {
        /// The group.
        path: PathBuf,
        /// The files looked for.
        files: Vec<String>,
        /// What would have been written.
        value: String,
    },
    /// Another system call failed.
    #[error("cannot {operation} {}: {errno}", path.display())]
    System {
        /// What was tried: `make`, `open`, `remove`, `read`, `attach the device program to`.
        operation: &'static str,
        /// The directory or file.
        path: PathBuf,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A group could not be removed in the time given, because processes are in it or new groups keep appearing.
    #[error("cannot remove {}: still in use by {processes} processes", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
        /// How many processes were seen in it and below.
        processes: usize,
    },
    /// A name that cannot be a directory of ours.
    #[error(
        "{name:?} cannot name a cgroup: letters, digits, '-', '_' and '.' only, not starting with '.'"
    )]
    Name {
        /// The name as given.
        name: String,
    },
    /// A path that cannot be the parent of a container's groups.
    #[error("{path:?} cannot be a cgroup parent: {why}")]
    Parent {
        /// The path as given.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The host gives no usable hierarchy at all, and a limit needs one.
    #[error("no {} controller: {why}", controller.v1_name())]
    NoController {
        /// The controller.
        controller: Controller,
        /// Why there is none.
        why: String,
    },
}
