//! Making an owner's groups: once for all its containers, and the rest with the first container that needs it.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;

use super::controller::{Controller, Controllers};
use super::devices::{self, DeviceList};
use super::driver::Driver;
use super::error::CgroupError;
use super::owner::{Branch, OwnerGroup, TOP};
use super::parent::Parent;
use super::steps::{
    attach_devices, check_name, fill_cpuset, inherit_cpuset, make_dir, open_dir, refused, system,
    write_devices,
};
use super::tree;

/// How often to begin again where another owner, the last one there, takes the directory of ours away meanwhile.
const ATTEMPTS: usize = 16;

/// The host's hierarchies, opened, so that a thread that does not see them any more can make groups there.
pub struct Bases {
    v2: bool,
    branches: Vec<Branch>,
}

impl Bases {
    /// Opens them.
    ///
    /// # Errors
    /// Those of open(2).
    pub fn open(driver: &Driver) -> Result<Bases, CgroupError> {
        let branches = driver.hierarchies().iter().map(|hierarchy| {
            let base = open_dir(AT_FDCWD, hierarchy.base.as_os_str().as_bytes())
                .map_err(|errno| system("open", hierarchy.base.clone(), errno))?;
            Ok(Branch {
                controllers: hierarchy.controllers,
                base_path: hierarchy.base.clone(),
                base,
                owner: OnceLock::new(),
            })
        });
        Ok(Bases {
            v2: driver.is_v2(),
            branches: branches.collect::<Result<_, _>>()?,
        })
    }

    /// Makes an owner's groups in them.
    ///
    /// # Errors
    /// As [`OwnerGroup::create`].
    pub fn create(self, owner: &str) -> Result<OwnerGroup, CgroupError> {
        check_name(owner)?;
        OwnerGroup::below_bases(self.v2, owner, Parent::default(), self.branches)
    }
}

impl OwnerGroup {
    /// Makes the owner's groups (those of the default controllers) and sets Docker's device list on them, once
    /// for all containers.
    ///
    /// # Errors
    /// Whatever the kernel refuses; what was made stays and is removed by [`super::clean_owner`].
    pub fn create(driver: &Driver, owner: &str) -> Result<OwnerGroup, CgroupError> {
        Bases::open(driver)?.create(owner)
    }

    /// The same owner's groups below another directory, which [`super::make_parent`] has made.
    ///
    /// # Errors
    /// As [`OwnerGroup::create`].
    pub fn below(&self, parent: &Parent) -> Result<OwnerGroup, CgroupError> {
        let branches = self.branches.iter().map(|branch| {
            let base = open_dir(branch.base.as_fd(), b".")
                .map_err(|errno| system("open", branch.base_path.clone(), errno))?;
            Ok(Branch {
                controllers: branch.controllers,
                base_path: branch.base_path.clone(),
                base,
                owner: OnceLock::new(),
            })
        });
        let branches = branches.collect::<Result<_, _>>()?;
        OwnerGroup::below_bases(self.v2, &self.owner, parent.clone(), branches)
    }

    fn below_bases(
        v2: bool,
        owner: &str,
        parent: Parent,
        branches: Vec<Branch>,
    ) -> Result<OwnerGroup, CgroupError> {
        let group = OwnerGroup {
            v2,
            owner: owner.to_owned(),
            dir: parent.below(&format!("{TOP}/{owner}")),
            parent,
            branches,
            enabled: AtomicU16::new(0),
            own_devices: OnceLock::new(),
        };
        let defaults = Controllers::of(&Controller::DEFAULTS);
        for branch in &group.branches {
            if branch.controllers.meets(defaults) {
                group.make_owner(branch)?;
            }
        }
        if v2 {
            group.hand_down(defaults)?;
        }
        group.set_devices()?;
        Ok(group)
    }

    /// The owner's directory in one hierarchy; the same again where it is made already.
    pub(super) fn make_owner(&self, branch: &Branch) -> Result<(), CgroupError> {
        if branch.owner.get().is_some() {
            return Ok(());
        }
        let made = self.make_in_ours(branch, &self.dir)?;
        // Made by two threads at once, it is the same directory.
        let _ = branch.owner.set(made);
        Ok(())
    }

    /// A directory in ours, which another owner may take away as long as it is empty.
    pub(super) fn make_in_ours(&self, branch: &Branch, dir: &str) -> Result<OwnedFd, CgroupError> {
        let top = self.parent.below(TOP);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let made = make_dir(branch, &top)
                .and_then(|()| {
                    if branch.controllers.contains(Controller::Cpuset) && !self.v2 {
                        fill_cpuset(branch.base.as_fd(), &branch.base_path, &top)?;
                        inherit_cpuset(branch, &top)?;
                    }
                    make_dir(branch, dir)
                })
                .and_then(|()| {
                    open_dir(branch.base.as_fd(), dir.as_bytes())
                        .map_err(|errno| system("open", branch.base_path.join(dir), errno))
                });
            match made {
                Err(CgroupError::System {
                    errno: Errno::ENOENT,
                    ..
                }) if attempt < ATTEMPTS => {}
                made => return made,
            }
        }
    }

    /// v2: enables controllers on the way from the base to the containers.
    pub(super) fn hand_down(&self, wanted: Controllers) -> Result<(), CgroupError> {
        let Some(branch) = self.branches.first() else {
            return Ok(());
        };
        let enabled = Controllers::from_bits(self.enabled.load(Ordering::Acquire));
        let lacking = wanted.and(branch.controllers).without(enabled);
        if lacking.is_empty() {
            return Ok(());
        }
        let text = lacking.enable_text();
        if !text.is_empty() {
            let ends = self.dir.match_indices('/').map(|(end, _)| end);
            let ends = std::iter::once(0).chain(ends).chain([self.dir.len()]);
            for dir in ends.map(|end| &self.dir[..end]) {
                let file = format!("{dir}/cgroup.subtree_control");
                let file = file.trim_start_matches('/');
                tree::put(branch.base.as_fd(), file.as_bytes(), &text)
                    .map_err(|errno| refused(branch.base_path.join(file), &text, errno))?;
            }
        }
        self.enabled.fetch_or(lacking.bits(), Ordering::AcqRel);
        Ok(())
    }

    fn set_devices(&self) -> Result<(), CgroupError> {
        let Some(branch) = self.branch(Controller::Devices) else {
            return Ok(());
        };
        let dir = &self.dir;
        if self.v2 {
            attach_devices(branch, dir, &DeviceList::Docker)
        } else {
            let list = DeviceList::Own {
                allow_rest: false,
                exceptions: devices::docker_default(),
            };
            write_devices(branch, dir, &list)
        }
    }
}
