//! Device nodes that a container has in /dev beside those of all.

use super::{Compiler, DEV_LINKS};
use crate::error::PlanError;
use crate::slots;
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
    /// Relative to /dev; absolute where it lies elsewhere.
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
        let plain = |c| matches!(c, Component::Normal(_) | Component::RootDir);
        let path = device.path();
        if !path.is_absolute() || path.file_name().is_none() || !path.components().all(plain) {
            return Err(wrong("its path is not absolute and plain"));
        }
        let path = path.strip_prefix("/dev").unwrap_or(path).to_owned();
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

impl Compiler<'_> {
    /// Nodes elsewhere than in /dev are bound from a file system that the spawner makes of them; after the binds of
    /// the document in their order.
    pub(super) fn devices_elsewhere(&mut self, devices: &[Device]) -> Result<(), PlanError> {
        let elsewhere = devices.iter().filter(|device| device.path.is_absolute());
        for (number, device) in elsewhere.enumerate() {
            let index = self.binds.len() + number;
            if index >= slots::MAX_BINDS {
                return Err(PlanError::TooMany {
                    what: "binds and devices outside /dev",
                    count: index + 1,
                    most: slots::MAX_BINDS,
                });
            }
            let target = device.path.to_string_lossy();
            if !self.choices.features.detached_layers {
                return Err(PlanError::Unsupported {
                    field: format!("device {target}"),
                    reason: "a device node elsewhere than in /dev takes Linux 6.15",
                });
            }
            let at = self.child.slot();
            self.child
                .label("make device", target.clone())
                .open_target(&target, at)
                .attach_at(slots::bind(index), at)
                .close(at)
                .reuse_slots(at);
        }
        Ok(())
    }
}
