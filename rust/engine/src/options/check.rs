//! Options looked at together: contradictions, and what the preset fills in.

use std::ops::Deref;

use super::{
    Network, OptionError, Options, Preset, SeccompChoice, SecurityOpt, Size, StorageOpt,
    UserNamespace,
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

/// The least memory limit, Docker's.
const MEMORY_MINIMUM: u64 = 6 << 20;

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
        let given = self.0.security_opt.iter().rev().find_map(|opt| match opt {
            SecurityOpt::NoNewPrivileges(on) => Some(*on),
            SecurityOpt::Seccomp(_) => None,
        });
        self.untrusted() || given.unwrap_or(false)
    }

    /// The seccomp profile asked for, the last one given.
    pub fn seccomp(&self) -> &SeccompChoice {
        let given = self.0.security_opt.iter().rev().find_map(|opt| match opt {
            SecurityOpt::Seccomp(choice) => Some(choice),
            SecurityOpt::NoNewPrivileges(_) => None,
        });
        given.unwrap_or(&SeccompChoice::Builtin)
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
        if let Some(Size(bytes)) = self
            .memory
            .filter(|size| (1..MEMORY_MINIMUM).contains(&size.0))
        {
            return Err(OptionError::MemoryTooSmall { bytes });
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
        if self.network == Some(Network::Host) && self.userns == Some(UserNamespace::Auto) {
            return Err(conflict(
                "--network host",
                "--userns auto",
                "a container with the caller's network has the caller's user ids too",
            ));
        }
        if self.network == Some(Network::Host) && self.strict && self.userns.is_none() {
            return Err(conflict(
                "--network host",
                "--strict",
                "the caller's network leaves no own user ids; say --userns host to agree to that",
            ));
        }
        Ok(Checked(self))
    }

    fn distinct_mounts(&self) -> Result<(), OptionError> {
        let binds = self.volumes.iter().map(|bind| &bind.destination);
        let mut all: Vec<&String> = binds
            .chain(self.tmpfs.iter().map(|tmpfs| &tmpfs.destination))
            .collect();
        all.sort_unstable();
        match all.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(OptionError::DuplicateMount {
                destination: pair[0].clone(),
            }),
            None => Ok(()),
        }
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

fn conflict(one: &str, other: &str, why: &'static str) -> OptionError {
    OptionError::Conflict {
        one: one.to_owned(),
        other: other.to_owned(),
        why,
    }
}
