//! Programs of a few instructions: each makes one system call and ends with its result as exit code, the error's
//! number where it fails. They need no library and can carry a setuid bit, which no script can.

use nix::libc;

/// Name, system call, first three arguments.
pub const ALL: &[(&str, i64, [u64; 3])] = &[
    ("geteuid", libc::SYS_geteuid, [0; 3]),
    ("getegid", libc::SYS_getegid, [0; 3]),
    ("add_key", libc::SYS_add_key, [0; 3]),
    ("bpf", libc::SYS_bpf, [0; 3]),
    ("clone3", libc::SYS_clone3, [0; 3]),
    ("getppid", libc::SYS_getppid, [0; 3]),
    ("init_module", libc::SYS_init_module, [0; 3]),
    ("io_uring_setup", libc::SYS_io_uring_setup, [0; 3]),
    ("kexec_load", libc::SYS_kexec_load, [0; 3]),
    ("keyctl", libc::SYS_keyctl, [0; 3]),
    ("open_by_handle_at", libc::SYS_open_by_handle_at, [0; 3]),
    ("perf_event_open", libc::SYS_perf_event_open, [0; 3]),
    ("pivot_root", libc::SYS_pivot_root, [0; 3]),
    (
        "ptrace",
        libc::SYS_ptrace,
        [libc::PTRACE_TRACEME as u64, 0, 0],
    ),
    ("reboot", libc::SYS_reboot, [0; 3]),
    ("setns", libc::SYS_setns, [0; 3]),
    ("socket_alg", libc::SYS_socket, [38, 5, 0]),
    ("socket_inet", libc::SYS_socket, [2, 1, 0]),
    ("socket_ping", libc::SYS_socket, [2, 2, 1]),
    ("socket_vsock", libc::SYS_socket, [40, 1, 0]),
    ("unknown", 4000, [0; 3]),
    (
        "unshare_user",
        libc::SYS_unshare,
        [libc::CLONE_NEWUSER as u64, 0, 0],
    ),
    ("userfaultfd", libc::SYS_userfaultfd, [0; 3]),
];

/// A static program (elf(5)) that makes the call.
pub fn program(call: i64, args: [u64; 3]) -> Vec<u8> {
    const AT: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let code = code(call as u64, args);
    let length = HEADERS + code.len() as u64;
    let machine = if cfg!(target_arch = "x86_64") {
        62u16
    } else {
        183
    };
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend([2u16, machine].iter().flat_map(|v| v.to_le_bytes()));
    elf.extend(1u32.to_le_bytes());
    elf.extend([AT + HEADERS, 64, 0].iter().flat_map(|v| v.to_le_bytes()));
    elf.extend(0u32.to_le_bytes());
    elf.extend(
        [64u16, 56, 1, 64, 0, 0]
            .iter()
            .flat_map(|v| v.to_le_bytes()),
    );
    // PT_LOAD, readable and executable: the whole file.
    elf.extend([1u32, 5].iter().flat_map(|v| v.to_le_bytes()));
    elf.extend(
        [0, AT, AT, length, length, 0x1000]
            .iter()
            .flat_map(|v: &u64| v.to_le_bytes()),
    );
    elf.extend(code);
    elf
}

#[cfg(target_arch = "x86_64")]
fn code(call: u64, args: [u64; 3]) -> Vec<u8> {
    let mut code = Vec::new();
    // mov to rax, rdi, rsi, rdx
    for (register, value) in [0xb8, 0xbf, 0xbe, 0xba]
        .into_iter()
        .zip([call, args[0], args[1], args[2]])
    {
        code.extend([0x48, register]);
        code.extend(value.to_le_bytes());
    }
    // syscall; test rax, rax; jns over; neg rax
    code.extend([0x0f, 0x05, 0x48, 0x85, 0xc0, 0x79, 0x03, 0x48, 0xf7, 0xd8]);
    // mov edi, eax; mov eax, exit_group; syscall
    code.extend([0x89, 0xc7, 0xb8, 0xe7, 0, 0, 0, 0x0f, 0x05]);
    code
}

#[cfg(target_arch = "aarch64")]
fn code(call: u64, args: [u64; 3]) -> Vec<u8> {
    let mut code: Vec<u32> = Vec::new();
    for (register, value) in [8, 0, 1, 2]
        .into_iter()
        .zip([call, args[0], args[1], args[2]])
    {
        // movz; movk of the upper half of 32 bits
        code.push(0xd280_0000 | ((value & 0xffff) as u32) << 5 | register);
        code.push(0xf2a0_0000 | ((value >> 16 & 0xffff) as u32) << 5 | register);
    }
    // svc 0; cmp x0, 0; cneg x0, x0, mi; mov x8, exit_group; svc 0
    code.extend([
        0xd400_0001,
        0xf100_001f,
        0xda80_5400,
        0xd280_0bc8,
        0xd400_0001,
    ]);
    code.iter().flat_map(|word| word.to_le_bytes()).collect()
}
