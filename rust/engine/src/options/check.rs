//! Options looked at together: contradictions, and what the preset fills in.

use std::ops::Deref;
use std::time::Duration;

use super::{
    Attach, Bind, CgroupNamespace, DetachKeys, IpcMode, MountFlag, Network, OptionError, Options,
    PidMode, Preset, SeccompChoice, SecurityOpt, Size, StorageOpt, SwapSize, Tmpfs, UserNamespace,
    UtsMode,
};

/// The limits that the preset `untrusted` sets where none were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UntrustedLimits {
    /// Processes and threads.
    pub pids: i64,
    /// Memory.
    pub memory: Size,
    /// What the container can write to its root file system.
    pub storage: Size,
    /// What it can write to stdout and stderr together.
    pub output: Size,
}

/// The values: enough for a compiler or a test suite, far from what hurts a machine.
pub const UNTRUSTED: UntrustedLimits = UntrustedLimits {
    pids: 256,
    memory: Size::mebibytes(512),
    storage: Size::mebibytes(1024),
    output: Size::mebibytes(16),
};

/// Options that fit together, with the preset applied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checked(Options);

impl Deref for Checked {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.0
    }
}

impl Checked {
    /// The network, `none` by default.
    pub fn network(&self) -> Network {
        self.0.network.unwrap_or(Network::None)
    }

    /// Whether the preset `untrusted` is in force.
    pub fn untrusted(&self) -> bool {
        self.0.preset == Some(Preset::Untrusted)
    }

    /// Whether setuid programs and file capabilities give nothing; off by default, as in Docker.
    pub fn no_new_privileges(&self) -> bool {
        let given = self.last_security_opt(|opt| match opt {
            SecurityOpt::NoNewPrivileges(on) => Some(*on),
            _ => None,
        });
        self.untrusted() || given.unwrap_or(false)
    }

    /// The seccomp profile asked for, the last one given; none by default where privileged.
    pub fn seccomp(&self) -> &SeccompChoice {
        let given = self.last_security_opt(|opt| match opt {
            SecurityOpt::Seccomp(choice) => Some(choice),
            _ => None,
        });
        given.unwrap_or(match self.0.privileged {
            true => &SeccompChoice::Unconfined,
            false => &SeccompChoice::Builtin,
        })
    }

    /// The profile of AppArmor asked for, the last one given.
    pub fn apparmor(&self) -> Option<&str> {
        let given = self.last_security_opt(|opt| match opt {
            SecurityOpt::AppArmor(profile) => Some(profile.as_deref()),
            _ => None,
        });
        given.flatten()
    }

    fn last_security_opt<'a, T>(
        &'a self,
        find: impl Fn(&'a SecurityOpt) -> Option<T>,
    ) -> Option<T> {
        self.0.security_opt.iter().rev().find_map(find)
    }

    /// Whether every capability was asked for.
    pub fn wants_all_capabilities(&self) -> bool {
        let all = |name: &String| name.trim().eq_ignore_ascii_case("ALL");
        self.0.privileged || self.0.cap_add.iter().any(all)
    }

    /// What leaves the container no user ids of its own: root inside is root outside. As flag and value.
    pub fn shares_ids(&self) -> Option<&'static str> {
        self.0.shares_ids()
    }

    /// Whether the caller's stream is passed on: each, unless `--attach` names others.
    pub fn attached(&self, stream: Attach) -> bool {
        self.0.attach.is_empty() || self.0.attach.contains(&stream)
    }

    /// The keys kept for detaching.
    pub fn detach_keys(&self) -> DetachKeys {
        self.0.detach_keys.clone().unwrap_or_default()
    }

    /// The most bytes the root file system may take; `None` is no limit.
    pub fn storage_size(&self) -> Option<u64> {
        self.0
            .storage_opt
            .last()
            .map(|StorageOpt::Size(size)| size.0)
            .filter(|bytes| *bytes > 0)
    }
}

impl Options {
    /// Checks what only the options together can show, and applies the preset.
    ///
    /// # Errors
    /// [`OptionError::DuplicateMount`], [`OptionError::MemoryTooSmall`] or [`OptionError::Conflict`].
    pub fn check(mut self) -> Result<Checked, OptionError> {
        self.distinct_mounts()?;
        self.fitting_limits()?;
        self.kept_in_range()?;
        if self.attach == [Attach::Stdin] {
            return Err(OptionError::AttachAlone);
        }
        if self.preset == Some(Preset::Untrusted) {
            self.keeps_untrusted()?;
            self.pids_limit.get_or_insert(UNTRUSTED.pids);
            self.memory.get_or_insert(UNTRUSTED.memory);
            self.max_output.get_or_insert(UNTRUSTED.output);
            if self.storage_opt.is_empty() {
                self.storage_opt.push(StorageOpt::Size(UNTRUSTED.storage));
            }
        }
        if let Some(sharing) = self.shares_ids() {
            if self.userns == Some(UserNamespace::Auto) {
                return Err(conflict(
                    sharing,
                    "--userns auto",
                    "a container that shares this with the caller has the caller's user ids too",
                ));
            }
            if self.strict && self.userns.is_none() {
                return Err(conflict(
                    sharing,
                    "--strict",
                    "it leaves no own user ids; say --userns host to agree to that",
                ));
            }
        }
        if self.joins().next().is_some() && self.userns == Some(UserNamespace::Auto) {
            return Err(conflict(
                "a container's namespace",
                "--userns auto",
                "the container has the user ids of the one it joins",
            ));
        }
        if self.uts == Some(UtsMode::Host) {
            let names = [
                (self.hostname.is_some(), "--hostname"),
                (self.domainname.is_some(), "--domainname"),
            ];
            if let Some((_, name)) = names.into_iter().find(|(given, _)| *given) {
                return Err(conflict(
                    name,
                    "--uts host",
                    "the caller's names are not the container's to set",
                ));
            }
        }
        Ok(Checked(self))
    }

    /// A namespace that the container's user namespace does not own gives root inside no rights over it: where one is
    /// the caller's, the ids are too, as with Docker. Names of the host are only read.
    fn shares_ids(&self) -> Option<&'static str> {
        let sharing = [
            (self.privileged, "--privileged"),
            (self.network == Some(Network::Host), "--network host"),
            (self.ipc == Some(IpcMode::Host), "--ipc host"),
            (self.pid == Some(PidMode::Host), "--pid host"),
        ];
        sharing
            .into_iter()
            .find(|(given, _)| *given)
            .map(|(_, flag)| flag)
    }

    /// Containers whose namespaces are shared, by name or id, each with the flag that says so.
    pub fn joins(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let ipc = match &self.ipc {
            Some(IpcMode::Container(name)) => Some(("--ipc", name.as_str())),
            _ => None,
        };
        let pid = match &self.pid {
            Some(PidMode::Container(name)) => Some(("--pid", name.as_str())),
            _ => None,
        };
        ipc.into_iter().chain(pid)
    }

    /// Every bind of the host, by `-v` or by `--mount`.
    pub fn binds(&self) -> impl Iterator<Item = &Bind> {
        let flags = self.mounts.iter().filter_map(|mount| match mount {
            MountFlag::Bind(bind) => Some(bind),
            _ => None,
        });
        self.volumes.iter().chain(flags)
    }

    /// Every file system in memory, by `--tmpfs` or by `--mount`.
    pub fn all_tmpfs(&self) -> impl Iterator<Item = &Tmpfs> {
        let flags = self.mounts.iter().filter_map(|mount| match mount {
            MountFlag::Tmpfs(tmpfs) => Some(tmpfs),
            _ => None,
        });
        self.tmpfs.iter().chain(flags)
    }

    /// Where the user mounts something.
    pub fn destinations(&self) -> impl Iterator<Item = &str> {
        let volumes = self.volumes.iter().map(|bind| bind.destination.as_str());
        let tmpfs = self.tmpfs.iter().map(|tmpfs| tmpfs.destination.as_str());
        volumes
            .chain(tmpfs)
            .chain(self.mounts.iter().map(MountFlag::destination))
    }

    fn distinct_mounts(&self) -> Result<(), OptionError> {
        let mut all: Vec<&str> = self.destinations().collect();
        all.sort_unstable();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(OptionError::DuplicateMount {
                destination: pair[0].to_owned(),
            }),
            None => Ok(()),
        }
    }

    /// Times and numbers that are kept for later, in Docker's ranges.
    fn kept_in_range(&self) -> Result<(), OptionError> {
        let times = [
            ("health-interval", self.health_interval),
            ("health-timeout", self.health_timeout),
            ("health-start-period", self.health_start_period),
            ("health-start-interval", self.health_start_interval),
        ];
        let given = times.iter().find(|(_, time)| time.is_some());
        let other = match (&self.health_cmd, given, self.health_retries) {
            (Some(_), ..) => Some("health-cmd"),
            (_, Some((flag, _)), _) => Some(*flag),
            (.., Some(_)) => Some("health-retries"),
            _ => None,
        };
        if let Some(other) = other.filter(|_| self.no_healthcheck) {
            let why = "there is either a check or none";
            return Err(conflict("--no-healthcheck", &format!("--{other}"), why));
        }
        let least = Duration::from_millis(1);
        for (flag, time) in times {
            if let Some(time) = time.filter(|time| !time.is_zero() && *time < least) {
                let reason = "0 for the default, or at least 1ms";
                return Err(out_of_range(flag, format!("{time:?}"), reason));
            }
        }
        if let Some(number) = self.health_retries.filter(|number| *number < 0) {
            let reason = "cannot be negative";
            return Err(out_of_range("health-retries", number.to_string(), reason));
        }
        if let Some(seconds) = self.stop_timeout.filter(|seconds| *seconds < -1) {
            let reason = "seconds, or -1 for no limit";
            return Err(out_of_range("stop-timeout", seconds.to_string(), reason));
        }
        Ok(())
    }

    /// The preset promises that each of these holds; a different limit is fine, none is not.
    fn keeps_untrusted(&self) -> Result<(), OptionError> {
        const ISOLATION: &str = "the preset keeps its isolation";
        const LIMITS: &str = "the preset keeps a limit on it";
        let against = [
            (
                self.network == Some(Network::Host),
                "--network host",
                "the preset has no network",
            ),
            (
                self.userns == Some(UserNamespace::Host),
                "--userns host",
                "the preset has its own user ids",
            ),
            (self.privileged, "--privileged", ISOLATION),
            (
                !matches!(self.ipc, None | Some(IpcMode::Private | IpcMode::None)),
                "--ipc with others",
                ISOLATION,
            ),
            (
                !matches!(self.pid, None | Some(PidMode::Private)),
                "--pid of others",
                ISOLATION,
            ),
            (self.uts == Some(UtsMode::Host), "--uts host", ISOLATION),
            (
                self.security_opt.iter().any(|opt| {
                    matches!(
                        opt,
                        SecurityOpt::SystemPaths
                            | SecurityOpt::Unmask(_)
                            | SecurityOpt::AppArmor(None)
                    )
                }),
                "--security-opt that shows or allows more",
                ISOLATION,
            ),
            (
                !self.cap_add.is_empty(),
                "--cap-add",
                "the preset adds no capability",
            ),
            (
                self.security_opt
                    .contains(&SecurityOpt::NoNewPrivileges(false)),
                "--security-opt no-new-privileges=false",
                ISOLATION,
            ),
            (
                self.security_opt.iter().any(|opt| {
                    matches!(
                        opt,
                        SecurityOpt::Seccomp(SeccompChoice::Unconfined | SeccompChoice::File(_))
                    )
                }),
                "--security-opt seccomp",
                ISOLATION,
            ),
            (
                self.pids_limit.is_some_and(|n| n <= 0),
                "--pids-limit without a limit",
                LIMITS,
            ),
            (self.memory == Some(Size(0)), "--memory 0", LIMITS),
            (
                self.memory_swap == Some(SwapSize(-1)),
                "--memory-swap -1",
                LIMITS,
            ),
            (
                self.oom_kill_disable,
                "--oom-kill-disable",
                "the preset ends what exceeds its memory",
            ),
            (!self.devices.is_empty(), "--device", ISOLATION),
            (
                !self.device_cgroup_rules.is_empty(),
                "--device-cgroup-rule",
                ISOLATION,
            ),
            (
                self.cgroupns == Some(CgroupNamespace::Host),
                "--cgroupns host",
                ISOLATION,
            ),
            (
                self.ulimits
                    .iter()
                    .any(|limit| limit.name == "core" && limit.hard > 0),
                "--ulimit core",
                "the preset writes no core files",
            ),
            (self.max_output == Some(Size(0)), "--max-output 0", LIMITS),
            (
                self.storage_opt.contains(&StorageOpt::Size(Size(0))),
                "--storage-opt size=0",
                LIMITS,
            ),
        ];
        match against.into_iter().find(|(holds, ..)| *holds) {
            Some((_, other, why)) => Err(conflict("--preset untrusted", other, why)),
            None => Ok(()),
        }
    }
}

fn out_of_range(flag: &'static str, value: String, reason: &'static str) -> OptionError {
    OptionError::OutOfRange {
        flag,
        value,
        reason,
    }
}

pub(super) fn conflict(one: &str, other: &str, why: &'static str) -> OptionError {
    OptionError::Conflict {
        one: one.to_owned(),
        other: other.to_owned(),
        why,
    }
}
