//! The process part: who it is, what it may do, and the exec. Kept apart, for exec into a running container.

use super::{Compiler, Userns, bounding};
use crate::error::PlanError;
use crate::security::caps::CapSet;
use crate::security::seccomp::{Arch, compile_cached};
use crate::slots;
use fastbox_sys::builder::{Builder, Slot};
use fastbox_sys::clone::flags;
use oci_spec::runtime::{LinuxSeccomp, PosixRlimitType, Spec};
use std::sync::Arc;

/// What a launch needs of the document's process.
#[derive(Clone, Debug)]
pub struct Process {
    pub(crate) args: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(super) groups: Vec<u32>,
    cwd: String,
    permitted: CapSet,
    effective: CapSet,
    inheritable: CapSet,
    no_new_privileges: bool,
    rlimits: Vec<(u32, u64, u64)>,
    umask: Option<u32>,
    apparmor: Option<String>,
    pub(super) oom_score_adj: Option<i32>,
    /// The bounding set.
    keep: CapSet,
    /// The system call filter: its instructions and flags.
    filter: Option<Filter>,
}

/// Instructions and flags (seccomp(2)).
type Filter = (Arc<[u8]>, u32);

/// Where a process comes from that is to become a container's.
pub(super) struct From {
    pub(super) userns: Userns,
    /// What becomes stdin, stdout and stderr.
    pub(super) stdio: [Slot; 3],
    /// Processes of a container see it before it has executed anything.
    pub(super) exposed: bool,
    /// Namespaces that it enters only now, as CLONE_NEW* flags: all that the process in this slot has.
    pub(super) enters: (Slot, u64),
}

/// Another user and directory than a plan's, for one more process of its container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Other {
    /// User, group, and all groups.
    pub user: Option<(u32, u32, Vec<u32>)>,
    /// Working directory.
    pub cwd: Option<String>,
}

/// Below so many open files the start itself would not get through: that limit is set at its end.
const FEW_FILES: u64 = 256;
/// RLIMIT_NOFILE.
const OPEN_FILES: u32 = 7;

impl Process {
    /// `available` is what there is to hand on: of more than that the program gets no more.
    pub(super) fn read(
        spec: &Spec,
        available: CapSet,
        seccomp: Option<&LinuxSeccomp>,
    ) -> Result<Process, PlanError> {
        let process = spec.process().clone().unwrap_or_default();
        let caps = process.capabilities().clone().unwrap_or_default();
        let set = |list: &Option<oci_spec::runtime::Capabilities>| {
            list.as_ref()
                .map_or(CapSet::EMPTY, CapSet::from_oci)
                .intersection(available)
        };
        let rlimits = process.rlimits().iter().flatten();
        Ok(Process {
            args: process.args().clone().unwrap_or_default(),
            env: process.env().clone().unwrap_or_default(),
            uid: process.user().uid(),
            gid: process.user().gid(),
            groups: process.user().additional_gids().clone().unwrap_or_default(),
            cwd: process.cwd().to_string_lossy().into_owned(),
            permitted: set(caps.permitted()),
            effective: set(caps.effective()),
            inheritable: set(caps.inheritable()),
            no_new_privileges: process.no_new_privileges().unwrap_or(false),
            rlimits: rlimits
                .map(|limit| (rlimit(limit.typ()), limit.soft(), limit.hard()))
                .collect(),
            umask: process.user().umask(),
            apparmor: process.apparmor_profile().clone(),
            oom_score_adj: process.oom_score_adj(),
            keep: bounding(spec),
            filter: filter(seccomp)?,
        })
    }

    /// The same for another user or directory. Root holds what the bounding set allows, others hold nothing, as in
    /// Docker.
    pub(super) fn with(&self, other: &Other, available: CapSet) -> Process {
        let mut process = self.clone();
        if let Some((uid, gid, groups)) = &other.user {
            (process.uid, process.gid) = (*uid, *gid);
            process.groups.clone_from(groups);
            let held = match uid {
                0 => self.keep.intersection(available),
                _ => CapSet::EMPTY,
            };
            (process.permitted, process.effective) = (held, held);
            process.inheritable = CapSet::EMPTY;
        }
        if let Some(cwd) = &other.cwd {
            process.cwd.clone_from(cwd);
        }
        process
    }

    /// The paths along which `program` is looked for.
    pub(crate) fn candidates(program: &str, env: &[String]) -> Vec<String> {
        if program.contains('/') || program.is_empty() {
            return vec![program.to_owned()];
        }
        let path = env
            .iter()
            .rev()
            .find_map(|entry| entry.strip_prefix("PATH="))
            .unwrap_or("");
        let directory = |dir: &str| match dir {
            "" => format!("./{program}"),
            dir => format!("{}/{program}", dir.trim_end_matches('/')),
        };
        path.split(':').map(directory).collect()
    }
}

impl Process {
    /// From host root in the finished root to the program's exec, in the order that keeps every right needed so far.
    pub(super) fn become_it(&self, b: &mut Builder, from: &From) {
        let few = |limit: &&(u32, u64, u64)| limit.0 == OPEN_FILES && limit.1 < FEW_FILES;
        for (resource, soft, hard) in self.rlimits.iter().filter(|limit| !few(limit)) {
            b.label("set limit", rlimit_name(*resource))
                .rlimit(*resource, *soft, *hard);
        }
        for (resource, _, hard) in self.rlimits.iter().filter(few) {
            // Raising takes a right that is gone at the end.
            if *hard >= FEW_FILES {
                b.label("set limit", rlimit_name(*resource))
                    .rlimit(*resource, *hard, *hard);
            }
        }
        if from.exposed {
            // Those of the user namespace could trace it from here on, and reach into the caller's memory.
            b.label("enter", "user namespace").undumpable();
        }
        let (of, enters) = from.enters;
        if enters != 0 {
            let what = match enters {
                flags::NEWUSER => "user namespace",
                _ => "namespaces",
            };
            b.label("enter", what).setns(of, enters);
        }
        b.label("new keyring", "").new_session_keyring();
        b.label("drop capabilities", "bounding set")
            .keep_bounding(self.keep.bits());
        b.label("stdio", "");
        for (number, slot) in (0..).zip(from.stdio) {
            b.dup(slot, number);
        }
        b.close_on_exec(3).reset_signals();
        if matches!(from.userns, Userns::Owned { ids } if ids > 1) {
            // So that the program can open /dev/stdout, whatever its user.
            for pipe in slots::PIPES {
                b.chown_fd(pipe, self.uid, self.gid);
            }
        }
        // Never through a link of proc: an fd that is still open here may be the host's.
        let cwd = b.slot();
        b.label("change directory", self.cwd.clone())
            .open_directory_beneath(&self.cwd, cwd)
            .fchdir(cwd)
            .close(cwd)
            .reuse_slots(cwd);
        if let Some(mask) = self.umask {
            b.umask(mask);
        }
        if let Some(profile) = &self.apparmor {
            // Holds from the exec on (apparmor(7), aa_change_onexec(2)).
            const O_WRONLY: i32 = 1;
            let exec = b.slot();
            b.label("apparmor profile", profile.clone())
                .open(Some(slots::PROC), "thread-self/attr/exec", O_WRONLY, exec)
                .write(exec, &format!("exec {profile}"))
                .close(exec)
                .reuse_slots(exec);
        }
        self.give_up_rights(b, from);
        for (resource, soft, hard) in self.rlimits.iter().filter(few) {
            b.label("set limit", rlimit_name(*resource))
                .rlimit(*resource, *soft, *hard);
        }
        b.label("exec", "");
    }

    /// The filter, the ids, the capabilities.
    fn give_up_rights(&self, b: &mut Builder, from: &From) {
        let load = |b: &mut Builder, when: bool| {
            if let Some((code, flags)) = self.filter.as_ref().filter(|_| when) {
                b.label("seccomp", "").seccomp(code.to_vec(), *flags);
            }
        };
        // Loading a filter wants CAP_SYS_ADMIN or no_new_privs (seccomp(2)): hence two orders.
        load(b, !self.no_new_privileges);
        b.label("set ids", format!("{}:{}", self.uid, self.gid));
        // Who has one id only may not call it (user_namespaces(7)), and has no group inside to set.
        if from.userns != (Userns::Owned { ids: 1 }) {
            b.label("set groups", format!("{:?}", self.groups))
                .setgroups(&self.groups)
                .label("set ids", format!("{}:{}", self.uid, self.gid));
        }
        b.setids(self.uid, self.gid);
        b.label("set capabilities", "");
        b.capset(
            self.permitted.bits(),
            self.effective.bits(),
            self.inheritable.bits(),
        );
        b.label("set ids", "afterwards");
        if !from.exposed {
            b.dumpable(slots::DUMPABLE);
        }
        b.die_with_parent();
        if self.no_new_privileges {
            b.label("no new privileges", "").no_new_privs();
        }
        load(b, self.no_new_privileges);
    }
}

impl Compiler<'_> {
    /// The process's own steps. What it gives is the whole program once more, with a stub at its end that waits.
    pub(super) fn become_process(&mut self, process: &Process, own_hostname: bool) -> Builder {
        let late = matches!(self.choices.userns, Userns::Late | Userns::Joined { .. });
        let from = From {
            userns: self.choices.userns,
            stdio: self.stdio(),
            exposed: self.exposed,
            enters: (slots::USERNS, if late { flags::NEWUSER } else { 0 }),
        };
        let b = &mut self.child;
        if own_hostname {
            b.label("set hostname", "")
                .sethostname(slots::HOSTNAME, slots::HOSTNAME_LEN);
            if let Some(name) = self.spec.domainname() {
                b.label("set domain name", name).setdomainname(name);
            }
        }
        process.become_it(b, &from);
        let mut parked = b.clone();
        become_stub(parked.unblock_signals());
        if !self.choices.init {
            // What comes before the init can take it waits.
            b.unblock_signals();
        }
        if self.choices.userns.own_range() && !self.choices.init {
            b.exec(slots::PATHS, slots::ARGV, slots::ENVP);
        } else {
            become_stub(b);
        }
        parked
    }
}

/// Instructions and flags of a filter.
fn filter(seccomp: Option<&LinuxSeccomp>) -> Result<Option<Filter>, PlanError> {
    let filter = seccomp
        .map(|spec| compile_cached(spec, Arch::of_kernel()?))
        .transpose()?;
    if filter.as_ref().is_some_and(|filter| filter.notifies()) {
        return Err(PlanError::Unsupported {
            field: "linux.seccomp: SCMP_ACT_NOTIFY".into(),
            reason: "there is no program that would answer for it",
        });
    }
    Ok(filter.map(|filter| {
        let code = filter.instructions.iter().flat_map(|i| i.bytes()).collect();
        (code, filter.flags)
    }))
}

/// The kernel's names of limits, in the order of their numbers.
const NAMES: [&str; 16] = [
    "cpu",
    "fsize",
    "data",
    "stack",
    "core",
    "rss",
    "nproc",
    "nofile",
    "memlock",
    "as",
    "locks",
    "sigpending",
    "msgqueue",
    "nice",
    "rtprio",
    "rttime",
];

fn rlimit_name(number: u32) -> &'static str {
    NAMES.get(number as usize).copied().unwrap_or("")
}

fn become_stub(b: &mut Builder) {
    b.keep_over_exec(slots::REPORT)
        .execveat(slots::STUB, slots::ARGV, slots::ENVP);
}

/// The kernel's number of a limit (asm-generic/resource.h).
fn rlimit(kind: PosixRlimitType) -> u32 {
    use PosixRlimitType::*;
    match kind {
        RlimitCpu => 0,
        RlimitFsize => 1,
        RlimitData => 2,
        RlimitStack => 3,
        RlimitCore => 4,
        RlimitRss => 5,
        RlimitNproc => 6,
        RlimitNofile => 7,
        RlimitMemlock => 8,
        RlimitAs => 9,
        RlimitLocks => 10,
        RlimitSigpending => 11,
        RlimitMsgqueue => 12,
        RlimitNice => 13,
        RlimitRtprio => 14,
        RlimitRttime => 15,
    }
}
