use super::super::{DEFAULT_PROFILE, default_profile};
use super::*;

const KERNEL: KernelVersion = KernelVersion { major: 6, minor: 1 };

fn message(json: &str) -> String {
    Profile::parse(json).unwrap_err().to_string()
}

fn rules(spec: &LinuxSeccomp, name: &str) -> usize {
    let calls = spec.syscalls().as_ref().unwrap();
    let named = |call: &&LinuxSyscall| call.names().iter().any(|one| one == name);
    calls.iter().filter(named).count()
}

#[test]
fn default_profile_depends_on_capabilities_and_machine() {
    let spec = default_profile().resolve(CapSet::DOCKER, Arch::X86_64, KERNEL);
    let x86 = [
        OciArch::ScmpArchX86_64,
        OciArch::ScmpArchX86,
        OciArch::ScmpArchX32,
    ];
    assert_eq!(spec.architectures().as_deref(), Some(&x86[..]));
    assert_eq!(spec.default_errno_ret(), Some(1));
    assert_eq!(rules(&spec, "mount"), 0);
    assert_eq!(rules(&spec, "clone3"), 1);
    assert_eq!(rules(&spec, "ptrace"), 1);
    let admin = CapSet::DOCKER.with(21);
    let spec = default_profile().resolve(admin, Arch::Aarch64, KERNEL);
    let arm = [OciArch::ScmpArchAarch64, OciArch::ScmpArchArm];
    assert_eq!(spec.architectures().as_deref(), Some(&arm[..]));
    assert_eq!(rules(&spec, "mount"), 1);
    assert_eq!(rules(&spec, "set_tls"), 1);
    assert_eq!(rules(&spec, "modify_ldt"), 0);
    let old = KernelVersion { major: 4, minor: 4 };
    let spec = default_profile().resolve(CapSet::DOCKER, Arch::X86_64, old);
    assert_eq!(rules(&spec, "ptrace"), 0);
}

#[test]
fn older_spelling_is_read() {
    let json = r#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86_64"],
        "syscalls":[{"name":"chmod","action":"SCMP_ACT_ERRNO","args":[],"comment":"","includes":{},
        "excludes":{"minKernel":"9.0","caps":null}},{"names":null,"action":"SCMP_ACT_KILL"}]}"#;
    let spec = Profile::parse(json)
        .unwrap()
        .resolve(CapSet::EMPTY, Arch::X86_64, KERNEL);
    assert_eq!(rules(&spec, "chmod"), 1);
    assert_eq!(spec.syscalls().as_ref().unwrap()[0].args(), &None);
}

#[test]
fn errors_name_the_field() {
    let bad_action = DEFAULT_PROFILE.replacen("SCMP_ACT_ALLOW", "SCMP_ACT_MAYBE", 1);
    assert!(message(&bad_action).contains("syscalls[0].action: unknown variant `SCMP_ACT_MAYBE`"));
    let cases = [
        ("", ".: EOF"),
        ("[]", ".: invalid length 0"),
        ("{}", ".: missing field `defaultAction`"),
        (
            r#"{"defaultAction":"SCMP_ACT_KILL"} x"#,
            ".: trailing characters",
        ),
        (r#"{"defaultAction":7}"#, "defaultAction: "),
        (
            r#"{"defaultAction":"SCMP_ACT_KILL","syscalls":{}}"#,
            "syscalls: invalid type: map",
        ),
    ];
    for (json, expected) in cases {
        assert!(
            message(json).contains(expected),
            "{json}: {}",
            message(json)
        );
    }
    let call = |rest: &str| {
        let text = r#"{"defaultAction":"SCMP_ACT_KILL","syscalls":[{"action":"SCMP_ACT_ALLOW","#;
        message(&format!("{text}{rest}}}]}}"))
    };
    let arg = |index: &str, op: &str| {
        call(&format!(
            r#""names":["read"],"args":[{{"index":{index},"value":1,"op":"{op}"}}]"#
        ))
    };
    assert!(call(r#""name":"a","names":["b"]"#).contains("syscalls[0].name: given beside names"));
    assert!(call(r#""errnoRet":-1"#).contains("syscalls[0].errnoRet: "));
    assert!(call(r#""includes":{"minKernel":"x"}"#).contains("syscalls[0].includes.minKernel: "));
    assert!(call(r#""excludes":{"caps":"x"}"#).contains("syscalls[0].excludes.caps: "));
    assert!(arg("6", "SCMP_CMP_EQ").contains("syscalls[0].args[0].index: "));
    assert!(arg("0", "EQ").contains("syscalls[0].args[0].op: unknown variant `EQ`"));
    let both = r#"{"defaultAction":"SCMP_ACT_KILL","architectures":["SCMP_ARCH_X86"],
        "archMap":[{"architecture":"SCMP_ARCH_X86"}]}"#;
    assert!(message(both).contains("architectures: given beside archMap"));
}

#[test]
fn kernel_versions() {
    let read = |text: &str| {
        KernelVersion::from_str(text)
            .ok()
            .map(|it| (it.major, it.minor))
    };
    assert_eq!(read("6.1.0-18-amd64"), Some((6, 1)));
    assert_eq!(read("3.12-rc5"), Some((3, 12)));
    assert_eq!(read("5"), None);
    assert_eq!(read("x.1"), None);
}
