//! What can go wrong between a document and a running container.

use crate::cgroup::CgroupError;
use crate::security::seccomp::SeccompError;
use nix::errno::Errno;
use std::path::PathBuf;

/// A document that cannot become a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A part of the document that fastbox does not carry out.
    #[error("{field}: {reason}")]
    Unsupported {
        /// Which part, as a path into the document.
        field: String,
        /// Why not.
        reason: &'static str,
    },
    /// A mount's options do not make sense.
    #[error("mount at {destination}: option {option:?} is not known for {kind}")]
    MountOption {
        /// Where the mount goes.
        destination: PathBuf,
        /// The option.
        option: String,
        /// The type of the mount.
        kind: String,
    },
    /// Too many of something.
    #[error("{count} {what}: at most {most} are possible")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many were asked for.
        count: usize,
        /// How many there can be.
        most: usize,
    },
    /// A mount point cannot be prepared.
    #[error("cannot prepare {path} in the container: {source}")]
    Skeleton {
        /// The path in the container.
        path: PathBuf,
        /// What the kernel said.
        source: std::io::Error,
    },
    /// A limit.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// The system call filter.
    #[error(transparent)]
    Seccomp(#[from] SeccompError),
}

/// A launch that failed.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// A step of the plan failed.
    #[error("{}", step_text(step, target, *errno))]
    Step {
        /// What was done: `attach`, `exec`.
        step: &'static str,
        /// What it was done to.
        target: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// A step on the way into a running container failed.
    #[error("{}", enter_text(step, target, *errno))]
    Enter {
        /// What was done: `enter`, `change directory`.
        step: &'static str,
        /// What it was done to.
        target: String,
        /// What the kernel said.
        errno: Errno,
    },
    /// A control group could not be made.
    #[error(transparent)]
    Cgroup(#[from] CgroupError),
    /// An ordinary user is not allowed what stands in for root's rights.
    #[error(
        "an ordinary user's containers need a user namespace, which is refused here ({errno}); {remedy}"
    )]
    NoUserNamespace {
        /// What the kernel said.
        errno: Errno,
        /// What can be done.
        remedy: String,
    },
    /// The threads that start containers could not be started, or ended.
    #[error("cannot {operation}: {errno}")]
    Spawner {
        /// What was tried.
        operation: &'static str,
        /// What the kernel said.
        errno: Errno,
    },
}

/// Docker's words for a program that does not start; for other steps the step, its object and the reason.
fn step_text(step: &str, target: &str, errno: Errno) -> String {
    let reason = match (step, errno) {
        ("exec", Errno::ENOENT) if !target.contains('/') => {
            "executable file not found in $PATH".to_owned()
        }
        (_, errno) => errno.desc().to_lowercase(),
    };
    match step {
        "exec" => format!("exec: {target:?}: {reason}"),
        _ if target.is_empty() => format!("cannot start the container: {step}: {reason}"),
        _ => format!("cannot start the container: {step} {target}: {reason}"),
    }
}

fn enter_text(step: &str, target: &str, errno: Errno) -> String {
    let reason = match (step, errno) {
        // By the group's limit (pids.max), or by what the machine has.
        ("clone", Errno::EAGAIN) => {
            "no more processes are allowed: the container's limit (--pids-limit) or the machine's is reached"
                .to_owned()
        }
        (_, errno) => errno.desc().to_lowercase(),
    };
    format!("cannot execute in the container: {step} {target}: {reason}")
}

impl ContainerError {
    pub(crate) fn spawner(operation: &'static str) -> impl Fn(Errno) -> ContainerError {
        move |errno| ContainerError::Spawner { operation, errno }
    }

    /// Whether it says that this kernel, this user or a file system has no user namespaces or no id maps, rather
    /// than that something went wrong (clone(2), mount_setattr(2)).
    #[must_use]
    pub fn lacks_id_maps(&self) -> bool {
        use Errno::{EINVAL, ENOSPC, ENOSYS, EOPNOTSUPP, EPERM};
        matches!(
            self,
            ContainerError::Step {
                step: "map ids" | "user namespace",
                errno: EINVAL | ENOSPC | ENOSYS | EOPNOTSUPP | EPERM,
                ..
            }
        )
    }

    /// Docker's exit code for it: 127 not found, 126 cannot be executed, else 125.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            ContainerError::Step {
                step: "exec",
                errno: Errno::ENOENT | Errno::ENOTDIR,
                ..
            } => 127,
            ContainerError::Step { step: "exec", .. } => 126,
            _ => 125,
        }
    }
}
