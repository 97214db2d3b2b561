//! Namespaces of a running container that this one has, too.

use super::{Compiler, Userns};
use crate::error::PlanError;
use crate::slots;
use fastbox_sys::clone::flags;
use oci_spec::runtime::{Linux, LinuxNamespaceType};

/// The type of the mount that shows the other container's shared memory.
pub const JOINED_SHM: &str = "shm";

/// A namespace of a running container, to be handed over as an fd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joins {
    /// Its user namespace.
    User,
    /// Its IPC namespace.
    Ipc,
    /// Its mount namespace, out of which its /dev/shm is taken.
    Mounts,
    /// Its pid namespace.
    Pid,
}

/// Those that the document names by path.
pub(super) fn read(linux: &Linux, userns: Userns) -> Result<Vec<Joins>, PlanError> {
    let mut joins = Vec::new();
    if matches!(userns, Userns::Joined { .. }) {
        joins.push(Joins::User);
    }
    for namespace in linux.namespaces().iter().flatten() {
        match (namespace.typ(), namespace.path()) {
            (_, None) => {}
            (LinuxNamespaceType::Ipc, Some(_)) => joins.extend([Joins::Ipc, Joins::Mounts]),
            (LinuxNamespaceType::Pid, Some(_)) => joins.push(Joins::Pid),
            (other, Some(_)) => {
                return Err(PlanError::Unsupported {
                    field: format!("linux.namespaces: {other}: path"),
                    reason: "not a namespace that can be joined here",
                });
            }
        }
    }
    Ok(joins)
}

impl Compiler<'_> {
    /// Only a child is in a pid namespace that was entered: so one more is cloned, a sibling of this one.
    pub(super) fn join_processes(&mut self, joins: &[Joins]) {
        if joins.contains(&Joins::Pid) {
            self.child
                .label("join", "pid namespace")
                .die_with_parent()
                .setns(slots::JOIN_PID, flags::NEWPID)
                .label("clone", "into the pid namespace")
                .clone_again(slots::JOIN_CLONE);
        }
    }

    /// Into the IPC namespace, with a copy of the mount of /dev/shm, which only somebody in the other's mount
    /// namespace can make. No link of the other container is followed on the way to it.
    pub(super) fn join_memory(&mut self, joins: &[Joins]) {
        if !joins.contains(&Joins::Ipc) {
            return;
        }
        let b = &mut self.child;
        let (own, at) = (b.slot(), b.slot());
        b.label("join", "ipc namespace")
            .setns(slots::JOIN_IPC, flags::NEWIPC)
            .label("join", "/dev/shm")
            .open(Some(slots::PROC), "thread-self/ns/mnt", 0, own)
            .setns(slots::JOIN_MOUNTS, flags::NEWNS)
            .close(slots::JOIN_MOUNTS)
            .open_target("/dev/shm", at)
            .clone_mount(Some(at), "", false, slots::JOIN_MOUNTS)
            .close(at)
            .setns(own, flags::NEWNS)
            .close(own)
            .reuse_slots(own);
    }
}
