//! runc's answer to calls newer than a profile, which libseccomp alone does not give.

use fastbox_container::security::seccomp::Abi;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction};

use super::bpf::Call;
use super::cases::{AARCH64, ARM, I386, IPC, SOCKETCALL, X86_64};
use super::libseccomp::numbers;

/// runc's rule for calls newer than the profile, as its source states it. One difference: runc
/// overlooks what libseccomp multiplexes on i386, so that a profile which names `socket` and no
/// later call gets ENOSYS for it; here its rules count.
pub struct Largest {
    active: bool,
    multiplexed: Vec<u32>,
    of: Vec<(u32, Option<u32>, Option<u32>)>,
}

impl Largest {
    pub fn of(spec: &LinuxSeccomp) -> Largest {
        let names: Vec<&str> = spec
            .syscalls()
            .iter()
            .flatten()
            .flat_map(|call| call.names())
            .map(String::as_str)
            .collect();
        let known = numbers(&names);
        let largest = |column: usize| {
            let all = known.values().map(|numbers| numbers[column]);
            all.max()
                .filter(|number| *number > 0)
                .map(|number| number as u32)
        };
        let denies = !matches!(
            spec.default_action(),
            LinuxSeccompAction::ScmpActAllow
                | LinuxSeccompAction::ScmpActLog
                | LinuxSeccompAction::ScmpActTrace
        );
        let listed = |name: &str| {
            let arches = spec.architectures().as_deref().unwrap_or_default();
            arches.iter().any(|arch| arch.to_string() == name)
        };
        let when = |name: &str, column| listed(name).then(|| largest(column)).flatten();
        let x86 = when("SCMP_ARCH_X86_64", 0);
        let muxed = known.iter().filter(|(_, numbers)| numbers[1] <= -100);
        let muxed = muxed.flat_map(|(name, numbers)| {
            let multiplexer = if numbers[1] > -200 { SOCKETCALL } else { IPC };
            Abi::I386.number(name).into_iter().chain([multiplexer])
        });
        Largest {
            active: denies,
            multiplexed: muxed.collect(),
            of: vec![
                (X86_64, x86, when("SCMP_ARCH_X32", 2)),
                (I386, when("SCMP_ARCH_X86", 1), None),
                (AARCH64, when("SCMP_ARCH_AARCH64", 3), None),
                (ARM, when("SCMP_ARCH_ARM", 4), None),
            ],
        }
    }

    pub fn stub_answers(&self, call: &Call) -> bool {
        let Some(&(_, plain, x32)) = self.of.iter().find(|it| it.0 == call.arch) else {
            return false;
        };
        if call.arch == I386 && self.multiplexed.contains(&call.number) {
            return false;
        }
        let marked = call.arch == X86_64 && call.number & 0x4000_0000 != 0;
        let largest = if marked { x32 } else { plain };
        self.active && largest.is_some_and(|largest| call.number > largest)
    }
}
