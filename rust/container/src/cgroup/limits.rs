//! What one Plan asks of control groups, compiled once.

use std::fmt::Display;

use oci_spec::runtime::LinuxResources;

use super::controller::{Controller, Controllers};
use super::devices::{self, DeviceList};
use super::driver::{Driver, Missing};
use super::error::CgroupError;
use super::{io, resources, special};

/// One value to write in a new group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Write {
    pub(super) controller: Controller,
    /// Files and what to write there; the first file that exists is taken.
    pub(super) choices: Vec<(String, String)>,
    /// A default of ours and not a wish: where no file exists, nothing is written.
    pub(super) optional: bool,
}

/// The limits of one Plan: which hierarchies it needs, and what is written there.
#[derive(Clone, Debug)]
pub struct Limits {
    pub(super) needed: Controllers,
    pub(super) writes: Vec<Write>,
    pub(super) devices: DeviceList,
    unavailable: Vec<Missing>,
}

impl Limits {
    /// Compiles the resources of an OCI document for this host.
    ///
    /// As in Docker, a memory limit without a swap limit allows as much swap again; zero for memory, pids, shares
    /// and quota means no limit; the device list always ends with Docker's default.
    ///
    /// # Errors
    /// [`CgroupError::Invalid`] for values no kernel takes, [`CgroupError::Unavailable`] for limits this host
    /// cannot apply. The defaults (devices, memory, cpuacct, pids) that cannot be had are no error:
    /// [`Limits::unavailable`] lists them.
    pub fn compile(driver: &Driver, resources: &LinuxResources) -> Result<Limits, CgroupError> {
        let mut wish = Wish::new(driver);
        wish.devices(resources)?;
        if let Some(memory) = resources.memory() {
            resources::memory(&mut wish, memory)?;
        }
        if let Some(pids) = resources.pids() {
            resources::pids(&mut wish, pids.limit())?;
        }
        if let Some(cpu) = resources.cpu() {
            resources::cpu(&mut wish, cpu)?;
            resources::cpuset(&mut wish, cpu)?;
        }
        if let Some(block) = resources.block_io() {
            io::block(&mut wish, block)?;
        }
        special::all(&mut wish, resources)?;
        Ok(wish.limits)
    }

    /// The controllers that a limit is written to.
    pub(super) fn limited(&self) -> Controllers {
        Controllers::of(
            &self
                .writes
                .iter()
                .map(|write| write.controller)
                .collect::<Vec<_>>(),
        )
    }

    /// Defaults that every container should have and these cannot: `info`, the result, and `strict` tell.
    #[must_use]
    pub fn unavailable(&self) -> &[Missing] {
        &self.unavailable
    }
}

/// [`Limits`] in the making.
pub(super) struct Wish<'a> {
    pub(super) driver: &'a Driver,
    limits: Limits,
}

impl<'a> Wish<'a> {
    fn new(driver: &'a Driver) -> Wish<'a> {
        let mut needed = Controllers::default();
        let mut unavailable = Vec::new();
        for controller in Controller::DEFAULTS {
            if driver.hierarchy(controller).is_some() {
                needed.insert(controller);
            } else {
                unavailable.push(Missing {
                    controller,
                    why: driver.why_missing(controller),
                });
            }
        }
        Wish {
            driver,
            limits: Limits {
                needed,
                writes: Vec::new(),
                devices: DeviceList::Docker,
                unavailable,
            },
        }
    }

    pub(super) fn v2(&self) -> bool {
        self.driver.is_v2()
    }

    fn devices(&mut self, resources: &LinuxResources) -> Result<(), CgroupError> {
        let rules = resources.devices().as_deref().unwrap_or_default();
        let list = devices::compile(rules)?;
        if let DeviceList::Own { exceptions, .. } = &list
            && !self.limits.needed.contains(Controller::Devices)
        {
            // Without a device list everything is allowed, and that is reported; only an explicit refusal among
            // things allowed would be lost.
            if matches!(
                list,
                DeviceList::Own {
                    allow_rest: true,
                    ..
                }
            ) && !exceptions.is_empty()
            {
                return Err(CgroupError::Unavailable {
                    limit: "devices",
                    value: exceptions[0].text(),
                    why: self.driver.why_missing(Controller::Devices),
                });
            }
            return Ok(());
        }
        self.limits.devices = list;
        Ok(())
    }

    /// The limit `limit` will need `controller`.
    pub(super) fn need(
        &mut self,
        controller: Controller,
        limit: &'static str,
        value: &dyn Display,
    ) -> Result<(), CgroupError> {
        if self.driver.hierarchy(controller).is_none() {
            return Err(unavailable(
                limit,
                value,
                &self.driver.why_missing(controller),
            ));
        }
        self.limits.needed.insert(controller);
        Ok(())
    }

    pub(super) fn write(&mut self, controller: Controller, file: &str, value: &dyn Display) {
        self.write_first(controller, vec![(file.to_owned(), value.to_string())]);
    }

    pub(super) fn write_first(&mut self, controller: Controller, choices: Vec<(String, String)>) {
        self.limits.writes.push(Write {
            controller,
            choices,
            optional: false,
        });
    }

    pub(super) fn write_if_there(
        &mut self,
        controller: Controller,
        file: &str,
        value: &dyn Display,
    ) {
        self.limits.writes.push(Write {
            controller,
            choices: vec![(file.to_owned(), value.to_string())],
            optional: true,
        });
    }
}

pub(super) fn invalid(limit: &'static str, value: &dyn Display, why: &str) -> CgroupError {
    CgroupError::Invalid {
        limit,
        value: value.to_string(),
        why: why.to_owned(),
    }
}

pub(super) fn unavailable(limit: &'static str, value: &dyn Display, why: &str) -> CgroupError {
    CgroupError::Unavailable {
        limit,
        value: value.to_string(),
        why: why.to_owned(),
    }
}
