//! One more process in a container that runs.
//!
//! Nothing that shares the caller's memory is ever where somebody inside could reach it: the child becomes the stub
//! while it is still in none of the container's namespaces. The stub joins the groups, and clones into the pid
//! namespace a process with memory of its own. Until its exec nobody inside may trace that or look at its files: its
//! memory is not dumpable, and belongs to the host's user namespace (ptrace(2)).

use super::process::From;
use super::{Other, Plan, Process, Userns};
use crate::slots;
use fastbox_sys::builder::{Builder, Program, Slot};
use fastbox_sys::clone::flags;
use oci_spec::runtime::{Linux, LinuxNamespaceType};
use std::sync::Arc;

const O_WRONLY: i32 = 1;

/// The document's namespaces as flags, but for that of users.
pub(super) fn namespaces(linux: &Linux) -> u64 {
    let list = linux.namespaces().iter().flatten();
    list.fold(0, |all, namespace| {
        all | match namespace.typ() {
            LinuxNamespaceType::Mount => flags::NEWNS,
            LinuxNamespaceType::Pid => flags::NEWPID,
            LinuxNamespaceType::Uts => flags::NEWUTS,
            LinuxNamespaceType::Ipc => flags::NEWIPC,
            LinuxNamespaceType::Cgroup => flags::NEWCGROUP,
            LinuxNamespaceType::Network => flags::NEWNET,
            _ => 0,
        }
    })
}

/// The programs of one more process.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The child's, up to the stub.
    pub(crate) child: Program,
    /// The stub's.
    pub(crate) stub: Program,
}

impl Plan {
    /// For one more process as the plan's user in the plan's directory, or others. `joins` is how many groups it joins
    /// by itself, `born` whether it is born in one.
    pub(crate) fn entry(&self, other: &Other, joins: usize, born: bool) -> Arc<Entry> {
        let made = |process| Arc::new(self.entry_as(process, joins, born));
        if *other == Other::default() {
            return Arc::clone(self.entry.get_or_init(|| made(&self.process)));
        }
        made(&self.process.with(other, self.userns.available()))
    }

    fn entry_as(&self, process: &Process, joins: usize, born: bool) -> Entry {
        let groups = &slots::CGROUP_DIRS[..joins.max(born.into())];
        let mut b = Builder::new();
        b.label("start", "").die_with_parent().umask(0o022);
        for slot in slots::STDIO.iter().chain(groups) {
            b.keep_over_exec(*slot);
        }
        for slot in [slots::CONTAINER, slots::PROC, slots::REPORT] {
            b.keep_over_exec(slot);
        }
        b.execveat(slots::STUB, slots::ARGV, slots::ENVP);
        Entry {
            child: b.finish(),
            stub: self.stub(process, &groups[..joins]),
        }
    }

    fn stub(&self, process: &Process, tasks: &[Slot]) -> Program {
        let mut b = Builder::new();
        if let Some(score) = process.oom_score_adj {
            let file = b.slot();
            b.label("set OOM score", score.to_string())
                .open(Some(slots::PROC), "self/oom_score_adj", O_WRONLY, file)
                .write(file, &score.to_string())
                .close(file)
                .reuse_slots(file);
        }
        b.label("start", "").undumpable();
        for (index, tasks) in tasks.iter().enumerate() {
            b.label("join cgroup", format!("hierarchy {index}"))
                .write(*tasks, "0")
                .close(*tasks);
        }
        let pids = self.entered & flags::NEWPID;
        let (first, users) = match self.userns {
            // An ordinary user has a right to the others by that to this one.
            Userns::Owned { .. } => (pids | flags::NEWUSER, 0),
            userns if userns.maps_ids() => (pids, flags::NEWUSER),
            _ => (pids, 0),
        };
        if first != 0 {
            b.label("enter", "pid namespace")
                .setns(slots::CONTAINER, first);
        }
        b.label("clone", "into the container")
            .part(slots::PART, slots::REPORT)
            .setsid();
        process.become_it(
            &mut b,
            &From {
                userns: self.userns,
                stdio: slots::STDIO,
                exposed: true,
                enters: (slots::CONTAINER, self.entered & !pids | users),
            },
        );
        b.unblock_signals()
            .exec(slots::PATHS, slots::ARGV, slots::ENVP);
        b.finish()
    }
}
