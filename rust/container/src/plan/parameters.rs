//! What is set by files of proc: kernel parameters of the container's namespaces, and how soon it is killed for memory.

use super::{Compiler, Process, Userns};
use crate::slots;
use fastbox_sys::clone::flags;
use oci_spec::runtime::Linux;

const O_WRONLY: i32 = 1;

impl Compiler<'_> {
    /// First of all: no step has changed yet whose files in proc these are.
    pub(super) fn oom_score(&mut self, process: &Process) {
        if let Some(score) = process.oom_score_adj {
            self.child.label("set OOM score", score.to_string());
            self.write_proc("self/oom_score_adj", &score.to_string());
        }
    }

    /// Once all namespaces are entered: each file of /proc/sys is that of the namespace of who opens it.
    pub(super) fn own_parameters(&mut self, linux: &Linux) {
        self.leave_own_groups();
        let mut all: Vec<_> = linux.sysctl().iter().flatten().collect();
        all.sort();
        for (name, value) in all {
            self.child.label("set parameter", name.as_str());
            self.write_proc(&format!("sys/{}", name.replace('.', "/")), value);
        }
    }

    fn write_proc(&mut self, path: &str, text: &str) {
        let file = self.child.slot();
        self.child
            .open(Some(slots::PROC), path, O_WRONLY, file)
            .write(file, text)
            .close(file)
            .reuse_slots(file);
    }

    /// The host's cgroup namespace is left for as long as mounts are made, which then show the container's own groups
    /// only. Where the user namespace is entered first there is no way back, and no such mount.
    pub(super) fn see_own_groups(&mut self) {
        if !matches!(
            self.choices.userns,
            Userns::Late | Userns::Host | Userns::Joined { .. }
        ) {
            self.no_cgroup_mount = true;
            return;
        }
        let host = self.child.slot();
        self.child
            .label("unshare", "cgroup namespace")
            .open(Some(slots::PROC), "self/ns/cgroup", 0, host)
            .unshare(flags::NEWCGROUP);
        self.host_cgroups = Some(host);
    }

    fn leave_own_groups(&mut self) {
        if let Some(host) = self.host_cgroups.take() {
            self.child
                .label("enter", "the host's cgroup namespace")
                .setns(host, flags::NEWCGROUP)
                .close(host);
        }
    }
}
