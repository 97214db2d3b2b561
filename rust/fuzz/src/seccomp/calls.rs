//! Calls that are likely to be near the edges of a profile's rules.

use fastbox_engine::container::security::seccomp::Arch;
use oci_spec::runtime::LinuxSeccomp;

use super::machine::Call;
use super::reading::abis;
use crate::random::Random;

/// What a profile speaks of.
pub struct Calls {
    /// Audit architectures with numbers that are named.
    numbers: Vec<(u32, u32)>,
    /// Values that arguments are compared with.
    values: Vec<u64>,
    /// The machine's audit architectures.
    archs: Vec<u32>,
}

impl Calls {
    /// Collects them from a document.
    pub fn new(spec: &LinuxSeccomp, arch: Arch) -> Calls {
        let calls = spec.syscalls().as_deref().unwrap_or_default();
        let args = calls.iter().flat_map(|call| call.args().iter().flatten());
        let mut numbers = Vec::new();
        for (audit, abi, _) in abis(arch) {
            let names = calls.iter().flat_map(|call| call.names());
            numbers.extend(names.filter_map(|name| Some((*audit, abi.number(name)?))));
        }
        Calls {
            numbers,
            values: args
                .flat_map(|arg| [arg.value(), arg.value_two().unwrap_or(0)])
                .collect(),
            archs: abis(arch).iter().map(|(audit, _, _)| *audit).collect(),
        }
    }

    /// One of them, or one beside it.
    pub fn any(&self, random: &mut Random) -> Call {
        let (arch, number) = match (random.below(8), self.numbers.len()) {
            (1.., known @ 1..) => self.numbers[random.below(known)],
            _ => {
                let edges = [0, 0x4000_0000, 0x8000_0000, 0xc000_0000, u32::MAX, 102, 117];
                let number = edges[random.below(edges.len())];
                (self.archs[random.below(self.archs.len())], number)
            }
        };
        let beside = |number: u32, random: &mut Random| match random.below(6) {
            0 => number.wrapping_add(1),
            1 => number.wrapping_sub(1),
            2 => number ^ 0x4000_0000,
            _ => number,
        };
        let arch = match random.below(40) {
            0 => random.bits() as u32,
            _ => arch,
        };
        let mut args = [0; 6];
        args.fill_with(|| self.value(random));
        Call {
            arch,
            number: beside(number, random),
            args,
        }
    }

    fn value(&self, random: &mut Random) -> u64 {
        let value = match (random.below(4), self.values.len()) {
            (1.., known @ 1..) => self.values[random.below(known)],
            (0 | 1, _) => random.below(26) as u64,
            _ => random.bits(),
        };
        match random.below(10) {
            0 => value.wrapping_add(1),
            1 => value.wrapping_sub(1),
            2 => value ^ 1 << 32,
            3 => value & 0xffff_ffff,
            4 => value | 0xffff_ffff << 32,
            _ => value,
        }
    }
}
