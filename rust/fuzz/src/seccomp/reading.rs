//! A profile read word by word, without any of the compiler's thoughts.

use std::collections::HashMap;

use fastbox_engine::container::security::caps::CapSet;
use fastbox_engine::container::security::seccomp::{Abi, Arch, KernelVersion};
use oci_spec::runtime::{
    Arch as OciArch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg,
    LinuxSeccompOperator as Operator, LinuxSyscall,
};
use serde_json::Value;

use super::machine::Call;

const ENOSYS: u32 = 0x0005_0026;
const BAD_ARCH: u32 = 0;
const X32_BIT: u32 = 0x4000_0000;

/// The functions of i386's socketcall(2), from 1 on.
const SOCKET: &str = "socket bind connect listen accept getsockname getpeername socketpair send recv \
    sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg";
/// The functions of i386's ipc(2).
const IPC: [(&str, u64); 12] = [
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// The ABIs of a machine: audit architecture, ABI, and the document's word for it; the native one
/// first.
pub fn abis(arch: Arch) -> &'static [(u32, Abi, OciArch)] {
    match arch {
        Arch::X86_64 | Arch::X86_64WithoutX32 => &[
            (0xc000_003e, Abi::X86_64, OciArch::ScmpArchX86_64),
            (0xc000_003e, Abi::X32, OciArch::ScmpArchX32),
            (0x4000_0003, Abi::I386, OciArch::ScmpArchX86),
        ],
        Arch::Aarch64 => &[
            (0xc000_00b7, Abi::Aarch64, OciArch::ScmpArchAarch64),
            (0x4000_0028, Abi::Arm, OciArch::ScmpArchArm),
        ],
    }
}

/// The calls of one ABI: the rules for each number, and the largest number named.
struct Rules {
    abi: Abi,
    by_number: HashMap<u32, Vec<Rule>>,
    largest: Option<u32>,
}

#[derive(Clone)]
struct Rule {
    action: u32,
    /// The condition on the function of a call of several.
    function: Option<u64>,
    conditions: Vec<LinuxSeccompArg>,
}

/// What a document says of every call.
pub struct Reading {
    default: u32,
    enosys: bool,
    x32: bool,
    /// By audit architecture and ABI: those the document lists, and the native one.
    rules: Vec<(u32, Rules)>,
}

impl Reading {
    /// Reads a document that compiles.
    pub fn new(spec: &LinuxSeccomp, arch: Arch, newer: bool) -> Reading {
        let default = value(spec.default_action(), spec.default_errno_ret());
        let lax = [
            Action::ScmpActAllow,
            Action::ScmpActLog,
            Action::ScmpActTrace,
        ];
        let listed = spec.architectures().as_deref().unwrap_or_default();
        let here = abis(arch).iter().enumerate();
        let here = here.filter(|(at, (_, _, word))| *at == 0 || listed.contains(word));
        Reading {
            default,
            enosys: newer && !lax.contains(&spec.default_action()),
            x32: listed.contains(&OciArch::ScmpArchX32),
            rules: here
                .map(|(_, (audit, abi, _))| (*audit, Rules::new(spec, *abi, default)))
                .collect(),
        }
    }

    /// What a call gets.
    pub fn verdict(&self, call: &Call) -> u32 {
        let x32 = call.arch == 0xc000_003e && call.number & X32_BIT != 0;
        if call.arch == 0xc000_003e && !self.x32 && call.number >= X32_BIT {
            let newer = !x32 && self.enosys && self.rules[0].1.largest.is_some();
            return match call.number {
                u32::MAX => self.default,
                _ if newer => ENOSYS,
                _ => BAD_ARCH,
            };
        }
        let same = |rules: &Rules| (rules.abi == Abi::X32) == x32;
        let mut all = self.rules.iter();
        let Some((_, rules)) = all.find(|(audit, rules)| *audit == call.arch && same(rules)) else {
            return BAD_ARCH;
        };
        // Only a call of several has a rule for a number above the largest that counts.
        let newer = rules.largest.is_some_and(|last| call.number > last);
        if self.enosys && newer && !rules.by_number.contains_key(&call.number) {
            return ENOSYS;
        }
        rules.verdict(call).unwrap_or(self.default)
    }
}

impl Rules {
    fn new(spec: &LinuxSeccomp, abi: Abi, default: u32) -> Rules {
        let mut rules = Rules {
            abi,
            by_number: HashMap::new(),
            largest: None,
        };
        for call in spec.syscalls().iter().flatten() {
            let action = value(call.action(), call.errno_ret());
            for name in call.names() {
                let number = abi.number(name);
                let function = function(name).filter(|_| abi == Abi::I386);
                if function.is_none() {
                    rules.largest = rules.largest.max(number);
                }
                if action == default {
                    continue;
                }
                let targets = number.map(|number| (number, None)).into_iter();
                let both = function.map(|(number, function)| (number, Some(function)));
                for (number, function) in targets.chain(both) {
                    let known = rules.by_number.entry(number).or_default();
                    known.extend(alternatives(call, action, function));
                }
            }
        }
        rules
    }

    /// An unconditional rule, or else the strictest of those that hold.
    fn verdict(&self, call: &Call) -> Option<u32> {
        let rules = self.by_number.get(&call.number)?;
        let plain = |rule: &&Rule| rule.conditions.is_empty() && rule.function.is_none();
        if let Some(rule) = rules.iter().find(plain) {
            return Some(rule.action);
        }
        let wide = self.abi.wide();
        let arg = |index: usize| match wide {
            true => call.args[index],
            false => call.args[index] & 0xffff_ffff,
        };
        let holds = |rule: &&Rule| {
            rule.function.is_none_or(|function| arg(0) == function)
                && rule
                    .conditions
                    .iter()
                    .all(|one| holds(one, arg(one.index()), wide))
        };
        let strictness = |rule: &&Rule| (rule.action & 0xffff_0000) as i32;
        Some(rules.iter().filter(holds).min_by_key(strictness)?.action)
    }
}

/// The rules that a call's entry stands for: one, or one a condition where an argument has two.
fn alternatives(call: &LinuxSyscall, action: u32, function: Option<u64>) -> Vec<Rule> {
    let all = call.args().clone().unwrap_or_default();
    let mut indexes: Vec<usize> = all.iter().map(LinuxSeccompArg::index).collect();
    indexes.sort_unstable();
    let rule = |mut conditions: Vec<LinuxSeccompArg>| {
        // The function's number stands where argument 0 is.
        conditions.retain(|one| function.is_none() || one.index() != 0);
        Rule {
            action,
            function,
            conditions,
        }
    };
    match indexes.windows(2).any(|two| two[0] == two[1]) {
        true => all.into_iter().map(|one| rule(vec![one])).collect(),
        false => vec![rule(all)],
    }
}

fn holds(one: &LinuxSeccompArg, given: u64, wide: bool) -> bool {
    let cut = |value: u64| if wide { value } else { value & 0xffff_ffff };
    let value = cut(one.value());
    match one.op() {
        Operator::ScmpCmpNe => given != value,
        Operator::ScmpCmpLt => given < value,
        Operator::ScmpCmpLe => given <= value,
        Operator::ScmpCmpEq => given == value,
        Operator::ScmpCmpGe => given >= value,
        Operator::ScmpCmpGt => given > value,
        Operator::ScmpCmpMaskedEq => given & value == cut(one.value_two().unwrap_or(0)) & value,
    }
}

fn function(name: &str) -> Option<(u32, u64)> {
    if let Some(at) = SOCKET
        .split_ascii_whitespace()
        .position(|known| known == name)
    {
        return Some((102, at as u64 + 1));
    }
    let (_, function) = IPC.iter().find(|(known, _)| *known == name)?;
    Some((117, *function))
}

fn value(action: Action, number: Option<u32>) -> u32 {
    match action {
        Action::ScmpActKill | Action::ScmpActKillThread => 0,
        Action::ScmpActKillProcess => 0x8000_0000,
        Action::ScmpActTrap => 0x0003_0000,
        Action::ScmpActErrno => 0x0005_0000 | number.unwrap_or(1),
        Action::ScmpActNotify => 0x7fc0_0000,
        Action::ScmpActTrace => 0x7ff0_0000 | number.unwrap_or(1),
        Action::ScmpActLog => 0x7ffc_0000,
        Action::ScmpActAllow => 0x7fff_0000,
    }
}

/// The resolved document has those entries of the profile whose conditions hold, in their order.
///
/// # Panics
/// Where it has others.
pub fn check_conditions(
    profile: &Value,
    spec: &LinuxSeccomp,
    caps: CapSet,
    arch: Arch,
    kernel: KernelVersion,
) {
    let machine = arch.machine();
    let strings = |condition: &Value, key: &str| -> Vec<String> {
        let list = condition[key].as_array().cloned().unwrap_or_default();
        list.iter()
            .filter_map(|one| Some(one.as_str()?.to_owned()))
            .collect()
    };
    let has = |name: &String| {
        let name = name.trim().to_ascii_uppercase();
        let bare = name.strip_prefix("CAP_").unwrap_or(&name);
        caps.names().any(|known| &known[4..] == bare)
    };
    let recent = |condition: &Value| -> Option<bool> {
        let least: KernelVersion = condition["minKernel"].as_str()?.parse().ok()?;
        Some((kernel.major, kernel.minor) >= (least.major, least.minor))
    };
    let applies = |call: &&Value| {
        let (includes, excludes) = (&call["includes"], &call["excludes"]);
        let arches = strings(includes, "arches");
        let included = (arches.is_empty() || arches.iter().any(|one| one == machine))
            && strings(includes, "caps").iter().all(has)
            && recent(includes).unwrap_or(true);
        let excluded = strings(excludes, "arches").iter().any(|one| one == machine)
            || strings(excludes, "caps").iter().any(has)
            || recent(excludes).unwrap_or(false);
        included && !excluded
    };
    let names = |call: &Value| -> Vec<String> {
        let name = call["name"].as_str().filter(|name| !name.is_empty());
        let names = strings(call, "names");
        name.map(str::to_owned).into_iter().chain(names).collect()
    };
    let all = profile["syscalls"].as_array().cloned().unwrap_or_default();
    let meant: Vec<Vec<String>> = all.iter().filter(applies).map(names).collect();
    let found = spec.syscalls().as_deref().unwrap_or_default();
    let found: Vec<&[String]> = found.iter().map(|call| call.names().as_slice()).collect();
    assert_eq!(
        found, meant,
        "conditions with {caps:?}, {arch:?}, {kernel:?}"
    );
}
