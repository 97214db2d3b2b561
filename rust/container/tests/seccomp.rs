//! Our filters against libseccomp's: every call number of each ABI, every argument's boundaries.

#[path = "seccomp_support/bpf.rs"]
mod bpf;
#[path = "seccomp_support/cases.rs"]
mod cases;
#[path = "seccomp_support/libseccomp.rs"]
mod libseccomp;
#[path = "seccomp_support/stub.rs"]
mod stub;

use bpf::{Call, run};
use cases::{I386, X86_64, calls};
use fastbox_container::security::caps::CapSet;
use fastbox_container::security::seccomp::{
    Abi, Arch, Instruction, KernelVersion, NewerCalls, Profile, SeccompError, compile,
    compile_with, default_profile, deny_for_untrusted,
};
use libseccomp::{exporter, libseccomp, numbers, without_unknown};
use oci_spec::runtime::LinuxSeccomp;
use stub::Largest;

const KERNEL: KernelVersion = KernelVersion {
    major: 6,
    minor: 18,
};
const ALLOW: u32 = 0x7fff_0000;
const ENOSYS: u32 = 0x0005_0026;

fn assert_same(title: &str, native: &str, spec: &LinuxSeccomp) -> (usize, usize) {
    let spec = without_unknown(spec);
    let arch = if native == "x86_64" {
        Arch::X86_64
    } else {
        Arch::Aarch64
    };
    let theirs = libseccomp(native, &spec).expect(title);
    let plain = compile_with(&spec, arch, NewerCalls::DefaultAction)
        .expect(title)
        .instructions;
    let ours = compile(&spec, arch).expect(title).instructions;
    let largest = Largest::of(&spec);
    for call in calls(&spec) {
        let (mine, their) = (run(&plain, &call), run(&theirs, &call));
        assert_eq!(
            mine, their,
            "{title}: {call:x?}: ours {mine:#x}, libseccomp's {their:#x}"
        );
        let expected = if largest.stub_answers(&call) {
            ENOSYS
        } else {
            their
        };
        let mine = run(&ours, &call);
        assert_eq!(mine, expected, "{title}: {call:x?} with runc's stub");
    }
    (ours.len(), theirs.len())
}

fn hand_made(body: &str) -> LinuxSeccomp {
    let arches = r#""architectures":["SCMP_ARCH_X86_64","SCMP_ARCH_X86","SCMP_ARCH_X32"]"#;
    let json = format!("{{{arches},{body}}}");
    let profile = Profile::parse(&json).expect("the profile parses");
    profile.resolve(CapSet::DOCKER, Arch::X86_64, KERNEL)
}

#[test]
fn default_profile_equals_libseccomps() {
    if exporter().is_none() {
        return;
    }
    for caps in [
        CapSet::DOCKER,
        CapSet::DOCKER.with(21),
        CapSet::EMPTY,
        CapSet::ALL,
    ] {
        let title = format!("{caps:?}");
        let spec = default_profile().resolve(caps, Arch::X86_64, KERNEL);
        let (ours, theirs) = assert_same(&title, "x86_64", &spec);
        println!(
            "x86-64, {} capabilities: {ours} instructions, libseccomp {theirs}",
            caps.len()
        );
        assert!(
            ours * 2 < theirs,
            "{ours} instructions, libseccomp {theirs}"
        );
        let spec = default_profile().resolve(caps, Arch::Aarch64, KERNEL);
        let (ours, theirs) = assert_same(&title, "aarch64", &spec);
        println!(
            "aarch64, {} capabilities: {ours} instructions, libseccomp {theirs}",
            caps.len()
        );
    }
}

#[test]
fn every_operator_equals_libseccomps() {
    if exporter().is_none() {
        return;
    }
    let operators = ["NE", "LT", "LE", "EQ", "GE", "GT"];
    let values = [
        0,
        1,
        38,
        0xffff_fffe,
        0xffff_ffff,
        1 << 32,
        (5 << 32) + 7,
        u64::MAX - 1,
    ];
    for operator in operators {
        for value in values {
            let spec = hand_made(&format!(
                r#""defaultAction":"SCMP_ACT_ERRNO","syscalls":[
                {{"names":["read","socket","semop"],"action":"SCMP_ACT_ALLOW","args":[
                {{"index":1,"value":{value},"op":"SCMP_CMP_{operator}"}}]}}]"#
            ));
            assert_same(&format!("{operator} {value:#x}"), "x86_64", &spec);
        }
    }
    for (mask, value) in [
        (0x7e02_0000_u64, 0_u64),
        (0xffff_ffff, 38),
        (7 << 30, 1 << 31),
        (3, 7),
        (u64::MAX, (9 << 32) + 1),
        (0xff << 32, 3 << 32),
    ] {
        let spec = hand_made(&format!(
            r#""defaultAction":"SCMP_ACT_ALLOW","syscalls":[
            {{"names":["clone"],"action":"SCMP_ACT_KILL_PROCESS","args":[
            {{"index":0,"value":{mask},"valueTwo":{value},"op":"SCMP_CMP_MASKED_EQ"}}]}}]"#
        ));
        assert_same(&format!("mask {mask:#x} {value:#x}"), "x86_64", &spec);
    }
}

#[test]
fn rule_sets_equal_libseccomps() {
    if exporter().is_none() {
        return;
    }
    let bodies = [
        // Nothing but the default; a default that allows; no rule on one ABI.
        r#""defaultAction":"SCMP_ACT_KILL""#,
        r#""defaultAction":"SCMP_ACT_LOG","syscalls":[{"names":["getpid","waitpid"],
            "action":"SCMP_ACT_TRAP"}]"#,
        r#""defaultAction":"SCMP_ACT_TRACE","defaultErrnoRet":7,"syscalls":[
            {"names":["bogus_call","read"],"action":"SCMP_ACT_KILL"}]"#,
        // Conditions of one rule are and, rules are or.
        r#""defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[
              {"index":1,"value":21523,"op":"SCMP_CMP_EQ"},{"index":0,"value":3,"op":"SCMP_CMP_LT"}]},
            {"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[
              {"index":1,"value":4294988833,"op":"SCMP_CMP_EQ"}]},
            {"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[
              {"index":2,"value":15,"valueTwo":5,"op":"SCMP_CMP_MASKED_EQ"}]}]"#,
        // Two conditions on one argument: one rule each, as runc does.
        r#""defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["prctl"],"action":"SCMP_ACT_ALLOW","args":[
              {"index":0,"value":5,"op":"SCMP_CMP_GE"},{"index":0,"value":9,"op":"SCMP_CMP_LE"}]},
            {"names":["close"],"action":"SCMP_ACT_ALLOW","args":[
              {"index":0,"value":2,"op":"SCMP_CMP_EQ"},{"index":0,"value":5,"op":"SCMP_CMP_EQ"},
              {"index":1,"value":1,"op":"SCMP_CMP_EQ"}]}]"#,
        // A rule without conditions decides alone, first or last.
        r#""defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]},
            {"names":["read"],"action":"SCMP_ACT_ALLOW"},
            {"names":["write"],"action":"SCMP_ACT_ALLOW"},
            {"names":["write"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]"#,
        // Several actions for one call, on values that do not meet; multiplexed calls.
        r#""defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[
            {"names":["personality"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":8,"op":"SCMP_CMP_EQ"}]},
            {"names":["personality"],"action":"SCMP_ACT_ERRNO","errnoRet":22,
             "args":[{"index":0,"value":9,"op":"SCMP_CMP_EQ"}]},
            {"names":["personality"],"action":"SCMP_ACT_LOG","args":[{"index":0,"value":10,"op":"SCMP_CMP_GE"}]},
            {"names":["connect","shmget","send","recvmmsg"],"action":"SCMP_ACT_ALLOW"},
            {"names":["bind"],"action":"SCMP_ACT_ALLOW","args":[{"index":2,"value":16,"op":"SCMP_CMP_LE"}]}]"#,
    ];
    for body in bodies {
        assert_same(body, "x86_64", &hand_made(body));
        let native = body.to_owned() + "";
        let json = format!("{{{native}}}");
        let alone = Profile::parse(&json).expect("the profile parses");
        let mut spec = alone.resolve(CapSet::DOCKER, Arch::X86_64, KERNEL);
        spec.set_architectures(Some(vec![oci_spec::runtime::Arch::ScmpArchX86_64]));
        assert_same(body, "x86_64", &spec);
    }
}

#[test]
fn without_x32_only_its_calls_are_answered_otherwise() {
    let bodies = [
        r#""defaultAction":"SCMP_ACT_ERRNO","syscalls":[
            {"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]}]"#,
        r#""defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["read"],"action":"SCMP_ACT_KILL"}]"#,
    ];
    let docker = default_profile().resolve(CapSet::DOCKER, Arch::X86_64, KERNEL);
    for spec in bodies.map(hand_made).iter().chain([&docker]) {
        let all = compile(spec, Arch::X86_64).expect("compiles").instructions;
        let less = compile(spec, Arch::X86_64WithoutX32)
            .expect("compiles")
            .instructions;
        println!("{} instructions, without x32 {}", all.len(), less.len());
        for call in calls(spec) {
            let x32 = call.arch == X86_64 && call.number >= 1 << 30 && call.number != u32::MAX;
            let expected = if x32 { ENOSYS } else { run(&all, &call) };
            assert_eq!(run(&less, &call), expected, "{call:x?}");
        }
    }
}

#[test]
fn tables_equal_libseccomps() {
    if exporter().is_none() {
        return;
    }
    let abis = [Abi::X86_64, Abi::I386, Abi::X32, Abi::Aarch64, Abi::Arm];
    let mut names: Vec<&str> = abis
        .iter()
        .flat_map(|abi| abi.table())
        .map(|it| it.0)
        .collect();
    names.sort_unstable();
    names.dedup();
    for (name, theirs) in numbers(&names) {
        for (abi, theirs) in abis.iter().zip(theirs) {
            // i386's multiplexed calls have made-up numbers in libseccomp.
            if theirs >= 0 {
                assert_eq!(
                    abi.number(&name).map(i64::from),
                    Some(theirs),
                    "{name} {abi:?}"
                );
            }
        }
    }
}

#[test]
fn untrusted_denies_crypto_sockets_on_any_profile() {
    let docker = default_profile().resolve(CapSet::ALL, Arch::X86_64, KERNEL);
    let open = hand_made(r#""defaultAction":"SCMP_ACT_ALLOW""#);
    let listed = hand_made(
        r#""defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":97,"syscalls":[
        {"names":["socket","socketcall","read"],"action":"SCMP_ACT_ALLOW"}]"#,
    );
    for mut spec in [docker, open, listed] {
        let before = compile(&spec, Arch::X86_64).expect("before").instructions;
        deny_for_untrusted(&mut spec);
        let after = compile(&spec, Arch::X86_64).expect("after").instructions;
        let verdict = |program: &[Instruction], arch, number, first| {
            let args = [first, 0, 0, 0, 0, 0];
            run(program, &Call { arch, number, args })
        };
        for alg in [38, 1 << 32 | 38, u64::MAX << 32 | 38] {
            for (arch, number) in [(X86_64, 41), (X86_64, 0x4000_0029), (I386, 359)] {
                assert_ne!(
                    verdict(&after, arch, number, alg),
                    ALLOW,
                    "{arch:x} {number} {alg:x}"
                );
            }
        }
        assert_eq!(verdict(&before, I386, 102, 1), ALLOW);
        assert_ne!(verdict(&after, I386, 102, 1), ALLOW);
        assert_ne!(verdict(&after, I386, 102, 1 << 32 | 1), ALLOW);
        for (arch, number, first) in [
            (X86_64, 41, 2),
            (I386, 359, 1),
            (I386, 102, 3),
            (X86_64, 0, 38),
        ] {
            assert_eq!(
                verdict(&after, arch, number, first),
                ALLOW,
                "{arch:x} {number} {first}"
            );
        }
    }
}

#[test]
fn long_programs() {
    let spec = |rules: usize| {
        let rule = |n: usize| {
            let mask = 0xffff_0000_u64 + n as u64;
            format!(
                r#"{{"names":["ioctl"],"action":"SCMP_ACT_ALLOW","args":[
                {{"index":1,"value":{mask},"valueTwo":{},"op":"SCMP_CMP_MASKED_EQ"}}]}}"#,
                n & 0xff
            )
        };
        let rules: Vec<String> = (1..=rules).map(rule).collect();
        hand_made(&format!(
            r#""defaultAction":"SCMP_ACT_ERRNO","syscalls":[{}]"#,
            rules.join(",")
        ))
    };
    // Long enough that tests need stepping stones to reach over 255 instructions.
    if exporter().is_some() {
        assert_same("long", "x86_64", &spec(120));
    }
    let error = compile(&spec(3000), Arch::X86_64).expect_err("too long");
    assert!(matches!(error, SeccompError::TooLong), "{error}");
}
