//! Docker's profile format, and its resolution for one container.
//!
//! Source: moby's profiles/seccomp (types and semantics), the runtime specification for the rest.
//! Fields that Docker does not know are ignored, as Docker does.

use std::str::FromStr;

use oci_spec::runtime::{
    Arch as OciArch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompFilterFlag,
    LinuxSyscall,
};
use serde::Deserialize;

use super::{Arch, SeccompError};
use crate::security::caps::{self, CapSet};

/// A profile in Docker's format, checked.
#[derive(Debug, Clone)]
pub struct Profile {
    document: Document,
}

/// Version and revision of a kernel; Docker's conditions look at no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KernelVersion {
    /// 6 of 6.1.
    pub major: u32,
    /// 1 of 6.1.
    pub minor: u32,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    default_action: LinuxSeccompAction,
    default_errno_ret: Option<u32>,
    architectures: Option<Vec<OciArch>>,
    arch_map: Option<Vec<Architecture>>,
    flags: Option<Vec<LinuxSeccompFilterFlag>>,
    syscalls: Option<Vec<Syscall>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Architecture {
    architecture: OciArch,
    sub_architectures: Option<Vec<OciArch>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Syscall {
    name: Option<String>,
    names: Option<Vec<String>>,
    action: LinuxSeccompAction,
    errno_ret: Option<u32>,
    args: Option<Vec<LinuxSeccompArg>>,
    includes: Option<Condition>,
    excludes: Option<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    caps: Option<Vec<String>>,
    arches: Option<Vec<String>>,
    min_kernel: Option<String>,
}

impl FromStr for KernelVersion {
    type Err = std::num::ParseIntError;

    /// From `uname -r` or a profile: "6.1.0-18-amd64", "4.8". What follows the two numbers is
    /// ignored.
    fn from_str(release: &str) -> Result<KernelVersion, Self::Err> {
        let (major, rest) = release.split_once('.').unwrap_or((release, ""));
        let digits = rest.find(|c: char| !c.is_ascii_digit());
        let minor = &rest[..digits.unwrap_or(rest.len())];
        Ok(KernelVersion {
            major: major.parse()?,
            minor: minor.parse()?,
        })
    }
}

impl Profile {
    /// Read a profile.
    ///
    /// # Errors
    /// [`SeccompError::Parse`] and [`SeccompError::Field`], which name the field. A document
    /// without a default action is one: Docker takes an empty one for "no filter" without a word.
    pub fn parse(json: &str) -> Result<Profile, SeccompError> {
        let document: Document = match serde_json::from_str(json) {
            Ok(document) => document,
            // Once more, for the place of the mistake: to keep it on record takes longer than the rest.
            Err(_) => {
                let mut reader = serde_json::Deserializer::from_str(json);
                let parsed: Result<Document, _> = serde_path_to_error::deserialize(&mut reader);
                let document = parsed.map_err(|error| SeccompError::Parse {
                    path: error.path().to_string(),
                    source: error.into_inner(),
                })?;
                reader.end().map_err(|source| SeccompError::Parse {
                    path: ".".to_owned(),
                    source,
                })?;
                document
            }
        };
        document.check()?;
        Ok(Profile { document })
    }

    /// The runtime-spec section for a container with this bounding set, on this machine.
    pub fn resolve(&self, caps: CapSet, arch: Arch, kernel: KernelVersion) -> LinuxSeccomp {
        let document = &self.document;
        let mut spec = LinuxSeccomp::default();
        spec.set_default_action(document.default_action)
            .set_default_errno_ret(document.default_errno_ret)
            .set_flags(document.flags.clone())
            .set_architectures(document.architectures_for(arch));
        let calls = document.syscalls.iter().flatten();
        let calls = calls.filter(|call| call.applies(caps, arch, kernel));
        spec.set_syscalls(Some(calls.map(Syscall::to_oci).collect()));
        spec
    }
}

impl Document {
    fn check(&self) -> Result<(), SeccompError> {
        let wrong = |field: String, reason| Err(SeccompError::Field { field, reason });
        let filled = |list: &Option<Vec<OciArch>>| list.as_ref().is_some_and(|it| !it.is_empty());
        let mapped = self.arch_map.as_ref().is_some_and(|map| !map.is_empty());
        if mapped && filled(&self.architectures) {
            return wrong(
                "architectures".to_owned(),
                "given beside archMap; use one of them",
            );
        }
        for (at, call) in self.syscalls.iter().flatten().enumerate() {
            let single = call.name.as_deref().is_some_and(|name| !name.is_empty());
            if single && call.names.as_ref().is_some_and(|names| !names.is_empty()) {
                return wrong(
                    format!("syscalls[{at}].name"),
                    "given beside names; use one of them",
                );
            }
            for (position, arg) in call.args.iter().flatten().enumerate() {
                if arg.index() > 5 {
                    return wrong(
                        format!("syscalls[{at}].args[{position}].index"),
                        "a system call has the arguments 0 to 5",
                    );
                }
            }
            for (word, condition) in [("includes", &call.includes), ("excludes", &call.excludes)] {
                let minimum = condition.as_ref().and_then(|it| it.min_kernel.as_deref());
                if minimum.is_some_and(|it| KernelVersion::from_str(it).is_err()) {
                    return wrong(
                        format!("syscalls[{at}].{word}.minKernel"),
                        "not a kernel version such as 4.8",
                    );
                }
            }
        }
        Ok(())
    }

    fn architectures_for(&self, arch: Arch) -> Option<Vec<OciArch>> {
        let Some(map) = self.arch_map.as_ref().filter(|map| !map.is_empty()) else {
            return self.architectures.clone();
        };
        let native = match arch {
            Arch::X86_64 | Arch::X86_64WithoutX32 => OciArch::ScmpArchX86_64,
            Arch::Aarch64 => OciArch::ScmpArchAarch64,
        };
        let entry = map.iter().find(|entry| entry.architecture == native)?;
        let others = entry.sub_architectures.iter().flatten().copied();
        Some(std::iter::once(native).chain(others).collect())
    }
}

impl Syscall {
    fn applies(&self, caps: CapSet, arch: Arch, kernel: KernelVersion) -> bool {
        let machine = arch.machine();
        let has = |name: &String| caps::number(name).is_some_and(|number| caps.contains(number));
        if let Some(excludes) = &self.excludes {
            let by_arch = excludes.arches.iter().flatten().any(|it| it == machine);
            let by_caps = excludes.caps.iter().flatten().any(has);
            if by_arch || by_caps || excludes.kernel().is_some_and(|least| kernel >= least) {
                return false;
            }
        }
        let Some(includes) = &self.includes else {
            return true;
        };
        let arches = includes.arches.as_deref().unwrap_or_default();
        let by_arch = arches.is_empty() || arches.iter().any(|it| it == machine);
        let by_caps = includes.caps.iter().flatten().all(has);
        by_arch && by_caps && includes.kernel().is_none_or(|least| kernel >= least)
    }

    fn to_oci(&self) -> LinuxSyscall {
        let name = self.name.iter().filter(|name| !name.is_empty());
        let names = name.chain(self.names.iter().flatten()).cloned().collect();
        let args = self.args.clone().filter(|args| !args.is_empty());
        let mut call = LinuxSyscall::default();
        call.set_names(names)
            .set_action(self.action)
            .set_errno_ret(self.errno_ret)
            .set_args(args);
        call
    }
}

impl Condition {
    /// Checked when the profile was read.
    fn kernel(&self) -> Option<KernelVersion> {
        self.min_kernel.as_deref()?.parse().ok()
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
