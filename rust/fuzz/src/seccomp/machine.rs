//! The kernel's part: which programs it takes, and what they answer.

use fastbox_engine::container::security::seccomp::{Instruction, MAX_INSTRUCTIONS};

/// `struct seccomp_data` without the instruction pointer.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The audit architecture.
    pub arch: u32,
    /// The call's number.
    pub number: u32,
    /// Its arguments.
    pub args: [u64; 6],
}

/// What the kernel checks before it takes a program (net/core/filter.c, kernel/seccomp.c).
///
/// # Panics
/// Where it would refuse.
pub fn check(program: &[Instruction]) {
    assert!((1..=MAX_INSTRUCTIONS).contains(&program.len()));
    assert_eq!(
        program[program.len() - 1].code,
        0x06,
        "the end is no answer"
    );
    for (at, one) in program.iter().enumerate() {
        let left = program.len() - at - 1;
        match one.code {
            // Beyond the instruction pointer, which no profile speaks of.
            0x20 => assert!(one.k % 4 == 0 && one.k < 64 && !(8..16).contains(&one.k)),
            0x05 => assert!((one.k as usize) < left, "a jump out of the program"),
            0x15 | 0x25 | 0x35 | 0x45 => {
                assert!(
                    usize::from(one.jt.max(one.jf)) < left,
                    "a jump out of the program"
                );
            }
            0x06 | 0x54 => {}
            code => panic!("instruction {code:#x}"),
        }
    }
}

/// The answer of a program that passed [`check`].
pub fn run(program: &[Instruction], call: &Call) -> u32 {
    let (mut at, mut word) = (0, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let mut jump = |holds: bool| at += usize::from(if holds { jt } else { jf });
        match code {
            0x20 => word = load(call, k),
            0x54 => word &= k,
            0x05 => at += k as usize,
            0x15 => jump(word == k),
            0x25 => jump(word > k),
            0x35 => jump(word >= k),
            0x45 => jump(word & k != 0),
            _ => return k,
        }
    }
}

fn load(call: &Call, offset: u32) -> u32 {
    match offset {
        0 => call.number,
        4 => call.arch,
        _ => {
            let (index, high) = ((offset - 16) / 8, (offset - 16) % 8);
            (call.args[index as usize] >> (8 * high)) as u32
        }
    }
}
