//! Device nodes that a container has in /dev beside those of all.

use super::DEV_LINKS;
use crate::error::PlanError;
use oci_spec::runtime::{LinuxDeviceType, Spec};
use std::path::{Component, PathBuf};

/// The nodes that are in every container's /dev (runtime specification, "Default Devices").
pub(crate) const STANDARD: [(&str, u64, u64); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// One node more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Below /dev.
    pub path: PathBuf,
    /// A block device, else a character device.
    pub block: bool,
    /// Its number.
    pub major: u64,
    /// The second part of it.
    pub minor: u64,
    /// Permission bits.
    pub mode: u32,
    /// Its owner's id inside.
    pub uid: u32,
    /// Its group's.
    pub gid: u32,
}

/// The document's devices but for the standard ones.
pub(super) fn read(spec: &Spec) -> Result<Vec<Device>, PlanError> {
    let linux = spec.linux().as_ref();
    let listed = linux.and_then(|linux| linux.devices().as_ref());
    let mut more = Vec::new();
    for device in listed.into_iter().flatten() {
        let wrong = |reason| PlanError::Unsupported {
            field: format!("linux.devices: {}", device.path().display()),
            reason,
        };
        let plain = |path: &PathBuf| path.components().all(|c| matches!(c, Component::Normal(_)));
        let path = device.path().strip_prefix("/dev").map(PathBuf::from);
        let path = path
            .ok()
            .filter(|path| plain(path) && path.file_name().is_some())
            .ok_or_else(|| wrong("a device node can only be below /dev"))?;
        let block = match device.typ() {
            LinuxDeviceType::B => true,
            LinuxDeviceType::C | LinuxDeviceType::U => false,
            LinuxDeviceType::P | LinuxDeviceType::A => {
                return Err(wrong("only block and character devices are devices"));
            }
        };
        let number = |n: i64| u64::try_from(n).map_err(|_| wrong("its number is out of range"));
        let (major, minor) = (number(device.major())?, number(device.minor())?);
        // What is there already, as a node or a link (the machine's ptmx is not the container's), stays.
        let mut there = STANDARD.iter().map(|(name, ..)| *name);
        let mut links = DEV_LINKS.iter().map(|(name, _)| *name);
        if there.any(|name| path.as_os_str() == name) || links.any(|name| path.as_os_str() == name)
        {
            continue;
        }
        more.push(Device {
            path,
            block,
            major,
            minor,
            mode: device.file_mode().unwrap_or(0o666) & 0o7777,
            uid: device.uid().unwrap_or(0),
            gid: device.gid().unwrap_or(0),
        });
    }
    Ok(more)
}
