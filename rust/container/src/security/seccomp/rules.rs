//! From the runtime-spec's seccomp section to rules by call number, for each ABI.
//!
//! The rules are what runc hands to libseccomp for the same document: rules with the default
//! action are left out, names that nobody knows are skipped, and a rule with two conditions on
//! one argument becomes one rule a condition.

use std::collections::BTreeMap;

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall,
};

use super::SeccompError;
use super::tables::Abi;

/// One test of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    pub index: u32,
    pub operator: Operator,
    pub value: u64,
}

/// How an argument is compared, always without sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    NotEqual,
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
    /// Equal under this mask.
    Masked(u64),
}

/// An action (SECCOMP_RET_*) and all the conditions it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub conditions: Vec<Condition>,
    pub action: u32,
}

/// One ABI's rules by call number.
#[derive(Debug, Default)]
pub struct Calls {
    pub rules: BTreeMap<u32, Vec<Rule>>,
    /// The largest number that the document names, with whatever action.
    pub largest: Option<u32>,
}

/// The kernel's order of actions: the smaller the stricter (seccomp(2), "Return value").
pub fn strictness(action: u32) -> i32 {
    (action & 0xffff_0000) as i32
}

/// SECCOMP_RET_ERRNO with this number.
pub fn errno(number: u32) -> u32 {
    0x0005_0000 | number
}

/// The value that a filter returns for an action; ERRNO and TRACE carry `errno` (EPERM if none).
pub fn action_value(
    action: LinuxSeccompAction,
    number: Option<u32>,
    field: impl Fn() -> String,
) -> Result<u32, SeccompError> {
    let number = number.unwrap_or(nix::libc::EPERM as u32);
    let checked = |base: u32, most: u32| {
        if number > most {
            return Err(SeccompError::Field {
                field: field(),
                reason: "the number is larger than the kernel takes",
            });
        }
        Ok(base | number)
    };
    match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => Ok(0),
        LinuxSeccompAction::ScmpActKillProcess => Ok(0x8000_0000),
        LinuxSeccompAction::ScmpActTrap => Ok(0x0003_0000),
        LinuxSeccompAction::ScmpActErrno => checked(errno(0), 4095),
        LinuxSeccompAction::ScmpActNotify => Ok(0x7fc0_0000),
        LinuxSeccompAction::ScmpActTrace => checked(0x7ff0_0000, 0xffff),
        LinuxSeccompAction::ScmpActLog => Ok(0x7ffc_0000),
        LinuxSeccompAction::ScmpActAllow => Ok(0x7fff_0000),
    }
}

/// Number of i386's socketcall(2) and ipc(2), and which of their functions a call is.
fn multiplexed(name: &str) -> Option<(u32, u64)> {
    const SOCKET: [&str; 20] = [
        "socket",
        "bind",
        "connect",
        "listen",
        "accept",
        "getsockname",
        "getpeername",
        "socketpair",
        "send",
        "recv",
        "sendto",
        "recvfrom",
        "shutdown",
        "setsockopt",
        "getsockopt",
        "sendmsg",
        "recvmsg",
        "accept4",
        "recvmmsg",
        "sendmmsg",
    ];
    if let Some(at) = SOCKET.iter().position(|known| *known == name) {
        return Some((102, at as u64 + 1));
    }
    let function = match name {
        "semop" => 1,
        "semget" => 2,
        "semctl" => 3,
        "semtimedop" => 4,
        "msgsnd" => 11,
        "msgrcv" => 12,
        "msgget" => 13,
        "msgctl" => 14,
        "shmat" => 21,
        "shmdt" => 22,
        "shmget" => 23,
        "shmctl" => 24,
        _ => return None,
    };
    Some((117, function))
}

/// The rules of one ABI.
pub fn collect(spec: &LinuxSeccomp, default: u32, abi: Abi) -> Result<Calls, SeccompError> {
    let mut calls = Calls::default();
    let syscalls = spec.syscalls().as_deref().unwrap_or_default();
    for (at, call) in syscalls.iter().enumerate() {
        let action = action_value(call.action(), call.errno_ret(), || {
            format!("syscalls[{at}].errnoRet")
        })?;
        let alternatives = alternatives(call, at)?;
        for name in call.names() {
            let muxed = multiplexed(name).filter(|_| abi == Abi::I386);
            let direct = abi.number(name);
            if muxed.is_none() {
                calls.largest = calls.largest.max(direct);
            }
            if action == default {
                continue;
            }
            for conditions in &alternatives {
                if let Some(number) = direct {
                    calls.add(number, conditions.clone(), action);
                }
                if let Some((number, function)) = muxed {
                    calls.add(number, with_function(conditions, function), action);
                }
            }
        }
    }
    Ok(calls)
}

impl Calls {
    fn add(&mut self, number: u32, conditions: Vec<Condition>, action: u32) {
        let rule = Rule { conditions, action };
        self.rules.entry(number).or_default().push(rule);
    }
}

/// As libseccomp does: the function's number takes the place of a condition on argument 0.
fn with_function(conditions: &[Condition], function: u64) -> Vec<Condition> {
    let first = Condition {
        index: 0,
        operator: Operator::Equal,
        value: function,
    };
    let others = conditions.iter().filter(|condition| condition.index != 0);
    std::iter::once(first).chain(others.copied()).collect()
}

/// The sets of conditions of which any one suffices.
fn alternatives(call: &LinuxSyscall, at: usize) -> Result<Vec<Vec<Condition>>, SeccompError> {
    let args = call.args().as_deref().unwrap_or_default();
    let mut conditions = Vec::with_capacity(args.len());
    for (position, arg) in args.iter().enumerate() {
        if arg.index() > 5 {
            return Err(SeccompError::Field {
                field: format!("syscalls[{at}].args[{position}].index"),
                reason: "a system call has the arguments 0 to 5",
            });
        }
        conditions.push(condition(arg));
    }
    let repeated = conditions
        .iter()
        .enumerate()
        .any(|(n, one)| conditions[..n].iter().any(|other| other.index == one.index));
    if repeated {
        return Ok(conditions.into_iter().map(|one| vec![one]).collect());
    }
    conditions.sort_by_key(|one| one.index);
    Ok(vec![conditions])
}

fn condition(arg: &LinuxSeccompArg) -> Condition {
    let (operator, value) = match arg.op() {
        LinuxSeccompOperator::ScmpCmpNe => (Operator::NotEqual, arg.value()),
        LinuxSeccompOperator::ScmpCmpLt => (Operator::Less, arg.value()),
        LinuxSeccompOperator::ScmpCmpLe => (Operator::LessOrEqual, arg.value()),
        LinuxSeccompOperator::ScmpCmpEq => (Operator::Equal, arg.value()),
        LinuxSeccompOperator::ScmpCmpGe => (Operator::GreaterOrEqual, arg.value()),
        LinuxSeccompOperator::ScmpCmpGt => (Operator::Greater, arg.value()),
        LinuxSeccompOperator::ScmpCmpMaskedEq => (
            Operator::Masked(arg.value()),
            arg.value_two().unwrap_or_default(),
        ),
    };
    Condition {
        index: arg.index() as u32,
        operator,
        value,
    }
}
