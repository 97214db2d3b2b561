//! Why a container cannot be described.

use std::io;
use std::path::PathBuf;

use fastbox_container::security::{caps, seccomp};

/// One error of composing; texts are Docker's where Docker has some.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Neither the caller nor the image names a program.
    #[error("no command specified")]
    NoCommand,
    /// A user name that the image's /etc/passwd does not have.
    #[error("unable to find user {user}: no matching entries in passwd file")]
    UserNotFound {
        /// The name.
        user: String,
    },
    /// A group name that the image's /etc/group does not have.
    #[error("unable to find group {group}: no matching entries in group file")]
    GroupNotFound {
        /// The name.
        group: String,
    },
    /// A number that is no user or group id.
    #[error("{id}: uids and gids must be in range 0-2147483647")]
    IdRange {
        /// The number as given.
        id: String,
    },
    /// The image's working directory is relative.
    #[error(
        "the working directory '{directory}' of the image is invalid, it needs to be an absolute path"
    )]
    ImageWorkdir {
        /// The directory.
        directory: String,
    },
    /// A text in the image's config that no program can be given.
    #[error("the image's {field} contains a zero byte")]
    ImageZeroByte {
        /// Which part of the config.
        field: &'static str,
    },
    /// More CPUs than there are, or less than the kernel's least share.
    #[error(
        "range of CPUs is from 0.01 to {available}.00, as there are only {available} CPUs available"
    )]
    Cpus {
        /// CPUs that the caller may use.
        available: u64,
    },
    /// A capability's name is wrong.
    #[error("{flag}: {source}")]
    Capability {
        /// `--cap-add` or `--cap-drop`.
        flag: &'static str,
        /// What is wrong with it.
        source: caps::CapError,
    },
    /// A capability that the caller itself does not have.
    #[error(
        "{name} is not available here: a container with the caller's user ids has no more rights than the caller"
    )]
    CapabilityMissing {
        /// The capability.
        name: &'static str,
    },
    /// A profile of AppArmor where there is none.
    #[error(
        "--security-opt apparmor={profile}: this kernel has no AppArmor (or it is off): leave the option out"
    )]
    NoAppArmor {
        /// The profile asked for.
        profile: String,
    },
    /// A seccomp profile is wrong.
    #[error(transparent)]
    Seccomp(#[from] seccomp::SeccompError),
    /// A file is no seccomp profile.
    #[error("{}: {source}", path.display())]
    Profile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: seccomp::SeccompError,
    },
    /// A seccomp profile cannot be read.
    #[error("opening seccomp profile {} failed: {source}", path.display())]
    ProfileRead {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The host's devices cannot be listed.
    #[error("devices of the host: {}: {source}", path.display())]
    Devices {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A device that is to be in the container.
    #[error("device {path}: {source}")]
    Device {
        /// Its path on the host.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A block device that is to be limited.
    #[error("limit of {path}: {source}")]
    BlockDevice {
        /// Its path on the host.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The source of a bind mount that is not made is not there.
    #[error("bind source path does not exist: {}", path.display())]
    BindMissing {
        /// The path on the host.
        path: PathBuf,
    },
    /// A part of an image that is to be mounted is not there.
    #[error("image {image} has no {subpath:?} to mount")]
    ImageSubpath {
        /// The image as named.
        image: String,
        /// The path in it.
        subpath: String,
    },
    /// A volume of the image that cannot be one.
    #[error("the image's volume {path:?} cannot be had: {reason}")]
    ImageVolume {
        /// The path as the image's config has it.
        path: String,
        /// Why not.
        reason: &'static str,
    },
    /// A bind that is to share mounts with the host, from where the host shares none.
    #[error(
        "bind source {}: the host's mount it lies in is not shared, so no mount can spread {way}: `mount --make-rshared` it, or leave the propagation out",
        path.display()
    )]
    NotShared {
        /// The path on the host.
        path: PathBuf,
        /// Which way it was to.
        way: &'static str,
    },
    /// The source of a bind mount cannot be made or looked at.
    #[error("bind source {}: {source}", path.display())]
    BindSource {
        /// The path on the host.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The host's root cannot be looked at for the host image.
    #[error("host image: {}: {source}", path.display())]
    HostImage {
        /// The path on the host.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel did not answer.
    #[error("{call}: {errno}")]
    Host {
        /// The system call.
        call: &'static str,
        /// Why.
        errno: nix::errno::Errno,
    },
}
