//! The groups of one owner, and in them those of its containers. The hot path: a handful of system calls each,
//! relative to directory fds, so that a spawner without /sys in its mount namespace can do them.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU16;

use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::sys::stat::mkdirat;
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::controller::{Controller, Controllers};
use super::devices::DeviceList;
use super::error::CgroupError;
use super::limits::{Limits, Write};
use super::parent::Parent;
use super::reader::{Group, Reader};
use super::steps::{
    MODE, at, attach_devices, check_name, refused, remove_busy, system, write_devices,
};
use super::tree;

/// The directory of ours in each hierarchy.
pub(super) const TOP: &str = "fastbox";
/// What an owner's second group in a v1 devices hierarchy has behind its name. A v1 group can only allow what
/// its parent allows, so containers with a device list of their own lie in one that allows everything.
pub(super) const OWN_DEVICES: &str = ".devices";
/// How a child comes into its container's groups.
#[derive(Clone, Debug)]
pub enum Join<'a> {
    /// There are no groups.
    None,
    /// v1 and hybrid: the child itself opens `<container>/tasks` in each directory and writes "0". (Writing
    /// another process's pid takes milliseconds.)
    V1(Vec<BorrowedFd<'a>>),
    /// v2: clone3 with CLONE_INTO_CGROUP and the container's directory below this, or "0" into its `cgroup.procs`.
    V2(BorrowedFd<'a>),
}

/// One hierarchy, opened.
pub(super) struct Branch {
    pub(super) controllers: Controllers,
    pub(super) base_path: PathBuf,
    pub(super) base: OwnedFd,
    /// The owner's directory: there from the start in hierarchies that every container uses, in others from the first
    /// container on that needs it.
    pub(super) owner: OnceLock<OwnedFd>,
}

/// `[<parent>/]fastbox/<owner>` in every usable hierarchy. Dropping it leaves the groups: [`super::clean_owner`]
/// removes them.
pub struct OwnerGroup {
    pub(super) v2: bool,
    pub(super) owner: String,
    pub(super) parent: Parent,
    /// The owner's directory, relative to each hierarchy's base.
    pub(super) dir: String,
    pub(super) branches: Vec<Branch>,
    /// v2: controllers handed down to the containers so far.
    pub(super) enabled: AtomicU16,
    pub(super) own_devices: OnceLock<OwnedFd>,
}

impl OwnerGroup {
    pub(super) fn branch(&self, controller: Controller) -> Option<&Branch> {
        self.branches
            .iter()
            .find(|branch| branch.controllers.contains(controller))
    }

    /// The hierarchies that `limits` needs.
    fn needed<'a>(&'a self, limits: &Limits) -> impl Iterator<Item = &'a Branch> {
        let needed = limits.needed;
        self.branches
            .iter()
            .filter(move |branch| self.v2 || branch.controllers.meets(needed))
    }

    /// The directories in which a container with these limits has its groups. They are there once
    /// [`OwnerGroup::prepare`] has been called for such limits.
    fn places<'a>(&'a self, limits: &Limits) -> impl Iterator<Item = (&'a Branch, BorrowedFd<'a>)> {
        let own_devices = !self.v2 && limits.devices != DeviceList::Docker;
        self.needed(limits).filter_map(move |branch| {
            let devices = own_devices && branch.controllers.contains(Controller::Devices);
            Some((branch, self.place(branch, devices)?))
        })
    }

    fn place<'a>(&'a self, branch: &'a Branch, own_devices: bool) -> Option<BorrowedFd<'a>> {
        let place = if own_devices {
            &self.own_devices
        } else {
            &branch.owner
        };
        place.get().map(AsFd::as_fd)
    }

    fn path(&self, branch: &Branch, place: BorrowedFd<'_>, container: &str) -> PathBuf {
        let own_devices = self.own_devices.get().map(AsRawFd::as_raw_fd);
        let suffix = if own_devices == Some(place.as_raw_fd()) {
            OWN_DEVICES
        } else {
            ""
        };
        branch
            .base_path
            .join(format!("{}{suffix}", self.dir))
            .join(container)
    }

    /// What the first container with such limits needs of the owner's groups.
    fn prepare(&self, limits: &Limits) -> Result<(), CgroupError> {
        if self.v2 {
            return self.hand_down(limits.needed);
        }
        for branch in self.needed(limits) {
            self.make_owner(branch)?;
        }
        if limits.devices != DeviceList::Docker
            && self.own_devices.get().is_none()
            && let Some(branch) = self.branch(Controller::Devices)
        {
            let made = self.make_in_ours(branch, &format!("{}{OWN_DEVICES}", self.dir))?;
            let _ = self.own_devices.set(made);
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
            let made = mkdirat(place, at(&mut path, container, ""), MODE);
            if let Err(errno) = made {
                // What is there already is another's.
                self.undo(container, limits, Some(branch));
                return Err(system("make", self.path(branch, place, container), errno));
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
                place,
                at(&mut path, container, ""),
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
                let dir = format!("{}/{container}", self.dir);
                attach_devices(branch, &dir, &limits.devices)?;
            } else {
                let dir = format!("{}{OWN_DEVICES}/{container}", self.dir);
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
        // Made by prepare().
        let Some(place) = self.place(branch, false) else {
            return Ok(());
        };
        for (file, value) in &wanted.choices {
            match tree::put(place, at(path, container, file), value) {
                Ok(()) => return Ok(()),
                Err(Errno::ENOENT) => {}
                Err(errno) => {
                    let file = self.path(branch, place, container).join(file);
                    return Err(refused(file, value, errno));
                }
            }
        }
        if wanted.optional {
            return Ok(());
        }
        Err(CgroupError::NoFile {
            path: self.path(branch, place, container),
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

    /// How a child of a container with these limits joins, once its groups are made.
    #[must_use]
    pub fn join(&self, limits: &Limits) -> Join<'_> {
        let mut places = self.places(limits).map(|(_, place)| place);
        if self.v2 {
            return places.next().map_or(Join::None, Join::V2);
        }
        let places: Vec<_> = places.collect();
        if places.is_empty() {
            Join::None
        } else {
            Join::V1(places)
        }
    }

    /// How many groups the child of a container with these limits joins by itself: those of [`Join::V1`].
    #[must_use]
    pub fn joins(&self, limits: &Limits) -> usize {
        if self.v2 {
            0
        } else {
            self.needed(limits).count()
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
            let group = at(&mut path, container, "");
            match unlinkat(place, group, UnlinkatFlags::RemoveDir) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(_) => {
                    let whole = self.path(branch, place, container);
                    first = first.or(remove_busy(place, group, whole).err());
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// Every place in which a group of a container may lie.
    fn all_places(&self) -> impl Iterator<Item = (&Branch, BorrowedFd<'_>)> {
        let own_devices = self.branch(Controller::Devices).and_then(|branch| {
            let place = self.place(branch, true)?;
            Some((branch, place))
        });
        self.branches
            .iter()
            .filter_map(|branch| Some((branch, self.place(branch, false)?)))
            .chain(own_devices)
    }

    /// Reads and kills by absolute path, for a thread that sees the cgroup file systems.
    #[must_use]
    pub fn reader(&self, container: &str) -> Reader<'static> {
        let group = |(branch, place): (&Branch, BorrowedFd<'_>)| {
            let path = self.path(branch, place, container);
            let at = AT_FDCWD;
            (branch.controllers, Group { at, path })
        };
        Reader::new(self.v2, self.all_places().map(group).collect())
    }

    /// The same by open directories, for a thread that does not see them.
    pub(crate) fn reader_here(&self, container: &str) -> Reader<'_> {
        let group = |(branch, at): (&Branch, _)| {
            let path = PathBuf::from(container);
            (branch.controllers, Group { at, path })
        };
        Reader::new(self.v2, self.all_places().map(group).collect())
    }
}
