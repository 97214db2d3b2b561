//! Everything that can keep a container from running.

use crate::compose::SpecError;
use crate::options::OptionError;
use crate::owner::StateError;
use fastbox_container::cgroup::CgroupError;
use fastbox_container::{ContainerError, PlanError};
use fastbox_image::ImageError;
use nix::errno::Errno;
use std::path::PathBuf;

/// One variant for each part of the engine; its text is for the user.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Options that make no sense.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// Options that do not fit the image or the host.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A document that cannot be carried out.
    #[error(transparent)]
    Plan(PlanError),
    /// A limit that this machine cannot give, or no kernel.
    #[error("{flag} {value}: {why}")]
    Limit {
        /// The flag.
        flag: &'static str,
        /// Its value, as it was understood.
        value: String,
        /// Why not.
        why: String,
    },
    /// A step of a start.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// An image.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Configuration files and the like.
    #[error(transparent)]
    Settings(#[from] crate::settings::SettingsError),
    /// The run directory, names, the watchdog.
    #[error(transparent)]
    State(#[from] StateError),
    /// A program of ours is missing.
    #[error("cannot read {path}, a part of fastbox: {source}; install fastbox again")]
    Program {
        /// Where it should be.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A file or directory that is to be bound.
    #[error("cannot bind {path}: {errno}")]
    Bind {
        /// Its path on the host.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// An image for another platform than was asked for.
    #[error("--platform {wanted}: the image {image} is for {has}")]
    Platform {
        /// The image as it was named.
        image: String,
        /// What its programs are for.
        has: String,
        /// What was asked for.
        wanted: String,
    },
    /// A default that this machine cannot give, with `strict`.
    #[error("strict: {note}")]
    Strict {
        /// What is missing and why.
        note: String,
    },
    /// Something that an ordinary user cannot have.
    #[error(
        "{what} needs root: an ordinary user's containers are in a user namespace in which 0 is the user"
    )]
    NeedsRoot {
        /// What was asked for.
        what: &'static str,
    },
    /// A container whose IPC namespace is its alone.
    #[error(
        "cannot join the IPC namespace of {name}: it is private; start that one with --ipc shareable"
    )]
    NotShareable {
        /// The other container, as named.
        name: String,
    },
    /// Namespaces of containers that have different ids.
    #[error(
        "the containers to join have different user ids: a container can have those of one only"
    )]
    DifferentIds,
    /// A container whose namespaces a plan joins.
    #[error("cannot join container {name}: it has ended")]
    Ended {
        /// The other container, as named.
        name: String,
    },
    /// A container in which something was to be executed.
    #[error("container {id} has ended: nothing can be executed in it")]
    NotRunning {
        /// Its short id.
        id: String,
    },
    /// A working directory for a program in a running container.
    #[error("cwd {directory:?}: it must be an absolute path in the container")]
    Directory {
        /// The directory.
        directory: String,
    },
    /// Something that only control groups can clear away.
    #[error(
        "{what} needs control groups, to end what the container leaves, and there are none here for it"
    )]
    NeedsGroups {
        /// What was asked for.
        what: &'static str,
    },
    /// `--cidfile` names a file that is there.
    #[error(
        "container ID file found, make sure the other container isn't running or delete {}", path.display()
    )]
    IdFileExists {
        /// The file.
        path: PathBuf,
    },
    /// `--cidfile` names one that cannot be made or written.
    #[error("--cidfile {}: {source}", path.display())]
    IdFile {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// `--timings-file` names one that cannot be made or written.
    #[error("--timings-file {}: {source}", path.display())]
    TimingsFile {
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A terminal for a container that waits for its program.
    #[error(
        "tty: a container that waits for its program, in a pool or for files, has no terminal; start one of a plan"
    )]
    WaitingTerminal,
    /// No free range of ids.
    #[error(
        "no range of user ids is free in {directory}: too many containers, or end what holds the locks there"
    )]
    NoIds {
        /// The directory of locks.
        directory: PathBuf,
    },
    /// A call on a running container.
    #[error("cannot {operation}: {errno}")]
    System {
        /// What was tried.
        operation: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
    /// A string for the program that holds a NUL byte.
    #[error("{what} holds a NUL byte, which no program can be given")]
    NulByte {
        /// Which string.
        what: &'static str,
    },
    /// The name of an environment variable.
    #[error("{name:?} cannot be the name of an environment variable: it is empty or holds '='")]
    EnvironmentName {
        /// The name.
        name: String,
    },
    /// A pool of a senseless size.
    #[error("a pool of {ready} containers: ready must be from 1 to {most}")]
    PoolSize {
        /// What was asked for.
        ready: usize,
        /// The most.
        most: usize,
    },
    /// A run of many that was called off before it began.
    #[error("called off before it began")]
    Cancelled,
    /// Containers of a pool do not live until they are used.
    #[error(
        "containers that wait for their program die: a seccomp profile of one's own must allow what waits in them \
         recvmsg, read, write, mmap, fcntl, dup3, chdir, mkdirat, openat, close and execve"
    )]
    ParkedDie,
    /// A pool that was closed.
    #[error("the pool is closed")]
    PoolClosed,
    /// The handle belongs to the process this one was forked from.
    #[error("this container belongs to the process that started it, and this is a fork of that")]
    Forked,
}

/// The flags that stand for limits of the OCI document.
const FLAGS: &[(&str, &str)] = &[
    ("memory.limit", "--memory"),
    ("memory.swap", "--memory-swap"),
    ("memory.reservation", "--memory-reservation"),
    ("memory.swappiness", "--memory-swappiness"),
    ("memory.disableOOMKiller", "--oom-kill-disable"),
    ("cpu.shares", "--cpu-shares"),
    ("cpu.period", "--cpu-period"),
    ("cpu.quota", "--cpu-quota"),
    ("cpu.realtimePeriod", "--cpu-rt-period"),
    ("cpu.realtimeRuntime", "--cpu-rt-runtime"),
    ("cpu.cpus", "--cpuset-cpus"),
    ("cpu.mems", "--cpuset-mems"),
    ("blockIO.weight", "--blkio-weight"),
    ("blockIO.weightDevice", "--blkio-weight-device"),
    ("blockIO.throttleReadBpsDevice", "--device-read-bps"),
    ("blockIO.throttleWriteBpsDevice", "--device-write-bps"),
    ("blockIO.throttleReadIOPSDevice", "--device-read-iops"),
    ("blockIO.throttleWriteIOPSDevice", "--device-write-iops"),
    ("pids.limit", "--pids-limit"),
    ("devices", "--device-cgroup-rule"),
];

impl From<CgroupError> for EngineError {
    fn from(error: CgroupError) -> EngineError {
        match &error {
            CgroupError::Invalid { limit, value, why }
            | CgroupError::Unavailable { limit, value, why } => {
                match FLAGS.iter().find(|(of, _)| of == limit) {
                    Some((_, flag)) => EngineError::Limit {
                        flag,
                        value: value.clone(),
                        why: why.clone(),
                    },
                    None => EngineError::Plan(error.into()),
                }
            }
            _ => EngineError::Plan(error.into()),
        }
    }
}

impl From<PlanError> for EngineError {
    fn from(error: PlanError) -> EngineError {
        match error {
            PlanError::Cgroup(error) => error.into(),
            error => EngineError::Plan(error),
        }
    }
}

impl EngineError {
    /// The command line's exit code for it, as Docker's: 126 cannot be executed, 127 not found, else 125.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            EngineError::Container(error) => error.exit_code(),
            _ => 125,
        }
    }

    pub(crate) fn system(operation: &'static str) -> impl FnOnce(Errno) -> EngineError {
        move |errno| EngineError::System { operation, errno }
    }
}
