//! Random rule sets mean what they say: all conditions of a rule, any rule, the strictest action.
//!
//! Needed beside the comparison with libseccomp, whose version 2.5.4 is no judge here: two rules
//! with a "not equal" on one argument and further conditions let each other's values through.

#[path = "seccomp_support/bpf.rs"]
mod bpf;

use bpf::{Call, run};
use fastbox_container::security::seccomp::{Arch, Instruction, compile};
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator, LinuxSyscall,
};

const X86_64: u32 = 0xc000_003e;
const READ: u32 = 0;
const OPERATORS: [LinuxSeccompOperator; 7] = [
    LinuxSeccompOperator::ScmpCmpNe,
    LinuxSeccompOperator::ScmpCmpLt,
    LinuxSeccompOperator::ScmpCmpLe,
    LinuxSeccompOperator::ScmpCmpEq,
    LinuxSeccompOperator::ScmpCmpGe,
    LinuxSeccompOperator::ScmpCmpGt,
    LinuxSeccompOperator::ScmpCmpMaskedEq,
];

/// xorshift64: enough for a test, and the same everywhere for a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }

    /// Few different values, so that rules meet: small, around 32 bits, the largest.
    fn value(&mut self) -> u64 {
        let low = self.below(4);
        match self.below(6) {
            0 => u64::MAX - low,
            1 => 0xffff_fffe + low,
            2 => self.below(3) << 32 | low,
            _ => low,
        }
    }
}

fn rule(random: &mut Random) -> LinuxSyscall {
    let mut args = Vec::new();
    for index in 0..3_usize {
        if random.below(2) == 0 {
            continue;
        }
        let arg = LinuxSeccompArgBuilder::default()
            .index(index)
            .op(OPERATORS[random.below(7) as usize])
            .value(random.value())
            .value_two(random.value());
        args.push(arg.build().expect("every field is set"));
    }
    if args.is_empty() {
        return rule(random);
    }
    let mut call = LinuxSyscall::default();
    call.set_names(vec!["read".to_owned()]).set_args(Some(args));
    match random.below(4) {
        0 => call.set_action(LinuxSeccompAction::ScmpActKillProcess),
        1 => call.set_action(LinuxSeccompAction::ScmpActTrap),
        _ => call.set_action(LinuxSeccompAction::ScmpActAllow),
    };
    call
}

fn holds(arg: &LinuxSeccompArg, args: &[u64; 6]) -> bool {
    let (given, value) = (args[arg.index()], arg.value());
    match arg.op() {
        LinuxSeccompOperator::ScmpCmpNe => given != value,
        LinuxSeccompOperator::ScmpCmpLt => given < value,
        LinuxSeccompOperator::ScmpCmpLe => given <= value,
        LinuxSeccompOperator::ScmpCmpEq => given == value,
        LinuxSeccompOperator::ScmpCmpGe => given >= value,
        LinuxSeccompOperator::ScmpCmpGt => given > value,
        LinuxSeccompOperator::ScmpCmpMaskedEq => {
            given & value == arg.value_two().expect("set") & value
        }
    }
}

fn meaning(rules: &[LinuxSyscall], args: &[u64; 6]) -> u32 {
    let matching = rules.iter().filter(|rule| {
        let conditions = rule.args().as_ref().expect("set");
        conditions.iter().all(|arg| holds(arg, args))
    });
    let verdicts = matching.map(|rule| match rule.action() {
        LinuxSeccompAction::ScmpActKillProcess => 0x8000_0000,
        LinuxSeccompAction::ScmpActTrap => 0x0003_0000,
        _ => 0x7fff_0000,
    });
    verdicts
        .min_by_key(|verdict| *verdict as i32)
        .unwrap_or(0x0005_0001)
}

#[test]
fn random_rule_sets_mean_what_they_say() {
    let seed = 0x5ecc_0fb0_2026_1124;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    for round in 0..400 {
        let rules: Vec<LinuxSyscall> = (0..=random.below(6)).map(|_| rule(&mut random)).collect();
        let mut spec = LinuxSeccomp::default();
        spec.set_default_action(LinuxSeccompAction::ScmpActErrno)
            .set_syscalls(Some(rules.clone()));
        let program: Vec<Instruction> =
            compile(&spec, Arch::X86_64).expect("compiles").instructions;
        for _ in 0..400 {
            let mut args = [0; 6];
            args[..3].fill_with(|| random.value());
            let call = Call {
                arch: X86_64,
                number: READ,
                args,
            };
            let (found, meant) = (run(&program, &call), meaning(&rules, &args));
            assert_eq!(found, meant, "round {round}: {rules:?} {call:x?}");
        }
    }
}
