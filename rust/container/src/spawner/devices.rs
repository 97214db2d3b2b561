//! The nodes of one container.

use super::lean;
use super::start::{Start, step};
use crate::error::ContainerError;
use crate::plan::Plan;
use fastbox_sys::mount;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

impl Start<'_> {
    /// Its /dev: a copy of the one prepared for all, or one of its own.
    pub(super) fn dev(
        &self,
        plan: &Plan,
        userns: Option<&OwnedFd>,
    ) -> Result<OwnedFd, ContainerError> {
        let none = plan.devices.iter().all(|device| device.path.is_absolute());
        let dev = if none && !plan.terminal {
            mount::clone_fd(&self.shared.inside.dev, false)
                .map_err(step("prepare", Path::new("/dev")))?
        } else {
            lean::dev(&plan.devices, self.unmapped(userns), plan.terminal)?
        };
        self.map_nodes(&dev, userns)?;
        Ok(dev)
    }

    /// A copy of each node that lies elsewhere, as a mount.
    pub(super) fn devices_elsewhere(
        &self,
        plan: &Plan,
        userns: Option<&OwnedFd>,
    ) -> Result<Vec<OwnedFd>, ContainerError> {
        let listed = plan.devices.iter();
        let devices: Vec<_> = listed.filter(|device| device.path.is_absolute()).collect();
        if devices.is_empty() {
            return Ok(Vec::new());
        }
        let nodes = lean::elsewhere(&devices, self.unmapped(userns))?;
        self.map_nodes(&nodes, userns)?;
        let copies = devices.iter().enumerate().map(|(number, device)| {
            mount::clone_below(&nodes, Path::new(&number.to_string()))
                .map_err(step("make device", &device.path))
        });
        copies.collect()
    }

    /// What is added to the ids of nodes: mapped they are the container's, and without nobody's.
    fn unmapped(&self, userns: Option<&OwnedFd>) -> u32 {
        match self.shared.inside.features.idmapped_tmpfs && userns.is_some() {
            true => 0,
            false => self.plan.outside(self.base),
        }
    }

    fn map_nodes(&self, nodes: &OwnedFd, userns: Option<&OwnedFd>) -> Result<(), ContainerError> {
        match userns.filter(|_| self.shared.inside.features.idmapped_tmpfs) {
            Some(userns) => mount::set_attributes(nodes, 0, Some(userns as &dyn AsFd), false)
                .map_err(step("map ids", Path::new("/dev"))),
            None => Ok(()),
        }
    }
}
