//! Any profile: the program it becomes stays within itself and says what the rules say.

mod calls;
mod machine;
mod reading;

use fastbox_engine::container::security::caps::CapSet;
use fastbox_engine::container::security::seccomp::{
    Arch, KernelVersion, NewerCalls, Profile, compile_with,
};

use crate::json;
use crate::random::Random;
use calls::Calls;
use reading::Reading;

/// Calls tried on each program.
const CALLS: usize = 200;

/// Reads a profile, and where it is one, compiles it for both machines and tries calls on it. The
/// container's capabilities and the kernel's version come from the input too.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let Ok(profile) = Profile::parse(text) else {
        return;
    };
    let document = serde_json::from_str(text).expect("what is a profile is JSON");
    let mut random = Random::of(data);
    for arch in [Arch::X86_64, Arch::Aarch64] {
        let caps = match random.below(4) {
            0 => CapSet::from_bits(random.bits()),
            1 => CapSet::ALL,
            _ => CapSet::DOCKER,
        };
        let kernel = KernelVersion {
            major: 3 + random.below(4) as u32,
            minor: random.below(20) as u32,
        };
        let spec = profile.resolve(caps, arch, kernel);
        reading::check_conditions(&document, &spec, caps, arch, kernel);
        for newer in [NewerCalls::Enosys, NewerCalls::DefaultAction] {
            let Ok(filter) = compile_with(&spec, arch, newer) else {
                continue;
            };
            let program = &filter.instructions;
            machine::check(program);
            let reading = Reading::new(&spec, arch, newer == NewerCalls::Enosys);
            let calls = Calls::new(&spec, arch);
            for _ in 0..CALLS {
                let call = calls.any(&mut random);
                let (found, meant) = (machine::run(program, &call), reading.verdict(&call));
                assert_eq!(found, meant, "{call:x?} on {arch:?}, {newer:?}");
            }
        }
    }
}

/// Words of profiles.
const WORDS: [&str; 58] = [
    "defaultAction",
    "defaultErrnoRet",
    "architectures",
    "archMap",
    "architecture",
    "subArchitectures",
    "flags",
    "syscalls",
    "name",
    "names",
    "action",
    "errnoRet",
    "args",
    "index",
    "value",
    "valueTwo",
    "op",
    "includes",
    "excludes",
    "caps",
    "arches",
    "minKernel",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_ARM",
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "CAP_SYS_ADMIN",
    "SYS_PTRACE",
    "amd64",
    "arm64",
    "4.8",
    "read",
    "socket",
    "semop",
    "clone3",
    "socketcall",
    "set_tls",
    "nothing",
];

/// Changes a few values of the document.
pub fn mutate(data: &[u8], random: &mut Random) -> Vec<u8> {
    json::mutate(data, &WORDS, random)
        .unwrap_or_else(|| br#"{"defaultAction": "SCMP_ACT_ERRNO"}"#.to_vec())
}
