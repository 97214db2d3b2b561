//! libseccomp's programs to compare with, made by tests/seccomp_export.c.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use fastbox_container::security::seccomp::Instruction;
use oci_spec::runtime::{LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg};

/// The exporter, compiled once; `None` (and a word why) where it cannot be, an error under CI.
pub fn exporter() -> Option<&'static PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/seccomp_export.c");
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let program = directory.join("seccomp-export");
        // Beside it first: another run of this test may be using the old one.
        let new = directory.join(format!("seccomp-export-{}", std::process::id()));
        let status = Command::new("cc")
            .args(["-O1", "-o"])
            .arg(&new)
            .args([source, "-lseccomp"])
            .stderr(Stdio::null())
            .status();
        let made = status.is_ok_and(|it| it.success()) && std::fs::rename(&new, &program).is_ok();
        made.then_some(program)
    });
    if built.is_none() {
        let missing = "needs a C compiler and libseccomp's headers: install gcc and libseccomp-dev";
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{missing}");
        eprintln!("skipped: {missing}");
    }
    built.as_ref()
}

fn export(native: &str, input: &str) -> Result<Vec<u8>, String> {
    let mut child = Command::new(exporter().expect("checked by the test"))
        .arg(native)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("start the exporter");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(input.as_bytes()).expect("write the rules");
    drop(stdin);
    let output = child.wait_with_output().expect("wait for the exporter");
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// libseccomp's numbers on x86-64, i386, x32, aarch64 and arm; -1 first: it does not know the
/// name; below: no such call there.
pub fn numbers(names: &[&str]) -> HashMap<String, Vec<i64>> {
    let bytes = export("x86_64", &format!("names {}", names.join(" "))).expect("names");
    let text = String::from_utf8(bytes).expect("names are ASCII");
    let line = |line: &str| {
        let mut words = line.split(' ');
        let name = words.next().expect("a name").to_owned();
        let numbers = words.map(|word| word.parse().expect("a number")).collect();
        (name, numbers)
    };
    text.lines().map(line).collect()
}

/// Remove the names that this libseccomp is too old for.
pub fn without_unknown(spec: &LinuxSeccomp) -> LinuxSeccomp {
    let mut calls = spec.syscalls().clone().unwrap_or_default();
    let all: Vec<&str> = calls
        .iter()
        .flat_map(|it| it.names())
        .map(String::as_str)
        .collect();
    let known = numbers(&all);
    for call in &mut calls {
        let mut names = call.names().clone();
        names.retain(|name| known[name][0] != -1);
        call.set_names(names);
    }
    let mut spec = spec.clone();
    spec.set_syscalls(Some(calls));
    spec
}

fn value(action: LinuxSeccompAction, errno: Option<u32>) -> u32 {
    let errno = errno.unwrap_or(1);
    match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => 0,
        LinuxSeccompAction::ScmpActKillProcess => 0x8000_0000,
        LinuxSeccompAction::ScmpActTrap => 0x0003_0000,
        LinuxSeccompAction::ScmpActErrno => 0x0005_0000 | errno,
        LinuxSeccompAction::ScmpActNotify => 0x7fc0_0000,
        LinuxSeccompAction::ScmpActTrace => 0x7ff0_0000 | errno,
        LinuxSeccompAction::ScmpActLog => 0x7ffc_0000,
        LinuxSeccompAction::ScmpActAllow => 0x7fff_0000,
    }
}

/// libseccomp's program for a document, with the rules as runc adds them.
pub fn libseccomp(native: &str, spec: &LinuxSeccomp) -> Result<Vec<Instruction>, String> {
    let default = value(spec.default_action(), spec.default_errno_ret());
    let mut input = format!("default {default}\n");
    for arch in spec.architectures().iter().flatten() {
        let name = arch.to_string().replace("SCMP_ARCH_", "").to_lowercase();
        input.push_str(&format!("arch {name}\n"));
    }
    let mut rule = |action: u32, name: &str, args: &[LinuxSeccompArg]| {
        input.push_str(&format!("rule {action} {name} {}", args.len()));
        for arg in args {
            let (a, b) = (arg.value(), arg.value_two().unwrap_or_default());
            input.push_str(&format!(" {} {} {a} {b}", arg.index(), arg.op() as u32));
        }
        input.push('\n');
    };
    for call in spec.syscalls().iter().flatten() {
        let action = value(call.action(), call.errno_ret());
        if action == default {
            continue;
        }
        let args = call.args().as_deref().unwrap_or_default();
        let mut indexes: Vec<usize> = args.iter().map(LinuxSeccompArg::index).collect();
        indexes.sort_unstable();
        indexes.dedup();
        for name in call.names() {
            if indexes.len() == args.len() {
                rule(action, name, args);
            } else {
                for arg in args {
                    rule(action, name, std::slice::from_ref(arg));
                }
            }
        }
    }
    let bytes = export(native, &input)?;
    let instruction = |raw: &[u8]| Instruction {
        code: u16::from_le_bytes([raw[0], raw[1]]),
        jt: raw[2],
        jf: raw[3],
        k: u32::from_le_bytes([raw[4], raw[5], raw[6], raw[7]]),
    };
    Ok(bytes.chunks_exact(8).map(instruction).collect())
}
