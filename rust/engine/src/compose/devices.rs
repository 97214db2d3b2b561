//! The host's device nodes, for containers that have them all.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType};

use super::SpecError;

/// What in /dev is not the machine's but a session's or a container manager's, as Docker has it.
const LEFT_OUT: &[&str] = &[
    "pts",
    "shm",
    "fd",
    "mqueue",
    ".lxc",
    ".lxd-mounts",
    ".udev",
    "console",
];

/// Every device node below `dev`, by its path; links are not followed.
///
/// # Errors
/// [`SpecError::Devices`]: a directory that cannot be read.
pub fn all(dev: &Path) -> Result<Vec<LinuxDevice>, SpecError> {
    let mut found = Vec::new();
    let mut todo = vec![dev.to_owned()];
    while let Some(directory) = todo.pop() {
        let failed = |source: io::Error| SpecError::Devices {
            path: directory.clone(),
            source,
        };
        for entry in fs::read_dir(&directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            // One that has gone meanwhile.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                todo.push(entry.path());
            } else if let Some(kind) = kind(&meta) {
                found.push(device(entry.path(), kind, &meta));
            }
        }
    }
    found.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(found)
}

fn kind(meta: &fs::Metadata) -> Option<LinuxDeviceType> {
    let kind = meta.file_type();
    if kind.is_char_device() {
        Some(LinuxDeviceType::C)
    } else if kind.is_block_device() {
        Some(LinuxDeviceType::B)
    } else {
        None
    }
}

fn device(path: PathBuf, kind: LinuxDeviceType, meta: &fs::Metadata) -> LinuxDevice {
    let mut device = LinuxDevice::default();
    device
        .set_path(path)
        .set_typ(kind)
        .set_major(i64::try_from(major(meta.rdev())).unwrap_or(0))
        .set_minor(i64::try_from(minor(meta.rdev())).unwrap_or(0))
        .set_file_mode(Some(meta.mode() & 0o7777))
        .set_uid(Some(meta.uid()))
        .set_gid(Some(meta.gid()));
    device
}
