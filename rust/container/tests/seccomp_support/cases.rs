//! The calls with which two filters are compared.

use fastbox_container::security::seccomp::Abi;
use oci_spec::runtime::LinuxSeccomp;

use super::bpf::Call;

pub const X86_64: u32 = 0xc000_003e;
pub const I386: u32 = 0x4000_0003;
pub const AARCH64: u32 = 0xc000_00b7;
pub const ARM: u32 = 0x4000_0028;
pub const SOCKETCALL: u32 = 102;
pub const IPC: u32 = 117;

fn call_numbers() -> impl Iterator<Item = u32> {
    let marks = [0, 0x4000_0000, 0x8000_0000, 0xc000_0000, 0xf_0000];
    let plain = marks
        .into_iter()
        .flat_map(|mark| (0..=1100).map(move |number| mark | number));
    plain.chain([
        0x3fff_ffff,
        0x7fff_ffff,
        0xbfff_ffff,
        0xffff_fffe,
        0xffff_ffff,
    ])
}

/// Values around each of the document's, with high words set.
fn boundaries(spec: &LinuxSeccomp) -> Vec<[u64; 6]> {
    let mut values = vec![[0; 6], [u64::MAX; 6]];
    for call in spec.syscalls().iter().flatten() {
        let args = call.args().as_deref().unwrap_or_default();
        let mut all = [0; 6];
        for arg in args {
            let value = arg.value_two().unwrap_or(arg.value());
            all[arg.index()] = value;
        }
        values.push(all);
        for arg in args {
            for base in [arg.value(), arg.value_two().unwrap_or(arg.value())] {
                for near in [
                    base.wrapping_sub(1),
                    base,
                    base.wrapping_add(1),
                    !base,
                    base & !7,
                ] {
                    for high in [0, 1 << 32, 0xffff_ffff << 32] {
                        for value in [near, near ^ high, near & 0xffff_ffff | high] {
                            let mut one = all;
                            one[arg.index()] = value;
                            values.push(one);
                        }
                    }
                }
            }
        }
    }
    values.sort_unstable();
    values.dedup();
    values
}

/// Call numbers of the names that have argument rules, on any ABI, and of the multiplexers.
fn compared(spec: &LinuxSeccomp) -> Vec<u32> {
    let calls = spec
        .syscalls()
        .iter()
        .flatten()
        .filter(|call| call.args().is_some());
    let names = calls.flat_map(|call| call.names().iter().map(String::as_str));
    let mut out: Vec<u32> = names
        .chain(["socketcall", "ipc"])
        .flat_map(|name| {
            [Abi::X86_64, Abi::I386, Abi::X32, Abi::Aarch64, Abi::Arm].map(|abi| abi.number(name))
        })
        .flatten()
        .collect();
    out.sort_unstable();
    out.dedup();
    out
}

/// Every call the two filters must agree on.
pub fn calls(spec: &LinuxSeccomp) -> Vec<Call> {
    let arches = [X86_64, I386, AARCH64, ARM, 8, 0];
    let mut all = Vec::new();
    for arch in arches {
        for number in call_numbers() {
            for args in [[0; 6], [u64::MAX; 6]] {
                all.push(Call { arch, number, args });
            }
        }
    }
    let values = boundaries(spec);
    for number in compared(spec) {
        for arch in arches {
            all.extend(values.iter().map(|&args| Call { arch, number, args }));
        }
    }
    // The multiplexers' functions, with the other arguments at their boundaries.
    for function in 0..=25 {
        for &(mut args) in values.iter().step_by(7) {
            args[0] = function;
            let call = |number| Call {
                arch: I386,
                number,
                args,
            };
            all.extend([call(SOCKETCALL), call(IPC)]);
        }
    }
    all
}
