//! The groups of one owner, and in them those of its containers. The hot path: a handful of system calls each,
//! relative to directory fds, so that a spawner without /sys in its mount namespace can do them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::mkdirat;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::controller::{Controller, Controllers};
use super::devices::{self, DeviceList};
use super::driver::Driver;
use super::error::CgroupError;
use super::limits::{Limits, Write};
use super::reader::Reader;
use super::steps::{
    MODE, at, attach_devices, check_name, fill_cpuset, make_dir, open_dir, refused, remove_busy,
    system, write_devices,
};
use super::tree;

/// The directory of ours in each hierarchy.
pub(super) const TOP: &str = "fastbox";
/// What an owner's second group in a v1 devices hierarchy has behind its name. A v1 group can only allow what
/// its parent allows, so containers with a device list of their own lie in one that allows everything.
pub(super) const OWN_DEVICES: &str = ".devices";

/// Where a container's group is to be found: at `prefix` + container, relative to `dir`.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// A directory fd (O_PATH), open as long as the owner's group.
    pub dir: BorrowedFd<'a>,
    /// Empty, or a path that ends with a slash. For every default hierarchy it is empty: `dir` is the owner's.
    pub prefix: &'a str,
}

/// How a child comes into its container's groups.
#[derive(Clone, Debug)]
pub enum Join<'a> {
    /// There are no groups.
    None,
    /// v1 and hybrid: the child itself opens `<prefix><container>/tasks` in each place and writes "0". (Writing
    /// another process's pid takes milliseconds.)
    V1(Vec<Place<'a>>),
    /// v2: clone3 with CLONE_INTO_CGROUP and the container's directory, or "0" into its `cgroup.procs`.
    V2(Place<'a>),
}

/// One hierarchy, opened.
pub(super) struct Branch {
    pub(super) controllers: Controllers,
    pub(super) base_path: PathBuf,
    pub(super) base: OwnedFd,
    /// The owner's directory, for hierarchies every container uses.
    owner: Option<OwnedFd>,
    /// Whether the owner's directory exists; for the others it is made with the first container that needs it.
    made: AtomicBool,
}

/// `fastbox/<owner>` in every usable hierarchy. Dropping it leaves the groups: [`super::clean_owner`] removes them.
pub struct OwnerGroup {
    v2: bool,
    owner_prefix: String,
    devices_prefix: String,
    branches: Vec<Branch>,
    /// v2: controllers handed down to the containers so far.
    enabled: AtomicU16,
    own_devices_made: AtomicBool,
}

impl OwnerGroup {
    /// Makes the owner's groups (those of the default controllers) and sets Docker's device list on them, once
    /// for all containers.
    ///
    /// # Errors
    /// Whatever the kernel refuses; what was made stays and is removed by [`super::clean_owner`].
    pub fn create(driver: &Driver, owner: &str) -> Result<OwnerGroup, CgroupError> {
        check_name(owner)?;
        let mut group = OwnerGroup {
            v2: driver.is_v2(),
            owner_prefix: format!("{TOP}/{owner}/"),
            devices_prefix: format!("{TOP}/{owner}{OWN_DEVICES}/"),
            branches: Vec::with_capacity(driver.hierarchies().len()),
            enabled: AtomicU16::new(0),
            own_devices_made: AtomicBool::new(false),
        };
        let defaults = Controllers::of(&Controller::DEFAULTS);
        for hierarchy in driver.hierarchies() {
            let base = open_dir(AT_FDCWD, hierarchy.base.as_os_str().as_bytes())
                .map_err(|errno| system("open", hierarchy.base.clone(), errno))?;
            let mut branch = Branch {
                controllers: hierarchy.controllers,
                base_path: hierarchy.base.clone(),
                base,
                owner: None,
                made: AtomicBool::new(false),
            };
            if hierarchy.controllers.meets(defaults) {
                group.make_owner(&branch)?;
                let path = group.owner_dir();
                branch.owner = Some(
                    open_dir(branch.base.as_fd(), path.as_bytes())
                        .map_err(|errno| system("open", branch.base_path.join(path), errno))?,
                );
            }
            group.branches.push(branch);
        }
        if group.v2 {
            group.hand_down(defaults)?;
        }
        group.set_devices()?;
        Ok(group)
    }

    fn owner_dir(&self) -> &str {
        self.owner_prefix.trim_end_matches('/')
    }

    fn make_owner(&self, branch: &Branch) -> Result<(), CgroupError> {
        make_dir(branch, TOP)?;
        if branch.controllers.contains(Controller::Cpuset) && !self.v2 {
            fill_cpuset(branch)?;
        }
        make_dir(branch, self.owner_dir())?;
        branch.made.store(true, Ordering::Release);
        Ok(())
    }

    /// v2: enables controllers on the way from the base to the containers.
    fn hand_down(&self, wanted: Controllers) -> Result<(), CgroupError> {
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
            for dir in ["", "fastbox/", &self.owner_prefix] {
                let file = format!("{dir}cgroup.subtree_control");
                tree::put(branch.base.as_fd(), file.as_bytes(), &text)
                    .map_err(|errno| refused(branch.base_path.join(&file), &text, errno))?;
            }
        }
        self.enabled.fetch_or(lacking.bits(), Ordering::AcqRel);
        Ok(())
    }

    fn branch(&self, controller: Controller) -> Option<&Branch> {
        self.branches
            .iter()
            .find(|branch| branch.controllers.contains(controller))
    }

    fn set_devices(&self) -> Result<(), CgroupError> {
        let Some(branch) = self.branch(Controller::Devices) else {
            return Ok(());
        };
        let dir = self.owner_dir();
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

    /// The places of the hierarchies that `limits` needs.
    fn places<'a>(&'a self, limits: &Limits) -> impl Iterator<Item = (&'a Branch, Place<'a>)> {
        let needed = limits.needed;
        let own_devices = !self.v2 && limits.devices != DeviceList::Docker;
        self.branches
            .iter()
            .filter(move |branch| self.v2 || branch.controllers.meets(needed))
            .map(move |branch| {
                let devices = branch.controllers.contains(Controller::Devices);
                (branch, self.place(branch, own_devices && devices))
            })
    }

    fn place<'a>(&'a self, branch: &'a Branch, own_devices: bool) -> Place<'a> {
        match &branch.owner {
            Some(owner) if !own_devices => Place {
                dir: owner.as_fd(),
                prefix: "",
            },
            _ => Place {
                dir: branch.base.as_fd(),
                prefix: if own_devices {
                    &self.devices_prefix
                } else {
                    &self.owner_prefix
                },
            },
        }
    }

    fn path(&self, branch: &Branch, place: &Place<'_>, container: &str) -> PathBuf {
        let prefix = if place.prefix.is_empty() {
            &self.owner_prefix
        } else {
            place.prefix
        };
        branch.base_path.join(prefix).join(container)
    }

    /// What the first container with such limits needs of the owner's groups.
    fn prepare(&self, limits: &Limits) -> Result<(), CgroupError> {
        if self.v2 {
            return self.hand_down(limits.needed);
        }
        for branch in &self.branches {
            if branch.controllers.meets(limits.needed) && !branch.made.load(Ordering::Acquire) {
                self.make_owner(branch)?;
            }
        }
        if limits.devices != DeviceList::Docker
            && !self.own_devices_made.load(Ordering::Acquire)
            && let Some(branch) = self.branch(Controller::Devices)
        {
            make_dir(branch, self.devices_prefix.trim_end_matches('/'))?;
            self.own_devices_made.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Makes the groups of a container and sets its limits.
    ///
    /// # Errors
    /// [`CgroupError::Write`] names the value and the file; what was made is removed again.
    pub fn make(&self, container: &str, limits: &Limits) -> Result<(), CgroupError> {
        check_name(container)?;
        self.prepare(limits)?;
        let mut path = Vec::with_capacity(192);
        for (branch, place) in self.places(limits) {
            let made = mkdirat(place.dir, at(&mut path, &place, container, ""), MODE);
            if let Err(errno) = made {
                // What is there already is another's.
                self.undo(container, limits, Some(branch));
                return Err(system("make", self.path(branch, &place, container), errno));
            }
        }
        self.fill(container, limits, &mut path)
            .inspect_err(|_| self.undo(container, limits, None))
    }

    fn undo(&self, container: &str, limits: &Limits, until: Option<&Branch>) {
        let mut path = Vec::new();
        for (branch, place) in self.places(limits) {
            if until.is_some_and(|until| std::ptr::eq(until, branch)) {
                return;
            }
            // The error that led here is the one to report.
            let _ = unlinkat(
                place.dir,
                at(&mut path, &place, container, ""),
                UnlinkatFlags::RemoveDir,
            );
        }
    }

    fn fill(
        &self,
        container: &str,
        limits: &Limits,
        path: &mut Vec<u8>,
    ) -> Result<(), CgroupError> {
        if limits.devices != DeviceList::Docker
            && let Some(branch) = self.branch(Controller::Devices)
        {
            if self.v2 {
                attach_devices(
                    branch,
                    &format!("{}{container}", self.owner_prefix),
                    &limits.devices,
                )?;
            } else {
                let dir = format!("{}{container}", self.devices_prefix);
                write_devices(branch, &dir, &limits.devices)?;
            }
        }
        for wanted in &limits.writes {
            // compile() refuses limits whose controller is missing.
            if let Some(branch) = self.branch(wanted.controller) {
                self.write(branch, container, wanted, path)?;
            }
        }
        Ok(())
    }

    fn write(
        &self,
        branch: &Branch,
        container: &str,
        wanted: &Write,
        path: &mut Vec<u8>,
    ) -> Result<(), CgroupError> {
        let place = self.place(branch, false);
        for (file, value) in &wanted.choices {
            match tree::put(place.dir, at(path, &place, container, file), value) {
                Ok(()) => return Ok(()),
                Err(Errno::ENOENT) => {}
                Err(errno) => {
                    let file = self.path(branch, &place, container).join(file);
                    return Err(refused(file, value, errno));
                }
            }
        }
        if wanted.optional {
            return Ok(());
        }
        Err(CgroupError::NoFile {
            path: self.path(branch, &place, container),
            files: wanted
                .choices
                .iter()
                .map(|choice| choice.0.clone())
                .collect(),
            value: wanted
                .choices
                .first()
                .map_or_else(String::new, |choice| choice.1.clone()),
        })
    }

    /// How a child of a container with these limits joins; the same for every container, so a Plan asks once.
    #[must_use]
    pub fn join(&self, limits: &Limits) -> Join<'_> {
        let mut places = self.places(limits).map(|(_, place)| place);
        if self.v2 {
            return places.next().map_or(Join::None, Join::V2);
        }
        let places: Vec<Place<'_>> = places.collect();
        if places.is_empty() {
            Join::None
        } else {
            Join::V1(places)
        }
    }

    /// Removes a container's groups; groups it made below go too, and one that is gone already is no error. Its
    /// processes must have ended; for the kernel's last moments with them it waits up to two seconds.
    ///
    /// # Errors
    /// [`CgroupError::Busy`] when processes are still in one.
    pub fn remove(&self, container: &str) -> Result<(), CgroupError> {
        check_name(container)?;
        let mut path = Vec::with_capacity(192);
        let mut first = None;
        for (branch, place) in self.all_places() {
            let group = at(&mut path, &place, container, "");
            match unlinkat(place.dir, group, UnlinkatFlags::RemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(_) => {
                    let whole = self.path(branch, &place, container);
                    first = first.or(remove_busy(place.dir, group, whole).err());
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Every place in which a group of a container may lie.
    fn all_places(&self) -> impl Iterator<Item = (&Branch, Place<'_>)> {
        let own_devices = self.own_devices_made.load(Ordering::Acquire);
        let made = |branch: &&Branch| branch.made.load(Ordering::Acquire);
        let more = self
            .branch(Controller::Devices)
            .filter(|_| own_devices)
            .map(|branch| (branch, self.place(branch, true)));
        self.branches
            .iter()
            .filter(made)
            .map(|branch| (branch, self.place(branch, false)))
            .chain(more)
    }

    /// Reads and kills by absolute path, for a thread that sees the cgroup file systems.
    #[must_use]
    pub fn reader(&self, container: &str) -> Reader {
        Reader::new(
            self.v2,
            self.all_places()
                .map(|(branch, place)| (branch.controllers, self.path(branch, &place, container)))
                .collect(),
        )
    }
}
