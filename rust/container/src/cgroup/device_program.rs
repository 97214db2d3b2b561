//! The device list as a program for cgroup v2 (`BPF_PROG_TYPE_CGROUP_DEVICE`; the kernel's bpf documentation).

use std::os::fd::{AsFd, BorrowedFd};

use fastbox_sys::bpf::{self, Attach, Instruction};

use super::devices::{self, DeviceList, Rule};

const LOAD_WORD: u8 = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const MOVE: u8 = 0xb7; // BPF_ALU64 | BPF_MOV | BPF_K
const MOVE_REGISTER: u8 = 0xbf; // BPF_ALU64 | BPF_MOV | BPF_X
const AND: u8 = 0x57; // BPF_ALU64 | BPF_AND | BPF_K
const SHIFT_RIGHT: u8 = 0x77; // BPF_ALU64 | BPF_RSH | BPF_K
const JUMP_EQUAL: u8 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_NOT_EQUAL: u8 = 0x55; // BPF_JMP | BPF_JNE | BPF_K
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

// Which register holds what.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const TYPE: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;

const NAME: &str = "fastbox_device";

fn with(code: u8, register: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers: register,
        offset,
        immediate,
    }
}

fn from(code: u8, destination: u8, source: u8, offset: i16) -> Instruction {
    with(code, destination | source << 4, offset, 0)
}

/// One test per exception, in order; the first that covers the whole access decides.
fn program(allow_rest: bool, exceptions: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        // struct bpf_cgroup_dev_ctx { u32 access_type; u32 major; u32 minor; }, access << 16 | type
        from(LOAD_WORD, TYPE, CONTEXT, 0),
        from(MOVE_REGISTER, ACCESS, TYPE, 0),
        with(SHIFT_RIGHT, ACCESS, 0, 16),
        with(AND, TYPE, 0, 0xffff),
        from(LOAD_WORD, MAJOR, CONTEXT, 4),
        from(LOAD_WORD, MINOR, CONTEXT, 8),
    ];
    for rule in exceptions {
        let mut tests = vec![(TYPE, if rule.block { 1 } else { 2 })];
        tests.extend(rule.major.map(|number| (MAJOR, number.cast_signed())));
        tests.extend(rule.minor.map(|number| (MINOR, number.cast_signed())));
        // A list of denials refuses an access that touches any denied bit; a list of permissions wants one rule
        // that covers every bit, as cgroup v1 does.
        let (mask, skip) = if allow_rest {
            (i32::from(rule.access), JUMP_EQUAL)
        } else {
            (
                i32::from(!rule.access & devices::ALL_ACCESS),
                JUMP_NOT_EQUAL,
            )
        };
        for (at, &(register, value)) in tests.iter().enumerate() {
            // Over the later tests, the three of the access and the two of the verdict.
            let rest = i16::try_from(tests.len() - at - 1).unwrap_or_default();
            program.push(with(JUMP_NOT_EQUAL, register, rest + 5, value));
        }
        program.push(from(MOVE_REGISTER, RESULT, ACCESS, 0));
        program.push(with(AND, RESULT, 0, mask));
        program.push(with(skip, RESULT, 2, 0));
        program.push(with(MOVE, RESULT, 0, i32::from(!allow_rest)));
        program.push(with(EXIT, 0, 0, 0));
    }
    program.push(with(MOVE, RESULT, 0, i32::from(allow_rest)));
    program.push(with(EXIT, 0, 0, 0));
    program
}

/// Whether this process may load such a program at all.
pub(super) fn loadable() -> nix::Result<()> {
    bpf::load_device_program(NAME, &program(false, &[])).map(drop)
}

/// Puts `list` on the group `cgroup`. Docker's list goes on the owner's group and gives way to a container's own.
pub(super) fn attach(cgroup: BorrowedFd<'_>, list: &DeviceList) -> nix::Result<()> {
    let (program, how) = match list {
        DeviceList::Docker => (
            program(false, &devices::docker_default()),
            Attach::Overridable,
        ),
        DeviceList::Own {
            allow_rest,
            exceptions,
        } => (program(*allow_rest, exceptions), Attach::Together),
    };
    let program = bpf::load_device_program(NAME, &program)?;
    bpf::attach_device_program(cgroup, program.as_fd(), how)
}
