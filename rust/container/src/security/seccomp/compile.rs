//! From the runtime-spec's seccomp section to a program.
//!
//! Terms: an *audit architecture* is what the kernel tells the filter; x86-64 and x32 share one.
//! A *region* is a run of call numbers with one verdict.

use std::collections::BTreeMap;

use oci_spec::runtime::{
    Arch as OciArch, LinuxSeccomp, LinuxSeccompAction, LinuxSeccompFilterFlag,
};

use super::graph::{Graph, Id};
use super::rules::{self, Calls};
use super::{Abi, Arch, Filter, SeccompError, arguments};

const NUMBER: u32 = 0; // offset of nr in struct seccomp_data
const AUDIT_ARCH: u32 = 4; // offset of arch
const X32_BIT: u32 = 0x4000_0000;
const ENOSYS: u32 = 0x0005_0000 | nix::libc::ENOSYS as u32;
/// libseccomp's action for an architecture that the filter does not name: kill the thread.
const BAD_ARCH: u32 = 0;
/// More nodes than this cannot fit into the longest program.
const MAX_NODES: usize = 4 * super::MAX_INSTRUCTIONS;

/// What happens to calls newer than all that a profile names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewerCalls {
    /// The default action, as libseccomp alone does.
    DefaultAction,
    /// "No such call", as runc does, so that a C library falls back to an older call. Only where
    /// the default action denies.
    Enosys,
}

/// The filter that runc would load for the same document.
///
/// Where several conditional rules with different actions match one call, the strictest decides.
///
/// # Errors
/// [`SeccompError::Field`] for an impossible argument index or errno, [`SeccompError::TooLong`].
pub fn compile(spec: &LinuxSeccomp, arch: Arch) -> Result<Filter, SeccompError> {
    compile_with(spec, arch, NewerCalls::Enosys)
}

/// [`compile`] with a choice of what newer calls get.
///
/// # Errors
/// As [`compile`].
pub fn compile_with(
    spec: &LinuxSeccomp,
    arch: Arch,
    newer: NewerCalls,
) -> Result<Filter, SeccompError> {
    let default = rules::action_value(spec.default_action(), spec.default_errno_ret(), || {
        "defaultErrnoRet".to_owned()
    })?;
    let permissive = matches!(
        spec.default_action(),
        LinuxSeccompAction::ScmpActAllow
            | LinuxSeccompAction::ScmpActLog
            | LinuxSeccompAction::ScmpActTrace
    );
    let mut builder = Builder {
        graph: Graph::default(),
        default,
        enosys: newer == NewerCalls::Enosys && !permissive,
    };
    let listed = |one: OciArch| {
        let listed = spec.architectures().as_deref().unwrap_or_default();
        listed.contains(&one)
    };
    let mut next = builder.graph.verdict(BAD_ARCH);
    match arch {
        Arch::X86_64 | Arch::X86_64WithoutX32 => {
            if listed(OciArch::ScmpArchX86) {
                let calls = rules::collect(spec, default, Abi::I386)?;
                let tree = builder.plain(Abi::I386, &calls)?;
                next = builder.graph.equal(0x4000_0003, tree, next);
            }
            let native = rules::collect(spec, default, Abi::X86_64)?;
            let x32 = match (listed(OciArch::ScmpArchX32), arch) {
                (false, _) => X32::Bad,
                (true, Arch::X86_64) => X32::Calls(rules::collect(spec, default, Abi::X32)?),
                (true, _) => X32::None,
            };
            let tree = builder.x86_64(&native, &x32)?;
            next = builder.graph.equal(0xc000_003e, tree, next);
        }
        Arch::Aarch64 => {
            if listed(OciArch::ScmpArchArm) {
                let calls = rules::collect(spec, default, Abi::Arm)?;
                let tree = builder.plain(Abi::Arm, &calls)?;
                next = builder.graph.equal(0x4000_0028, tree, next);
            }
            let native = rules::collect(spec, default, Abi::Aarch64)?;
            let tree = builder.plain(Abi::Aarch64, &native)?;
            next = builder.graph.equal(0xc000_00b7, tree, next);
        }
    }
    let root = builder.graph.load(AUDIT_ARCH, next);
    Ok(Filter {
        instructions: builder.graph.assemble(root)?,
        flags: flags(spec),
    })
}

/// SECCOMP_FILTER_FLAG_* (linux/seccomp.h). TSYNC is left out: the filter is for one thread,
/// which then executes a program.
fn flags(spec: &LinuxSeccomp) -> u32 {
    let asked = spec.flags().as_deref().unwrap_or_default();
    let mut flags = 0;
    for flag in asked {
        flags |= match flag {
            LinuxSeccompFilterFlag::SeccompFilterFlagLog => 1 << 1,
            LinuxSeccompFilterFlag::SeccompFilterFlagTsync => 0,
            LinuxSeccompFilterFlag::SeccompFilterFlagSpecAllow => 1 << 2,
            LinuxSeccompFilterFlag::SeccompFilterFlagWaitKillableRecv => 1 << 5,
        };
    }
    let calls = spec.syscalls().as_deref().unwrap_or_default();
    let notify = LinuxSeccompAction::ScmpActNotify;
    if spec.default_action() == notify || calls.iter().any(|call| call.action() == notify) {
        flags |= 1 << 3;
    }
    flags
}

/// Verdicts by call number: each key is where a region begins.
struct Regions(BTreeMap<u32, Id>);

impl Regions {
    fn paint(&mut self, first: u32, last: u32, verdict: Id) {
        if let Some(after) = last.checked_add(1) {
            let (_, &behind) = self.0.range(..=after).next_back().expect("0 has a region");
            self.0.insert(after, behind);
        }
        let covered: Vec<u32> = self.0.range(first..=last).map(|(at, _)| *at).collect();
        for at in covered {
            self.0.remove(&at);
        }
        self.0.insert(first, verdict);
    }
}

/// What x86-64's filter does with x32's calls.
enum X32 {
    /// As these rules say.
    Calls(Calls),
    /// The document does not list the ABI.
    Bad,
    /// The kernel has no such calls, and the filter says so for it.
    None,
}

struct Builder {
    graph: Graph,
    default: u32,
    enosys: bool,
}

impl Builder {
    fn regions(&mut self) -> Regions {
        let default = self.graph.verdict(self.default);
        Regions(BTreeMap::from([(0, default)]))
    }

    fn paint_calls(
        &mut self,
        regions: &mut Regions,
        calls: &Calls,
        abi: Abi,
    ) -> Result<(), SeccompError> {
        let default = self.graph.verdict(self.default);
        for (&number, rules) in &calls.rules {
            let verdict = arguments::verdict(&mut self.graph, rules, default, abi.wide());
            regions.paint(number, number, verdict);
            if self.graph.len() > MAX_NODES {
                return Err(SeccompError::TooLong);
            }
        }
        Ok(())
    }

    fn tree(&mut self, regions: Regions) -> Id {
        let ranges: Vec<(u32, Id)> = regions.0.into_iter().collect();
        let tree = self.graph.ranges(&ranges);
        self.graph.load(NUMBER, tree)
    }

    /// An audit architecture that one ABI has for itself.
    fn plain(&mut self, abi: Abi, calls: &Calls) -> Result<Id, SeccompError> {
        let mut regions = self.regions();
        if let Some(newer) = self.newer(calls) {
            let enosys = self.graph.verdict(ENOSYS);
            regions.paint(newer, u32::MAX, enosys);
        }
        self.paint_calls(&mut regions, calls, abi)?;
        Ok(self.tree(regions))
    }

    /// x86-64's, with x32 where the document lists it: x32's calls are those with bit 30. Where
    /// it is not listed, libseccomp takes every number from there up for a bad architecture,
    /// save -1, the number that a tracer sets to skip a call.
    fn x86_64(&mut self, native: &Calls, x32: &X32) -> Result<Id, SeccompError> {
        let mut regions = self.regions();
        let enosys = self.graph.verdict(ENOSYS);
        match x32 {
            X32::Calls(_) => {}
            X32::Bad => {
                let bad = self.graph.verdict(BAD_ARCH);
                regions.paint(X32_BIT, u32::MAX - 1, bad);
            }
            X32::None => {
                // -1 is the number that a tracer sets to skip a call.
                let last = self.newer(native).map_or(u32::MAX - 1, |_| u32::MAX);
                regions.paint(X32_BIT, last, enosys);
            }
        }
        if let Some(newer) = self.newer(native) {
            regions.paint(newer, X32_BIT - 1, enosys);
            if !matches!(x32, X32::None) {
                regions.paint(2 * X32_BIT, 3 * X32_BIT - 1, enosys);
            }
        }
        self.paint_calls(&mut regions, native, Abi::X86_64)?;
        if let X32::Calls(calls) = x32 {
            if let Some(newer) = self.newer(calls) {
                regions.paint(newer, 2 * X32_BIT - 1, enosys);
                regions.paint(3 * X32_BIT, u32::MAX, enosys);
            }
            self.paint_calls(&mut regions, calls, Abi::X32)?;
        }
        Ok(self.tree(regions))
    }

    /// The first number above all that the document names, if such calls get ENOSYS.
    fn newer(&self, calls: &Calls) -> Option<u32> {
        calls.largest.filter(|_| self.enosys).map(|last| last + 1)
    }
}
