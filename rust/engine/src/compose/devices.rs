//! The host's device nodes, for containers that have them all or some.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::sys::stat::{major, minor};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceCgroup, LinuxDeviceType};

use super::SpecError;
use crate::options::Checked;

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

/// One device that options name.
pub struct Asked {
    /// Its node on the host; no link.
    pub source: PathBuf,
    /// What it is in the container.
    pub device: LinuxDevice,
    /// What may be done with it: out of `r`, `w`, `m`.
    pub access: String,
}

/// The devices that options name, those of a directory one by one.
///
/// # Errors
/// [`SpecError::Device`]: a path with no device, or a directory without any. [`SpecError::Devices`].
pub fn asked(options: &Checked) -> Result<Vec<Asked>, SpecError> {
    let mut found = Vec::new();
    for file in &options.devices {
        let failed = |source| SpecError::Device {
            path: file.source.clone(),
            source,
        };
        let source = fs::canonicalize(&file.source).map_err(failed)?;
        let meta = fs::metadata(&source).map_err(failed)?;
        let mut add = |source: PathBuf, mut device: LinuxDevice, destination: PathBuf| {
            device.set_path(destination);
            found.push(Asked {
                source,
                device,
                access: file.access.clone(),
            });
        };
        if let Some(kind) = kind(&meta) {
            let node = device(source.clone(), kind, &meta);
            add(source, node, PathBuf::from(&file.destination));
        } else if meta.is_dir() {
            let nodes = all(&source)?;
            if nodes.is_empty() {
                return Err(failed(io::Error::from_raw_os_error(nix::libc::ENODEV)));
            }
            for node in nodes {
                let path = node.path().clone();
                let below = path.strip_prefix(&source).unwrap_or(&path);
                let destination = Path::new(&file.destination).join(below);
                add(path, node, destination);
            }
        } else {
            return Err(failed(io::Error::from_raw_os_error(nix::libc::ENODEV)));
        }
    }
    Ok(found)
}

/// What the asked-for may be used for, in the container's device list.
pub(super) fn rules(asked: &[Asked]) -> impl Iterator<Item = LinuxDeviceCgroup> {
    asked.iter().map(|asked| {
        let mut rule = LinuxDeviceCgroup::default();
        rule.set_allow(true)
            .set_typ(Some(asked.device.typ()))
            .set_major(Some(asked.device.major()))
            .set_minor(Some(asked.device.minor()))
            .set_access(Some(asked.access.clone()));
        rule
    })
}

/// Rules that options give by number. One for both kinds of devices becomes two, unless it is about all of them.
pub(super) fn numbered(options: &Checked) -> impl Iterator<Item = LinuxDeviceCgroup> {
    options.device_cgroup_rules.iter().flat_map(|given| {
        let whole = given.major.is_none() && given.minor.is_none() && given.access.len() == 3;
        let kinds: &[LinuxDeviceType] = match given.kind {
            'b' => &[LinuxDeviceType::B],
            'c' => &[LinuxDeviceType::C],
            _ if whole => &[LinuxDeviceType::A],
            _ => &[LinuxDeviceType::B, LinuxDeviceType::C],
        };
        kinds.iter().map(|kind| {
            let mut rule = LinuxDeviceCgroup::default();
            rule.set_allow(true)
                .set_typ(Some(*kind))
                .set_major(given.major.map(i64::from))
                .set_minor(given.minor.map(i64::from))
                .set_access(Some(given.access.clone()));
            rule
        })
    })
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
