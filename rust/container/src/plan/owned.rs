//! What differs for an ordinary user: who has no right to mount outside does all of it inside, in a mount namespace
//! that the user namespace owns and that begins as a copy of the host's.

use super::rootfs::upper;
use super::{Compiler, Process, Userns, terminal};
use crate::error::PlanError;
use crate::slots;
use fastbox_sys::builder::Arg;
use fastbox_sys::clone::flags;
use fastbox_sys::program::OnError;
use fastbox_sys::steps::attr;
use std::path::Path;

/// Nodes of the host that are shown in /dev: making nodes takes more than a user namespace gives.
const NODES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Links of /dev and what they say, as in Docker.
pub(crate) const DEV_LINKS: [(&str, &str); 6] = [
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
];

/// Mount points in /dev.
pub(crate) const DEV_DIRECTORIES: [&str; 3] = ["pts", "shm", "mqueue"];

const O_CREAT: i32 = 0o100;

impl Compiler<'_> {
    pub(super) fn is_owned(&self) -> bool {
        matches!(self.choices.userns, Userns::Owned { .. })
    }

    /// Whether `id` is one of the container's.
    pub(super) fn is_mapped(&self, id: u32) -> bool {
        match self.choices.userns {
            Userns::Owned { ids } => id < ids,
            _ => true,
        }
    }

    /// The program's ids must be there.
    pub(super) fn only_mapped_ids(&self, process: &Process) -> Result<(), PlanError> {
        let ids = [process.uid, process.gid];
        match ids
            .iter()
            .chain(&process.groups)
            .find(|id| !self.is_mapped(**id))
        {
            None => Ok(()),
            Some(id) => Err(PlanError::Unsupported {
                field: format!("process.user: id {id}"),
                reason: "an ordinary user has it only with newuidmap (package uidmap) and a range of ids in \
                         /etc/subuid and /etc/subgid",
            }),
        }
    }

    /// From the spawner into the user namespace, and then, by a second clone, to namespaces that it owns: those of
    /// the first would still be the host's.
    pub(super) fn enter_owned(&mut self) {
        if self.is_owned() {
            self.child
                .label("enter", "user namespace")
                .die_with_parent()
                .setns(slots::USERNS, flags::NEWUSER)
                .die_with_parent()
                .label("clone", "into the user namespace")
                .clone_again(slots::INNER);
        }
    }

    /// Everything of the host that will be seen is copied before anything hides it; then an empty tmpfs becomes the
    /// root, as in the lean namespace of root's spawners, with the host below it until the end.
    pub(super) fn enter_owned_root(&mut self, read_only: bool) {
        self.copy_sources();
        let b = &mut self.child;
        b.label("root file system", "stage");
        b.filesystem("tmpfs", &[("mode", Arg::from("0700"))], 0, slots::STAGE);
        // Over any directory there is.
        b.attach(slots::STAGE, "/proc").fchdir(slots::STAGE);
        for name in ["e", "h", "r", "u"] {
            b.mkdir(slots::STAGE, name, 0o700);
        }
        for layer in 0..self.choices.layers.len() {
            b.mkdir(slots::STAGE, layer.to_string().as_str(), 0o700);
        }
        b.pivot_root(".", "h").chdir("/");
        if !read_only {
            upper(b, self.choices.storage, self.choices.flat_upper());
        }
        self.attached_root(read_only);
        // The old root goes on top of the new one, where no path leads, until proc and sysfs are mounted: the kernel
        // wants to see the host's for that.
        self.child
            .label("enter root", "/")
            .chdir("/r")
            .pivot_root(".", ".")
            .chdir("/");
    }

    fn copy_sources(&mut self) {
        let b = &mut self.child;
        // Nothing that is mounted here reaches the host, or comes from there.
        let flags = attr::MS_REC | attr::MS_PRIVATE;
        b.label("make mounts private", "/");
        b.mount("", "/", "", flags, Arg::Value(0), OnError::Fail);
        for (index, path) in self.choices.layers.iter().enumerate() {
            let path = path.to_string_lossy();
            b.label("open layer", path.clone());
            b.clone_mount(None, &*path, false, slots::layer(index));
        }
        for (name, slot) in NODES.iter().zip(slots::NODES) {
            let path = format!("/dev/{name}");
            b.label("open device", path.clone());
            b.clone_mount(None, path.as_str(), false, slot);
        }
        for (index, bind) in self.binds.iter().enumerate() {
            let (path, slot) = (bind.source.to_string_lossy(), slots::bind(index));
            b.label("open bind", path.clone());
            // With all below, also where only the top was asked for: mounts of the host cannot be taken off what
            // they hide.
            b.clone_mount(None, &*path, true, slot);
            if bind.attributes != 0 {
                b.mount_fd_attributes(slot, bind.attributes, bind.recursive_attributes);
            }
        }
    }

    /// /dev with copies of the host's nodes.
    pub(super) fn owned_dev(&mut self) {
        let console = terminal::wanted(self.spec);
        let b = &mut self.child;
        let (dev, file) = (b.slot(), b.slot());
        let options = [("mode", Arg::from("0755")), ("size", Arg::from("64k"))];
        b.filesystem("tmpfs", &options, 0, dev).attach(dev, "/dev");
        for (name, node) in NODES.iter().zip(slots::NODES) {
            b.open(Some(dev), *name, O_CREAT, file).close(file);
            b.attach(node, format!("/dev/{name}").as_str()).close(node);
        }
        if console {
            b.open(Some(dev), "console", O_CREAT, file).close(file);
        }
        for name in DEV_DIRECTORIES {
            b.mkdir(dev, name, 0o755);
        }
        for (name, target) in DEV_LINKS {
            b.symlink(target, dev, name);
        }
        if self.binds_in_dev() {
            self.nested(dev, Path::new("/dev"));
        }
        self.child
            .mount_fd_attributes(dev, attr::RDONLY | attr::NOSUID | attr::NOEXEC, false)
            .close(dev)
            .reuse_slots(dev);
    }

    fn binds_in_dev(&self) -> bool {
        let mut mounts = self.spec.mounts().iter().flatten();
        mounts.any(|mount| {
            mount.typ().as_deref() == Some("bind") && mount.destination().starts_with("/dev/")
        })
    }

    /// Lets go of the host: from here on nothing of it is there but what was bound.
    pub(super) fn leave_stage(&mut self) {
        if self.is_owned() {
            self.child.label("leave", "the host's root").detach(".");
        }
    }
}
