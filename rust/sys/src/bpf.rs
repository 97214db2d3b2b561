//! bpf(2), as far as the device control of cgroup v2 needs it: load one program, attach it to a cgroup.

use std::io::Write;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

/// One eBPF instruction, `struct bpf_insn` of `linux/bpf.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// Operation: class, source and kind.
    pub code: u8,
    /// Destination register in the low four bits, source register in the high four.
    pub registers: u8,
    /// Signed offset: of a memory access in bytes, of a jump in instructions.
    pub offset: i16,
    /// Immediate operand.
    pub immediate: i32,
}

/// How an attached program relates to those of the cgroups below and above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attach {
    /// `BPF_F_ALLOW_OVERRIDE`: a program attached further down takes its place there.
    Overridable,
    /// `BPF_F_ALLOW_MULTI`: runs together with the programs further down; all must agree.
    Together,
}

const PROG_LOAD: libc::c_long = 5;
const PROG_ATTACH: libc::c_long = 8;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const CGROUP_DEVICE: u32 = 6;
const ALLOW_OVERRIDE: u32 = 1;
const ALLOW_MULTI: u32 = 2;

// The leading fields of `union bpf_attr` for BPF_PROG_LOAD, up to the name.
#[repr(C)]
struct LoadAttr {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

// The leading fields of `union bpf_attr` for BPF_PROG_ATTACH.
#[repr(C)]
struct AttachAttr {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
}

/// Loads a program of the type `BPF_PROG_TYPE_CGROUP_DEVICE` under the name `name` (cut to 15 bytes; letters,
/// digits, `_` and `.` only). The descriptor is close-on-exec, as the kernel makes it.
///
/// # Errors
/// EPERM without CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN), EINVAL or EACCES when the verifier refuses the
/// program, E2BIG when it is too long, ENOSYS without bpf(2). See bpf(2).
pub fn load_device_program(name: &str, program: &[Instruction]) -> nix::Result<OwnedFd> {
    let mut prog_name = [0u8; 16];
    // Writing into a slice never fails; it stops at its end, which leaves the closing zero.
    let _ = (&mut prog_name[..15]).write(name.as_bytes());
    let attr = LoadAttr {
        prog_type: PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(program.len()).map_err(|_| Errno::E2BIG)?,
        insns: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        log_level: 0,
        log_size: 0,
        log_buf: 0,
        kern_version: 0,
        prog_flags: 0,
        prog_name,
    };
    // SAFETY: the kernel reads `size_of::<LoadAttr>()` bytes of `attr` and what its two pointers name (insn_cnt
    // instructions, a zero-terminated string); all of them outlive the call, and it writes nothing back.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROG_LOAD,
            &raw const attr,
            size_of::<LoadAttr>(),
        )
    };
    let fd = Errno::result(fd)?;
    // SAFETY: a successful BPF_PROG_LOAD returns a new descriptor that nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).map_err(|_| Errno::EBADF)?) })
}

/// Attaches a device program to the cgroup v2 directory `cgroup`; the cgroup keeps it alive from then on.
///
/// # Errors
/// EPERM without CAP_NET_ADMIN or where a cgroup above forbids programs below it, EBADF when `cgroup` is not a
/// cgroup v2 directory. See bpf(2).
pub fn attach_device_program(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    how: Attach,
) -> nix::Result<()> {
    let attr = AttachAttr {
        target_fd: cgroup.as_raw_fd().cast_unsigned(),
        attach_bpf_fd: program.as_raw_fd().cast_unsigned(),
        attach_type: CGROUP_DEVICE,
        attach_flags: match how {
            Attach::Overridable => ALLOW_OVERRIDE,
            Attach::Together => ALLOW_MULTI,
        },
    };
    // SAFETY: the kernel reads `size_of::<AttachAttr>()` bytes of `attr`, which outlives the call; both
    // descriptors are borrowed and stay open over it.
    let done = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            PROG_ATTACH,
            &raw const attr,
            size_of::<AttachAttr>(),
        )
    };
    Errno::result(done).map(drop)
}
